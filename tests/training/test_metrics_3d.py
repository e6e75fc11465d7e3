import numpy as np
import pytest
from scipy import ndimage

from fetometry.errors import DataError, MeasurementError
from fetometry.training.metrics_3d import (
    boundary_distances_mm,
    diagonal_mm,
    jaccard,
    length_mm,
    matched_ends,
    missed_ends,
    missed_mask,
    score_ends,
    score_mask,
    volume_ml,
)

SPACING = (1.3, 0.4, 0.7)
SHAPE = (14, 18, 22)


def blob(seed):
    """A random ragged solid, in one or several parts, away from the rim."""
    rough = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2)
    rough[:, :1] = rough[:, -1:] = rough[:1] = rough[-1:] = rough[:, :, :1] = -1
    rough[:, :, -1:] = -1
    return rough > 0.05


def box(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


def itk(array):
    sitk = pytest.importorskip("SimpleITK", reason="needs the volume extra")
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.SetSpacing(SPACING[::-1])  # x, y, z
    return sitk, image


def their_distances(one, other):
    """Distances of the contour of `one` from the contour of `other`, by ITK's distance map."""
    sitk, first = itk(one)
    _, second = itk(other)
    # a contour is thin but not everywhere hollow: inside it the map is negative
    far = sitk.SignedMaurerDistanceMap(
        sitk.BinaryContour(second), squaredDistance=False, useImageSpacing=True
    )
    edge = sitk.GetArrayFromImage(sitk.BinaryContour(first)) > 0
    return np.maximum(sitk.GetArrayFromImage(far)[edge], 0)


PAIRS = [(seed, seed + 100) for seed in range(6)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_boundary_distances_are_those_of_itks_distance_map(one, other):
    one, other = blob(one), blob(other)
    theirs = np.concatenate([their_distances(one, other), their_distances(other, one)])
    np.testing.assert_allclose(boundary_distances_mm(one, other, SPACING), theirs, atol=1e-4)
    scores = score_mask(one, other, SPACING)
    assert scores.average_boundary_mm == pytest.approx(theirs.mean(), abs=1e-4)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_hausdorff_distance_is_that_of_itk_between_the_contours(one, other):
    one, other = blob(one), blob(other)
    sitk, first = itk(one)
    _, second = itk(other)
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(sitk.BinaryContour(first), sitk.BinaryContour(second))
    scores = score_mask(one, other, SPACING)
    assert scores.hausdorff_boundary_mm == pytest.approx(measured.GetHausdorffDistance(), abs=1e-4)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_overlap_is_that_of_itk(one, other):
    one, other = blob(one), blob(other)
    sitk, first = itk(one)
    _, second = itk(other)
    measured = sitk.LabelOverlapMeasuresImageFilter()
    measured.Execute(first, second)
    scores = score_mask(one, other, SPACING)
    assert scores.dice == pytest.approx(measured.GetDiceCoefficient())
    assert scores.jaccard == pytest.approx(measured.GetJaccardCoefficient())


def test_a_box_moved_by_three_columns_is_worked_by_hand():
    one, other = box((2, 2, 2), (10, 12, 12)), box((2, 2, 5), (10, 12, 15))
    scores = score_mask(one, other, SPACING)
    assert scores.dice == pytest.approx(7 / 10)  # 10 columns, 7 of them shared
    assert scores.jaccard == pytest.approx(7 / 13)
    assert scores.hausdorff_boundary_mm == pytest.approx(3 * 0.7)
    assert scores.volume_error_ml == 0


def test_the_volume_and_its_error_are_in_ml_and_signed():
    one, other = box((2, 2, 2), (10, 12, 12)), box((2, 2, 2), (6, 12, 12))
    assert volume_ml(one, SPACING) == pytest.approx(800 * 1.3 * 0.4 * 0.7 / 1000)
    error = score_mask(other, one, SPACING).volume_error_ml
    assert error == pytest.approx(-400 * 0.364 / 1000)


def test_a_perfect_mask_has_no_error():
    scores = score_mask(blob(3), blob(3), SPACING)
    assert (scores.dice, scores.jaccard) == (1, 1)
    assert scores.average_boundary_mm == scores.hausdorff_boundary_mm == 0
    assert scores.volume_error_ml == 0


def test_masks_that_do_not_meet_have_no_overlap_but_a_distance():
    one, other = box((2, 2, 2), (3, 3, 3)), box((5, 6, 2), (6, 7, 3))
    scores = score_mask(one, other, (1.0, 1.0, 1.0))
    assert (scores.dice, scores.jaccard) == (0, 0)
    assert scores.average_boundary_mm == scores.hausdorff_boundary_mm == 5


def test_two_empty_masks_agree_wholly():
    assert jaccard(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)) == 1


@pytest.mark.parametrize("found", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)])
def test_a_mask_without_a_boundary_is_not_scored(found):
    with pytest.raises(MeasurementError, match="empty or fills the volume"):
        score_mask(found, blob(0), SPACING)


