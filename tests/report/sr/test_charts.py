"""Ranks on several charts: one chart's in the group, the others' with the value that counts."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from fetometry.cli import app
from fetometry.growth import Dates, assess, sizes_of
from fetometry.growth.profile import Profile
from fetometry.structured import check, read
from tests.report import examples
from tests.report.sr.made import (
    dciodvfy_is_missing,
    faults,
    items,
    needs_dciodvfy,
    three_planes,
    value,
    written,
)

#: Sizes that no chart has beyond its curves at 26w3d, in mm.
USUAL_MM = {"HC": 245.0, "BPD": 66.0, "OFD": 84.0, "AC": 214.0, "FL": 48.0}
SIZES = ("HC", "BPD", "AC", "FL")


def on_charts(*families, exam=None, ga_days=185.0):
    """An exam whose growth is that of usual sizes on the charts of families."""
    exam = exam or three_planes()
    usual = [
        replace(s, value_mm=v, interval_mm=(0.97 * v, 1.03 * v))
        for s in sizes_of(exam, "")[0]
        if (v := USUAL_MM.get(s.name))
    ]
    known = Dates(ga_days=ga_days) if ga_days else Dates()
    return replace(exam, growth={"": assess(usual, known, Profile().with_charts(*families))})


def with_site_chart(exam):
    """The same exam with a third chart, a site's own, on which each size is at the 40th centile."""
    growth = exam.growth[""]
    mine = [
        replace(p, chart="site", title="ward 3", citation="Doe J 2001", centile=40.0, z=-0.253)
        for p in growth.placements
        if p.chart.startswith("who2017")
    ]
    return replace(exam, growth={"": replace(growth, placements=(*growth.placements, *mine))})


@pytest.fixture(scope="module")
def two():
    return on_charts("who2017", "intergrowth21")


@pytest.fixture(scope="module", params=["two", "three"])
def several(request, two, tmp_path_factory):
    """An exam on two or three charts, its report, and where that lies."""
    exam = two if request.param == "two" else with_site_chart(two)
    folder = tmp_path_factory.mktemp("out")
    return exam, written(exam, folder), folder / "report.sr.dcm"


def test_the_checker_finds_no_fault(several):
    found = check(several[2])
    assert found.faults == ()
    assert dict(found.rules)["TID 300 row Percentile Ranking of measurement"] >= len(SIZES)


@needs_dciodvfy
def test_dciodvfy_finds_no_error(several):
    assert not dciodvfy_is_missing
    assert faults(several[2]) == []


def test_the_first_chart_alone_ranks_in_the_group(several):
    groups = [g for g in items(several[1], code="125005") if items(g, code="121415")]
    assert len(groups) == len(SIZES)
    for group in groups:
        for code in ("125012", "125013"):
            (rank,) = items(group, code=code, relation="CONTAINS")
            assert value(items(rank, relation="INFERRED FROM")[0]).startswith("who2017_")


def test_the_other_charts_rank_the_value_that_counts_each_with_its_citation(several):
    exam, _, path = several
    (fetus,) = read(path).fetuses
    for name in SIZES:
        expected = [p for p in exam.growth[""].placements if p.name == name][1:]
        told = [p for p in fetus.chosen(name).value.properties if p.bases]
        for kind, unit, values in (
            ("centile", "%", [p.centile for p in expected]),
            ("z", "1", [p.z for p in expected]),
        ):
            ranks = [one for one in told if one.name == kind]
            assert [one.value for one in ranks] == pytest.approx(values, abs=1e-3)
            assert {one.unit for one in ranks} == {unit}
            for rank, place in zip(ranks, expected, strict=True):
                assert rank.bases[0].text.startswith(f"{place.chart}: {place.title}")
                assert place.citation in rank.bases[0].text


