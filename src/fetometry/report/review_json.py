"""What a person changed in an exam, as JSON has it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fetometry.report.reviewed import DAYS
from fetometry.review import Edit, Review, Value

Json = dict[str, Any]

#: What stands for a date: the dates of a patient are in no document.
GIVEN = "given"


def review_json(review: Review | None) -> Json | None:
    """Return a review with all of its edits, those that were undone among them."""
    if review is None:
        return None
    return {
        "reviewer": review.reviewer,
        "signed": review.signed,
        "edits": [_edit(edit) for edit in review.edits],
    }


def _told(edit: Edit, value: Value) -> Json:
    """Return a value as it is given away: of a date that it was given, and not which."""
    if edit.action != "dates":
        return dict(value)
    return {key: GIVEN if key in DAYS and item else item for key, item in value.items()}


def _edit(edit: Edit) -> Json:
    return {
        "number": edit.number,
        "action": edit.action,
        "source": edit.source,
        "frame": edit.frame,
        "value": _told(edit, edit.value),
        "before": _told(edit, edit.before),
        "reviewer": edit.reviewer,
        "at": edit.at,
        "model": edit.model,
        "undone": edit.undone,
    }


def read_review(item: Any) -> Review | None:
    """Return a review from what `review_json` wrote.

    Raises:
        KeyError: a key is missing.
        TypeError: something is of another kind.
        UsageError: an edit is of no action that is known.
    """
    if item is None:
        return None
    return Review(
        str(item["reviewer"]),
        str(item["signed"]),
        tuple(_read_edit(edit) for edit in item["edits"]),
    )


def _read_edit(item: Json) -> Edit:
    frame, value, before = item["frame"], item["value"], item["before"]
    if not isinstance(value, Mapping) or not isinstance(before, Mapping):
        raise TypeError("value and before of an edit must be objects")
    return Edit(
        number=int(item["number"]),
        action=str(item["action"]),
        source=str(item["source"]),
        frame=None if frame is None else int(frame),
        value=dict(value),
        before=dict(before),
        reviewer=str(item["reviewer"]),
        at=str(item["at"]),
        model=str(item["model"]),
        undone=bool(item["undone"]),
    )
