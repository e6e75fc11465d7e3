"""UCUM units as this package has them: mm, g, days and percent."""

from __future__ import annotations

from collections.abc import Mapping

from fetometry.structured.concepts import RATIO_CODES, Concept, Key

#: UCUM code → our unit, and how many of it.
UCUM: Mapping[str, tuple[str, float]] = {
    "um": ("mm", 0.001),
    "mm": ("mm", 1.0),
    "cm": ("mm", 10.0),
    "m": ("mm", 1000.0),
    "mg": ("g", 0.001),
    "g": ("g", 1.0),
    "kg": ("g", 1000.0),
    "d": ("d", 1.0),
    "wk": ("d", 7.0),
    "%": ("%", 1.0),
    "1": ("1", 1.0),
}

#: What manufacturers write for a centile; not UCUM, but there is no doubt what it means.
VENDOR_PERCENT = ("%tile", "{%tile}", "%ile", "{percentile}")

#: A factor of ten leaves dust in the last digits of a float, which no report ever had.
_DIGITS = 9


def converted(value: float, unit: Concept | None, concept: Key | None) -> tuple[float, str]:
    """Return a value and its unit in mm, g, d, % or 1; of another unit both as they are.

    A ratio that is given as a share of one is returned in percent.
    """
    if unit is None:
        return value, ""
    if unit.code in VENDOR_PERCENT:
        return value, "%"
    if unit.scheme != "UCUM" or unit.code not in UCUM:
        return value, unit.code
    ours, factor = UCUM[unit.code]
    if ours == "1" and concept in RATIO_CODES:
        return round(100 * value, _DIGITS), "%"
    return round(value * factor, _DIGITS), ours
