"""`growth` and `charts`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli.console import REFUSED, plain_errors, remark, say
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.growth import Growth, Profile, TableReport

Size = Annotated[float | None, typer.Option(help="in --units")]
Units = Annotated[str, typer.Option(help="mm or cm")]
Convention = Annotated[str, typer.Option(help="of BPD: outer-outer or outer-inner")]
Charts = Annotated[
    list[str] | None, typer.Option("--chart", help="a chart or a family of them; repeatable")
]
ProfileFile = Annotated[Path | None, typer.Option(help="the house's fetometry.toml")]
Day = Annotated[str | None, typer.Option(help="YYYY-MM-DD")]

#: Bad rows of a table that are shown; the output flags every one.
MOST_BAD_ROWS = 20


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: a date is YYYY-MM-DD, got {text!r}") from None


def _house(profile: Path | None, chart: Sequence[str] | None, convention: str) -> Profile:
    from fetometry.growth import read_profile

    house = read_profile(profile)
    house = house.with_charts(*chart) if chart else house
    return house.with_bpd(convention) if convention else house


def _lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as columns, each as wide as it has to be."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _show(growth: Growth) -> None:
    from fetometry.growth import words

    say(words.age_text(growth.age))
    rows = words.placement_rows(growth)
    for line in _lines([words.PLACEMENT_HEADING, *rows]) if rows else ():
        say(line)
    for weight in growth.weights:
        say(f"weight {words.weight_text(weight)}")
    for sentence in (*words.sentences(growth), *growth.notes):
        say(f"- {sentence}")
    for refused in growth.refused:
        remark(f"refused: {refused.what} by {refused.by}: {refused.reason}")
    say(words.RESEARCH_ONLY)


def _show_table(report: TableReport, out: Path) -> None:
    say(
        f"{report.rows} rows written to {out}; charts {', '.join(report.charts.values()) or 'none'}"
    )
    for flag, count in report.counts.items():
        say(f"{flag}: {count} rows")
    for row in report.bad_rows[:MOST_BAD_ROWS]:
        remark(f"line {row.line}: {', '.join(row.flags)}")
    if report.bad_count > MOST_BAD_ROWS:
        remark(f"and {report.bad_count - MOST_BAD_ROWS} more rows: see the column flags")
    for note in report.notes:
        say(f"- {note}")


def _grow_table(table: Path, out: Path | None, columns: str, units: str, house: Profile) -> None:
    from fetometry.growth import grow_table, parse_columns

    if out is None:
        raise UsageError("--table needs --out OUT.csv")
    named = parse_columns(columns)
    _show_table(grow_table(table, out, columns=named, units=units, profile=house), out)


def growth(
    hc: Size = None,
    ac: Size = None,
    fl: Size = None,
    bpd: Size = None,
    ofd: Size = None,
    units: Units = "mm",
    bpd_convention: Convention = "",
    ga: Annotated[str | None, typer.Option(help="age at the exam: 23w4d")] = None,
    lmp: Day = None,
    edd: Day = None,
    crl: Annotated[float | None, typer.Option(help="crown-rump length in mm")] = None,
    crl_date: Day = None,
    exam_date: Day = None,
    chart: Charts = None,
    profile: ProfileFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    table: Annotated[Path | None, typer.Option(help="a CSV of many fetuses")] = None,
    out: Annotated[Path | None, typer.Option(help="the CSV to write, with --table")] = None,
    columns: Annotated[str, typer.Option(help="what its columns are called: hc=Head,ga=Days")] = "",
) -> None:
    """Say what sizes mean: age, weight, centile, each with its chart; of one fetus or a table."""
    from fetometry.growth import Dates, assess, given_sizes, parse_ga

    with plain_errors():
        house = _house(profile, chart, bpd_convention)
        if table is not None:
            _grow_table(table, out, columns, units, house)
            return
        sizes = {"HC": hc, "AC": ac, "FL": fl, "BPD": bpd, "OFD": ofd}
        if all(size is None for size in sizes.values()):
            raise UsageError("no size was given: --hc, --ac, --fl, --bpd, --ofd, or --table")
        dates = Dates(
            ga_days=parse_ga(ga) if ga else None,
            edd=_day(edd, "--edd"),
            lmp=_day(lmp, "--lmp"),
            crl_mm=crl,
            crl_date=_day(crl_date, "--crl-date"),
            exam=_day(exam_date, "--exam-date"),
        )
        given = given_sizes(sizes, units=units, bpd_convention=bpd_convention)
        found = assess(given, dates, house)
    if as_json:
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(found)
    # a weight that takes more sizes than were given is no refusal of these
    if {size.name for size in given} - {placed.name for placed in found.placements}:
        raise typer.Exit(REFUSED)


def charts(
    profile: ProfileFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """List every growth chart, formula and ratio: range, convention, status, code, source."""
    from fetometry.growth import read_profile, words

    with plain_errors():
        described = read_profile(profile).known.describe()
    if as_json:
        say(words.catalogue_json(described))
        return
    for line in _lines([words.CATALOGUE_HEADING, *words.catalogue_rows(described)]):
        say(line)
