"""A fetal femur of known length, as an ultrasound machine would show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.phantom.anatomy.femur import femur_medium, shaft_mm
from fetometry.phantom.probe import Screen
from fetometry.phantom.scan import scan
from fetometry.phantom.truth import points_facts
from fetometry.phantom.view import check_inside, check_picture, check_range
from fetometry.types import checked_spacing

FL_RANGE_MM = (8.0, 90.0)

#: Turned further than this the shaft would lie along the beams, and hardly answer.
ANGLE_RANGE_DEG = (-60.0, 60.0)

#: Length of a shaft in mm, and the share of the picture's width that it fills when the pixel size
#: is left open: the medians of real images, which range from 0.22 to 0.61.
FILLS = ((8.0, 35.0, 60.0), (0.16, 0.38, 0.48))

#: The middle of the shaft lies at this share of the picture's height, as in real images.
HEIGHT = 0.36


@dataclass(frozen=True)
class FemurSpec:
    """What to show: a femur of this length, in this picture.

    The default is as old as the default head: 27 weeks by FL (Hadlock FP et al. Radiology
    1984;152:497-501). `angle_deg` turns the shaft from the column axis towards the row axis, and
    `offset_mm` (row, col) moves it from its place, in the middle of the width and above that of
    the height. Without `mm_per_px` (row, col) it fills the picture as an operator would zoom it.

    Raises:
        UsageError: a value is out of range, or most of the shaft lies outside the picture.
        SpacingError: the pixel size is not believable.
    """

    fl_mm: float = 51.0
    angle_deg: float = -4.0
    offset_mm: tuple[float, float] = (0.0, 0.0)
    mm_per_px: tuple[float, float] | None = None
    shape: tuple[int, int] = (540, 800)
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("FL", self.fl_mm, FL_RANGE_MM, unit=" mm", ask=". Is it in cm?")
        check_range("angle of the shaft", self.angle_deg, ANGLE_RANGE_DEG, unit=" degrees")
        check_picture(self.shape, self.seed, (self.angle_deg, *self.offset_mm))
        checked_spacing(*self.screen.spacing_mm)
        share = np.linspace(0, 1, 100)[:, None]
        check_inside("femur", (1 - share) * self.ends_mm[0] + share * self.ends_mm[1], self.screen)

    @property
    def screen(self) -> Screen:
        """The picture, with the pixel size settled."""
        if self.mm_per_px is not None:
            return Screen(self.shape, self.mm_per_px)
        pixel_mm = self.fl_mm / (float(np.interp(self.fl_mm, *FILLS)) * self.shape[1])
        return Screen(self.shape, (round(pixel_mm, 4), round(pixel_mm, 4)))

    @property
    def ends_mm(self) -> Points:
        """Ends of the shaft (2, 2), left one first, in mm from the centre of the first pixel."""
        turn = math.radians(self.angle_deg)
        half = self.fl_mm / 2 * np.array([math.sin(turn), math.cos(turn)])
        row = HEIGHT * self.screen.size_mm[0] + self.offset_mm[0]
        middle = np.array([row, self.screen.center_mm[1] + self.offset_mm[1]])
        return np.stack([middle - half, middle + half])


@dataclass(frozen=True)
class FemurPhantom:
    """A picture (H, W) uint8 of a femur, and the truth about it.

    `ends_px` (2, 2) are the ends (row, col) of the ossified shaft, left one first, and `width_mm`
    is how thick the shaft is seen at its middle.
    """

    plane: ClassVar[str] = "femur"

    pixels: NDArray[np.uint8]
    ends_px: Points
    width_mm: float
    spacing_mm: tuple[float, float]
    seed: int

    @property
    def fl_mm(self) -> float:
        """Femur length: the straight distance between the ends."""
        return float(np.linalg.norm((self.ends_px[1] - self.ends_px[0]) * self.spacing_mm))

    @property
    def facts(self) -> dict[str, object]:
        """FL, the ends and the thickness of the shaft; ready for JSON."""
        return {
            "fl_mm": self.fl_mm,
            "ends_px": points_facts(self.ends_px),
            "width_mm": self.width_mm,
        }


def femur(spec: FemurSpec) -> FemurPhantom:
    """Scan a thigh: lay the tissue, receive its echoes, draw the picture.

    The same spec gives the same bytes.
    """
    screen, ends_mm = spec.screen, spec.ends_mm
    pixels = scan(screen, spec.seed, lambda grid, rng: femur_medium(ends_mm, grid, rng))
    ends_px = np.asarray(ends_mm / screen.spacing_mm)
    return FemurPhantom(pixels, ends_px, shaft_mm(spec.fl_mm), screen.spacing_mm, spec.seed)
