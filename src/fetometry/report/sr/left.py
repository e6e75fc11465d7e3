"""What was measured and is in no report, so that nobody looks for it in vain."""

from __future__ import annotations

from fetometry.report.dicom_out import SKIPPED
from fetometry.report.sr.codes import MEASUREMENTS
from fetometry.types import FOUR_WAYS, Exam, Finding, Problem

_VOLUME = "a femur measured in a volume is not in the report, which has the sizes of images"
_PIXELS = f"the report has sizes in mm, and the size of a pixel is not known; {FOUR_WAYS}"


def volumes_left(exam: Exam) -> list[Problem]:
    """Return a problem for each volume: the report refers to images."""
    return [Problem(v.source, None, _VOLUME, SKIPPED, exam.name) for v in exam.volumes]


def pixels_left(exam: Exam) -> list[Problem]:
    """Return a problem for each file that was measured in pixels alone."""
    told = {finding.source for finding in exam.findings if _measured(finding, "mm")}
    lost = dict.fromkeys(f.source for f in exam.findings if _measured(f, "px"))
    return [
        Problem(source, None, _PIXELS, SKIPPED, exam.name) for source in lost if source not in told
    ]


def _measured(finding: Finding, unit: str) -> bool:
    return any(m.unit == unit and m.name in MEASUREMENTS for m in finding.measurements)
