"""Intervals carried through formulas and charts.

Method: each input is moved to the ends of its 95 % interval, the others left as they are, and
the changes of the result are added in quadrature, upwards and downwards apart. Inputs err
independently, but for the calibration: it stretches all sizes together. The formula's own error
is one more term. Weights change as logarithms, ages and z scores as they are. This is exact for
straight functions and normal errors; a test compares it with a simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fetometry.growth.chart import Chart
from fetometry.growth.formula import Formula
from fetometry.growth.normal import centile_of, z_of
from fetometry.growth.nouns import BETWEEN_OBSERVERS_PERCENT, Interval, Size
from fetometry.growth.refusals import Floats


@dataclass(frozen=True)
class Change:
    """By how much one source of error moves a result, down (negative) and up."""

    down: float
    up: float


def combined(value: float, changes: Sequence[Change]) -> Interval | None:
    """Return the interval round a value, its changes added in quadrature; None of none."""
    if not changes:
        return None
    down = math.sqrt(sum(change.down**2 for change in changes))
    up = math.sqrt(sum(change.up**2 for change in changes))
    return value - down, value + up


def _change(value: float, ends: Floats) -> Change:
    steps = ends[np.isfinite(ends)] - value
    return Change(float(min((0.0, *steps))), float(max((0.0, *steps))))


def with_interval(size: Size) -> tuple[Size, str]:
    """Return a size with an interval, and what is to be said where it had none of its own.

    By how much two sonographers differ stands for an interval that is missing.
    """
    if size.interval_mm is not None:
        return size, ""
    share = BETWEEN_OBSERVERS_PERCENT.get(size.name, 0.0) / 100
    if not share:
        return size, f"{size.name} came without an interval: its error is not in the range"
    around = (size.value_mm * (1 - share), size.value_mm * (1 + share))
    wide = Size(size.name, size.value_mm, around, size.convention, size.flags)
    said = f"{size.name} came without an interval: {100 * share:g} % is taken, by which two "
    return wide, said + "sonographers differ (Sarris 2012)"


def calibrated(size: Size, calibration_percent: float) -> Size:
    """Return a size whose interval holds the calibration's error too."""
    if not calibration_percent:
        return size
    stretch = size.value_mm * calibration_percent / 100
    low, high = size.interval_mm or (size.value_mm, size.value_mm)
    around = (
        size.value_mm - math.hypot(size.value_mm - low, stretch),
        size.value_mm + math.hypot(high - size.value_mm, stretch),
    )
    return Size(size.name, size.value_mm, around, size.convention, size.flags)


def formula_interval(
    formula: Formula, sizes: Mapping[str, Size], calibration_percent: float = 0.0
) -> Interval | None:
    """Return the 95 % interval of a formula's result, in days or g; None where nothing is known.

    `sizes` are those that it needs, the BPD in its convention.
    """
    logs = formula.output_unit == "g"
    values = {name: sizes[name].value_mm for name in formula.inputs}
    rows = [values]
    for name in formula.inputs:
        rows += [{**values, name: end} for end in sizes[name].interval_mm or ()]
    moved = [name for name in formula.inputs if sizes[name].interval_mm]
    if calibration_percent:
        factors = (1 - calibration_percent / 100, 1 + calibration_percent / 100)
        rows += [{name: value * factor for name, value in values.items()} for factor in factors]
        moved.append("calibration")
    table = {name: np.array([row[name] for row in rows]) for name in formula.inputs}
    results = formula.unbounded(table)
    if logs:
        results = np.log(results)
    value, ends = float(results[0]), results[1:].reshape(len(moved), 2)
    changes = [_change(value, pair) for pair in ends]
    changes += _own_error(formula, values, value, logs)
    found = combined(value, changes)
    if found is None or not logs:
        return found
    return math.exp(found[0]), math.exp(found[1])


def _own_error(
    formula: Formula, values: Mapping[str, float], value: float, logs: bool
) -> list[Change]:
    error = formula.error_95(values, math.exp(value) if logs else value)
    if error is None:
        return []
    half = float(error)
    if logs:
        share = half / math.exp(value)
        return [Change(math.log1p(-share), math.log1p(share))]
    return [Change(-half, half)]


def z_interval(
    chart: Chart,
    value: float,
    ga_days: float,
    *,
    value_interval: Interval | None,
    age_interval: Interval | None,
) -> Interval | None:
    """Return the 95 % interval of a z score; None where neither value nor age has an interval.

    The value is in mm or g, in the chart's convention. What would be beyond the chart's ages or
    its outermost curves counts as far as they go. None, too, where an end of the value's interval
    is no size of a fetus: a range without it would be too narrow.
    """
    low, high = chart.spec.ga_days
    pairs = [(value, ga_days)]
    pairs += [(end, ga_days) for end in value_interval or ()]
    pairs += [(value, min(max(end, low), high)) for end in age_interval or ()]
    values, days = (np.array(column) for column in zip(*pairs, strict=True))
    convention = chart.spec.demands_convention
    z = chart.place_many(values, days, convention=convention).z
    if not np.isfinite(z).all():
        return None
    ends = z[1:].reshape(-1, 2)
    found = combined(float(z[0]), [_change(float(z[0]), pair) for pair in ends])
    levels = chart.distribution.levels
    if found is None or not levels:
        return found
    lowest, highest = (float(edge) for edge in z_of(np.array([levels[0], levels[-1]])))
    return max(found[0], lowest), min(found[1], highest)


def centile_interval(z: Interval | None) -> Interval | None:
    """Return the interval of a centile from that of its z score."""
    if z is None:
        return None
    low, high = centile_of(np.array(z))
    return float(low), float(high)
