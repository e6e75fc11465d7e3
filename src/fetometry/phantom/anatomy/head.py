"""The fetal head: skull, scalp, brain.

The plane is the transthalamic one, in which HC and BPD are measured: midline, cavum septi
pellucidi, thalami, choroid plexus of the far hemisphere (ISUOG Practice Guidelines: performance
of third-trimester obstetric ultrasound scan. Ultrasound Obstet Gynecol 2024;63:131-147).

Echo levels were set by eye and by the mean grey of real images. A fetal skull is thin and soft,
and lets much more through than an adult's.
"""

from __future__ import annotations

import numpy as np

from fetometry.geometry import Ellipse
from fetometry.phantom.anatomy.tissue import (
    FLUID_LOSS,
    TISSUE_LOSS,
    Body,
    Frame,
    Tissue,
    echo_rim_mm,
    maturity,
    mirror_gain,
    soft,
)
from fetometry.phantom.anatomy.uterus import lay_near_field, lay_parts, lay_uterus
from fetometry.phantom.probe import Field, Grid, Probe
from fetometry.phantom.speckle import Medium, amplitude, smooth_noise

SCALP_DB, SKULL_DB, BRAIN_DB = -36.0, -28.0, -39.5
THALAMUS_DB, VENTRICLE_DB, CHOROID_DB = -47.0, -54.0, -27.0
BRAIN_LOSS, SKULL_LOSS = 0.055, 0.75

#: HC of a head of the first trimester, and of one from mid-pregnancy on.
GROWTH_HC_MM = (60.0, 180.0)

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


def head_body(ellipse: Ellipse, rng: np.random.Generator) -> Body:
    """Return a head whose forehead is on a random side, and whose midline is its long axis."""
    frontal = 1 if rng.random() < 0.5 else -1
    long, short = ellipse.directions
    far = 1 if short[0] >= 0 else -1
    grown = maturity(ellipse.circumference, GROWTH_HC_MM)
    return Body(ellipse, frontal * long, far * short, grown)


def skull_fwhm_mm(hc_mm: float) -> float:
    """Return the width of the skull's echo; the bone thickens as the head grows."""
    return 0.85 + 0.002 * hc_mm


def rim_mm(body: Body, probe: Probe) -> float:
    """Return how far the picture of the skull spreads outwards from the middle of its echo."""
    fall_db = float(np.interp(body.maturity, (0, 1), RIM_DB[::-1]))
    return echo_rim_mm(skull_fwhm_mm(body.ellipse.circumference), fall_db, probe)


def lay_skull(tissue: Tissue, frame: Frame, inset_mm: float, rng: np.random.Generator) -> None:
    """Lay the skull, so that the rim that is seen lies on the outline.

    The echo of the skull is centred `inset_mm` inside the outline.
    """
    fwhm_mm = skull_fwhm_mm(frame.body.ellipse.circumference)
    depth = (frame.distance + np.float32(inset_mm)) / fwhm_mm
    layer = np.exp(-4 * np.log(2) * np.square(depth)).astype(np.float32)
    ossified = frame.body.maturity
    tissue.lay(layer, SKULL_DB, SKULL_LOSS * (0.4 + 0.6 * ossified))
    thin_db = 4 * (1 - ossified)
    unevenness = SKULL_MIRROR_DB - thin_db + 2.2 * frame.outline_noise(rng, 14)
    gain = amplitude(np.asarray(unevenness, np.float32)) * _sutures(frame, rng)
    tissue.mirror += layer * gain * mirror_gain(frame.facing)


def _sutures(frame: Frame, rng: np.random.Generator) -> Field:
    """Amplitude (R, B) left by the coronal and lambdoid sutures, where there is no bone."""
    a, b = frame.body.semi_axes_mm
    angle = np.degrees(np.arctan2(frame.across / b, frame.along / a))
    left = np.ones_like(angle)
    for place in (58.0, -58.0, 138.0, -138.0):
        gap = angle - np.float32(place + rng.normal(0, 5))
        left -= np.float32(0.5) * np.exp(-np.square(gap / 1.8))
    return np.asarray(left, dtype=np.float32)


def lay_brain(tissue: Tissue, frame: Frame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay scalp and brain, its ventricles and its midline."""
    b = frame.body.semi_axes_mm[1]
    scalp_mm = 0.008 * frame.body.ellipse.circumference
    tissue.lay(soft(frame.distance - np.float32(scalp_mm), 0.6), SCALP_DB, TISSUE_LOSS)
    inside = soft(frame.distance + np.float32(0.02 * b), 0.8)
    coarse = smooth_noise(grid, (0.25 * b, 7.0), rng)
    fine = smooth_noise(grid, (0.06 * b, 1.6), rng)
    # the cortex is smooth and dark, the middle full of vessels and folds
    middle = np.exp(-np.square(frame.distance / b + 1) / 0.35)
    young = 4 * (1 - frame.body.maturity)
    level = BRAIN_DB + young + 2.5 * coarse + (0.5 + 2.5 * middle) * fine + 3 * (middle - 0.5)
    tissue.lay(inside, np.asarray(level, np.float32), BRAIN_LOSS)
    grown = frame.body.maturity > YOUNG
    for place, size, level_db, loss in PARTS if grown else YOUNG_PARTS:
        part = np.asarray(level_db + 2 * fine, np.float32)
        tissue.lay(frame.blob(place, size), part, loss)
    line = np.float32(10 ** (LINE_DB / 20))
    sheets = _sheets(frame, SHEETS if grown else YOUNG_SHEETS, rng)
    tissue.mirror += line * sheets * amplitude(3 * fine)
    folds = np.clip(fine - 1, 0, None) * middle * inside * mirror_gain(frame.facing_across)
    tissue.mirror += np.asarray(0.05 * folds, np.float32)


def _sheets(frame: Frame, sheets: tuple[Sheet, ...], rng: np.random.Generator) -> Field:
    """Echo (R, B) of the falx and of the walls of the ventricles, each as strong as it happens."""
    total = np.zeros_like(frame.along)
    for start, stop, across, strength in sheets:
        total += np.float32(strength * rng.uniform(0.4, 1.0)) * _line(frame, start, stop, across)
    return total


def _line(frame: Frame, start: float, stop: float, across: float) -> Field:
    """Echo (R, B) of a sheet along the midline, in units of the semi-axes.

    It answers like a mirror: only where the beam meets it at nearly a right angle.
    """
    a, b = frame.body.semi_axes_mm
    width_mm = 0.2 + 0.2 * frame.body.maturity
    ends = soft((start - frame.along / a) * a, 1.5) * soft((frame.along / a - stop) * a, 1.5)
    sheet = np.exp(-np.square((frame.across - across * b) / width_mm))
    return np.asarray(ends * sheet * mirror_gain(frame.facing_across))


def head_medium(ellipse_mm: Ellipse, grid: Grid, rng: np.random.Generator) -> Medium:
    """Return the tissue of a head whose skull is seen to end on the ellipse (in mm)."""
    body = head_body(ellipse_mm, rng)
    frame = Frame.of(body, grid, rng)
    tissue = lay_near_field(grid, rng)
    lay_uterus(tissue, frame, grid, rng)
    lay_parts(tissue, frame, grid, rng)
    lay_brain(tissue, frame, grid, rng)
    lay_skull(tissue, frame, rim_mm(body, grid.probe), rng)
    return tissue.medium()
