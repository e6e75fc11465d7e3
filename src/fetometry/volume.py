"""The nouns for 3D: a volume of grey voxels, and what a model saw in it.

What is measured there is a `types.VolumeFinding`. Index order is (slice, row, col) everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError, SpacingError
from fetometry.geometry import Points
from fetometry.geometry.solid import Box, Mask
from fetometry.types import SPACING_RANGE_MM, ModelRef

#: The sizes of a voxel (slice, row, col) in mm.
Spacing3d = tuple[float, float, float]

#: Ends of a shaft nearer to each other than this are not believed: the shortest femur that anybody
#: measures, at 13 weeks, is about as long.
LEAST_APART_MM = 15.0

#: Cubic millimetres in a millilitre.
MM3_PER_ML = 1000.0

#: How far from right angles, and from length 1, the directions of the axes may be.
AXES_TOLERANCE = 1e-3


def _identity() -> NDArray[np.float64]:
    return np.eye(3)[::-1].copy()


def volume_ml(mask: Mask, spacing_mm: Spacing3d) -> float:
    """Return the volume of the voxels of a mask (D, H, W), in mL."""
    return float(np.count_nonzero(mask) * np.prod(spacing_mm) / MM3_PER_ML)


def checked_spacing_3d(spacing_mm: Spacing3d) -> Spacing3d:
    """Return the spacing (slice, row, col) if all three numbers are believable.

    Raises:
        SpacingError: a number is not finite, not positive or outside `SPACING_RANGE_MM`.
    """
    low, high = SPACING_RANGE_MM
    # slices may lie farther apart than pixels do
    for value, most in zip(spacing_mm, (10 * high, high, high), strict=True):
        if not np.isfinite(value) or not low <= value <= most:
            raise SpacingError(
                f"voxels must measure {low} to {high:g} mm along rows and columns, and slices lie "
                f"up to {10 * high:g} mm apart; got {' x '.join(f'{s:g}' for s in spacing_mm)} "
                "(slices x rows x columns): is it in cm or in metres, or too coarse?"
            )
    slices, rows, cols = (float(value) for value in spacing_mm)
    return slices, rows, cols


@dataclass(frozen=True)
class Volume:
    """Grey voxels (D, H, W) uint8 with their spacing and orientation.

    `spacing_mm` is (slice, row, col), or None where the file does not say: `spacing_problem`
    then says why. `axes[i]` (3,) is the direction, in patient coordinates (x to the left, y to
    the back, z to the head), in which the index of axis i grows; `origin_mm` (3,) is where voxel
    (0, 0, 0) lies there.
    """

    voxels: NDArray[np.uint8]
    source: str
    spacing_mm: Spacing3d | None = None
    spacing_problem: str = ""
    axes: NDArray[np.float64] = field(default_factory=_identity)
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.dtype != np.uint8:
            raise ImageError(f"{self.source}: voxels must be (D, H, W) uint8")
        if min(self.voxels.shape) < 1:
            raise ImageError(f"{self.source}: the volume has no voxels")
        if self.spacing_mm is not None:
            checked_spacing_3d(self.spacing_mm)
        if self.axes.shape != (3, 3) or not np.allclose(
            self.axes @ self.axes.T, np.eye(3), atol=AXES_TOLERANCE
        ):
            raise ImageError(f"{self.source}: the axes must be three directions at right angles")
        if not np.isfinite(self.origin_mm).all():
            raise ImageError(f"{self.source}: where voxel (0, 0, 0) lies must be finite numbers")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns."""
        slices, rows, cols = self.voxels.shape
        return slices, rows, cols

    @property
    def known_spacing_mm(self) -> Spacing3d:
        """The spacing (slice, row, col).

        Raises:
            SpacingError: it is not known.
        """
        if self.spacing_mm is None:
            reason = self.spacing_problem or "the volume does not say how large a voxel is"
            raise SpacingError(
                f"{self.source}: no millimetres: {reason}; set the size of a voxel in the file "
                "(--mm-per-px and --spacing are for pictures)"
            )
        return self.spacing_mm

    def to_patient_mm(self, points: Points) -> Points:
        """Map points (N, 3) of (slice, row, col) to patient coordinates (x, y, z) in mm.

        Raises:
            SpacingError: the spacing is not known.
        """
        scaled = points * np.array(self.known_spacing_mm)
        return np.asarray(scaled @ self.axes + np.array(self.origin_mm))


@dataclass(frozen=True)
class VolumePrediction:
    """What a model saw in one volume, in source voxels (slice, row, col).

    `box` is the region of interest that it looked at, and `mask` (d, h, w) the voxels of the
    largest structure within that box, None of a model that draws none. `ends` (2, 3) are the two
    ends of the shaft, None of a model that marks none. `candidates` counts the separate
    structures seen, `flags` is what the model itself remarks.
    """

    model: ModelRef
    box: Box
    mask: Mask | None
    ends: Points | None
    candidates: int = 1
    flags: tuple[str, ...] = ()
