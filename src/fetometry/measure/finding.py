"""From what was measured to the finding that the other stages know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fetometry.geometry import Ellipse, Points
from fetometry.measure.checks import Check, flags_of, quality
from fetometry.types import Finding, Image, Measurement, Prediction, Spacing


@dataclass(frozen=True)
class Value:
    """A length: in mm (in pixels where no spacing is known), in source pixels, and what it is."""

    length: float
    length_px: float
    convention: str


@dataclass(frozen=True)
class Measured:
    """What a plane gives: values by name, the ends (2, 2) of the straight ones, its quality.

    `softness` and `misfit` are those of `quality`, relative to their limits.
    """

    values: Mapping[str, Value]
    ends_px: Mapping[str, Points]
    checks: tuple[Check, ...]
    softness: float
    misfit: float
    ellipse: Ellipse | None = None


def mm_of(spacing: Spacing | None) -> Points:
    """Return the millimetres (2,) of a pixel's (row, col); ones where they are not known."""
    return np.array(spacing.mm if spacing else (1.0, 1.0))


def left_first(ends: Points) -> Points:
    """Return two ends (2, 2) with the left one first; of two above each other the upper one."""
    return ends[np.lexsort((ends[:, 0], ends[:, 1]))]


def straight(ends_px: Points, mm: Points, convention: str) -> Value:
    """Return the distance of two ends (2, 2)."""
    across = ends_px[1] - ends_px[0]
    return Value(float(np.linalg.norm(across * mm)), float(np.linalg.norm(across)), convention)


def _measurement(
    name: str, value: Value, unit: str, prediction: Prediction, flags: tuple[str, ...]
) -> Measurement:
    low, high = None, None
    if name in prediction.intervals:
        low, high = prediction.intervals[name].around(value.length, unit)
    return Measurement(
        name, value.length, unit, value.length_px, value.convention, low, high, flags
    )


def finding(
    image: Image, prediction: Prediction, spacing: Spacing | None, measured: Measured
) -> Finding:
    """Return the finding of one structure in one frame."""
    flags = flags_of(measured.checks, prediction)
    unit = "mm" if spacing else "px"
    points = {
        f"{name}_{k + 1}": (float(ends[k, 0]), float(ends[k, 1]))
        for name, ends in measured.ends_px.items()
        for k in (0, 1)
    }
    return Finding(
        source=image.source,
        frame=image.frame,
        plane=prediction.plane,
        plane_probability=prediction.plane_probability,
        model=prediction.model,
        spacing=spacing,
        outline_px=prediction.outline_px,
        ellipse=measured.ellipse,
        points_px=points,
        measurements=tuple(
            _measurement(name, value, unit, prediction, flags)
            for name, value in measured.values.items()
        ),
        quality=quality(prediction, flags, softness=measured.softness, misfit=measured.misfit),
        fetus=image.fetus,
        exam=image.exam,
    )
