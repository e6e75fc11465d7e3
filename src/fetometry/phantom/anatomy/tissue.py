"""Tissue laid down along the beams, in the frame of a part of the fetus.

Echo levels are in dB below white and were set by eye and by the mean grey of real images.
Losses are there and back, per mm and MHz, after Duck FA. Physical Properties of Tissue.
Academic Press 1990.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.geometry import Ellipse, Points, distances_to
from fetometry.phantom.probe import Field, Grid, Probe
from fetometry.phantom.speckle import Medium, amplitude, smooth_noise

TISSUE_DB, FLUID_DB = -33.0, -60.0
TISSUE_LOSS, FLUID_LOSS = 0.085, 0.01


@dataclass
class Tissue:
    """Tissue being laid down along the beams: levels in dB and losses, each (R, B)."""

    level_db: Field
    mirror: Field
    loss: Field

    def lay(self, cover: Field, level_db: Field | float, loss: float) -> None:
        """Put a tissue where `cover` is 1; between 0 and 1 it shares the place.

        The surfaces that were there go with what was there.
        """
        self.level_db += cover * (np.asarray(level_db, np.float32) - self.level_db)
        self.loss += cover * (np.float32(loss) - self.loss)
        self.mirror *= 1 - cover

    def medium(self) -> Medium:
        """Return it as scatterers and surfaces."""
        return Medium(amplitude(self.level_db), self.mirror, self.loss)


@dataclass(frozen=True)
class Body:
    """An elliptic part of the fetus, in mm: where it lies, how it is turned, how old it is.

    `along` and `across` (2,) are unit vectors (row, col) on the axes of the ellipse. `maturity`
    is 0 in the first trimester and 1 from mid-pregnancy on.
    """

    ellipse: Ellipse
    along: Points
    across: Points
    maturity: float

    @property
    def semi_axes_mm(self) -> tuple[float, float]:
        """Half of the extent along and across."""
        a, b = self.ellipse.semi_axes
        return (a, b) if abs(self.along @ self.ellipse.directions[0]) > 0.5 else (b, a)


@dataclass(frozen=True)
class Frame:
    """The samples seen from a body; lengths in mm, arrays (R, B) unless said.

    `along` and `across` are the coordinates on the body's axes, warped a little, so that
    nothing inside is drawn with a ruler; the outline is not warped: `distance` is positive
    outside the outline. `facing` is the cosine between beam and outline's normal,
    `facing_across` (B,) that between beam and the body's `across`.
    """

    body: Body
    along: Field
    across: Field
    distance: Field
    facing: Field
    facing_across: Field

    @classmethod
    def of(cls, body: Body, grid: Grid, rng: np.random.Generator) -> Frame:
        """Look at the grid from a body."""
        ellipse = body.ellipse
        local = grid.points_mm - np.array(ellipse.center)
        normal = local @ np.linalg.inv(ellipse.shape)
        length = np.maximum(np.linalg.norm(normal, axis=-1), 1e-9)
        facing = np.einsum("rbk,bk->rb", normal, grid.directions) / length
        distance = distances_to(ellipse, grid.points_mm.reshape(-1, 2)).reshape(grid.shape)
        across_mm = body.semi_axes_mm[1]
        return cls(
            body,
            along=(local @ body.along).astype(np.float32) + _warp(across_mm, grid, rng),
            across=(local @ body.across).astype(np.float32) + _warp(across_mm, grid, rng),
            distance=distance.astype(np.float32),
            facing=np.abs(facing).astype(np.float32),
            facing_across=np.abs(grid.directions @ body.across).astype(np.float32),
        )

    def blob(self, place: tuple[float, float], size: tuple[float, float]) -> Field:
        """Cover (R, B) of an ellipse of that place and size, in units of the semi-axes."""
        a, b = self.body.semi_axes_mm
        x = (self.along / a - place[0]) / size[0]
        y = (self.across / b - place[1]) / size[1]
        return soft((np.hypot(x, y) - 1) * min(a * size[0], b * size[1]), 0.8)

    def outline_noise(self, rng: np.random.Generator, terms: int) -> Field:
        """Random function (R, B) of the angle round the body, of deviation about 1."""
        a, b = self.body.semi_axes_mm
        angle = np.arctan2(self.across / b, self.along / a)
        weights = rng.standard_normal((terms, 2)) / np.sqrt(terms)
        total = np.zeros_like(angle)
        for k, (even, odd) in enumerate(weights, start=1):
            total += np.float32(even) * np.cos(k * angle) + np.float32(odd) * np.sin(k * angle)
        return np.asarray(total, dtype=np.float32)


def _warp(size_mm: float, grid: Grid, rng: np.random.Generator) -> Field:
    """Random displacement (R, B) in mm, in waves and in ripples."""
    waves = 0.025 * smooth_noise(grid, (0.3 * size_mm, 7.0), rng)
    ripples = 0.012 * smooth_noise(grid, (0.10 * size_mm, 1.8), rng)
    return np.asarray(size_mm * (waves + ripples), dtype=np.float32)


def soft(distance_mm: Field, width_mm: float) -> Field:
    """Return a cover that goes from 1 (negative distance) to 0 over a width."""
    ramp = np.clip(0.5 - distance_mm / width_mm, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)


def mirror_gain(facing: Field) -> Field:
    """Return the amplitude that a surface sends back, from the cosine of the incidence.

    Rough bone is between a mirror and a diffuser: about -9 dB at 45 degrees and -40 dB when
    the beam grazes it, which is why the sides of a fetal head drop out.
    """
    tilt = np.clip(1 - facing, 0, 1)  # rounding may leave a cosine above 1
    return amplitude(np.asarray(-40 * tilt**1.2, dtype=np.float32))


def echo_rim_mm(fwhm_mm: float, fall_db: float, probe: Probe) -> float:
    """Return how far from its middle the echo of a layer has fallen by so many dB.

    Layer and pulse are Gaussian: their widths add as squares, and the echo has fallen by 24 dB
    (times the square) one width at half height from its middle.
    """
    return float(np.hypot(fwhm_mm, probe.axial_fwhm_mm) * np.sqrt(fall_db / 24))


def maturity(size_mm: float, allowed_mm: tuple[float, float]) -> float:
    """Return 0 at the size of a first trimester, 1 at that of mid-pregnancy and above."""
    young, grown = allowed_mm
    return float(np.clip((size_mm - young) / (grown - young), 0, 1))
