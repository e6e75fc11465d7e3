"""Flat cuts through a volume: along the index axes, and along a bone.

Points are (slice, row, col) in voxels; places on a cut are (down, right) in mm from its middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.geometry import Points
from fetometry.geometry.solid import Box, Mask
from fetometry.types import VolumeFinding
from fetometry.volume import Volume

#: Room round the bone in a cut along it, at its ends and to its sides.
BEYOND_MM, BESIDE_MM = 15.0, 20.0

#: A bone bowed by less is taken to be straight: any cut along it holds all of it.
BOW_MM = 1.0

#: Two directions whose cosine is larger are taken to be the same.
_ALIKE = 0.9


@dataclass(frozen=True)
class Cut:
    """A flat cut of `size_mm` (down, right) about `middle` (3,), a voxel of the source.

    `axes` (2, 3) are the directions of down and right: vectors of length 1 in mm along the index
    axes; `title` says what is cut.
    """

    title: str
    middle: Points
    axes: Points
    spacing_mm: tuple[float, float, float]
    size_mm: tuple[float, float]

    def places(self, points: Points) -> Points:
        """Return where points (N, 3) of the volume lie on the cut, (N, 2) in mm."""
        return np.asarray(((points - self.middle) * self.spacing_mm) @ self.axes.T)

    def off(self, points: Points) -> Points:
        """Return how far (N,) points (N, 3) of the volume lie off the cut, in mm."""
        away = (points - self.middle) * self.spacing_mm
        return np.asarray(np.abs(away @ np.cross(self.axes[0], self.axes[1])))

    def voxels(self, px_per_mm: float) -> Points:
        """Return which point of the volume (h, w, 3) each pixel of the cut shows."""
        height, width = (max(1, round(size * px_per_mm)) for size in self.size_mm)
        down = (np.arange(height) + 0.5 - height / 2) / px_per_mm
        right = (np.arange(width) + 0.5 - width / 2) / px_per_mm
        steps = self.axes / self.spacing_mm
        return np.asarray(self.middle + down[:, None, None] * steps[0] + right[:, None] * steps[1])


def cuts(found: VolumeFinding, volume: Volume) -> list[Cut]:
    """Return a cut along the bone, then the slice, the row and the column through its middle.

    The first holds both ends, and the bow of the bone where it has one. The others are whole
    planes of voxels.
    """
    middle, ends = _middle(found), _ends(found)
    spacing = found.spacing_mm
    whole = np.array(volume.shape) * spacing
    center = (np.array(volume.shape) - 1) / 2
    names = ("slice", "row", "column")
    planes = []
    for fixed, (down, right) in ((0, (1, 2)), (1, (0, 2)), (2, (1, 0))):
        at = center.copy()
        at[fixed] = np.clip(round(middle[fixed]), 0, volume.shape[fixed] - 1)
        title = f"{names[fixed]} {at[fixed] + 1:.0f} of {volume.shape[fixed]}"
        said = f"{title}: {names[down]}s down, {names[right]}s across"
        size = (float(whole[down]), float(whole[right]))
        planes.append(Cut(said, at, np.eye(3)[[down, right]], spacing, size))
    axis = (ends[1] - ends[0]) * spacing
    length = float(np.linalg.norm(axis))
    axes = np.stack([_across(axis / length, ends, middle, spacing), axis / length])
    size = (2 * BESIDE_MM, length + 2 * BEYOND_MM)
    title = (
        "along the bone, through both ends" if found.ends_voxels is not None else "along the bone"
    )
    return [Cut(title, ends.mean(axis=0), axes, spacing, size), *planes]


def _across(
    along: Points, ends: Points, middle: Points, spacing: Points | tuple[float, ...]
) -> Points:
    """Return the direction (3,) in which a bone is bowed; of a straight one, downwards."""
    bow = (middle - ends[0]) * spacing
    bow = bow - (bow @ along) * along
    down = np.eye(3)[1]
    if abs(along @ down) > _ALIKE:
        down = np.eye(3)[2]
    wanted = bow if np.linalg.norm(bow) > BOW_MM else down - (down @ along) * along
    across = wanted / np.linalg.norm(wanted)
    return np.asarray(across if across @ down >= 0 else -across, np.float64)


def _shaft(mask: Mask, box: Box) -> Points:
    """Return the voxels (N, 3) of a mask in the volume."""
    return np.asarray(np.argwhere(mask) + np.array(box.start), np.float64)


def _ends(found: VolumeFinding) -> Points:
    """Return the ends (2, 3), the left one first, so that the bone runs to the right.

    Where none were marked, they are those of the mask along its long axis; of a finding that was
    read from a document and has neither, of its box.
    """
    if found.ends_voxels is not None:
        first, last = found.ends_voxels
        return np.stack([first, last] if first[2] <= last[2] else [last, first])
    mask = np.ones(found.box.shape, np.bool_) if found.mask is None else found.mask
    voxels = _shaft(mask, found.box) * found.spacing_mm
    middle = voxels.mean(axis=0)
    _, axes = np.linalg.eigh((voxels - middle).T @ (voxels - middle))
    reach = (voxels - middle) @ axes[:, -1]
    half = min(found.spacing_mm) / 2  # from the middle of a voxel to its face
    ends = middle + np.outer([reach.min() - half, reach.max() + half], axes[:, -1])
    return np.asarray(ends / found.spacing_mm)


def _middle(found: VolumeFinding) -> Points:
    """Return the middle (3,) of the middle third of the mask; without one, between the ends."""
    ends = _ends(found)
    if found.mask is None:
        return np.asarray(ends.mean(axis=0))
    voxels = _shaft(found.mask, found.box)
    axis = (ends[1] - ends[0]) * found.spacing_mm
    share = ((voxels - ends[0]) * found.spacing_mm) @ axis / float(axis @ axis)
    third = voxels[(share > 1 / 3) & (share < 2 / 3)]
    return np.asarray(third.mean(axis=0) if len(third) else voxels.mean(axis=0))
