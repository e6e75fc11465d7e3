"""Mistakes that were found in the wild, or are easily made, and would change a number."""

import numpy as np
import pytest

from fetometry.growth import (
    Dates,
    GrowthError,
    Profile,
    Size,
    assess,
    catalogue,
    parse_ga,
)

KNOWN = catalogue()
HADLOCK_3 = KNOWN.formula("hadlock1985_efw_hc_ac_fl")


@pytest.mark.parametrize(
    ("name", "value", "ga_days"),
    [
        ("intergrowth21_hc", 17.5, 140),
        ("intergrowth21_ac", 31.3, 252),
        ("intergrowth21_fl", 6.6, 252),
        ("who2017_fl", 3.2, 140),
        ("hadlock1984_hc", 17.7, 140),
    ],
)
def test_centimetres_on_a_chart_are_caught_and_named(name, value, ga_days):
    with pytest.raises(GrowthError, match=r"is it in cm\? Millimetres are needed"):
        KNOWN.chart(name).place(value, ga_days)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("hadlock1984_ga_hc", {"HC": 17.5}),
        ("hadlock1984_ga_ac", {"AC": 15.0}),
        ("hadlock1984_ga_fl", {"FL": 3.2}),
        ("hadlock1985_efw_hc_ac_fl", {"HC": 26.6, "AC": 24.0, "FL": 5.4}),
        ("intergrowth21_ga_crl", {"CRL": 5.5}),
        ("robinson1975_ga_crl", {"CRL": 5.5}),
    ],
)
def test_centimetres_in_a_formula_are_caught_and_named(name, sizes):
    with pytest.raises(GrowthError, match=r"is it in cm\? Millimetres are needed"):
        KNOWN.formula(name).evaluate(sizes)


def test_one_size_in_centimetres_beside_others_in_millimetres_is_caught():
    with pytest.raises(GrowthError, match="in another unit"):
        HADLOCK_3.evaluate({"HC": 320, "AC": 310, "FL": 7.0})


def test_millimetres_given_as_centimetres_are_caught():
    with pytest.raises(GrowthError, match="ten times too large"):
        KNOWN.chart("intergrowth21_hc").place(1750, 140)
    with pytest.raises(GrowthError, match="ten times too large"):
        HADLOCK_3.evaluate({"HC": 2660, "AC": 2400, "FL": 540})


def test_kilograms_for_grams_are_caught():
    with pytest.raises(GrowthError, match=r"is it in kg\? Grams are needed"):
        KNOWN.chart("who2017_efw").place(1.9, 224)


def test_the_hadlock_hc_age_is_not_the_wrong_polynomial():
    wrong = 8.96 + 0.540 * 20 - 0.0040 * 20**2 + 0.000399 * 20**3
    assert wrong == pytest.approx(21.35, abs=0.01)
    found = KNOWN.formula("hadlock1984_ga_hc").evaluate({"HC": 200}) / 7
    assert found == pytest.approx(22.16, abs=0.001)


def test_hadlock_4_has_0_0424_and_not_0_424():
    # with 0.424 AC the logarithm would be larger by 0.3816 AC: 10**9 times the weight
    sizes = {"BPD": 70.6, "HC": 266.1, "AC": 239.6, "FL": 53.8}
    four = KNOWN.formula("hadlock1985_efw_bpd_hc_ac_fl").evaluate(sizes, convention="outer-inner")
    assert four == pytest.approx(HADLOCK_3.evaluate(sizes), rel=0.02)


def test_hadlock_1984_bpd_squared_is_subtracted():
    # with the other sign the logarithm at a BPD of 9 cm would be larger by 1.19
    formula = KNOWN.formula("hadlock1984_efw_bpd_ac")
    found = formula.evaluate({"BPD": 90, "AC": 320}, convention="outer-inner")
    assert 2500 < found < 3200


