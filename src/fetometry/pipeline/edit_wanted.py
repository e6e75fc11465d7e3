"""What the edits of an exam ask of one frame, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from fetometry.measure import Placed
from fetometry.pipeline.edit_values import (
    chosen_of,
    criteria_of,
    ellipse_of,
    ends_of,
    fetus_of,
    plane_of,
    rejected_of,
    spacing_of_edit,
)
from fetometry.review import Edit
from fetometry.types import Spacing


@dataclass(frozen=True)
class Wanted:
    """What the edits ask of one frame; `plane` is empty where it is as proposed.

    `with_file`: it is rejected as the whole file is.
    """

    plane: str = ""
    placed: Placed = field(default_factory=Placed)
    fetus: str | None = None
    rejected: bool = False
    reason: str = ""
    with_file: bool = False
    chosen: int = 0
    chosen_for: str = ""
    criteria: Mapping[str, bool] = field(default_factory=dict)
    spacing: Spacing | None = None


def _ellipse(wanted: Wanted, edit: Edit) -> Wanted:
    return replace(wanted, placed=replace(wanted.placed, ellipse=ellipse_of(edit.value)))


def _chosen(wanted: Wanted, edit: Edit) -> Wanted:
    return replace(wanted, chosen=edit.number, chosen_for=chosen_of(edit.value))


def _rejected(wanted: Wanted, edit: Edit) -> Wanted:
    rejected, reason = rejected_of(edit.value)
    with_file = rejected and edit.frame is None
    reason = reason if rejected else ""
    return replace(wanted, rejected=rejected, reason=reason, with_file=with_file)


def _points(wanted: Wanted, edit: Edit) -> Wanted:
    ends = {**wanted.placed.ends_px, **ends_of(edit.value)}
    return replace(wanted, placed=replace(wanted.placed, ends_px=ends))


def _reset(wanted: Wanted, edit: Edit) -> Wanted:
    """Return what is no proposal of a model: ticks, and what was said of the whole file."""
    told = Wanted(criteria=wanted.criteria, spacing=wanted.spacing, fetus=wanted.fetus)
    if not wanted.with_file:
        return told
    return replace(told, rejected=wanted.rejected, reason=wanted.reason, with_file=True)


#: Action → what it makes of what is asked of a frame. Lines that were placed stay when the
#: ellipse is moved; another plane begins anew.
APPLY: Mapping[str, Callable[[Wanted, Edit], Wanted]] = {
    "ellipse": _ellipse,
    "points": _points,
    "plane": lambda w, e: replace(w, plane=plane_of(e.value), placed=Placed()),
    "fetus": lambda w, e: replace(w, fetus=fetus_of(e.value)),
    "reject": _rejected,
    "choose": _chosen,
    "criteria": lambda w, e: replace(w, criteria={**w.criteria, **criteria_of(e.value)}),
    "spacing": lambda w, e: replace(w, spacing=spacing_of_edit(e.value)),
    "reset": _reset,
}
