"""A hospital's own chart: read without code, refused with file, key and what is allowed."""

import numpy as np
import pytest

from fetometry.growth import ChartError, catalogue, charts

CHART = """
[[chart]]
name = "house_hc"
family = "house"
title = "Our heads"
measurement = "HC"
unit = "mm"
ga_days = [140, 168]
convention = "ellipse on the outer border of the skull"
citation = "our audit of 2024"
doi = "none"
status = "local"
dicom = "none"
kind = "normal"
table = "house_hc.csv"
"""
NUMBERS = "ga_weeks,mean,sd\n20,172,7\n22,197,8\n24,220,9\n"

FORMULA = """
[[formula]]
name = "house_efw"
family = "house"
title = "Our weight"
role = "weight"
inputs = ["HC", "AC"]
input_unit = "cm"
output_unit = "g"
equation = "100*HC + 10*AC"
convention = "outer borders"
citation = "our audit of 2024"
doi = "none"
status = "local"
dicom = "none"
"""


@pytest.fixture
def written(tmp_path):
    """Write a TOML and its CSV, and return the TOML's path."""

    def write(toml=CHART, numbers=NUMBERS, name="house_hc.csv"):
        (tmp_path / name).write_text(numbers, encoding="utf-8")
        path = tmp_path / "house.toml"
        path.write_text(toml, encoding="utf-8")
        return path

    return write


def test_a_chart_of_mean_and_sd_by_age_is_read_and_is_straight_between_its_rows(written):
    chart = catalogue([written()]).chart("house_hc")
    assert chart.place(172, 140).z == 0
    assert chart.place(179, 140).z == pytest.approx(1)
    # half-way between 20 and 22 weeks: mean 184.5, SD 7.5
    assert chart.place(192, 147).z == pytest.approx(1)


def test_a_house_chart_stands_beside_the_shipped_ones(written):
    own = charts([written()])
    assert len(own) == len(charts()) + 1
    assert [told["name"] for told in own if told["status"] == "local"] == ["house_hc"]


def test_a_chart_of_centile_columns_is_read(written):
    toml = CHART.replace('kind = "normal"', 'kind = "quantiles"\nbetween = "z"')
    numbers = "ga_days,p3,p50,p97\n140,150,170,190\n168,200,220,240\n"
    chart = catalogue([written(toml, numbers)]).chart("house_hc")
    assert chart.place(150, 140).centile == pytest.approx(3)
    assert chart.place(195, 154).centile == pytest.approx(50)
    # half of the way from the 50th to the 97th in z: 1.880794 / 2
    assert chart.place(180, 140).z == pytest.approx(0.940397, abs=1e-6)
    assert chart.place(149, 140).beyond == "<"


def test_a_chart_of_lms_columns_in_cm_is_read(written):
    toml = CHART.replace('kind = "normal"', 'kind = "lms"').replace('"mm"', '"cm"')
    numbers = "ga_days,l,m,s\n140,1,17,0.04\n168,1,22,0.04\n"
    chart = catalogue([written(toml, numbers)]).chart("house_hc")
    # with a power of 1 it is normal: SD 0.04 * 17 cm
    assert chart.place(170 + 6.8, 140).z == pytest.approx(1)


def test_a_power_of_0_takes_the_logarithm(written):
    toml = CHART.replace('kind = "normal"', 'kind = "lms"')
    numbers = "ga_days,l,m,s\n140,0,170,0.04\n168,0,220,0.04\n"
    chart = catalogue([written(toml, numbers)]).chart("house_hc")
    assert chart.place(170 * np.exp(0.08), 140).z == pytest.approx(2)
    assert chart.value_many(ga_days=140, z=2) == pytest.approx(170 * np.exp(0.08))


def test_a_chart_by_equations_needs_no_table(written):
    toml = CHART.replace('table = "house_hc.csv"', 'equations = { mean = "8.6*w", sd = "7" }')
    assert catalogue([written(toml)]).chart("house_hc").median(140) == pytest.approx(172)


def test_a_house_formula_is_read(written):
    formula = catalogue([written(FORMULA)]).formula("house_efw")
    assert formula.evaluate({"HC": 200, "AC": 180}) == pytest.approx(2180)


