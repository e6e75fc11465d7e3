"""DICOM files that are small as they come and large as they are read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import DeflatedExplicitVRLittleEndian

from fetometry.errors import ImageError

#: What a deflated DICOM file may hold. Reading even its header inflates all of it.
MOST_BYTES = 512 * 2**20

#: Bytes that are inflated at once.
PIECE_BYTES = 2**20

#: What pydicom was seen to raise on files that are damaged or break the standard.
PYDICOM_RAISES = (
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


def read(path: Path, **options: Any) -> Dataset:
    """Return `pydicom.dcmread` of a file with its options, unless that inflates to too much.

    Raises:
        ImageError: it is deflated, and holds more than `MOST_BYTES`.
    """
    refuse_bomb(path)
    return pydicom.dcmread(path, **options)


def refuse_bomb(path: Path) -> None:
    """Refuse a deflated DICOM file that holds too much.

    Raises:
        ImageError: it holds more than `MOST_BYTES`.
        OSError: it cannot be read.
    """
    if is_bomb(path):
        raise ImageError(
            f"{path}: the file is deflated and holds more than {MOST_BYTES // 2**20} MB, far more "
            "than it is long; export it uncompressed"
        )


def is_bomb(path: Path) -> bool:
    """Tell whether a DICOM file is deflated and holds more than is read.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            read_preamble(file, force=False)
            meta = read_dataset(file, False, True, stop_when=lambda tag, _, __: tag.group != 2)
            deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
        except (InvalidDicomError, *PYDICOM_RAISES):
            return False  # reading it will say why, and inflates nothing
        return deflated and _holds_more(file, MOST_BYTES)


def _holds_more(file: BinaryIO, most: int) -> bool:
    inflate, held = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while held <= most and not inflate.eof:
            piece = inflate.unconsumed_tail or file.read(PIECE_BYTES)
            if not piece:
                break
            held += len(inflate.decompress(piece, PIECE_BYTES))
    except zlib.error:
        return False
    return held > most
