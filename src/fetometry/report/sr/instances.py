"""Which DICOM instance each finding was measured in, so that it can be referred to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.uid import UID

from fetometry.report.dicom_out import Task
from fetometry.report.sr.identity import (
    Header,
    identity_of,
    moment_of,
    no_identity,
    picked,
    uid_of,
    valid_uid,
)
from fetometry.types import Finding

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
    """Return whose exam it is: what its first DICOM file says, else a study of its own.

    A DICOM file that names no study has one that its patient and its pictures give.
    """
    sources = list(dict.fromkeys(finding.source for finding in task.exam.findings))
    headers = [task.sources.headers[source] for source in sources if source in task.sources.headers]
    digests = sorted(task.sources.digests.get(source, source) for source in sources)
    made = identity_of(headers[0]) if headers else no_identity("\0".join(digests))
    if not valid_uid(made.get("StudyInstanceUID")):
        made.StudyInstanceUID = uid_of("study", str(made.PatientID), *digests)
    return made


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
