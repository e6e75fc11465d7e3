"""Values of a volume between its voxels; the centre of the first voxel is (0, 0, 0)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry.affine import Points


def sampled(voxels: NDArray[Any], points: Points) -> NDArray[np.float32]:
    """Return the values (...) of voxels (D, H, W) at points (..., 3), linear between centres.

    Beyond the volume they are 0. No copy of the volume is made.
    """
    near = [_neighbours(points[..., axis], voxels.shape[axis]) for axis in range(3)]
    total = np.zeros(points.shape[:-1], np.float32)
    for (z, one), (row, two) in product(*near[:2]):
        above = one * two
        for col, three in near[2]:
            total += above * three * voxels[z, row, col]
    return total


def _neighbours(
    values: NDArray[np.float64], length: int
) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Return the voxels before and after each value along one axis, and how much each counts."""
    low = np.floor(values)
    share = (values - low).astype(np.float32)
    first = low.astype(np.intp)
    sides = []
    for index, weight in ((first, 1 - share), (first + 1, share)):
        there = (index >= 0) & (index < length)
        sides.append((np.where(there, index, 0), weight * there))
    return sides