BAD = [
    ("kind", 'kind = "normal"', 'kind = "guess"', "kind must be one of normal, lms, quantiles"),
    ("status", '"local"', '"recall"', "a formula from memory is not used"),
    ("unknown key", "dicom =", "dicoms =", "unknown key 'dicoms'; allowed: name, family"),
    ("missing key", 'unit = "mm"\n', "", "unit is missing; allowed"),
    ("mistyped key", "[140, 168]", '"140-168"', "ga_days must be a list"),
    ("wrong length", "[140, 168]", "[140]", "ga_days must be a list"),
    ("true for a number", "[140, 168]", "[true, 168]", "ga_days must be a list"),
    ("ages in weeks", "[140, 168]", "[20, 24]", "has 140 to 168 days, but ga_days says 20 to 24"),
    ("ages reversed", "[140, 168]", "[168, 140]", "ga_days must be .first, last. exact days"),
    ("table too short", "[140, 168]", "[133, 168]", "has 140 to 168 days, but ga_days says 133"),
    ("measurement", '"HC"', '"HL"', "measurement must be one of HC, BPD"),
    ("unit", '"mm"', '"inch"', "unit must be one of mm, cm"),
    ("empty", '"our audit of 2024"', '""', "citation is empty"),
    ("name", '"house_hc"', '"House HC"', "name must be small letters"),
    ("taken", '"house_hc"', '"who2017_hc"', "two charts or formulas are called 'who2017_hc'"),
    ("elsewhere", '"house_hc.csv"', '"../x.csv"', "a table lies beside its TOML file"),
    ("no file", '"house_hc.csv"', '"other.csv"', "other.csv: cannot be read"),
    ("no numbers", 'table = "house_hc.csv"', "", "needs either equations or a table, got nothing"),
    ("one bracket", "[[chart]]", "[chart]", "write ..chart.., in two brackets"),
    ("other table", "[[chart]]", "[[charts]]", "unknown table 'charts'; allowed: family, chart"),
    ("no TOML", "[[chart]]", "[[chart", "not a TOML file"),
    ("formula", 'unit = "mm"', 'unit = "mm"\nweight_formula = "x"', "weight_formula 'x' is no"),
    ("convention", '"HC"', '"BPD"', "convention must be one of outer-outer, outer-inner"),
    ("scale", 'kind =', 'scale = "log"\nkind =', "scale must be one of value, ln, log10"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "reason"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_chart_file_is_refused_with_its_place_and_reason(written, old, new, reason):
    path = written(CHART.replace(old, new, 1))
    with pytest.raises(ChartError, match=reason) as refused:
        catalogue([path])
    assert "house" in str(refused.value) or "called" in reason


BAD_NUMBERS = [
    ("a word", NUMBERS.replace("197", "much"), r"house_hc.csv:3: 'much' is not a number"),
    ("a comma", NUMBERS.replace("197", "19,7"), r"house_hc.csv:3: 4 cells, the heading has 3"),
    ("not a number", NUMBERS.replace("197", "nan"), r":3: 'nan' is not a number"),
    ("ages fall", NUMBERS.replace("22", "19"), "ga_weeks must rise from row to row"),
    ("one row", "ga_days,mean,sd\n140,172,7\n", "must rise from row to row, over two or more"),
    ("no rows", "ga_days,mean,sd\n", "no rows of numbers"),
    ("no age", NUMBERS.replace("ga_weeks", "weeks"), "one of the columns ga_days, ga_weeks"),
    ("a column more", "ga_days,mean,sd,n\n140,1,1,1\n168,1,1,1\n", "must be ga_days .*got"),
    ("a column twice", "ga_days,mean,mean\n140,1,1\n168,1,1\n", "a name of its own"),
    ("SD zero", NUMBERS.replace(",8", ",0"), "its curves are not positive numbers that rise"),
    ("SD negative", NUMBERS.replace(",8", ",-8"), "not positive numbers that rise"),
    ("mean negative", NUMBERS.replace("197", "-197"), "not positive numbers that rise"),
]


@pytest.mark.parametrize(
    ("numbers", "reason"), [b[1:] for b in BAD_NUMBERS], ids=[b[0] for b in BAD_NUMBERS]
)
def test_a_table_of_numbers_is_refused_with_its_line_and_reason(written, numbers, reason):
    with pytest.raises(ChartError, match=reason):
        catalogue([written(numbers=numbers)])


def test_centile_columns_that_cross_are_refused(written):
    toml = CHART.replace('kind = "normal"', 'kind = "quantiles"\nbetween = "centile"')
    numbers = "ga_days,p3,p50,p97\n140,150,170,190\n168,200,190,240\n"
    with pytest.raises(ChartError, match=r"at 1[56][0-9] days its curves are not"):
        catalogue([written(toml, numbers)])


def test_a_centile_column_without_a_number_is_refused(written):
    toml = CHART.replace('kind = "normal"', 'kind = "quantiles"\nbetween = "centile"')
    with pytest.raises(ChartError, match=r"a centile is called p3, p10 or p2\.5, got 'median'"):
        catalogue([written(toml, "ga_days,p3,median\n140,150,170\n168,200,220\n")])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"weight"', '"guess"', "role must be one of dating, weight"),
        ('"100*HC + 10*AC"', '"100*HC + 10*FL"', "unknown name 'FL'; allowed are numbers, HC, AC"),
        ('"AC"]', '"HL"]', "inputs must be one of HC, BPD"),
        ('output_unit = "g"', 'output_unit = "days"', "output_unit must be one of g"),
        ('"AC"]', '"BPD"]', "convention must be one of outer-outer, outer-inner"),
        ('dicom = "none"', 'dicom = "none"\nerror_percent = -1', "an error must not be negative"),
        ('dicom = "none"', 'dicom = "none"\nga_days = [154]', "ga_days must be .first, last."),
    ],
)
def test_a_formula_file_is_refused_with_its_reason(written, old, new, reason):
    with pytest.raises(ChartError, match=reason):
        catalogue([written(FORMULA.replace(old, new, 1))])


def test_two_charts_of_one_name_in_a_file_are_refused(written):
    with pytest.raises(ChartError, match="'house_hc' is there twice"):
        catalogue([written(CHART + CHART)])


def test_a_file_without_charts_is_refused(written):
    with pytest.raises(ChartError, match=r"there is no ..chart.., no ..formula"):
        catalogue([written('[family]\nname = "x"\n')])
