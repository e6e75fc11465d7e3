"""Flat cuts through volumes, checked against what is known to lie there."""

from dataclasses import replace

import numpy as np
import pytest

from fetometry.geometry.sampling import sampled
from fetometry.geometry.solid import bounding_box
from fetometry.report.volume_cut import BESIDE_MM, BEYOND_MM, Cut, cuts
from tests.report.volume_examples import ENDS, SHAPE, SPACING, bone, found, volume


def test_a_linear_ramp_is_sampled_exactly_between_its_voxels():
    z, row, col = np.mgrid[:4, :5, :6]
    ramp = (40 * z + 5 * row + 2 * col).astype(np.uint8)
    points = np.random.default_rng(0).uniform((0, 0, 0), (3, 4, 5), (7, 3, 3))
    np.testing.assert_allclose(sampled(ramp, points), points @ (40, 5, 2), atol=1e-4)


def test_beyond_the_volume_there_is_nothing():
    full = np.full((2, 2, 2), 100, np.uint8)
    points = np.array([[[0, 0, 0], [1, 1, 1], [-1, 0, 0], [0, 2, 0], [0, 0, 1.5], [-9, 50, 0]]])
    np.testing.assert_allclose(sampled(full, points.astype(float)), [[100, 100, 0, 0, 50, 0]])


def test_the_slices_are_planes_of_voxels_through_the_middle_of_the_bone():
    _, *planes = cuts(found(), volume())
    titles = [cut.title for cut in planes]
    assert titles == [
        "slice 21 of 40: rows down, columns across",
        "row 31 of 60: slices down, columns across",
        "column 41 of 80: rows down, slices across",
    ]
    voxels = np.random.default_rng(1).integers(0, 255, SHAPE).astype(np.uint8)
    # a pixel for each voxel of the smaller of the two sides shows these voxels themselves
    slice_cut = planes[0]
    points = slice_cut.voxels(1 / 0.25)
    assert points.shape == (120, 240, 3)
    shown = sampled(voxels, points[::2][:, 1::3] + (0, 0.25, 0))
    np.testing.assert_allclose(shown, voxels[20], atol=0.01)


def test_the_cut_along_the_bone_holds_both_ends_to_scale():
    along, *_ = cuts(found(), volume())
    assert along.size_mm == (2 * BESIDE_MM, 36.0 + 2 * BEYOND_MM)
    np.testing.assert_allclose(along.places(ENDS), [[0, -18], [0, 18]], atol=1e-9)
    np.testing.assert_allclose(along.off(ENDS), 0, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_any_oblique_bone_lies_in_its_cut_and_runs_to_the_right(seed):
    ends = np.random.default_rng(seed).uniform((5, 5, 5), (35, 55, 75), (2, 3))
    finding = found(ends, mask=False)
    along, *_ = cuts(finding, volume())
    (down_1, right_1), (down_2, right_2) = along.places(ends[np.argsort(ends[:, 2])])
    np.testing.assert_allclose([down_1, down_2], 0, atol=1e-9)
    assert right_2 == pytest.approx(finding.length_mm / 2)
    assert right_1 == pytest.approx(-finding.length_mm / 2)
    np.testing.assert_allclose(along.off(ends), 0, atol=1e-9)
    np.testing.assert_allclose(along.axes @ along.axes.T, np.eye(2), atol=1e-9)


def test_rows_run_down_in_the_cut_along_a_straight_bone():
    along, *_ = cuts(found(), volume())
    np.testing.assert_allclose(along.axes, [[0, 1, 0], [0, 0, 1]], atol=1e-9)


def test_a_bone_along_the_rows_is_cut_all_the_same():
    ends = np.array([[20.0, 5.0, 40.0], [20.0, 55.0, 40.0]])
    along, *_ = cuts(found(ends, mask=False), volume())
    np.testing.assert_allclose(np.abs(along.axes), [[0, 0, 1], [0, 1, 0]], atol=1e-9)


def test_the_cut_along_a_bowed_bone_holds_its_bow():
    z, row, col = np.indices(SHAPE)
    bow = 20 + 6 * np.sin(np.pi * (col - 16) / 48)  # 6 mm towards later slices
    mask = (np.abs(z - bow) < 2) & (np.abs(row - 30) < 4) & (col >= 16) & (col <= 64)
    along, *_ = cuts(found(mask=mask), volume())
    np.testing.assert_allclose(np.abs(along.axes[0]), [1, 0, 0], atol=0.02)


def test_without_ends_the_cut_lies_along_the_mask():
    along, *_ = cuts(found(None), volume())
    assert along.title == "along the bone"
    np.testing.assert_allclose(along.axes[1], [0, 0, 1], atol=1e-6)
    assert along.size_mm[1] == pytest.approx(36 + 0.5 + 2 * BEYOND_MM)  # half a voxel at either end


def test_a_mask_of_one_voxel_has_a_cut():
    mask = np.zeros(SHAPE, bool)
    mask[20, 30, 40] = True
    box = bounding_box(mask)
    lone = replace(found(), mask=mask[box.slices], box=box)
    assert len(cuts(lone, volume())) == 4
    assert len(cuts(replace(lone, ends_voxels=None), volume())) == 4


def test_how_far_a_point_lies_off_a_cut_is_in_millimetres():
    cut = Cut("", np.array([20.0, 30, 40]), np.eye(3)[[1, 2]], SPACING, (10.0, 10.0))
    np.testing.assert_allclose(cut.off(np.array([[23.0, 1, 2]])), [3.0])
    np.testing.assert_allclose(cut.places(np.array([[23.0, 32, 44]])), [[1.0, 3.0]])


def test_the_middle_is_that_of_the_bone_not_of_the_line_between_its_ends():
    assert bone()[20, 30, 40]
    _, first, *_ = cuts(found(np.add(ENDS, (3, 0, 0))), volume())
    assert first.title.startswith("slice 21 of 40")
