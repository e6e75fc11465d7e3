"""The fetal head in its uterus: where which tissue lies, and how it echoes.

The plane is the transthalamic one, in which HC and BPD are measured: midline, cavum septi
pellucidi, thalami, choroid plexus of the far hemisphere (ISUOG Practice Guidelines: performance
of third-trimester obstetric ultrasound scan. Ultrasound Obstet Gynecol 2024;63:131-147).

Echo levels are in dB below white and were set by eye and by the mean grey of real images.
Losses are there and back, per mm and MHz, after Duck FA. Physical Properties of Tissue.
Academic Press 1990; a fetal skull is thin and soft, and lets much more through than an adult's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.geometry import Ellipse, distances_to
from fetometry.phantom.probe import Field, Grid, Probe
from fetometry.phantom.speckle import Medium, amplitude, smooth_noise

TISSUE_DB, PLACENTA_DB, FLUID_DB = -33.0, -29.0, -60.0
SCALP_DB, SKULL_DB, BRAIN_DB = -36.0, -28.0, -39.5
THALAMUS_DB, VENTRICLE_DB, CHOROID_DB = -47.0, -54.0, -27.0
PART_DB = -25.0

TISSUE_LOSS, FLUID_LOSS, BRAIN_LOSS, SKULL_LOSS = 0.085, 0.01, 0.055, 0.75

#: Level of the skull's outer surface where the beam meets it at a right angle.
SKULL_MIRROR_DB = -6.0

#: Level of the falx and of the walls of the ventricles, likewise.
LINE_DB = -11.0

#: The grey of the skull's rim falls half way to that of its surroundings where its echo has
#: fallen by about this much: the first for a grown head in tissue, the second for a small one in
#: fluid. A Gaussian echo gets there sqrt(this / 24 dB) widths from its middle.
RIM_DB = (13.0, 15.0)

#: Parts of the brain: place (along, across) and size in semi-axes, level, loss. Along is positive
#: towards the forehead, across away from the probe; the near hemisphere is lost in
#: reverberations, so what lies in it is left out.
Part = tuple[tuple[float, float], tuple[float, float], float, float]
PARTS: tuple[Part, ...] = (
    ((-0.02, -0.20), (0.20, 0.17), THALAMUS_DB, BRAIN_LOSS),
    ((-0.02, 0.20), (0.20, 0.17), THALAMUS_DB, BRAIN_LOSS),
    ((0.42, 0.0), (0.11, 0.09), VENTRICLE_DB, FLUID_LOSS),  # cavum septi pellucidi
    ((-0.42, 0.36), (0.28, 0.17), VENTRICLE_DB + 4, FLUID_LOSS),  # atrium
    ((-0.38, 0.40), (0.16, 0.12), CHOROID_DB, BRAIN_LOSS),
    ((0.10, 0.72), (0.20, 0.07), VENTRICLE_DB + 6, FLUID_LOSS),  # Sylvian fissure
)
#: In the first trimester the choroid plexuses fill wide ventricles: the butterfly.
YOUNG_PARTS: tuple[Part, ...] = (
    ((0.0, -0.42), (0.62, 0.26), VENTRICLE_DB + 6, FLUID_LOSS),
    ((0.0, 0.42), (0.62, 0.26), VENTRICLE_DB + 6, FLUID_LOSS),
    ((-0.12, -0.42), (0.42, 0.22), CHOROID_DB - 2, BRAIN_LOSS),
    ((-0.12, 0.42), (0.42, 0.22), CHOROID_DB - 2, BRAIN_LOSS),
)

#: Sheets that mirror: start and stop along, across, strength.
Sheet = tuple[float, float, float, float]
SHEETS: tuple[Sheet, ...] = (
    (0.56, 0.88, 0.0, 0.8),  # falx
    (-0.86, -0.30, 0.0, 0.5),
    (-0.12, 0.14, 0.0, 0.35),  # third ventricle
    (0.34, 0.50, -0.095, 1.0),  # cavum septi pellucidi
    (0.34, 0.50, 0.095, 1.0),
    (-0.66, -0.22, 0.53, 0.5),  # atrium
    (-0.60, -0.30, 0.20, 0.4),
    (-0.02, 0.24, 0.66, 0.4),  # insula
)
YOUNG_SHEETS: tuple[Sheet, ...] = ((-0.85, 0.0, 0.0, 0.5), (0.0, 0.85, 0.0, 0.6))

#: Up to this maturity a head shows the butterfly.
YOUNG = 0.4


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
class HeadFrame:
    """The samples seen from the head; lengths in mm, arrays (R, B) unless said.

    `along` and `across` are the coordinates on the long and the short axis, warped a little, so
    that nothing inside is drawn with a ruler; the outline is not warped: `distance` is
    positive outside the outline. `facing` is the cosine between beam and outline's normal,
    `facing_midline` (B,) that between beam and the normal of the midline.
    """

    ellipse: Ellipse
    along: Field
    across: Field
    distance: Field
    facing: Field
    facing_midline: Field

    @classmethod
    def of(cls, ellipse: Ellipse, grid: Grid, rng: np.random.Generator) -> HeadFrame:
        """Look at the grid from a head whose forehead is on a random side."""
        frontal = 1 if rng.random() < 0.5 else -1
        far = 1 if ellipse.directions[1][0] >= 0 else -1
        local = grid.points_mm - np.array(ellipse.center)
        long, short = ellipse.directions
        normal = local @ np.linalg.inv(ellipse.shape)
        length = np.maximum(np.linalg.norm(normal, axis=-1), 1e-9)
        facing = np.einsum("rbk,bk->rb", normal, grid.directions) / length
        distance = distances_to(ellipse, grid.points_mm.reshape(-1, 2)).reshape(grid.shape)
        return cls(
            ellipse,
            along=(local @ long * frontal).astype(np.float32) + _warp(ellipse, grid, rng),
            across=(local @ short * far).astype(np.float32) + _warp(ellipse, grid, rng),
            distance=distance.astype(np.float32),
            facing=np.abs(facing).astype(np.float32),
            facing_midline=np.abs(grid.directions @ short).astype(np.float32),
        )

    def blob(self, place: tuple[float, float], size: tuple[float, float]) -> Field:
        """Cover (R, B) of an ellipse of that place and size, in units of the semi-axes."""
        a, b = self.ellipse.semi_axes
        x = (self.along / a - place[0]) / size[0]
        y = (self.across / b - place[1]) / size[1]
        return soft((np.hypot(x, y) - 1) * min(a * size[0], b * size[1]), 0.8)

    def line(self, start: float, stop: float, across: float) -> Field:
        """Echo (R, B) of a sheet along the midline, in units of the semi-axes.

        It answers like a mirror: only where the beam meets it at nearly a right angle.
        """
        a, b = self.ellipse.semi_axes
        width_mm = 0.2 + 0.2 * maturity(self.ellipse.circumference)
        ends = soft((start - self.along / a) * a, 1.5) * soft((self.along / a - stop) * a, 1.5)
        sheet = np.exp(-np.square((self.across - across * b) / width_mm))
        return np.asarray(ends * sheet * mirror_gain(self.facing_midline))


def _warp(ellipse: Ellipse, grid: Grid, rng: np.random.Generator) -> Field:
    """Random displacement (R, B) in mm, in waves and in ripples."""
    b = ellipse.semi_axes[1]
    waves = 0.025 * smooth_noise(grid, (0.3 * b, 7.0), rng)
    ripples = 0.012 * smooth_noise(grid, (0.10 * b, 1.8), rng)
    return np.asarray(b * (waves + ripples), dtype=np.float32)


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


def maturity(hc_mm: float) -> float:
    """Return 0 for a head of the first trimester, 1 from mid-pregnancy on."""
    return float(np.clip((hc_mm - 60) / 120, 0, 1))


def skull_fwhm_mm(hc_mm: float) -> float:
    """Return the width of the skull's echo; the bone thickens as the head grows."""
    return 0.85 + 0.002 * hc_mm


