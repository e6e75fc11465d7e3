"""DICOM → Image: ultrasound and other classes with pixels, one frame or many."""

from __future__ import annotations

import struct
import textwrap
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEG2000TransferSyntaxes

from fetometry.errors import ImageError
from fetometry.image import quiet
from fetometry.image.calibration import Calibration, calibrate
from fetometry.image.grey import check_size, refuse_blank, refuse_photograph, to_grey
from fetometry.types import Image

#: Samples per pixel of each Photometric Interpretation that can be turned to grey.
SAMPLES = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_RCT": 3,
    "YBR_ICT": 3,
}

_MAGIC_AT, _MAGIC = 128, b"DICM"
_PIXEL_DATA, _ITEM, _END = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

#: What pydicom was seen to raise on files that are damaged or break the standard.
_PYDICOM_RAISES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def has_magic(path: Path) -> bool:
    """Tell whether the file begins as the DICOM File Format does."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


@contextmanager
def _refused(source: str, what: str) -> Iterator[None]:
    """Run pydicom without its warnings, and turn what it raises into one line."""
    try:
        with quiet.pydicom:
            yield
    except InvalidDicomError:
        raise ImageError(f"{source}: not a DICOM file: it lacks the mark DICM") from None
    except _PYDICOM_RAISES as error:
        reason = textwrap.shorten(str(error), 160) or type(error).__name__
        raise ImageError(f"{source}: {what}: {reason}") from error


@dataclass(frozen=True)
class _Header:
    """The part of a dataset that its pixels are read by, decoded and checked for being there."""

    dataset: Dataset
    syntax: UID
    implicit: bool
    shape: tuple[int, int]
    frames: int
    samples: int
    bits: int
    photometric: str
    ultrasound: bool
    calibration: Calibration

    @property
    def pixels_in_place(self) -> bool:
        """Whether the pixel data lie in the file where its transfer syntax says.

        Not when the whole dataset is deflated, nor when its elements are not encoded as announced.
        """
        deflated = self.syntax == DeflatedExplicitVRLittleEndian
        return not deflated and self.implicit == self.syntax.is_implicit_VR

    @property
    def frame_bytes(self) -> int:
        """Length of one frame that is not compressed."""
        # two pixels of YBR_FULL_422 share their two colours: 2 samples a pixel instead of 3
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return (self.shape[0] * self.shape[1] * samples * self.bits + 7) // 8


def _header(dataset: Dataset, source: str) -> _Header:
    name = UID(str(dataset.get("SOPClassUID", ""))).name or "DICOM file"
    rows, cols = dataset.get("Rows"), dataset.get("Columns")
    if rows is None or cols is None:
        raise ImageError(f"{source}: the {name} holds no image (no Rows and Columns)")
    shape = int(rows), int(cols)
    check_size(shape, source)
    return _Header(
        dataset=dataset,
        syntax=UID(str(dataset.file_meta.get("TransferSyntaxUID", ""))),
        implicit=bool(dataset.original_encoding[0]),
        shape=shape,
        frames=int(dataset.get("NumberOfFrames") or 1),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        bits=int(dataset.get("BitsAllocated") or 0),
        photometric=str(dataset.get("PhotometricInterpretation") or ""),
        ultrasound=dataset.get("Modality") == "US",
        calibration=calibrate(dataset, shape),
    )


def _check_syntax(header: _Header, source: str) -> None:
    advice = "export it uncompressed, or as RLE, JPEG or JPEG 2000"
    try:
        decoder = get_decoder(header.syntax)
    except NotImplementedError:
        name = header.syntax.name or "none"
        raise ImageError(
            f"{source}: its transfer syntax ({name}) cannot be decoded: "
            f"encrypted, video, private or missing; {advice}"
        ) from None
    if not decoder.is_available:
        raise ImageError(
            f"{source}: no decoder for {header.syntax.name} is installed: "
            f"pip install python-gdcm, or {advice}"
        )


def _check_photometric(header: _Header, source: str) -> None:
    tag = header.photometric
    wanted = SAMPLES.get(tag)
    if wanted is None:
        raise ImageError(
            f"{source}: Photometric Interpretation is {tag or 'absent'}; it must be "
            + ", ".join(SAMPLES)
        )
    if wanted != header.samples:
        raise ImageError(
            f"{source}: Photometric Interpretation {tag} has {wanted} samples per pixel, but "
            f"Samples per Pixel is {header.samples}: one of the two tags is wrong"
        )
    if tag in ("YBR_RCT", "YBR_ICT") and header.syntax not in JPEG2000TransferSyntaxes:
        raise ImageError(
            f"{source}: Photometric Interpretation {tag} exists in JPEG 2000 only, but the "
            f"transfer syntax is {header.syntax.name}: one of the two tags is wrong"
        )


def _check_native(file: BinaryIO, length: int, header: _Header, source: str) -> None:
    """Compare the length of uncompressed pixels with what the tags say."""
    start = file.tell()
    there = min(length, file.seek(0, 2) - start)
    announced = header.frame_bytes * header.frames
    tags = "Rows, Columns, Samples per Pixel, Bits Allocated and Number of Frames"
    if there < announced:
        raise ImageError(
            f"{source}: the pixel data are truncated: {there} bytes of the {announced} that "
            f"{tags} announce; copy or export it again"
        )
    # some vendors pad, but not by half a frame; YBR_FULL_422 that is not has half a frame more
    if there - announced >= header.frame_bytes // 2:
        raise ImageError(
            f"{source}: {there} bytes of pixel data, but {tags} announce {announced}: one of "
            "these tags, or Photometric Interpretation, is wrong"
        )


def _check_fragments(file: BinaryIO, source: str) -> None:
    """Walk over the fragments of compressed pixels to see that the last one is whole.

    pydicom passes on a shortened fragment, and decoders fill what is missing with grey.
    """
    start = file.tell()
    size = file.seek(0, 2)
    file.seek(start)
    while len(head := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        if group << 16 | element != _ITEM:
            break
        file.seek(length, 1)
    at_end = len(head) == 8 and group << 16 | element == _END
    # the delimiter at the very end is missing in some files, and nothing is lost with it
    if not at_end and file.tell() != size:
        raise ImageError(f"{source}: the pixel data are truncated; copy or export it again")


def _check_pixels(file: BinaryIO, header: _Header, source: str) -> None:
    """Check the pixel data, at whose tag the file is positioned, without reading them."""
    order = "<" if header.syntax.is_little_endian else ">"
    head = file.read(8)
    if len(head) < 8:
        raise ImageError(f"{source}: the DICOM file holds no pixels (no Pixel Data)")
    group, element, length = struct.unpack(f"{order}HHL", head)
    if group << 16 | element != _PIXEL_DATA:
        raise ImageError(f"{source}: the DICOM file holds no integer pixels (no Pixel Data)")
    if not header.implicit:  # the two letters of its VR and two zeros came first
        (length,) = struct.unpack(f"{order}L", file.read(4))
    if header.syntax.is_encapsulated:
        _check_fragments(file, source)
    elif length != _UNDEFINED:
        _check_native(file, length, header, source)


def _open(path: Path, source: str) -> _Header:
    """Read everything but the pixels, and refuse what cannot be decoded faithfully."""
    with _refused(source, "the DICOM file is damaged"), path.open("rb") as file:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        header = _header(dataset, source)
        _check_syntax(header, source)
        _check_photometric(header, source)
        if header.pixels_in_place:
            _check_pixels(file, header, source)
    return header


def _frames(path: Path, header: _Header, source: str) -> Iterator[NDArray[Any]]:
    """Yield (H, W) or RGB (H, W, 3) pixels, one frame in memory at a time."""
    with _refused(source, "the DICOM file is damaged"):
        frames = iter_pixels(path if header.pixels_in_place else pydicom.dcmread(path))
    found = 0
    while True:
        with _refused(source, f"frame {found + 1} cannot be decoded"):
            pixels = next(frames, None)
            if pixels is None:
                break
            if header.photometric == "PALETTE COLOR":
                pixels = apply_color_lut(pixels, header.dataset)
        found += 1
        yield pixels
    if found < header.frames:
        raise ImageError(
            f"{source}: {found} of the {header.frames} frames that Number of Frames announces "
            "are there; copy or export it again"
        )


def read(path: Path) -> Iterator[Image]:
    """Yield the frames one after another, each with the calibration that they share.

    Of several frames, one that is empty is passed on, so that it does not hide those after it.

    Raises:
        ImageError: not DICOM, no pixels, tags that contradict each other, truncated, a transfer
            syntax that cannot be decoded, or nothing in it to measure.
    """
    source = str(path)
    header = _open(path, source)
    for number, pixels in enumerate(_frames(path, header, source), start=1):
        grey = to_grey(pixels)
        if header.photometric == "MONOCHROME1":  # its lowest value is white
            grey = 255 - grey
        if header.frames == 1:
            refuse_blank(grey, source)
        if not header.ultrasound:
            refuse_photograph(pixels, source)
        yield Image(
            grey,
            source,
            number,
            regions=header.calibration.regions,
            spacing_problem=header.calibration.problem,
        )
