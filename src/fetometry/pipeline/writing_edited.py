"""Stage 5 of an exam that a person looked at: the files of `measure`, from the edited exam."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from fetometry import report
from fetometry.errors import ImageError, OutputError
from fetometry.pipeline.dicom import headers_of, pictures_in_order
from fetometry.pipeline.edit_dates import dates_known, sources_of
from fetometry.pipeline.previous import Earlier, histories
from fetometry.pipeline.reporting import write_reports
from fetometry.pipeline.settings import Settings
from fetometry.report.names import OVERLAYS, file_names
from fetometry.report.reports import CHART
from fetometry.types import Exam, Problem, source_stem

#: Source → the name that its reader knows it by.
Names = Mapping[str, str]


def shown_names(exam: Exam, names: Names) -> dict[str, str]:
    """Return for each source of an exam the name to be shown, no two of them the same."""
    given: dict[str, str] = {}
    for source in sources_of(exam):
        name, number = names.get(source, source), 1
        new = name
        while new in given.values():
            number += 1
            new = f"{name} ({number})"
        given[source] = new
    return given


def renamed(exam: Exam, names: Names) -> Exam:
    """Return an exam with its sources called by other names, in what is said of them, too."""

    def told(problem: Problem) -> Problem:
        name = names.get(problem.source, problem.source)
        return replace(problem, source=name, reason=problem.reason.replace(problem.source, name))

    review = exam.review
    if review is not None:
        edits = tuple(replace(e, source=names.get(e.source, e.source)) for e in review.edits)
        review = replace(review, edits=edits)
    return replace(
        exam,
        findings=tuple(replace(f, source=names.get(f.source, f.source)) for f in exam.findings),
        volumes=tuple(replace(v, source=names.get(v.source, v.source)) for v in exam.volumes),
        selected=tuple(replace(s, source=names.get(s.source, s.source)) for s in exam.selected),
        problems=tuple(told(problem) for problem in exam.problems),
        review=review,
    )


def _overlays(
    exam: Exam, folder: Path, files: Mapping[str, Path], places: Mapping[str, Path]
) -> tuple[Exam, list[Path]]:
    try:
        for finding, picture in pictures_in_order(exam.findings, files):
            target = report.overlay_path(folder, places[finding.source], finding.frame)
            report.write_overlay(finding, picture, target)
    except (ImageError, OutputError) as error:  # the numbers are good
        return _with_problem(exam, folder, error), []
    return exam, [folder / OVERLAYS] if exam.findings else []


def _picture(exam: Exam, folder: Path, files: Mapping[str, Path]) -> tuple[Exam, list[Path]]:
    shown, target = report.exam_findings(exam), report.exam_paths([exam], folder, ".png")[0]
    try:
        pictures = {(f.source, f.frame): p for f, p in pictures_in_order(shown, files)}
        if shown:
            report.write_exam_picture(exam, pictures, target)
    except (ImageError, OutputError) as error:  # the numbers are good
        return _with_problem(exam, target, error), []
    return exam, [target] if shown else []


def _with_problem(exam: Exam, path: Path, error: Exception) -> Exam:
    return replace(exam, problems=(*exam.problems, Problem(str(path), None, str(error))))


def _dicom(
    exam: Exam,
    folder: Path,
    kinds: Collection[str],
    sources: report.Sources,
    earlier: Sequence[Earlier],
) -> tuple[Exam, list[Path]]:
    past = [histories(exam, earlier)] if CHART in kinds else []
    (told,), written = report.write_dicom([exam], sources, folder, kinds, past)
    return told, written


def write_edited(
    exam: Exam,
    folder: Path,
    kinds: Iterable[str],
    settings: Settings,
    names: Names = MappingProxyType({}),
    earlier: Sequence[Earlier] = (),
) -> tuple[Exam, list[Path]]:
    """Write an edited exam into a folder as `measure_into` writes what it measured; return both.

    `kinds` are of `report.KINDS`. `names` says by source what its reader knows it by: so it is
    called in everything that is written, and in the exam that is returned. `earlier` exams stand
    beside it in reports.

    Raises:
        FetometryError: there is no such kind, or the folder cannot be written.
    """
    wanted = report.checked_kinds(kinds)
    dates = dates_known(exam, exam.review.standing if exam.review else (), settings).dates
    shown = shown_names(exam, names)
    files = {name: Path(source) for source, name in shown.items()}
    stems = file_names(source_stem(name) for name in files)
    places = {name: Path(stem) for name, stem in zip(files, stems, strict=True)}
    report.prepare_folder(folder)
    told, written = renamed(exam, shown), list[Path]()
    if report.OVERLAY in wanted:
        told, written = _overlays(told, folder, files, places)
    if report.PICTURE in wanted:
        told, drawn = _picture(told, folder, files)
        written += drawn
    numbers = report.write(told, folder, wanted)
    before = told
    (told,), reports = write_reports([told], folder, wanted, earlier, files)
    filed: list[Path] = []
    if wanted & set(report.DICOM):
        measured = {f.source: files[f.source] for f in told.findings}
        days = {told.name: report.Days(dates.lmp, dates.edd, dates.exam)}
        read = partial(pictures_in_order, files=files)
        sources = report.Sources(*headers_of(measured), places, read, days)
        told, filed = _dicom(told, folder, wanted, sources, earlier)
    if told != before:  # what could not be written stands in the exam, too
        report.write(told, folder, wanted)
    return told, [*written, *numbers, *reports, *filed]
