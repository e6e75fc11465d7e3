"""A size that a model tells as one number, without saying where it lies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import Matrix


def size_px(
    value: NDArray[np.floating[Any]], meaning: Mapping[str, Any], to_input: Matrix
) -> float:
    """Return the size (1,) of an output of kind "size" in source pixels.

    `to_input` is the 2x3 letterbox from source pixels to the input: it has one scale.

    Raises:
        MeasurementError: the number is not positive, or no number.
    """
    told = float(value[0]) * float(meaning["scale_px"])
    if not math.isfinite(told) or told <= 0:
        raise MeasurementError(f"the model tells no size ({told:.4g} pixels of its input)")
    return told / float(np.sqrt(abs(np.linalg.det(to_input[:, :2]))))
