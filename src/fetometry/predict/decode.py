"""What a network's outputs say: planes, outlines and ends, in source pixels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import MIN_POINTS, Matrix, Outline, Points, apply, invert, trace

#: Outline points closer than this to the image edge, in pixels of the map, follow the edge.
EDGE_MARGIN = 1.5

#: Spots that are looked at for the two ends: the brightest, at least as probable as this.
MOST_SPOTS, LEAST_SPOT = 6, 0.02

#: Ends nearer to each other than this, in pixels of the map, are one.
LEAST_APART = 4.0

#: How much the mask under a line counts beside the probabilities of its two ends.
SUPPORT_WEIGHT = 2.0

Map = NDArray[np.floating[Any]]


def sigmoid(logits: Map) -> NDArray[np.float64]:
    """Return probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60))))


def plane_probabilities(
    logits: Map, classes: Sequence[str], temperature: float
) -> dict[str, float]:
    """Return the probability of each class from its logit (C,), softened by a temperature.

    References:
        Guo C et al. On calibration of modern neural networks. ICML 2017, 1321-1330.
    """
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    return {name: float(share) for name, share in zip(classes, shares, strict=True)}


def _spots(level: NDArray[np.float64]) -> tuple[Points, NDArray[np.float64]]:
    """Return the brightest local maxima (N, 2) of a map of logits, to sub-pixels, and their logits.

    The logarithm of a Gaussian spot is a parabola: its top lies where that through the three
    nearest pixels along each axis has it.
    """
    log_p = np.log(sigmoid(level))
    highest = cv2.dilate(log_p.astype(np.float32), np.ones((3, 3), np.uint8))
    is_top = (log_p.astype(np.float32) >= highest) & (log_p >= np.log(LEAST_SPOT))
    index = np.argwhere(is_top)
    index = index[np.argsort(-log_p[tuple(index.T)], kind="stable")][:MOST_SPOTS]
    tops = [(_top(log_p[:, col], row), _top(log_p[row], col)) for row, col in index.tolist()]
    return np.array(tops).reshape(-1, 2), log_p[tuple(index.T)]


def plane_totals(planes: Mapping[str, float]) -> dict[str, float]:
    """Return the probability of each plane, all views of a plane together."""
    totals: dict[str, float] = {}
    for name, probability in planes.items():
        plane = name.partition(":")[0]
        totals[plane] = totals.get(plane, 0.0) + probability
    return totals


def _top(line: NDArray[np.float64], at: int) -> float:
    """Return where the parabola through three pixels round the highest one (N,) has its top."""
    middle = min(max(at, 1), len(line) - 2)
    before, here, after = line[middle - 1 : middle + 2]
    bend = before - 2 * here + after
    if not bend < 0:
        return float(at)
    return float(np.clip(middle + 0.5 * (before - after) / bend, at - 0.5, at + 0.5))


def _support(mask: NDArray[np.float64], one: Points, other: Points) -> float:
    """Return the mean probability of a map of logits along a line."""
    t = np.linspace(0.05, 0.95, 33)[:, None]
    at = np.rint(one + t * (other - one)).astype(int)
    rows = np.clip(at[:, 0], 0, mask.shape[0] - 1)
    cols = np.clip(at[:, 1], 0, mask.shape[1] - 1)
    return float(np.mean(sigmoid(mask[rows, cols])))


def find_ends(logits: Map, mask: Map) -> Points:
    """Return the two ends (2, 2) of a line in pixels of the map (h, w).

    Of all pairs of bright spots, the one that is most probable and whose line lies best on the
    mask, a map of logits of the same shape.

    Raises:
        MeasurementError: there are no two spots.
    """
    level, under = logits.astype(np.float64), mask.astype(np.float64)
    points, log_p = _spots(level)
    best, found = -np.inf, None
    for i, j in itertools.combinations(range(len(points)), 2):
        if np.linalg.norm(points[i] - points[j]) < LEAST_APART:
            continue
        support = _support(under, points[i], points[j])
        score = log_p[i] + log_p[j] + SUPPORT_WEIGHT * np.log(support + 0.02)
        if score > best:
            best, found = score, points[[i, j]]
    if found is None:
        raise MeasurementError("the two ends were not found")
    return found


def output_to_source(matrix: Matrix, stride: float) -> Matrix:
    """Return the 2x3 map from an output of a stride to source pixels.

    `matrix` maps source pixels to the network's input; output pixel i stands at
    stride * i + (stride - 1) / 2 of that input.
    """
    back = invert(matrix)
    linear = back[:, :2]
    middle = np.full(2, (stride - 1) / 2)
    return np.hstack([linear * stride, (linear @ middle + back[:, 2])[:, None]])


def mask_outline(
    logits: NDArray[np.floating[Any]], to_source: Matrix, shape: tuple[int, int]
) -> Outline:
    """Trace a map of logits (h, w) and return the visible outline in source pixels.

    Points outside the source image of `shape`, or along its edge, are left out: they are where
    the picture ends, not where the structure does.

    Raises:
        MeasurementError: nothing was found, or almost none of it is visible.
    """
    found = trace(logits)
    points = apply(to_source, found.points)
    margin = EDGE_MARGIN * float(np.linalg.norm(to_source[:, 0])) - 0.5
    last = np.array(shape) - 1
    visible = np.all((points >= margin) & (points <= last - margin), axis=1)
    if np.count_nonzero(visible) < MIN_POINTS:
        raise MeasurementError("the image edge cuts almost the whole outline")
    return Outline(points[visible], found.candidates)
