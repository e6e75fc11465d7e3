"""From files to an exam: read this first.

1 image: file → Image; 2 predict: Image → Prediction; 3 measure: Prediction → Finding;
5 report: Exam → files (called by whoever wants files). Only here is "not found" caught.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry import predict, report
from fetometry.errors import (
    ImageError,
    MeasurementError,
    OutputError,
    SpacingError,
    UsageError,
)
from fetometry.geometry import Points
from fetometry.measure import measure_head
from fetometry.report.names import OVERLAYS
from fetometry.types import Exam, Finding, Image, Problem, Spacing, checked_spacing, source_stem

PLANES = ("auto", "head")

#: Images that are held, and run through the network, at once.
BATCH = 4


@dataclass(frozen=True)
class Settings:
    """What to measure, with which model, and where millimetres come from.

    `spacing` is one for all images, or a table by the stem of the file name.
    """

    plane: str = "auto"
    spacing: Spacing | Mapping[str, Spacing] | None = None
    model: str | None = None
    device: str = "auto"
    flip_average: bool = False

    def __post_init__(self) -> None:
        if self.plane not in PLANES:
            raise UsageError(f"unknown plane {self.plane!r}; allowed: {', '.join(PLANES)}")

    @functools.cached_property
    def predictor(self) -> predict.Predictor:
        """The model, loaded once."""
        name = self.model or predict.default_model(self.plane)
        return predict.load(name, device=self.device, flip_average=self.flip_average)


@dataclass(frozen=True)
class Result:
    """One frame: its finding where there is one, what was refused, and the picture to draw on.

    In `picture`, everything that could show a patient's name is black.
    """

    finding: Finding | None
    problems: tuple[Problem, ...]
    picture: NDArray[np.uint8] | None


def _with_spacing(image: Image, settings: Settings) -> Image:
    if isinstance(settings.spacing, Spacing):
        return replace(image, spacing=settings.spacing)
    if settings.spacing is None:
        return image
    stem = source_stem(image.source)
    if stem in settings.spacing:
        return replace(image, spacing=settings.spacing[stem])
    return replace(image, spacing_problem=f"the spacing table has no row for {stem!r}")


def _without_names(image: Image, finding: Finding) -> NDArray[np.uint8]:
    """Blacken what lies outside the region measured in, where names may be burned in."""
    if not image.may_show_name:
        return image.pixels
    region = image.region_at(finding.outline_px)
    if region is not None:
        rows, cols = region.rows, region.cols
    else:
        low, high = finding.outline_px.min(axis=0), finding.outline_px.max(axis=0)
        margin = 0.15 * (high - low)
        (top, left), (bottom, right) = low - margin, high + margin
        rows, cols = (int(max(top, 0)), int(bottom)), (int(max(left, 0)), int(right))
    shown = np.zeros_like(image.pixels)
    inside = (slice(rows[0], rows[1] + 1), slice(cols[0], cols[1] + 1))
    shown[inside] = image.pixels[inside]
    return shown


def _spacing_of(image: Image, outline_px: Points) -> tuple[Spacing | None, tuple[Problem, ...]]:
    try:
        return image.spacing_at(outline_px), ()
    except SpacingError as error:
        return None, (Problem(image.source, image.frame, str(error)),)


def _measure(image: Image, maps: Mapping[str, NDArray[np.float32]], settings: Settings) -> Result:
    try:
        prediction = settings.predictor.decode(image, dict(maps))
        spacing, problems = _spacing_of(image, prediction.outline_px)
        finding = measure_head(image, prediction, spacing)
    except MeasurementError as error:
        return Result(None, (Problem(image.source, image.frame, str(error)),), None)
    try:
        picture = _without_names(image, finding)
    except SpacingError:  # overlapping regions disagree: which one is shown is not known
        picture = np.zeros_like(image.pixels)
    return Result(finding, problems, picture)


def find_all(paths: Iterable[Path]) -> tuple[list[Path], tuple[Problem, ...]]:
    """Return the images that paths stand for, each once, and a problem for each path without any.

    Raises:
        ImageError: none of the paths stands for an image.
    """
    files: dict[Path, None] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            files |= dict.fromkeys(reading.find(path))
        except ImageError as error:
            problems.append(Problem(str(path), None, str(error)))
        except OSError as error:  # a name that the file system does not take
            reason = f"{path}: cannot be looked up: {error.strerror}"
            problems.append(Problem(str(path), None, reason))
    if not files:
        raise ImageError("; ".join(problem.reason for problem in problems) or "no path was given")
    return list(files), tuple(problems)


def _images(paths: Iterable[Path], settings: Settings) -> Iterator[Image | Problem]:
    for path in paths:
        good = 0
        try:
            for image in reading.read(path):
                yield _with_spacing(image, settings)
                good = image.frame
        except ImageError as error:
            yield Problem(str(path), good + 1 if good else None, str(error))


def measure_images(items: Iterable[Image | Problem], settings: Settings) -> Iterator[Result]:
    """Measure images in batches; what could not be read passes through as a problem."""
    stream = iter(items)
    while batch := list(itertools.islice(stream, BATCH)):
        images = [item for item in batch if isinstance(item, Image)]
        maps = iter(settings.predictor.maps(images) if images else ())
        for item in batch:
            if isinstance(item, Problem):
                yield Result(None, (item,), None)
            else:
                yield _measure(item, next(maps), settings)


def measure_files(paths: Iterable[Path], settings: Settings) -> Iterator[Result]:
    """Measure files one after another; one bad file never stops the rest.

    Raises:
        ModelError: the model cannot be used; nothing can be measured without one.
    """
    return measure_images(_images(paths, settings), settings)


def assemble(results: Iterable[Result], settings: Settings) -> Exam:
    """Gather results into an exam."""
    from fetometry import __version__

    findings: list[Finding] = []
    problems: list[Problem] = []
    for result in results:  # one at a time: the pictures of a folder do not fit in memory
        findings += [result.finding] if result.finding else []
        problems += result.problems
    return Exam(
        findings=tuple(findings),
        problems=tuple(problems),
        software=f"fetometry {__version__} ({settings.predictor.engine.name})",
    )


def _shared_root(paths: Iterable[Path]) -> Path:
    folders = [path if path.is_dir() else path.parent for path in paths]
    try:
        return Path(os.path.commonpath([os.path.normpath(f.absolute()) for f in folders]))
    except ValueError:
        raise UsageError("the paths lie on different drives; measure one after another") from None


def _drawn(results: Iterable[Result], folder: Path, names: Mapping[str, Path]) -> Iterator[Result]:
    """Save each picture as it comes, and let go of it."""
    for result in results:
        problems = result.problems
        if result.finding and result.picture is not None:
            source, frame = result.finding.source, result.finding.frame
            target = report.overlay_path(folder, names[source], frame)
            try:
                report.write_overlay(result.finding, result.picture, target)
            except OutputError as error:  # the numbers are good, and so are the next images
                problems = (*problems, Problem(source, frame, str(error)))
        yield replace(result, problems=problems, picture=None)


def measure_into(
    folder: Path,
    paths: Sequence[Path],
    settings: Settings,
    *,
    kinds: Iterable[str],
    watch: Callable[[list[Path]], Iterable[Path]] = iter,
) -> tuple[Exam, list[Path]]:
    """Measure files and folders, write what came out into a folder, and return both.

    `kinds` are of `report.KINDS`. `watch` passes the files on, to show how far it is. Overlays
    are in folders named below the folder that all paths share.

    Raises:
        FetometryError: there is no image at any path, the model cannot be used, the folder
            cannot be written, there is no such kind.
    """
    wanted = report.checked_kinds(kinds)
    files, missing = find_all(paths)
    _ = settings.predictor  # a model that cannot be used is known before any folder is made
    names = {}
    if report.OVERLAY in wanted:
        root = _shared_root(path for path in paths if path.exists())
        names = report.overlay_names([str(file) for file in files if file.is_file()], root)
    report.prepare_folder(folder)
    results = measure_files(watch(files), settings)
    if report.OVERLAY in wanted:
        results = _drawn(results, folder, names)
    exam = assemble(results, settings)
    exam = replace(exam, problems=(*missing, *exam.problems))
    written = report.write(exam, folder, wanted)
    if report.OVERLAY in wanted and exam.findings:
        written.insert(0, folder / OVERLAYS)
    return exam, written


def measure(
    path_or_array: str | Path | NDArray[np.generic],
    *,
    spacing_mm: float | Sequence[float] | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
) -> Exam:
    """Measure an image, a folder of images, or an array of pixels.

    An array is (H, W) or (H, W, 3); `spacing_mm` is millimetres per pixel, one number or
    (row, col). Without it, and without a calibration in the file, values are in pixels and the
    exam's problems say so. What cannot be read or measured is in `Exam.problems` too.

    Raises:
        FetometryError: there is no image at the path, the array is not one, the spacing is
            implausible, the plane, the device or the model is unknown.
    """
    settings = Settings(plane, _given(spacing_mm), model, device)
    if isinstance(path_or_array, np.ndarray):
        image = _with_spacing(reading.from_array(path_or_array), settings)
        return assemble(measure_images([image], settings), settings)
    files, _ = find_all([Path(path_or_array)])
    return assemble(measure_files(files, settings), settings)


def _given(spacing_mm: float | Sequence[float] | None) -> Spacing | None:
    if spacing_mm is None:
        return None
    numbers = np.ravel(np.asarray(spacing_mm, np.float64))
    if len(numbers) not in (1, 2):
        raise SpacingError(
            f"spacing_mm must be one number or (row, col), in mm per pixel; got {spacing_mm!r}"
        )
    return Spacing(checked_spacing(numbers[0], numbers[-1]), "given")


__all__ = [
    "PLANES",
    "Result",
    "Settings",
    "assemble",
    "find_all",
    "measure",
    "measure_files",
    "measure_into",
]
