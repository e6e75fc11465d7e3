"""Voxels of another size lie where they should, average what they hold, and come back."""

import numpy as np
import pytest

from fetometry.errors import SpacingError, UsageError
from fetometry.geometry.solid import Box
from fetometry.predict.resample import MOST_VOXELS, grid_over, inside, resample

SPACING = (0.8, 0.3, 0.5)


def whole(shape):
    return Box((0, 0, 0), shape)


def speckle(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def ramp(shape, slopes):
    """Grey that grows along the axes, 10 at voxel (0, 0, 0)."""
    index = np.indices(shape)
    return 10 + sum(slope * axis for slope, axis in zip(slopes, index, strict=True))


def test_voxels_of_the_same_size_are_the_same_voxels():
    voxels = speckle((5, 7, 6))
    box = Box((1, 2, 0), (4, 7, 5))
    found = resample(voxels, (0.4, 0.4, 0.4), 0.4, box)
    assert np.array_equal(found, voxels[box.slices])


def test_cubes_of_two_by_three_by_two_voxels_are_their_means():
    voxels = speckle((6, 9, 8))
    found = resample(voxels, (0.6, 0.4, 0.6), 1.2, whole(voxels.shape))
    means = voxels.reshape(3, 2, 3, 3, 4, 2).mean(axis=(1, 3, 5))
    assert found.shape == (3, 3, 4)
    assert np.abs(found - means).max() <= 0.5001


@pytest.mark.parametrize("voxel_mm", [0.17, 0.3, 0.44, 0.7, 1.13])
def test_a_ramp_is_read_where_the_cubes_lie(voxel_mm):
    shape, slopes = (14, 30, 22), (4.0, 2.0, 3.0)
    voxels = np.rint(ramp(shape, slopes)).astype(np.uint8)  # whole numbers: nothing is rounded
    box = Box((3, 6, 4), (10, 20, 16))
    found = resample(voxels, SPACING, voxel_mm, box)
    index = np.indices(found.shape)
    places = [
        (i + 0.5) * voxel_mm / mm - 0.5 + start
        for i, mm, start in zip(index, SPACING, box.start, strict=True)
    ]
    expected = 10 + sum(slope * place for slope, place in zip(slopes, places, strict=True))
    step = max(slope * voxel_mm / mm for slope, mm in zip(slopes, SPACING, strict=True))
    # an average over a part of a voxel is that voxel's: up to an eighth of one beside the ramp
    assert np.abs(found - expected).max() <= 0.5001 + sum(slopes) / 8
    assert np.abs(np.mean(found - expected)) < 0.1
    assert step > 0.5  # a shift of one cube would show


def test_there_are_as_many_cubes_as_the_box_is_long_and_a_piece_is_one_more():
    assert grid_over(whole((10, 10, 11)), (0.4, 0.3, 0.3), 1.0).shape == (4, 3, 4)
    # 60 * 0.4 / 1.2 is a little more than 20 in binary numbers
    assert grid_over(whole((60, 60, 60)), (0.4, 0.4, 0.4), 1.2).shape == (20, 20, 20)


def test_a_piece_at_the_far_end_is_the_grey_of_the_voxels_in_it():
    voxels = np.zeros((1, 1, 7), np.uint8)
    voxels[..., 6] = 90
    found = resample(voxels, (0.5, 0.5, 0.5), 1.5, whole(voxels.shape))
    assert found.tolist() == [[[0, 0, 90]]]


def test_fine_speckle_does_not_alias():
    voxels = np.zeros((12, 24, 24), np.uint8)
    voxels[:, ::2] = 200  # every other row: 100 on average
    found = resample(voxels, (0.3, 0.3, 0.3), 1.2, whole(voxels.shape))
    assert np.all(found == 100)


def test_single_slices_far_apart_are_interpolated_between():
    voxels = np.zeros((3, 4, 4), np.uint8)
    voxels[1], voxels[2] = 100, 200
    found = resample(voxels, (2.0, 1.0, 1.0), 1.0, whole(voxels.shape))
    assert found[:, 0, 0].tolist() == [0, 25, 75, 125, 175, 200]


def test_points_of_the_grid_come_back_as_voxels_of_the_volume():
    grid = grid_over(Box((2, 4, 6), (12, 24, 26)), SPACING, 1.2)
    points = np.array([[0.0, 0.0, 0.0], [1.5, 2.0, 3.25]])
    expected = (points + 0.5) * 1.2 / np.array(SPACING) - 0.5 + np.array([2, 4, 6])
    assert np.allclose(grid.to_source(points), expected)


def test_a_box_of_cubes_is_held_by_a_box_of_voxels_within_the_grids_own():
    grid = grid_over(Box((1, 2, 3), (11, 12, 13)), (0.5, 0.4, 1.6), 1.2)
    assert grid.source_box(Box((0, 0, 0), grid.shape)) == grid.box
    part = grid.source_box(Box((1, 1, 1), (2, 2, 2)))
    assert part == Box((3, 5, 3), (6, 8, 5))


@pytest.mark.parametrize("spacing_mm", [(0.3, 0.3, 0.3), SPACING, (3.0, 0.4, 0.4)])
def test_what_is_above_zero_on_the_grid_comes_back_in_voxels(spacing_mm):
    box = Box((1, 3, 2), (19, 63, 52))
    grid = grid_over(box, spacing_mm, 1.2)
    center, radius_mm = np.array([10.2, 30.0, 25.4]), 5.0
    at = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)

    def level_at(points):
        return radius_mm - np.linalg.norm((points - center) * np.array(spacing_mm), axis=-1)

    level = level_at(grid.to_source(at)).reshape(grid.shape)
    voxels = np.moveaxis(np.indices(box.shape), 0, -1) + np.array(box.start)
    truth = level_at(voxels) > 0
    found = inside(level, grid, box)
    assert found.shape == box.shape
    assert abs(found.sum() / truth.sum() - 1) < 0.1
    assert np.count_nonzero(found != truth) < 0.12 * truth.sum()
    part = Box((4, 20, 10), (12, 40, 30))
    low = np.array(part.start) - box.start
    cut = tuple(slice(a, a + n) for a, n in zip(low.tolist(), part.shape, strict=True))
    assert np.array_equal(inside(level, grid, part), found[cut])


def test_a_volume_with_voxels_that_are_too_large_to_be_true_is_refused():
    with pytest.raises(SpacingError, match="2840 x 416 x 416 mm"):
        grid_over(whole((284, 416, 416)), (10.0, 1.0, 1.0), 1.2)
    assert np.prod(grid_over(whole((284, 416, 416)), (1.0, 1.0, 1.0), 1.2).shape) < MOST_VOXELS


@pytest.mark.parametrize("box", [Box((-1, 0, 0), (2, 2, 2)), Box((0, 0, 0), (2, 2, 5))])
def test_a_box_that_leaves_the_volume_is_refused(box):
    with pytest.raises(UsageError, match="must lie within"):
        resample(np.zeros((4, 4, 4), np.uint8), (1.0, 1.0, 1.0), 1.0, box)
