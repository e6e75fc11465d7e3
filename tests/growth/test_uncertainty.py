"""Intervals carried through formulas and charts, against a simulation."""

import math

import numpy as np
import pytest

from fetometry.growth import Dates, Profile, Size, assess, catalogue, convert_bpd
from fetometry.growth.normal import Z95
from fetometry.growth.uncertainty import (
    calibrated,
    centile_interval,
    formula_interval,
    with_interval,
    z_interval,
)

KNOWN = catalogue()
DRAWS = 200_000
VALUES = {"HC": 266.1, "AC": 239.6, "FL": 53.8, "BPD": 70.6}
SHARES = {"HC": 0.03, "AC": 0.05, "FL": 0.04, "BPD": 0.03}


def sizes(names):
    """Sizes of 28 weeks whose 95 % half-widths are 3 to 5 %."""
    return {
        n: Size(n, VALUES[n], (VALUES[n] * (1 - SHARES[n]), VALUES[n] * (1 + SHARES[n])))
        for n in names
    }


def drawn(names, calibration=0.0, seed=1):
    """Sizes as they might be measured: normal errors, and one stretch for all of them."""
    random = np.random.default_rng(seed)
    stretch = 1 + calibration / Z95 * random.normal(size=DRAWS)
    return {
        n: VALUES[n] * (1 + SHARES[n] / Z95 * random.normal(size=DRAWS)) * stretch for n in names
    }


def middle_95(results):
    return np.percentile(results, [2.5, 97.5])


WEIGHTS = ["hadlock1985_efw_hc_ac_fl", "hadlock1985_efw_bpd_hc_ac_fl", "shepard1982_efw_bpd_ac"]


@pytest.mark.parametrize("calibration", [0.0, 2.0])
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weights_interval_is_that_of_a_simulation(name, calibration):
    formula = KNOWN.formula(name)
    found = formula_interval(formula, sizes(formula.inputs), calibration)
    results = formula.unbounded(drawn(formula.inputs, calibration / 100))
    error = formula.spec.error_percent / 100
    own = np.random.default_rng(2).normal(size=DRAWS)
    # down and up the formula's own error is 1 - e and 1 + e at 95 %
    own = np.where(own < 0, -np.log(1 - error), np.log(1 + error)) / Z95 * own
    low, high = middle_95(np.log(results) + own)
    width = high - low
    assert math.log(found[0]) == pytest.approx(low, abs=0.03 * width)
    assert math.log(found[1]) == pytest.approx(high, abs=0.03 * width)


@pytest.mark.parametrize(
    "name", ["hadlock1984_ga_hc_ac_fl", "hadlock1984_ga_hc", "intergrowth21_ga_hc_fl"]
)
def test_an_ages_interval_is_that_of_a_simulation(name):
    formula = KNOWN.formula(name)
    found = formula_interval(formula, sizes(formula.inputs))
    results = formula.unbounded(drawn(formula.inputs))
    at = float(formula.unbounded({n: np.array(VALUES[n]) for n in formula.inputs}))
    half = formula.error_95({n: VALUES[n] for n in formula.inputs}, at) or 0.0
    own = np.random.default_rng(2).normal(size=DRAWS) * half / Z95
    low, high = middle_95(results + own)
    assert found == pytest.approx((low, high), abs=0.03 * (high - low))


@pytest.mark.parametrize("name", ["intergrowth21_hc", "intergrowth21_efw_2020", "fmf2018_efw"])
def test_a_z_scores_interval_is_that_of_a_simulation(name):
    chart, days = KNOWN.chart(name), 210.0
    value, share, age_half = float(chart.median(days)) * 1.03, 0.06, 4.0
    found = z_interval(
        chart,
        value,
        days,
        value_interval=(value * (1 - share), value * (1 + share)),
        age_interval=(days - age_half, days + age_half),
    )
    random = np.random.default_rng(3)
    values = value * (1 + share / Z95 * random.normal(size=DRAWS))
    ages = days + age_half / Z95 * random.normal(size=DRAWS)
    low, high = middle_95(chart.place_many(values, ages).z)
    assert found == pytest.approx((low, high), abs=0.03 * (high - low))


def test_a_centiles_interval_is_that_of_its_z_score():
    assert centile_interval((-1.281552, 0.0)) == pytest.approx((10, 50), abs=1e-4)
    assert centile_interval(None) is None


