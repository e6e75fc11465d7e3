"""What a person placed: measured as it lies, by the same rules as what a model saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, Points
from fetometry.measure.ellipses import abdomen, head
from fetometry.measure.finding import Measured, finding, left_first, mm_of, straight
from fetometry.measure.limits import ABDOMEN, FEMUR, HEAD, Limits
from fetometry.measure.number import number
from fetometry.measure.shaft import femur
from fetometry.review import EDITED
from fetometry.types import Finding, Image, Measurement, Prediction, SizeInterval, Spacing

#: The intervals of a model, by the name of the measurement.
Intervals = Mapping[str, SizeInterval]

#: The straight lines that a person can place, by plane.
CALLIPERS: Mapping[str, tuple[str, ...]] = {
    "head": ("BPD", "OFD"),
    "abdomen": ("TAD", "APAD"),
    "femur": ("FL",),
}

#: What a model says of the plane, which no ellipse that a person places makes wrong.
ABOUT_PLANE = frozenset({"trans-cerebellar", "low-plane-probability"})

_LIMITS: Mapping[str, Limits] = {"head": HEAD, "abdomen": ABDOMEN, "femur": FEMUR}
_OUTLINE_POINTS = 360


@dataclass(frozen=True)
class Placed:
    """An ellipse, and the two ends (2, 2) of straight lines by name, in source pixels."""

    ellipse: Ellipse | None = None
    ends_px: Mapping[str, Points] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.ellipse is not None or bool(self.ends_px)


def measure_placed(
    image: Image,
    found: Finding,
    placed: Placed,
    spacing: Spacing | None,
    intervals: Intervals = MappingProxyType({}),
) -> Finding:
    """Measure a finding again with what a person placed, or with another spacing.

    What was placed has the flag `EDITED` and no interval: a model's says nothing about it. What
    was not keeps its flags, and an interval for the size that it has now: by `intervals`, those of
    its model, where they are known, else the same share of it. The quality stays, so that no
    repeat counts more because it was corrected.

    Raises:
        MeasurementError: there is nothing to be measured, most of it is outside the image, or no
            fetus has such a size.
    """
    prediction = _prediction(image, found, placed)
    measured = _by_hand(_measured(image, found, prediction, placed, spacing), placed, spacing)
    _check_lines(placed, measured, found.plane, spacing)
    made = finding(image, prediction, spacing, measured)
    theirs = _by_person(found, placed)
    before = {m.name: m for m in found.measurements}
    values = tuple(
        replace(m, flags=(*m.flags, EDITED))
        if m.name in theirs or m.name not in before
        else _kept(m, before[m.name], intervals)
        for m in made.measurements
    )
    return replace(
        made, measurements=values, quality=found.quality, fetus=found.fetus, exam=found.exam
    )


def _ends_of(found: Finding, name: str) -> Points | None:
    ends = [found.points_px.get(f"{name}_{k}") for k in (1, 2)]
    known = [end for end in ends if end is not None]
    return np.array(known, np.float64) if len(known) == 2 else None


def _prediction(image: Image, found: Finding, placed: Placed) -> Prediction:
    """Return a finding as a model without doubts would have seen it."""
    name = CALLIPERS[found.plane][0] if found.plane != "head" else ""
    across = placed.ends_px.get(name, _ends_of(found, name))
    if across is None and "APAD" in placed.ends_px:
        down, right = np.diff(placed.ends_px["APAD"], axis=0)[0]
        across = np.array([[0.0, 0.0], [-right, down]])
    said = {flag for m in found.measurements for flag in m.flags}
    return Prediction(
        plane=found.plane,
        plane_probability=found.plane_probability,
        outline_px=_outline(image, found, placed),
        candidates=1,
        softness=0.0,
        model=found.model,
        ends_px=across,
        size_px=_told_px(found, placed),
        flags=tuple(flag for flag in sorted(ABOUT_PLANE & said)),
    )


def _outline(image: Image, found: Finding, placed: Placed) -> Points:
    """Return the part (N, 2) of a placed ellipse inside the image, or the outline as it was."""
    if placed.ellipse is None:
        return found.outline_px
    points = placed.ellipse.points(_OUTLINE_POINTS)
    return points[np.all((points >= -0.5) & (points <= np.array(image.shape) - 0.5), axis=1)]


def _told_px(found: Finding, placed: Placed) -> float | None:
    """Return the size of a finding that is a number alone."""
    if found.ellipse or placed.ellipse or found.points_px or placed.ends_px:
        return None
    return found.measurements[0].value_px if found.measurements else None


def _measured(
    image: Image,
    found: Finding,
    prediction: Prediction,
    placed: Placed,
    spacing: Spacing | None,
) -> Measured:
    if prediction.size_px is not None:
        return number(image, prediction, spacing)
    if found.plane == "femur":
        line = prediction
        if "FL" in placed.ends_px:  # the shaft that a model saw says nothing about it
            ends = placed.ends_px["FL"]
            bar = ends[0] + np.linspace(0, 1, 2)[:, None] * (ends[1] - ends[0])
            line = replace(prediction, outline_px=bar)
        return femur(image, line, spacing)
    ellipse = placed.ellipse or found.ellipse
    if ellipse is None:
        raise MeasurementError(f"the {found.plane} has no ellipse yet: place one")
    how = head if found.plane == "head" else abdomen
    return how(image, prediction, spacing, ellipse)


def _by_hand(measured: Measured, placed: Placed, spacing: Spacing | None) -> Measured:
    """Put the straight lines that a person placed in the place of those of the ellipse."""
    mm, values, ends_px = mm_of(spacing), dict(measured.values), dict(measured.ends_px)
    for name, ends in placed.ends_px.items():
        convention = values[name].convention if name in values else "outer-outer"
        ends_px[name] = left_first(ends)
        values[name] = straight(ends, mm, convention)
    return replace(measured, values=values, ends_px=ends_px)


def _check_lines(placed: Placed, measured: Measured, plane: str, spacing: Spacing | None) -> None:
    """Refuse a diameter that no ellipse of a believable circumference has.

    A flat ellipse goes round its long axis twice; half of the smallest radius is as short as an
    axis may be.

    Raises:
        MeasurementError: no fetus has such a size.
    """
    if spacing is None or plane == "femur":  # the whole of a femur's line is judged already
        return
    limits = _LIMITS[plane]
    low, high = limits.believable_mm[0] / (4 * np.pi), limits.believable_mm[1] / 2
    for name in placed.ends_px:
        length = measured.values[name].length
        if not low <= length <= high:
            raise MeasurementError(
                f"{name} must be {low:.0f} to {high:.0f} mm, got {length:.1f}: no fetus has that"
            )


def _by_person(found: Finding, placed: Placed) -> set[str]:
    """Return the names of the measurements that rest on what a person placed."""
    if placed.ellipse is not None:
        return {*("HC", "AC", "BPD", "OFD", "TAD", "APAD")}
    names = set(placed.ends_px)
    # the transverse line gives the direction of the other one
    return names | {"APAD"} if "TAD" in names else names


def _kept(now: Measurement, before: Measurement, intervals: Intervals) -> Measurement:
    """Return a value with the flags that it had, and with an interval if it had one."""
    factor = now.value / before.value
    low, high = (None if edge is None else edge * factor for edge in (before.low, before.high))
    if low is not None and now.name in intervals:
        low, high = intervals[now.name].around(now.value, now.unit)
    size = [flag for flag in now.flags if flag == "implausible-size"]
    flags = tuple(dict.fromkeys((*before.flags, *size)))
    return replace(now, low=low, high=high, flags=flags)