def rim_mm(hc_mm: float, probe: Probe) -> float:
    """Return how far the picture of the skull spreads outwards from the middle of its echo."""
    width_mm = np.hypot(skull_fwhm_mm(hc_mm), probe.axial_fwhm_mm)
    fall_db = np.interp(maturity(hc_mm), (0, 1), RIM_DB[::-1])
    return float(width_mm * np.sqrt(fall_db / 24))


def _outline_noise(frame: HeadFrame, rng: np.random.Generator, terms: int) -> Field:
    """Random function (R, B) of the angle round the head, of deviation about 1."""
    a, b = frame.ellipse.semi_axes
    angle = np.arctan2(frame.across / b, frame.along / a)
    weights = rng.standard_normal((terms, 2)) / np.sqrt(terms)
    total = np.zeros_like(angle)
    for k, (even, odd) in enumerate(weights, start=1):
        total += np.float32(even) * np.cos(k * angle) + np.float32(odd) * np.sin(k * angle)
    return np.asarray(total, dtype=np.float32)


def lay_uterus(tissue: Tissue, frame: HeadFrame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay the placenta on one side, and fluid round the head."""
    a, b = frame.ellipse.semi_axes
    lumps = smooth_noise(grid, (0.12 * b, 3.0), rng)
    side = 1.0 if rng.random() < 0.5 else -1.0
    along, across = frame.along / a, frame.across / b
    edge = np.asarray((0.75 - side * along - 0.25 * across) * a, np.float32)
    placenta = soft(edge, 0.3 * a)
    tissue.lay(placenta, np.asarray(PLACENTA_DB + 2 * lumps, np.float32), TISSUE_LOSS)
    young = 1 - maturity(frame.ellipse.circumference)
    ends = np.square(along) / (np.square(along) + np.square(across) + 0.01)
    room = 1.0 + 0.5 * young + 0.25 * ends
    wall = np.hypot(along, across) - room - 0.13 * _outline_noise(frame, rng, 5)
    fluid = soft(np.asarray(wall * b, np.float32), 0.08 * b)
    tissue.lay(fluid, np.asarray(FLUID_DB + 2 * lumps, np.float32), FLUID_LOSS)
    rim = np.exp(-np.square(wall * b / 0.8)) * mirror_gain(frame.facing)
    tissue.mirror += np.asarray(0.03 * rim * np.clip(lumps, 0, None), np.float32)


def lay_fetus(tissue: Tissue, frame: HeadFrame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay parts of the fetus beside the head: hands, shoulder, cord."""
    lumps = smooth_noise(grid, (2.0, 2.0), rng)
    for _ in range(3):
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(1.45, 1.8)
        place = (far * float(np.cos(turn)), far * float(np.sin(turn)))
        part = frame.blob(place, (rng.uniform(0.08, 0.2), rng.uniform(0.08, 0.2)))
        tissue.lay(part, np.asarray(PART_DB + 3 * lumps, np.float32), 2 * TISSUE_LOSS)


def lay_skull(tissue: Tissue, frame: HeadFrame, inset_mm: float, rng: np.random.Generator) -> None:
    """Lay the skull, so that the rim that is seen lies on the outline.

    The echo of the skull is centred `inset_mm` inside the outline.
    """
    hc_mm = frame.ellipse.circumference
    depth = (frame.distance + np.float32(inset_mm)) / skull_fwhm_mm(hc_mm)
    layer = np.exp(-4 * np.log(2) * np.square(depth)).astype(np.float32)
    ossified = maturity(hc_mm)
    tissue.lay(layer, SKULL_DB, SKULL_LOSS * (0.4 + 0.6 * ossified))
    thin_db = 4 * (1 - ossified)
    unevenness = SKULL_MIRROR_DB - thin_db + 2.2 * _outline_noise(frame, rng, 14)
    gain = amplitude(np.asarray(unevenness, np.float32)) * _sutures(frame, rng)
    tissue.mirror += layer * gain * mirror_gain(frame.facing)


def _sutures(frame: HeadFrame, rng: np.random.Generator) -> Field:
    """Amplitude (R, B) left by the coronal and lambdoid sutures, where there is no bone."""
    a, b = frame.ellipse.semi_axes
    angle = np.degrees(np.arctan2(frame.across / b, frame.along / a))
    left = np.ones_like(angle)
    for place in (58.0, -58.0, 138.0, -138.0):
        gap = angle - np.float32(place + rng.normal(0, 5))
        left -= np.float32(0.5) * np.exp(-np.square(gap / 1.8))
    return np.asarray(left, dtype=np.float32)


def lay_brain(tissue: Tissue, frame: HeadFrame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay scalp and brain, its ventricles and its midline."""
    b = frame.ellipse.semi_axes[1]
    scalp_mm = 0.008 * frame.ellipse.circumference
    tissue.lay(soft(frame.distance - np.float32(scalp_mm), 0.6), SCALP_DB, TISSUE_LOSS)
    inside = soft(frame.distance + np.float32(0.02 * b), 0.8)
    coarse = smooth_noise(grid, (0.25 * b, 7.0), rng)
    fine = smooth_noise(grid, (0.06 * b, 1.6), rng)
    # the cortex is smooth and dark, the middle full of vessels and folds
    middle = np.exp(-np.square(frame.distance / b + 1) / 0.35)
    young = 4 * (1 - maturity(frame.ellipse.circumference))
    level = BRAIN_DB + young + 2.5 * coarse + (0.5 + 2.5 * middle) * fine + 3 * (middle - 0.5)
    tissue.lay(inside, np.asarray(level, np.float32), BRAIN_LOSS)
    grown = maturity(frame.ellipse.circumference) > YOUNG
    for place, size, level_db, loss in PARTS if grown else YOUNG_PARTS:
        part = np.asarray(level_db + 2 * fine, np.float32)
        tissue.lay(frame.blob(place, size), part, loss)
    line = np.float32(10 ** (LINE_DB / 20))
    sheets = _sheets(frame, SHEETS if grown else YOUNG_SHEETS, rng)
    tissue.mirror += line * sheets * amplitude(3 * fine)
    folds = np.clip(fine - 1, 0, None) * middle * inside * mirror_gain(frame.facing_midline)
    tissue.mirror += np.asarray(0.05 * folds, np.float32)


def _sheets(frame: HeadFrame, sheets: tuple[Sheet, ...], rng: np.random.Generator) -> Field:
    """Echo (R, B) of the falx and of the walls of the ventricles, each as strong as it happens."""
    total = np.zeros_like(frame.along)
    for start, stop, across, strength in sheets:
        total += np.float32(strength * rng.uniform(0.4, 1.0)) * frame.line(start, stop, across)
    return total


def lay_near_field(grid: Grid, rng: np.random.Generator) -> Tissue:
    """Lay the mother: abdominal wall in layers under the probe, muscle below."""
    depth = grid.depth_mm[:, None].astype(np.float32)
    layers = smooth_noise(grid, (1.4, 18.0), rng)
    lumps = 3 * smooth_noise(grid, (16.0, 13.0), rng) + 2 * smooth_noise(grid, (3.0, 5.0), rng)
    clutter = 9 * np.exp(-depth / 5)
    level = TISSUE_DB + lumps + layers * (0.8 + 2.5 * np.exp(-depth / 12)) + clutter
    fascia = np.clip(layers - 0.8, 0, None) * np.exp(-depth / 10)
    return Tissue(
        level_db=np.asarray(level, np.float32),
        mirror=np.asarray(0.10 * fascia, np.float32),
        loss=np.full(grid.shape, TISSUE_LOSS, np.float32),
    )


def head_medium(ellipse_mm: Ellipse, grid: Grid, rng: np.random.Generator) -> Medium:
    """Return the tissue of a head whose skull is seen to end on the ellipse (in mm)."""
    frame = HeadFrame.of(ellipse_mm, grid, rng)
    tissue = lay_near_field(grid, rng)
    lay_uterus(tissue, frame, grid, rng)
    lay_fetus(tissue, frame, grid, rng)
    lay_brain(tissue, frame, grid, rng)
    lay_skull(tissue, frame, rim_mm(ellipse_mm.circumference, grid.probe), rng)
    return tissue.medium()
