"""A volume in voxels of one size, and what was found there in the volume's own voxels.

Index order is (slice, row, col); the centre of voxel i is i. Nothing here copies a whole volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import SpacingError, UsageError
from fetometry.geometry import Points
from fetometry.geometry.solid import Box, Mask, Shape3d
from fetometry.volume import Spacing3d

#: More voxels than this are not made: at 1.2 mm a cube of 480 mm, more than any probe sees.
MOST_VOXELS = 64_000_000

#: A length that is longer than whole voxels by less than this share of one is rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Grid:
    """Cubes of `voxel_mm` laid over a box of a volume, from the outer corner of its first voxel.

    `scale` is how many voxels of the volume a cube is long along (slice, row, col). The last
    cubes may stick out of the box, by less than their length.
    """

    box: Box
    scale: tuple[float, float, float]
    shape: Shape3d

    def to_source(self, points: Points) -> Points:
        """Map points (N, 3) of the grid to voxels of the volume."""
        return np.asarray((points + 0.5) * self.scale - 0.5 + np.array(self.box.start))

    def source_box(self, part: Box) -> Box:
        """Return the smallest box of the volume's voxels that holds a box of cubes.

        It ends where the grid's own box does.
        """
        scale, first, last = np.array(self.scale), np.array(self.box.start), self.box.stop
        low = np.floor(first + part.start * scale + _ROUNDING).astype(int)
        high = np.minimum(np.ceil(first + part.stop * scale - _ROUNDING).astype(int), last)
        (a, b, c), (d, e, f) = np.minimum(low, high - 1).tolist(), high.tolist()
        return Box((a, b, c), (d, e, f))


def grid_over(box: Box, spacing_mm: Spacing3d, voxel_mm: float) -> Grid:
    """Lay cubes of `voxel_mm` over a box of a volume.

    Raises:
        SpacingError: that would be more than `MOST_VOXELS`.
    """
    lengths = [n * mm / voxel_mm for n, mm in zip(box.shape, spacing_mm, strict=True)]
    slices, rows, cols = (max(1, int(np.ceil(length - _ROUNDING))) for length in lengths)
    if slices * rows * cols > MOST_VOXELS:
        size = " x ".join(f"{length * voxel_mm:.0f}" for length in lengths)
        raise SpacingError(
            f"the volume measures {size} mm, more than {MOST_VOXELS:,} voxels of {voxel_mm:g} mm; "
            "is the size of its voxels right?"
        )
    a, b, c = (voxel_mm / mm for mm in spacing_mm)
    return Grid(box, (a, b, c), (slices, rows, cols))


@dataclass(frozen=True)
class _Averages:
    """How new voxels along an axis average old ones: weights (new, old) from old voxel `first`."""

    first: int
    weights: NDArray[np.float32]

    @property
    def old(self) -> slice:
        return slice(self.first, self.first + self.weights.shape[1])


def _averages(centers: NDArray[np.floating[Any]], width: float, length: int) -> _Averages:
    """Average old voxels of an axis of a length over `width` of them about each centre.

    Over a width of 1 that is linear interpolation; a voxel beyond an end is the last one's.
    """
    half = max(width, 1.0) / 2
    shifted = np.clip(centers, -half, length - 1 + half) + 0.5  # half a voxel or more is shared
    low, high = shifted - half, shifted + half
    first, last = max(0, int(np.floor(low.min()))), min(length, int(np.ceil(high.max())))
    edges = np.arange(first, last)
    shared = np.minimum(high[:, None], edges + 1) - np.maximum(low[:, None], edges)
    shared = np.clip(shared, 0, None)
    return _Averages(first, (shared / shared.sum(axis=1, keepdims=True)).astype(np.float32))


def _planes(
    level: NDArray[np.uint8 | np.floating[Any]], along: Sequence[_Averages]
) -> Iterator[NDArray[np.float32]]:
    """Yield one slice (h, w) after the other of a level (D, H, W), averaged along the three axes.

    Only the slices that one new slice needs are ever numbers of four bytes.
    """
    slices, rows, cols = along
    cut = level[slices.old, rows.old, cols.old]
    for weights in slices.weights:
        some = np.flatnonzero(weights)
        part = slice(some[0], some[-1] + 1)
        plane = np.tensordot(weights[part], cut[part].astype(np.float32), axes=1)
        yield rows.weights @ plane @ cols.weights.T


def resample(
    voxels: NDArray[np.uint8], spacing_mm: Spacing3d, voxel_mm: float, box: Box
) -> NDArray[np.uint8]:
    """Return a box of a volume (D, H, W) in cubes of `voxel_mm`: (d, h, w).

    Cube i lies about voxel (i + 0.5) * voxel_mm / spacing - 0.5 of the box. Larger cubes average
    exactly the part of each voxel that lies in them, so that speckle does not alias; smaller ones
    are interpolated linearly. What lies in the volume beyond the box counts at its rim.

    Raises:
        UsageError: the box is not within the volume.
        SpacingError: there would be too many cubes.
    """
    if min(box.start) < 0 or any(n < b for n, b in zip(voxels.shape, box.stop, strict=True)):
        raise UsageError(f"the box {box.start} to {box.stop} must lie within {voxels.shape}")
    grid = grid_over(box, spacing_mm, voxel_mm)
    along = [
        _averages((np.arange(new) + 0.5) * scale - 0.5 + start, scale, old)
        for new, scale, start, old in zip(
            grid.shape, grid.scale, box.start, voxels.shape, strict=True
        )
    ]
    result = np.empty(grid.shape, np.uint8)
    for number, plane in enumerate(_planes(voxels, along)):
        result[number] = np.rint(plane)
    return result


def inside(level: NDArray[np.floating[Any]], grid: Grid, part: Box) -> Mask:
    """Return which voxels of a part of the volume a level (d, h, w) on a grid has above 0.

    The level is interpolated linearly, one slice after the other; voxels larger than the cubes
    average it.
    """
    along = [
        _averages((np.arange(a, b) + 0.5 - start) / scale - 0.5, 1 / scale, length)
        for a, b, start, scale, length in zip(
            part.start, part.stop, grid.box.start, grid.scale, level.shape, strict=True
        )
    ]
    result = np.empty(part.shape, np.bool_)
    for number, plane in enumerate(_planes(level, along)):
        result[number] = plane > 0
    return result
