"""Stages 1 to 3, frame by frame: file → Image → Prediction → Finding. One bad file stops no other.

Here, and for volumes in `volumes`, "not found" is caught and turned into a `Problem`; nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry.errors import ImageError, MeasurementError, PlaneError, SpacingError
from fetometry.geometry import Points
from fetometry.image.ruler import read_ruler
from fetometry.measure import measure as measure_plane
from fetometry.measure.number import mm_per_px
from fetometry.pipeline.result import Result
from fetometry.pipeline.settings import RULER, Settings
from fetometry.pipeline.volumes import measure_volume_file
from fetometry.types import (
    FOUR_WAYS,
    Finding,
    Image,
    Prediction,
    Problem,
    Spacing,
    same_spacing,
    spacing_text,
)

#: Images that are held, and run through the network, at once.
BATCH = 4

#: Where names may be burned in and no region is known, this share of its size round a structure
#: is shown.
MARGIN = 0.15

#: Every source is the path of its file.
NO_FILES: Mapping[str, Path] = MappingProxyType({})


def _extent(finding: Finding) -> Points:
    """Return points (N, 2) of all that was measured; of a shaft only the ends may be known."""
    if finding.ellipse is not None:
        return finding.outline_px
    return np.vstack([finding.outline_px, *finding.points_px.values()])


def without_names(image: Image, finding: Finding) -> NDArray[np.uint8]:
    """Return the pixels, black outside the region measured in where names may be burned in.

    Where overlapping regions disagree, which one is shown is not known: all is black. Where it is
    not known what was measured, all regions are shown, and without any all is black.
    """
    if not image.may_show_name:
        return image.pixels
    shown, points = np.zeros_like(image.pixels), _extent(finding)
    if not len(points):
        for known in image.regions:
            inside = (_span(known.rows), _span(known.cols))
            shown[inside] = image.pixels[inside]
        return shown
    try:
        region = image.region_at(points)
    except SpacingError:
        return shown
    if region is not None:
        rows, cols = region.rows, region.cols
    else:
        low, high = points.min(axis=0), points.max(axis=0)
        margin = MARGIN * float(np.max(high - low))
        (top, left), (bottom, right) = low - margin, high + margin
        rows, cols = (int(max(top, 0)), int(bottom)), (int(max(left, 0)), int(right))
    inside = (_span(rows), _span(cols))
    shown[inside] = image.pixels[inside]
    return shown


def _span(bounds: tuple[int, int]) -> slice:
    return slice(bounds[0], bounds[1] + 1)


def _spacing_at(image: Image, points_px: Points) -> Spacing:
    """Return the spacing that holds at the points (N, 2); without any, wherever they may be.

    Raises:
        SpacingError: no spacing is known there, or two of them disagree.
    """
    if len(points_px) or not image.regions:
        return image.spacing_at(points_px)
    corners = (np.stack([region.rows, region.cols], axis=1) for region in image.regions)
    first, *others = (image.spacing_at(ends.astype(np.float64)) for ends in corners)
    for other in others:
        if not same_spacing(first.mm, other.mm):
            raise SpacingError(
                "no millimetres: the model tells a number without an outline, and the regions of "
                f"the image differ in their pixel size; {FOUR_WAYS}"
            )
    return first


def _ruled(image: Image, points_px: Points) -> Spacing:
    """Return the spacing read off the ruler; an image's own calibration that agrees goes first."""
    own = _spacing_at(image, points_px) if image.regions else None
    try:
        read = read_ruler(image.pixels, image.source).spacing
    except SpacingError as error:
        if own is not None:
            return own
        reason = str(error).removeprefix(f"{image.source}: ")
        raise SpacingError(f"no millimetres: {reason}") from None
    if own is None:
        return read
    if not same_spacing(read.mm, own.mm):
        raise SpacingError(
            f"two spacings: the ruler in the picture says {spacing_text(read.mm)}, but the image's "
            f"own calibration {spacing_text(own.mm)}; measure without --spacing ruler, or give "
            "--mm-per-px"
        )
    return own


def spacing_of(
    image: Image, prediction: Prediction, settings: Settings
) -> tuple[Spacing | None, tuple[Problem, ...]]:
    """Return the spacing that holds where something was seen, or None and why."""
    points = prediction.outline_px
    if prediction.plane == "femur" and prediction.ends_px is not None:
        points = np.vstack([points, prediction.ends_px])
    try:
        ruled = settings.spacing == RULER
        spacing = _ruled(image, points) if ruled else _spacing_at(image, points)
        if prediction.size_px is not None:
            mm_per_px(spacing)  # refused here, the number is still given in pixels
        return spacing, ()
    except SpacingError as error:
        return None, (Problem(image.source, image.frame, str(error), exam=image.exam),)


def _measured(image: Image, maps: Mapping[str, NDArray[np.float32]], settings: Settings) -> Result:
    try:
        prediction = settings.predictor.decode(image, dict(maps), settings.plane)
        spacing, problems = spacing_of(image, prediction, settings)
        finding = measure_plane(image, prediction, spacing)
    except MeasurementError as error:
        kind = "other-plane" if isinstance(error, PlaneError) else "refused"
        problem = Problem(image.source, image.frame, str(error), kind, image.exam)
        return Result(None, (problem,), None)
    return Result(finding, problems, without_names(image, finding))


def _images(paths: Iterable[Path], settings: Settings) -> Iterator[Image | Problem]:
    for path in paths:
        good = 0
        try:
            for image in reading.read(path):
                yield settings.told_of(image)
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
                yield _measured(item, next(maps), settings)


def measure_files(paths: Iterable[Path], settings: Settings) -> Iterator[Result]:
    """Measure files one after another, pictures and volumes; one bad file never stops the rest.

    Raises:
        ModelError: the model cannot be used; nothing can be measured without one.
    """
    for of_volumes, run in itertools.groupby(paths, reading.is_volume):
        if of_volumes:
            yield from (measure_volume_file(path, settings) for path in run)
        else:
            yield from measure_images(_images(run, settings), settings)


def pictures_of(
    findings: Iterable[Finding], files: Mapping[str, Path] = NO_FILES
) -> Iterator[tuple[Finding, NDArray[np.uint8]]]:
    """Read the pictures of findings again, as `Result.picture` has them.

    The pictures of a folder do not fit in memory until it is known which of them count. `files`
    says where a source lies that is shown under another name.

    Raises:
        ImageError: a file cannot be read any more.
    """
    for finding in findings:
        for image in reading.read(files.get(finding.source, Path(finding.source))):
            if image.frame == finding.frame:
                yield finding, without_names(image, finding)
                break
