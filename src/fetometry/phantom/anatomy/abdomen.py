"""The fetal abdomen: wall, spine, stomach, liver and its vein.

The plane is the transverse one in which AC is measured: round, spine at one side, stomach bubble,
and the umbilical vein at the level of the portal sinus, a third of the way from the front; the
outline runs along the outer edge of the skin (Salomon LJ et al. ISUOG Practice Guidelines:
ultrasound assessment of fetal biometry and growth. Ultrasound Obstet Gynecol 2019;53:715-723).

Places are in semi-axes from the middle: along is positive towards the front, across towards the
fetus's left, where the stomach is. Echo levels and sizes were set by eye against real images, and
by the grey of 287 of them inside, outside and along the normals of the ellipses on the experts'
diameters. The edge of the wall's brightest line lies in the median 0.1 mm (near wall) and 0.9 mm
(far wall) inside the experts' ends: beneath the skin the lining is often the brighter line.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Ellipse, Points
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
from fetometry.phantom.probe import Field, Grid
from fetometry.phantom.speckle import Medium, amplitude, smooth_noise

WALL_DB, LIVER_DB, ORGAN_DB = -28.0, -28.5, -32.0
FLUID_DB, STOMACH_DB, VESSEL_DB, BONE_DB = -51.0, -53.0, -51.0, -10.0
WALL_LOSS, LIVER_LOSS, BONE_LOSS, RIB_LOSS = 0.20, 0.075, 1.6, 0.9

#: AC of a fetus of the first trimester, and of one from mid-pregnancy on.
GROWTH_AC_MM = (50.0, 150.0)

#: Levels where the beam is at a right angle: skin, lining of the wall, ribs, walls of the vein.
SKIN_MIRROR_DB, LINING_MIRROR_DB, RIB_MIRROR_DB, VEIN_MIRROR_DB = -17.0, -16.0, -13.0, -20.0

#: Level of the bright tracts of the liver, one deviation above where they begin.
TRACT_MIRROR_DB = -18.0

#: Skin is smoother than bone: the fall of its echo with the tilt, in dB, is so many times deeper.
SMOOTH = 1.5

#: Width of the skin's echo.
SKIN_FWHM_MM = 0.9

#: The grey of the skin falls half way to that of its surroundings where its echo has fallen by
#: this much: between 8 dB in tissue and 13 dB in fluid.
RIM_DB = 10.0

#: Umbilical vein from the front to the portal sinus, where it bends to the right.
VEIN: tuple[tuple[float, float], ...] = (
    (0.58, 0.04),
    (0.36, 0.02),
    (0.22, -0.05),
    (0.14, -0.18),
    (0.12, -0.34),
)
VEIN_RADIUS = 0.06

#: Ossification centres: body of the vertebra and the two laminae; place and size.
Spot = tuple[tuple[float, float], tuple[float, float]]
BONES: tuple[Spot, ...] = (
    ((-0.63, 0.0), (0.085, 0.085)),
    ((-0.82, 0.16), (0.06, 0.07)),
    ((-0.82, -0.16), (0.06, 0.07)),
)
#: Aorta, before the spine and to its left, and inferior vena cava.
VESSELS: tuple[Spot, ...] = (((-0.43, 0.09), (0.055, 0.055)), ((-0.33, -0.14), (0.06, 0.05)))

#: Spleen and bowel on the left, muscle behind: place and size.
ORGANS: tuple[Spot, ...] = (((-0.15, 0.62), (0.7, 0.45)), ((-0.85, 0.0), (0.4, 0.7)))

#: Ribs in the side walls: angle from the front where one begins and ends, in degrees.
RIBS: tuple[tuple[float, float], ...] = ((60.0, 78.0), (92.0, 112.0), (126.0, 146.0))


def abdomen_body(ellipse: Ellipse, spine: Points, rng: np.random.Generator) -> Body:
    """Return an abdomen whose spine lies in the direction (row, col), its left on a random side."""
    along = -spine / np.linalg.norm(spine)
    left = 1 if rng.random() < 0.5 else -1
    grown = maturity(ellipse.circumference, GROWTH_AC_MM)
    return Body(ellipse, along, left * np.array([along[1], -along[0]]), grown)


def wall_mm(body: Body) -> float:
    """Return the thickness of the wall: skin, fat and muscle."""
    return 0.7 + 0.03 * 2 * body.ellipse.semi_axes[1]


def lay_organs(tissue: Tissue, frame: Frame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay wall, liver, the organs of the left and of the back, and the stomach."""
    b = frame.body.semi_axes_mm[1]
    coarse = smooth_noise(grid, (0.3 * b, 8.0), rng)
    lumps = smooth_noise(grid, (0.12 * b, 3.0), rng)
    fine = smooth_noise(grid, (0.05 * b, 1.4), rng)
    # the fibres of the wall lie along it: they answer a beam that meets them
    wall = WALL_DB + 2 * lumps + 2 * fine - 14 * (1 - frame.facing)
    tissue.lay(soft(frame.distance + np.float32(0.3), 0.6), np.asarray(wall, np.float32), WALL_LOSS)
    inside = soft(frame.distance + np.float32(wall_mm(frame.body)), 1.5)
    vessels = 9 * np.clip(-fine - 1.4, 0, 1)
    liver = LIVER_DB + 2 * coarse + 1.5 * lumps + fine - vessels
    tissue.lay(inside, np.asarray(liver, np.float32), LIVER_LOSS)
    tracts = inside * np.clip(fine - 1.3, 0, None)
    tissue.mirror += np.asarray(10 ** (TRACT_MIRROR_DB / 20) * tracts, np.float32)
    organs = np.asarray(ORGAN_DB + 2 * coarse + 3 * lumps + 2 * fine, np.float32)
    for place, size in ORGANS:
        tissue.lay(inside * _faded(frame, place, size), organs, TISSUE_LOSS)
    _lay_stomach(tissue, frame, rng)
    for place, size in VESSELS:
        tissue.lay(frame.blob(place, size), VESSEL_DB, FLUID_LOSS)


