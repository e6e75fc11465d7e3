"""The shaft against formulas: its ends, its length, its volume, its voxels."""

import numpy as np
import pytest

from fetometry.phantom.femur3d.shaft import END_ROUND, Shaft

ENDS = np.array([[20.0, 24.0, 10.0], [26.0, 30.0, 45.0]])
LENGTH = float(np.linalg.norm(ENDS[1] - ENDS[0]))


def shaft(**changes):
    across = np.cross(ENDS[1] - ENDS[0], [0.0, 1.0, 0.0])
    form = {
        "ends_mm": ENDS,
        "bow_direction": across / np.linalg.norm(across),
        "bow_mm": 1.5,
        "radius_mm": 3.0,
        "flare": (0.7, 1.0),
    }
    return Shaft(**form | changes)


def distance(bone, *points):
    return bone.distance(np.array(points, np.float32))


def test_length_is_the_straight_distance_between_the_ends_whatever_the_bow():
    assert shaft().length_mm == pytest.approx(LENGTH)
    assert shaft(bow_mm=4.0).length_mm == pytest.approx(LENGTH)


def test_the_ends_lie_on_the_surface():
    assert distance(shaft(), *ENDS) == pytest.approx([0, 0], abs=1e-4)


def test_inside_is_negative_and_beyond_an_end_is_as_far_as_it_is():
    bone = shaft()
    run = bone.axes[0]
    assert distance(bone, ENDS[0] - 2 * run, ENDS[1] + 2 * run) == pytest.approx([2, 2], abs=1e-3)
    assert (distance(bone, ENDS[0] + 2 * run, ENDS[1] - 2 * run) < -1).all()


def test_the_middle_of_the_bone_is_off_the_straight_line_by_the_bow():
    bone = shaft(bow_mm=4.0)
    middle = ENDS.mean(axis=0)
    assert distance(bone, middle + 4 * bone.axes[1])[0] == pytest.approx(-3.0, abs=0.01)
    assert distance(bone, middle)[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("end", "flare"), [(0, 0.7), (1, 1.0)])
def test_the_metaphyses_are_wider_than_the_middle_by_the_flare(end, flare):
    bone = shaft(bow_mm=0.0)
    inner = ENDS[end] + (0.05 if end == 0 else -0.05) * bone.axes[0] * LENGTH
    wide = 3.0 * (1 + flare * 0.9**4)
    assert distance(bone, inner + (wide - 0.2) * bone.axes[2])[0] < 0
    assert distance(bone, inner + (wide + 0.2) * bone.axes[2])[0] > 0


def test_a_straight_shaft_has_the_volume_of_a_cylinder_with_rounded_ends():
    bone = shaft(bow_mm=0.0, flare=(0.0, 0.0))
    # each end loses a paraboloid of depth END_ROUND * r: half of its cylinder
    expected = np.pi * 3.0**2 * (LENGTH - END_ROUND * 3.0) / 1000
    assert bone.volume_ml == pytest.approx(expected, rel=1e-5)


def test_a_bow_leaves_the_volume_as_it_is_and_a_flare_adds_to_it():
    assert shaft(bow_mm=0.0).volume_ml == pytest.approx(shaft(bow_mm=5.0).volume_ml)
    assert shaft(flare=(0.0, 0.0)).volume_ml < 0.8 * shaft().volume_ml


@pytest.mark.parametrize("voxel_mm", [0.5, 0.8])
def test_the_voxels_of_the_mask_fill_the_volume(voxel_mm):
    shape = tuple(int(60 / voxel_mm) for _ in range(3))
    mask = shaft().mask(shape, voxel_mm)
    assert mask.dtype == np.bool_
    assert mask.sum() * voxel_mm**3 / 1000 == pytest.approx(shaft().volume_ml, rel=0.02)


def test_the_mask_ends_within_a_voxel_of_the_ends():
    mask, run = shaft().mask((60, 60, 60), 1.0), shaft().axes[0]
    for end, outward in zip(ENDS, (-run, run), strict=True):
        assert mask[tuple(np.rint(end - outward).astype(int))]
        assert not mask[tuple(np.rint(end + outward).astype(int))]


def test_a_mask_is_cut_where_the_volume_ends():
    assert not shaft().mask((8, 8, 8), 1.0).any()
    whole, part = shaft().mask((60, 60, 60), 1.0), shaft().mask((60, 60, 30), 1.0)
    assert np.array_equal(part, whole[:, :, :30])
