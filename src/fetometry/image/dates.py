"""The two dates of a DICOM header that growth counts from; nothing else is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from fetometry.errors import ImageError
from fetometry.image import dicom, inflating, quiet

#: Where the date of the exam is said; the first that is a date counts.
_EXAM = ("StudyDate", "AcquisitionDate", "ContentDate")

#: (0010,21D0), of the Patient Study Module.
_LMP = "LastMenstrualDate"

#: The form of a date in DICOM, and that of the standard's predecessor.
_FORMS = ("%Y%m%d", "%Y.%m.%d")


@dataclass(frozen=True)
class HeaderDates:
    """When the exam was, and the first day of the last menstrual period; None where not said."""

    exam: date | None = None
    lmp: date | None = None


def read_dates(path: Path) -> HeaderDates:
    """Return the dates that a DICOM header says; none of another format or a damaged file.

    References:
        DICOM PS3.3 C.7.2.1 General Study Module; C.7.2.2 Patient Study Module.
    """
    try:
        if not dicom.has_magic(path):
            return HeaderDates()
        with quiet.pydicom:
            tags = [*_EXAM, _LMP]
            header = inflating.read(path, stop_before_pixels=True, specific_tags=tags)
            exam, lmp = (_first(header, keywords) for keywords in (_EXAM, (_LMP,)))
    except (ImageError, InvalidDicomError, *dicom.PYDICOM_RAISES):
        return HeaderDates()  # reading it will say why
    return HeaderDates(exam, lmp)


def _first(header: pydicom.Dataset, keywords: tuple[str, ...]) -> date | None:
    days = (_day(str(header.get(keyword) or "").strip()) for keyword in keywords)
    return next((day for day in days if day is not None), None)


def _day(text: str) -> date | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None
