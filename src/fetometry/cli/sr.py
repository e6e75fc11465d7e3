"""`sr show`, `sr compare` and `sr check`: structured reports of any manufacturer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli.console import REFUSED, plain_errors, remark, say
from fetometry.cli.growth_lines import columns

if TYPE_CHECKING:
    from fetometry.structured import (
        Basis,
        Checked,
        Comparison,
        Fetus,
        Property,
        Reported,
        StructuredReport,
    )

app = typer.Typer(no_args_is_help=True, help="Read, compare and check DICOM structured reports.")

Report = Annotated[Path, typer.Argument(help="a DICOM structured report")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON")]

_SHOWN = ("name", "value", "as written", "derivation", "counts", "by", "item")
_COMPARED = ("name", "manual", "ours", "difference", "percent", "between observers")

_DECIMALS = {"mm": 1, "g": 0, "%": 1}

#: Longest citation in a column; --json has the whole.
_MOST_LETTERS = 60


def _json(document: dict[str, object]) -> None:
    say(json.dumps(document, indent=2, ensure_ascii=False))


@app.command()
def show(file: Report, as_json: AsJson = False) -> None:
    """Show what a report says: mm, g, days and percent, whatever its units and codes."""
    from fetometry import structured

    with plain_errors():
        report = structured.read(file)
    if as_json:
        _json(report.as_json())
        return
    _show_header(report)
    for fetus in report.fetuses:
        say(f"fetus {fetus.id}" if fetus.id else "fetus")
        for line in columns([_SHOWN, *_fetus_rows(fetus)]):
            say(line)
    for value in report.values:
        say(f"{value.name}: {_amount(value.value, value.unit)} ({value.section})")
    for name, text in report.texts:
        say(f"{name}: {text}")
    for sentence in report.remarks:
        remark(f"- {sentence}")


def _show_header(report: StructuredReport) -> None:
    head = report.header
    flags = [head[key] for key in ("sop_class", "preliminary", "completion", "verification")]
    said = f"TID {report.template}" if report.template else "template not named"
    say(f"{report.title} ({', '.join([said, *(flag for flag in flags if flag)])})")
    words = {"patient": "patient_name", "ID": "patient_id", "accession": "accession"}
    words |= {"study": "study", "made": "content_date", "by": "manufacturer"}
    say(", ".join(f"{word} {head[key]}" for word, key in words.items() if head[key]))
    for uid in report.predecessors:
        say(f"in place of {uid}")
    for dated in report.dates:
        say(f"{dated.name}: {dated.date}")


def _amount(value: float, unit: str) -> str:
    """Return a value as it is shown; --json has all its digits."""
    from fetometry.growth.nouns import ga_text

    if unit == "d":
        return f"{value:.1f} d ({ga_text(value)})" if value > 0 else f"{value:.1f} d"
    return f"{value:.{_DECIMALS[unit]}f} {unit}" if unit in _DECIMALS else f"{value:g} {unit}"


def _value_text(value: Reported | Property) -> str:
    from fetometry.growth.nouns import centile_text

    if "centile" in value.name and value.unit == "%" and 0 < value.value < 100:
        return f"{centile_text(value.value)} %"  # never rounded across 10 or another mark
    return f"{value.value:+.2f}" if value.name == "z" else _amount(value.value, value.unit)


def _cited(bases: tuple[Basis, ...]) -> str:
    text = "; ".join(basis.text for basis in bases)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _fetus_rows(fetus: Fetus) -> list[tuple[str, ...]]:
    chosen = {name: fetus.chosen(name) for name in fetus.names()}
    why = {one.value.position: one.why for one in chosen.values() if one is not None}
    rows: list[tuple[str, ...]] = []
    further: list[tuple[str, ...]] = []
    name = ""
    for value in fetus.values:
        if not value.of and value.name != name:  # the ranks of a group come before further charts'
            rows, further, name = rows + further, [], value.name
        rows.append(_row(value, why.get(value.position, "")))
        further += [_rank_row(value, one) for one in value.properties if one.bases]
    return rows + further


def _rank_row(value: Reported, rank: Property) -> tuple[str, ...]:
    """Return the row of a number that was worked out from another one, by a further chart."""
    name = f"{rank.name} of {value.name}"
    return (name, _value_text(rank), "", "", "", _cited(rank.bases), rank.position)


def _row(value: Reported, why: str) -> tuple[str, ...]:
    return (
        f"{value.name} of {value.of}" if value.of else value.name,
        _value_text(value),
        value.given,
        value.derivation,
        why,
        _cited(value.bases),
        value.position,
    )


@app.command()
def compare(
    manual: Annotated[Path, typer.Argument(help="the report that a person made")],
    ours: Annotated[Path, typer.Argument(help="the report to compare with it")],
    as_json: AsJson = False,
) -> None:
    """Compare two reports of one exam, in mm and percent, with how two observers differ."""
    from fetometry import structured

    with plain_errors():
        found = structured.compare(structured.read(manual), structured.read(ours))
    if as_json:
        _json(found.as_json())
    else:
        _show_comparison(found)


def _show_comparison(found: Comparison) -> None:
    from fetometry.growth.words import RESEARCH_ONLY

    rows = [
        (
            f"{one.name} ({one.fetus})" if one.fetus else one.name,
            _amount(one.manual, one.unit),
            _amount(one.ours, one.unit),
            f"{one.difference:+.3g} {one.unit}",
            "" if one.percent is None else f"{one.percent:+.1f} %",
            one.verdict,
        )
        for one in found.differences
    ]
    for line in columns([_COMPARED, *rows]):
        say(line)
    for one in found.differences:
        for note in one.notes:
            say(f"- {one.name}: {note}")
    for sentence in (*found.alone, *found.remarks):
        say(f"- {sentence}")
    say("limits between observers, 95 %: Sarris et al. 2012; percent of the mean of the two")
    say(RESEARCH_ONLY)


@app.command()
def check(file: Report, as_json: AsJson = False) -> None:
    """Check a report against the rows of TID 5000; each fault with its path and its rule."""
    from fetometry import structured

    with plain_errors():
        found = structured.check(file)
    if as_json:
        _json(found.as_json())
    else:
        _show_check(found)
    if not found.sound:
        raise typer.Exit(REFUSED)


def _show_check(found: Checked) -> None:
    for fault in found.faults:
        say(f"{fault.severity}: {fault.path} {fault.where}: {fault.text} [{fault.rule}]")
    for sentence in found.remarks:
        say(f"allowed: {sentence}")
    for sentence in found.unchecked:
        say(f"not checked: {sentence}")
    errors = sum(fault.severity == "error" for fault in found.faults)
    warnings = len(found.faults) - errors
    rules = ", ".join(f"{rule} ({count})" for rule, count in found.rules if rule.startswith("TID"))
    say(f"checked: {rules or 'no row of a template'}")
    say(f"{found.source}: {errors} errors, {warnings} warnings")
