"""Ends are chosen as a pair, and a structure is that of the network in the volume's own voxels."""

import numpy as np
import pytest

from fetometry.geometry.solid import Box
from fetometry.predict.resample import grid_over
from fetometry.predict.solid import LEAST_APART_MM, LEAST_SPOT, choose_ends, structure

SHAPE, VOXEL_MM = (24, 32, 40), 1.2
A, B, C = (5.2, 8.1, 6.4), (17.7, 22.3, 31.6), (5.1, 13.9, 9.2)  # C is 8 mm from A


def bells(*spots):
    """A map with a bell of two voxels at each (place, height)."""
    index = np.stack(np.indices(SHAPE), axis=-1)
    level = np.zeros(SHAPE, np.float32)
    for place, height in spots:
        squared = ((index - np.array(place)) ** 2).sum(axis=-1)
        level = np.maximum(level, height * np.exp(-squared / 8), dtype=np.float32)
    return level


@pytest.mark.parametrize(
    ("one", "other", "first", "second"),
    [
        ([(A, 1.0)], [(B, 1.0)], A, B),
        # the first is sure: the second map's highest spot is the same end, its next is the other
        ([(A, 0.9)], [(A, 0.55), (B, 0.45)], A, B),
        ([(A, 0.55), (B, 0.45)], [(A, 0.9)], B, A),
        # neither is sure, and both are a little higher at the same end
        # 0.5 + 0.51 is more than 0.52 + 0.48
        ([(A, 0.52), (B, 0.5)], [(A, 0.51), (B, 0.48)], B, A),
        # a spot near the end is higher than the other end
        ([(A, 1.0)], [(C, 0.7), (B, 0.3)], A, B),
        # nothing but a near spot
        ([(A, 1.0)], [(C, 0.7)], A, C),
    ],
    ids=["sure", "half, half", "half, half in the first", "both half", "near", "only near"],
)
def test_the_highest_pair_that_lies_apart_is_chosen(one, other, first, second):
    ends = choose_ends(np.stack([bells(*one), bells(*other)]), VOXEL_MM)
    assert np.abs(ends - np.array([first, second])).max() < 0.06


def test_ends_that_are_just_far_enough_apart_are_taken_before_higher_ones():
    level = bells((A, 1.0))
    place = np.add(A, (0, 0, 1.02 * LEAST_APART_MM / VOXEL_MM))
    other = bells((C, 0.9), (tuple(place), 0.2))
    assert np.abs(choose_ends(np.stack([level, other]), VOXEL_MM)[1] - place).max() < 0.06
    # in voxels half as large the same place is too near
    ends = choose_ends(np.stack([level, other]), VOXEL_MM / 2)
    assert np.abs(ends[1] - C).max() < 0.06


@pytest.mark.parametrize("height", [0.0, 0.9 * LEAST_SPOT])
def test_a_map_without_a_spot_has_no_end(height):
    assert choose_ends(np.stack([bells((A, 1.0)), bells((B, height))]), VOXEL_MM) is None


def test_the_mask_of_a_structure_lies_where_the_network_saw_it():
    box, spacing_mm = Box((4, 10, 20), (60, 90, 120)), (0.5, 0.4, 0.4)
    grid = grid_over(box, spacing_mm, VOXEL_MM)
    logits = np.full(grid.shape, -1.0, np.float32)
    logits[5:15, 6:12, 8:20] = 1.0
    found = structure(logits, grid)
    assert found.mask.shape == found.box.shape
    assert found.candidates == 1
    mask = found.within(box)
    assert mask.shape == box.shape
    expected_ml = 10 * 6 * 12 * VOXEL_MM**3 / 1000
    # corners are rounded where logits are interpolated
    assert mask.sum() * np.prod(spacing_mm) / 1000 == pytest.approx(expected_ml, rel=0.06)
    low, high = grid.to_source(np.array([[4.5, 5.5, 7.5], [14.5, 11.5, 19.5]]))
    places = np.argwhere(mask) + np.array(box.start)
    assert np.abs(places.min(axis=0) - 0.5 - low).max() <= 1
    assert np.abs(places.max(axis=0) + 0.5 - high).max() <= 1


def test_no_structure_is_none_and_so_is_one_that_no_source_voxel_shows():
    grid = grid_over(Box((0, 0, 0), (10, 20, 20)), (5.0, 0.4, 0.4), VOXEL_MM)
    logits = np.full(grid.shape, -1.0, np.float32)
    assert structure(logits, grid) is None
    logits[20, 3, 3] = 0.1
    assert structure(logits, grid) is None
