"""The fetal thigh: the ossified shaft of the femur, its cartilage, muscle and skin.

FL is the length of the ossified shaft, without the cartilage at its ends, in a plane in which
the bone lies across the beams and both ends are seen (Salomon LJ et al. ISUOG Practice
Guidelines: ultrasound assessment of fetal biometry and growth. Ultrasound Obstet Gynecol
2019;53:715-723).

Echo levels, widths and bow were set by eye against real images, and by the grey across and along
177 shafts whose ends experts had marked. The experts' ends lie where the grey has fallen half way
from the shaft's to that of what follows (median difference 0.05 mm); so do the phantom's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Ellipse, Points, distances_to
from fetometry.phantom.anatomy.tissue import (
    TISSUE_LOSS,
    Body,
    Frame,
    Tissue,
    maturity,
    mirror_gain,
    soft,
)
from fetometry.phantom.anatomy.uterus import lay_near_field, lay_parts, lay_uterus
from fetometry.phantom.probe import Field, Grid, Probe
from fetometry.phantom.speckle import FWHM_PER_SIGMA, Medium, amplitude, smooth_noise

FAT_DB, MUSCLE_DB, CARTILAGE_DB = -31.0, -37.0, -42.0
JOINT_DB, NUCLEUS_DB, FLUID_DB = -32.0, -20.0, -51.0
MUSCLE_LOSS, BONE_LOSS = 0.09, 1.5

#: What tissue loses more than the machine makes up for: operators turn the gain down for bone.
GAIN_LOSS = 0.012

#: FL of a fetus of the first trimester, and of one from mid-pregnancy on.
GROWTH_FL_MM = (8.0, 30.0)

#: The shaft: its rough bone, and its surface where the beam meets it at a right angle.
BONE_DB, BONE_MIRROR_DB = -16.0, -2.5

#: Levels at a right angle of the skin and of the sheets between the muscles.
SKIN_MIRROR_DB, FASCIA_MIRROR_DB = -16.0, -19.0

#: The shaft bows away from the probe by this share of its length, and by so much more or less.
BOW, BOW_SPREAD = 0.028, 0.012

#: From the surface to the far side of the bone the echo falls by so much, and the middle of what
#: is seen lies at this share of its thickness.
FALL_DB, RIDGE = -12.0, 0.35

#: At its ends the shaft is thicker by this share.
FLARE = 0.35

#: Width over which the bone ends.
END_MM = 0.4

#: At the end of the bone its echo has half the amplitude; the grey falls half way where it has
#: about a quarter, so many deviations of the point-spread function further out.
END_SIGMAS = 0.7

#: Semi-axes of the thigh along and across the shaft, and how much deeper its middle lies than that
#: of the shaft, in lengths of the shaft; the skin adds the same to every thigh.
THIGH, THIGH_DEPTH, SKIN_MM = (0.80, 0.24), 0.06, 0.9

#: Trunk and lower leg: middle, semi-axes, and turn of the first axis from the shaft's, which a
#: fetus changes. In lengths of the shaft along and across it, and degrees.
Part = tuple[tuple[float, float], tuple[float, float], float]
TRUNK: Part = ((-0.95, 0.30), (0.62, 0.42), 70.0)
LOWER_LEG: Part = ((0.78, 0.30), (0.45, 0.15), 65.0)
POSE_DEG = 12.0

#: Semi-axis of an epiphysis in lengths of the shaft.
EPIPHYSIS = 0.075

#: From this length on the distal epiphysis shows its ossification centre: in most fetuses from 33
#: weeks (Goldstein I et al. Am J Obstet Gynecol 1988;158:127-130).
EPIPHYSIS_FL_MM = 64.0


def shaft_mm(fl_mm: float) -> float:
    """Return how thick the shaft is seen; real ones measure 1.1 mm at FL 20, and 1.9 at 60."""
    return 0.7 + 0.02 * fl_mm


@dataclass(frozen=True)
class Shaft:
    """The samples seen from the shaft, in mm; arrays (R, B).

    `along` runs from the middle of the line between the ends, `below` from the middle of the
    bone, which is bowed, away from the probe. `facing` is the cosine between beam and surface.
    """

    along: Field
    below: Field
    facing: Field
    ends_mm: Points

    @classmethod
    def of(cls, ends_mm: Points, grid: Grid, bow: float) -> Shaft:
        """Look at the grid from a shaft that bows by a share of its length."""
        run = ends_mm[1] - ends_mm[0]
        length = float(np.linalg.norm(run))
        along, down = _axes(run / length)
        local = grid.points_mm - ends_mm.mean(axis=0)
        x, y = local @ along, local @ down
        within = np.clip(2 * x / length, -1.2, 1.2)
        slope = -4 * bow * within
        facing = (grid.directions @ down - slope * (grid.directions @ along)) / np.hypot(1, slope)
        return cls(
            x.astype(np.float32),
            (y - bow * length * (1 - within**2)).astype(np.float32),
            np.abs(facing).astype(np.float32),
            ends_mm,
        )

    @property
    def fl_mm(self) -> float:
        """Distance between the ends."""
        return float(np.linalg.norm(self.ends_mm[1] - self.ends_mm[0]))


def _axes(along: Points) -> tuple[Points, Points]:
    """Return unit vectors along the shaft, and across it away from the probe."""
    down = np.array([along[1], -along[0]])
    return along, down if down[0] > 0 else -down


def thigh_body(ends_mm: Points, rng: np.random.Generator) -> Body:
    """Return a thigh round the shaft, its knee on a random side."""
    run = ends_mm[1] - ends_mm[0]
    length = float(np.linalg.norm(run))
    along, down = _axes(run / length)
    knee = 1 if rng.random() < 0.5 else -1
    middle = ends_mm.mean(axis=0) + THIGH_DEPTH * length * down
    angle = float(np.degrees(np.arctan2(along[0], along[1])))
    ellipse = Ellipse(
        (float(middle[0]), float(middle[1])),
        (THIGH[0] * length, THIGH[1] * length + SKIN_MM),
        angle,
    )
    return Body(ellipse, knee * along, down, maturity(length, GROWTH_FL_MM))


def pocket_body(thigh: Body) -> Body:
    """Return the room that the fluid leaves the thigh: what is laid round a body lies round it."""
    a, b = thigh.semi_axes_mm
    return replace(thigh, ellipse=replace(thigh.ellipse, semi_axes=(a * 1.05, b * 1.6)))


def end_inset_mm(ends_mm: Points, probe: Probe) -> Points:
    """Return by how much (2,) the picture of the shaft outruns the bone at each end."""
    run = ends_mm[1] - ends_mm[0]
    lateral = np.asarray(
        [np.hypot(*(end - np.array(probe.apex_mm))) - probe.radius_mm for end in ends_mm]
    )
    across = run[1] / np.linalg.norm(run)
    width = np.hypot(
        across * probe.lateral_fwhm_mm(lateral), np.sqrt(1 - across**2) * probe.axial_fwhm_mm
    )
    return np.asarray(END_SIGMAS * width / FWHM_PER_SIGMA)


def skin_distance(frame: Frame, grid: Grid, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the distance (R, B) in mm from the skin of thigh, trunk and lower leg together."""
    body = frame.body
    length = body.semi_axes_mm[0] / THIGH[0]
    points = grid.points_mm.reshape(-1, 2)
    distance = frame.distance - 0.025 * length * (1 + frame.outline_noise(rng, 4))
    for place, size, turn_deg in (TRUNK, LOWER_LEG):
        middle = np.array(body.ellipse.center) + length * (np.array(place) @ _frame_axes(body))
        turn = np.radians(turn_deg + POSE_DEG * rng.standard_normal())
        row, col = np.array([np.cos(turn), np.sin(turn)]) @ _frame_axes(body)
        angle = float(np.degrees(np.arctan2(row, col)))
        part = Ellipse(
            (float(middle[0]), float(middle[1])), (length * size[0], length * size[1]), angle
        )
        distance = np.minimum(distance, distances_to(part, points).reshape(grid.shape))
    return distance


