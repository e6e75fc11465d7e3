"""Judge a model of volumes on one side of a data set, as a user would run it. No torch.

A failure counts with its full error. Only what the model tells is scored: one that draws masks
alone has no length, one that marks ends alone no volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from fetometry.errors import DataError, MeasurementError
from fetometry.geometry import Points
from fetometry.geometry.solid import Mask
from fetometry.image import read_volume
from fetometry.measure import measure_volume
from fetometry.predict.catalogue import ModelInfo
from fetometry.training.cases import Case, Size
from fetometry.training.data import AnyRow, Row, VolumeRow
from fetometry.training.evaluate import PREDICTED, case_of, side
from fetometry.training.metrics_3d import (
    EndScores,
    MaskScores,
    length_mm,
    missed_ends,
    missed_mask,
    score_ends,
    score_mask,
)
from fetometry.volume import Volume, VolumePrediction, volume_ml

#: The kinds of output of a model of volumes.
SOLID, ENDS = "solid", "solid-ends"


class Predictor3d(Protocol):
    """What judges need of `predict.VolumePredictor`."""

    @property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        ...

    def predict(self, volume: Volume) -> VolumePrediction:
        """Return what the model sees in a volume."""
        ...


def volume_rows(rows: Iterable[AnyRow]) -> list[VolumeRow]:
    """Return the rows of a data set of volumes; none of a data set of pictures.

    Raises:
        DataError: pictures and volumes are mixed.
    """
    listed = list(rows)
    found = [row for row in listed if isinstance(row, VolumeRow)]
    if found and len(found) < len(listed):
        raise DataError("pictures and volumes cannot be judged together; judge each by itself")
    return found


def picture_rows(rows: Iterable[AnyRow]) -> list[Row]:
    """Return the rows of a data set of pictures; of volumes there are none."""
    return [row for row in rows if isinstance(row, Row)]


@dataclass(frozen=True)
class SeenVolume:
    """What a model made of one volume, beside its truth; or why it found nothing.

    `truth` (D, H, W) is the true mask. `mask` (D, H, W) and `ends` (2, 3) are what was found, in
    source voxels, None where nothing was.
    """

    row: VolumeRow
    volume: Volume
    truth: Mask
    mask: Mask | None = None
    ends: Points | None = None
    flags: tuple[str, ...] = ()
    failure: str = ""

    @property
    def true_ends(self) -> Points:
        """The true ends (2, 3), the hip's first."""
        return np.array(self.row.ends)

    @property
    def truth_ml(self) -> float:
        """The true volume: the shaft's own where that is known, else that of the true mask."""
        known = self.row.volume_ml
        return volume_ml(self.truth, self.row.spacing_mm) if known is None else known


def true_ml(row: VolumeRow) -> float:
    """Return the true volume of a row: the shaft's own where that is known, else that of its mask.

    Raises:
        ImageError: the mask cannot be read.
    """
    if row.volume_ml is not None:
        return row.volume_ml
    return volume_ml(read_volume(row.mask).voxels > 0, row.spacing_mm)


def _whole(prediction: VolumePrediction, volume: Volume) -> Mask | None:
    """Return the mask, which is of a box, in the whole volume."""
    if prediction.mask is None or not prediction.mask.any():
        return None
    mask = np.zeros(volume.shape, bool)
    mask[prediction.box.slices] = prediction.mask
    return mask


def see_volume(row: VolumeRow, predictor: Predictor3d) -> SeenVolume:
    """Let a model look at one volume of a data set, at its full size.

    Raises:
        ImageError: the volume or its mask cannot be read.
        DataError: the mask is not of the volume's shape, or empty.
    """
    # the table says how large a voxel is, and the truth is told by it
    volume = replace(read_volume(row.image), spacing_mm=row.spacing_mm, spacing_problem="")
    truth = read_volume(row.mask).voxels > 0
    if truth.shape != volume.shape:
        raise DataError(
            f"{row.mask}: the true mask is {truth.shape} voxels, its volume {volume.shape}"
        )
    seen = SeenVolume(row, volume, truth)
    try:
        prediction = predictor.predict(volume)
    except MeasurementError as error:
        return replace(seen, failure=_reason(error, row))
    seen = replace(seen, mask=_whole(prediction, volume), flags=prediction.flags)
    try:
        flags = measure_volume(volume, prediction).flags
    except MeasurementError as error:  # no femur has such a length: the mask is there all the same
        return replace(seen, failure=_reason(error, row))
    seen = replace(seen, ends=prediction.ends, flags=flags)
    return replace(seen, failure=_missing(seen, predictor))


