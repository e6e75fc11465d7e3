"""`growth` and `charts`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli import dates
from fetometry.cli.console import REFUSED, plain_errors, remark, say
from fetometry.cli.growth_lines import columns, show_growth
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.growth import Profile, TableReport

Size = Annotated[float | None, typer.Option(help="in --units")]
Units = Annotated[str, typer.Option(help="mm or cm")]
Convention = Annotated[str, typer.Option(help="of BPD: outer-outer or outer-inner")]

#: Bad rows of a table that are shown; the output flags every one.
MOST_BAD_ROWS = 20


def _house(profile: Path | None, chart: Sequence[str] | None, convention: str) -> Profile:
    chosen = dates.house(profile, chart)
    return chosen.with_bpd(convention) if convention else chosen


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
    ga: dates.Ga = None,
    lmp: dates.Lmp = None,
    edd: dates.Edd = None,
    crl: dates.Crl = None,
    crl_date: dates.CrlDate = None,
    exam_date: dates.ExamDate = None,
    chart: dates.Charts = None,
    profile: dates.ProfileFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    table: Annotated[Path | None, typer.Option(help="a CSV of many fetuses")] = None,
    out: Annotated[Path | None, typer.Option(help="the CSV to write, with --table")] = None,
    columns: Annotated[str, typer.Option(help="what its columns are called: hc=Head,ga=Days")] = "",
) -> None:
    """Say what sizes mean: age, weight, centile, each with its chart; of one fetus or a table."""
    from fetometry.growth import assess, given_sizes, words

    with plain_errors():
        house = _house(profile, chart, bpd_convention)
        if table is not None:
            _grow_table(table, out, columns, units, house)
            return
        sizes = {"HC": hc, "AC": ac, "FL": fl, "BPD": bpd, "OFD": ofd}
        if all(size is None for size in sizes.values()):
            raise UsageError("no size was given: --hc, --ac, --fl, --bpd, --ofd, or --table")
        known = dates.read_dates(ga, lmp, edd, crl, crl_date, exam_date)
        given = given_sizes(sizes, units=units, bpd_convention=bpd_convention)
        found = assess(given, known, house)
    if as_json:
        say(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        show_growth(found)
        say(words.RESEARCH_ONLY)
    # a weight that takes more sizes than were given is no refusal of these
    if {size.name for size in given} - {placed.name for placed in found.placements}:
        raise typer.Exit(REFUSED)


def charts(
    profile: dates.ProfileFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """List every growth chart, formula and ratio: range, convention, status, code, source."""
    from fetometry.growth import words

    with plain_errors():
        described = dates.house(profile).known.describe()
    if as_json:
        say(words.catalogue_json(described))
        return
    for line in columns([words.CATALOGUE_HEADING, *words.catalogue_rows(described)]):
        say(line)
