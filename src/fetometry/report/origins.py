"""The end of a report: what was not measured and why, what is to be known, where all comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

from fetometry.report.history import History
from fetometry.report.page import Block, Heading, Remarks, Table
from fetometry.report.reviewed import signature
from fetometry.types import MAIN, PLANES, Exam, Problem, spacing_text

#: Names that are said before the rest is counted, and reasons before the rest is left to the JSON.
MOST_NAMES, MOST_REASONS = 3, 12

OTHER_PLANES = "they show no plane that is measured"


def unmeasured(exam: Exam) -> list[Block]:
    """Return what was not measured, not weighed, not placed or not read, each with its reason."""
    rows: list[tuple[str, str]] = []
    fetuses = sorted({selected.fetus for selected in exam.selected} or {""})
    for fetus in fetuses:
        of = f" of fetus {fetus}" if fetus else ""
        names = {selected.name for selected in exam.selected if selected.fetus == fetus}
        rows += [
            (f"{plane}{of} ({MAIN[plane]})", f"no image that was given was measured as {_a(plane)}")
            for plane in PLANES
            if MAIN[plane] not in names
        ]
        growth = exam.growth.get(fetus)
        rows += [
            (f"{item.what}{of} by {item.by}", item.reason)
            for item in (growth.refused if growth else ())
        ]
    rows += _problems(exam.problems)
    if not rows:
        return []
    return [Heading("Not measured, and why"), Table(("", "why"), tuple(rows), (1.1, 3))]


def _a(plane: str) -> str:
    return f"an {plane}" if plane[0] in "aeiou" else f"a {plane}"


def _problems(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """Return a row for each reason; what many images share is said once."""
    shared: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        own = problem.reason.removeprefix(f"{problem.source}: ")
        reason = own.removeprefix(f"frame {problem.frame} ")
        shared.setdefault((problem.kind, reason), []).append(_where(problem))
    others = [key for key in shared if key[0] == "other-plane"]
    if len(others) > MOST_NAMES:  # each has a probability of its own
        names = [name for key in others for name in shared.pop(key)]
        shared["other-plane", OTHER_PLANES] = names
    rows = [(_some(names), reason) for (_, reason), names in shared.items()]
    if len(rows) > MOST_REASONS:
        rest = f"and {len(rows) - MOST_REASONS} more reasons"
        rows = [*rows[:MOST_REASONS], (rest, "all are in the exam's JSON document")]
    return rows


def _where(problem: Problem) -> str:
    name = PurePath(problem.source).name or problem.source
    return f"{name} frame {problem.frame}" if (problem.frame or 1) > 1 else name


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return shown if more <= 0 else f"{shown} and {more} more"


def remarks_of(exam: Exam) -> list[Block]:
    """Return what growth says about its own numbers, each remark once, with what it is about."""
    about: dict[str, list[str]] = {}
    for fetus, growth in exam.growth.items():
        twin = f"fetus {fetus}" if fetus else ""
        said = [(note, "") for note in growth.notes]
        said += [(note, "age") for note in (growth.age.notes if growth.age else ())]
        said += [(note, f"weight by {w.formula}") for w in growth.weights for note in w.notes]
        said += [(note, place.name) for place in growth.placements for note in place.notes]
        said += [(note, ratio.title) for ratio in growth.ratios for note in ratio.notes]
        for note, what in said:
            about.setdefault(note, []).append(" of ".join(part for part in (what, twin) if part))
    lines = []
    for note, names in about.items():
        named = ", ".join(dict.fromkeys(name for name in names if name))
        lines.append(f"{named}: {note}" if named else note)
    return [Heading("How to read the numbers"), Remarks(tuple(lines))] if lines else []


def provenance(exam: Exam, history: Mapping[str, History]) -> list[Block]:
    """Return who and what the numbers come from."""
    rows = [("software", exam.software), *_models(exam), *_spacings(exam), *_sources(exam)]
    read = dict.fromkeys(source for past in history.values() for source in past.sources)
    rows += [("earlier exam", source) for source in read]
    rows.append(("review", signature(exam)))
    return [Heading("Where it comes from"), Table(("", ""), tuple(rows), (1.1, 4.6))]


def _models(exam: Exam) -> list[tuple[str, str]]:
    models = dict.fromkeys([f.model for f in exam.findings] + [v.model for v in exam.volumes])
    return [
        ("model", f"{model.name}; weights under {model.licence}; SHA-256 {model.sha256}")
        for model in models
    ]


def _spacings(exam: Exam) -> list[tuple[str, str]]:
    sizes: dict[str, list[str]] = {}
    for finding in exam.findings:
        spacing = finding.spacing
        said = f"{spacing_text(spacing.mm)}, by {spacing.source}" if spacing else "not known"
        sizes.setdefault(said, []).append(PurePath(finding.source).name)
    return [
        ("pixel size", f"{said} ({_some(list(dict.fromkeys(names)))})")
        for said, names in sizes.items()
    ]


def _sources(exam: Exam) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for growth in exam.growth.values():
        rows += [("chart", f"{p.chart}: {p.title}. {p.citation}") for p in growth.placements]
        rows += [("weight formula", f"{w.formula}: {w.citation}") for w in growth.weights]
    return list(dict.fromkeys(rows))
