"""The site's profile: read strictly, with charts of its own."""

import pytest

from fetometry.growth import ChartError, Dates, GrowthError, Profile, Size, assess, read_profile
from tests.growth.test_reading import CHART, NUMBERS

WHOLE = """
[charts]
files = ["house.toml"]
HC = ["house_hc", "who2017_hc"]
EFW = "who2017_efw"

[weight]
formulas = ["hadlock1985_efw_bpd_hc_ac_fl", "hadlock1985_efw_hc_ac_fl"]

[bpd]
convention = "outer-inner"

[dating]
sources = ["edd", "ga", "crl", "lmp"]
crl = "robinson1975_ga_crl"
redating = "acog"

[select]
rule = "median"

[uncertainty]
calibration_percent = 1
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "house.toml").write_text(CHART, encoding="utf-8")
        (tmp_path / "house_hc.csv").write_text(NUMBERS, encoding="utf-8")
        path = tmp_path / "fetometry.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_whole_profile_is_read(written):
    found = read_profile(written(WHOLE))
    assert found.charts.HC == ("house_hc", "who2017_hc")
    assert found.charts.EFW == ("who2017_efw",)
    assert found.charts.AC == ("intergrowth21_ac",)
    assert found.weight.formulas[0] == "hadlock1985_efw_bpd_hc_ac_fl"
    assert found.bpd.convention == "outer-inner"
    assert found.dating.sources == ("edd", "ga", "crl", "lmp")
    assert found.select.rule == "median"
    assert found.uncertainty.calibration_percent == 1.0


def test_charts_of_one_measurement_are_shown_side_by_side(written):
    growth = assess([Size("HC", 175)], Dates(ga_days=140), read_profile(written(WHOLE)))
    assert [placed.chart for placed in growth.placements] == ["house_hc", "who2017_hc"]


def test_an_empty_profile_is_the_plain_one(written):
    assert read_profile(written("")) == read_profile() == Profile()


BAD = [
    ('[chart]\nHC = "x"', r"unknown table 'chart'; allowed: charts, weight, bpd, dating"),
    ('[charts]\nhc = "x"', r"\[charts\]: unknown key 'hc'; allowed: HC, BPD"),
    ('[charts]\nHC = "nichd"', r"no chart 'nichd'; there are"),
    ('[charts]\nHC = "who2017_ac"', r"who2017_ac is for AC, not for HC"),
    ("[charts]\nHC = 3", r"HC must be a list, got 3"),
    ('[charts]\nHC = ["who2017_hc", "who2017_hc"]', r"HC must name each chart once"),
    ('[charts]\nfiles = ["none.toml"]', r"none\.toml: cannot be read"),
    ('[weight]\nformulas = ["hadlock1984_ga_hc"]', r"is for dating, not for weight"),
    ("[weight]\nformulas = []", r"formulas must name one formula or more"),
    ('[weight]\nformulas = ["hadlock4"]', r"no formula 'hadlock4'"),
    ('[bpd]\nconvention = "inner"', r"convention must be outer-outer or outer-inner"),
    ('[dating]\nsources = ["crl", "edd"]', r"a scan never overrules an agreed date"),
    ('[dating]\nsources = ["lmp"]', r"sources must begin with edd"),
    ('[dating]\nsources = ["edd", "biometry", "lmp"]', r"biometry must be the last"),
    ('[dating]\nsources = ["edd", "lmp", "lmp"]', r"each once"),
    ('[dating]\nsources = ["edd", "scan"]', r"sources must be some of edd, ga, crl"),
    ('[dating]\ncrl = "hadlock1984_ga_hc"', r"crl is for HC, not for CRL"),
    ('[dating]\nredating = "always"', r"redating must be none or acog"),
    ('[select]\nrule = "first"', r"rule must be one of best, median, mean, last"),
    ("[uncertainty]\ncalibration_percent = -1", r"calibration_percent must be 0 to 20"),
    ('[uncertainty]\ncalibration_percent = "1"', r"must be a number, got '1'"),
    ('dating = "acog"', r"\[dating\] must be a table"),
    ("[charts", r"not a TOML file"),
]


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_a_profile_is_refused_with_its_place_and_reason(written, text, reason):
    path = written(text)
    with pytest.raises(ChartError, match=reason) as refused:
        read_profile(path)
    assert str(path.parent) in str(refused.value)


def test_a_profile_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ChartError, match="cannot be read"):
        read_profile(tmp_path / "fetometry.toml")


def test_a_family_takes_the_places_of_the_houses_charts():
    found = Profile().with_charts("who2017")
    assert found.charts.HC == ("who2017_hc",)
    assert found.charts.EFW == ("who2017_efw",)
    assert found.charts.OFD == ("intergrowth21_ofd",)


def test_two_families_are_side_by_side():
    found = Profile().with_charts("who2017", "intergrowth21", "who2017_female")
    assert found.charts.FL == ("who2017_fl", "intergrowth21_fl")
    assert found.charts.EFW == ("who2017_efw", "intergrowth21_efw_2020", "who2017_efw_female")


def test_an_unknown_family_is_refused():
    with pytest.raises(GrowthError, match="no chart or family 'nichd'"):
        Profile().with_charts("nichd")


def test_a_convention_for_all_bpds_is_checked():
    assert Profile().with_bpd("outer-inner").bpd.convention == "outer-inner"
    with pytest.raises(ChartError, match="convention must be"):
        Profile().with_bpd("inner")
