"""The whole phantom: truth and picture agree, and a seed gives the same bytes."""

import numpy as np
import pytest

from fetometry.phantom import FemurVolumeSpec, femur3d
from fetometry.phantom.femur3d.scene import Rod, draw_scene
from fetometry.phantom.femur3d.spec import SCENE, TEXTURE
from fetometry.phantom.femur3d.speckle import transmission_db
from fetometry.phantom.femur3d.tissue import lay

SPEC = FemurVolumeSpec(fl_mm=24.0, shape=(56, 56, 56), voxel_mm=1.0, difficulty=0.0, seed=3)
HARD = FemurVolumeSpec(fl_mm=24.0, shape=(56, 56, 56), voxel_mm=1.0, seed=3)


@pytest.fixture(scope="module")
def phantom():
    return femur3d(SPEC)


@pytest.fixture(scope="module")
def hard():
    return femur3d(HARD)


def test_volume_and_mask_have_the_shape_and_spacing_asked_for(phantom):
    assert phantom.volume.shape == phantom.mask.shape == (56, 56, 56)
    assert phantom.volume.spacing_mm == (1.0, 1.0, 1.0)
    assert phantom.volume.voxels.dtype == np.uint8


def test_the_truth_is_that_of_the_shaft(phantom):
    assert phantom.length_mm == pytest.approx(24.0)
    assert np.linalg.norm(phantom.ends[1] - phantom.ends[0]) == pytest.approx(24.0)
    assert phantom.facts["length_mm"] == phantom.length_mm
    assert phantom.facts["ends_voxels"] == phantom.ends.tolist()
    # thin as this shaft is in these voxels, they fill its volume within a few percent
    assert phantom.mask.sum() / 1000 == pytest.approx(phantom.volume_ml, rel=0.08)


def test_the_bone_is_brighter_than_what_lies_round_it(phantom, hard):
    for made in (phantom, hard):
        points = np.stack(np.mgrid[:56, :56, :56], axis=-1).astype(np.float32)
        away = made.spec.shaft.distance(points)
        bone = made.volume.voxels[made.mask].mean()
        muscle = made.volume.voxels[(away > 2.5) & (away < 4)].mean()
        assert bone > 1.5 * muscle


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(hard):
    again = femur3d(HARD)
    assert np.array_equal(again.volume.voxels, hard.volume.voxels)
    assert np.array_equal(again.mask, hard.mask)
    other = FemurVolumeSpec(fl_mm=24.0, shape=(56, 56, 56), voxel_mm=1.0, seed=4)
    assert not np.allclose(other.shaft.ends_mm, HARD.shaft.ends_mm)


def test_difficulty_changes_the_picture_and_leaves_the_truth(phantom, hard):
    assert np.array_equal(phantom.mask, hard.mask)
    assert phantom.volume_ml == hard.volume_ml
    assert not np.array_equal(phantom.volume.voxels, hard.volume.voxels)


def test_behind_the_bone_less_is_heard():
    grid = SPEC.probe.grid()
    scene = draw_scene(SPEC.shaft, 0.0, SPEC.stream(SCENE))
    level = transmission_db(lay(scene, grid, SPEC.stream(TEXTURE)).loss, grid, tgc=0.085)
    points = np.stack([grid.points_mm(k) for k in range(grid.shape[0])])
    through = (SPEC.shaft.distance(points) < -0.5).sum(axis=1) >= 2  # (P, B)
    near = (SPEC.shaft.distance(points) < 12).any(axis=1) & ~through
    assert level[:, -1][through].mean() < level[:, -1][near].mean() - 2


def test_harder_scenes_have_other_bones_and_clean_ones_none():
    scenes = [draw_scene(HARD.shaft, d, HARD.stream(SCENE)) for d in (0.0, 0.5, 1.0)]
    assert [len(scene.bones) for scene in scenes] == [0, 3, 6]
    assert not scenes[0].soft


def test_no_other_bone_touches_the_femur():
    for seed in range(12):
        spec = FemurVolumeSpec(shape=(96, 128, 128), voxel_mm=0.8, seed=seed)
        scene = draw_scene(spec.shaft, 1.0, spec.stream(SCENE))
        share = np.linspace(0, 1, 40)[:, None]
        for bone in scene.bones:
            line = (1 - share) * bone.ends_mm[0] + share * bone.ends_mm[1]
            gap = spec.shaft.distance(line.astype(np.float32)) - max(bone.radii_mm)
            assert gap.min() > 1.0


def test_a_rod_is_as_far_as_geometry_says():
    rod = Rod(np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]]), (2.0, 4.0))
    points = np.array([[5, 7, 0], [-3, 0, 4], [10, 0, 0]], np.float32)
    assert rod.distance(points) == pytest.approx([4.0, 3.0, -4.0], abs=1e-5)
    ball = Rod(np.zeros((2, 3)), (1.0, 1.0))
    assert ball.distance(np.array([[0, 3, 4]], np.float32)) == pytest.approx([4.0], abs=1e-5)
