"""The reports of exams: pictures read again, earlier exams put beside, one bad file stops none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry import report
from fetometry.errors import ImageError, OutputError, UsageError
from fetometry.pipeline.frames import NO_FILES, pictures_of
from fetometry.pipeline.previous import Earlier, histories, read_previous
from fetometry.types import Exam, Problem


def earlier_exams(previous: Path | None, kinds: Collection[str], exams: int) -> tuple[Earlier, ...]:
    """Return the earlier exams of the pregnancy of the only exam.

    Raises:
        UsageError: nothing that shows them is written, there are several patients' exams, or the
            folder has none.
        DataError: one of them cannot be read.
    """
    if previous is None:
        return ()
    if not set(kinds) & set(report.REPORTS):
        raise UsageError("--previous is shown in reports: add --write html, pdf or chart")
    if exams > 1:
        raise UsageError(
            f"--previous holds one pregnancy, but there are {exams} patients' exams: measure each "
            "by itself"
        )
    return read_previous(previous)


def write_reports(
    exams: Sequence[Exam],
    folder: Path,
    kinds: Collection[str],
    earlier: Sequence[Earlier] = (),
    files: Mapping[str, Path] = NO_FILES,
) -> tuple[list[Exam], list[Path]]:
    """Write the reports that are asked for; return the exams, and the files.

    An exam whose report cannot be written has a problem more. `files` is that of `pictures_of`.
    """
    if not set(kinds) & set(report.REPORTS):
        return list(exams), []
    told, written = [], []
    for exam, paths in zip(exams, report.report_paths(exams, folder), strict=True):
        try:
            past = histories(exam, earlier)
            written += report.write_reports(exam, _pictures(exam, files), past, paths, kinds)
            told.append(exam)
        except OutputError as error:  # the numbers are good, and so are the next exams
            problem = Problem(str(folder), None, str(error))
            told.append(replace(exam, problems=(*exam.problems, problem)))
    return told, written


def _pictures(exam: Exam, files: Mapping[str, Path]) -> dict[tuple[str, int], NDArray[np.uint8]]:
    """Return the pixels (H, W) of what a report shows, as far as they can still be read."""
    found = {}
    for finding in report.exam_findings(exam):
        try:
            for _, picture in pictures_of([finding], files):
                found[finding.source, finding.frame] = picture
        except ImageError:  # the report says which picture it lacks
            continue
    return found


def report_again(
    document: Path, folder: Path, *, kinds: Iterable[str], previous: Path | None = None
) -> tuple[Exam, list[Path]]:
    """Write the report of an exam from its JSON document, without measuring again.

    Raises:
        FetometryError: the document or an earlier one cannot be read, it does not say which
            values count, there is no such kind, the folder cannot be written.
    """
    wanted = report.checked_kinds(kinds)
    if other := sorted(wanted - set(report.REPORTS)):
        raise UsageError(
            f"a report is {', '.join(report.REPORTS)}, not {', '.join(other)}: measure again"
        )
    exam = report.read_exam(document)
    if exam.findings and not exam.selected:
        raise UsageError(
            f"{document}: an earlier version wrote it, without the values that count: measure again"
        )
    earlier = earlier_exams(previous, wanted, 1)
    report.prepare_folder(folder)
    (exam,), written = write_reports([exam], folder, wanted, earlier)
    return exam, written
