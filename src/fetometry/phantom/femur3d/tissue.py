"""The scene along the beams: echo levels, surfaces and losses of one plane after another.

Levels are in dB below white and were set by eye; losses are there and back, per mm and MHz, after
Duck FA. Physical Properties of Tissue. Academic Press 1990.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fetometry.phantom.anatomy.femur import (
    BONE_DB,
    BONE_MIRROR_DB,
    CARTILAGE_DB,
    FASCIA_MIRROR_DB,
    FAT_DB,
    FLUID_DB,
    MUSCLE_DB,
    MUSCLE_LOSS,
    SKIN_MIRROR_DB,
)
from fetometry.phantom.anatomy.tissue import FLUID_LOSS, TISSUE_LOSS, Tissue, mirror_gain, soft
from fetometry.phantom.femur3d.probe import SweptGrid
from fetometry.phantom.femur3d.scene import Scene
from fetometry.phantom.femur3d.speckle import coarse_noise, noise_plane
from fetometry.phantom.probe import Field
from fetometry.phantom.speckle import Medium, amplitude

#: Echo of the uterine wall and the placenta.
WALL_DB = -30.0

#: Loss of the shaft when clean, and what a clinical one adds.
BONE_LOSS, MORE_BONE_LOSS = 0.6, 0.6

#: By so much, when clinical, rough bone fades where its surface lies along the beam.
DROPOUT_DB = 16.0

#: Other bones echo by so much less.
OTHER_BONE_DB = -5.0

#: Width of an edge between soft tissues, of the bone's, and the skin's thickness.
EDGE_MM, BONE_EDGE_MM, SKIN_MM = 0.8, 0.4, 2.5

#: Planes that come no nearer to a bone do not feel it.
FAR_MM = 5.0

#: A surface's echo is so wide, in lengths of the pulse.
SURFACE = 0.65

#: Side of the picture of muscle fibres, and of its pixels in mm.
FIBRES, FIBRE_MM = 256, 0.5

#: Size of the lumps of tissue in mm, coarse and fine.
LUMPS_MM = (9.0, 3.5)


@dataclass(frozen=True)
class Texture:
    """What makes tissue uneven: nodes of smooth noise, and the fibres seen end on."""

    lumps: Field
    grains: Field
    fibres: Field

    @classmethod
    def of(cls, grid: SweptGrid, rng: np.random.Generator) -> Texture:
        """Draw it for a grid."""
        fields = []
        depth = float(grid.depth_mm[-1])
        reach = grid.probe.sweep_radius_mm + depth / 2
        across = reach * float(np.ptp(grid.sweep_rad))
        along = (grid.probe.array.radius_mm + depth / 2) * float(np.ptp(grid.angle_rad))
        for cell in LUMPS_MM:
            planes, samples, beams = (max(4, round(size / cell)) for size in (across, depth, along))
            fields.append(coarse_noise((planes, samples, beams), rng))
        noise = rng.standard_normal((FIBRES, FIBRES), dtype=np.float32)
        # wider than thick: the sheets between bundles, not single lines
        sheets = cv2.GaussianBlur(noise, (0, 0), 5.0, sigmaY=1.2, borderType=cv2.BORDER_REFLECT)
        return cls(fields[0], fields[1], (sheets / sheets.std()).astype(np.float32))

    def muscle(self, scene: Scene, points_mm: Field) -> Field:
        """Return the unevenness (R, B) of muscle, whose fibres run along the shaft."""
        along, across, over = scene.shaft.local(points_mm)
        first, last = scene.thigh.radii_mm
        share = along / np.float32(scene.shaft.length_mm) + np.float32(0.5)
        # bundles grow thin with the thigh
        scale = np.float32(first) / np.maximum(first + share * (last - first), 0.3 * last)
        picture = [(scale * at / FIBRE_MM + FIBRES / 2).astype(np.float32) for at in (across, over)]
        cols, rows = picture
        return np.asarray(
            cv2.remap(self.fibres, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP),
            np.float32,
        )


def _facing(distance: Field, grid: SweptGrid) -> Field:
    """Return the cosine (R, B) between the beams and the normal of a surface."""
    return np.clip(np.abs(np.gradient(distance, grid.step_mm, axis=0)), 0, 1).astype(np.float32)


def _surface(distance: Field, level_db: Field | float, grid: SweptGrid) -> Field:
    """Return the coherent echo (R, B) of a smooth surface."""
    width = np.float32(SURFACE * grid.probe.array.axial_fwhm_mm)
    strength = amplitude(np.asarray(level_db, np.float32)) * mirror_gain(_facing(distance, grid))
    return np.asarray(np.exp(-np.square(distance / width)) * strength, np.float32)


def _lay_bone(
    tissue: Tissue, distance: Field, weaker_db: float, scene: Scene, grid: SweptGrid
) -> None:
    """Lay a bone: its near surface shines, its sides fade, and it darkens what is behind."""
    if distance.min() > FAR_MM:
        return
    side = 1 - _facing(distance, grid)
    level = BONE_DB + weaker_db - scene.difficulty * DROPOUT_DB * side
    cover = soft(distance, BONE_EDGE_MM)
    tissue.lay(cover, np.asarray(level, np.float32), BONE_LOSS + scene.difficulty * MORE_BONE_LOSS)
    tissue.mirror += _surface(distance, BONE_MIRROR_DB + weaker_db, grid)


def _lay_surroundings(
    tissue: Tissue, scene: Scene, grid: SweptGrid, points: Field, uneven: Field
) -> None:
    """Lay the wall of the uterus, and the fluid round the fetus."""
    wall = points[..., 1] - np.float32(scene.wall_mm) - 1.2 * uneven
    pocket = scene.pocket.distance(points) + 2.0 * uneven
    fluid = np.asarray(np.maximum(pocket, -wall), np.float32)
    tissue.lay(soft(fluid, EDGE_MM), FLUID_DB, FLUID_LOSS)
    for depth in (0.35, 0.62, 1.0):
        sheet = points[..., 1] - np.float32(depth * scene.wall_mm) - 1.2 * uneven
        near = sheet < 3  # and not again deeper down
        tissue.mirror += near * _surface(sheet.astype(np.float32), SKIN_MIRROR_DB - 6, grid)


def _lay_soft(
    tissue: Tissue, scene: Scene, grid: SweptGrid, points: Field, noise: tuple[Field, Field, Field]
) -> None:
    """Lay the parts of the fetus: skin and fat round them, muscle in the limbs, cartilage."""
    lumps, grains, muscle = noise
    outline = scene.thigh.distance(points) + 0.8 * lumps
    skin = np.minimum.reduce(
        [outline, *(part.distance(points) + 0.8 * lumps for part in scene.soft)]
    )
    tissue.lay(soft(skin, EDGE_MM), FAT_DB + 2 * lumps + 2 * grains, TISSUE_LOSS)
    tissue.mirror += _surface(skin, SKIN_MIRROR_DB, grid)
    sheet = np.minimum(outline, skin) + np.float32(SKIN_MM) + 0.5 * grains
    meat = MUSCLE_DB + 1.5 * lumps + 4.0 * muscle
    tissue.lay(soft(sheet, EDGE_MM), np.asarray(meat, np.float32), MUSCLE_LOSS)
    tissue.mirror += _surface(sheet, FASCIA_MIRROR_DB + 3 * grains, grid)
    for joint in scene.cartilage:
        cover = soft(joint.distance(points) + 0.4 * grains, EDGE_MM)
        tissue.lay(cover, CARTILAGE_DB + 2 * grains, TISSUE_LOSS)


def lay_plane(scene: Scene, texture: Texture, grid: SweptGrid, plane: int) -> Medium:
    """Return the tissue of one plane, arrays (R, B)."""
    points = grid.points_mm(plane)
    lumps = noise_plane(texture.lumps, grid, plane)
    grains = noise_plane(texture.grains, grid, plane)
    tissue = Tissue(
        np.asarray(WALL_DB + 2.5 * lumps + 1.5 * grains, np.float32),
        np.zeros(grid.shape[1:], np.float32),
        np.full(grid.shape[1:], TISSUE_LOSS, np.float32),
    )
    _lay_surroundings(tissue, scene, grid, points, lumps)
    _lay_soft(tissue, scene, grid, points, (lumps, grains, texture.muscle(scene, points)))
    for bone in scene.bones:
        _lay_bone(tissue, bone.distance(points), OTHER_BONE_DB, scene, grid)
    _lay_bone(tissue, scene.shaft.distance(points), 0.0, scene, grid)
    return tissue.medium()


def lay(scene: Scene, grid: SweptGrid, rng: np.random.Generator) -> Medium:
    """Return the tissue of the whole sector, arrays (P, R, B), laid plane by plane."""
    texture = Texture.of(grid, rng)
    laid = Medium(*(np.empty(grid.shape, np.float32) for _ in range(3)))
    for plane in range(grid.shape[0]):
        medium = lay_plane(scene, texture, grid, plane)
        laid.scatter[plane], laid.mirror[plane] = medium.scatter, medium.mirror
        laid.loss[plane] = medium.loss
    return laid