def test_exact_inputs_leave_a_weight_its_formulas_error():
    formula = KNOWN.formula("hadlock1985_efw_hc_ac_fl")
    bare = {n: Size(n, VALUES[n]) for n in formula.inputs}
    value = formula.evaluate(VALUES)
    assert formula_interval(formula, bare) == pytest.approx((0.85 * value, 1.15 * value))


def test_exact_inputs_and_no_known_error_have_no_interval():
    formula = KNOWN.formula("intergrowth21_ga_hc")
    assert formula_interval(formula, {"HC": Size("HC", 266.1)}) is None


@pytest.mark.parametrize(
    ("ga_weeks", "weight_percent", "names"),
    [(20, 2.35, ("BPD", "HC", "AC", "FL")), (28, 3.11, ("BPD", "HC", "AC", "FL"))],
)
def test_one_percent_of_scale_is_two_to_three_percent_of_weight(ga_weeks, weight_percent, names):
    formula = KNOWN.formula("hadlock1985_efw_bpd_hc_ac_fl")
    charts = {n: f"intergrowth21_{n.lower()}" for n in names}
    medians = {n: float(KNOWN.chart(charts[n]).median(7 * ga_weeks)) for n in names}
    medians["BPD"] = float(
        convert_bpd(np.array(medians["BPD"]), given="outer-outer", wanted="outer-inner")
    )
    plain, stretched = (
        float(formula.unbounded({n: np.array(v * f) for n, v in medians.items()}))
        for f in (1, 1.01)
    )
    assert 100 * (stretched / plain - 1) == pytest.approx(weight_percent, abs=0.12)


def test_calibration_widens_a_size_and_joins_in_quadrature():
    wide = calibrated(Size("HC", 200, (194, 206)), 4.0)
    assert wide.interval_mm == pytest.approx((190, 210))
    assert calibrated(Size("HC", 200), 1.0).interval_mm == pytest.approx((198, 202))
    assert calibrated(Size("HC", 200), 0.0).interval_mm is None


def test_calibration_widens_every_interval_of_an_exam(tmp_path):
    from fetometry.growth import read_profile

    path = tmp_path / "fetometry.toml"
    path.write_text("[uncertainty]\ncalibration_percent = 3\n", encoding="utf-8")
    given = [Size(n, VALUES[n], (VALUES[n] * 0.99, VALUES[n] * 1.01)) for n in ("HC", "AC", "FL")]
    plain, wide = (
        assess(given, Dates(ga_days=196), house) for house in (Profile(), read_profile(path))
    )
    for one, other in zip(plain.placements, wide.placements, strict=True):
        assert other.z_interval[0] < one.z_interval[0] < one.z_interval[1] < other.z_interval[1]
    assert any("pixel size is taken as exact" in note for note in plain.notes)
    assert not any("pixel size is taken as exact" in note for note in wide.notes)


@pytest.mark.parametrize(("name", "percent"), [("HC", 4.9), ("AC", 8.8), ("FL", 11.1)])
def test_two_sonographers_stand_in_for_a_missing_interval(name, percent):
    wide, said = with_interval(Size(name, 100.0))
    assert wide.interval_mm == pytest.approx((100 - percent, 100 + percent))
    assert f"{percent:g} % is taken" in said


def test_a_range_on_a_chart_of_curves_ends_at_its_outermost():
    chart = KNOWN.chart("who2017_efw")
    value = float(chart.value(224, centile=5))
    found = z_interval(
        chart, value, 224, value_interval=(0.7 * value, 1.05 * value), age_interval=None
    )
    assert centile_interval(found)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("ends", [(0.1, 1.9), (0.9, 5.5), (0.1, 5.5)])
def test_a_range_is_not_known_where_an_end_is_no_size_of_a_fetus(ends):
    chart = KNOWN.chart("intergrowth21_hc")
    value = float(chart.median(189))
    interval = (ends[0] * value, ends[1] * value)
    assert z_interval(chart, value, 189, value_interval=interval, age_interval=None) is None


def test_an_exam_whose_intervals_reach_beyond_every_fetus_is_placed_all_the_same():
    wide = [Size("HC", 250.0, (1.0, 2000.0)), Size("AC", 220.0, (1.0, 2000.0))]
    (placed, *_) = assess(wide, Dates(ga_days=189)).placements
    assert placed.z is not None
    assert placed.centile_interval is None
