"""How far a measurement is from the truth: differences, overlap, distances, intervals.

numpy only, so that a model can be judged where there is no torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError
from fetometry.geometry import Ellipse, Points

Values = NDArray[np.float64]

#: Resamples of a bootstrap interval.
DRAWS = 2000

#: Limits of agreement are so many standard deviations either side of the bias.
AGREEMENT_SD = 1.96


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks of one shape; two empty masks agree wholly."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 1.0 if total == 0 else float(2 * np.count_nonzero(one & other) / total)


def pixel_accuracy(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the share of pixels in which two masks of one shape agree."""
    return float(np.mean(one == other))


def mean_iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the mean over inside and outside of intersection over union of two masks of one shape.

    What neither of them has agrees wholly. Outside is the larger part of most images, so that
    this is above the intersection over union of the structure alone.
    """
    return (_iou(one, other) + _iou(~one, ~other)) / 2


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(one | other)
    return 1.0 if union == 0 else float(np.count_nonzero(one & other) / union)


def hausdorff(one: Points, other: Points) -> float:
    """Return the largest distance of a point of one set (N, 2) to the nearest of the other."""
    squared = ((one[:, None, :] - other[None, :, :]) ** 2).sum(axis=-1)
    return float(np.sqrt(max(squared.min(axis=1).max(), squared.min(axis=0).max())))


def ellipse_hausdorff_mm(one: Ellipse, other: Ellipse, spacing_mm: tuple[float, float]) -> float:
    """Return the Hausdorff distance of two ellipse outlines, in mm, on 720 points each."""
    return hausdorff(one.scaled(*spacing_mm).points(720), other.scaled(*spacing_mm).points(720))


def end_error_mm(one: Points, other: Points, spacing_mm: tuple[float, float]) -> float:
    """Return the mean distance in mm of the ends (2, 2) of two lines, in pixels.

    The ends of a line have no order: of the two ways to match them, the nearer one counts.
    """
    mm = np.array(spacing_mm)
    straight, crossed = (
        float(np.linalg.norm((one - ends) * mm, axis=1).mean()) for ends in (other, other[::-1])
    )
    return min(straight, crossed)


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval."""

    value: float
    low: float
    high: float


def multiplicities(groups: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Values:
    """Return how often each value is in each resample (draws, N), whole groups being drawn.

    Images of one exam are not independent, so exams are drawn, not images.
    """
    order = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    drawn = np.random.default_rng(seed).integers(0, len(order), (draws, len(order)))
    flat = drawn + len(order) * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * len(order)).reshape(draws, -1)
    return counts[:, [order[name] for name in groups]].astype(np.float64)


def _interval(found: Values, value: float) -> Estimate:
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def bootstrap(
    values: Sequence[float] | Values,
    groups: Sequence[str],
    statistic: Callable[[Values], float] = lambda v: float(np.mean(v)),
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return a statistic of the values with a 95 % percentile interval, resampling whole groups.

    The statistic may not depend on the order of the values, or of the rows of an array (N, ...).

    Raises:
        DataError: there is not one group for each value.

    References:
        Efron B, Tibshirani R. An Introduction to the Bootstrap. 1993, chapters 8 and 13.
    """
    array = np.asarray(values, np.float64)
    if len(array) != len(groups):
        raise DataError(f"{len(array)} values for {len(groups)} groups")
    counts = multiplicities(groups, draws=draws, seed=seed).astype(np.int64)
    found = np.array([statistic(np.repeat(array, drawn, axis=0)) for drawn in counts])
    return _interval(found, statistic(array))


@dataclass(frozen=True)
class Agreement:
    """How differences agree with zero: each statistic with its interval over groups.

    `mean_absolute` is the mean absolute difference, `bias` the mean signed one; the limits of
    agreement are bias -+ 1.96 SD.

    References:
        Bland JM, Altman DG. Lancet 1986;327:307-310.
    """

    mean_absolute: Estimate
    bias: Estimate
    low_limit: Estimate
    high_limit: Estimate
    largest: Estimate


def agreement(differences: Sequence[float] | Values, groups: Sequence[str]) -> Agreement:
    """Return the statistics of differences, the intervals resampling whole groups.

    They are those of `bootstrap`, all from the same resamples and without a loop over them.

    Raises:
        DataError: there is no difference, or not one group for each.
    """
    values, counts = _with_counts(differences, groups)
    found = _statistics(values, counts)
    return Agreement(**{name: _interval(v[:-1], float(v[-1])) for name, v in found.items()})


def mean(values: Sequence[float] | Values, groups: Sequence[str]) -> Estimate:
    """Return the mean of values with its interval over groups: `bootstrap` without a loop.

    Raises:
        DataError: there is no value, or not one group for each.
    """
    array, counts = _with_counts(values, groups)
    found = counts @ array / counts.sum(axis=1)
    return _interval(found[:-1], float(found[-1]))


def share(held: Sequence[bool], groups: Sequence[str]) -> Estimate:
    """Return the share in % of what holds, with its interval over groups.

    Raises:
        DataError: there is nothing to hold, or not one group for each.
    """
    return mean([100.0 * bool(h) for h in held], groups)


def _with_counts(values: Sequence[float] | Values, groups: Sequence[str]) -> tuple[Values, Values]:
    """Return values (N,) and how often each is in each resample (D + 1, N), the last the sample.

    Raises:
        DataError: there is no value, or not one group for each.
    """
    array = np.asarray(values, np.float64)
    if not len(array) or len(array) != len(groups):
        raise DataError(f"{len(array)} values for {len(groups)} groups have no statistics")
    return array, _resamples(tuple(groups))


@functools.lru_cache(maxsize=1)  # a table asks for several statistics of the same images
def _resamples(groups: tuple[str, ...]) -> Values:
    counts = np.vstack([multiplicities(groups), np.ones(len(groups))])
    counts.flags.writeable = False
    return counts


def _statistics(values: Values, counts: Values) -> Mapping[str, Values]:
    """Return the statistics (D,) of values (N,) that are so often (D, N) in a resample."""
    size = counts.sum(axis=1)
    middle = values.mean()  # taken off first: squares of large numbers lose the small spread
    shift = counts @ (values - middle) / size
    squares = counts @ np.square(values - middle) - size * np.square(shift)
    # one value alone has no spread
    sd = np.sqrt(np.clip(squares, 0, None) / np.maximum(size - 1, 1))
    bias = middle + shift
    return {
        "mean_absolute": counts @ np.abs(values) / size,
        "bias": bias,
        "low_limit": bias - AGREEMENT_SD * sd,
        "high_limit": bias + AGREEMENT_SD * sd,
        "largest": np.where(counts > 0, np.abs(values), 0.0).max(axis=1),
    }


__all__ = [
    "AGREEMENT_SD",
    "Agreement",
    "Estimate",
    "Values",
    "agreement",
    "bootstrap",
    "dice",
    "ellipse_hausdorff_mm",
    "end_error_mm",
    "hausdorff",
    "mean",
    "mean_iou",
    "multiplicities",
    "pixel_accuracy",
    "share",
]
