"""How far a measurement is from the truth: differences, overlap, distances, intervals.

numpy only, so that a model can be judged where there is no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError
from fetometry.geometry import Ellipse, Points

Values = NDArray[np.float64]


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks of one shape; two empty masks agree wholly."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 1.0 if total == 0 else float(2 * np.count_nonzero(one & other) / total)


def hausdorff(one: Points, other: Points) -> float:
    """Return the largest distance of a point of one set (N, 2) to the nearest of the other."""
    squared = ((one[:, None, :] - other[None, :, :]) ** 2).sum(axis=-1)
    return float(np.sqrt(max(squared.min(axis=1).max(), squared.min(axis=0).max())))


def ellipse_overlap(one: Ellipse, other: Ellipse, shape: tuple[int, int]) -> float:
    """Return the Dice coefficient of two filled ellipses within an image of a shape."""
    return dice(one.mask(shape), other.mask(shape))


def ellipse_hausdorff_mm(one: Ellipse, other: Ellipse, spacing_mm: tuple[float, float]) -> float:
    """Return the Hausdorff distance of two ellipse outlines, in mm, on 720 points each."""
    return hausdorff(one.scaled(*spacing_mm).points(720), other.scaled(*spacing_mm).points(720))


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: Sequence[float] | Values,
    groups: Sequence[str],
    statistic: Callable[[Values], float] = lambda v: float(np.mean(v)),
    *,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Return a statistic of the values with a 95 % percentile interval, resampling whole groups.

    Images of one exam are not independent, so exams are drawn, not images.

    Raises:
        DataError: there is not one group for each value.

    References:
        Efron B, Tibshirani R. An Introduction to the Bootstrap. 1993, chapters 8 and 13.
    """
    array = np.asarray(values, np.float64)
    names = np.asarray(groups)
    if len(array) != len(names):
        raise DataError(f"{len(array)} values for {len(names)} groups")
    members = [np.flatnonzero(names == name) for name in dict.fromkeys(groups)]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        chosen = rng.integers(0, len(members), len(members))
        found.append(statistic(array[np.concatenate([members[i] for i in chosen])]))
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(statistic(array), float(low), float(high))
