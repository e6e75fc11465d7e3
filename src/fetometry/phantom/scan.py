"""A fetal head of known size, as an ultrasound machine would show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import UsageError
from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.phantom.anatomy import TISSUE_LOSS, head_medium, maturity
from fetometry.phantom.probe import Field, Grid, Probe, Screen
from fetometry.phantom.speckle import Console, compress, envelope
from fetometry.types import checked_spacing

HC_RANGE_MM = (40.0, 420.0)
CEPHALIC_INDEX_RANGE = (0.6, 1.0)
SIDE_RANGE_PX = (300, 2048)

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
        _check("HC", self.hc_mm, HC_RANGE_MM, unit=" mm", ask=". Is it in cm?")
        _check("cephalic index (BPD / OFD)", self.cephalic_index, CEPHALIC_INDEX_RANGE)
        for side in self.shape:
            _check("each side of the picture", side, SIDE_RANGE_PX, unit=" pixels")
        if not all(map(math.isfinite, (self.angle_deg, *self.offset_mm))):
            raise UsageError("angle and offset must be finite numbers")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, got {self.seed}")
        checked_spacing(*self.screen.spacing_mm)
        outline = self.ellipse_mm.points()
        inside = (outline >= 0) & (outline <= np.array(self.screen.size_mm))
        if np.mean(inside.all(axis=1)) < 0.5:
            raise UsageError(
                f"less than half of the head lies in the picture of {self.screen.size_mm[0]:.0f} x "
                f"{self.screen.size_mm[1]:.0f} mm; move it or give larger pixels"
            )

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
        a, b = self.semi_axes_mm
        turn = math.radians(self.angle_deg)
        width = 2 * math.hypot(a * math.cos(turn), b * math.sin(turn))
        height = 2 * math.hypot(a * math.sin(turn), b * math.cos(turn))
        zoom = 0.7 + 0.3 * maturity(self.hc_mm)
        pixel_mm = max(width / FILLS[0] / self.shape[1], height / FILLS[1] / self.shape[0]) / zoom
        return Screen(self.shape, (round(pixel_mm, 4), round(pixel_mm, 4)))

    @property
    def ellipse_mm(self) -> Ellipse:
        """Outer edge of the skull, in mm from the centre of the first pixel."""
        row, col = self.screen.center_mm
        center = (row + self.offset_mm[0], col + self.offset_mm[1])
        return Ellipse(center, self.semi_axes_mm, self.angle_deg)


def _check(
    what: str, value: float, allowed: tuple[float, float], *, unit: str = "", ask: str = ""
) -> None:
    low, high = allowed
    if not low <= value <= high:  # also refuses NaN
        raise UsageError(f"{what} must be {low:g} to {high:g}{unit}, got {value:g}{ask}")


@dataclass(frozen=True)
class HeadPhantom:
    """A picture (H, W) uint8 of a head, and the truth about it.

    `truth` is the outer edge of the skull in pixels of the picture.
    """

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


def _probe(screen: Screen, rng: np.random.Generator) -> Probe:
    """Put an abdominal probe above the picture, as wide and as deep as the picture asks."""
    height, width = screen.size_mm
    radius, face_row = 60.0, rng.uniform(0.02, 0.05) * height
    # the sides of the sector leave the picture at 0.5 to 0.65 of its height
    leave = radius + rng.uniform(0.5, 0.65) * height
    return Probe(
        face_mm=(face_row, screen.center_mm[1] + rng.normal(0, 0.02) * width),
        radius_mm=radius,
        half_angle_deg=float(np.degrees(np.arctan2(width / 2, leave))),
        depth_mm=1.08 * height,
        focus_mm=0.55 * height,
        focal_zone_mm=0.6 * height,
        frequency_mhz=float(np.clip(3.5 * (100 / height) ** 0.9, 1.5, 10.0)),
    )


def _console(grid: Grid, rng: np.random.Generator) -> Console:
    """Set the machine like a sonographer in a hurry."""
    depth = grid.depth_mm / grid.depth_mm[-1]
    sliders = np.interp(depth, np.linspace(0, 1, 6), rng.normal(0, 1.2, 6))
    side = grid.angle_rad / np.radians(grid.probe.half_angle_deg)
    contact = np.interp(side, np.linspace(-1, 1, 12), rng.normal(0, 1.0, 12)) - 6 * side**4
    paths = rng.uniform(0.04, 0.45, 9) * grid.depth_mm[-1]
    strengths = 10 ** (rng.uniform(-37, -28, 9) / 20) * np.exp(2j * np.pi * rng.random(9))
    return Console(
        tgc=0.9 * TISSUE_LOSS,
        gain_db=(sliders[:, None] + contact).astype(np.float32),
        echoes=tuple(zip(paths.tolist(), strengths.tolist(), strict=True)),
        looks=3,
        gamma=1.8,
    )


def _ruler(picture: Field, screen: Screen, face_row_mm: float) -> None:
    """Draw the depth ruler at the left edge: a tick every 10 mm, a longer one every 50 mm.

    A tick is as bright in two neighbouring rows as it is close to each: its centroid is exact.
    """
    unit = max(2, screen.shape[1] // 130)
    for number in range(int((screen.size_mm[0] - face_row_mm) // 10) + 1):
        row = (face_row_mm + 10 * number) / screen.spacing_mm[0]
        first = int(row)
        length = 2 * unit if number % 5 == 0 else unit
        for line, share in ((first, first + 1 - row), (first + 1, row - first)):
            if line < screen.shape[0]:
                tick = picture[line, unit : unit + length]
                np.maximum(tick, np.float32(220 * share), out=tick)


def _label(pixels: NDArray[np.uint8]) -> None:
    """Write on it what it is, in the corner that no beam reaches."""
    size = pixels.shape[1] / 1800
    place = (round(44 * size), round(40 * size))
    cv2.putText(pixels, "PHANTOM", place, cv2.FONT_HERSHEY_SIMPLEX, size, 140, 1, cv2.LINE_AA)


def head(spec: HeadSpec) -> HeadPhantom:
    """Scan a head: lay the tissue, receive its echoes, draw the picture.

    The same spec gives the same bytes.
    """
    rng = np.random.default_rng(spec.seed)
    screen = spec.screen
    grid = _probe(screen, rng).grid()
    console = _console(grid, rng)
    medium = head_medium(spec.ellipse_mm, grid, rng)
    grey = compress(envelope(medium, grid, console, rng), console)
    picture = grid.scan_convert(grey, screen) * grid.sector(screen)
    _ruler(picture, screen, grid.probe.face_mm[0])
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    _label(pixels)
    row_mm, col_mm = screen.spacing_mm
    truth = spec.ellipse_mm.scaled(1 / row_mm, 1 / col_mm)
    return HeadPhantom(pixels, truth, screen.spacing_mm, spec.seed)