def test_the_intergrowth_age_has_0_03243_and_not_0_03242():
    ratio = np.exp(0.03243 * np.log(250) ** 2) / np.exp(0.03242 * np.log(250) ** 2)
    assert ratio == pytest.approx(1.0003, abs=1e-5)
    found = KNOWN.formula("intergrowth21_ga_hc_fl").evaluate({"HC": 250, "FL": 55})
    expected = np.exp(0.03243 * np.log(250) ** 2 + 0.001644 * 55 * np.log(250) + 3.813)
    assert found == pytest.approx(expected, abs=0.01)
    assert found / ratio < expected - 0.05


def test_the_intergrowth_bpd_sd_has_0_101242():
    chart, w = KNOWN.chart("intergrowth21_bpd"), 28.0
    others = 0.00150557 * w**3 - 0.000771535 * w**3 * np.log(w)
    others += 0.0000999638 * w**3 * np.log(w) ** 2
    sd = float(chart.value_many(ga_days=196, z=1) - chart.median(196))
    assert sd == pytest.approx(np.exp(0.101242 + others), rel=1e-9)


def test_the_fmf_spread_grows_with_age_as_printed():
    # with 5.64e-8 the SD at 280 days would be 0.0247 instead of 0.0404
    chart = KNOWN.chart("fmf2018_efw")
    spread = np.log10(chart.value_many(ga_days=280, z=1) / chart.median(280))
    assert spread == pytest.approx(0.02464 + 0.0000564 * 280, abs=1e-9)


@pytest.mark.parametrize("sizes", ["ac_fl", "bpd_ac_fl", "bpd_hc_ac_fl"])
def test_hadlock_1984_and_1985_of_the_same_sizes_have_names_codes_and_results_of_their_own(sizes):
    older = KNOWN.formula(f"hadlock1984_efw_{sizes}")
    newer = KNOWN.formula(f"hadlock1985_efw_{sizes}")
    values = {"BPD": 70.6, "HC": 266.1, "AC": 239.6, "FL": 53.8}
    weights = [f.evaluate(values, convention="outer-inner") for f in (older, newer)]
    assert abs(weights[0] - weights[1]) > 1
    assert older.spec.dicom != newer.spec.dicom
    assert older.spec.citation != newer.spec.citation


def test_an_outer_outer_bpd_put_into_hadlock_as_it_is_reads_too_old():
    formula = KNOWN.formula("hadlock1984_ga_bpd")
    medians = KNOWN.chart("intergrowth21_bpd").median([140, 196, 252])
    for bpd, weeks, excess in zip(medians, (20, 28, 36), (0.65, 1.5, 1.0), strict=True):
        taken = formula.evaluate({"BPD": float(bpd)}, convention="outer-inner") / 7
        assert taken - weeks == pytest.approx(excess, abs=0.1)
        brought = formula.evaluate({"BPD": float(bpd)}, convention="outer-outer") / 7
        assert brought < taken - 0.4


@pytest.mark.parametrize("name", ["intergrowth21_bpd", "who2017_bpd"])
@pytest.mark.parametrize("convention", ["", "inner-inner", "outer"])
def test_a_bpd_without_its_convention_is_refused(name, convention):
    with pytest.raises(GrowthError, match="outer-outer or outer-inner"):
        KNOWN.chart(name).place(48, 140, convention=convention)


def test_a_bpd_of_the_other_convention_is_converted_by_the_stated_formula():
    chart = KNOWN.chart("intergrowth21_bpd")
    direct = chart.place(0.555934 + 1.027318 * 46.0, 140, convention="outer-outer")
    assert chart.place(46.0, 140, convention="outer-inner").z == pytest.approx(direct.z)


def test_a_converted_bpd_is_said_to_be_converted():
    size = Size("BPD", 46.0, convention="outer-inner")
    placed = assess([size], Dates(ga_days=140)).placements[0]
    assert placed.value == pytest.approx(47.81, abs=0.01)
    assert placed.convention == "outer-outer"
    assert "converted from outer-inner to outer-outer: outer-outer = 0.555934" in placed.notes[0]


def test_a_quantile_of_0_1_is_the_tenth_centile():
    chart = KNOWN.chart("who2017_efw")
    assert chart.distribution.levels[3] == 10.0
    assert chart.place(chart.value(224, centile=10), 224).centile == pytest.approx(10)


