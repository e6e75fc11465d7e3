"""Points, and affine maps of them as 2x3 matrices of (row, col, 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Matrix = NDArray[np.float64]


def apply(matrix: Matrix, points: Points) -> Points:
    """Map points (N, 2) by a 2x3 affine matrix of (row, col, 1)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def invert(matrix: Matrix) -> Matrix:
    """Return the inverse of a 2x3 affine matrix of (row, col, 1)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, -(linear @ matrix[:, 2:])])


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the 2x3 affine map that applies `inner` first and then `outer`."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.hstack([linear, outer[:, :2] @ inner[:, 2:] + outer[:, 2:]])


def letterbox(source: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """Return the 2x3 map of source pixels (row, col, 1) into a target of another shape.

    One scale for both axes, the picture in the middle, pixel centres on integers: the only
    place where the size of a network's input and the size of an image meet.
    """
    scale = min(target[0] / source[0], target[1] / source[1])
    size, room = np.array(source), np.array(target)
    shift = (room - scale * size) / 2 + scale / 2 - 0.5
    return np.hstack([np.eye(2) * scale, shift[:, None]])
