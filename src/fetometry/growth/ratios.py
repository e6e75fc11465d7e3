"""Ratios of one fetus's sizes, in percent, with the ranges that are usual."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fetometry.growth.conventions import conversion_note, convert_bpd
from fetometry.growth.nouns import Interval, Ratio, Refused, Size, ga_text
from fetometry.growth.numbers import equation_of_age
from fetometry.growth.reading import Catalogue
from fetometry.growth.refusals import GrowthError
from fetometry.growth.spec import RatioSpec

#: Outside it the head is long or round, and a BPD dates and weighs badly; an HC does not.
HEAD_SHAPE = "cephalic_index"


def usual_range(spec: RatioSpec, ga_days: float | None, known: Catalogue) -> Interval | None:
    """Return the usual range in percent at an age; None where none is known."""
    if spec.range_percent:
        return spec.range_percent[0], spec.range_percent[1]
    if ga_days is None:
        return None
    if spec.equations:
        days = np.asarray(ga_days, np.float64)
        middle, half = (equation_of_age(spec.equations[key])(days) for key in ("middle", "half"))
        return float(middle - half), float(middle + half)
    return _quotient(spec, ga_days, known)


def _quotient(spec: RatioSpec, ga_days: float, known: Catalogue) -> Interval | None:
    over, under = (known.chart(name) for name in spec.charts)
    below, middle, above = (
        (
            float(over.value_many(ga_days=ga_days, z=z)),
            float(under.value_many(ga_days=ga_days, z=z)),
        )
        for z in (-1.0, 0.0, 1.0)
    )
    spread = math.hypot(*((above[k] - below[k]) / (2 * middle[k]) for k in (0, 1)))
    low, high = (100 * middle[0] / middle[1] * (1 + sign * 2 * spread) for sign in (-1, 1))
    return (float(low), float(high)) if math.isfinite(low) else None


def ratio_of(
    spec: RatioSpec, sizes: Mapping[str, Size], ga_days: float | None, known: Catalogue
) -> Ratio:
    """Return one ratio and whether it is in its usual range.

    Raises:
        GrowthError: a size is missing, or the BPD does not say its convention.
    """
    missing = [name for name in (spec.over, spec.under) if name not in sizes]
    if missing:
        raise GrowthError(f"{spec.name} needs {spec.over} and {spec.under}; no {missing[0]}")
    notes = []
    values = {}
    for name in (spec.over, spec.under):
        values[name] = sizes[name].value_mm
        if name == "BPD":
            given = sizes[name].convention
            bpd = np.asarray(values[name])
            values[name] = float(convert_bpd(bpd, given=given, wanted=spec.convention))
            notes.append(conversion_note(given=given, wanted=spec.convention))
    percent = 100 * values[spec.over] / values[spec.under]
    limits = usual_range(spec, ga_days, known)
    young = bool(spec.from_days) and (ga_days is None or ga_days < spec.from_days)
    inside = None if young or limits is None else limits[0] <= percent <= limits[1]
    if young:
        notes.append(f"judged from {ga_text(spec.from_days)} on, where the age is known")
    said = tuple(note for note in notes if note)
    return Ratio(spec.name, spec.title, percent, limits, inside, spec.citation, said)


def ratios_of(
    sizes: Mapping[str, Size], ga_days: float | None, known: Catalogue
) -> tuple[tuple[Ratio, ...], tuple[Refused, ...]]:
    """Return every ratio whose two sizes are there, and those that were refused."""
    found, refused = [], []
    for spec in known.ratios.values():
        if spec.over in sizes and spec.under in sizes:
            try:
                found.append(ratio_of(spec, sizes, ga_days, known))
            except GrowthError as error:
                refused.append(Refused(spec.title, spec.name, str(error)))
    return tuple(found), tuple(refused)


def odd_head(ratios: tuple[Ratio, ...]) -> bool:
    """Tell whether the head is so long or round that a BPD is better left out."""
    return any(ratio.name == HEAD_SHAPE and ratio.inside is False for ratio in ratios)
