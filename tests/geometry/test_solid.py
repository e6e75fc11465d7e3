from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from fetometry.errors import MeasurementError, UsageError
from fetometry.geometry.solid import (
    Box,
    boundary,
    bounding_box,
    distances_mm,
    labels_3d,
    largest_component_3d,
    peaks,
    starts,
    windows,
)

SPACING = (1.7, 0.4, 0.9)


def noise(seed, share, shape=(9, 12, 15)):
    """A random mask that is never empty."""
    mask = np.random.default_rng(seed).random(shape) < share
    mask[tuple(n // 2 for n in shape)] = True
    return mask


def ball(center, radius, shape):
    grid = np.stack(np.mgrid[tuple(slice(n) for n in shape)], axis=-1)
    return np.linalg.norm(grid - np.array(center), axis=-1) <= radius


def bell(center, sigma, shape=(17, 19, 21)):
    grid = np.stack(np.mgrid[tuple(slice(n) for n in shape)], axis=-1)
    return np.exp(-(((grid - np.array(center)) / sigma) ** 2).sum(axis=-1) / 2)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_parts_are_those_of_scipy_with_26_neighbours(seed, share):
    mask = noise(seed, share)
    labels, count = labels_3d(mask)
    theirs, expected = ndimage.label(mask, np.ones((3, 3, 3)))
    assert count == expected
    assert np.array_equal(labels > 0, mask)
    pairs = set(zip(labels[mask].tolist(), theirs[mask].tolist(), strict=True))
    assert len(pairs) == count  # one of ours for one of theirs


def test_voxels_that_share_a_corner_are_one_part_and_two_steps_apart_are_two():
    mask = np.zeros((5, 5, 5), bool)
    mask[1, 1, 1] = mask[2, 2, 2] = mask[3, 1, 3] = True
    assert labels_3d(mask)[1] == 1
    mask[2, 2, 2] = False
    assert labels_3d(mask)[1] == 2


def test_a_horseshoe_is_one_part_although_its_arms_only_meet_in_the_last_slice():
    mask = np.zeros((40, 5, 9), bool)
    mask[:, 2, 1] = mask[:, 2, 7] = True
    mask[-1, 2, 1:8] = True
    assert labels_3d(mask)[1] == 1


def test_the_largest_part_is_kept_and_specks_are_not_counted():
    small, large = ball((5, 5, 5), 2.5, (20, 24, 28)), ball((12, 14, 18), 5, (20, 24, 28))
    speck = np.zeros_like(small)
    speck[19, 0, 0] = True
    found, count = largest_component_3d(small | large | speck)
    assert np.array_equal(found, large)
    assert count == 2  # 81 of 515 voxels count, 1 does not


def test_nothing_has_no_largest_part_and_no_box_and_no_distance():
    empty = np.zeros((4, 5, 6), bool)
    for question in (largest_component_3d, bounding_box):
        with pytest.raises(MeasurementError, match="nothing was found"):
            question(empty)
    with pytest.raises(MeasurementError, match="empty mask"):
        distances_mm(empty, SPACING)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_exact_with_three_different_spacings(seed, share):
    mask = noise(seed, share)
    expected = ndimage.distance_transform_edt(~mask, sampling=SPACING)
    np.testing.assert_allclose(distances_mm(mask, SPACING), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 30, 2), (7, 1, 1), (70, 65, 3)])
def test_distances_are_exact_in_thin_volumes_and_in_more_lines_than_go_at_once(shape):
    mask = noise(1, 0.01, shape)
    expected = ndimage.distance_transform_edt(~mask, sampling=SPACING)
    np.testing.assert_allclose(distances_mm(mask, SPACING), expected, atol=1e-9)