def test_six_more_days_than_completed_weeks_move_the_centile():
    chart = KNOWN.chart("intergrowth21_hc")
    completed, exact = (chart.place(172.5, days).centile for days in (140, 146))
    assert completed == pytest.approx(50, abs=1)
    assert exact < 15


@pytest.mark.parametrize("text", ["20", "20w", "20.5", "20 weeks"])
def test_completed_weeks_alone_are_no_age(text):
    with pytest.raises(GrowthError, match="completed weeks alone leave up to 6 days open"):
        parse_ga(text)


def test_weeks_for_days_are_caught():
    with pytest.raises(GrowthError, match="looks like weeks; give exact days"):
        KNOWN.chart("intergrowth21_hc").place(175, 20)


@pytest.mark.parametrize("name", ["intergrowth21_efw_2017", "intergrowth21_efw_2020"])
def test_a_weight_outside_the_ages_of_its_standard_is_refused(name):
    chart = KNOWN.chart(name)
    low, high = chart.spec.ga_days
    assert chart.place(float(chart.median(low)), low).centile == pytest.approx(50)
    for outside in (low - 1, high + 1):
        with pytest.raises(GrowthError, match="outside the valid range"):
            chart.place(1000, outside)


def test_the_2017_weight_standard_is_not_used_with_hadlocks_weights():
    profile = Profile().with_charts("intergrowth21_2017")
    sizes = [Size("HC", 290), Size("AC", 260), Size("FL", 57)]
    growth = assess(sizes, Dates(ga_days=210), profile)
    placed = next(p for p in growth.placements if p.name == "EFW")
    assert placed.formula == "intergrowth21_efw_hc_ac"
    assert placed.value == pytest.approx(1499, abs=0.5)
    assert growth.weights[0].formula == "hadlock1985_efw_hc_ac_fl"


def test_the_2017_weight_standard_is_not_the_stale_z_score_table():
    # that one was up to 32 g away from this, the independent package's, at 40 weeks
    chart = KNOWN.chart("intergrowth21_efw_2017")
    assert chart.value(280, centile=3) == pytest.approx(2600, abs=120)
    low, high = (float(chart.value_many(ga_days=280, z=z)) for z in (-1.2815515655, 1.2815515655))
    assert chart.value(280, centile=10) == pytest.approx(low, abs=1e-6)
    assert chart.value(280, centile=90) == pytest.approx(high, abs=1e-6)


def test_the_crl_centiles_carry_the_centiles_of_a_normal_distribution():
    # the printed table's headings are shifted: its seven columns are 3, 10, 25, 50, 75, 90, 97
    chart = KNOWN.chart("intergrowth21_crl")
    sd = -2.21626 + 0.0984894 * 84
    mean = -50.6562 + 0.815118 * 84 + 0.00535302 * 84**2
    scores = {3: -1.880794, 10: -1.281552, 25: -0.67449, 50: 0, 75: 0.67449, 90: 1.281552}
    for centile, z in scores.items():
        assert chart.value(84, centile=centile) == pytest.approx(mean + z * sd, abs=1e-4)


def test_nothing_from_memory_is_shipped():
    statuses = {told["status"] for told in KNOWN.describe()}
    assert statuses == {"verified", "two-sources", "verified-1-manual", "single-source", "derived"}
    names = " ".join(told["name"] for told in KNOWN.describe())
    for absent in ("chitty", "loughna", "snijders", "hadlock1982", "hadlock1984_bpd"):
        assert absent not in names


def test_hadlock_1984_sizes_are_medians_without_z_and_centile():
    placed = KNOWN.chart("hadlock1984_fl").place(33, 140)
    assert placed.z is None
    assert placed.centile is None
    assert placed.median == pytest.approx(32.7, abs=0.05)


def test_diagonals_of_the_head_give_less_than_an_ellipse():
    # pi (BPD + OFD) / 2 against the perimeter (Ramanujan II), by cephalic index
    for index, short in ((0.70, 0.0077), (0.78, 0.0038), (0.86, 0.0014)):
        h = ((1 - index) / (1 + index)) ** 2
        assert 3 * h / (10 + np.sqrt(4 - 3 * h)) == pytest.approx(short, abs=2e-4)
