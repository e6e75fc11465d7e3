"""Stages 1 to 3 of a volume: file → Volume → VolumePrediction → VolumeFinding, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fetometry import image as reading
from fetometry.errors import FetometryError, ImageError, UsageError
from fetometry.measure import measure_volume
from fetometry.pipeline.result import Result
from fetometry.pipeline.settings import AUTO, Settings
from fetometry.types import Problem, VolumeFinding
from fetometry.volume import Volume

#: The only plane's structure that is measured in volumes.
IN_VOLUMES = "femur"


def open_models(files: Sequence[Path], settings: Settings) -> None:
    """Open the model that nothing can be measured without, before anything is read.

    Among pictures a volume's model waits until there is a volume: it never stands in their way.

    Raises:
        ModelError: it cannot be used.
        UsageError: it does not know the plane that was asked for.
    """
    if all(reading.is_volume(file) for file in files):
        _ = settings.volume_predictor
    else:
        _ = settings.predictor


def measure_volume_file(path: Path, settings: Settings) -> Result:
    """Measure one volume; whatever is wrong with it, or missing for it, is its problem alone."""
    exam = reading.exam_key(path)
    try:
        volume, finding = _measured(path, settings)
    except FetometryError as error:
        return Result(None, (Problem(str(path), None, str(error), exam=exam),), None)
    return Result(None, (), None, replace(finding, exam=exam), volume)


def _is_mask(volume: Volume) -> bool:
    low, high = volume.voxels.min(), volume.voxels.max()
    return all(bool(((plane == low) | (plane == high)).all()) for plane in volume.voxels)


def _measured(path: Path, settings: Settings) -> tuple[Volume, VolumeFinding]:
    if settings.plane not in (AUTO, IN_VOLUMES):
        raise UsageError(
            f"{path}: --plane {settings.plane}: in a volume the {IN_VOLUMES} alone is measured"
        )
    volume = reading.read_volume(path)
    _ = volume.known_spacing_mm  # refused before the model is opened and run
    if _is_mask(volume):
        raise ImageError(f"{path}: has two grey values alone: this is a mask, not ultrasound")
    predictor = settings.volume_predictor
    prediction = predictor.predict(volume)
    return volume, measure_volume(volume, prediction, predictor.info.notice)
