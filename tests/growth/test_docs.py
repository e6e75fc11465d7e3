"""docs/charts.md: its tables are those of the catalogue, its examples are executed."""

import doctest
from pathlib import Path

import pytest

from fetometry.growth import catalogue, words

PAGE = Path(__file__).resolve().parents[2] / "docs" / "charts.md"
KNOWN = catalogue()


def table(heading, rows):
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def error_of(spec):
    if spec.error_percent:
        return f"{spec.error_percent:g} %"
    if spec.error_sd_days:
        return "1.96 SD, SD = " + spec.error_sd_days.replace("*", " x ") + " d"
    if spec.error_days:
        first, last = spec.error_days[0][1], spec.error_days[-1][1]
        return f"{first:g} d" if first == last else f"{first:g} to {last:g} d, approximate"
    return "not at hand"


def extra(told):
    """What a row says besides what every kind of row says."""
    if told["role"] == "chart":
        chart = KNOWN.chart(told["name"])
        levels = chart.distribution.levels
        shown = f"{levels[0]:g} to {levels[-1]:g}" if len(levels) > 1 else "every"
        return [shown if chart.distribution.has_z else "median alone", chart.spec.weight_formula]
    if told["role"] == "ratio":
        return [told.get("notes", "")]
    return [error_of(KNOWN.formula(told["name"]).spec)]


EXTRA = {
    "chart": ["centiles", "weight by"],
    "dating": ["error at 95 %"],
    "weight": ["error at 95 %"],
    "ratio": ["remarks"],
}


def expected(role):
    told = [one for one in KNOWN.describe() if one["role"] == role]
    heading = ["name", "of", "valid for", "convention", *EXTRA[role], "status", "DICOM", "source"]
    rows = []
    for one, row in zip(told, words.catalogue_rows(told), strict=True):
        name, _, of, valid, convention, status, code, source = row
        rows.append([f"`{name}`", of, valid, convention, *extra(one), status, code, source])
    return table(heading, rows)


@pytest.mark.parametrize("role", EXTRA)
def test_the_page_lists_what_the_catalogue_has(role):
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition(f"<!-- {role} -->\n")[2].partition("\n\n")[0]
    assert shown == expected(role), f"write this below <!-- {role} -->:\n{expected(role)}"


@pytest.mark.parametrize("chart", KNOWN.charts.values(), ids=lambda chart: chart.name)
def test_the_page_lists_every_dip(chart):
    text = PAGE.read_text(encoding="utf-8")
    for dip in chart.dips():
        days = f"| {dip.centile:g} | {dip.from_day} to {dip.to_day} | {dip.by:.3f} mm |"
        assert f"| `{chart.name}` {days}" in text


def test_every_equation_on_the_page_is_one_that_is_used():
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- equations -->\n")[2].partition("\n\n")[0].splitlines()[2:]
    used = {}
    for name, formula in KNOWN.formulas.items():
        used[name] = formula.spec.equation
    listed = dict(line.strip("| ").split(" | ") for line in shown)
    assert {name.strip("`"): text.strip("`") for name, text in listed.items()} == used


def test_the_examples_on_the_page_give_what_it_says():
    done = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert done.attempted > 20
    assert done.failed == 0
