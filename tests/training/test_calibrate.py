import dataclasses
import json

import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.predict.catalogue import SCHEMA, parse_metadata
from fetometry.training.calibrate import (
    calibration,
    conformal,
    expected_calibration_error,
    fit_temperature,
    trans_cerebellar_threshold,
)
from fetometry.training.cases import Size
from fetometry.types import PLANE_CLASSES, SizeInterval
from tests.training.judged import case, sized, sure_of


def softmax(logits):
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def drawn(count, seed=0):
    """Logits (N, 5) and classes (N,) drawn from just these probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, 5))
    truth = [rng.choice(5, p=p) for p in softmax(logits)]
    return logits, np.array(truth)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature):
    logits, truth = drawn(4000)
    told = softmax(logits * temperature)
    assert fit_temperature(told, truth) == pytest.approx(temperature, rel=0.06)


def test_no_other_temperature_makes_the_truth_likelier():
    logits, truth = drawn(300)
    told = softmax(3 * logits)

    def loss(temperature):
        p = softmax(3 * logits / temperature)
        return -np.log(p[np.arange(300), truth]).mean()

    best = fit_temperature(told, truth)
    assert loss(best) < min(loss(0.98 * best), loss(1.02 * best))


def test_planes_that_are_all_right_say_nothing_of_the_temperature():
    told = np.full((50, 5), 0.1)
    told[:, 2] = 0.6
    assert fit_temperature(told, np.full(50, 2)) == 1


def test_a_probability_of_nothing_for_the_truth_is_no_infinite_loss():
    told = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert 1 < fit_temperature(told, np.array([0, 1, 1])) <= 10


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError, match=r"\(3, 2\) and truth \(2,\)"):
        fit_temperature(np.ones((3, 2)) / 2, np.array([0, 1]))


def test_the_calibration_error_of_a_worked_example():
    # three at 0.9, of which two are right; one at 0.6, right; in bins of 0.1
    told = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]])
    truth = np.array([0, 1, 1, 1])
    found = expected_calibration_error(told, truth, bins=10)
    assert found == pytest.approx((abs(2 - 2.7) + abs(1 - 0.6)) / 4)


def test_probabilities_that_are_true_have_a_small_calibration_error():
    logits, truth = drawn(4000)
    good = expected_calibration_error(softmax(logits), truth)
    assert good < 0.02
    assert expected_calibration_error(softmax(4 * logits), truth) > 5 * good


def test_the_threshold_finds_most_with_no_more_than_are_allowed():
    # the heads of the view: 0.3, 0.6, 0.7, 0.9. Of twenty others one lies above 0.3 (0.5)
    others = [0.01 * i for i in range(19)] + [0.5]
    shares = np.array([0.3, 0.6, 0.7, 0.9, *others])
    is_view = np.arange(24) < 4
    # one of twenty is 5 %: all four are found, half way down to the next below 0.3
    assert trans_cerebellar_threshold(shares, is_view) == pytest.approx((0.18 + 0.3) / 2)
    # none may be wrong: three are found, half way between 0.5 and 0.6
    strict = trans_cerebellar_threshold(shares, is_view, most_false=0.0)
    assert strict == pytest.approx(0.55)


def test_of_thresholds_that_find_as_much_the_one_with_the_fewest_false_is_taken():
    shares = np.array([0.9, 0.2, *[0.0] * 38])
    is_view = np.arange(40) < 1
    # at 0.1 one of 39 others would be wrong, which is allowed, and in vain
    assert trans_cerebellar_threshold(shares, is_view) == pytest.approx(0.55)


def test_where_none_can_be_told_apart_nothing_is_flagged():
    shares = np.array([0.5, 0.5, 0.5, 0.5])
    threshold = trans_cerebellar_threshold(shares, np.array([True, False, False, False]))
    assert threshold > 0.5


@pytest.mark.parametrize("is_view", [[True, True], [False, False]])
def test_a_threshold_needs_heads_of_both_kinds(is_view):
    with pytest.raises(DataError, match="heads seen through the cerebellum, and others"):
        trans_cerebellar_threshold(np.array([0.1, 0.2]), np.array(is_view))


def names(count):
    return [f"patient {i}" for i in range(count)]


def test_with_one_image_a_patient_the_width_is_the_order_statistic_of_the_textbook():
    truths = np.full(99, 100.0)
    values = truths + np.random.default_rng(0).permutation(np.arange(1, 100))
    found = conformal(values, truths, names(99), thirds=False)
    # ceil(100 * 0.95) = 95th smallest of 1 to 99 %
    assert found == SizeInterval((), (0.95,))


@pytest.mark.parametrize(("count", "enough"), [(18, False), (19, True)])
def test_nineteen_patients_are_the_fewest_for_95_percent(count, enough):
    truths = np.full(count, 100.0)
    values = truths + np.arange(count)
    if enough:
        # the largest of 19
        assert conformal(values, truths, names(count)).half_widths == (0.18,)
    else:
        with pytest.raises(DataError, match="an interval of 95% needs 19 groups, got 18"):
            conformal(values, truths, names(count))


def test_copies_of_one_patient_change_nothing():
    truths = np.full(40, 100.0)
    values = truths + np.arange(40)
    once = conformal(values, truths, names(40), thirds=False)
    times = np.where(np.arange(40) == 39, 100, 1)
    often = [np.repeat(a, times) for a in (values, truths, np.array(names(40)))]
    assert conformal(*often[:2], often[2].tolist(), thirds=False) == once


def test_each_third_has_its_own_width_where_each_has_patients_enough():
    truths = np.repeat([100.0, 200.0, 300.0], 30)
    share = np.repeat([0.01, 0.02, 0.04], 30) * np.tile([1, -1], 45)
    found = conformal(truths * (1 + share), truths, names(90))
    assert found.half_widths == pytest.approx((0.01, 0.02, 0.04))
    assert 101 < found.edges_mm[0] < 204
    assert 204 <= found.edges_mm[1] < 312
    # one patient in a third is too few, however many images
    crowded = np.where(truths == 100, "one patient", names(90)).tolist()
    assert conformal(truths * (1 + share), truths, crowded).edges_mm == ()
    assert conformal(truths * (1 + share), truths, names(90), thirds=False).edges_mm == ()


def patients(rng, count):
    """Images of patients whose errors go together: sizes, truths, names."""
    images = rng.integers(1, 5, count)
    group = np.repeat(np.arange(count), images)
    truth = rng.uniform(100, 300, len(group))
    own = rng.normal(0, 0.02, count)[group] + rng.normal(0, 0.01, len(group))
    return truth * (1 + own), truth, [str(g) for g in group]


@pytest.mark.parametrize("thirds", [True, False])
def test_the_interval_covers_new_patients_as_often_as_it_says(thirds):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        interval = conformal(*patients(rng, 120), thirds=thirds)
        values, truths, groups = patients(rng, 20)
        first = [groups.index(name) for name in dict.fromkeys(groups)]
        for i in first:
            low, high = interval.around(values[i], "mm")
            held.append(low <= truths[i] <= high)
    # 4,000 new patients; at least 95 %, and little more: within four standard errors
    assert 0.95 - 4 * (0.05 * 0.95 / 4000) ** 0.5 < np.mean(held) < 0.975


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="3 values, 3 truths, 2 groups"):
        conformal(np.ones(3), np.ones(3), names(2))


def heads(count, view, share, start=0, found="head"):
    """Heads of one view whose probability of the cerebellar class is this share of 0.98."""
    shares = (0.98 * (1 - share), 0.98 * share, 0.01, 0.005, 0.005)
    odds = dict(zip(PLANE_CLASSES, shares, strict=True))
    return [
        case(f"{view}{start + i}.png", view=view, planes=odds, found_plane=found)
        for i in range(count)
    ]


MEASURED = [
    dataclasses.replace(c, image=f"{i}.png", group=f"{i}")
    for i, c in enumerate(sized("FL", [(t, 1.03 * t) for t in np.linspace(20, 70, 60)]))
]
JUDGED = [
    *heads(30, "trans-thalamic", 0.1),
    *heads(10, "trans-ventricular", 0.2),
    *heads(9, "trans-cerebellar", 0.7),
    # taken for none: whatever the threshold, it is not flagged
    *heads(1, "trans-cerebellar", 0.99, start=9, found="none"),
    case("odd.png", plane="none", found_plane="head", planes=sure_of("head")),
]


def test_a_model_is_calibrated_from_judged_images():
    lost = case("lost.png", sizes={"FL": Size(50.0)}, failure="nothing was found")
    few = case("few.png", sizes={"AC": Size(200.0, 201.0)})
    found = calibration([*MEASURED, *JUDGED, lost, few])
    edges = 1.03 * np.quantile(np.linspace(20, 70, 60), [1 / 3, 2 / 3])
    interval = {"edges_mm": np.round(edges, 2).tolist(), "half_widths": [0.03, 0.03, 0.03]}
    assert found["intervals"] == {"FL": interval}
    assert found["from"] == {
        "planes": {"images": 51, "groups": 51},
        "AC": {"images": 1, "groups": 1, "failures": 0},
        "FL": {"images": 60, "groups": 60, "failures": 1},
    }
    assert found["temperature"] > 0
    assert json.loads(json.dumps(found)) == found


def test_a_model_file_gives_the_intervals_back(tmp_path):
    meta = {
        "schema": SCHEMA,
        "name": "toy",
        "licence": "CC0-1.0",
        "description": "a toy",
        "input": {"size": [64, 96], "mean": 127.0, "std": 128.0},
        "outputs": {},
        "calibration": calibration(MEASURED),
    }
    info = parse_metadata(json.dumps(meta), tmp_path / "toy.onnx", "ab" * 32)
    expected = meta["calibration"]["intervals"]["FL"]
    assert info.intervals == {
        "FL": SizeInterval(tuple(expected["edges_mm"]), tuple(expected["half_widths"]))
    }


def test_the_threshold_is_for_the_probabilities_at_the_temperature():
    found = calibration(JUDGED)
    warm = found["temperature"]
    assert warm != pytest.approx(1, abs=0.05)
    at = [(s ** (1 / warm)) / (s ** (1 / warm) + (1 - s) ** (1 / warm)) for s in (0.2, 0.7)]
    assert found["trans_cerebellar_threshold"] == pytest.approx(sum(at) / 2, abs=2e-4)


def test_a_model_that_tells_no_planes_apart_has_intervals_alone():
    assert set(calibration(MEASURED)) == {"intervals", "from"}


@pytest.mark.parametrize("split", ["test", "train", "left-out"])
def test_a_model_is_not_calibrated_on_images_that_it_is_trained_or_tested_on(split):
    with pytest.raises(DataError, match=f"validation images alone; got {split}, validation"):
        calibration([*MEASURED, case("x.png", split=split)])


def test_no_images_calibrate_nothing():
    with pytest.raises(DataError, match="validation images alone; got none"):
        calibration([])