def _faded(frame: Frame, place: tuple[float, float], size: tuple[float, float]) -> Field:
    """Cover (R, B) of an organ that has no edge to see, in units of the semi-axes."""
    a, b = frame.body.semi_axes_mm
    x = (frame.along / a - place[0]) / size[0]
    y = (frame.across / b - place[1]) / size[1]
    return soft(np.asarray(np.hypot(x, y) - 1, np.float32), 0.8)


def _lay_stomach(tissue: Tissue, frame: Frame, rng: np.random.Generator) -> None:
    """Lay the stomach on the left: a bubble, and its outlet that bends to the middle."""
    size = rng.uniform(0.8, 1.2) * np.array([0.24, 0.16])
    place = (float(rng.uniform(-0.10, 0.12)), float(rng.uniform(0.40, 0.50)))
    outlet = (place[0] + 0.75 * float(size[0]), place[1] - 0.75 * float(size[1]))
    for grow, level_db, loss in ((0.035, WALL_DB + 3, TISSUE_LOSS), (0.0, STOMACH_DB, FLUID_LOSS)):
        bubble = frame.blob(place, (float(size[0]) + grow, float(size[1]) + grow))
        rest = frame.blob(outlet, (0.5 * float(size[0]) + grow, 0.5 * float(size[1]) + grow))
        tissue.lay(np.maximum(bubble, rest), level_db, loss)


