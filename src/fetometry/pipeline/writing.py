"""Stage 5: measured into a folder, every patient's exam by itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fetometry import report
from fetometry.errors import ImageError, OutputError, UsageError
from fetometry.pipeline.dicom import write_dicom
from fetometry.pipeline.exams import assemble, homed
from fetometry.pipeline.frames import measure_files, pictures_of
from fetometry.pipeline.growing import Dated, dated_visits, with_growth
from fetometry.pipeline.reporting import earlier_exams, write_reports
from fetometry.pipeline.result import Result
from fetometry.pipeline.selecting import SIZES_DISAGREE
from fetometry.pipeline.settings import Settings
from fetometry.pipeline.visits import Visit, find_all, visits_of
from fetometry.pipeline.volumes import open_models
from fetometry.report.names import OVERLAYS
from fetometry.types import Exam, Problem

#: Source → where its overlays go, without frame and suffix.
Places = Mapping[str, Path]


def _shared_root(paths: Iterable[Path]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath([os.path.normpath(f.absolute()) for f in folders]))
    except ValueError:
        raise UsageError("the paths lie on different drives; measure one after another") from None


def _drawn(results: Iterable[Result], folder: Path, places: Places) -> Iterator[Result]:
    """Save each picture as it comes, and let go of it."""
    for result in results:
        problems, finding = result.problems, result.finding or result.in_volume
        try:
            _draw(result, folder, places)
        except OutputError as error:  # the numbers are good, and so are the next images
            frame = result.finding.frame if result.finding else None
            source, exam = (finding.source, finding.exam) if finding else (str(folder), "")
            problems = (*problems, Problem(source, frame, str(error), exam=exam))
        yield replace(result, problems=problems, picture=None, volume=None)


def _draw(result: Result, folder: Path, places: Places) -> None:
    finding, in_volume = result.finding, result.in_volume
    if finding and result.picture is not None:
        target = report.overlay_path(folder, places[finding.source], finding.frame)
        report.write_overlay(finding, result.picture, target)
    if in_volume and result.volume is not None:
        target = report.volume_overlay_path(folder, places[in_volume.source])
        report.write_volume_overlay(in_volume, result.volume, target)


def _draw_again(exam: Exam, folder: Path, places: Places) -> Exam:
    """Draw the overlays of findings that were flagged when all sizes were known."""
    late = [f for f in exam.findings if any(SIZES_DISAGREE in m.flags for m in f.measurements)]
    try:
        for finding, picture in pictures_of(late):
            target = report.overlay_path(folder, places[finding.source], finding.frame)
            report.write_overlay(finding, picture, target)
    except (ImageError, OutputError) as error:
        return replace(exam, problems=(*exam.problems, _lost(error, folder)))
    return exam


def _with_picture(exam: Exam, path: Path) -> Exam:
    """Write the picture of an exam in which something was found."""
    shown = report.exam_findings(exam)
    try:
        pictures = {(f.source, f.frame): picture for f, picture in pictures_of(shown)}
        if shown:
            report.write_exam_picture(exam, pictures, path)
    except (ImageError, OutputError) as error:  # the numbers are good
        return replace(exam, problems=(*exam.problems, _lost(error, path)))
    return exam


def _lost(error: Exception, path: Path) -> Problem:
    return Problem(str(path), None, str(error))


def _measured(
    visits: Sequence[Visit],
    settings: Settings,
    watch: Callable[[list[Path]], Iterable[Path]],
    drawn: Callable[[Iterable[Result]], Iterable[Result]],
) -> Iterator[Exam]:
    """Measure one visit after another, all files passing through one `watch`."""
    files = iter(watch([file for visit in visits for file in visit.files]))
    for visit in visits:
        results = measure_files(itertools.islice(files, len(visit.files)), settings)
        yield assemble(drawn(results), settings, name=visit.name)
    next(files, None)  # lets the watcher see the end


def _days(visits: Sequence[Visit], dates: Sequence[Dated]) -> dict[str, report.Days]:
    """Return by exam what its ages are counted from."""
    said = {visit.name: known.dates for visit, known in zip(visits, dates, strict=True)}
    return {name: report.Days(d.lmp, d.edd, d.exam) for name, d in said.items()}


def _pictured(exams: Sequence[Exam], folder: Path) -> tuple[list[Exam], list[Path]]:
    """Write the picture of every exam; return the exams, and the files that are there."""
    targets = report.exam_paths(exams, folder, ".png")
    exams = [_with_picture(*pair) for pair in zip(exams, targets, strict=True)]
    pairs = zip(exams, targets, strict=True)
    return exams, [target for exam, target in pairs if exam.selected and target.is_file()]


def measure_into(
    folder: Path,
    paths: Sequence[Path],
    settings: Settings,
    *,
    kinds: Iterable[str],
    watch: Callable[[list[Path]], Iterable[Path]] = iter,
    previous: Path | None = None,
) -> tuple[list[Exam], list[Path]]:
    """Measure files and folders, write what came out into a folder, and return both.

    There is an exam for each patient's visit. `kinds` are of `report.KINDS`. `watch` passes the
    files on, to show how far it is. Overlays are in folders named below the folder that all paths
    share. `previous` is a folder of earlier exams, which the report shows beside.

    Raises:
        FetometryError: there is no image at any path, the model cannot be used, the folder
            cannot be written, there is no such kind.
    """
    wanted = report.checked_kinds(kinds)
    files, missing = find_all(paths)
    visits = visits_of(files)
    # a date or a model that cannot be used is known before any folder is made
    dates = dated_visits(visits, settings)
    earlier = earlier_exams(previous, wanted, len(visits))
    open_models(files, settings)
    places: Places = {}
    if wanted & {report.OVERLAY, *report.DICOM}:
        root = _shared_root(path for path in paths if path.exists())
        places = report.overlay_names([str(file) for file in files if file.is_file()], root)
    report.prepare_folder(folder)

    def drawn(results: Iterable[Result]) -> Iterable[Result]:
        return _drawn(results, folder, places) if report.OVERLAY in wanted else results

    measured = _measured(visits, settings, watch, drawn)
    grown = [with_growth(*pair, settings.house) for pair in zip(measured, dates, strict=True)]
    exams = homed(grown, visits, missing)
    written: list[Path] = []
    if report.OVERLAY in wanted and any(exam.findings or exam.volumes for exam in exams):
        exams = [_draw_again(exam, folder, places) for exam in exams]
        written.append(folder / OVERLAYS)
    if report.PICTURE in wanted:
        exams, written[len(written) :] = _pictured(exams, folder)
    numbers = report.write(exams, folder, wanted)  # first: whatever a report or a library does
    told, reports = write_reports(exams, folder, wanted, earlier)
    told, filed = write_dicom(told, folder, wanted, places, earlier, _days(visits, dates))
    if told != exams:  # what could not be written stands in the exams, too
        report.write(told, folder, wanted)
    return told, [*written, *numbers, *reports, *filed]
