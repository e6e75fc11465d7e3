"""From an exam to growth, and from one exam to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fetometry.growth.nouns import Growth, Placement, Refused, Size
from fetometry.growth.refusals import GrowthError
from fetometry.growth.spec import MM, SIZES
from fetometry.types import Exam, Selected


def given_sizes(
    values: dict[str, float | None], *, units: str = "mm", bpd_convention: str = ""
) -> tuple[Size, ...]:
    """Return the sizes that a person gave by name, without those that are None.

    Raises:
        GrowthError: the units are not mm or cm, or a value is not a positive number.
    """
    if units not in MM:
        raise GrowthError(f"units must be {' or '.join(MM)}, got {units!r}")
    return tuple(
        Size(name, value * MM[units], convention=bpd_convention if name == "BPD" else "")
        for name, value in values.items()
        if value is not None
    )


def sizes_of(exam: Exam, fetus: str = "") -> tuple[tuple[Size, ...], tuple[Refused, ...]]:
    """Return the values that count of one fetus of an exam, and those that are not in mm."""
    conventions = {
        measured.name: measured.convention
        for finding in exam.findings
        for measured in finding.measurements
    }
    sizes, refused = [], []
    for chosen in exam.selected:
        if chosen.fetus != fetus or chosen.name not in SIZES:
            continue
        if chosen.unit == "mm":
            sizes.append(_size(chosen, conventions.get(chosen.name, "")))
        else:
            reason = "its millimetres are not known: the image does not say how large a pixel is"
            refused.append(Refused(chosen.name, "growth", reason))
    return tuple(sizes), tuple(refused)


def _size(chosen: Selected, convention: str) -> Size:
    interval = None
    if chosen.low is not None and chosen.high is not None:
        # a median or a mean need not lie in the interval that was kept for it
        interval = min(chosen.low, chosen.value), max(chosen.high, chosen.value)
    return Size(chosen.name, chosen.value, interval, convention, chosen.flags)


@dataclass(frozen=True)
class Velocity:
    """How one measurement changed between two exams, on one chart.

    `per_week` is in mm or g a week. No range is given: no published one was at hand.
    """

    name: str
    chart: str
    unit: str
    from_days: float
    to_days: float
    per_week: float
    z_change: float | None


def velocities(growths: Sequence[Growth]) -> tuple[Velocity, ...]:
    """Return the change of every measurement from each exam to the next that has it.

    Exams whose age was estimated from the sizes are left out: the interval between them is not
    known.
    """
    dated = [g for g in growths if g.age is not None and not g.age.estimated]
    latest: dict[tuple[str, str], Placement] = {}
    found = []
    for growth in sorted(dated, key=lambda g: g.age.days if g.age else 0.0):
        for placed in growth.placements:
            before = latest.get((placed.name, placed.chart))
            if before is not None and placed.ga_days > before.ga_days:
                found.append(_velocity(before, placed))
            latest[placed.name, placed.chart] = placed
    return tuple(found)


def _velocity(before: Placement, after: Placement) -> Velocity:
    weeks = (after.ga_days - before.ga_days) / 7
    z_change = None
    if before.z is not None and after.z is not None and not (before.beyond or after.beyond):
        z_change = after.z - before.z
    return Velocity(
        after.name,
        after.chart,
        after.unit,
        before.ga_days,
        after.ga_days,
        (after.value - before.value) / weeks,
        z_change,
    )


def with_refused(growth: Growth, refused: Sequence[Refused]) -> Growth:
    """Return a growth with further refusals."""
    return replace(growth, refused=(*growth.refused, *refused))
