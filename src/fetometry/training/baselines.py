"""What is known without looking at the picture: how well must a model do to be worth anything?

A baseline is a mean of the training side, plane by plane. It is judged as a model is, into the
same per-image results. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from fetometry.errors import DataError, RecipeError
from fetometry.training.cases import Case, Size
from fetometry.training.data import AnyRow, VolumeRow
from fetometry.training.evaluate import PREDICTED, case_of
from fetometry.training.evaluate_volumes import true_ml
from fetometry.types import MAIN


@dataclass(frozen=True)
class _Known:
    """One true measurement, and the millimetres of a pixel, or of a voxel, along it."""

    mm: float
    mm_per_px: float


def _known(row: AnyRow) -> _Known | None:
    """Return the plane's main measurement, where it is known."""
    truth = row.truth_mm.get(MAIN.get(row.plane, ""))
    if truth is None or row.spacing_mm is None:
        return None
    area = float(np.prod(row.spacing_mm))
    return _Known(truth, math.cbrt(area) if isinstance(row, VolumeRow) else math.sqrt(area))


def _mean_mm(train: Sequence[_Known]) -> Callable[[_Known], float]:
    mean = fmean(known.mm for known in train)
    return lambda _: mean


def _mean_px(train: Sequence[_Known]) -> Callable[[_Known], float]:
    mean = fmean(known.mm / known.mm_per_px for known in train)
    return lambda known: mean * known.mm_per_px


#: "mean-mm": always the mean in millimetres. "mean-px": the mean in pixels of the source, times
#: the image's own pixel size, by which a sonographer zooms in on what is small.
BASELINES: Mapping[str, Callable[[Sequence[_Known]], Callable[[_Known], float]]] = {
    "mean-mm": _mean_mm,
    "mean-px": _mean_px,
}


def judge(kind: str, train: Iterable[AnyRow], rows: Iterable[AnyRow], model: str) -> list[Case]:
    """Judge a baseline of the rows `train` on the rows `rows`; `model` is what it is called.

    Of volumes it tells the length alone.

    Raises:
        DataError: the training side has no such measurement.
        RecipeError: there is no such baseline.
    """
    if kind not in BASELINES:
        raise RecipeError(f"baseline must be one of {', '.join(BASELINES)}, got {kind!r}")
    by_plane: dict[str, list[_Known]] = {}
    for row in train:
        if known := _known(row):
            by_plane.setdefault(row.plane, []).append(known)
    told = {plane: BASELINES[kind](known) for plane, known in by_plane.items()}
    return [_case(row, told, model) for row in rows]


def _case(row: AnyRow, told: Mapping[str, Callable[[_Known], float]], model: str) -> Case:
    known, sizes = _known(row), {}
    if known:
        if row.plane not in told:
            raise DataError(f"the training side has no {MAIN[row.plane]} to take the mean of")
        sizes = {MAIN[row.plane]: Size(known.mm, told[row.plane](known))}
    case = case_of(row, split=row.split, routing=PREDICTED, model=model, found_plane=row.plane)
    if isinstance(row, VolumeRow):
        case = replace(case, truth_ml=true_ml(row))
    return replace(case, sizes=sizes)


__all__ = ["BASELINES", "judge"]
