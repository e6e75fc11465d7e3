"""What the values of edits mean, and what each must be to be taken: form and place, not size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from fetometry.errors import FetometryError, ImageError, SpacingError, UsageError
from fetometry.geometry import Ellipse, Points
from fetometry.measure import CALLIPERS
from fetometry.pipeline.growing import About, told
from fetometry.review import CRITERIA, REVIEWER, Edit, Value
from fetometry.types import FETUSES, NO_PLANE, PLANES, Image, Spacing

#: An ellipse or a line shorter than this cannot be seen, let alone placed.
LEAST_PX = 2.0

#: How long a reason for rejecting an image may be.
MOST_LETTERS = 500

#: What may be said about dates.
DATES = ("ga", "lmp", "edd", "crl_mm", "crl_date", "exam_date")

#: Straight lines that can be placed, whatever the plane.
LINES = tuple(name for names in CALLIPERS.values() for name in names)


#: No place, size or angle is larger; neither is what JSON has for infinity.
MOST = 1e9


def _number(value: Any, what: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not abs(value) <= MOST:
        raise UsageError(f"{what} must be a number, got {value!r}")
    return float(value)


def _pair(value: Any, what: str) -> tuple[float, float]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise UsageError(f"{what} must be two numbers, got {value!r}")
    return _number(value[0], what), _number(value[1], what)


def _one_of(value: Any, allowed: Sequence[str], what: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        named = ", ".join(name or "none" for name in allowed)
        raise UsageError(f"{what} must be one of {named}, got {value!r}")
    return value


def _only(value: Value, allowed: Sequence[str]) -> None:
    if unknown := sorted(set(value) - set(allowed)):
        raise UsageError(f"unknown: {unknown[0]!r}; allowed: {', '.join(allowed) or 'nothing'}")


def ellipse_of(value: Value) -> Ellipse:
    """Return an ellipse from the value of an edit; the two axes may come in either order.

    Raises:
        UsageError: it is none.
    """
    _only(value, ("center_px", "semi_axes_px", "angle_deg"))
    center = _pair(value.get("center_px"), "the centre of the ellipse")
    a, b = _pair(value.get("semi_axes_px"), "the axes of the ellipse")
    angle = _number(value.get("angle_deg"), "the angle of the ellipse")
    if min(a, b) < LEAST_PX:
        raise UsageError(f"the ellipse is too small: its half axes are {a:.3g} and {b:.3g} pixels")
    axes, turned = ((a, b), angle) if a >= b else ((b, a), angle + 90)
    return Ellipse(center, axes, turned % 180)


def ends_of(value: Value) -> dict[str, Points]:
    """Return the two ends (2, 2) of each line of an edit.

    Raises:
        UsageError: a line is unknown, or has no two ends apart from each other.
    """
    _only(value, LINES)
    if not value:
        raise UsageError(f"no line was placed; allowed: {', '.join(LINES)}")
    found = {}
    for name, ends in value.items():
        if not isinstance(ends, Sequence) or isinstance(ends, str) or len(ends) != 2:
            raise UsageError(f"{name} must have two ends, got {ends!r}")
        points = np.array([_pair(end, f"an end of {name}") for end in ends])
        if float(np.linalg.norm(points[1] - points[0])) < LEAST_PX:
            raise UsageError(f"the two ends of {name} lie on each other: pull them apart")
        found[name] = points
    return found


def plane_of(value: Value) -> str:
    """Return the plane of an edit, "none" for an image without one.

    Raises:
        UsageError: there is no such plane.
    """
    _only(value, ("plane",))
    return _one_of(value.get("plane"), (*PLANES, NO_PLANE), "the plane")


def fetus_of(value: Value) -> str:
    """Return which of twins is shown; empty of a single one.

    Raises:
        UsageError: there is no such fetus.
    """
    _only(value, ("fetus",))
    return _one_of(value.get("fetus"), ("", *FETUSES), "the fetus")


def rejected_of(value: Value) -> tuple[bool, str]:
    """Return whether an image is rejected, and why.

    Raises:
        UsageError: it is not said.
    """
    _only(value, ("rejected", "reason"))
    rejected, reason = value.get("rejected"), value.get("reason", "")
    if not isinstance(rejected, bool):
        raise UsageError(f"rejected must be true or false, got {rejected!r}")
    if not isinstance(reason, str) or len(reason) > MOST_LETTERS:
        raise UsageError(f"the reason must be a text of at most {MOST_LETTERS} letters")
    return rejected, reason.strip()


def chosen_of(value: Value) -> str:
    """Return the plane for which a frame counts.

    Raises:
        UsageError: there is no such plane or fetus.
    """
    _only(value, ("plane", "fetus"))
    _one_of(value.get("fetus", ""), ("", *FETUSES), "the fetus")
    return _one_of(value.get("plane"), PLANES, "the plane")


def criteria_of(value: Value) -> dict[str, bool]:
    """Return what was ticked or unticked, by the names of `CRITERIA`.

    Raises:
        UsageError: there is no such criterion, or a tick is not true or false.
    """
    _only(value, sorted({name for plane in CRITERIA.values() for name, _ in plane}))
    for name, tick in value.items():
        if not isinstance(tick, bool):
            raise UsageError(f"{name} must be true or false, got {tick!r}")
    return dict(value)


def spacing_of_edit(value: Value) -> Spacing:
    """Return the size of a pixel that a reviewer gave.

    Raises:
        UsageError: it is no believable size.
    """
    _only(value, ("mm_per_px",))
    mm = value.get("mm_per_px")
    pair = _pair([mm, mm] if isinstance(mm, int | float) else mm, "the millimetres per pixel")
    try:
        return Spacing(pair, REVIEWER)
    except SpacingError as error:
        raise UsageError(str(error)) from None


def dates_of(value: Value) -> About:
    """Return what was said about the pregnancy's age; what is empty or null was not said.

    Raises:
        UsageError: an age or a date is not one.
    """
    _only(value, DATES)
    said = {key: item for key, item in value.items() if item not in (None, "")}
    for key, item in said.items():
        if key == "crl_mm":
            if _number(item, "the CRL") <= 0:
                raise UsageError(f"the CRL must be more than 0 mm, got {item:g}")
        elif not isinstance(item, str):
            raise UsageError(f"{key} must be a text, got {item!r}")
    about = cast(About, said)
    try:
        told(about)
    except FetometryError as error:
        raise UsageError(_without_flags(str(error))) from None
    return about


def _without_flags(text: str) -> str:
    """Return a reason without the words for the command line."""
    return text.partition(": --")[0]


def _nothing(value: Value) -> None:
    _only(value, ())


#: Action → what reads its value, and refuses it.
READERS: Mapping[str, Callable[[Value], object]] = {
    "ellipse": ellipse_of,
    "points": ends_of,
    "plane": plane_of,
    "fetus": fetus_of,
    "reject": rejected_of,
    "choose": chosen_of,
    "criteria": criteria_of,
    "spacing": spacing_of_edit,
    "dates": dates_of,
    "reset": _nothing,
}

#: Actions of one frame; the others hold for a file as well.
OF_A_FRAME = ("ellipse", "points", "plane", "choose", "criteria", "reset")


def may_calibrate(image: Image) -> bool:
    """Tell whether a reviewer may say how large a pixel is: where the file does not."""
    return not image.regions


def check_form(edit: Edit) -> None:
    """Refuse an edit whose value, source or frame is not what its action needs.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(edit.value, Mapping):
        raise UsageError(f"the value of an edit must be an object, got {edit.value!r}")
    READERS[edit.action](edit.value)
    if edit.action == "dates":
        return
    if not edit.source:
        raise UsageError(f"{edit.action}: say which image")
    if edit.action in OF_A_FRAME and edit.frame is None:
        raise UsageError(f"{edit.action}: say which frame of the image")


def check_place(edit: Edit, image: Image) -> None:
    """Refuse what lies outside the picture, and a spacing that the file has itself.

    Raises:
        UsageError: it does.
    """
    if edit.action == "ellipse":
        _inside(np.array([ellipse_of(edit.value).center]), image, "the centre of the ellipse")
    if edit.action == "points":
        for name, ends in ends_of(edit.value).items():
            _inside(ends, image, f"an end of {name}")
    if edit.action == "spacing" and not may_calibrate(image):
        raise UsageError("the file says itself how large a pixel is: it cannot be given")


def _inside(points: Points, image: Image, what: str) -> None:
    rows, cols = image.shape
    if not np.all((points >= -0.5) & (points <= np.array([rows, cols]) - 0.5)):
        raise UsageError(f"{what} lies outside the picture of {rows} x {cols} pixels")


def picture_for(frames: Callable[[str, int], Image], source: str, frame: int) -> Image:
    """Return the image of a frame.

    Raises:
        UsageError: it cannot be read, or there is none.
    """
    try:
        return frames(source, frame)
    except (ImageError, KeyError, IndexError):
        raise UsageError("this image cannot be read any more") from None
