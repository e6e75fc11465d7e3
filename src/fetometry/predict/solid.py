"""What a network's outputs say of a volume: the structure in source voxels, and its two ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.geometry.solid import (
    Box,
    Mask,
    bounding_box,
    counting_components_3d,
    largest_component_3d,
    peaks,
)
from fetometry.predict.resample import Grid, inside
from fetometry.volume import LEAST_APART_MM

#: Spots of each heatmap that are looked at for an end: the highest, at least this high of 1.
MOST_SPOTS, LEAST_SPOT = 5, 0.05

#: Spots nearer to each other than this, in voxels of the network, are one.
SPOTS_APART = 2.0

Level = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Structure:
    """The largest structure of a mask: its voxels in a box of the volume, and how many there are.

    `mask` has the shape of `box`.
    """

    box: Box
    mask: Mask
    candidates: int

    def within(self, box: Box) -> Mask:
        """Return the mask in a box that holds this one."""
        whole = np.zeros(box.shape, np.bool_)
        low = [a - b for a, b in zip(self.box.start, box.start, strict=True)]
        cut = tuple(slice(a, a + n) for a, n in zip(low, self.box.shape, strict=True))
        whole[cut] = self.mask
        return whole


def region_box(logits: Level, grid: Grid) -> Box | None:
    """Return the box in source voxels of all structures, or None where nothing is above 0.

    A shaft that is hidden in its middle is seen in parts. `logits` (d, h, w) lie on the grid.
    """
    mask = logits > 0
    if not mask.any():
        return None
    return grid.source_box(bounding_box(counting_components_3d(mask)))


def structure(logits: Level, grid: Grid) -> Structure | None:
    """Return the largest structure of logits (d, h, w) on a grid, in source voxels, or None.

    Only its own box is looked at in source voxels, which may be many times the network's. None
    where nothing is above 0, or so little that no source voxel is.
    """
    mask = logits > 0
    if not mask.any():
        return None
    largest, count = largest_component_3d(mask)
    box = grid.source_box(bounding_box(largest))
    mask = inside(logits, grid, box)
    if not mask.any():
        return None
    return Structure(box, largest_component_3d(mask)[0], count)


def choose_ends(heatmaps: Level, voxel_mm: float) -> Points | None:
    """Return the two ends (2, 3) in voxels of the heatmaps (2, d, h, w), one of each map, or None.

    Both are chosen together: the highest pair of spots that lie `LEAST_APART_MM` apart. A network
    that cannot tell one end from the other shows both in both maps, half as high, and the highest
    spot of each could be the same end. Where no pair lies that far apart, the highest pair is
    taken.
    """
    (one, first), (other, second) = (
        peaks(level, most=MOST_SPOTS, least=LEAST_SPOT, apart=SPOTS_APART) for level in heatmaps
    )
    if not len(one) or not len(other):
        return None
    heights = first[:, None] + second[None]  # (N, M)
    apart_mm = np.linalg.norm(one[:, None] - other[None], axis=-1) * voxel_mm
    far = apart_mm >= LEAST_APART_MM
    sums = np.where(far, heights, -np.inf) if far.any() else heights
    i, j = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return np.stack([one[i], other[j]])
