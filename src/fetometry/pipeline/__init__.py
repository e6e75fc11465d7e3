"""From files to exams: read this first.

`visits` says which files are one patient's; `frames` takes them through the stages one by one
(image: file → Image; predict: Image → Prediction; measure: Prediction → Finding), and `volumes`
those that are volumes; `exams` gathers what came out, and `selecting` says which of several
repeats counts; `growing` says what they mean (growth: Exam → Growth); `writing` puts it all into
a folder (report: Exam → files). What a person changes afterwards, `editing` makes of the same
exam, and `writing_edited` writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry.errors import SpacingError, UsageError
from fetometry.pipeline.editing import FrameReview, checked_edit, edited, frame_reviews
from fetometry.pipeline.exams import assemble, homed
from fetometry.pipeline.frames import measure_files, measure_images
from fetometry.pipeline.growing import About, Dated, dated, dated_visits, told, with_growth
from fetometry.pipeline.reporting import report_again
from fetometry.pipeline.result import Result
from fetometry.pipeline.selecting import SELECT
from fetometry.pipeline.settings import ASKED_PLANES, RULER, Settings
from fetometry.pipeline.visits import Visit, find_all, visits_of
from fetometry.pipeline.volumes import open_models
from fetometry.pipeline.writing import measure_into
from fetometry.pipeline.writing_edited import write_edited
from fetometry.types import Exam, Problem, Spacing, checked_spacing

Paths = str | Path | Sequence[str | Path]

#: Exams that an error message names; more are counted.
MOST_NAMES = 3


def measure(path_or_array: Paths | NDArray[np.generic], settings: Settings) -> Exam:
    """Measure one patient's images: a file, a folder, several of them, or an array of pixels.

    Raises:
        FetometryError: there is no image at the path, the array is not one, the model cannot be
            used.
        UsageError: there are several patients.
    """
    if isinstance(path_or_array, np.ndarray):
        image = settings.told_of(reading.from_array(path_or_array))
        known = dated((), settings)
        exam = assemble(measure_images([image], settings), settings, name=image.source)
        return with_growth(exam, known, settings.house)
    files, missing = find_all(_listed(path_or_array))
    visits = visits_of(files)
    if len(visits) > 1:
        named = ", ".join(visit.name for visit in visits[:MOST_NAMES])
        more = f" and {len(visits) - MOST_NAMES} more" if len(visits) > MOST_NAMES else ""
        where = path_or_array if isinstance(path_or_array, str | Path) else "the list"
        raise UsageError(
            f"{where}: holds {len(visits)} patients' exams ({named}{more}), which are never "
            "mixed: use fetometry.measure_exams(path), or give the path of one of them"
        )
    return _measured(visits, missing, settings)[0]


def measure_exams(paths: Paths, settings: Settings) -> list[Exam]:
    """Measure all images at one or more paths, one exam for each patient's visit.

    Raises:
        FetometryError: there is no image at any path, the model cannot be used.
    """
    files, missing = find_all(_listed(paths))
    return _measured(visits_of(files), missing, settings)


def _listed(paths: Paths) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _measured(
    visits: Sequence[Visit], missing: Sequence[Problem], settings: Settings
) -> list[Exam]:
    dates = dated_visits(visits, settings)
    open_models([file for visit in visits for file in visit.files], settings)
    exams = [
        with_growth(
            assemble(measure_files(visit.files, settings), settings, name=visit.name),
            known,
            settings.house,
        )
        for visit, known in zip(visits, dates, strict=True)
    ]
    return homed(exams, visits, missing)


def given(spacing_mm: float | Sequence[float] | str | None) -> Spacing | str | None:
    """Return a spacing from one number or (row, col) in mm per pixel; "ruler" stays what it is.

    Raises:
        SpacingError: it is another number of values, or not a believable size of a pixel.
    """
    if spacing_mm is None or isinstance(spacing_mm, str):
        return spacing_mm
    numbers = np.ravel(np.asarray(spacing_mm, np.float64))
    if len(numbers) not in (1, 2):
        raise SpacingError(
            f"spacing_mm must be one number or (row, col), in mm per pixel; got {spacing_mm!r}"
        )
    return Spacing(checked_spacing(numbers[0], numbers[-1]), "given")


__all__ = [
    "ASKED_PLANES",
    "RULER",
    "SELECT",
    "About",
    "Dated",
    "FrameReview",
    "Result",
    "Settings",
    "Visit",
    "assemble",
    "checked_edit",
    "dated",
    "dated_visits",
    "edited",
    "find_all",
    "frame_reviews",
    "given",
    "measure",
    "measure_exams",
    "measure_files",
    "measure_images",
    "measure_into",
    "report_again",
    "told",
    "visits_of",
    "with_growth",
    "write_edited",
]
