import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.geometry import Ellipse
from fetometry.training.evaluate import Case, summary
from fetometry.training.metrics import (
    bootstrap,
    dice,
    ellipse_hausdorff_mm,
    ellipse_overlap,
    hausdorff,
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
    assert ellipse_overlap(CIRCLE, smaller, (201, 201)) == pytest.approx(expected, abs=2e-3)


def test_the_overlap_is_judged_within_the_image():
    lower = Ellipse((60.0, 100.0), (50.0, 50.0), 0)
    upper = Ellipse((-60.0, 100.0), (50.0, 50.0), 0)
    # both parts within the first rows: of the upper one, nothing
    assert ellipse_overlap(lower, upper, (201, 201)) == 0
    # outside the picture nobody looks
    beyond = Ellipse((0.0, 100.0), (150.0, 150.0), 0)
    assert ellipse_overlap(CIRCLE, beyond, (40, 20)) == 0


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


def case(image, measured_mm, truth_mm=200.0, failure=""):
    return Case(
        image=image,
        group=image,
        mm_per_px=0.2,
        reference_mm=truth_mm,
        truth_mm=truth_mm,
        measured_mm=measured_mm,
        bpd_difference_mm=0.0,
        ofd_difference_mm=0.0,
        dice=0.0 if failure else 1.0,
        hausdorff_mm=0.0,
        flags="",
        failure=failure,
    )


def test_the_table_of_a_worked_example_counts_a_failure_in_full():
    cases = [case("a", 202.0), case("b", 199.0), case("c", 201.0), case("d", 0.0, failure="none")]
    found = {(line.name, line.unit): line.estimate.value for line in summary(cases)}
    assert found["HC, mean absolute difference (ADF)", "mm"] == pytest.approx(204 / 4)
    assert found["HC, mean absolute difference", "%"] == pytest.approx(102 / 4)
    assert found["HC, bias (DF)", "mm"] == pytest.approx(-198 / 4)
    assert found["HC, largest absolute difference", "mm"] == 200
    assert found["Dice (DSC)", "%"] == 75
    assert found["failed", "%"] == 25
    spread = 1.96 * np.std([2, -1, 1, -200], ddof=1)
    assert found["HC, lower limit of agreement", "mm"] == pytest.approx(-49.5 - spread)
    assert found["HC, upper limit of agreement", "mm"] == pytest.approx(-49.5 + spread)


def test_values_without_a_group_are_refused():
    with pytest.raises(DataError, match="2 values for 1 groups"):
        bootstrap([1.0, 2.0], ["a"])
