"""Sizes and an age become growth: what is placed, what is said, what is refused."""

import json
import math

import numpy as np
import pytest

from fetometry.growth import Dates, GrowthError, Profile, Size, assess, catalogue
from fetometry.growth.ratios import odd_head, ratios_of, usual_range

KNOWN = catalogue()
AT_20 = Dates(ga_days=140)


def sizes(**changes):
    """HC, AC and FL of 20 weeks with intervals, changed or added to."""
    plain = {"HC": 175.0, "AC": 150.0, "FL": 32.0, **changes}
    return [
        size if isinstance(size, Size) else Size(name, size, (0.97 * size, 1.03 * size))
        for name, size in plain.items()
        if size is not None
    ]


def head(bpd, ofd):
    return [
        Size("BPD", bpd, (bpd - 1, bpd + 1), "outer-outer"),
        Size("OFD", ofd, (ofd - 1, ofd + 1)),
    ]


def placed(growth, name):
    return next(p for p in growth.placements if p.name == name)


def test_an_exam_at_20_weeks_is_placed_and_weighed():
    growth = assess(sizes(), AT_20)
    assert [p.name for p in growth.placements] == ["HC", "AC", "FL", "EFW"]
    assert placed(growth, "HC").z == pytest.approx((175 - 172.4796) / 7.4400, abs=0.001)
    # 1.326 - 0.00326 * 15 * 3.2 + 0.0107 * 17.5 + 0.0438 * 15 + 0.158 * 3.2
    assert growth.weights[0].value_g == pytest.approx(10**2.51937, abs=0.01)
    assert growth.refused == ()
    assert all(not p.circular for p in growth.placements)


def test_every_centile_has_its_range_and_its_chart_and_lies_in_the_range():
    for one in assess(sizes(), AT_20).placements:
        assert one.chart
        assert one.citation
        assert one.centile_interval[0] < one.centile < one.centile_interval[1]
        assert one.z_interval[0] < one.z < one.z_interval[1]


def test_curves_for_the_report_stand_beside_the_placements():
    growth = assess(sizes(), AT_20)
    assert [c.chart for c in growth.curves] == [p.chart for p in growth.placements]


def test_the_whole_of_it_goes_through_json():
    told = json.loads(json.dumps(assess(sizes(), AT_20).as_json(), allow_nan=False))
    assert told["schema"] == "fetometry-growth/1"
    assert told["placements"][0]["chart"] == "intergrowth21_hc"


def test_without_an_age_it_is_estimated_and_the_centiles_are_circular():
    growth = assess(sizes())
    assert growth.age.estimated
    assert growth.age.from_sizes == ("HC", "AC", "FL")
    assert growth.age.formula == "hadlock1984_ga_hc_ac_fl"
    for one in growth.placements:
        assert one.circular
        assert "circular: the age was estimated from this very measurement" in one.notes[-1]


def test_a_measurement_that_the_age_was_not_estimated_from_is_not_circular():
    growth = assess([*sizes(AC=None, FL=None), Size("OFD", 61.0)])
    assert growth.age.from_sizes == ("HC",)
    assert placed(growth, "HC").circular
    assert not placed(growth, "OFD").circular


def test_a_house_that_does_not_date_by_biometry_gives_no_centile_without_an_age(tmp_path):
    from fetometry.growth import read_profile

    path = tmp_path / "fetometry.toml"
    path.write_text('[dating]\nsources = ["edd", "ga"]\n', encoding="utf-8")
    growth = assess(sizes(), profile=read_profile(path))
    assert growth.age is None
    assert growth.placements == ()
    assert growth.weights[0].value_g > 0
    assert "without a gestational age there is no centile" in growth.notes


def test_an_age_outside_a_chart_is_refused_for_that_chart_alone():
    growth = assess(sizes(HC=98.0, AC=80.0, FL=13.5), Dates(ga_days=100))
    assert [p.name for p in growth.placements] == ["HC", "AC", "FL"]
    assert [(r.what, r.by) for r in growth.refused] == [("EFW", "intergrowth21_efw_2020")]
    assert "126 to 287 days" in growth.refused[0].reason


def test_a_bpd_without_a_convention_is_refused_and_the_rest_stands():
    growth = assess([*sizes(), Size("BPD", 48.0), Size("OFD", 61.0)], AT_20)
    assert "BPD" not in [p.name for p in growth.placements]
    refused = {(r.what, r.by): r.reason for r in growth.refused}
    assert "outer-outer or outer-inner" in refused["BPD", "intergrowth21_bpd"]
    assert ("Cephalic index", "cephalic_index") in refused
    assert placed(growth, "HC").centile > 0


def test_the_house_says_the_convention_of_bpds_that_do_not():
    growth = assess([Size("BPD", 46.0)], AT_20, Profile().with_bpd("outer-inner"))
    assert placed(growth, "BPD").value == pytest.approx(0.555934 + 1.027318 * 46.0)


def test_a_long_head_leaves_bpd_out_of_age_and_weight():
    house = Profile().with_charts("who2017")
    normal = assess([*sizes(), *head(48, 61)], profile=house)
    long = assess([*sizes(), *head(43, 66)], profile=house)
    assert normal.age.formula == "hadlock1984_ga_bpd_hc_ac_fl"
    assert long.age.formula == "hadlock1984_ga_hc_ac_fl"
    assert any("BPD is left out of age and weight" in note for note in long.notes)
    assert not any("left out" in note for note in normal.notes)


