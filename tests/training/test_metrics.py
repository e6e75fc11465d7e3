import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.geometry import Ellipse
from fetometry.training.metrics import (
    agreement,
    bootstrap,
    dice,
    ellipse_hausdorff_mm,
    end_error_mm,
    hausdorff,
    mean,
    mean_iou,
    multiplicities,
    pixel_accuracy,
    share,
)

CIRCLE = Ellipse((100.0, 100.0), (50.0, 50.0), 0)


def test_the_dice_coefficient_of_a_worked_example():
    one = np.array([[1, 1, 0], [1, 0, 0]], bool)
    other = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert dice(one, other) == pytest.approx(2 * 2 / (3 + 3))
    assert dice(one, one) == 1
    assert dice(one, ~one) == 0


def test_two_empty_masks_agree_and_an_empty_one_misses_everything():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert dice(empty, empty) == 1
    assert dice(empty, full) == 0


def masks_of_ten_pixels():
    """Two masks of ten pixels: three and four inside, two of them in both."""
    one = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
    other = np.array([[0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    return one, other


def test_the_pixel_accuracy_of_a_worked_example():
    one, other = masks_of_ten_pixels()
    # three pixels differ
    assert pixel_accuracy(one, other) == pytest.approx(7 / 10)
    assert pixel_accuracy(one, one) == 1
    assert pixel_accuracy(one, ~one) == 0


def test_the_mean_iou_is_over_background_and_structure_not_over_the_structure_alone():
    one, other = masks_of_ten_pixels()
    # inside: 2 of 5; outside: 5 of 8
    assert mean_iou(one, other) == pytest.approx((2 / 5 + 5 / 8) / 2)
    assert mean_iou(one, other) == mean_iou(~one, ~other)
    assert mean_iou(one, other) != pytest.approx(2 / 5)


def test_the_mean_iou_of_an_empty_mask_is_half_of_the_background():
    truth = np.zeros((4, 5), bool)
    truth[0] = True
    assert mean_iou(np.zeros((4, 5), bool), truth) == pytest.approx((0 + 15 / 20) / 2)
    assert pixel_accuracy(np.zeros((4, 5), bool), truth) == pytest.approx(15 / 20)


def test_what_neither_mask_has_agrees_wholly():
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    assert mean_iou(empty, empty) == 1
    assert mean_iou(full, full) == 1
    assert mean_iou(empty, full) == 0


def test_the_hausdorff_distance_of_a_worked_example():
    one = np.array([[0.0, 0.0], [0.0, 1.0]])
    other = np.array([[0.0, 0.0], [3.0, 5.0]])
    # (3, 5) is 5 from (0, 1); nothing in the first set is farther than 1 from the second
    assert hausdorff(one, other) == 5
    assert hausdorff(other, one) == 5
    assert hausdorff(one, one) == 0


def test_concentric_circles_are_the_difference_of_their_radii_apart():
    larger = Ellipse(CIRCLE.center, (54, 54), 0)
    assert ellipse_hausdorff_mm(CIRCLE, larger, (0.25, 0.25)) == pytest.approx(1)


def test_a_shifted_circle_is_its_shift_apart_in_millimetres():
    moved = Ellipse((104.0, 100.0), (50.0, 50.0), 0)
    assert ellipse_hausdorff_mm(CIRCLE, moved, (0.5, 0.1)) == pytest.approx(2, abs=0.05)
    assert ellipse_hausdorff_mm(CIRCLE, moved, (0.1, 0.1)) == pytest.approx(0.4, abs=0.02)


def test_the_overlap_of_concentric_circles_follows_from_their_areas():
    smaller = Ellipse(CIRCLE.center, (40, 40), 0)
    expected = 2 * 40**2 / (40**2 + 50**2)
    shape = (201, 201)
    assert dice(CIRCLE.mask(shape), smaller.mask(shape)) == pytest.approx(expected, abs=2e-3)


def test_the_overlap_is_judged_within_the_image():
    lower = Ellipse((60.0, 100.0), (50.0, 50.0), 0)
    upper = Ellipse((-60.0, 100.0), (50.0, 50.0), 0)
    # both parts within the first rows: of the upper one, nothing
    assert dice(lower.mask((201, 201)), upper.mask((201, 201))) == 0
    # outside the picture nobody looks
    beyond = Ellipse((0.0, 100.0), (150.0, 150.0), 0)
    assert dice(CIRCLE.mask((40, 20)), beyond.mask((40, 20))) == 0


def names(count):
    return [f"exam {i}" for i in range(count)]


def test_the_bootstrap_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(0).normal(3, 2, 400)
    found = bootstrap(values, names(400))
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    rng = np.random.default_rng(1)
    covered = [
        found.low <= 5 <= found.high
        for _ in range(100)
        if (found := bootstrap(rng.normal(5, 1, 40), names(40), draws=200))
    ]
    assert len(covered) == 100
    assert 0.88 <= np.mean(covered) <= 0.99


def test_copies_within_a_group_do_not_narrow_the_interval():
    values = np.random.default_rng(2).normal(0, 1, 50)
    once = bootstrap(values, names(50))
    copied = np.repeat(values, 4)
    grouped = bootstrap(copied, np.repeat(names(50), 4).tolist())
    alone = bootstrap(copied, names(200))
    assert grouped.low == pytest.approx(once.low)
    assert grouped.high == pytest.approx(once.high)
    assert alone.high - alone.low == pytest.approx((once.high - once.low) / 2, rel=0.1)


def test_the_groups_may_stand_in_any_order():
    values, groups = [1.0, 5.0, 2.0, 7.0], ["a", "b", "a", "b"]
    found = bootstrap(values, groups)
    # three means are possible: of a alone, of both, of b alone
    assert (found.low, found.value, found.high) == (1.5, 3.75, 6)
    cancelling = bootstrap([0.0, 5.0, 10.0, 5.0], groups)
    assert (cancelling.low, cancelling.high) == (5, 5)


def test_the_interval_is_of_the_statistic_asked_for():
    found = bootstrap([1.0, 2.0, 9.0], names(3), lambda v: float(v.max()))
    assert (found.value, found.low, found.high) == (9, 1, 9)


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(3).normal(0, 1, 30)
    assert bootstrap(values, names(30)) == bootstrap(values, names(30))
    assert bootstrap(values, names(30), seed=1) != bootstrap(values, names(30))


def test_the_ends_of_a_line_are_matched_the_nearer_way():
    one = np.array([[0.0, 0.0], [0.0, 10.0]])
    other = np.array([[3.0, 10.0], [4.0, 0.0]])
    # crossed: 4 rows and 3 rows; rows are half a millimetre
    assert end_error_mm(one, other, (0.5, 0.1)) == pytest.approx((2 + 1.5) / 2)
    assert end_error_mm(one[::-1], other, (0.5, 0.1)) == pytest.approx((2 + 1.5) / 2)
    assert end_error_mm(one, one[::-1], (0.5, 0.1)) == 0


def test_agreement_is_that_of_the_bootstrap_statistic_by_statistic():
    rng = np.random.default_rng(4)
    values = rng.normal(250, 3, 60)
    groups = [f"exam {i}" for i in rng.integers(0, 30, 60)]
    found = agreement(values, groups)
    for name, statistic in {
        "mean_absolute": lambda v: float(np.abs(v).mean()),
        "bias": lambda v: float(v.mean()),
        "low_limit": lambda v: float(v.mean() - 1.96 * v.std(ddof=1)),
        "high_limit": lambda v: float(v.mean() + 1.96 * v.std(ddof=1)),
        "largest": lambda v: float(np.abs(v).max()),
    }.items():
        slow, fast = bootstrap(values, groups, statistic), getattr(found, name)
        assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_the_mean_is_that_of_the_bootstrap():
    values = np.random.default_rng(5).normal(3, 2, 40)
    slow, fast = bootstrap(values, names(40)), mean(values, names(40))
    assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_a_share_is_in_percent_and_never_below_none():
    found = share([True, False, False, False], names(4))
    assert found.value == 25
    assert found.low == 0
    assert share([True, True], names(2)).low == 100


def test_a_resample_draws_whole_groups():
    counts = multiplicities(["a", "b", "a", "c"], draws=200)
    assert counts.shape == (200, 4)
    assert np.array_equal(counts[:, 0], counts[:, 2])
    # three groups are drawn each time
    assert np.all(counts[:, [0, 1, 3]].sum(axis=1) == 3)


@pytest.mark.parametrize("statistics", [agreement, mean])
@pytest.mark.parametrize(("values", "groups"), [([], []), ([1.0, 2.0], ["a"])])
def test_no_values_or_no_groups_have_no_statistics(statistics, values, groups):
    with pytest.raises(DataError, match="have no statistics"):
        statistics(values, groups)


def test_values_without_a_group_are_refused():
    with pytest.raises(DataError, match="2 values for 1 groups"):
        bootstrap([1.0, 2.0], ["a"])
