"""The ossified shaft of a femur in three dimensions: curved, flared, with exactly known ends.

Points are (..., 3) of (slice, row, col) in mm, with the centre of the first voxel at (0, 0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.phantom.probe import Field

Mask = NDArray[np.bool_]

#: The end of the bone falls back by this share of its radius from its middle to its rim.
END_ROUND = 0.25

#: Slabs in which the volume of the shaft is summed; it is then right to 1e-6.
SLABS = 20_000


@dataclass(frozen=True)
class Shaft:
    """A bowed rod that widens towards its ends.

    `ends_mm` (2, 3) are the middles of the end surfaces, hip first. At the middle the centre line
    is off the straight line between them by `bow_mm` towards the unit vector `bow_direction`
    (3,), at right angles to that line. There the radius is `radius_mm`; at hip and knee it is
    larger by the shares `flare`, and grows to that with the fourth power of the way.
    """

    ends_mm: Points
    bow_direction: Points
    bow_mm: float
    radius_mm: float
    flare: tuple[float, float]

    @property
    def length_mm(self) -> float:
        """Straight distance between the ends, as callipers measure it."""
        return float(np.linalg.norm(self.ends_mm[1] - self.ends_mm[0]))

    @cached_property
    def axes(self) -> Points:
        """Unit vectors (3, 3), as rows: along the shaft to the knee, along the bow, across both."""
        along = (self.ends_mm[1] - self.ends_mm[0]) / self.length_mm
        return np.stack([along, self.bow_direction, np.cross(along, self.bow_direction)])

    @property
    def _rounding_per_mm(self) -> float:
        return END_ROUND / (self.radius_mm * (1 + max(self.flare)))

    def local(self, points_mm: Field) -> tuple[Field, Field, Field]:
        """Return the coordinates on `axes` from the middle between the ends, each (...)."""
        middle = self.ends_mm.mean(axis=0)
        first, second, third = (points_mm[..., k] - np.float32(middle[k]) for k in range(3))
        along, bow, across = (
            first * axis[0] + second * axis[1] + third * axis[2]
            for axis in self.axes.astype(np.float32)
        )
        return along, bow, across

    def _radius(self, along: Field) -> tuple[Field, Field]:
        """Return the radius and its slope at each place along the shaft."""
        share = np.clip(along / np.float32(self.length_mm / 2), -1, 1)
        flare = np.where(share < 0, *(np.float32(widening) for widening in self.flare))
        cube = share * share * share  # much quicker than a power
        radius = np.float32(self.radius_mm) * (1 + flare * cube * share)
        return radius, flare * cube * np.float32(8 * self.radius_mm / self.length_mm)

    def distance(self, points_mm: Field) -> Field:
        """Return the distance (...) in mm from the surface, negative inside.

        Its sign is exact; its size is to first order, and good near the surface.
        """
        along, bow, across = self.local(points_mm)
        share = np.clip(along / np.float32(self.length_mm / 2), -1, 1)
        off = np.hypot(bow - np.float32(self.bow_mm) * (1 - share * share), across)
        radius, slope = self._radius(along)
        side = (off - radius) / np.hypot(np.float32(1), slope)
        end = np.abs(along) + self._rounding_per_mm * off * off - np.float32(self.length_mm / 2)
        return np.asarray(np.maximum(side, end), dtype=np.float32)

    @cached_property
    def volume_ml(self) -> float:
        """Volume of what `distance` calls inside, in mL.

        Across the straight line every section is a disc: the bow shifts them, and changes none.
        """
        half, step = self.length_mm / 2, self.length_mm / SLABS
        along = (np.arange(SLABS) + 0.5) * step - half
        radius, _ = self._radius(along.astype(np.float32))
        square = np.minimum(
            np.square(radius, dtype=np.float64), (half - np.abs(along)) / self._rounding_per_mm
        )
        return float(np.pi * np.sum(square) * step / 1000)

    def mask(self, shape: tuple[int, int, int], voxel_mm: float) -> Mask:
        """Return which voxels (D, H, W) have their centre in the bone."""
        inside = np.zeros(shape, np.bool_)
        reach = self.radius_mm * (1 + max(self.flare)) + abs(self.bow_mm)
        low = np.floor((self.ends_mm.min(axis=0) - reach) / voxel_mm).astype(int)
        high = np.ceil((self.ends_mm.max(axis=0) + reach) / voxel_mm).astype(int) + 1
        ranges = [np.arange(max(a, 0), min(b, n)) for a, b, n in zip(low, high, shape, strict=True)]
        if min(map(len, ranges)) > 0:
            points = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
            near = self.distance((points * voxel_mm).astype(np.float32)) <= 0
            inside[tuple(slice(r[0], r[-1] + 1) for r in ranges)] = near
        return inside
