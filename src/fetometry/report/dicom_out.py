"""Which outputs are DICOM files, and what writes each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError, OutputError
from fetometry.report.history import History
from fetometry.report.names import exam_paths
from fetometry.types import Exam, Finding, Problem

if TYPE_CHECKING:
    from fetometry.report.sr.identity import Header

#: The kinds of output that are DICOM files.
SR, SC, SEG, SR1500 = "sr", "sc", "seg", "sr1500"
DICOM = (SR, SC, SEG, SR1500)

#: The folder of those of one picture each, and the stem of those of one exam.
FOLDER, STEM = "dicom", "report"

#: A problem that is no failure: an output that a source does not allow.
SKIPPED = "skipped"

#: Reads the pixels (H, W) of findings again, one at a time, without patients' names.
Pictures = Callable[[Sequence[Finding]], Iterator[tuple[Finding, NDArray[np.uint8]]]]


@dataclass(frozen=True)
class Days:
    """What an exam's ages were counted from: LMP, agreed due date, the day of the exam."""

    lmp: date | None = None
    due: date | None = None
    exam: date | None = None


@dataclass(frozen=True)
class Sources:
    """What DICOM files are made of besides the exam.

    `headers` has, by source, the header of each that is a DICOM file, `digests` the SHA-256 of
    each file that is none, or that does not say its own UIDs; `places` where the files of a
    source go, below a folder, without frame and suffix. `days` has, by the name of an exam, what
    its ages were counted from.
    """

    headers: Mapping[str, Header]
    digests: Mapping[str, str]
    places: Mapping[str, Path]
    pictures: Pictures
    days: Mapping[str, Days] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One exam to write, with the folder and the name of the file that is the exam's own.

    `report` is without suffix: that of the report is `report.sr.dcm`. `history` has the earlier
    exams by fetus, where its growth charts are captured, too.
    """

    exam: Exam
    sources: Sources
    folder: Path
    report: Path
    history: Mapping[str, History] = field(default_factory=dict)

    @property
    def days(self) -> Days:
        """What the exam's ages were counted from."""
        return self.sources.days.get(self.exam.name, Days())

    def exam_file(self, kind: str) -> Path:
        """Return where a file of the whole exam goes."""
        return self.report.with_name(f"{self.report.name}.{kind}.dcm")

    def picture_file(self, finding: Finding, kind: str) -> Path:
        """Return where a file of one picture goes."""
        place = self.sources.places[finding.source]
        name = f"{place.name}_f{finding.frame}.{kind}.dcm"
        return self.folder / FOLDER / place.parent / name

    def chart_file(self, number: int, kind: str) -> Path:
        """Return where a growth chart of the exam goes."""
        return self.folder / FOLDER / f"{self.report.name}_chart{number}.{kind}.dcm"


@dataclass(frozen=True)
class Done:
    """What was written, and what was left out with its reason."""

    paths: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()


def _writers() -> dict[str, Callable[[Task], Done]]:
    # highdicom takes half a second to load: only where it is needed
    from fetometry.report import capture, seg, sr1500
    from fetometry.report.sr import write

    return {
        SC: capture.write_captures,
        SR: write.write_report,
        SEG: seg.write_segmentations,
        SR1500: sr1500.write_measurements,
    }


def write_dicom(
    exams: Sequence[Exam],
    sources: Sources,
    folder: Path,
    kinds: Collection[str],
    histories: Sequence[Mapping[str, History]] = (),
) -> tuple[list[Exam], list[Path]]:
    """Write the kinds of `DICOM` that are asked for; return the exams, and the files.

    An exam of which one could not be written has a problem more. `histories` are the earlier
    exams of each by fetus: with them, captures hold the growth charts, too.
    """
    if not set(kinds) & set(DICOM):
        return list(exams), []
    wanted = [writer for kind, writer in _writers().items() if kind in kinds]
    told: list[Exam] = []
    written: list[Path] = []
    past = histories or [{}] * len(exams)
    for exam, report, history in zip(exams, _reports(exams, folder), past, strict=True):
        task, problems = Task(exam, sources, folder, report, history), list(exam.problems)
        for writer in wanted:
            try:
                done = writer(task)
            except (ImageError, OutputError) as error:  # the numbers are good
                done = Done(problems=(Problem(str(report), None, str(error)),))
            written += done.paths
            problems += done.problems
        told.append(replace(exam, problems=tuple(problems)))
    return told, list(dict.fromkeys(written))  # captured sources belong to several kinds


def _reports(exams: Sequence[Exam], folder: Path) -> list[Path]:
    return [folder / STEM] if len(exams) == 1 else exam_paths(exams, folder, "")
