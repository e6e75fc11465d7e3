"""The header of a DICOM file, for what is written about it; its pixels are left in the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pydicom
from pydicom.charset import convert_encodings
from pydicom.errors import InvalidDicomError

from fetometry.errors import ImageError
from fetometry.image import dicom, inflating, quiet
from fetometry.image.character_sets import character_sets


def read_header(path: Path) -> pydicom.Dataset | None:
    """Return all that a DICOM file says besides its pixels, its text decoded.

    None of another format, and of a file that is damaged.
    """
    try:
        if not dicom.has_magic(path):
            return None
        with quiet.pydicom:
            header = inflating.read(path, stop_before_pixels=True)
            _spell(header)
            for tag in list(header.keys()):
                _decode(header, tag)
            return header
    except (ImageError, InvalidDicomError, *dicom.PYDICOM_RAISES):
        return None  # reading it will say why


def origin_of(path: Path) -> tuple[bool, str]:
    """Return what a file is wherever it lies: its SOP Instance UID, else its SHA-256.

    DICOM files come before others; a file that cannot be read comes last.
    """
    try:
        if dicom.has_magic(path):
            with quiet.pydicom:
                found = inflating.read(
                    path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"]
                )
                uid = str(found.get("SOPInstanceUID") or "").strip()
            if uid:
                return False, uid
        return True, hashlib.sha256(path.read_bytes()).hexdigest()
    except (ImageError, InvalidDicomError, *dicom.PYDICOM_RAISES):
        return True, "~"  # after all digests


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
