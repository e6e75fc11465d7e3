"""Growth in words: rows for a terminal, and sentences that point out without a diagnosis."""

import json

import pytest

from fetometry.growth import Dates, Profile, Size, assess, catalogue, centile_text, charts, words


def growth(dates=None, profile=None, **sizes):
    given = [
        Size(n, v, (0.99 * v, 1.01 * v), "outer-outer" if n == "BPD" else "")
        for n, v in sizes.items()
    ]
    return assess(given, dates or Dates(ga_days=140), profile)


@pytest.mark.parametrize(
    ("centile", "beyond", "text"),
    [
        (34.4, "", "34"),
        (2.13, "", "2.1"),
        (97.3, "", "97.3"),
        (9.97, "", "9.97"),
        (10.02, "", "10.02"),
        (90.4, "", "90.4"),
        (4.98, "", "4.98"),
        (0.01, "", "<0.1"),
        (99.99, "", ">99.9"),
        (1.0, "<", "<1"),
        (99.0, ">", ">99"),
        (2.96, "", "2.96"),
    ],
)
def test_a_centile_is_shown_on_its_side_of_the_marks_that_people_judge_by(centile, beyond, text):
    assert centile_text(centile, beyond) == text


def test_rows_show_value_range_centile_chart_and_convention():
    rows = words.placement_rows(growth(HC=175.0, AC=150.0, FL=32.0))
    assert all(len(row) == len(words.PLACEMENT_HEADING) for row in rows)
    assert rows[0] == (
        "HC",
        "175.0 mm (173.2 to 176.8)",
        "63 (54 to 72)",
        "+0.34",
        "intergrowth21_hc",
        "ellipse on the outer border of the skull",
    )
    # 15 % down and up of the formula, and 1.45 % of the sizes, in quadrature
    assert rows[3][1] == "331 g (281 to 381)"


def test_a_range_that_is_not_known_is_said_to_be_unknown():
    bare = assess([Size("OFD", 61.0)], Dates(ga_days=140))
    assert words.placement_rows(bare)[0][2].endswith("(range not known)")


def test_a_circular_centile_is_marked_in_its_row_and_in_a_sentence():
    estimated = assess([Size("HC", 175.0)])
    assert words.placement_rows(estimated)[0][2].endswith(" circular")
    assert any("the centiles of HC are circular" in said for said in words.sentences(estimated))


def test_a_range_at_the_end_of_a_chart_of_curves_is_a_bound():
    house = Profile().with_charts("who2017")
    value = catalogue().chart("who2017_hc").value(140, centile=1.5)
    small = words.placement_rows(growth(profile=house, HC=value))[0]
    assert small[2].startswith("1.5 (<1 to 2.")
    smaller = words.placement_rows(growth(profile=house, HC=140.0))[0]
    assert smaller[2:4] == ("<1 (<1 to <1)", "<-2.33")


def test_a_median_alone_is_shown_without_a_centile():
    shown = words.placement_rows(growth(profile=Profile().with_charts("hadlock1984"), HC=175.0))
    assert shown[0][2:4] == ("median 177 mm", "")


@pytest.mark.parametrize(
    ("hc", "said"),
    [
        (155.0, "HC is below the 10th centile of intergrowth21_hc; clinical correlation needed"),
        (
            162.5,
            "HC is below the 10th centile of intergrowth21_hc, though its range reaches across; "
            "clinical correlation needed",
        ),
        (190.0, "HC is above the 90th centile of intergrowth21_hc; clinical correlation needed"),
    ],
)
def test_what_is_small_or_large_is_pointed_out_with_its_chart(hc, said):
    assert words.sentences(growth(HC=hc)) == [said]


def test_what_is_usual_is_not_pointed_out():
    assert words.sentences(growth(HC=175.0, AC=150.0, FL=32.0)) == []


def test_a_ratio_outside_its_range_is_pointed_out():
    said = words.sentences(growth(BPD=43.0, OFD=66.0))
    assert any(text.startswith("Cephalic index is 65.2 %, outside 70 to 86 %") for text in said)


@pytest.mark.parametrize("word", ["FGR", "IUGR", "SGA", "microceph", "diagnos", "restrict"])
def test_no_sentence_names_a_disease(word):
    said = " ".join(words.sentences(growth(HC=120.0, AC=100.0, FL=20.0, BPD=30.0, OFD=50.0)))
    assert said
    assert word.lower() not in said.lower()


def test_the_age_says_what_it_rests_on():
    size = Size("HC", 175.0, (173.0, 177.0))
    given = assess([size], Dates(ga_days=165)).age
    assert words.age_text(given) == "23w4d, as given"
    # 8.96 + 0.54 * 17.5 + 0.0003 * 17.5**3 weeks are 140.1 days; 10 days, and 1.2 of the size
    estimated = assess([size]).age
    text = "20w0d (18w4d to 21w3d), estimated from HC, hadlock1984_ga_hc"
    assert words.age_text(estimated) == text
    assert words.age_text(None) == "gestational age not known"


def test_the_weight_says_its_formula_and_range():
    one = growth(HC=175.0, AC=150.0, FL=32.0).weights[0]
    assert words.weight_text(one) == "331 g (281 to 381), hadlock1985_efw_hc_ac_fl (HC, AC, FL)"


def test_the_list_of_charts_has_a_row_for_each_and_goes_through_json():
    rows = words.catalogue_rows(charts())
    assert all(len(row) == len(words.CATALOGUE_HEADING) for row in rows)
    by_name = {row[0]: row for row in rows}
    assert by_name["intergrowth21_hc"][2:4] == ("HC in mm", "14w0d to 40w0d")
    assert by_name["intergrowth21_ga_crl"][3] == "CRL 15 to 95 mm"
    assert by_name["fl_ac"][3] == "20 to 24 %, judged from 21w0d"
    assert by_name["hadlock1985_efw_ac_fl"][3] == "no range published"
    assert [told["name"] for told in json.loads(words.catalogue_json(charts()))] == list(by_name)
