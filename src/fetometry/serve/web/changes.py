"""An edit on its way in: what a request says, what it was before, and as `pipeline` takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fetometry.review import ACTIONS, OF_FILE, Edit, standing, ticked
from fetometry.serve.web.document import callipers, dates_said, ellipse_document
from fetometry.serve.web.problems import Refusal
from fetometry.serve.web.store import Entry, now
from fetometry.types import Exam, Finding

Json = dict[str, Any]

#: The longest name of a reviewer, and the longest value of an edit as JSON.
MOST_NAME, MOST_VALUE = 100, 8192

#: No pixel, millimetre or angle is larger than this; sums and squares of it are still numbers.
MOST_NUMBER = 1e9

#: Actions for the whole exam; `review.OF_FILE` has those for a whole file.
OF_EXAM = ("dates",)


class Asked(BaseModel):
    """One edit that somebody asks for: `image` counts from 0, `frame` from 1."""

    model_config = ConfigDict(extra="forbid", strict=True)

    action: str = Field(max_length=20, json_schema_extra={"enum": list(ACTIONS)})
    image: int | None = Field(None, ge=0, le=10_000)
    frame: int | None = Field(None, ge=1, le=1_000_000)
    value: dict[str, Any] = Field(default_factory=dict)
    reviewer: str = Field("", max_length=MOST_NAME)


def checked(asked: Asked, sources: Sequence[str]) -> Asked:
    """Return what was asked for if it can be kept and speaks of an image of the exam.

    Raises:
        Refusal: it cannot.
    """
    _check_value(asked.value)
    if not asked.reviewer.isprintable():
        raise Refusal(422, "a name has plain letters", "reviewer")
    if asked.action in OF_EXAM:
        return asked.model_copy(update={"image": None, "frame": None})
    if asked.image is None:
        raise Refusal(422, "say which image, from 0", "image")
    if asked.image >= len(sources):
        raise Refusal(404, f"the exam's images are 0 to {len(sources) - 1}", "image")
    if asked.action in OF_FILE:
        return asked.model_copy(update={"frame": None})
    return asked


def _check_value(value: Json) -> None:
    try:
        length = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
        largest = _largest(value)
    except (ValueError, RecursionError):
        raise Refusal(422, "the value holds a number or a letter that is none", "value") from None
    if length > MOST_VALUE:
        raise Refusal(422, f"the value is longer than {MOST_VALUE} letters", "value")
    if largest > MOST_NUMBER:
        raise Refusal(422, f"the value holds a number beyond {MOST_NUMBER:g}", "value")


def _largest(value: Any) -> float:
    """Return the largest absolute value of the numbers in a value of JSON."""
    if isinstance(value, int | float):
        return abs(value)
    held = value.values() if isinstance(value, Mapping) else value
    return max(map(_largest, held), default=0) if isinstance(value, Mapping | list) else 0


def next_edit(
    asked: Asked, exam: Exam, edits: Sequence[Edit], source: str, said: Mapping[str, str]
) -> Edit:
    """Return an edit with what it changes as that is now; `said` came with the upload.

    Raises:
        UsageError: there is no such action.
    """
    finding = _found(exam, source, asked.frame)
    return Edit(
        number=len(edits) + 1,
        action=asked.action,
        source=source,
        frame=asked.frame,
        value=asked.value,
        before=dates_said(said, edits)
        if asked.action == "dates"
        else _before(asked, exam, edits, source),
        reviewer=asked.reviewer.strip(),
        at=now(),
        model=f"{finding.model.name} {finding.model.sha256}" if finding else "",
    )


def entry_of(edit: Edit, sources: Sequence[str]) -> Entry:
    """Return an edit as it is kept: it knows a file by its number."""
    return Entry(
        number=edit.number,
        action=edit.action,
        image=sources.index(edit.source) if edit.source else None,
        frame=edit.frame,
        value=edit.value,
        before=edit.before,
        reviewer=edit.reviewer,
        at=edit.at,
        model=edit.model,
    )


def edit_of(entry: Entry, sources: Sequence[str]) -> Edit:
    """Return an edit as `pipeline` takes it: it knows a file by its path."""
    return Edit(
        number=entry.number,
        action=entry.action,
        source="" if entry.image is None else sources[entry.image],
        frame=entry.frame,
        value=entry.value,
        before=entry.before,
        reviewer=entry.reviewer,
        at=entry.at,
        model=entry.model,
        undone=bool(entry.undone),
    )


def _found(exam: Exam, source: str, frame: int | None) -> Finding | None:
    of_file = (f for f in exam.findings if f.source == source)
    return next((f for f in of_file if frame in (None, f.frame)), None)


def _before(asked: Asked, exam: Exam, edits: Sequence[Edit], source: str) -> Json:
    finding = _found(exam, source, asked.frame)
    match asked.action:
        case "reject":
            return {"rejected": _is_rejected(exam, source, asked.frame)}
        case "fetus":
            return {"fetus": _fetus(edits, source, finding)}
        case "criteria":
            said = ticked(edits).get((source, asked.frame), {})
            return {name: bool(said.get(name)) for name in asked.value}
        case "spacing":
            spacing = finding.spacing if finding else None
            return {"mm_per_px": list(spacing.mm) if spacing else None}
        case "choose":
            return _chosen(exam, asked.value, finding)
        case _:
            return _drawn(asked, finding)


def _drawn(asked: Asked, finding: Finding | None) -> Json:
    if finding is None:
        return {}
    shape = ellipse_document(finding.ellipse) or {}
    ends = callipers(finding.points_px)
    match asked.action:
        case "ellipse":
            return shape
        case "points":
            return {name: ends.get(name) for name in asked.value}
        case "plane":
            return {"plane": finding.plane}
        case _:
            return {"plane": finding.plane, "fetus": finding.fetus, **shape, "points": ends}


def _is_rejected(exam: Exam, source: str, frame: int | None) -> bool:
    """Tell whether a frame is rejected, by itself or with its file; of a file, all of it."""
    at = [p.frame for p in exam.problems if (p.source, p.kind) == (source, "rejected")]
    return None in at or (frame is not None and frame in at)


def _fetus(edits: Sequence[Edit], source: str, finding: Finding | None) -> str:
    """Return whose a file is: what was said last, or what it was measured as."""
    said = [e for e in standing(edits) if (e.action, e.source) == ("fetus", source)]
    if said:
        return str(said[-1].value.get("fetus", ""))
    return finding.fetus if finding else ""


def _chosen(exam: Exam, value: Mapping[str, Any], finding: Finding | None) -> Json:
    """Return which image counted, by the name of its file on disk."""
    names = {m.name for m in finding.measurements} if finding else set()
    fetus = value.get("fetus", finding.fetus if finding else "")
    entry = next((s for s in exam.selected if s.fetus == fetus and s.name in names), None)
    if entry is None:
        return {}
    return {"how": entry.how, "source": entry.source.rpartition("/")[2], "frame": entry.frame}
