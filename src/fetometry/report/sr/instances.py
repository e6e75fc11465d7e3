"""Which DICOM instance each finding was measured in, so that it can be referred to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydicom.uid import UID

from fetometry.report.dicom_out import Sources, Task
from fetometry.report.sr.identity import (
    Header,
    identity_of,
    moment_of,
    no_identity,
    picked,
    uid_of,
    valid_uid,
)
from fetometry.types import PLANES, Finding

#: Where a finding is: its source and its frame.
Place = tuple[str, int]

#: What an instance is found again by.
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


#: Last digits of a UID that tell regions apart for a person.
DIGITS = 8


@dataclass(frozen=True)
class Instance:
    """One image of a DICOM file.

    `evidence` is its identity with its UIDs; `frame` counts from 1, and is None where the
    instance has only one. `shape` is (rows, cols), `moment` its date and time.
    """

    evidence: Header
    frame: int | None
    shape: tuple[int, int]
    moment: tuple[str, str]

    @property
    def sop_class(self) -> str:
        """The SOP Class UID."""
        return str(self.evidence.SOPClassUID)

    @property
    def uid(self) -> str:
        """The SOP Instance UID."""
        return str(self.evidence.SOPInstanceUID)


def can_be_referred_to(header: Header | None) -> bool:
    """Tell whether a header says all that others need to find the instance again."""
    if header is None or not header.get("Rows") or not header.get("Columns"):
        return False
    return all(valid_uid(header.get(keyword)) for keyword in UIDS)


def instance_of(header: Header, frame: int) -> Instance:
    """Return a frame of an instance that can be referred to."""
    evidence = identity_of(header)
    evidence.update(picked(header, UIDS))
    several = int(header.get("NumberOfFrames") or 1) > 1
    several = several or "Multi-frame" in UID(str(header.SOPClassUID)).name
    shape = int(header.Rows), int(header.Columns)
    return Instance(evidence, frame if several else None, shape, moment_of(header))


def exam_identity(task: Task) -> Header:
    """Return whose exam it is: what the DICOM file of the lowest UID says, else a study of its own.

    A DICOM file that names no study has one that its patient and its pictures give. In whatever
    order the files came, it is the same one.
    """
    known = {
        finding.source: _origin(task.sources, finding.source) for finding in task.exam.findings
    }
    headers = [source for source in known if source in task.sources.headers]
    origins = sorted(origin for _, origin in known.values())
    if headers:
        made = identity_of(task.sources.headers[min(headers, key=known.__getitem__)])
    else:
        made = no_identity("\0".join(origins))
    if not valid_uid(made.get("StudyInstanceUID")):
        made.StudyInstanceUID = uid_of("study", str(made.PatientID), *origins)
    return made


def in_order(task: Task) -> Task:
    """Return a task whose findings are in an order that the way they came has no part in.

    It is that of the planes, then of the UIDs of the instances; a picture without one comes after,
    by its digest. So a study is one report, whoever sent its images, and in whatever order.
    """

    def key(finding: Finding) -> tuple[object, ...]:
        sizes = tuple(measurement.value for measurement in finding.measurements)
        origin = _origin(task.sources, finding.source)
        return PLANES.index(finding.plane), origin, finding.frame, finding.fetus, sizes

    return replace(
        task, exam=replace(task.exam, findings=tuple(sorted(task.exam.findings, key=key)))
    )


def _origin(sources: Sources, source: str) -> tuple[bool, str]:
    """Return what a source is wherever it lies: its SOP Instance UID, else its digest."""
    header = sources.headers.get(source)
    uid = str(header.get("SOPInstanceUID") or "") if header is not None else ""
    return (False, uid) if valid_uid(uid) else (True, sources.digests.get(source, ""))


def latest(instances: Iterable[Instance]) -> tuple[str, str]:
    """Return the date and the time of the last image: those of what is made of all of them."""
    return max(instance.moment for instance in instances)


def tracking(finding: Finding, instance: Instance, name: str = "") -> tuple[str, str]:
    """Return the tracking UID and the tracking identifier of a finding, the same in every file.

    `name` is the measurement whose line it is; without one it is the whole area. They are those
    of the place: whatever model measures a plane on a frame, they stay.
    """
    uid = uid_of("region", instance.uid, str(instance.frame), finding.plane, name)
    return uid, f"{name or finding.plane} {uid[-DIGITS:]}"