def test_an_empty_truth_or_one_of_another_shape_is_refused():
    with pytest.raises(DataError, match="empty"):
        score_mask(blob(0), np.zeros(SHAPE, bool), SPACING)
    with pytest.raises(DataError, match="one shape"):
        score_mask(blob(0)[1:], blob(0), SPACING)


def test_a_missed_mask_counts_with_its_full_error_and_worse_than_any_found():
    truth = blob(0)
    missed = missed_mask(truth, SPACING)
    assert (missed.dice, missed.jaccard) == (0, 0)
    assert missed.volume_error_ml == pytest.approx(-volume_ml(truth, SPACING))
    assert missed.hausdorff_boundary_mm == pytest.approx(diagonal_mm(SHAPE, SPACING))
    found = score_mask(box((12, 16, 20), (13, 17, 21)), truth, SPACING)
    assert missed.average_boundary_mm > found.hausdorff_boundary_mm


ENDS = np.array([[2.0, 3.0, 4.0], [10.0, 9.0, 4.0]])


def test_the_length_and_its_error_are_worked_by_hand():
    # 8 * 1.5 = 12 mm and 6 * 1.5 = 9 mm: 15 mm
    spacing = (1.5, 1.5, 0.3)
    assert length_mm(ENDS, spacing) == pytest.approx(15)
    longer = ENDS + np.array([[0, 0, 0], [4, 3, 0]])  # 12 * 1.5 and 9 * 1.5: 22.5 mm
    scores = score_ends(longer, ENDS, spacing)
    assert scores.length_error_mm == pytest.approx(7.5)
    assert scores.displacements_mm == pytest.approx((0, 7.5))


def test_displacements_use_the_spacing_of_each_axis():
    moved = ENDS + np.array([[1, 0, 0], [0, 0, -2]])
    assert score_ends(moved, ENDS, SPACING).displacements_mm == pytest.approx((1.3, 1.4))


def test_ends_in_the_other_order_are_matched_and_reported_in_the_order_of_the_truth():
    moved = ENDS + np.array([[1, 0, 0], [0, 0, -2]])
    turned = score_ends(moved[::-1], ENDS, SPACING)
    assert turned == score_ends(moved, ENDS, SPACING)
    np.testing.assert_array_equal(matched_ends(moved[::-1], ENDS, SPACING), moved)


def test_the_pairing_with_the_smaller_sum_counts_not_the_one_with_the_nearest_end():
    truth = np.array([[0.0, 0, 0], [0, 0, 4]])
    found = np.array([[0.0, 0, 3], [0, 0, 10]])
    # straight 3 + 6, crossed 10 + 1
    scores = score_ends(found, truth, (1.0, 1.0, 1.0))
    assert scores.displacements_mm == pytest.approx((3, 6))


def test_an_end_without_a_place_is_not_scored():
    with pytest.raises(MeasurementError, match="both ends"):
        score_ends(np.array([[1.0, 2, 3], [np.nan, 2, 3]]), ENDS, SPACING)


def test_missed_ends_count_with_their_full_error():
    missed = missed_ends(ENDS, SHAPE, SPACING)
    assert missed.length_error_mm == pytest.approx(-length_mm(ENDS, SPACING))
    # 13 * 1.3, 17 * 0.4 and 21 * 0.7 mm
    assert missed.displacements_mm == pytest.approx((np.sqrt(16.9**2 + 6.8**2 + 14.7**2),) * 2)
