"""What a network's maps say, in source pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import MIN_POINTS, Matrix, Outline, apply, invert, trace

#: Outline points closer than this to the image edge, in pixels of the map, follow the edge.
EDGE_MARGIN = 1.5


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
