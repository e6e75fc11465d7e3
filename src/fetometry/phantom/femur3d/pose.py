"""Where a femur lies in the sector: any direction in which both of its ends can be seen."""

from __future__ import annotations

import numpy as np

from fetometry.errors import UsageError
from fetometry.geometry import Points
from fetometry.phantom.femur3d.probe import SweptProbe
from fetometry.phantom.femur3d.shaft import Shaft

#: The shaft is tilted by up to so much from lying across the middle beam: femurs are measured
#: where the beam meets them at 45 to 90 degrees.
TILT_DEG = 40.0

#: The middle of the shaft lies between these shares of the depth.
DEPTHS = (0.30, 0.72)

#: Poses that are tried.
TRIES = 4000

#: In lengths of the shaft: radius at its middle and bow there. Mean and deviation, set by eye:
#: a shaft of 50 mm is 5.5 mm thick.
RADIUS, BOW = (0.055, 0.004), (0.030, 0.010)

#: Shares by which the radius grows to the hip and to the knee, and their deviation.
FLARE, FLARE_SPREAD = (0.70, 1.00), 0.10

#: Between an end and the rim of what is seen lies so much of the length of the shaft.
MARGIN = 0.10


def _directions(rng: np.random.Generator) -> Points:
    """Return unit vectors (TRIES, 3): all round the middle beam, tilted by up to the limit."""
    turn = rng.uniform(0, 2 * np.pi, TRIES)
    tilt = np.radians(rng.uniform(-TILT_DEG, TILT_DEG, TRIES))
    flat = np.cos(tilt)
    return np.stack([flat * np.sin(turn), np.sin(tilt), flat * np.cos(turn)], axis=-1)


def draw_ends(
    length_mm: float, probe: SweptProbe, size_mm: Points, rng: np.random.Generator
) -> Points:
    """Return the ends (2, 3) in mm of a shaft that lies in the sector and in the volume.

    Raises:
        UsageError: of many poses tried, none leaves both ends inside.
    """
    half = length_mm / 2 * _directions(rng)
    low = np.array([0.0, DEPTHS[0] * size_mm[1], 0.0])
    high = np.array([size_mm[0], DEPTHS[1] * size_mm[1], size_mm[2]])
    middle = rng.uniform(low, high, (TRIES, 3))
    ends = np.stack([middle - half, middle + half], axis=1)  # (TRIES, 2, 3)
    margin = MARGIN * length_mm
    seen = probe.inside_mm(ends) >= margin
    held = ((ends >= margin) & (ends <= size_mm - margin)).all(axis=-1)
    fits = np.flatnonzero((seen & held).all(axis=1))
    if not len(fits):
        raise UsageError(
            f"a femur of {length_mm:.1f} mm does not fit in the sector of a volume of "
            f"{' x '.join(f'{side:.0f}' for side in size_mm)} mm; give more or larger voxels"
        )
    return np.asarray(ends[fits[0]])


def draw_shaft(
    length_mm: float, probe: SweptProbe, size_mm: Points, rng: np.random.Generator
) -> Shaft:
    """Return a shaft of that length, of random pose and of slightly random form.

    Raises:
        UsageError: the volume is too small for it.
    """
    ends = draw_ends(length_mm, probe, size_mm, rng)
    along = (ends[1] - ends[0]) / length_mm
    across = np.cross(along, rng.standard_normal(3))
    radius, bow = (
        mean + spread * np.clip(rng.standard_normal(), -2, 2) for mean, spread in (RADIUS, BOW)
    )
    hip, knee = (flare + FLARE_SPREAD * np.clip(rng.standard_normal(), -2, 2) for flare in FLARE)
    return Shaft(
        ends_mm=ends,
        bow_direction=across / np.linalg.norm(across),
        bow_mm=float(bow * length_mm),
        radius_mm=float(radius * length_mm),
        flare=(float(hip), float(knee)),
    )
