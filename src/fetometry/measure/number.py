"""A size that a model told as a number: without an outline there is nothing to check it by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fetometry.errors import MeasurementError, SpacingError
from fetometry.measure.checks import Check, size_checks
from fetometry.measure.finding import Measured, Value
from fetometry.measure.limits import ABDOMEN, FEMUR, HEAD, Limits
from fetometry.types import Image, Prediction, Spacing, same_spacing, spacing_text

TOLD = "told as a number, no outline"

#: Of edge and fit nothing is known: they are taken to be at their limits.
AT_LIMIT = 1.0

_LIMITS: Mapping[str, Limits] = {"head": HEAD, "abdomen": ABDOMEN, "femur": FEMUR}


def mm_per_px(spacing: Spacing) -> float:
    """Return the millimetres of a pixel that a size without a direction can be multiplied by.

    Raises:
        SpacingError: rows and columns differ, and nobody knows how the size lies.
    """
    row, col = spacing.mm
    if not same_spacing((row, col), (col, row)):
        raise SpacingError(
            f"no millimetres: the model tells a number without an outline, and a pixel is not "
            f"square ({spacing_text(spacing.mm)}); measure with a model that draws an outline, or "
            "resample the image to square pixels"
        )
    return float(np.sqrt(row * col))


def number(image: Image, prediction: Prediction, spacing: Spacing | None) -> Measured:
    """Measure what is the plane's main measurement, from a size told in pixels, and no other.

    Raises:
        MeasurementError: no size was told, no fetus has such a size, or pixels are not square.
    """
    if prediction.size_px is None:
        raise MeasurementError(f"the model told no size of the {prediction.plane}")
    limits = _LIMITS[prediction.plane]
    try:
        scale = mm_per_px(spacing) if spacing else 1.0
    except SpacingError as error:
        raise MeasurementError(str(error)) from None
    size = prediction.size_px * scale
    return Measured(
        values={limits.name: Value(size, prediction.size_px, TOLD)},
        ends_px={},
        checks=(
            Check("no-outline", len(prediction.outline_px), low=1),
            *size_checks(size if spacing else None, limits, image.source),
        ),
        softness=AT_LIMIT,
        misfit=AT_LIMIT,
    )
