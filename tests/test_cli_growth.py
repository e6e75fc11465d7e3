"""`fetometry growth` and `fetometry charts`, as a person runs them."""

import csv
import json

import pytest

from fetometry.growth import charts


def test_three_sizes_at_twenty_weeks_have_centiles_and_a_weight(run):
    code, printed = run("growth", "--hc", "175", "--ac", "150", "--fl", "32", "--ga", "20w0d")
    assert code == 0
    lines = " ".join(printed.split())
    # INTERGROWTH-21st: HC 175 mm at 140 days is z +0.34, the 63rd centile
    assert "HC 175.0 mm (166.4 to 183.6) 63 (21 to 93) +0.34 intergrowth21_hc" in lines
    assert "weight 331 g" in lines
    assert "research use only; not for diagnosis" in lines


def test_json_holds_the_same_numbers(run):
    code, printed = run("growth", "--hc", "175", "--ga", "20w0d", "--json")
    placed = json.loads(printed)["placements"]
    assert code == 0
    assert [p["name"] for p in placed] == ["HC"]
    assert placed[0]["z"] == pytest.approx(0.34, abs=0.005)


def test_without_an_age_it_is_estimated_and_called_circular(run):
    code, printed = run("growth", "--hc", "175", "--ac", "150", "--fl", "32")
    assert code == 0
    assert "estimated from HC, AC, FL" in printed
    assert "circular" in printed


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["--hc", "17.5", "--ga", "20w0d"], 1, "cm"),
        (["--hc", "175", "--ga", "20"], 1, "23w4d"),
        (["--hc", "175", "--ga", ""], 1, "23w4d"),
        (["--bpd", "47", "--ga", "20w0d"], 1, "convention"),
        ([], 2, "no size was given"),
        (["--hc", "175", "--edd", "2026"], 2, "YYYY-MM-DD"),
        (["--hc", "175", "--edd", "2027-01-01"], 1, "--exam-date"),
        (["--table", "nowhere.csv"], 2, "--out"),
        (["--hc", "175", "--ga", "20w0d", "--chart", "nobodys"], 1, "nobodys"),
    ],
)
def test_what_cannot_be_worked_out_is_refused_with_the_way_out(run, given, code, said):
    found, printed = run("growth", *given)
    assert found == code
    assert said in " ".join(printed.split())
    assert "Traceback" not in printed


def test_a_table_comes_back_with_its_rows_and_their_flags(run, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,hc_mm,ga_days\na,175,140\nb,17.5,140\n")
    code, printed = run("growth", "--table", str(source), "--out", str(target))
    assert code == 0, printed
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["a", "b"]
    assert float(rows[0]["hc_z"]) == pytest.approx(0.34, abs=0.005)
    assert rows[1]["hc_z"] == ""
    assert "centimetres" in rows[1]["flags"]
    assert "line 3" in printed


def test_charts_lists_every_chart_formula_and_ratio(run):
    code, printed = run("charts")
    names = [line.split()[0] for line in printed.splitlines()[1:]]
    assert code == 0
    assert names == [item["name"] for item in charts()]
    code, printed = run("charts", "--json")
    assert [item["name"] for item in json.loads(printed)] == names