def test_the_weight_falls_back_to_a_formula_whose_sizes_are_there():
    growth = assess(sizes(HC=None), AT_20)
    assert growth.weights[0].formula == "hadlock1985_efw_ac_fl"
    assert any("hadlock1985_efw_hc_ac_fl needs more sizes" in note for note in growth.notes)
    refused = [r.reason for r in growth.refused if r.by == "intergrowth21_efw_2020"]
    assert refused == ["hadlock1985_efw_hc_ac_fl needs HC, AC, FL; no HC"]


def test_a_weight_chart_without_a_formula_of_its_own_takes_the_houses():
    growth = assess(sizes(HC=None), AT_20, Profile().with_charts("hadlock1991"))
    assert placed(growth, "EFW").formula == "hadlock1985_efw_ac_fl"


def test_a_size_without_an_interval_takes_what_two_sonographers_differ_by():
    growth = assess([Size("HC", 200.0)], AT_20)
    assert placed(growth, "HC").interval == pytest.approx((200 * 0.951, 200 * 1.049))
    assert any("4.9 % is taken" in note for note in growth.notes)


def test_a_size_whose_error_is_not_known_says_that_its_range_is_not():
    growth = assess([Size("OFD", 61.0)], AT_20)
    assert placed(growth, "OFD").centile_interval is None
    assert any("OFD came without an interval" in note for note in growth.notes)


def test_a_measurement_without_a_chart_is_passed_over():
    growth = assess([*sizes(), Size("TAD", 45.0)], AT_20)
    assert "TAD" not in [p.name for p in growth.placements]


def test_a_size_that_comes_twice_is_refused():
    with pytest.raises(GrowthError, match="HC comes twice"):
        assess([Size("HC", 175), Size("HC", 176)], AT_20)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_size_is_a_positive_number(value):
    with pytest.raises(GrowthError, match="must be a positive number"):
        Size("HC", value)


def test_a_size_lies_in_its_interval():
    with pytest.raises(GrowthError, match="does not lie in its interval"):
        Size("HC", 175, (176, 180))


def test_centimetres_are_refused_for_each_chart_with_the_reason():
    growth = assess([Size("HC", 17.5), Size("AC", 15.0), Size("FL", 3.2)], AT_20)
    assert growth.placements == ()
    assert growth.weights == ()
    assert all("is it in cm" in r.reason for r in growth.refused if r.what in ("HC", "AC", "FL"))


@pytest.mark.parametrize(
    ("name", "over", "under", "ga_days", "percent", "limits"),
    [
        ("cephalic_index", ("BPD", 48.0), ("OFD", 60.0), None, 80.0, (70, 86)),
        ("fl_ac", ("FL", 33.0), ("AC", 150.0), 150, 22.0, (20, 24)),
        ("fl_hc", ("FL", 32.0), ("HC", 160.0), 140, 20.0, (14.12, 22.12)),
        # the quotient of the medians of HC and AC is 1.1676 there
        ("hc_ac", ("HC", 172.48), ("AC", 147.725), 140, 116.757, (101.05, 132.47)),
    ],
)
def test_a_ratio_and_its_range(name, over, under, ga_days, percent, limits):
    given = {k: Size(k, v, convention="outer-outer") for k, v in (over, under)}
    found, _ = ratios_of(given, ga_days, KNOWN)
    one = next(r for r in found if r.name == name)
    assert one.percent == pytest.approx(percent, abs=0.01)
    assert one.range_percent == pytest.approx(limits, abs=0.01)
    assert one.inside is True


def test_fl_over_bpd_takes_the_bpd_outer_to_inner():
    given = {"FL": Size("FL", 55.0), "BPD": Size("BPD", 73.0, convention="outer-outer")}
    found, _ = ratios_of(given, 196, KNOWN)
    one = next(r for r in found if r.name == "fl_bpd")
    assert one.percent == pytest.approx(100 * 55 * 1.027318 / (73 - 0.555934), abs=0.01)
    assert "converted from outer-outer to outer-inner" in one.notes[0]


@pytest.mark.parametrize(("ga_days", "inside"), [(140, None), (None, None), (147, False)])
def test_a_ratio_is_judged_from_its_week_on(ga_days, inside):
    given = {"FL": Size("FL", 40.0), "AC": Size("AC", 150.0)}
    found, _ = ratios_of(given, ga_days, KNOWN)
    assert next(r for r in found if r.name == "fl_ac").inside is inside


def test_hc_over_ac_falls_below_1_near_36_to_40_weeks():
    middles = [
        np.mean(usual_range(KNOWN.ratios["hc_ac"], days, KNOWN)) for days in (140, 196, 252, 280)
    ]
    assert middles == sorted(middles, reverse=True)
    assert middles[0] > 100 > middles[-1]


@pytest.mark.parametrize(("bpd", "odd"), [(41.9, True), (42.1, False), (51.5, False), (51.7, True)])
def test_a_head_is_odd_outside_70_to_86_percent(bpd, odd):
    given = {"BPD": Size("BPD", bpd, convention="outer-outer"), "OFD": Size("OFD", 60.0)}
    assert odd_head(ratios_of(given, None, KNOWN)[0]) is odd
