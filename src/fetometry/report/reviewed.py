"""What a person changed and signed, in words: from what, to what, by whom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse
from fetometry.report.page import Block, Fact, Heading, Remarks, Table
from fetometry.review import CRITERIA, OF_FILE, Edit, Review, Value, standing, ticked
from fetometry.types import MAIN, Exam, Finding

UNSIGNED, UNSEEN = "not signed", "not looked at and not signed by a person"

#: What stands where a model saw nothing, or where nothing was said.
NOTHING = "\N{EN DASH}"

#: Actions whose edits of one frame are void once its proposal is taken again.
PROPOSED = ("ellipse", "points", "plane", "reject", "choose")

#: Of dates, those whose values are in no output: the days between them are.
DAYS = {
    "lmp": "LMP",
    "edd": "due date",
    "crl_date": "date of the CRL",
    "exam_date": "date of the exam",
}

#: What edits are about, in words.
ABOUT = {
    "plane": "plane",
    "fetus": "fetus",
    "reject": "image",
    "choose": "image",
    "spacing": "pixel size",
    "dates": "age",
}

Place = tuple[str, int | None]


def signed_fact(review: Review) -> Fact:
    """Return who signed, as one of the things that are read first."""
    if not review.signed:
        return Fact("Review", UNSIGNED, _counted(review))
    return Fact("Review", "signed", f"by {review.reviewer}, {moment(review.signed)}")


def signature(exam: Exam) -> str:
    """Return in one sentence whether and by whom an exam was signed."""
    review = exam.review
    if review is None:
        return UNSEEN
    if not review.signed:
        return f"{UNSIGNED}; {_counted(review)}"
    return f"Reviewed and signed by {review.reviewer}, {moment(review.signed)}"


def moment(at: str) -> str:
    """Return a time of ISO 8601 as it is read: 2026-05-21 10:00:00 UTC."""
    return at.replace("T", " ").removesuffix("Z").removesuffix("+00:00") + " UTC"


def _counted(review: Review) -> str:
    count = len(review.standing)
    return f"{count} change{'' if count == 1 else 's'} by a person"


def review_blocks(exam: Exam) -> list[Block]:
    """Return who signed, what was changed from what to what, and what was ticked."""
    if exam.review is None:
        return []
    blocks: list[Block] = [Heading("Review"), Remarks((f"{signature(exam)}.",))]
    found = {(f.source, f.frame): f for f in exam.findings}
    rows = [
        row for edits in _together(exam.review.edits) for row in _rows(edits, found)
    ]  # what was done to one thing is one change
    if rows:
        heading = ("changed", "image", "from", "to", "by")
        blocks.append(Table(heading, tuple(rows), (1.2, 1.6, 1.6, 1.8, 1.4)))
    ticks = _ticks(exam)
    if ticks:
        blocks.append(Heading("Criteria that a reviewer ticked"))
        titles = ("plane", "image", "ticked", "not ticked")
        blocks.append(Table(titles, tuple(ticks), (0.8, 1.5, 2.8, 2.5)))
    return blocks


def _together(edits: Iterable[Edit]) -> list[list[Edit]]:
    """Return the edits that hold, those of one thing together, in the order of the first."""
    parts: dict[tuple[object, ...], list[Edit]] = {}
    for edit in standing(edits):
        if edit.action == "reset":
            void = [key for key in parts if key[0] in PROPOSED and key[1:3] == _at(edit)]
            for key in void:
                del parts[key]
        elif edit.action == "points":
            for name in edit.value:
                parts.setdefault((edit.action, *_at(edit), name), []).append(edit)
        elif edit.action != "criteria":
            parts.setdefault((edit.action, *_at(edit), ""), []).append(edit)
    return list(parts.values())


def _at(edit: Edit) -> Place:
    return edit.source, None if edit.action in OF_FILE else edit.frame


def _rows(edits: list[Edit], found: Mapping[tuple[str, int], Finding]) -> list[tuple[str, ...]]:
    first, last = edits[0], edits[-1]
    finding = found.get((last.source, last.frame or 0))
    who = ", ".join(dict.fromkeys(edit.reviewer or "not named" for edit in edits))
    image = _image(last)
    if last.action in ("ellipse", "points"):
        pairs = _sizes(first.before, last.value, finding, last.action)
        return [(name, image, before, after, who) for name, before, after in pairs]
    before, after = _said(first.action, first.before), _said(last.action, last.value)
    return [(ABOUT[last.action], image, before, after, who)]


def _image(edit: Edit) -> str:
    if not edit.source:
        return NOTHING
    name = PurePath(edit.source).name or edit.source
    frame = _at(edit)[1]
    return name if frame in (None, 1) else f"{name} frame {frame}"


def _sizes(
    before: Value, after: Value, finding: Finding | None, action: str
) -> list[tuple[str, str, str]]:
    """Return the names of what was placed, with its size before and after, in the unit it has."""
    if finding is None:
        return []
    if action == "ellipse":
        name = MAIN[finding.plane]
        return [(name, _round(before, finding), _round(after, finding))]
    return [
        (name, _line(before.get(name), finding), _line(ends, finding))
        for name, ends in after.items()
    ]


def _round(value: Value, finding: Finding) -> str:
    mm = finding.spacing.mm if finding.spacing else (1.0, 1.0)
    try:
        (row, col), (a, b) = value["center_px"], value["semi_axes_px"]
        turned = float(value["angle_deg"]) + (0 if a >= b else 90)
        ellipse = Ellipse((row, col), (max(a, b), min(a, b)), turned)
        return _length(ellipse.scaled(*mm).circumference, finding)
    except (KeyError, TypeError, ValueError, MeasurementError):
        return NOTHING


def _line(ends: Any, finding: Finding) -> str:
    mm = finding.spacing.mm if finding.spacing else (1.0, 1.0)
    try:
        (row_1, col_1), (row_2, col_2) = ends
        length = math.hypot((row_2 - row_1) * mm[0], (col_2 - col_1) * mm[1])
    except (TypeError, ValueError):
        return NOTHING
    return _length(length, finding)


def _length(size: float, finding: Finding) -> str:
    return f"{size:.1f} {'mm' if finding.spacing else 'px'}"


def _said(action: str, value: Value) -> str:
    """Return one side of a change that is no size; nothing of a value that is not there."""
    if not value:
        return NOTHING
    if action == "reject":
        reason = f": {value['reason']}" if value.get("reason") else ""
        return f"rejected{reason}" if value.get("rejected") else "counts"
    if action == "choose":
        return "this one counts"
    if action == "fetus":
        return str(value.get("fetus") or "a single one")
    if action == "spacing":
        mm = value.get("mm_per_px")
        numbers = mm if isinstance(mm, list | tuple) else [mm]
        known = [f"{number:g}" for number in numbers if isinstance(number, int | float)]
        return f"{' x '.join(known)} mm per pixel" if known else NOTHING
    if action == "dates":
        return age_words(value)
    return str(value.get(action) or NOTHING)


def age_words(value: Value) -> str:
    """Return what was said about the age, without any date."""
    said = [str(value["ga"])] if value.get("ga") else []
    said += [f"CRL {value['crl_mm']} mm"] if value.get("crl_mm") else []
    said += [f"{word} given" for key, word in DAYS.items() if value.get(key)]
    return ", ".join(said) or NOTHING


def _ticks(exam: Exam) -> list[tuple[str, ...]]:
    ticks = ticked(exam.review.edits if exam.review else ())
    rows: list[tuple[str, ...]] = []
    for finding in exam.findings:
        said = ticks.get((finding.source, finding.frame))
        if not said:
            continue
        criteria = CRITERIA[finding.plane]
        yes = [words for name, words in criteria if said.get(name)]
        no = [words for name, words in criteria if not said.get(name)]
        frame = f" frame {finding.frame}" if finding.frame > 1 else ""
        image = f"{PurePath(finding.source).name}{frame}"
        rows.append((finding.plane, image, " ".join(yes) or NOTHING, " ".join(no) or NOTHING))
    return rows
