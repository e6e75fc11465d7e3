"""A structured report's file → its dataset and its content tree."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pydicom
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from fetometry.structured.items import Item, content_items, text_of
from fetometry.structured.nouns import ReportError

T = TypeVar("T")

#: Storage SOP classes that hold a content tree, by the part of their UID that tells them apart.
SR_CLASSES = {
    "11": "Basic Text SR",
    "22": "Enhanced SR",
    "33": "Comprehensive SR",
    "34": "Comprehensive 3D SR",
    "35": "Extensible SR",
}
_SR_ROOT = "1.2.840.10008.5.1.4.1.1.88."

#: What pydicom was seen to raise on files that are damaged or break the standard.
_PYDICOM_RAISES = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def class_name(dataset: Dataset) -> str:
    """Return the name of the SR storage class, or its UID where it is none that we know."""
    uid = text_of(dataset, "SOPClassUID")
    return SR_CLASSES.get(uid.removeprefix(_SR_ROOT), uid)


def read_tree(path: Path) -> tuple[Dataset, Item]:
    """Return a report's header and its content tree.

    Raises:
        ReportError: it is not there, not DICOM, damaged, or no structured report.
    """
    dataset = guarded(lambda: _dataset(path), path)
    if text_of(dataset, "ValueType") != "CONTAINER":
        kind = text_of(dataset, "Modality") or "no modality"
        raise ReportError(
            f"{path}: no structured report, but {class_name(dataset) or 'no SOP class'} ({kind}); "
            "give a DICOM SR file, such as report.sr.dcm"
        )
    return dataset, guarded(lambda: content_items(dataset), path)


def guarded(work: Callable[[], T], path: Path) -> T:
    """Do a part of the reading, and say which file it is that cannot be read.

    Raises:
        ReportError: the file is not there, not DICOM, or damaged.
    """
    try:
        # pydicom warns of every departure from the standard; those that matter are remarks here
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except ReportError as error:
        raise ReportError(f"{path}: {error}") from None
    except InvalidDicomError:
        raise ReportError(f"{path}: not a DICOM file; give a DICOM SR file") from None
    except OSError as error:
        reason = error.strerror or "the file ends too soon"
        raise ReportError(f"{path}: cannot be read ({reason})") from None
    except _PYDICOM_RAISES as error:
        reason = str(error) or type(error).__name__
        raise ReportError(f"{path}: a damaged DICOM file ({reason})") from None


def _dataset(path: Path) -> Dataset:
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    dataset.decode()  # texts in the file's own character set, now rather than one by one
    return dataset
