"""Ages and weights from sizes: worked sums, machines' own values, consistency, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetometry.growth import GrowthError, Reason, catalogue

KNOWN = catalogue()

#: Sizes (mm) of one fetus at 28 weeks; Hadlock's medians, BPD outer to inner.
FETUS = {"HC": 266.1, "AC": 239.6, "FL": 53.8, "BPD": 70.6}
HADLOCK_AGES = [name for name in KNOWN.formulas if name.startswith("hadlock1984_ga_")]


def days(name, **sizes):
    return KNOWN.formula(name).evaluate(sizes, convention="outer-inner")


def grams(name, ga_days=None, **sizes):
    return KNOWN.formula(name).evaluate(sizes, convention="outer-inner", ga_days=ga_days)


def test_all_fifteen_models_of_hadlock_1984_are_there():
    assert len(HADLOCK_AGES) == 15
    assert len({frozenset(KNOWN.formula(name).inputs) for name in HADLOCK_AGES}) == 15


def matching(weeks):
    """The sizes that each model of one size alone takes for this age."""
    millimetres = np.arange(5, 400, 0.01)
    sizes = {}
    for name in ("HC", "AC", "FL", "BPD"):
        formula = KNOWN.formula(f"hadlock1984_ga_{name.lower()}")
        ages = formula.unbounded({name: millimetres})
        sizes[name] = float(np.interp(7 * weeks, ages, millimetres))
    return sizes


@pytest.mark.parametrize("weeks", [16, 20, 28, 36, 40])
@pytest.mark.parametrize("name", HADLOCK_AGES)
def test_the_fifteen_models_agree_at_matching_sizes(name, weeks):
    apart = {"hadlock1984_ga_hc_ac": 1.5, "hadlock1984_ga_bpd_hc": 1.1}.get(name, 0.81)
    assert days(name, **matching(weeks)) / 7 == pytest.approx(weeks, abs=apart)


#: Worked by hand for BPD 7, HC 26, AC 24, FL 5 cm, in weeks.
AGES = {
    "bpd": 28.1264,  # 9.54 + 1.482 * 7 + 0.1676 * 49
    "hc": 28.2728,  # 8.96 + 0.540 * 26 + 0.0003 * 17576
    "ac": 28.2856,  # 8.14 + 0.753 * 24 + 0.0036 * 576
    "fl": 26.9,  # 10.35 + 2.460 * 5 + 0.170 * 25
    "bpd_ac": 28.124,  # 9.57 + 0.524 * 24 + 0.1220 * 49
    "bpd_hc": 27.75312,  # 10.32 + 0.009 * 676 + 1.32 * 7 + 0.00012 * 17576
    "bpd_fl": 27.255,  # 10.50 + 0.197 * 35 + 0.95 * 5 + 0.73 * 7
    "hc_ac": 27.662,  # 10.31 + 0.012 * 676 + 0.385 * 24
    "hc_fl": 27.128,  # 11.19 + 0.070 * 130 + 0.263 * 26
    "ac_fl": 27.4155,  # 10.47 + 0.442 * 24 + 0.314 * 25 - 0.0121 * 125
    "bpd_ac_fl": 27.413,  # 10.61 + 0.175 * 35 + 0.297 * 24 + 0.71 * 5
    "bpd_hc_fl": 27.34,  # 11.38 + 0.070 * 130 + 0.98 * 7
    "hc_ac_fl": 27.322,  # 10.33 + 0.031 * 130 + 0.361 * 26 + 0.0298 * 120
    "bpd_hc_ac": 27.49552,  # 10.58 + 0.005 * 676 + 0.3635 * 24 + 0.02864 * 168
    "bpd_hc_ac_fl": 27.372,  # 10.85 + 0.060 * 130 + 0.67 * 7 + 0.168 * 24
}


@pytest.mark.parametrize("sizes", AGES)
def test_hadlock_ages_worked_by_hand(sizes):
    found = days(f"hadlock1984_ga_{sizes}", BPD=70, HC=260, AC=240, FL=50) / 7
    assert found == pytest.approx(AGES[sizes], abs=1e-9)


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("intergrowth21_ga_hc", {"HC": 250}, 189.8),
        ("intergrowth21_ga_hc_fl", {"HC": 250, "FL": 55}, 200.5),
    ],
)
def test_intergrowth_ages_are_those_of_the_official_calculator(name, sizes, expected):
    assert days(name, **sizes) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("name", "crl", "expected"),
    [
        # 40.9041 + 3.21585 * 7 + 0.348956 * 49
        ("intergrowth21_ga_crl", 49, 80.513894),
        # 8.052 * 7 + 23.73
        ("robinson1975_ga_crl", 49, 80.094),
        # 8.052 * sqrt(1.037 * 49) + 23.73
        ("robinson1975_ga_crl_bmus", 49, 81.127263),
    ],
)
def test_ages_from_crl_worked_by_hand(name, crl, expected):
    assert days(name, CRL=crl) == pytest.approx(expected, abs=1e-5)


# 2.39102 + 0.0193474 CRL
@pytest.mark.parametrize(("crl", "sd_days"), [(20, 2.777968), (60, 3.551864), (90, 4.132286)])
def test_the_error_of_a_crl_age_is_its_published_sd(crl, sd_days):
    half = KNOWN.formula("intergrowth21_ga_crl").error_95({"CRL": crl}, 80)
    assert half == pytest.approx(1.95996398 * sd_days, abs=5e-6)


def test_robinsons_error_is_4_7_days():
    assert KNOWN.formula("robinson1975_ga_crl").error_95({"CRL": 50}, 80) == 4.7


@pytest.mark.parametrize(("ga_days", "half"), [(98, 10), (140, 10), (252, 25.2), (290, 25.2)])
def test_the_error_of_hadlocks_ages_is_the_approximate_one_of_the_abstract(ga_days, half):
    formula = KNOWN.formula("hadlock1984_ga_hc")
    assert formula.error_95({"HC": 175}, ga_days) == pytest.approx(half)
    assert "approximate" in formula.spec.error_note


@pytest.mark.parametrize(
    ("sizes_cm", "expected"),
    [((6, 6, 6), 304.5), ((9, 9, 9), 942.8), ((12, 12, 12), 2550.1), ((6, 9, 12), 2129.7)],
)
def test_hadlock_3_gives_the_values_of_the_who_calculator(sizes_cm, expected):
    # those lengths fit no fetus, so that only the bare equation gives them
    sizes = {n: np.array(10.0 * cm) for n, cm in zip(("HC", "AC", "FL"), sizes_cm, strict=True)}
    found = KNOWN.formula("hadlock1985_efw_hc_ac_fl").unbounded(sizes)
    assert found == pytest.approx(expected, abs=0.05)


#: Worked by hand for BPD 7, HC 26, AC 24, FL 5 cm: the logarithm (base 10) of the weight in g.
WORKED = {
    # 1.304 + 0.05281 * 24 + 0.1938 * 5 - 0.004 * 120
    "hadlock1985_efw_ac_fl": 3.06044,
    # 1.335 - 0.0034 * 120 + 0.0316 * 7 + 0.0457 * 24 + 0.1623 * 5
    "hadlock1985_efw_bpd_ac_fl": 3.0565,
    # 1.326 - 0.00326 * 120 + 0.0107 * 26 + 0.0438 * 24 + 0.158 * 5
    "hadlock1985_efw_hc_ac_fl": 3.0542,
    # 1.3596 - 0.00386 * 120 + 0.0064 * 26 + 0.00061 * 168 + 0.0424 * 24 + 0.174 * 5
    "hadlock1985_efw_bpd_hc_ac_fl": 3.05288,
    # 1.1134 + 0.05845 * 24 - 0.000604 * 576 - 0.007365 * 49 + 0.000595 * 168 + 0.1694 * 7
    "hadlock1984_efw_bpd_ac": 3.093171,
    # 1.182 + 0.0273 * 26 + 0.07057 * 24 - 0.00063 * 576 - 0.0002184 * 624
    "hadlock1984_efw_hc_ac": 3.0863184,
    # 1.3598 + 0.051 * 24 + 0.1844 * 5 - 0.0037 * 120
    "hadlock1984_efw_ac_fl": 3.0618,
    # 1.4787 - 0.003343 * 120 + 0.001837 * 49 + 0.0458 * 24 + 0.158 * 5
    "hadlock1984_efw_bpd_ac_fl": 3.056753,
    # 1.5115 + 0.0436 * 24 + 0.1517 * 5 - 0.00321 * 120 + 0.0006923 * 182
    "hadlock1984_efw_bpd_hc_ac_fl": 3.0571986,
    # 3 - 1.7492 + 0.166 * 7 + 0.046 * 24 - 0.002646 * 168
    "shepard1982_efw_bpd_ac": 3.072272,
}


@pytest.mark.parametrize("name", WORKED)
def test_weights_worked_by_hand(name):
    found = grams(name, BPD=70, HC=260, AC=240, FL=50)
    assert np.log10(found) == pytest.approx(WORKED[name], abs=1e-9)


def test_campbells_weight_worked_by_hand():
    # ln kg = -4.564 + 0.282 * 24 - 0.00331 * 576
    assert np.log(grams("campbell1975_efw_ac", AC=240) / 1000) == pytest.approx(0.29744)


@pytest.mark.parametrize("name", [n for n, f in KNOWN.formulas.items() if f.spec.role == "weight"])
def test_weight_formulas_agree_on_one_fetus_within_their_errors(name):
    house = grams("hadlock1985_efw_bpd_hc_ac_fl", **FETUS)
    assert grams(name, ga_days=196, **FETUS) == pytest.approx(house, rel=0.15)


def test_the_intergrowth_weight_gives_the_worked_example_of_its_paper():
    found = grams("intergrowth21_efw_hc_ac", ga_days=210, AC=260, HC=290)
    assert found == pytest.approx(1499, abs=0.5)
    # 5.08482 - 54.06633 * 0.017576 + 95.80076 * 0.017576 * 1.347073648 + 3.13637 * 0.29
    assert np.log(found) == pytest.approx(7.3122922, abs=2e-7)


@pytest.mark.parametrize(
    ("ga_days", "held"), [(153, False), (154, True), (280, True), (281, False)]
)
def test_the_intergrowth_weight_is_refused_outside_22_to_40_weeks(ga_days, held):
    formula = KNOWN.formula("intergrowth21_efw_hc_ac")
    sizes = {"HC": 200, "AC": 175}
    if held:
        assert formula.evaluate(sizes, ga_days=ga_days) > 0
    else:
        with pytest.raises(GrowthError, match=r"154 to 280 days"):
            formula.evaluate(sizes, ga_days=ga_days)


def test_a_weight_formula_with_bounds_asks_for_the_age():
    with pytest.raises(GrowthError, match="give the gestational age"):
        KNOWN.formula("intergrowth21_efw_hc_ac").evaluate({"HC": 200, "AC": 175})


@pytest.mark.parametrize("crl", [14.9, 95.1])
def test_a_crl_outside_its_range_is_refused_with_the_range(crl):
    with pytest.raises(GrowthError, match="CRL 15 to 95 mm"):
        days("intergrowth21_ga_crl", CRL=crl)


def test_an_age_outside_14_to_42_weeks_is_refused():
    with pytest.raises(GrowthError, match="98 to 294 days"):
        days("hadlock1984_ga_fl", FL=10)


@pytest.mark.parametrize("name", KNOWN.formulas)
@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.2, 2.0), data=st.data())
def test_a_formula_gives_a_positive_number_or_refuses_and_never_nan(name, scale, data):
    formula = KNOWN.formula(name)
    sizes = {
        n: scale * data.draw(st.floats(0.8, 1.25)) * {**FETUS, "CRL": 50.0}[n]
        for n in formula.inputs
    }
    found = formula.evaluate_many(sizes, convention="outer-inner", ga_days=196)
    assert (found.refused == Reason.NONE) == bool(np.isfinite(found.value))
    if np.isfinite(found.value):
        assert found.value > 0
        ages = formula.spec.ga_days if formula.spec.role == "dating" else ()
        assert not ages or ages[0] <= found.value <= ages[1]


def test_a_missing_size_is_named():
    with pytest.raises(GrowthError, match="AC is missing"):
        days("hadlock1984_ga_hc_ac", HC=200)


def test_many_rows_give_what_single_ones_give_and_refused_ones_are_nan():
    formula = KNOWN.formula("hadlock1985_efw_hc_ac_fl")
    sizes = {
        "HC": [266.1, 26.6, np.nan, 266.1, -1, 266.1],
        "AC": [239.6, 239.6, 239.6, 239.6, 239.6, np.inf],
        "FL": [53.8, 53.8, 53.8, 5.38, 53.8, 53.8],
    }
    found = formula.evaluate_many(sizes)
    expected = [
        Reason.NONE,
        Reason.CENTIMETRES,
        Reason.MISSING,
        Reason.UNITS_DIFFER,
        Reason.NOT_A_NUMBER,
        Reason.NOT_A_NUMBER,
    ]
    assert found.refused.tolist() == expected
    assert found.value[0] == grams("hadlock1985_efw_hc_ac_fl", **FETUS)
    assert np.all(np.isnan(found.value[1:]))
