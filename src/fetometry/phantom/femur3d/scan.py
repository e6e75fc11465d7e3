"""A fetal femur of known length and volume, as a swept ultrasound probe would show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fetometry.geometry import Points
from fetometry.phantom.anatomy.tissue import TISSUE_LOSS
from fetometry.phantom.femur3d.probe import SweptGrid
from fetometry.phantom.femur3d.scene import draw_scene
from fetometry.phantom.femur3d.shaft import Mask
from fetometry.phantom.femur3d.spec import (
    MACHINE,
    SCENE,
    SPECKLE,
    TEXTURE,
    FemurVolumeSpec,
)
from fetometry.phantom.femur3d.speckle import coarse_noise, envelope, noise_plane
from fetometry.phantom.femur3d.tissue import lay
from fetometry.phantom.probe import Field
from fetometry.phantom.speckle import Console, compress
from fetometry.volume import Volume

#: Share of the tissue's loss that the gain makes up for, when clean and by how much less when not.
TGC, LESS_TGC = 0.97, 0.17

#: Pictures with independent speckle that are averaged, and the exponent of the grey map.
LOOKS, GAMMA = 2, 1.8

#: What is lost, in dB, at the rim of the sector and for each deviation of poor contact.
RIM_DB, CONTACT_DB = 5.0, 6.0


@dataclass(frozen=True)
class FemurVolumePhantom:
    """A volume of a femur, and the truth about it.

    `mask` (D, H, W) is the ossified shaft; `ends` (2, 3) are its ends in voxels (slice, row, col),
    hip first; `length_mm` is the straight distance between them. `spec` is what was asked for.
    """

    plane: ClassVar[str] = "femur3d"

    volume: Volume
    mask: Mask
    ends: Points
    length_mm: float
    volume_ml: float
    spec: FemurVolumeSpec

    @property
    def facts(self) -> dict[str, object]:
        """Length, volume and ends of the shaft; ready for JSON. Points are (slice, row, col)."""
        run = self.spec.shaft.axes[0]
        return {
            "length_mm": self.length_mm,
            "volume_ml": self.volume_ml,
            "ends_voxels": self.ends.tolist(),
            "ends_mm": (self.ends * self.spec.voxel_mm).tolist(),
            "tilt_deg": float(np.degrees(np.arcsin(abs(run[1])))),
            "ga_days": None if self.spec.fl_mm is not None else self.spec.age_days,
            "difficulty": self.spec.difficulty,
        }


def _gain(grid: SweptGrid, difficulty: float, rng: np.random.Generator) -> Field:
    """Return what contact and sliders do to the level (P, R, B), in dB."""
    half = np.radians(grid.probe.sweep_half_angle_deg)
    rim = (grid.sweep_rad[:, None] / half) ** 4 + (grid.angle_rad / half) ** 4
    coarse = coarse_noise((5, 6, 6), rng)
    coarse[:] = coarse[:, :1]  # a place of poor contact spoils all depths
    patches = np.stack([noise_plane(coarse, grid, k)[0] for k in range(grid.shape[0])])
    lost = RIM_DB * np.minimum(rim, 2) + CONTACT_DB * np.maximum(patches - 0.8, 0)
    sliders = np.interp(
        grid.depth_mm / grid.depth_mm[-1], np.linspace(0, 1, 6), rng.normal(0, 1.2, 6)
    )
    gain = sliders[:, None] - lost[:, None, :]
    return np.asarray(difficulty * gain, np.float32)


def console(grid: SweptGrid, difficulty: float, rng: np.random.Generator) -> Console:
    """Set the machine: the harder, the worse."""
    paths = rng.uniform(0.04, 0.4, 7) * grid.depth_mm[-1]
    strengths = (
        difficulty * 10 ** (rng.uniform(-34, -25, 7) / 20) * np.exp(2j * np.pi * rng.random(7))
    )
    return Console(
        tgc=(TGC - difficulty * LESS_TGC) * TISSUE_LOSS,
        gain_db=_gain(grid, difficulty, rng),
        echoes=tuple(zip(paths.tolist(), strengths.tolist(), strict=True)) if difficulty else (),
        looks=LOOKS,
        gamma=GAMMA,
    )


def femur3d(spec: FemurVolumeSpec) -> FemurVolumePhantom:
    """Scan a thigh: lay the tissue, receive its echoes, make the volume.

    The same spec gives the same bytes.
    """
    grid = spec.probe.grid()
    scene = draw_scene(spec.shaft, spec.difficulty, spec.stream(SCENE))
    machine = console(grid, spec.difficulty, spec.stream(MACHINE))
    medium = lay(scene, grid, spec.stream(TEXTURE))
    received = envelope(medium, grid, machine, spec.stream(SPECKLE))
    del medium
    for plane in received:
        plane[:] = compress(plane, machine)
    voxels = grid.scan_convert(received, spec.shape, spec.voxel_mm)
    spacing = (spec.voxel_mm,) * 3
    return FemurVolumePhantom(
        volume=Volume(voxels, f"phantom femur3d, seed {spec.seed}", spacing),
        mask=spec.shaft.mask(spec.shape, spec.voxel_mm),
        ends=spec.shaft.ends_mm / spec.voxel_mm,
        length_mm=spec.shaft.length_mm,
        volume_ml=spec.shaft.volume_ml,
        spec=spec,
    )
