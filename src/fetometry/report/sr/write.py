"""The report of an exam as a file: a Comprehensive SR that is the same for the same exam."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import pydicom
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import ComprehensiveSR
from pydicom.errors import InvalidDicomError
from pydicom.uid import ComprehensiveSRStorage

from fetometry.report.capture import (
    LONG_STRING,
    NUMBERS,
    add_file_meta,
    digest_of,
    evidence_of,
    referred_to,
    series_uid,
)
from fetometry.report.dicom_out import SR, Days, Done, Task
from fetometry.report.sr.codes import LIBRARY, OWN_SCHEME, OWN_SCHEME_NAME
from fetometry.report.sr.identity import MAKER, UNKNOWN_MOMENT, UTF8, Header, uid_of
from fetometry.report.sr.instances import Instance, Place, exam_identity, in_order, latest
from fetometry.report.sr.items import without_names
from fetometry.report.sr.left import pixels_left, volumes_left
from fetometry.report.sr.tree import fetuses_of, root_of
from fetometry.report.sr.values import repeats_of
from fetometry.report.write import atomic
from fetometry.types import Exam

#: Stands for the UID while the content is hashed that the UID is made of.
NO_UID = "2.25.0"

#: What pydicom was seen to raise on a file that is damaged or breaks the standard.
_DAMAGED = (InvalidDicomError, ArithmeticError, AttributeError, LookupError, OSError, ValueError)


def write_report(task: Task) -> Done:
    """Write the report of an exam in which something was measured in mm.

    What is not in it, femurs of volumes and sizes in pixels, is a problem that is no failure.

    The same exam gives the same bytes, in whatever order its images came. Other content is a new
    instance, which names the report of the same study that was in its place as its predecessor.

    Raises:
        ImageError: a source cannot be read any more.
        OutputError: a file cannot be written.
    """
    left = (*volumes_left(task.exam), *pixels_left(task.exam))
    task = in_order(task)
    if not fetuses_of(task.exam):
        return Done(problems=left)
    instances, written = referred_to(task, repeats_of(task.exam))
    identity = exam_identity(task)
    content = root_of(task.exam, instances, identity, task.days)
    made = document(SR, content, task.exam, identity, instances, days=task.days)
    for item in made.ContentSequence:
        if item.ValueType == "CONTAINER" and item.name.value == LIBRARY.value:
            without_names(item)
    return Done((*written, save_document(made, task.exam_file(SR))), left)


def document(
    kind: str,
    content: pydicom.Dataset,
    exam: Exam,
    identity: Header,
    instances: Mapping[Place, Instance],
    *,
    days: Days | None = None,
) -> pydicom.Dataset:
    """Return a document of an exam, without the UID that its content will give it.

    `instances` has the instance of each finding that it tells of; `days` the day of the exam,
    which is that of the document where no image says one.
    """
    study = identity.StudyInstanceUID
    evidence = evidence_of(instances.values())
    evidence.sort(key=lambda one: one.StudyInstanceUID != study)  # that of the report comes first
    moment = _moment(instances, days)
    made = ComprehensiveSR(
        evidence=evidence,
        content=content,
        series_instance_uid=series_uid(identity, kind),
        series_number=NUMBERS[kind],
        sop_instance_uid=NO_UID,
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        specific_character_set=UTF8,
        coding_schemes=[CodingSchemeIdentificationItem(OWN_SCHEME, OWN_SCHEME_NAME)],
        content_date=moment[0],
        content_time=moment[1],
    )
    made.update(identity)
    made.SeriesDescription = f"{MAKER} report, research use only"
    made.ManufacturerModelName = MAKER
    made.SoftwareVersions = exam.software[:LONG_STRING]
    without_clock(made)
    return made


def _moment(instances: Mapping[Place, Instance], days: Days | None) -> tuple[str, str]:
    """Return the date and the time of the last image, else the day of the exam that was given."""
    moment = latest(instances.values())
    if moment != UNKNOWN_MOMENT or days is None or days.exam is None:
        return moment
    return f"{days.exam:%Y%m%d}", UNKNOWN_MOMENT[1]


def without_clock(made: pydicom.Dataset) -> None:
    """Take out when highdicom made a dataset: the same exam would be another file each time."""
    del made.InstanceCreationDate, made.InstanceCreationTime
    for item in made.get("ContributingEquipmentSequence", ()):
        del item.ContributionDateTime


def save_document(made: pydicom.Dataset, target: Path) -> Path:
    """Write a document with its UID, as the successor of the one that is there; return where.

    Raises:
        OutputError: the file cannot be written.
    """
    _number(made, _earlier(target, made))
    with atomic(target) as file:
        made.save_as(file, enforce_file_format=True)
    return target


def _earlier(path: Path, made: pydicom.Dataset) -> Header | None:
    """Return the report of the same study that an earlier run left there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pydicom.dcmread(path)
            ours = found.Manufacturer == MAKER and found.SOPClassUID == ComprehensiveSRStorage
            return found if ours and found.StudyInstanceUID == made.StudyInstanceUID else None
    except _DAMAGED:
        return None


def _number(made: pydicom.Dataset, earlier: Header | None) -> None:
    """Give a report its UID and its number, and name the one that it replaces."""
    digest = digest_of(made)
    if earlier is not None and earlier.SOPInstanceUID == _uid(digest, _replaced(earlier)):
        # the same content again: the same instance, with the same predecessor
        before, number = _replaced(earlier), int(earlier.InstanceNumber)
    elif earlier is not None:
        before, number = _reference(earlier), int(earlier.InstanceNumber) + 1
    else:
        before, number = None, 1
    made.SOPInstanceUID = _uid(digest, before)
    made.InstanceNumber = number
    if before is not None:
        made.PredecessorDocumentsSequence = pydicom.Sequence([before])
    add_file_meta(made)


def _uid(digest: str, before: pydicom.Dataset | None) -> str:
    """Return the UID of a report: an instance that names another predecessor is another one."""
    return uid_of("report", digest, _uid_in(before) if before is not None else "")


def _uid_in(reference: pydicom.Dataset) -> str:
    series = reference.ReferencedSeriesSequence[0]
    return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _replaced(report: Header) -> pydicom.Dataset | None:
    """Return the reference to the report that a report replaced."""
    items = report.get("PredecessorDocumentsSequence")
    return items[0] if items else None


def _reference(report: Header) -> pydicom.Dataset:
    """Return a reference to a report."""
    instance, series, study = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    instance.ReferencedSOPClassUID = report.SOPClassUID
    instance.ReferencedSOPInstanceUID = report.SOPInstanceUID
    series.ReferencedSOPSequence = pydicom.Sequence([instance])
    series.SeriesInstanceUID = report.SeriesInstanceUID
    study.ReferencedSeriesSequence = pydicom.Sequence([series])
    study.StudyInstanceUID = report.StudyInstanceUID
    return study