def lay_vein(tissue: Tissue, frame: Frame, grid: Grid) -> None:
    """Lay the umbilical vein and the portal sinus: fluid between walls that mirror."""
    a, b = frame.body.semi_axes_mm
    size = np.array([a, b])
    points = np.array(VEIN) * size
    distance = np.full(grid.shape, np.inf, np.float32)
    facing = np.zeros(grid.shape, np.float32)
    axes = np.stack([frame.body.along, frame.body.across])
    for start, stop in pairwise(points):
        run = (stop - start) / np.linalg.norm(stop - start)
        x, y = frame.along - np.float32(start[0]), frame.across - np.float32(start[1])
        ahead = np.clip(x * run[0] + y * run[1], 0, np.linalg.norm(stop - start))
        near = np.hypot(x - ahead * run[0], y - ahead * run[1]).astype(np.float32)
        normal = np.array([-run[1], run[0]]) @ axes  # (row, col)
        closer = near < distance
        facing = np.where(closer, np.abs(grid.directions @ normal).astype(np.float32), facing)
        distance = np.minimum(distance, near)
    depth = distance - np.float32(VEIN_RADIUS * b)
    tissue.lay(soft(depth, 0.8), VESSEL_DB, FLUID_LOSS)
    wall = np.exp(-np.square((depth - 0.2) / 0.35)) * mirror_gain(facing)
    tissue.mirror += np.asarray(10 ** (VEIN_MIRROR_DB / 20) * wall, np.float32)


def lay_wall(tissue: Tissue, frame: Frame, inset_mm: float, rng: np.random.Generator) -> None:
    """Lay skin, lining and ribs, so that the edge that is seen lies on the outline.

    The echo of the skin is centred `inset_mm` inside the outline.
    """
    depth = frame.distance + np.float32(inset_mm)
    skin = np.exp(-4 * np.log(2) * np.square(depth / SKIN_FWHM_MM))
    thick = wall_mm(frame.body) * (1 + 0.25 * frame.outline_noise(rng, 6))
    lining = np.exp(-np.square((depth + thick) / 0.7))
    ribs = _ribs(frame, rng) * np.exp(-np.square((depth + thick + 0.3) / 0.7))
    ribs *= frame.body.maturity
    tissue.lay(np.asarray(ribs, np.float32), WALL_DB + 6, RIB_LOSS)
    facing = mirror_gain(frame.facing) ** SMOOTH
    for sheet, level_db in (
        (skin, SKIN_MIRROR_DB),
        (lining, LINING_MIRROR_DB),
        (ribs, RIB_MIRROR_DB),
    ):
        uneven = np.asarray(level_db + 3.5 * frame.outline_noise(rng, 20), np.float32)
        tissue.mirror += np.asarray(sheet * amplitude(uneven) * facing, np.float32)


def _ribs(frame: Frame, rng: np.random.Generator) -> NDArray[np.float64]:
    """Share (R, B) of the wall that is rib, on either side."""
    a, b = frame.body.semi_axes_mm
    angle = np.degrees(np.arctan2(frame.across / b, frame.along / a))
    total = np.zeros(angle.shape)
    for side in (1, -1):
        for begin, end in RIBS:
            shift = rng.normal(0, 6)
            mid, half = (begin + end) / 2 + shift, (end - begin) / 2
            total += soft(np.abs(side * angle - np.float32(mid)) - np.float32(half), 8.0)
    return total


def lay_spine(tissue: Tissue, frame: Frame) -> None:
    """Lay the ossification centres, which shadow what lies behind them."""
    for place, size in BONES:
        tissue.lay(frame.blob(place, size), BONE_DB, BONE_LOSS)


def abdomen_medium(
    ellipse_mm: Ellipse, spine: Points, grid: Grid, rng: np.random.Generator
) -> Medium:
    """Return the tissue of an abdomen whose skin is seen to end on the ellipse (in mm).

    `spine` is the direction (row, col) from the middle to the spine.
    """
    body = abdomen_body(ellipse_mm, spine, rng)
    frame = Frame.of(body, grid, rng)
    tissue = lay_near_field(grid, rng)
    lay_uterus(tissue, frame, grid, rng, fluid_db=FLUID_DB)
    lay_parts(tissue, frame, grid, rng)
    lay_organs(tissue, frame, grid, rng)
    lay_vein(tissue, frame, grid)
    lay_spine(tissue, frame)
    lay_wall(tissue, frame, echo_rim_mm(SKIN_FWHM_MM, RIM_DB, grid.probe), rng)
    return tissue.medium()
