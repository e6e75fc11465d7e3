"""What growth takes and what it returns: Size → Age, Weight, Placement, Ratio → Growth.

All are frozen and valid once built. Sizes are in mm, weights in g, ages in exact days; an
interval is (low, high) at 95 %, or None where nothing is known about it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetometry.growth.refusals import GrowthError

Interval = tuple[float, float]

#: Longest pregnancy that a chart or a formula may be made for, in days.
MOST_DAYS = 308

#: Two sonographers differ by less than this, in percent, in 95 of 100 cases.
#: Sarris I et al. Ultrasound Obstet Gynecol 2012;39:266-273.
BETWEEN_OBSERVERS_PERCENT: Mapping[str, float] = {"HC": 4.9, "AC": 8.8, "FL": 11.1}

SCHEMA = "fetometry-growth/1"


def _checked(name: str, value: float, interval: Interval | None) -> None:
    numbers = (value, *(interval or ()))
    if not all(math.isfinite(number) and number > 0 for number in numbers):
        raise GrowthError(f"{name} must be a positive number with its interval, got {numbers}")
    if interval and not interval[0] <= value <= interval[1]:
        raise GrowthError(f"{name}: {value:g} does not lie in its interval {interval}")


@dataclass(frozen=True)
class Size:
    """One measurement of the fetus in mm, with its convention and its flags."""

    name: str
    value_mm: float
    interval_mm: Interval | None = None
    convention: str = ""
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checked(self.name, self.value_mm, self.interval_mm)


@dataclass(frozen=True)
class Age:
    """A gestational age in exact days, and what it rests on.

    `source` is edd (an agreed due date), ga, crl, lmp or biometry. Only biometry is estimated:
    then `from_sizes` names the measurements that it came from. `others` are the ages, in days, by
    sources that were given too and did not count.
    """

    days: float
    interval_days: Interval | None
    source: str
    formula: str = ""
    from_sizes: tuple[str, ...] = ()
    others: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checked("the gestational age", self.days, self.interval_days)
        if self.days > MOST_DAYS:
            raise GrowthError(
                f"the gestational age must be up to {MOST_DAYS} days, got {self.days:g}"
            )

    @property
    def estimated(self) -> bool:
        """Whether the age was estimated from the measurements themselves."""
        return bool(self.from_sizes)

    @property
    def text(self) -> str:
        """Weeks and days to the nearest day, such as 23w4d."""
        return ga_text(self.days)


def ga_text(days: float) -> str:
    """Return an age in weeks and days, to the nearest day: 165 is 23w4d."""
    whole = math.floor(days + 0.5)
    return f"{whole // 7}w{whole % 7}d"


@dataclass(frozen=True)
class Weight:
    """An estimated fetal weight; its interval holds the formula's own error."""

    value_g: float
    interval_g: Interval | None
    formula: str
    citation: str
    from_sizes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _checked("the weight", self.value_g, self.interval_g)


@dataclass(frozen=True)
class Placement:
    """Where one size or weight stands on one chart.

    z and centile are None where the chart has a median alone. `beyond` is "<" or ">" where they
    are only the chart's outermost ones; `outermost` are the lowest and the highest centile of a
    chart of printed curves. `circular`: the age was estimated from this very measurement, so that
    its centile says little. `convention` is the chart's, to which the value was brought.
    """

    name: str
    value: float
    unit: str
    interval: Interval | None
    convention: str
    chart: str
    title: str
    citation: str
    ga_days: float
    median: float
    z: float | None
    z_interval: Interval | None
    centile: float | None
    centile_interval: Interval | None
    beyond: str = ""
    outermost: Interval | None = None
    formula: str = ""
    circular: bool = False
    notes: tuple[str, ...] = ()

    @property
    def centile_text(self) -> str:
        """The centile as it is shown: 34, 2.1, <1, >99; empty without one."""
        return "" if self.centile is None else centile_text(self.centile, self.beyond)


#: Centiles that people judge by: a centile is shown on the side of each on which it is.
MARKS = (1.0, 3.0, 5.0, 10.0, 90.0, 95.0, 97.0, 99.0)


def centile_text(centile: float, beyond: str = "") -> str:
    """Return a centile as it is shown: whole between 5 and 95, one decimal outside.

    More decimals where rounding would move it to another side of 10 or of another mark. What
    would round to 0 or 100 is <0.1 or >99.9: no fetus is below all others.
    """
    if beyond:
        return f"{beyond}{centile:g}"
    if centile < 0.05:
        return "<0.1"
    if centile > 99.95:
        return ">99.9"
    text = f"{centile:.0f}" if 5 <= centile <= 95 else f"{centile:.1f}"
    decimals = 1
    while decimals < 6 and any(
        _sides(centile, mark) != _sides(float(text), mark) for mark in MARKS
    ):
        text = f"{centile:.{decimals}f}"
        decimals += 1
    return text


def _sides(centile: float, mark: float) -> tuple[bool, bool]:
    return centile < mark, centile > mark


@dataclass(frozen=True)
class CentileCurves:
    """Samples of a chart for drawing: `values` has one row for each of `centiles`, by `ga_days`."""

    chart: str
    measurement: str
    unit: str
    ga_days: tuple[float, ...]
    centiles: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Ratio:
    """A ratio in percent and its published range; `inside` is None where it is not judged."""

    name: str
    title: str
    percent: float
    range_percent: Interval | None
    inside: bool | None
    citation: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """What could not be given, by which chart or formula, and why."""

    what: str
    by: str
    reason: str


@dataclass(frozen=True)
class Growth:
    """What one exam of one fetus says about growth, with what a report draws.

    The first of `weights` is by the house's formula; others are those that a chart demands.
    """

    age: Age | None
    weights: tuple[Weight, ...] = ()
    placements: tuple[Placement, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    curves: tuple[CentileCurves, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it; a number that does not exist is null."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}
