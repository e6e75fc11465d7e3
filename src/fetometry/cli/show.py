"""Exams on the terminal: the values that count, where they came from, what to beware of."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from fetometry.cli import console
from fetometry.cli.growth_lines import show_growth
from fetometry.types import PLANES, Exam, Finding, Problem, Selected, VolumeFinding

#: More measured images than this are summed up, and more exams; the files hold every one.
MOST_ROWS, MOST_EXAMS = 30, 10

#: More lines about refusals than this say no more.
MOST_REFUSALS = 20

#: Names that are said before the rest is counted.
MOST_NAMES = 3

#: Letters of an image's name that are shown, however narrow the terminal.
LEAST_NAME = 12

#: Titles of the table of values: plane, name, value, unit, interval, count, mark, image.
INTERVAL = "95 % interval"
HEADING = ("", "", "value", "", INTERVAL, "", "", "image")

#: Its columns that are not like the others, and what is between two.
VALUE_COLUMN, INTERVAL_COLUMN, MARK_COLUMN, GAP = 2, 4, 6, "  "

OTHER_PLANE = "they show no plane that is measured; how sure that is, is in exam.json"


def show_exams(exams: Sequence[Exam]) -> None:
    """Show exams, and what was refused in any of them."""
    findings = [finding for exam in exams for finding in exam.findings]
    volumes = [volume for exam in exams for volume in exam.volumes]
    if len(exams) > MOST_EXAMS:
        _print(_summary(findings))
        _print(_in_volumes(volumes))
        console.say(f"{len(exams)} exams: the values that count in each are in summary.csv")
        if any(exam.growth for exam in exams):
            console.say("what they mean (age, weight, centiles) is in the exams' JSON documents")
    else:
        for number, exam in enumerate(exams):
            if len(exams) > 1:
                above = "\n" if number else ""
                title = Text(f"{above}{exam.name}", style="bold")
                console.screen.print(title, soft_wrap=True)
            _show(exam)
    everything: list[Finding | VolumeFinding] = [*findings, *volumes]
    if any(_flags(found) for found in everything):
        console.screen.print(_legend(everything))
    if any(exam.growth for exam in exams):
        from fetometry.growth.words import RESEARCH_ONLY

        console.say(RESEARCH_ONLY)
    _show_problems([problem for exam in exams for problem in exam.problems])


def _print(lines: Iterable[Text]) -> None:
    for line in lines:
        console.screen.print(line, soft_wrap=True)


def _show(exam: Exam) -> None:
    if exam.selected:
        _print(_chosen(exam))
    if len(exam.findings) > MOST_ROWS:
        _print(_summary(exam.findings))
    elif len(exam.findings) > len(_by_plane(exam.findings, fetus=True)):
        for found in _by_plane(exam.findings).values():
            _print(_rows(found))
    _print(_in_volumes(exam.volumes))
    for fetus, growth in exam.growth.items():
        show_growth(growth, f"fetus {fetus}: " if fetus else "")


def _by_plane(
    findings: Iterable[Finding], *, fetus: bool = False
) -> dict[tuple[str, str], list[Finding]]:
    """Return the findings of each plane in the order of `PLANES`, of twins apart if wished."""
    parts: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        parts.setdefault((finding.fetus if fetus else "", finding.plane), []).append(finding)
    return dict(sorted(parts.items(), key=lambda part: (part[0][0], PLANES.index(part[0][1]))))


def _where(item: Finding | Problem | VolumeFinding) -> str:
    if isinstance(item, VolumeFinding):
        return item.source
    return f"{item.source} frame {item.frame}" if (item.frame or 1) > 1 else item.source


def _cropped(text: str, width: int) -> str:
    """Leave out the beginning of a path that is too long: its end tells images apart."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(Path(name).name for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return shown if more <= 0 else f"{shown} and {more} more"