def _reason(error: MeasurementError, row: VolumeRow) -> str:
    """Return why, without the folder that the volume lies in on this machine."""
    return str(error).replace(str(row.image), row.image.name)


def _tells(predictor: Predictor3d, kind: str) -> bool:
    return predictor.info.output_of(kind) is not None


def _missing(seen: SeenVolume, predictor: Predictor3d) -> str:
    """Return what a model should have found in a volume and did not, in words."""
    missing = [
        word
        for kind, word, found in ((SOLID, "mask", seen.mask), (ENDS, "ends", seen.ends))
        if found is None and _tells(predictor, kind)
    ]
    return f"not found: {' and '.join(missing)}" if missing else ""


def _mask_scores(seen: SeenVolume) -> MaskScores:
    spacing = seen.row.spacing_mm
    if seen.mask is None:
        return missed_mask(seen.truth, spacing)
    try:
        return score_mask(seen.mask, seen.truth, spacing)
    except MeasurementError:  # it fills the volume: no boundary, and so no distance
        return missed_mask(seen.truth, spacing)


def _solid(seen: SeenVolume) -> dict[str, Any]:
    """Return how well the mask lies."""
    scores = _mask_scores(seen)
    return {
        "dice": scores.dice,
        "jaccard": scores.jaccard,
        "average_boundary_mm": scores.average_boundary_mm,
        "hausdorff_boundary_mm": scores.hausdorff_boundary_mm,
        "found_ml": 0.0 if seen.mask is None else volume_ml(seen.mask, seen.row.spacing_mm),
    }


def _end_scores(seen: SeenVolume) -> tuple[EndScores, float]:
    """Return how far the ends are off, and the length that was found; 0 where none was."""
    row = seen.row
    if seen.ends is None or not np.isfinite(seen.ends).all():
        return missed_ends(seen.true_ends, seen.truth.shape, row.spacing_mm), 0.0
    scores = score_ends(seen.ends, seen.true_ends, row.spacing_mm)
    return scores, length_mm(seen.ends, row.spacing_mm)


def _ends(seen: SeenVolume) -> dict[str, Any]:
    """Return how well the ends lie, and the length beside its truth."""
    scores, found_mm = _end_scores(seen)
    one, other = scores.displacements_mm
    size = Size(seen.row.truth_mm["FL"], found_mm)
    return {"end_1_mm": one, "end_2_mm": other, "sizes": {"FL": size}}


def judged(seen: SeenVolume, predictor: Predictor3d) -> Case:
    """Compare what a model saw in a volume with its truth."""
    ref = predictor.info.ref
    scores: dict[str, Any] = _solid(seen) if _tells(predictor, SOLID) else {}
    scores |= _ends(seen) if _tells(predictor, ENDS) else {}
    case = case_of(
        seen.row,
        split=side(seen.row, predictor.info.details),
        routing=PREDICTED,
        model=f"{ref.name} {ref.sha256[:12]}",
        found_plane=seen.row.plane,
    )
    return replace(case, **scores, truth_ml=seen.truth_ml, flags=seen.flags, failure=seen.failure)


def judge_volume(row: VolumeRow, predictor: Predictor3d) -> Case:
    """Let a model measure one volume of a data set, and compare it with its truth.

    Raises:
        ImageError: the volume or its mask cannot be read.
        DataError: the mask is not of the volume's shape, or empty.
    """
    return judged(see_volume(row, predictor), predictor)


def evaluate_volumes(rows: Iterable[VolumeRow], predictor: Predictor3d) -> Iterator[Case]:
    """Judge the volumes one after another; one is in memory at a time."""
    return (judge_volume(row, predictor) for row in rows)


__all__ = [
    "ENDS",
    "SOLID",
    "Predictor3d",
    "SeenVolume",
    "evaluate_volumes",
    "judge_volume",
    "judged",
    "picture_rows",
    "see_volume",
    "true_ml",
    "volume_rows",
]
