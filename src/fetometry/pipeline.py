"""From files to an exam, on one screen: read this first.

1 image: file → Image; 2 predict: Image → Prediction; 3 measure: Prediction → Finding;
5 report: Exam → files (called by whoever wants files). Only here is "not found" caught.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry import predict
from fetometry.errors import ImageError, MeasurementError, SpacingError, UsageError
from fetometry.measure import measure_head
from fetometry.types import Exam, Finding, Image, Problem, Spacing, checked_spacing

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
    stem = Path(image.source).stem
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


def _measure(image: Image, maps: Mapping[str, NDArray[np.float32]], settings: Settings) -> Result:
    problems: list[Problem] = []
    try:
        prediction = settings.predictor.decode(image, dict(maps))
        spacing = None
        try:
            spacing = image.spacing_at(prediction.outline_px)
        except SpacingError as error:
            problems.append(Problem(image.source, image.frame, str(error)))
        finding = measure_head(image, prediction, spacing)
    except MeasurementError as error:
        problems.append(Problem(image.source, image.frame, str(error)))
        return Result(None, tuple(problems), None)
    try:
        picture = _without_names(image, finding)
    except SpacingError:  # overlapping regions disagree: which one is shown is not known
        picture = np.zeros_like(image.pixels)
    return Result(finding, tuple(problems), picture)


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

    kept = list(results)
    return Exam(
        findings=tuple(result.finding for result in kept if result.finding),
        problems=tuple(problem for result in kept for problem in result.problems),
        software=f"fetometry {__version__} ({settings.predictor.engine.name})",
    )


def measure(
    path_or_array: str | Path | NDArray[np.generic],
    *,
    spacing_mm: float | tuple[float, float] | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
) -> Exam:
    """Measure an image, a folder of images, or an array of pixels.

    An array is (H, W) or (H, W, 3); `spacing_mm` is millimetres per pixel, one number or
    (row, col). Without it, and without a calibration in the file, values are in pixels and the
    exam's problems say so. What cannot be read or measured is in `Exam.problems` too.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown.
    """
    spacing = None
    if spacing_mm is not None:
        pair = spacing_mm if isinstance(spacing_mm, tuple) else (spacing_mm, spacing_mm)
        spacing = Spacing(checked_spacing(*pair), "given")
    settings = Settings(plane, spacing, model, device)
    if isinstance(path_or_array, np.ndarray):
        image = _with_spacing(reading.from_array(path_or_array), settings)
        return assemble(measure_images([image], settings), settings)
    return assemble(measure_files(reading.find(Path(path_or_array)), settings), settings)


__all__ = ["PLANES", "Result", "Settings", "assemble", "measure", "measure_files"]