def _chosen(exam: Exam) -> Iterator[Text]:
    """Yield the table of the values that count, by plane, with the images that they came from."""
    planes = {m.name: finding.plane for finding in exam.findings for m in finding.measurements}
    once = len(exam.findings) == len(_by_plane(exam.findings, fetus=True))
    rows: list[tuple[str, ...]] = [HEADING]
    groups = groupby(exam.selected, lambda entry: (planes[entry.name], entry.fetus))
    for (plane, fetus), entries in groups:
        chosen = list(entries)
        origins = _origins(exam, chosen[0], with_spacing=once)
        for k, (entry, origin) in enumerate(zip_longest(chosen, origins, fillvalue=None)):
            group = f"{plane} {fetus}".strip() if k == 0 else ""
            rows.append((group, *_cells(entry), origin or ""))
    known = any(row[INTERVAL_COLUMN] for row in rows[1:])
    rows[0] = tuple("" if title == INTERVAL and not known else title for title in HEADING)
    yield from _lines(rows)


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[Text]:
    """Yield rows with their columns below each other; the last is cropped to what is left."""
    widths = [max(cell_len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    used = sum(width + len(GAP) for width in widths if width)
    room = max(console.screen.width - used, LEAST_NAME)
    for number, row in enumerate(rows):
        cells = [
            _aligned(cell, width, right=k == VALUE_COLUMN)
            for k, (cell, width) in enumerate(zip(row[:-1], widths, strict=True))
            if width
        ]
        style = "bold" if number == 0 else "yellow" if row[MARK_COLUMN] else ""
        yield Text(GAP.join([*cells, _cropped(row[-1], room)]).rstrip(), style=style)


def _aligned(text: str, width: int, *, right: bool) -> str:
    return " " * (width - cell_len(text)) + text if right else set_cell_size(text, width)


def _cells(entry: Selected | None) -> tuple[str, ...]:
    """Return name, value, unit, interval, count and spread, and the mark of a flag."""
    if entry is None:
        return ("",) * 6
    known = entry.low is not None and entry.high is not None
    interval = f"{entry.low:.1f} to {entry.high:.1f}" if known else ""
    spread = "" if entry.sd is None else f" \N{PLUS-MINUS SIGN}{entry.sd:.1f}"
    count = f"{entry.how} of {entry.count}{spread}" if entry.count > 1 else ""
    mark = "!" if entry.flags else ""
    return entry.name, f"{entry.value:.1f}", entry.unit, interval, count, mark


def _origins(exam: Exam, entry: Selected, *, with_spacing: bool) -> list[str]:
    """Return the image that a value came from, and what its pixel size came from."""
    found = [f for f in exam.findings if (f.source, f.frame) == (entry.source, entry.frame)]
    if not found:
        return []
    size = found[0].spacing.source if found[0].spacing else "not known"
    return [_where(found[0]), *([f"pixel size: {size}"] if with_spacing else [])]


def _rows(findings: Sequence[Finding]) -> Iterator[Text]:
    """Yield the table of findings of one plane, a line each, as wide as the terminal allows."""
    sources = [finding.spacing.source if finding.spacing else "-" for finding in findings]
    names = [_where(finding) for finding in findings]
    title = findings[0].plane
    last = min(
        max(map(cell_len, [*sources, "pixel size from"])), max(16, console.screen.width // 4)
    )
    titles = [m.name for m in findings[0].measurements]
    room = max(LEAST_NAME, console.screen.width - 9 * len(titles) - last - 6)
    first = min(max(map(cell_len, [*names, title])), room)
    heads = "".join(f"{name:>9}" for name in titles)
    yield Text(f"{set_cell_size(title, first)}{heads}      pixel size from", style="bold")
    for finding, name, source in zip(findings, names, sources, strict=True):
        start = set_cell_size(_cropped(name, first), first)
        values = "".join(f"{m.value:9.1f}" for m in finding.measurements)
        mark = "!" if _flags(finding) else " "
        line = f"{start}{values} {finding.measurements[0].unit} {mark} {_cropped(source, last)}"
        yield Text(line, style="yellow" if mark == "!" else "")


def _summary(findings: Sequence[Finding]) -> Iterator[Text]:
    for found in _by_plane(findings).values():
        for unit in ("mm", "px"):
            mains = [m for f in found for m in f.measurements[:1] if m.unit == unit]
            values = sorted(m.value for m in mains)
            if values:
                middle = statistics.median(values)
                spread = f"{values[0]:.1f} to {values[-1]:.1f}, median {middle:.1f}"
                yield Text(f"{len(values)} measured, {mains[0].name} {spread} {unit}")


def _in_volumes(volumes: Sequence[VolumeFinding]) -> Iterator[Text]:
    """Yield a line for each volume, and once what its model says of itself; of many, their range.

    These are no repeats of what was measured in pictures.
    """
    if len(volumes) > MOST_ROWS:
        lengths = sorted(v.length_mm for v in volumes if v.length_mm is not None)
        spread = f", FL {lengths[0]:.1f} to {lengths[-1]:.1f} mm" if lengths else ""
        yield Text(f"{len(volumes)} volumes measured{spread}")
    else:
        for volume in volumes:
            fl = "" if volume.length_mm is None else f"FL {volume.length_mm:.1f} mm"
            ml = "" if volume.volume_ml is None else f"{volume.volume_ml:.2f} mL"
            numbers = ", ".join(number for number in (fl, ml) if number)
            flags = f" ! {', '.join(volume.flags)}" if volume.flags else ""
            line = f"femur in a volume  {numbers}  {volume.source}{flags}"
            yield Text(line, style="yellow" if flags else "")
    for notice in dict.fromkeys(volume.notice for volume in volumes if volume.notice):
        yield Text(f"the model of volumes says: {notice}", style="bold yellow")


def _flags(finding: Finding | VolumeFinding) -> tuple[str, ...]:
    if isinstance(finding, VolumeFinding):
        return finding.flags
    return tuple(dict.fromkeys(flag for m in finding.measurements for flag in m.flags))


def _legend(findings: Sequence[Finding | VolumeFinding]) -> Table:
    """Say of each flag what it means, and which images carry it."""
    from fetometry.report import FLAG_TEXT

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for flag in dict.fromkeys(flag for finding in findings for flag in _flags(finding)):
        names = [_where(finding) for finding in findings if flag in _flags(finding)]
        images = f"{len(names)} of {len(findings)}: {_some(names)}"
        text = FLAG_TEXT.get(flag, "")
        told = text if len(findings) == 1 else f"{text}\n[dim]{escape(images)}[/]"
        table.add_row(f"[yellow]! {flag}[/]", told)
    return table


def _reasons(problems: Sequence[Problem]) -> list[str]:
    """Return a line for each reason; what many images share is said once."""
    shared: dict[str, list[str]] = {}
    for problem in problems:
        own = problem.reason.removeprefix(f"{problem.source}: ")
        reason = own.removeprefix(f"frame {problem.frame} ")
        shared.setdefault(reason, []).append(_where(problem))
    lines: list[str] = []
    for reason, names in shared.items():
        few = len(names) <= MOST_NAMES
        said = names if few else [f"{len(names)} images ({_some(names)})"]
        lines += [f"{name}: {reason}" for name in said]
    return lines


def _show_problems(problems: Sequence[Problem]) -> None:
    others = [problem for problem in problems if problem.kind == "other-plane"]
    if len(others) > MOST_NAMES:  # each has its own probability: said once, all the same
        named = f"{len(others)} images ({_some([_where(problem) for problem in others])})"
        others = []
        console.remark(f"not measured: {named}: {OTHER_PLANE}")
    for line in _reasons(others):
        console.remark(f"not measured: {line}")
    for line in _reasons([problem for problem in problems if problem.kind == "skipped"]):
        console.remark(f"not written: {line}")
    lines = _reasons([problem for problem in problems if problem.kind == "refused"])
    for line in lines[:MOST_REFUSALS]:
        console.err.print(f"[bold red]refused:[/] {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > MOST_REFUSALS:
        console.remark(f"and {len(lines) - MOST_REFUSALS} more reasons: all are in exam.json")
