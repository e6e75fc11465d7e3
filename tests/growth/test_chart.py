"""Every chart: round trips, order, refusals, and what it says about itself."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetometry.growth import GrowthError, Reason, catalogue

KNOWN = catalogue()
NAMES = tuple(KNOWN.charts)
WITH_Z = tuple(name for name, chart in KNOWN.charts.items() if chart.distribution.has_z)


def place(chart, values, days):
    # a chart's own values are in its own convention
    return chart.place_many(values, days, convention=chart.spec.demands_convention)


@pytest.mark.parametrize("name", WITH_Z)
def test_value_to_centile_to_value_returns_on_a_fine_grid(name):
    chart = KNOWN.chart(name)
    low, high = chart.distribution.levels[:: len(chart.distribution.levels) - 1] or (0.2, 99.8)
    days = np.linspace(*chart.spec.ga_days, 211)
    centiles = np.linspace(low, high, 173)[:, None]
    values = chart.value_many(ga_days=days, centile=centiles)
    placed = place(chart, values, days)
    assert np.all(placed.refused == 0)
    # on the last day two curves of the boys' chart meet: there is no one centile between them
    apart = slice(None, -1) if name == "who2017_efw_male" else slice(None)
    expected = np.broadcast_to(centiles, values.shape)
    np.testing.assert_allclose(placed.centile[:, apart], expected[:, apart], atol=1e-6)
    again = chart.value_many(ga_days=days, centile=placed.centile)
    np.testing.assert_allclose(again, values, rtol=1e-8)


@pytest.mark.parametrize("name", WITH_Z)
def test_z_and_centile_say_the_same(name):
    chart = KNOWN.chart(name)
    middle = sum(chart.spec.ga_days) / 2
    z = np.linspace(-1.8, 1.8, 37)
    placed = place(chart, chart.value_many(ga_days=middle, z=z), middle)
    np.testing.assert_allclose(placed.z, z, atol=1e-8)
    assert placed.centile[18] == pytest.approx(50, abs=1e-6)
    # the 2.5th and 97.5th centile are 1.96 from the mean, as any table of the normal says
    assert np.interp(1.0, z, placed.centile) == pytest.approx(84.134, abs=0.01)


@pytest.mark.parametrize("name", WITH_Z)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_nan_and_no_negative_and_centiles_rise_with_the_value_at_every_age(name, data):
    chart = KNOWN.chart(name)
    days = data.draw(st.floats(*chart.spec.ga_days))
    shares = np.array(data.draw(st.lists(st.floats(0.2001, 4.999), min_size=2, max_size=30)))
    values = np.sort(shares) * float(chart.median(days))
    placed = place(chart, values, days)
    assert np.all(placed.refused == Reason.NONE)
    for numbers in (placed.z, placed.centile):
        assert np.all(np.isfinite(numbers))
        assert np.all(np.diff(numbers) >= 0)
    assert np.all((placed.centile >= 0) & (placed.centile <= 100))
    assert np.all(np.diff(placed.beyond) >= 0)


@pytest.mark.parametrize("name", NAMES)
def test_every_centile_is_a_positive_size_that_rises_with_the_centile_on_every_day(name):
    chart = KNOWN.chart(name)
    days = np.arange(chart.spec.ga_days[0], chart.spec.ga_days[1] + 1)
    levels = np.array(chart.distribution.levels or [0.1, 1, 3, 5, 10, 25, 50, 75, 90, 95, 97, 99])
    values = chart.value_many(ga_days=days, centile=levels[:, None])
    assert np.all(values > 0)
    assert np.all(np.diff(values, axis=0) > -1e-9)


#: Where a published centile falls with age: chart, centile, first and last day, by how much.
DIPS = [
    ("intergrowth21_ofd", 3, 274, 280, 0.147),
    ("intergrowth21_ofd", 5, 276, 280, 0.074),
    ("intergrowth21_ofd", 10, 278, 280, 0.008),
    ("who2017_fl", 1, 278, 280, 0.027),
    ("who2017_fl", 10, 278, 280, 0.015),
    ("who2017_fl", 25, 278, 280, 0.021),
    ("who2017_fl", 50, 279, 280, 0.005),
]


def test_the_charts_that_dip_with_age_are_these_and_are_not_smoothed():
    found = [
        (name, dip.centile, dip.from_day, dip.to_day, pytest.approx(dip.by, abs=0.001))
        for name, chart in KNOWN.charts.items()
        for dip in chart.dips()
    ]
    assert found == DIPS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", [0, 1])
def test_a_chart_refuses_one_day_outside_its_range(name, end):
    chart = KNOWN.chart(name)
    edge = chart.spec.ga_days[end]
    value = float(chart.median(edge))
    convention = chart.spec.demands_convention
    assert chart.place(value, edge, convention=convention).median == pytest.approx(value)
    outside = edge + (1, -1)[end == 0]
    with pytest.raises(GrowthError, match=f"{name}: .*outside the valid range"):
        chart.place(value, outside, convention=convention)
    with pytest.raises(GrowthError, match=name):
        chart.value(outside, centile=50)
    assert np.isnan(chart.median(outside))


def test_rows_are_refused_one_by_one_with_their_reason():
    placed = KNOWN.chart("intergrowth21_hc").place_many(
        [175, 175, 17.5, -3, np.nan, np.inf, 175, 30, 1750],
        [140, 281, 140, 140, 140, 140, 20, 140, 140],
    )
    expected = [
        Reason.NONE,
        Reason.AGE_OUTSIDE,
        Reason.CENTIMETRES,
        Reason.NOT_A_NUMBER,
        Reason.MISSING,
        Reason.NOT_A_NUMBER,
        Reason.AGE_IN_WEEKS,
        Reason.CENTIMETRES,
        Reason.TENFOLD,
    ]
    assert placed.refused.tolist() == expected
    assert np.isfinite(placed.z).tolist() == [True] + 8 * [False]


@pytest.mark.parametrize("age", [np.nan, np.inf])
def test_an_age_that_is_no_number_is_refused(age):
    with pytest.raises(GrowthError, match="missing or not a number of days"):
        KNOWN.chart("intergrowth21_hc").place(175, age)


@pytest.mark.parametrize(
    ("value", "centile", "beyond"), [(1000, 1.0, "<"), (3500, 99.0, ">"), (1900, 49.8, "")]
)
def test_beyond_the_outermost_curve_only_a_bound_is_given(value, centile, beyond):
    placed = KNOWN.chart("who2017_efw").place(value, 224)
    assert placed.beyond == beyond
    assert placed.centile == pytest.approx(centile, abs=0.5)


def test_a_chart_of_printed_curves_has_no_centile_outside_them():
    with pytest.raises(GrowthError, match=r"no centile 0\.5; it has 1 to 99"):
        KNOWN.chart("who2017_efw").value(224, centile=0.5)
    with pytest.raises(GrowthError, match="no centile 0; it has between 0 and 100"):
        KNOWN.chart("intergrowth21_hc").value(224, centile=0)


def test_a_centile_or_a_z_score_is_asked_for_not_both():
    with pytest.raises(GrowthError, match="one of them"):
        KNOWN.chart("intergrowth21_hc").value_many(ga_days=140, centile=3, z=1)


@pytest.mark.parametrize("name", NAMES)
def test_curves_for_drawing_cover_the_range_and_end_on_its_ends(name):
    chart = KNOWN.chart(name)
    curves = chart.curves()
    assert (curves.ga_days[0], curves.ga_days[-1]) == chart.spec.ga_days
    assert np.array(curves.values).shape == (len(curves.centiles), len(curves.ga_days))
    assert 50 in curves.centiles
    at = curves.centiles.index(50)
    np.testing.assert_allclose(curves.values[at], chart.median(np.array(curves.ga_days)))


@pytest.mark.parametrize("told", KNOWN.describe(), ids=lambda told: told["name"])
def test_everything_says_what_it_is_and_goes_through_json(told):
    assert json.loads(json.dumps(told)) == told
    for key in ("name", "title", "citation", "doi", "status", "dicom", "convention", "role"):
        assert told[key]
    assert told["dicom"] == "none" or told["dicom"].split()[0] in ("LN", "DCM")
    units = {"chart": "unit", "dating": "input_unit", "weight": "input_unit", "ratio": "over"}
    assert told[units[told["role"]]]


@pytest.mark.parametrize("family", ["intergrowth21", "who2017", "fmf2018"])
def test_no_hadlock_code_is_borrowed_by_a_chart_without_one(family):
    assert all(chart.spec.dicom == "none" for chart in KNOWN.family(family))


def test_an_unknown_chart_is_refused_with_those_there_are():
    with pytest.raises(GrowthError, match=r"no chart 'nichd'; there are .*who2017_hc"):
        KNOWN.chart("nichd")
    with pytest.raises(GrowthError, match=r"no chart or family 'nichd'; families: .*fmf2018"):
        KNOWN.family("nichd")


@pytest.mark.slow
def test_a_million_heads_take_less_than_a_second_of_processor_time():
    import time

    chart = KNOWN.chart("intergrowth21_hc")
    random = np.random.default_rng(0)
    days = random.integers(98, 281, 1_000_000)
    values = chart.value_many(ga_days=days, z=random.normal(size=days.size))
    began = time.process_time()
    placed = chart.place_many(values, days)
    assert time.process_time() - began < 1.0
    assert np.all(placed.refused == 0)
