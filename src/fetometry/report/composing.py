"""An exam → the content of its report: what is read first stands first, and nothing is judged.

Everything said here was decided before: values by `Exam.selected`, what they mean by
`Exam.growth`. A centile stands with its range and its chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

import cv2
import numpy as np

from fetometry.errors import OutputError
from fetometry.growth.nouns import Growth, Placement, ga_text
from fetometry.growth.words import (
    RESEARCH_ONLY,
    age_text,
    placement_rows,
    sentences,
    weight_text,
)
from fetometry.report import strip
from fetometry.report.exam_picture import Pictures, exam_findings
from fetometry.report.flags import FLAG_TEXT, warning_sentences
from fetometry.report.growth_chart import (
    SMALL,
    WIDE,
    as_png,
    chart_words,
    charted,
    draw_scores,
    growth_figures,
    scores,
)
from fetometry.report.history import Change, History
from fetometry.report.marks import View, draw_marks
from fetometry.report.origins import provenance, remarks_of, unmeasured
from fetometry.report.page import (
    Block,
    Fact,
    Facts,
    Heading,
    Page,
    Picture,
    Remarks,
    Table,
)
from fetometry.report.page import Pictures as Row
from fetometry.report.reviewed import review_blocks, signed_fact
from fetometry.review import EDITED, PLANE_CHOSEN
from fetometry.types import Exam, Finding, Selected

TITLE = "Fetal biometry"
NOTICE = RESEARCH_ONLY.capitalize()

#: What stands where there is no such number, and behind the name of a flagged value.
NONE, FLAGGED = "\N{EN DASH}", " \N{BLACK UP-POINTING TRIANGLE}"

#: What stands for the interval of a value that a person placed.
PLACED = "corrected by hand"

#: What a person did: nothing that is to be heeded.
BY_PERSON = frozenset({EDITED, PLANE_CHOSEN})

#: What follows a centile of an age that was estimated from the same value.
CIRCULAR = " circular"

#: The size (rows, cols) of a picture with callipers, and the dots per inch of a chart.
PANEL_PX, CHART_DPI = (540, 720), 200

#: Lines and names on a picture of that width are larger by this factor than at unit 1.
MARKS = 1.8

MEASURED = (
    "",
    "value",
    "95 % interval",
    "centile (range)",
    "z",
    "chart",
    "convention",
    "taken from",
)
MEASURED_SHARES = (0.78, 1.05, 1.4, 1.75, 0.62, 2.65, 2.3, 1.45)


def compose(exam: Exam, pictures: Pictures, history: Mapping[str, History] | None = None) -> Page:
    """Return what the report of an exam says.

    `pictures` holds the pixels (H, W) of the findings that `exam_findings` names, as far as they
    could be read; `history` the earlier exams by fetus.
    """
    past = history or {}
    blocks: list[Block] = []
    fetuses = sorted({*(s.fetus for s in exam.selected), *exam.growth})
    for fetus in fetuses:
        blocks += _fetus(exam, fetus, pictures, past.get(fetus, History()))
    if not fetuses:
        blocks.append(Remarks(("Nothing was measured in pictures.",), heeded=True))
    blocks += [block for fetus, growth in exam.growth.items() for block in _ratios(growth, fetus)]
    blocks += [*_volumes(exam), *review_blocks(exam), *unmeasured(exam)]
    blocks += [*remarks_of(exam), *provenance(exam, past)]
    name = f"Exam {exam.name}" if exam.name else ""
    subtitle = " \N{MIDDLE DOT} ".join(part for part in (name, exam.software) if part)
    return Page(TITLE, subtitle, NOTICE, tuple(blocks))


def _fetus(exam: Exam, fetus: str, pictures: Pictures, history: History) -> list[Block]:
    growth = exam.growth.get(fetus)
    chosen = [selected for selected in exam.selected if selected.fetus == fetus]
    blocks: list[Block] = [Heading(f"Fetus {fetus}", 1)] if fetus else []
    blocks.append(Facts(_facts(exam, fetus, growth)))
    heeded = (
        *(sentences(growth) if growth else ()), *warning_sentences(_doubted(chosen)),
        *_shrunk(history),
    )  # fmt: skip
    if heeded:
        blocks += [Remarks(tuple(text[:1].upper() + text[1:] for text in heeded), heeded=True)]
    blocks += _panels([f for f in exam_findings(exam) if f.fetus == fetus], pictures)
    if chosen:
        blocks += [Heading("Measurements"), _measured(exam, chosen, growth)]
    if growth is not None:
        blocks += [*_charts(growth, history), *_history(growth, history)]
    return blocks


def _facts(exam: Exam, fetus: str, growth: Growth | None) -> tuple[Fact, ...]:
    age = growth.age if growth else None
    said = age_text(age)
    facts = [
        Fact(
            "Gestational age",
            age.text if age else "not known",
            said.removeprefix(age.text).lstrip(", ") if age else "without it there is no centile",
        )
    ]
    if growth and growth.weights:
        weight = growth.weights[0]
        value = f"{weight.value_g:.0f} g"
        rest = weight_text(weight).removeprefix(value).strip()
        facts.append(Fact("Estimated fetal weight", value, rest))
    elif growth:
        why = next((item.reason for item in growth.refused if item.what == "weight"), "")
        facts.append(Fact("Estimated fetal weight", "not known", why))
    facts += [
        Fact("Weight on its chart", *_on_chart(placed, row))
        for placed, row in _placed(growth, "EFW")[:1]
        if placed.centile is not None
    ]
    reviewed = (signed_fact(exam.review),) if exam.review else ()
    return (*facts, _counted(exam, fetus), *reviewed)


def _doubted(chosen: Sequence[Selected]) -> list[Selected]:
    """Return values with the flags that are to be heeded: what a person did is none."""
    return [replace(s, flags=tuple(f for f in s.flags if f not in BY_PERSON)) for s in chosen]


def _on_chart(placed: Placement, row: Sequence[str]) -> tuple[str, str]:
    """Return the centile, and its range with its chart."""
    said = f"centile {placed.centile_text}"
    around = row[2].removeprefix(placed.centile_text).removesuffix(CIRCULAR).strip()
    return said + CIRCULAR * placed.circular, f"{around} {placed.title}"


def _counted(exam: Exam, fetus: str) -> Fact:
    frames = {(f.source, f.frame) for f in exam.findings if f.fetus == fetus}
    refused = len({(p.source, p.frame) for p in exam.problems if p.kind == "refused"})
    others = len({(p.source, p.frame) for p in exam.problems if p.kind == "other-plane"})
    rest = [f"{refused} with a problem"] if refused else []
    rest += [f"{others} of other planes"] if others else []
    rejected = len({(p.source, p.frame) for p in exam.problems if p.kind == "rejected"})
    rest += [f"{rejected} rejected by a reviewer"] if rejected else []
    return Fact("Images", f"{len(frames)} measured", ", ".join(rest))


def _panels(findings: Sequence[Finding], pictures: Pictures) -> list[Block]:
    shown = [f for f in findings if (f.source, f.frame) in pictures]
    lost = [f for f in findings if f not in shown]
    blocks: list[Block] = []
    if shown:
        blocks.append(Row(tuple(_panel(f, pictures) for f in shown)))
    if lost:
        said = (
            f"The picture of the {f.plane} is not shown: {f.source} cannot be read" for f in lost
        )
        blocks.append(Remarks(tuple(said), heeded=True))
    return blocks


def _panel(finding: Finding, pictures: Pictures) -> Picture:
    """Draw a finding with its callipers in the middle of a black picture of `PANEL_PX`."""
    pixels = pictures[finding.source, finding.frame]
    factor = min(PANEL_PX[0] / pixels.shape[0], PANEL_PX[1] / pixels.shape[1])
    rows, cols = (max(1, round(side * factor)) for side in pixels.shape)
    view = View.of(pixels, (rows, cols), MARKS)
    legend = draw_marks(view, finding)
    sheet = np.zeros((*PANEL_PX, 3), np.uint8)
    top, left = (PANEL_PX[0] - rows) // 2, (PANEL_PX[1] - cols) // 2
    sheet[top : top + rows, left : left + cols] = view.canvas
    done, data = cv2.imencode(".png", sheet)
    if not done:
        raise OutputError(f"the picture of {finding.source} could not be encoded as PNG")
    values = ", ".join(f"{m.name} {m.value:.1f} {m.unit}" for m in finding.measurements)
    frame = f", frame {finding.frame}" if finding.frame > 1 else ""
    name = f"{PurePath(finding.source).name}{frame}"
    if any(EDITED in m.flags for m in finding.measurements):
        legend.append("corrected by a person")
    elif any(PLANE_CHOSEN in m.flags for m in finding.measurements):
        legend.append("plane named by a person")
    return Picture(
        data.tobytes(),
        PANEL_PX,
        f"{finding.plane} with callipers: {values}",
        strip.plane_words(finding).capitalize(),
        "; ".join([name, *legend]),
    )


def _placed(growth: Growth | None, name: str) -> list[tuple[Placement, tuple[str, ...]]]:
    """Return where one value stands, with the words for it."""
    if growth is None:
        return []
    pairs = zip(growth.placements, placement_rows(growth), strict=True)
    return [(placed, row) for placed, row in pairs if placed.name == name]


def _measured(exam: Exam, chosen: Sequence[Selected], growth: Growth | None) -> Table:
    rows: list[tuple[str, ...]] = []
    for entry in chosen:
        first = (
            entry.name + (FLAGGED if set(entry.flags) - BY_PERSON else ""),
            f"{entry.value:.1f} {entry.unit}",
            PLACED if EDITED in entry.flags else _interval(entry.low, entry.high, 1),
        )
        last = (_convention(exam, entry), _taken(entry))
        rows += _on_charts(first, last, _placed(growth, entry.name))
    for k, weight in enumerate(growth.weights if growth else ()):
        low, high = weight.interval_g or (None, None)
        first = ("EFW", f"{weight.value_g:.0f} g", _interval(low, high, 0))
        places = [pair for pair in _placed(growth, "EFW") if pair[0].formula == weight.formula]
        if places or k == 0:
            rows += _on_charts(first, (weight.formula, ", ".join(weight.from_sizes)), places)
    return Table(MEASURED, tuple(rows), MEASURED_SHARES, bold=2)


def _on_charts(
    first: tuple[str, ...],
    last: tuple[str, ...],
    places: Sequence[tuple[Placement, tuple[str, ...]]],
) -> list[tuple[str, ...]]:
    """Return a row for each chart of one value; what is the same in all stands in the first."""
    if not places:
        return [(*first, NONE, NONE, NONE, *last)]
    rows = []
    for k, (placed, row) in enumerate(places):
        begin, end = (first, last) if k == 0 else (("",) * len(first), ("",) * len(last))
        rows.append((*begin, row[2], row[3] or NONE, placed.title, *end))
    return rows


def _interval(low: float | None, high: float | None, decimals: int) -> str:
    if low is None or high is None:
        return NONE
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def _convention(exam: Exam, entry: Selected) -> str:
    said = (
        m.convention
        for f in exam.findings
        if f.fetus == entry.fetus
        for m in f.measurements
        if m.name == entry.name
    )
    return next(said, "") or NONE


def _taken(entry: Selected) -> str:
    name = PurePath(entry.source).name if entry.source else ""
    if entry.count == 1:
        return name
    spread = "" if entry.sd is None else f", SD {entry.sd:.1f}"
    range_ = f"{entry.smallest:.1f} to {entry.largest:.1f}"
    return f"{entry.how} of {entry.count} ({range_}{spread})" + (f": {name}" if name else "")


def _charts(growth: Growth, history: History) -> list[Block]:
    figures = growth_figures(growth, history.growths, SMALL)
    size = round(SMALL.height_in * CHART_DPI), round(SMALL.width_in * CHART_DPI)
    items = tuple(
        Picture(as_png(figure, CHART_DPI), size, chart_words(placed, growth))
        for (placed, _), figure in zip(charted(growth), figures.values(), strict=True)
    )
    return [Heading("Growth charts"), Row(items)] if items else []


def _history(growth: Growth, history: History) -> list[Block]:
    blocks: list[Block] = []
    every = (*history.growths, growth)
    if history.growths and scores(every):
        size = round(WIDE.height_in * CHART_DPI), round(WIDE.width_in * CHART_DPI)
        words = "z scores of every measurement over the age at each exam"
        blocks.append(Row((Picture(as_png(draw_scores(every, WIDE), CHART_DPI), size, words),), 1))
    if history.changes:
        blocks.append(
            Table(
                ("", "from", "to", "change a week", "change of z", "chart"),
                tuple(_change_row(change) for change in _by_measurement(history.changes)),
                (0.8, 1, 1, 1.4, 1.2, 2.6),
            )
        )
    left = tuple(f"{source} is left out: {reason}" for source, reason in history.left_out)
    if left:
        blocks.append(Remarks(left))
    return [Heading("Since earlier exams"), *blocks] if blocks else []


def _shrunk(history: History) -> list[str]:
    """Say of what grows that it is smaller than before: documents hold no name to tell by."""
    names = dict.fromkeys(change.name for change in history.changes if change.per_week < 0)
    said = "smaller than at an earlier exam; is that of the same fetus?"
    return [f"{', '.join(names)}: {said}"] if names else []


def _by_measurement(changes: Sequence[Change]) -> list[Change]:
    """Return changes with those of one measurement on one chart below each other."""
    keys = list(dict.fromkeys((change.name, change.chart) for change in changes))
    return sorted(changes, key=lambda change: keys.index((change.name, change.chart)))


def _change_row(change: Change) -> tuple[str, ...]:
    decimals = 0 if change.unit == "g" else 1
    return (
        change.name,
        ga_text(change.from_days),
        ga_text(change.to_days),
        f"{change.per_week:+.{decimals}f} {change.unit}",
        NONE if change.z_change is None else f"{change.z_change:+.2f}",
        change.chart,
    )


def _ratios(growth: Growth, fetus: str) -> list[Block]:
    if not growth.ratios:
        return []
    judged = {True: "inside", False: "outside", None: "not judged"}
    rows = tuple(
        (
            ratio.title,
            f"{ratio.percent:.1f} %",
            "{:.0f} to {:.0f} %".format(*ratio.range_percent) if ratio.range_percent else NONE,
            judged[ratio.inside],
            ratio.citation,
        )
        for ratio in growth.ratios
    )
    heading = ("", "value", "published range", "", "source")
    title = f"Ratios of fetus {fetus}" if fetus else "Ratios"
    return [Heading(title), Table(heading, rows, (1.2, 0.8, 1.2, 0.9, 3.6), bold=2)]


def _volumes(exam: Exam) -> list[Block]:
    if not exam.volumes:
        return []
    rows = tuple(
        (
            "FL" + (FLAGGED if found.flags else ""),
            NONE if found.length_mm is None else f"{found.length_mm:.1f} mm",
            NONE if found.volume_ml is None else f"{found.volume_ml:.2f} mL",
            PurePath(found.source).name,
            found.model.name,
        )
        for found in exam.volumes
    )
    heading = ("", "length", "volume of the shaft", "file", "model")
    notices = dict.fromkeys(found.notice for found in exam.volumes if found.notice)
    flags = dict.fromkeys(flag for found in exam.volumes for flag in found.flags)
    said = (*notices, *(FLAG_TEXT.get(flag, flag) for flag in flags))
    return [
        Heading("Femur in a volume (by itself: on no chart)"),
        Table(heading, rows, (0.8, 1, 1.4, 2.4, 2), bold=2),
        *([Remarks(said, heeded=True)] if said else []),
    ]
