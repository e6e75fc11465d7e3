"""Whose study it is: the identity in a DICOM header, copied exactly and made sound.

Text is copied as the letters that it says, whatever character set the source has, and written as
UTF-8: one character set that holds every name beside our own words.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from uuid import UUID

import pydicom
from pydicom.dataelem import DataElement
from pydicom.tag import BaseTag

#: What a source file says besides its pixels.
Header = pydicom.Dataset

#: What makes the files.
MAKER = "fetometry"

#: Specific Character Set of all that is written.
UTF8 = "ISO_IR 192"

#: Patient and Patient Study, General Study and SOP Common: what says whose and which study it is.
IDENTITY = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence"),
    *("TypeOfPatientID", "PatientBirthDate", "PatientBirthTime", "PatientSex", "OtherPatientIDs"),
    *("OtherPatientIDsSequence", "OtherPatientNames", "PatientBirthName", "EthnicGroup"),
    *("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"),
    *("PatientAge", "PatientSize", "PatientWeight", "AdmissionID", "IssuerOfAdmissionIDSequence"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription"),
    *("AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName"),
    *("ReferringPhysicianIdentificationSequence", "PhysiciansOfRecord", "ProcedureCodeSequence"),
    *("ReferencedStudySequence", "TimezoneOffsetFromUTC"),
)

#: What is there even where nothing is known.
ALWAYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName"),
)

SEXES = ("M", "F", "O", "")

#: A UID: numbers without leading zeros, parted by dots (DICOM PS3.5 9.1).
LONGEST_UID, _UID = 64, re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")

#: What pydicom was seen to raise on an element of a damaged file.
_UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError),
    struct.error,
)

#: When it was, the most exact first: pairs of a date and a time.
MOMENTS = (
    *(("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime")),
    *(("SeriesDate", "SeriesTime"), ("StudyDate", "StudyTime")),
)

#: Stands for a date that nobody said: a report must have one, and the day of writing would make
#: the same exam another file each day.
UNKNOWN_MOMENT = ("19000101", "000000")


def decoded(header: Header) -> Header:
    """Return a copy whose text is letters, whatever the character set was called, marked as UTF-8.

    An element that cannot be read, of a damaged file, is left out.
    """
    known = pydicom.Dataset()
    for tag in header.keys():  # noqa: SIM118 - a dataset's own iterator converts each element
        element = _readable(header, tag)
        if element is not None:
            known.add(element)
    known.SpecificCharacterSet = UTF8
    return known


def _readable(header: Header, tag: BaseTag | str) -> DataElement | None:
    try:
        element: DataElement = deepcopy(header[tag])
    except _UNREADABLE:
        return None
    if element.VR == "SQ":
        element.value = pydicom.Sequence([_item(item) for item in element.value])
    return element


def _item(item: Header) -> Header:
    inner = decoded(item)
    del inner.SpecificCharacterSet
    return inner


def sound(header: Header) -> Header:
    """Return a decoded header that other software can refer to and copy from.

    What the standard wants of every instance is there, if only empty; dates, times and a sex that
    are none are empty.
    """
    made = decoded(header)
    for keyword in ALWAYS:
        if made.get(keyword) is None:
            setattr(made, keyword, "")
    if str(made.PatientSex).strip() not in SEXES:
        made.PatientSex = ""
    for keyword in ("PatientBirthDate", "StudyDate"):
        setattr(made, keyword, _date(made.get(keyword)))
    made.StudyTime = _time(made.get("StudyTime"))
    return made


def picked(header: Header, keywords: Iterable[str]) -> Header:
    """Return some elements of a header, as they are."""
    made = pydicom.Dataset()
    for keyword in keywords:
        element = _readable(header, keyword) if keyword in header else None
        if element is not None:
            made.add(element)
    return made


def identity_of(header: Header) -> Header:
    """Return the patient and the study of a header, and nothing else."""
    return sound(picked(header, IDENTITY))


def no_identity(key: str) -> Header:
    """Return the identity of pictures that say nothing: an empty patient, a study named by `key`.

    The standard wants a study; the same pictures are the same one.
    """
    made = sound(pydicom.Dataset())
    made.StudyInstanceUID = uid_of("study", key)
    return made


def moment_of(header: Header) -> tuple[str, str]:
    """Return the date and the time of an image, or `UNKNOWN_MOMENT`."""
    said = picked(header, [keyword for pair in MOMENTS for keyword in pair])
    for day, hour in MOMENTS:
        date = _date(said.get(day))
        if date:
            return date, _time(said.get(hour)) or UNKNOWN_MOMENT[1]
    return UNKNOWN_MOMENT


def _date(value: object) -> str:
    digits = str(value or "").strip().replace(".", "").replace("-", "")
    try:
        return datetime.strptime(digits, "%Y%m%d").strftime("%Y%m%d") if len(digits) == 8 else ""
    except ValueError:
        return ""


def _time(value: object) -> str:
    text = str(value or "").strip().replace(":", "")
    if not re.fullmatch(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", text):
        return ""
    return text


def uid_of(*parts: str) -> str:
    """Return a UID that the same words always give.

    References:
        DICOM PS3.5 B.2, UUID derived UIDs: 2.25 and a number of 128 bits.
    """
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"


def valid_uid(value: object) -> bool:
    """Tell whether a value is a UID as the standard wants one."""
    text = str(value or "")
    return len(text) <= LONGEST_UID and _UID.fullmatch(text) is not None