def test_sr_show_has_the_centile_of_every_chart_with_its_citation(several):
    exam, _, path = several
    shown = CliRunner().invoke(app, ["sr", "show", str(path)], catch_exceptions=False).output
    lines = shown.splitlines()
    for name in SIZES:
        charts = [p.chart for p in exam.growth[""].placements if p.name == name]
        cited = [line for line in lines if line.startswith(f"centile of {name} ")]
        assert len(cited) == len(charts)
        assert all(f" {c}: " in line for c, line in zip(charts, cited, strict=True))


def test_of_several_centiles_of_the_weight_the_first_chart_counts(several):
    exam, _, path = several
    (fetus,) = read(path).fetuses
    first = next(p for p in exam.growth[""].placements if p.name == "EFW")
    chosen = fetus.chosen("EFW centile")
    assert chosen.value.value == pytest.approx(first.centile, abs=1e-3)
    assert chosen.value.bases[0].text.startswith("who2017_efw: ")
    assert chosen.why == "User chosen value"


def test_on_one_chart_nothing_stands_with_the_measurement_and_no_centile_is_marked(tmp_path):
    made = written(on_charts("who2017"), tmp_path)
    sizes = items(made, code="125005")
    assert [items(group, code=c) for group in sizes for c in ("121415", "121416")] == (
        [[]] * 2 * len(sizes)
    )
    (rank,) = items(made, code="11767-1")
    assert items(rank, code="121404") == []


def test_a_chart_of_medians_alone_leaves_the_group_to_the_next_one(tmp_path):
    exam = on_charts("who2017")
    growth = exam.growth[""]
    bare = {"centile": None, "z": None, "centile_interval": None, "z_interval": None}
    medians = [replace(p, chart="medians", **bare) for p in growth.placements]
    both = replace(growth, placements=(*medians, *growth.placements))
    one, two = tmp_path / "one", tmp_path / "two"
    assert len(items(written(exam, one), code="125012")) == len(USUAL_MM)
    written(replace(exam, growth={"": both}), two)
    assert (one / "report.sr.dcm").read_bytes() == (two / "report.sr.dcm").read_bytes()


def test_beyond_the_first_chart_the_second_does_not_take_its_place(two, tmp_path):
    growth = two.growth[""]
    placed = [
        replace(p, beyond="<", centile=3.0) if p.chart == "who2017_fl" else p
        for p in growth.placements
    ]
    made = written(replace(two, growth={"": replace(growth, placements=tuple(placed))}), tmp_path)
    (bones,) = items(made, code="125003")
    assert items(bones, code="125012") == []
    assert len(items(bones, code="121415")) == 1
    said = [value(item) for item in items(bones, code="121106", relation="CONTAINS")]
    assert len(said) == 1
    assert said[0].startswith("FL: centile <3 by who2017_fl")


def test_a_mean_has_the_ranks_and_its_repeats_have_none(tmp_path):
    first = examples.femur(source="a.png")
    second = examples.femur(((300.0, 200.0), (200.0, 570.0)), source="b.png", quality=0.5)
    chosen = examples.selected(first, count=2, how="mean")
    exam = examples.exam(first, second, selected=chosen)
    made = written(on_charts("who2017", "intergrowth21", exam=exam), tmp_path)
    *single, mean = items(made, code="11963-6", type="NUM")
    assert [items(one, code="121415") for one in single] == [[], []]
    assert len(items(mean, code="121415", relation="HAS PROPERTIES")) == 1
    assert check(tmp_path / "report.sr.dcm").faults == ()


def test_a_circular_rank_on_a_further_chart_says_so_when_it_is_read(tmp_path):
    written(on_charts("who2017", "intergrowth21", ga_days=None), tmp_path)
    (fetus,) = read(tmp_path / "report.sr.dcm").fetuses
    told = [p for name in SIZES for p in fetus.chosen(name).value.properties if p.bases]
    circular = [p for p in told if any("circular" in said for said in p.comments)]
    assert circular
    assert all(len(one.properties) == 2 for one in circular)  # below and above
