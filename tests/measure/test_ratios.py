import numpy as np
import pytest

from fetometry.measure import disagreeing
from fetometry.measure.ratios import HC_AC, age_weeks, outer_inner

#: Means of INTERGROWTH-21st at 28 weeks, Lancet 2014;384:869-879.
AT_28 = {"HC": 260.4, "BPD": 73.5, "AC": 233.3, "FL": 51.3}

#: The same, and standard deviations: week, HC, SD, AC, SD.
PUBLISHED = [
    (14, 97.877, 5.582, 80.615, 4.130),
    (20, 172.480, 7.440, 147.725, 7.628),
    (24, 219.073, 8.296, 191.161, 9.478),
    (28, 260.359, 8.935, 233.303, 11.295),
    (32, 294.369, 9.619, 273.935, 13.590),
    (36, 319.399, 10.761, 312.841, 17.030),
    (40, 333.948, 12.924, 349.804, 22.417),
]


@pytest.mark.parametrize(("week", "hc", "hc_sd", "ac", "ac_sd"), PUBLISHED)
def test_the_range_of_hc_over_ac_is_two_deviations_round_the_published_means(
    week, hc, hc_sd, ac, ac_sd
):
    k = HC_AC[0].index(week)
    spread = 2 * np.hypot(hc_sd / hc, ac_sd / ac)
    assert HC_AC[1][k] == pytest.approx(hc / ac * (1 - spread), abs=0.006)
    assert HC_AC[2][k] == pytest.approx(hc / ac * (1 + spread), abs=0.006)


def test_mean_sizes_of_one_week_agree_and_say_the_week():
    assert disagreeing(AT_28) == {}
    assert age_weeks(AT_28) == 28
    assert age_weeks({"BPD": 70.0}) is None


def test_of_three_sizes_one_that_is_wrong_does_not_change_the_week():
    assert age_weeks({**AT_28, "AC": 100.0}) == 28
    assert age_weeks({"HC": 172.5, "AC": 233.3}) == pytest.approx(24)


@pytest.mark.parametrize("week", [14, 16, 20, 24, 32, 36, 40])
def test_the_published_means_agree_at_every_week(week):
    # Papageorghiou 2014, equations for HC, AC and FL in mm
    log = np.log(week)
    means = {
        "HC": -28.2849 + 1.69267 * week**2 - 0.397485 * week**2 * log,
        "AC": -81.3243 + 11.6772 * week - 0.000561865 * week**3,
        "FL": -39.9616 + 4.32298 * week - 0.0380156 * week**2,
    }
    assert disagreeing(means) == {}
    assert age_weeks(means) == pytest.approx(week, abs=0.05)


def test_an_abdomen_of_half_the_size_disagrees_with_head_and_femur():
    found = disagreeing({**AT_28, "AC": 116.65})
    assert set(found) == {"HC", "AC", "FL"}
    assert found["HC"] == "HC/AC 2.23, expected 0.98 to 1.25 at 28 weeks' size"
    assert found["FL"] == "FL/AC 0.44, expected 0.20 to 0.24 at 28 weeks' size"
    assert found["AC"] == f"{found['HC']}; {found['FL']}"


@pytest.mark.parametrize(
    ("changed", "ratio"),
    [
        ({"AC": 205.0}, "HC/AC 1.27"),
        ({"AC": 270.0}, "HC/AC 0.96"),
        ({"FL": 41.0}, "FL/HC 0.16"),
        ({"FL": 62.5}, "FL/HC 0.24"),
    ],
)
def test_each_ratio_is_flagged_outside_its_range(changed, ratio):
    assert any(ratio in reason for reason in disagreeing({**AT_28, **changed}).values())


@pytest.mark.parametrize(
    ("fl_mm", "agrees"), [(45.9, False), (47.5, True), (55, True), (57, False)]
)
def test_fl_over_ac_is_20_to_24_percent(fl_mm, agrees):
    found = disagreeing({"AC": 233.3, "FL": fl_mm})
    assert (found == {}) == agrees
    assert set(found) <= {"AC", "FL"}


def test_fl_over_ac_is_not_judged_before_21_weeks():
    # 16 weeks: 19.5 / 103.2 = 0.19
    assert disagreeing({"AC": 103.2, "FL": 19.5}) == {}
    assert disagreeing({"AC": 190.0, "FL": 36.0}) != {}


def test_an_outer_inner_bpd_comes_from_an_outer_outer_one():
    # 0.555934 + 1.027318 * 70 = 72.468
    assert outer_inner(72.468) == pytest.approx(70, abs=1e-3)


def test_fl_over_bpd_is_judged_on_the_outer_inner_bpd_and_only_without_hc():
    # outer-inner 71.0: 51.3 / 71.0 = 0.7225; as outer-outer it would be 0.698, below 0.71
    assert disagreeing({"BPD": 73.5, "FL": 51.3}) == {}
    found = disagreeing({"BPD": 80.0, "FL": 51.3})
    assert set(found) == {"BPD", "FL"}
    assert "FL/BPD 0.66, expected 0.71 to 0.87" in found["BPD"]
    assert disagreeing({"BPD": 80.0, "FL": 51.3, "HC": 260.4}) == {}


def test_one_measurement_alone_disagrees_with_nothing():
    for name, value in AT_28.items():
        assert disagreeing({name: value}) == {}
    assert disagreeing({}) == {}
    assert disagreeing({"TAD": 70.0, "APAD": 20.0}) == {}
