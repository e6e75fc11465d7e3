"""DICOM → Image: ultrasound and other classes with pixels, one frame or many."""

from __future__ import annotations

import hashlib
import struct
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    RLELossless,
)

from fetometry.errors import ImageError
from fetometry.image import inflating, quiet
from fetometry.image.calibration import Calibration, calibrate
from fetometry.image.codestream import Codestream, describe
from fetometry.image.grey import check_size, refuse_blank, refuse_photograph, to_grey
from fetometry.image.inflating import PYDICOM_RAISES as PYDICOM_RAISES
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

#: Who the patient is, by the standard, and the length of the pseudonym made of it.
_PATIENT, _STUDY, _KEY_DIGITS = ("PatientID", "IssuerOfPatientID"), "StudyInstanceUID", 12

_MAGIC_AT, _MAGIC = 128, b"DICM"
_PIXEL_DATA, _ITEM, _END = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

#: Room for what may come before the size in a JPEG frame, a colour profile above all.
_FRAME_HEADER_BYTES = 1 << 17


def has_magic(path: Path) -> bool:
    """Tell whether the file begins as the DICOM File Format does."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def _exam(dataset: Dataset, path: Path) -> str:
    """Return a pseudonym of one patient's study, the same for all of its files, or nothing.

    Where the study is not said, the folder stands in for it.
    """
    patient = [str(dataset.get(keyword) or "").strip() for keyword in _PATIENT]
    study = str(dataset.get(_STUDY) or "").strip()
    if not study and not patient[0]:
        return ""
    told = "\0".join((*patient, study or str(path.parent.resolve())))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]


def exam_key(path: Path) -> str:
    """Return the `Image.exam` of a file without its pixels; nothing where it cannot be read."""
    try:
        with quiet.pydicom:
            tags = [*_PATIENT, _STUDY]
            return _exam(inflating.read(path, stop_before_pixels=True, specific_tags=tags), path)
    except (ImageError, InvalidDicomError, *PYDICOM_RAISES):
        return ""  # reading it will say why


@contextmanager
def explained(source: str, what: str) -> Iterator[None]:
    """Run pydicom without its warnings, and turn what it raises into one line."""
    try:
        with quiet.pydicom:
            yield
    except InvalidDicomError:
        raise ImageError(f"{source}: not a DICOM file: it lacks the mark DICM") from None
    except PYDICOM_RAISES as error:
        reason = textwrap.shorten(str(error), 160) or type(error).__name__
        raise ImageError(f"{source}: {what}: {reason}") from error


@dataclass(frozen=True)
class Header:
    """The part of a dataset that its pixels are read by, decoded and checked for being there."""

    dataset: Dataset
    syntax: UID
    shape: tuple[int, int]
    frames: int
    samples: int
    bits: int
    photometric: str
    signed: bool
    palette: bool
    ultrasound: bool
    calibration: Calibration
    exam: str

    @property
    def frame_bytes(self) -> int:
        """Length of one frame that is not compressed."""
        # two pixels of YBR_FULL_422 share their two colours: 2 samples a pixel instead of 3
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return (self.shape[0] * self.shape[1] * samples * self.bits + 7) // 8


def _header(dataset: Dataset, source: str) -> Header:
    name = UID(str(dataset.get("SOPClassUID", ""))).name or "DICOM file"
    rows, cols = dataset.get("Rows"), dataset.get("Columns")
    if rows is None or cols is None:
        raise ImageError(f"{source}: the {name} holds no image (no Rows and Columns)")
    shape = int(rows), int(cols)
    check_size(shape, source)
    return Header(
        dataset=dataset,
        syntax=UID(str(dataset.file_meta.get("TransferSyntaxUID", ""))),
        shape=shape,
        frames=int(dataset.get("NumberOfFrames") or 1),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        bits=int(dataset.get("BitsAllocated") or 0),
        photometric=str(dataset.get("PhotometricInterpretation") or ""),
        signed=dataset.get("PixelRepresentation") == 1,
        palette="RedPaletteColorLookupTableDescriptor" in dataset,
        ultrasound=dataset.get("Modality") == "US",
        calibration=calibrate(dataset, shape),
        exam=_exam(dataset, Path(source)),
    )


def _check_syntax(header: Header, source: str) -> None:
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
        raise ImageError(f"{source}: no installed decoder takes {header.syntax.name}; {advice}")


def _check_photometric(header: Header, source: str) -> None:
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
    if header.palette != (tag == "PALETTE COLOR"):
        there = "there is a palette" if header.palette else "there is no palette"
        raise ImageError(
            f"{source}: Photometric Interpretation is {tag}, but {there}: the tag is wrong"
        )
    if header.signed and header.bits <= 8:
        raise ImageError(
            f"{source}: Pixel Representation is signed, which 8-bit pixels never are: "
            "the tag is wrong"
        )
    if tag in ("YBR_RCT", "YBR_ICT") and header.syntax not in JPEG2000TransferSyntaxes:
        raise ImageError(
            f"{source}: Photometric Interpretation {tag} exists in JPEG 2000 only, but the "
            f"transfer syntax is {header.syntax.name}: one of the two tags is wrong"
        )


def _check_native(file: BinaryIO, length: int, header: Header, source: str) -> None:
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


def _fragments(file: BinaryIO, source: str) -> Iterator[bytes]:
    """Yield the first bytes of each fragment of compressed pixels, the offset table left out.

    Raises:
        ImageError: the last one is not whole. pydicom would pass it on, and decoders fill what is
            missing with grey.
    """
    start = file.tell()
    size = file.seek(0, 2)
    file.seek(start)
    first, kind = True, _ITEM
    while len(head := file.read(8)) == 8:
        group, element, length = struct.unpack("<HHL", head)
        kind, start = group << 16 | element, file.tell()
        if kind != _ITEM:
            break
        if not first:
            yield file.read(min(length, _FRAME_HEADER_BYTES))
        first = False
        file.seek(start + length)
    # the delimiter at the very end is missing in some files, and nothing is lost with it
    if kind != _END and file.tell() != size:
        raise ImageError(f"{source}: the pixel data are truncated; copy or export it again")


def _check_codestream(found: Codestream, header: Header, source: str) -> None:
    tagged = f"{header.shape[1]} x {header.shape[0]} pixels of {header.samples} samples"
    coded = f"{found.shape[1]} x {found.shape[0]} of {found.samples}"
    if found.shape != header.shape or found.samples != header.samples:
        raise ImageError(
            f"{source}: the tags announce {tagged}, but the compressed frame has {coded}: Rows, "
            "Columns, Samples per Pixel or Photometric Interpretation is wrong"
        )
    if found.bits > header.bits:
        raise ImageError(
            f"{source}: Bits Allocated is {header.bits}, but the compressed frame has "
            f"{found.bits} bits: the tag is wrong"
        )
    if found.to_rgb and header.photometric.startswith("YBR_FULL"):
        raise ImageError(
            f"{source}: Photometric Interpretation is {header.photometric}, but the compressed "
            "frame is YBR_RCT or YBR_ICT: the tag is wrong"
        )


def _check_fragments(file: BinaryIO, header: Header, source: str) -> None:
    """Compare the frames that are compressed as JPEG or JPEG 2000 with the tags."""
    jpeg2000 = header.syntax in JPEG2000TransferSyntaxes
    described = False
    for start in _fragments(file, source):
        if header.syntax == RLELossless:
            continue
        found = describe(start, jpeg2000=jpeg2000)
        if found is not None:
            _check_codestream(found, header, source)
        elif not described:
            raise ImageError(
                f"{source}: the transfer syntax is {header.syntax.name}, but the pixel data are "
                "not: encrypted, damaged or wrongly tagged; export it uncompressed"
            )
        described = True


def _check_pixels(file: BinaryIO, header: Header, source: str) -> bool:
    """Check the pixel data, at whose tag the file is positioned, without reading them.

    Tell whether they lie where the transfer syntax says: not so where all elements are deflated,
    or where some writer did not encode them as announced.
    """
    if header.syntax == DeflatedExplicitVRLittleEndian:
        return False
    order = "<" if header.syntax.is_little_endian else ">"
    head = file.read(8)
    if len(head) < 8:
        raise ImageError(f"{source}: the DICOM file holds no pixels (no Pixel Data)")
    group, element, length = struct.unpack(f"{order}HHL", head)
    if group << 16 | element != _PIXEL_DATA:
        raise ImageError(f"{source}: the DICOM file holds no integer pixels (no Pixel Data)")
    explicit = head[4:] in (b"OB\0\0", b"OW\0\0", b"UN\0\0")
    if explicit:
        (length,) = struct.unpack(f"{order}L", file.read(4))
    if header.syntax.is_encapsulated:
        _check_fragments(file, header, source)
    elif length != _UNDEFINED:
        _check_native(file, length, header, source)
    return explicit != header.syntax.is_implicit_VR


def open_checked(path: Path, source: str) -> tuple[Header, bool]:
    """Read everything but the pixels, and refuse what cannot be decoded faithfully.

    The second value tells whether the pixels can be read straight from the file.
    """
    with explained(source, "the DICOM file is damaged"), path.open("rb") as file:
        inflating.refuse_bomb(path)
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        header = _header(dataset, source)
        _check_syntax(header, source)
        _check_photometric(header, source)
        in_place = _check_pixels(file, header, source)
    return header, in_place


def _decoded(pixels: Path | Dataset, header: Header) -> Iterator[NDArray[Any]]:
    if header.syntax.is_encapsulated and header.syntax != RLELossless:
        # the codestream orders its samples itself, and decoders return them pixel by pixel
        return iter_pixels(pixels, planar_configuration=0)
    return iter_pixels(pixels)


def frames_of(path: Path, header: Header, in_place: bool) -> Iterator[NDArray[Any]]:
    """Yield (H, W) or RGB (H, W, 3) pixels, one frame in memory at a time where possible."""
    source = str(path)
    with explained(source, "the DICOM file is damaged"):
        frames = _decoded(path if in_place else pydicom.dcmread(path), header)
    found = 0
    while True:
        with explained(source, f"frame {found + 1} cannot be decoded"):
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
    header, in_place = open_checked(path, source)
    for number, pixels in enumerate(frames_of(path, header, in_place), start=1):
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
            # Burned In Annotation is often absent, or NO where a name can be read
            may_show_name=True,
            exam=header.exam,
        )
