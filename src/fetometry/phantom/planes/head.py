"""A fetal head of known size, as an ultrasound machine would show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.phantom.anatomy.head import GROWTH_HC_MM, head_medium
from fetometry.phantom.anatomy.tissue import maturity
from fetometry.phantom.probe import Screen
from fetometry.phantom.scan import scan
from fetometry.phantom.truth import ellipse_facts
from fetometry.phantom.view import (
    check_inside,
    check_picture,
    check_range,
    ellipse_extent_mm,
    zoomed,
)
from fetometry.types import checked_spacing

HC_RANGE_MM = (40.0, 420.0)
CEPHALIC_INDEX_RANGE = (0.6, 1.0)

#: Share of the picture's width and height that a head fills when the pixel size is left open.
FILLS = (0.62, 0.70)


@dataclass(frozen=True)
class HeadSpec:
    """What to show: a head of this circumference, in this picture.

    `cephalic_index` is BPD / OFD. `angle_deg` turns the long axis from the column axis towards
    the row axis, and `offset_mm` (row, col) moves the head from the middle of the picture.
    Without `mm_per_px` (row, col) the head fills the picture as an operator would zoom it.

    Raises:
        UsageError: a value is out of range, or most of the head lies outside the picture.
        SpacingError: the pixel size is not believable.
    """

    hc_mm: float = 250.0
    cephalic_index: float = 0.79
    angle_deg: float = 0.0
    offset_mm: tuple[float, float] = (0.0, 0.0)
    mm_per_px: tuple[float, float] | None = None
    shape: tuple[int, int] = (540, 800)
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("HC", self.hc_mm, HC_RANGE_MM, unit=" mm", ask=". Is it in cm?")
        check_range("cephalic index (BPD / OFD)", self.cephalic_index, CEPHALIC_INDEX_RANGE)
        check_picture(self.shape, self.seed, (self.angle_deg, *self.offset_mm))
        checked_spacing(*self.screen.spacing_mm)
        check_inside("head", self.ellipse_mm.points(), self.screen)

    @property
    def semi_axes_mm(self) -> tuple[float, float]:
        """Half of OFD and of BPD, such that the circumference is the one wished for."""
        a = self.hc_mm / ellipse_circumference(1.0, self.cephalic_index)
        return a, a * self.cephalic_index

    @property
    def screen(self) -> Screen:
        """The picture, with the pixel size settled."""
        if self.mm_per_px is not None:
            return Screen(self.shape, self.mm_per_px)
        extent_mm = ellipse_extent_mm(self.semi_axes_mm, self.angle_deg)
        zoom = 0.7 + 0.3 * maturity(self.hc_mm, GROWTH_HC_MM)
        return zoomed(self.shape, extent_mm, FILLS, zoom)

    @property
    def ellipse_mm(self) -> Ellipse:
        """Outer edge of the skull, in mm from the centre of the first pixel."""
        row, col = self.screen.center_mm
        center = (row + self.offset_mm[0], col + self.offset_mm[1])
        return Ellipse(center, self.semi_axes_mm, self.angle_deg)


@dataclass(frozen=True)
class HeadPhantom:
    """A picture (H, W) uint8 of a head, and the truth about it.

    `truth` is the outer edge of the skull in pixels of the picture.
    """

    plane: ClassVar[str] = "head"

    pixels: NDArray[np.uint8]
    truth: Ellipse
    spacing_mm: tuple[float, float]
    seed: int

    @property
    def truth_mm(self) -> Ellipse:
        """The outer edge of the skull, in mm."""
        return self.truth.scaled(*self.spacing_mm)

    @property
    def hc_mm(self) -> float:
        """Head circumference."""
        return self.truth_mm.circumference

    @property
    def bpd_mm(self) -> float:
        """Biparietal diameter, outer to outer."""
        return 2 * self.truth_mm.semi_axes[1]

    @property
    def ofd_mm(self) -> float:
        """Occipitofrontal diameter, outer to outer."""
        return 2 * self.truth_mm.semi_axes[0]

    @property
    def facts(self) -> dict[str, object]:
        """HC, BPD and OFD, and the outer edge of the skull; ready for JSON."""
        return {
            "hc_mm": self.hc_mm,
            "bpd_mm": self.bpd_mm,
            "ofd_mm": self.ofd_mm,
            "ellipse": ellipse_facts(self.truth),
        }


def head(spec: HeadSpec) -> HeadPhantom:
    """Scan a head: lay the tissue, receive its echoes, draw the picture.

    The same spec gives the same bytes.
    """
    screen = spec.screen
    pixels = scan(screen, spec.seed, lambda grid, rng: head_medium(spec.ellipse_mm, grid, rng))
    row_mm, col_mm = screen.spacing_mm
    truth = spec.ellipse_mm.scaled(1 / row_mm, 1 / col_mm)
    return HeadPhantom(pixels, truth, screen.spacing_mm, spec.seed)
