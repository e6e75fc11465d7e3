"""The outline of what a map shows, to a fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry.affine import Points


@dataclass(frozen=True)
class Outline:
    """The iso-contour of a map: points (N, 2) in order, and how many structures it has."""

    points: Points
    candidates: int


def largest_component(inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
    """Return the largest connected part without its holes, and how many parts count.

    A part counts as a structure when it has at least a tenth of the largest one's pixels.

    Raises:
        MeasurementError: the mask is empty.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    if count < 2:
        raise MeasurementError("nothing was found")
    areas = stats[1:, cv2.CC_STAT_AREA]
    part: NDArray[Any] = (labels == 1 + int(np.argmax(areas))).astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(part, contours, -1, 1, thickness=cv2.FILLED)
    return part.astype(bool), int(np.count_nonzero(areas >= 0.1 * areas.max()))


def trace(level: NDArray[np.floating[Any]], threshold: float = 0.0) -> Outline:
    """Trace the sub-pixel outline of the largest structure of a map (H, W).

    The points are where the map crosses the threshold on the edges of the pixel grid, found by
    linear interpolation. Logits are more nearly linear across an edge than probabilities, so
    pass logits where there are any. The rim of the map is not an outline: a structure that runs
    out of the map has no points there.

    Raises:
        MeasurementError: nothing lies above the threshold.
    """
    values = level.astype(np.float64) - threshold
    part, candidates = largest_component(values > 0)
    found = []
    for axis in (0, 1):
        here, there = (
            tuple(slice(s, values.shape[k] - 1 + s) if k == axis else slice(None) for k in (0, 1))
            for s in (0, 1)
        )
        crossing = (part[here] != part[there]) & ((values[here] > 0) != (values[there] > 0))
        index = np.argwhere(crossing).astype(np.float64)
        low, high = values[here][crossing], values[there][crossing]
        index[:, axis] += low / (low - high)
        found.append(index)
    points = np.concatenate(found)
    around = points - points.mean(axis=0) if len(points) else points
    order = np.argsort(np.arctan2(around[:, 0], around[:, 1]))
    return Outline(points[order], candidates)
