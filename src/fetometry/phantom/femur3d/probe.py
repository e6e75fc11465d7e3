"""A convex array that is swept: where its beams run, how sharp they are, and the volume they make.

Lengths are in mm and points are (slice, row, col) in mm, with the centre of the first voxel at
(0, 0, 0). The array images planes that lie along rows and columns; the motor sweeps it across the
slices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.phantom.probe import MARGIN_DEG, SPEED_MM_PER_US, Field, Probe

Shape3 = tuple[int, int, int]

#: Samples per resolution cell; fewer than in a picture, for a volume has a third axis of them.
SAMPLES_PER_CELL = 2.5

#: Opening of the sector, along the array and along the sweep, as in Wang et al. 2019.
SECTOR_DEG = 75.0

#: Radii of the array, and of the sweep: a curved array that a motor tilts.
ARRAY_RADIUS_MM, SWEEP_RADIUS_MM = 40.0, 22.0

#: The pulse, and F-numbers along the array and across it, where a fixed lens focuses.
FREQUENCY_MHZ, CYCLES, F_NUMBER, ELEVATION_F_NUMBER = 4.0, 4.0, 4.0, 6.0

#: Width of a beam at its focus, in wavelengths times F-numbers, as `Probe` has it.
FOCUS_WIDTH = 1.21

#: Side of a voxel in Wang et al. 2019.
VOXEL_MM = 0.38

#: No pulse and no beam is narrower than so many voxels: a coarse volume has a coarser probe.
NARROWEST_VOXELS = 2.0


@dataclass(frozen=True)
class SweptProbe:
    """A curved array, seen in its middle plane as `array`, tilted about an axis behind its face.

    `array.face_mm` (row, col) is the middle of its face and `face_slice_mm` the slice it lies in.
    The axis of the sweep runs along the columns, `sweep_radius_mm` behind the face.

    References:
        Fenster A, Downey DB, Cardinal HN. Three-dimensional ultrasound imaging. Phys Med Biol
        2001;46:R67-R99 (tilt scanning: geometry, resolution across the planes).
    """

    array: Probe
    face_slice_mm: float
    sweep_radius_mm: float = SWEEP_RADIUS_MM
    sweep_half_angle_deg: float = SECTOR_DEG / 2
    elevation_f_number: float = ELEVATION_F_NUMBER

    def elevation_fwhm_mm(self, depth_mm: Points) -> Points:
        """Width of the beam across the planes at half its height, at each depth."""
        return replace(self.array, f_number=self.elevation_f_number).lateral_fwhm_mm(depth_mm)

    def polar(self, points_mm: Points) -> tuple[Points, Points, Points]:
        """Return sweep angle (rad), depth (mm) and angle of the beam (rad) of points (..., 3)."""
        array = self.array
        away = points_mm[..., 0] - self.face_slice_mm
        down = points_mm[..., 1] - array.face_mm[0] + self.sweep_radius_mm
        below = np.hypot(away, down) - self.sweep_radius_mm + array.radius_mm
        across = points_mm[..., 2] - array.face_mm[1]
        depth = np.hypot(below, across) - array.radius_mm
        return np.arctan2(away, down), depth, np.arctan2(across, below)

    def inside_mm(self, points_mm: Points) -> Points:
        """Return how far (...) points lie inside the sector; negative outside."""
        sweep, depth, angle = self.polar(points_mm)
        array = self.array
        side = (depth + array.radius_mm) * (np.radians(array.half_angle_deg) - np.abs(angle))
        below = (depth + array.radius_mm) * np.cos(angle) - array.radius_mm
        tilt = np.radians(self.sweep_half_angle_deg) - np.abs(sweep)
        edges = (side, (below + self.sweep_radius_mm) * tilt, array.depth_mm - depth, depth)
        return np.asarray(np.minimum.reduce(edges))

    def grid(self) -> SweptGrid:
        """Sample the scanned sector finely enough for its sharpest echo."""
        array = self.array
        step = array.axial_fwhm_mm / SAMPLES_PER_CELL
        depth = np.arange(0.0, array.depth_mm + step, step)
        lateral = array.lateral_fwhm_mm(depth) / (array.radius_mm + depth)
        elevation = self.elevation_fwhm_mm(depth) / (self.sweep_radius_mm + depth)
        return SweptGrid(
            self,
            _angles(self.sweep_half_angle_deg, float(elevation.min())),
            depth,
            _angles(array.half_angle_deg, float(lateral.min())),
        )


def _angles(half_angle_deg: float, sharpest_rad: float) -> Points:
    reach = np.radians(half_angle_deg + MARGIN_DEG)
    count = 2 * round(reach * SAMPLES_PER_CELL / sharpest_rad) + 1
    while not _transforms_fast(count):
        count += 2
    return np.linspace(-reach, reach, count)


def _transforms_fast(count: int) -> bool:
    """Tell whether a Fourier transform of that length splits into small ones."""
    for factor in (3, 5, 7, 11):
        while count % factor == 0:
            count //= factor
    return count == 1


def probe_over(shape: Shape3, voxel_mm: float) -> SweptProbe:
    """Put the probe above the middle of a volume, looking along its rows, as deep as it reaches."""
    depth, height, width = (n * voxel_mm for n in shape)
    wavelength = SPEED_MM_PER_US / FREQUENCY_MHZ
    narrowest = NARROWEST_VOXELS * voxel_mm / wavelength
    narrowest_f = narrowest / FOCUS_WIDTH
    array = Probe(
        face_mm=(0.02 * height, (width - voxel_mm) / 2),
        radius_mm=ARRAY_RADIUS_MM,
        half_angle_deg=SECTOR_DEG / 2,
        depth_mm=0.97 * height,
        focus_mm=0.5 * height,
        focal_zone_mm=0.45 * height,
        frequency_mhz=FREQUENCY_MHZ,
        cycles=max(CYCLES, 2 * narrowest),
        f_number=max(F_NUMBER, narrowest_f),
    )
    return SweptProbe(
        array, (depth - voxel_mm) / 2, elevation_f_number=max(ELEVATION_F_NUMBER, narrowest_f)
    )


@dataclass(frozen=True)
class SweptGrid:
    """Samples of the sector: `sweep_rad` (P,) of each plane, `depth_mm` (R,), `angle_rad` (B,)."""

    probe: SweptProbe
    sweep_rad: Points
    depth_mm: Points
    angle_rad: Points

    @property
    def shape(self) -> Shape3:
        """Planes, samples per beam and beams: (P, R, B)."""
        return len(self.sweep_rad), len(self.depth_mm), len(self.angle_rad)

    @property
    def step_mm(self) -> float:
        """Distance between samples along a beam."""
        return float(self.depth_mm[1] - self.depth_mm[0])

    @property
    def steps_rad(self) -> tuple[float, float]:
        """Angle between planes, and between beams."""
        sweep, angle = self.sweep_rad, self.angle_rad
        return float(sweep[1] - sweep[0]), float(angle[1] - angle[0])

    def points_mm(self, plane: int) -> Field:
        """Where the samples of a plane lie: (R, B, 3)."""
        probe, array, sweep = self.probe, self.probe.array, self.sweep_rad[plane]
        reach = (array.radius_mm + self.depth_mm)[:, None]
        below = reach * np.cos(self.angle_rad) - array.radius_mm + probe.sweep_radius_mm
        points = (
            probe.face_slice_mm + below * np.sin(sweep),
            array.face_mm[0] - probe.sweep_radius_mm + below * np.cos(sweep),
            array.face_mm[1] + reach * np.sin(self.angle_rad),
        )
        # one coordinate after another in memory: who reads them does so one at a time
        return np.moveaxis(np.stack(np.broadcast_arrays(*points)).astype(np.float32), 0, -1)

    def scan_convert(self, values: Field, shape: Shape3, voxel_mm: float) -> NDArray[np.uint8]:
        """Turn grey (P, R, B) along the beams into voxels (D, H, W); 0 where no beam runs.

        Trilinear, one slice after another. The rim of the sector is one voxel wide.
        """
        voxels = np.zeros(shape, np.uint8)
        flat = np.ascontiguousarray(values).reshape(-1)
        plane = np.stack(np.meshgrid(*(np.arange(n) for n in shape[1:]), indexing="ij"), axis=-1)
        points = np.zeros((*shape[1:], 3))
        points[..., 1:] = plane * voxel_mm
        for number in range(shape[0]):
            points[..., 0] = number * voxel_mm
            inside = np.clip(self.probe.inside_mm(points) / voxel_mm, 0, 1)
            seen = inside > 0
            grey = self._at(flat, points[seen]) * inside[seen]
            voxels[number][seen] = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        return voxels

    def _at(self, flat: Field, points_mm: Points) -> Points:
        """Interpolate flattened values (P * R * B,) at points (N, 3) inside the sector."""
        sweep, depth, angle = self.probe.polar(points_mm)
        steps = (self.steps_rad[0], self.step_mm, self.steps_rad[1])
        starts = (self.sweep_rad[0], 0.0, self.angle_rad[0])
        first = np.zeros(len(points_mm), np.intp)
        shares = []
        for place, start, step, count in zip(
            (sweep, depth, angle), starts, steps, self.shape, strict=True
        ):
            at = (place - start) / step
            whole = np.clip(at.astype(np.intp), 0, count - 2)
            shares.append((at - whole).astype(np.float32))
            first = first * count + whole
        _, samples, beams = self.shape
        return _blend(flat, first, (samples * beams, beams, 1), shares)


def _blend(
    flat: Field, first: NDArray[np.intp], strides: tuple[int, ...], shares: list[Field]
) -> Points:
    """Blend the values at `first` with their next ones along each stride."""
    if not strides:
        return np.asarray(flat[first])
    low = _blend(flat, first, strides[1:], shares[1:])
    high = _blend(flat, first + strides[0], strides[1:], shares[1:])
    return np.asarray(low + shares[0] * (high - low))
