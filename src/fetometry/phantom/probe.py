"""The convex transducer: where its beams run, how sharp they are, and the picture they make.

Lengths are in mm and points are (row, col) in mm, with the centre of the first pixel at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points

Field = NDArray[np.float32]

#: Speed that every scanner assumes for soft tissue, in mm per microsecond.
SPEED_MM_PER_US = 1.54

#: Samples per resolution cell, so that linear interpolation keeps the speckle.
SAMPLES_PER_CELL = 6

#: Beams simulated beyond the edge of the sector; the lateral filter wraps round out there.
MARGIN_DEG = 4.0


@dataclass(frozen=True)
class Screen:
    """The picture: its shape (H, W) and the size of a pixel (row, col) in mm."""

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the picture, in mm."""
        return self.shape[0] * self.spacing_mm[0], self.shape[1] * self.spacing_mm[1]

    @property
    def center_mm(self) -> tuple[float, float]:
        """Middle of the picture (row, col), in mm from the centre of the first pixel."""
        rows, cols = self.shape
        return (rows - 1) / 2 * self.spacing_mm[0], (cols - 1) / 2 * self.spacing_mm[1]


@dataclass(frozen=True)
class Probe:
    """A curved array above the picture, looking down.

    `face_mm` (row, col) is the middle of its face, where depth is zero. The transmit focus lies
    at `focus_mm`; away from it the beam widens over `focal_zone_mm`.

    References:
        Szabo TL. Diagnostic Ultrasound Imaging: Inside Out. 2nd ed. Academic Press 2014,
        chapters 6, 7 and 10 (aperture, F-number, dynamic receive focusing).
    """

    face_mm: tuple[float, float]
    radius_mm: float
    half_angle_deg: float
    depth_mm: float
    focus_mm: float
    focal_zone_mm: float
    frequency_mhz: float = 3.5
    cycles: float = 4.0
    f_number: float = 3.5

    @property
    def wavelength_mm(self) -> float:
        """Wavelength in soft tissue."""
        return SPEED_MM_PER_US / self.frequency_mhz

    @property
    def axial_fwhm_mm(self) -> float:
        """Width of the pulse along the beam at half its height: half its length in space."""
        return self.cycles * self.wavelength_mm / 2

    @property
    def apex_mm(self) -> tuple[float, float]:
        """Point (row, col) where all beams would meet, behind the face."""
        return self.face_mm[0] - self.radius_mm, self.face_mm[1]

    def lateral_fwhm_mm(self, depth_mm: Points) -> Points:
        """Width of the beam at half its height, at each depth.

        At the focus it is 1.21 wavelengths times the F-number, as for any rectangular aperture;
        away from it the width grows as that of a Gaussian beam. Dynamic focusing on reception
        stretches the focal zone, which is why its length is a parameter of its own.
        """
        at_focus = 1.21 * self.wavelength_mm * self.f_number
        away = (depth_mm - self.focus_mm) / self.focal_zone_mm
        return np.asarray(at_focus * np.hypot(1.0, away))

    def grid(self) -> Grid:
        """Sample the scanned sector finely enough for its sharpest echo."""
        step_mm = self.axial_fwhm_mm / SAMPLES_PER_CELL
        depth = np.arange(0.0, self.depth_mm + step_mm, step_mm)
        sharpest = float(np.min(self.lateral_fwhm_mm(depth) / (self.radius_mm + depth)))
        reach = np.radians(self.half_angle_deg + MARGIN_DEG)
        count = 2 * round(reach * SAMPLES_PER_CELL / sharpest) + 1
        return Grid(self, depth, np.linspace(-reach, reach, count))


@dataclass(frozen=True)
class Grid:
    """Samples of the sector: `depth_mm` (R,) from the face, `angle_rad` (B,) of each beam."""

    probe: Probe
    depth_mm: Points
    angle_rad: Points

    @property
    def shape(self) -> tuple[int, int]:
        """Samples per beam and beams: (R, B)."""
        return len(self.depth_mm), len(self.angle_rad)

    @property
    def step_mm(self) -> float:
        """Distance between samples along a beam."""
        return float(self.depth_mm[1] - self.depth_mm[0])

    @cached_property
    def directions(self) -> Points:
        """Unit vectors (B, 2) along which the beams run."""
        return np.stack([np.cos(self.angle_rad), np.sin(self.angle_rad)], axis=-1)

    @cached_property
    def points_mm(self) -> Points:
        """Where the samples lie: (R, B, 2)."""
        reach = (self.probe.radius_mm + self.depth_mm)[:, None, None]
        return np.asarray(np.array(self.probe.apex_mm) + reach * self.directions)

    def _polar(self, screen: Screen) -> tuple[Field, Field]:
        """Depth and angle of every pixel, each (H, W)."""
        rows, cols = (
            np.arange(n) * s for n, s in zip(screen.shape, screen.spacing_mm, strict=True)
        )
        down = (rows - self.probe.apex_mm[0])[:, None]
        across = (cols - self.probe.apex_mm[1])[None, :]
        depth = np.hypot(down, across) - self.probe.radius_mm
        angle = np.arctan2(across, down)
        return depth.astype(np.float32), angle.astype(np.float32)

    def sector(self, screen: Screen) -> Field:
        """Return the share of each pixel (H, W) that the sector covers: 1 inside, 0 outside.

        The rim is one pixel wide, so that the edge of the sector is not a staircase.
        """
        depth, angle = self._polar(screen)
        pixel_mm = min(screen.spacing_mm)
        reach = (depth + self.probe.radius_mm) * (
            np.radians(self.probe.half_angle_deg) - abs(angle)
        )
        inside = np.minimum(np.minimum(depth, self.probe.depth_mm - depth), reach)
        return np.asarray(np.clip(inside / pixel_mm, 0, 1), dtype=np.float32)

    def scan_convert(self, values: Field, screen: Screen) -> Field:
        """Turn values (R, B) along the beams into a picture (H, W); 0 where no beam runs."""
        depth, angle = self._polar(screen)
        first, last = float(self.angle_rad[0]), float(self.angle_rad[-1])
        beams = (angle - first) * ((len(self.angle_rad) - 1) / (last - first))
        samples = depth / self.step_mm
        picture = cv2.remap(
            values, beams, samples.astype(np.float32), cv2.INTER_LINEAR, borderValue=0.0
        )
        return np.asarray(picture, dtype=np.float32)
