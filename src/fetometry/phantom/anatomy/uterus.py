"""What surrounds every plane: the mother's wall, the placenta, the fluid, other fetal parts."""

from __future__ import annotations

import numpy as np

from fetometry.phantom.anatomy.tissue import (
    FLUID_DB,
    FLUID_LOSS,
    TISSUE_DB,
    TISSUE_LOSS,
    Frame,
    Tissue,
    mirror_gain,
    soft,
)
from fetometry.phantom.probe import Grid
from fetometry.phantom.speckle import smooth_noise

PLACENTA_DB, PART_DB = -29.0, -25.0


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


def lay_uterus(
    tissue: Tissue,
    frame: Frame,
    grid: Grid,
    rng: np.random.Generator,
    fluid_db: float = FLUID_DB,
) -> None:
    """Lay the placenta on one side, and fluid round the body."""
    a, b = frame.body.semi_axes_mm
    lumps = smooth_noise(grid, (0.12 * b, 3.0), rng)
    side = 1.0 if rng.random() < 0.5 else -1.0
    along, across = frame.along / a, frame.across / b
    edge = np.asarray((0.75 - side * along - 0.25 * across) * a, np.float32)
    placenta = soft(edge, 0.3 * a)
    tissue.lay(placenta, np.asarray(PLACENTA_DB + 2 * lumps, np.float32), TISSUE_LOSS)
    young = 1 - frame.body.maturity
    ends = np.square(along) / (np.square(along) + np.square(across) + 0.01)
    room = 1.0 + 0.5 * young + 0.25 * ends
    wall = np.hypot(along, across) - room - 0.13 * frame.outline_noise(rng, 5)
    fluid = soft(np.asarray(wall * b, np.float32), 0.08 * b)
    tissue.lay(fluid, np.asarray(fluid_db + 2 * lumps, np.float32), FLUID_LOSS)
    rim = np.exp(-np.square(wall * b / 0.8)) * mirror_gain(frame.facing)
    tissue.mirror += np.asarray(0.03 * rim * np.clip(lumps, 0, None), np.float32)


def lay_parts(tissue: Tissue, frame: Frame, grid: Grid, rng: np.random.Generator) -> None:
    """Lay parts of the fetus beside the body: hands, shoulder, cord."""
    lumps = smooth_noise(grid, (2.0, 2.0), rng)
    for _ in range(3):
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(1.45, 1.8)
        place = (far * float(np.cos(turn)), far * float(np.sin(turn)))
        part = frame.blob(place, (rng.uniform(0.08, 0.2), rng.uniform(0.08, 0.2)))
        tissue.lay(part, np.asarray(PART_DB + 3 * lumps, np.float32), 2 * TISSUE_LOSS)