def test_a_distance_is_worked_by_hand():
    mask = np.zeros((4, 5, 4), bool)
    mask[0, 0, 0] = True
    # 3 * 2 = 6 mm, 4 * 0.5 = 2 mm, 3 * 3 = 9 mm: sqrt(36 + 4 + 81) = 11
    assert distances_mm(mask, (2.0, 0.5, 3.0))[3, 4, 3] == pytest.approx(11.0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_boundary_voxels_are_those_of_itks_contour_filter(share):
    sitk = pytest.importorskip("SimpleITK", reason="needs the volume extra")
    mask = ndimage.binary_dilation(noise(4, share)) if share < 0.5 else noise(4, share)
    contour = sitk.BinaryContour(sitk.GetImageFromArray(mask.astype(np.uint8)))
    assert np.array_equal(boundary(mask), sitk.GetArrayFromImage(contour) > 0)


def test_a_solid_that_runs_out_of_the_volume_has_no_boundary_there():
    mask = np.zeros((5, 4, 4), bool)
    mask[:3] = True
    assert np.array_equal(np.flatnonzero(boundary(mask).any(axis=(1, 2))), [2])
    assert not boundary(np.ones((3, 3, 3), bool)).any()


CENTER = (8.3, 9.6, 9.85)


def highest(heatmap):
    points, _ = peaks(heatmap, most=1, least=-np.inf, apart=2.0)
    return points[0]


@pytest.mark.parametrize("sigma", [1.5, 2.0, 4.0])
def test_the_peak_of_a_gaussian_is_found_to_a_fraction_of_a_voxel(sigma):
    assert np.abs(highest(bell(CENTER, sigma)) - CENTER).max() < 0.04
    assert np.abs(np.array([8, 10, 10]) - CENTER).max() > 0.3  # the highest voxel itself


def test_the_peak_of_a_parabola_is_exact():
    grid = np.stack(np.mgrid[:9, :9, :9], axis=-1)
    heatmap = 5 - ((grid - np.array([3.2, 4.4, 5.1])) ** 2 @ np.array([1.0, 0.2, 3.0]))
    np.testing.assert_allclose(highest(heatmap), (3.2, 4.4, 5.1), atol=1e-9)


def test_a_peak_on_the_rim_stays_in_the_map():
    rim = highest(bell((-1.0, 9.3, 20.0), 2.0))
    assert rim[[0, 2]].tolist() == [0, 20]
    assert rim[1] == pytest.approx(9.3, abs=0.04)


def test_a_box_holds_the_mask_and_grows_as_far_as_the_volume_reaches():
    mask = np.zeros((20, 30, 40), bool)
    mask[4, 10, 35] = mask[6, 12, 30] = True
    box = bounding_box(mask)
    assert box == Box((4, 10, 30), (7, 13, 36))
    assert box.shape == (3, 3, 6)
    assert mask[box.slices].sum() == 2
    assert box.grown(5, mask.shape) == Box((0, 5, 25), (12, 18, 40))


def test_a_box_without_voxels_is_refused():
    with pytest.raises(MeasurementError, match="no voxels"):
        Box((1, 2, 3), (4, 2, 5))


@pytest.mark.parametrize("length", [1, 7, 8, 9, 20, 33])
@pytest.mark.parametrize(("window", "overlap"), [(8, 0), (8, 4), (8, 7), (1, 0)])
def test_windows_cover_a_length_and_share_at_least_the_overlap(length, window, overlap):
    found = starts(length, window, overlap)
    size = min(window, length)
    assert found[0] == 0
    assert found[-1] + size == length
    assert all(0 < b - a <= window - overlap for a, b in pairwise(found))


def test_no_more_windows_start_than_are_needed():
    assert starts(20, 8, 2) == [0, 6, 12]
    assert starts(21, 8, 2) == [0, 4, 9, 13]


@pytest.mark.parametrize("overlap", [-1, 8])
def test_an_overlap_as_long_as_the_window_is_refused(overlap):
    with pytest.raises(UsageError, match="overlap by 0 to 7"):
        starts(20, 8, overlap)


@pytest.mark.parametrize("shape", [(20, 11, 17), (8, 8, 8), (3, 30, 5)])
@pytest.mark.parametrize("overlap", [(0, 0, 0), (4, 3, 2), (7, 5, 4)])
def test_every_voxel_is_covered_and_its_weights_add_up_to_1(shape, overlap):
    total, values = np.zeros(shape), np.random.default_rng(0).random(shape)
    blended = np.zeros(shape)
    for window in windows(shape, (8, 6, 5), overlap):
        assert window.weights.shape == window.box.shape
        assert window.weights.min() > 0
        total[window.box.slices] += window.weights
        blended[window.box.slices] += window.weights * values[window.box.slices]
    np.testing.assert_allclose(total, 1, atol=1e-6)
    np.testing.assert_allclose(blended, values, atol=1e-6)


def test_the_middle_of_a_window_counts_more_than_its_rim():
    first = next(windows((40, 8, 8), (16, 8, 8), (8, 0, 0)))
    line = first.weights[:, 4, 4] / first.weights[0, 4, 4]
    assert line[7] == 1  # nobody else is there: all weight already
    assert np.all(np.diff(first.weights[8:, 4, 4]) < 0)


def test_the_peaks_of_a_map_are_found_in_order():
    first, second = (4.3, 12.1, 5.7), (12.6, 5.2, 15.4)
    level = np.maximum(0.6 * bell(first, 2.0), 0.9 * bell(second, 2.0))
    points, heights = peaks(level, most=5, least=0.1, apart=2.0)
    assert np.abs(points - np.array([second, first])).max() < 0.05
    assert heights == pytest.approx([0.9, 0.6], rel=0.05)  # of the voxels nearest
    assert len(peaks(level, most=1, least=0.1, apart=2.0)[0]) == 1
    assert len(peaks(level, most=5, least=0.7, apart=2.0)[0]) == 1
    assert peaks(level, most=5, least=1.0, apart=2.0)[0].shape == (0, 3)


@pytest.mark.parametrize("seed", range(3))
def test_peaks_are_the_voxels_as_high_as_their_26_neighbours(seed):
    level = np.random.default_rng(seed).random((6, 7, 8))
    tops = np.argwhere(level == ndimage.maximum_filter(level, 3, mode="nearest"))
    points, heights = peaks(level, most=1000, least=0.0, apart=0.0)
    assert len(points) == len(tops)
    assert sorted(heights) == sorted(level[tuple(tops.T)])
    assert np.all(np.diff(heights) <= 0)


def test_a_flat_top_is_one_peak_and_a_neighbour_by_a_corner_may_be_higher():
    level = np.zeros((7, 7, 12))
    level[2:4, 2:4, 2:4] = 1.0
    level[5, 5, 9], level[4, 4, 8] = 0.5, 0.8  # they share a corner
    points, heights = peaks(level, most=5, least=0.1, apart=2.0)
    assert heights.tolist() == [1.0, 0.8]
    assert np.abs(points[1] - (4, 4, 8)).max() <= 0.5


def test_peaks_at_the_rim_of_a_map_count():
    level = np.zeros((3, 4, 5))
    level[0, 0, 0] = level[2, 3, 4] = 0.4
    points, _ = peaks(level, most=5, least=0.1, apart=2.0)
    assert points.tolist() == [[0, 0, 0], [2, 3, 4]]
