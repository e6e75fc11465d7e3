"""An ellipse that a model tells as a few numbers, in source pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry import MIN_POINTS, Ellipse, Matrix, Outline, invert

#: Centre, long and short diameter in shares of the input's longer side, then the sine and the
#: cosine of twice the long diameter's angle.
DOUBLE_ANGLE = "row, col, long, short / longer side; sin 2t, cos 2t"

#: Centre, long and short diameter in input pixels, then the long diameter's angle in degrees.
DEGREES = "row, col, long, short in pixels; t in degrees"

#: How many numbers there are in each way of telling.
COUNTS = {DOUBLE_ANGLE: 6, DEGREES: 5}

#: Points that the outline has where the image shows all of it.
POINTS = 360

Vector = NDArray[np.floating[Any]]


def read_ellipse(vector: Vector, meaning: Mapping[str, Any], size: tuple[int, int]) -> Ellipse:
    """Read an ellipse, in pixels of the input of `size`, from its parameters (5,) or (6,).

    Angles turn from the columns' direction towards the rows'.

    Raises:
        MeasurementError: the parameters are not finite, or a diameter is not positive.
        ModelError: this version cannot read them.
    """
    values = str(meaning.get("values"))
    if vector.shape != (COUNTS.get(values),):
        raise ModelError(
            f"an ellipse of {vector.shape} numbers, told as {values!r}; this version reads: "
            + " or ".join(f"({count},) {known!r}" for known, count in COUNTS.items())
        )
    told = vector.astype(np.float64)
    lengths = told[:4] * (max(size) if values == DOUBLE_ANGLE else 1)
    if not np.all(np.isfinite(told)) or lengths[2:].min() <= 0:
        raise MeasurementError("no ellipse was found: its diameters are not positive numbers")
    angle = np.arctan2(told[4], told[5]) / 2 if values == DOUBLE_ANGLE else np.radians(told[4])
    long = np.array([np.sin(angle), np.cos(angle)])
    axes = np.stack([long, [long[1], -long[0]]])
    # by its shape: the diameter that was told as the short one may be the longer
    return Ellipse.from_shape(lengths[:2], axes.T @ np.diag(np.square(lengths[2:] / 2)) @ axes)


def ellipse_outline(ellipse: Ellipse, to_input: Matrix, shape: tuple[int, int]) -> Outline:
    """Return the visible outline of an ellipse of the input, in source pixels.

    Points outside the source image of `shape` are left out.

    Raises:
        MeasurementError: almost none of it is visible.
    """
    points = ellipse.transformed(invert(to_input)).points(POINTS)
    last = np.array(shape) - 0.5
    visible = np.all((points >= -0.5) & (points <= last), axis=1)
    if np.count_nonzero(visible) < MIN_POINTS:
        raise MeasurementError("the ellipse lies almost wholly outside the image")
    return Outline(points[visible], 1)


def mirrored(vectors: Vector, meaning: Mapping[str, Any], size: tuple[int, int]) -> Vector:
    """Return the parameters (B, 5 or 6) of ellipses seen in a mirror, left and right changed."""
    turned = vectors.copy()
    if meaning.get("values") == DOUBLE_ANGLE:
        turned[:, 1] = (size[1] - 1) / max(size) - vectors[:, 1]
        turned[:, 4] = -vectors[:, 4]
    else:
        turned[:, 1] = size[1] - 1 - vectors[:, 1]
        turned[:, 4] = 180 - vectors[:, 4]
    return turned
