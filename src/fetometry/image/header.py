"""The header of a DICOM file, for what is written about it; its pixels are left in the file."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.charset import convert_encodings
from pydicom.errors import InvalidDicomError

from fetometry.image import dicom, quiet
from fetometry.image.character_sets import character_sets


def read_header(path: Path) -> pydicom.Dataset | None:
    """Return all that a DICOM file says besides its pixels, its text decoded.

    None of another format, and of a file that is damaged.
    """
    try:
        if not dicom.has_magic(path):
            return None
        with quiet.pydicom:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            _spell(header)
            for tag in list(header.keys()):
                _decode(header, tag)
            return header
    except (InvalidDicomError, *dicom.PYDICOM_RAISES):
        return None  # reading it will say why


def _spell(header: pydicom.Dataset) -> None:
    """Call the character set what it is, before any text is decoded."""
    terms = list(character_sets(header.get("SpecificCharacterSet")))
    header.SpecificCharacterSet = terms
    implicit, little = header.original_encoding
    header.set_original_encoding(implicit, little, convert_encodings(terms))


def _decode(header: pydicom.Dataset, tag: pydicom.tag.BaseTag) -> None:
    """Decode an element while pydicom is quiet, and drop one that cannot be."""
    try:
        for item in header[tag].value if header[tag].VR == "SQ" else ():
            for inner in list(item.keys()):
                _decode(item, inner)
    except dicom.PYDICOM_RAISES:
        del header[tag]
