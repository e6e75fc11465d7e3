"""A fetal abdomen of known size, as an ultrasound machine would show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Ellipse, Points, ellipse_circumference
from fetometry.phantom.anatomy.abdomen import GROWTH_AC_MM, abdomen_medium
from fetometry.phantom.anatomy.tissue import maturity
from fetometry.phantom.probe import Screen
from fetometry.phantom.scan import scan
from fetometry.phantom.truth import ellipse_facts, points_facts
from fetometry.phantom.view import (
    check_inside,
    check_picture,
    check_range,
    ellipse_extent_mm,
    zoomed,
)
from fetometry.types import checked_spacing

AC_RANGE_MM = (50.0, 420.0)

#: TAD / APAD. Nine in ten of the experts' own lie between 0.86 and 1.10.
ASPECT_RANGE = (0.8, 1.2)

#: Share of the picture's width and height that an abdomen fills when the pixel size is left open.
FILLS = (0.58, 0.70)


@dataclass(frozen=True)
class AbdomenSpec:
    """What to show: an abdomen of this circumference, in this picture.

    The default is as old as the default head: 27 weeks by AC (Hadlock FP et al. Radiology
    1984;152:497-501). `aspect` is TAD / APAD. `spine_deg` is where the spine lies, seen from the
    middle: from the column axis towards the row axis, so 0 is right, 90 below, 180 left.
    `offset_mm` (row, col) moves the abdomen from the middle of the picture. Without `mm_per_px`
    (row, col) it fills the picture as an operator would zoom it.

    Raises:
        UsageError: a value is out of range, or most of the abdomen lies outside the picture.
        SpacingError: the pixel size is not believable.
    """

    ac_mm: float = 228.0
    aspect: float = 0.97
    spine_deg: float = 190.0
    offset_mm: tuple[float, float] = (0.0, 0.0)
    mm_per_px: tuple[float, float] | None = None
    shape: tuple[int, int] = (540, 800)
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("AC", self.ac_mm, AC_RANGE_MM, unit=" mm", ask=". Is it in cm?")
        check_range("aspect (TAD / APAD)", self.aspect, ASPECT_RANGE)
        check_picture(self.shape, self.seed, (self.spine_deg, *self.offset_mm))
        checked_spacing(*self.screen.spacing_mm)
        check_inside("abdomen", self.ellipse_mm.points(), self.screen)

    @property
    def semi_axes_mm(self) -> tuple[float, float]:
        """Half of APAD and of TAD, such that the circumference is the one wished for."""
        apad = self.ac_mm / ellipse_circumference(1.0, self.aspect)
        return apad, apad * self.aspect

    @property
    def screen(self) -> Screen:
        """The picture, with the pixel size settled."""
        if self.mm_per_px is not None:
            return Screen(self.shape, self.mm_per_px)
        extent_mm = ellipse_extent_mm(self.semi_axes_mm, self.spine_deg)
        zoom = 0.65 + 0.35 * maturity(self.ac_mm, GROWTH_AC_MM)
        return zoomed(self.shape, extent_mm, FILLS, zoom)

    @property
    def spine(self) -> Points:
        """Unit vector (row, col) from the middle to the spine."""
        turn = math.radians(self.spine_deg)
        return np.array([math.sin(turn), math.cos(turn)])

    @property
    def ellipse_mm(self) -> Ellipse:
        """The outer edge of the skin, in mm from the centre of the first pixel."""
        row, col = self.screen.center_mm
        center = (row + self.offset_mm[0], col + self.offset_mm[1])
        apad, tad = self.semi_axes_mm
        long_deg = self.spine_deg if apad >= tad else self.spine_deg + 90
        return Ellipse(center, (max(apad, tad), min(apad, tad)), long_deg)


@dataclass(frozen=True)
class AbdomenPhantom:
    """A picture (H, W) uint8 of an abdomen, and the truth about it.

    `truth` is the outer edge of the skin in pixels of the picture. The ends (2, 2) of APAD, the
    diameter through the spine, and of TAD, across it, are pixels (row, col) on that edge; the
    first of `apad_px` is at the spine.
    """

    plane: ClassVar[str] = "abdomen"

    pixels: NDArray[np.uint8]
    truth: Ellipse
    apad_px: Points
    tad_px: Points
    spacing_mm: tuple[float, float]
    seed: int

    @property
    def truth_mm(self) -> Ellipse:
        """The outer edge of the skin, in mm."""
        return self.truth.scaled(*self.spacing_mm)

    @property
    def ac_mm(self) -> float:
        """Abdominal circumference, along the outer edge of the skin."""
        return self.truth_mm.circumference

    @property
    def apad_mm(self) -> float:
        """Anteroposterior diameter: through the spine, outer to outer."""
        return _length_mm(self.apad_px, self.spacing_mm)

    @property
    def tad_mm(self) -> float:
        """Transverse diameter: across the anteroposterior one, outer to outer."""
        return _length_mm(self.tad_px, self.spacing_mm)

    @property
    def facts(self) -> dict[str, object]:
        """AC, TAD and APAD, their ends, and the outer edge of the skin; ready for JSON."""
        return {
            "ac_mm": self.ac_mm,
            "tad_mm": self.tad_mm,
            "apad_mm": self.apad_mm,
            "ellipse": ellipse_facts(self.truth),
            "tad_px": points_facts(self.tad_px),
            "apad_px": points_facts(self.apad_px),
        }


def _length_mm(ends_px: Points, spacing_mm: tuple[float, float]) -> float:
    return float(np.linalg.norm((ends_px[1] - ends_px[0]) * spacing_mm))


def abdomen(spec: AbdomenSpec) -> AbdomenPhantom:
    """Scan an abdomen: lay the tissue, receive its echoes, draw the picture.

    The same spec gives the same bytes.
    """
    screen, outline = spec.screen, spec.ellipse_mm
    pixels = scan(
        screen, spec.seed, lambda grid, rng: abdomen_medium(outline, spec.spine, grid, rng)
    )
    apad, tad = spec.semi_axes_mm
    across = np.array([spec.spine[1], -spec.spine[0]])
    middle = np.array(outline.center)
    apad_px, tad_px = (
        np.stack([middle + reach, middle - reach]) / screen.spacing_mm
        for reach in (apad * spec.spine, tad * across)
    )
    row_mm, col_mm = screen.spacing_mm
    truth = outline.scaled(1 / row_mm, 1 / col_mm)
    return AbdomenPhantom(pixels, truth, apad_px, tad_px, screen.spacing_mm, spec.seed)