def _frame_axes(body: Body) -> Points:
    return np.stack([body.along, body.across])


def lay_thigh(tissue: Tissue, frame: Frame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay skin, fat, muscle with its sheets, and the cartilage beyond the ends of the shaft."""
    b = frame.body.semi_axes_mm[1]
    lumps = smooth_noise(grid, (0.25 * b, 5.0), rng)
    streaks = smooth_noise(grid, (0.06 * b + 0.3, 5.0), rng)
    skin = skin_distance(frame, grid, rng)
    fat = np.asarray(FAT_DB + 3 * lumps + 2 * streaks, np.float32)
    tissue.lay(soft(np.asarray(skin + 0.3, np.float32), 0.6), fat, TISSUE_LOSS)
    sheet = frame.distance + 0.11 * b * (2 + frame.outline_noise(rng, 5))
    meat = np.asarray(MUSCLE_DB + 2.5 * lumps + 2.5 * streaks, np.float32)
    tissue.lay(soft(np.asarray(sheet, np.float32), 0.15 * b), meat, MUSCLE_LOSS)
    _lay_joints(tissue, frame, lumps + streaks)
    near = np.where(frame.across < 0, 1.0, 0.4)
    for distance, level_db in ((skin + 0.5, SKIN_MIRROR_DB), (sheet, FASCIA_MIRROR_DB)):
        facing = np.abs(np.gradient(distance, grid.step_mm, axis=0)).astype(np.float32)
        uneven = np.asarray(level_db + 4 * frame.outline_noise(rng, 16), np.float32)
        line = near * np.exp(-np.square(distance / 0.5)) * amplitude(uneven) * mirror_gain(facing)
        tissue.mirror += np.asarray(line, np.float32)
    tissue.mirror += np.asarray(
        0.03 * np.clip(streaks - 0.8, 0, None) * soft(np.asarray(skin, np.float32), 1.0), np.float32
    )


def _lay_joints(tissue: Tissue, frame: Frame, texture: Field) -> None:
    """Lay hip and knee: fibrous tissue, and in it the cartilage of the epiphyses."""
    a, b = frame.body.semi_axes_mm
    length = a / THIGH[0]
    size = (EPIPHYSIS * length / a, 1.1 * EPIPHYSIS * length / b)
    for side in (1.0, -1.0):
        around = frame.blob((0.82 * side, -0.1), (0.26, 0.8))
        tissue.lay(around, np.asarray(JOINT_DB + 2 * texture, np.float32), TISSUE_LOSS)
        place = (side * (0.5 + EPIPHYSIS) * length / a, -THIGH_DEPTH * length / b)
        cartilage = np.asarray(CARTILAGE_DB + 2 * texture, np.float32)
        tissue.lay(frame.blob(place, size), cartilage, TISSUE_LOSS)
        if side > 0 and length > EPIPHYSIS_FL_MM:
            spot = frame.blob(place, (0.3 * size[0], 0.3 * size[1]))
            tissue.lay(spot, np.asarray(NUCLEUS_DB + 2 * texture, np.float32), 4 * TISSUE_LOSS)


def lay_shaft(
    tissue: Tissue, shaft: Shaft, inset_mm: Points, grid: Grid, rng: np.random.Generator
) -> None:
    """Lay the bone, so that its picture ends on the ends; `inset_mm` (2,) is how much shorter."""
    half = shaft.fl_mm / 2
    share = np.minimum(np.abs(shaft.along) / np.float32(half), 1.2)
    thick = shaft_mm(shaft.fl_mm) * (1 + FLARE * share**6)
    rough = 0.06 * thick * smooth_noise(grid, (50.0, 1.2), rng)
    depth = (shaft.below + rough) / thick + RIDGE  # 0 at the surface, 1 below the bone
    cover = soft(np.asarray((np.abs(depth - 0.5) - 0.5) * thick, np.float32), 0.3)
    round_mm = np.square(depth - RIDGE) * thick
    for side, inset in zip((-1, 1), inset_mm, strict=True):
        beyond = side * shaft.along - np.float32(half - inset) + round_mm
        cover = cover * soft(np.asarray(beyond, np.float32), END_MM)
    tissue.lay(cover, BONE_DB, BONE_LOSS)
    fall_db = FALL_DB * np.clip(depth, 0, 1) + 2 * smooth_noise(grid, (50.0, 2.0), rng)
    echo = amplitude(np.asarray(BONE_MIRROR_DB + fall_db, np.float32))
    tissue.mirror += cover * echo * mirror_gain(shaft.facing)


def femur_medium(ends_mm: Points, grid: Grid, rng: np.random.Generator) -> Medium:
    """Return the tissue of a thigh whose shaft is seen to end on two points (2, 2), in mm."""
    body = thigh_body(ends_mm, rng)
    frame = Frame.of(body, grid, rng)
    shaft = Shaft.of(ends_mm, grid, float(rng.normal(BOW, BOW_SPREAD)))
    tissue = lay_near_field(grid, rng)
    pocket = Frame.of(pocket_body(body), grid, rng)
    lay_uterus(tissue, pocket, grid, rng, fluid_db=FLUID_DB)
    lay_parts(tissue, pocket, grid, rng)
    lay_thigh(tissue, frame, grid, rng)
    lay_shaft(tissue, shaft, end_inset_mm(ends_mm, grid.probe), grid, rng)
    tissue.loss += np.float32(GAIN_LOSS)
    return tissue.medium()
