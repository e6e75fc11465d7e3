"""The two ends of a femur where its mask is all that a model has."""

from __future__ import annotations

import cv2
import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Points


def bar_ends(outline: Points, cap: float) -> Points:
    """Return the two ends (2, 2) of the bar round which an outline (N, 2) runs.

    They are the middles of the short sides of the smallest rectangle, at any angle, round the
    outline, each moved inwards by the `cap`: how far the bar was drawn beyond what it stands for,
    in the unit of the points.

    Raises:
        MeasurementError: the outline is no longer than its caps.
    """
    center, sides, angle_deg = cv2.minAreaRect(outline.astype(np.float32))
    angle = np.radians(angle_deg if sides[0] >= sides[1] else angle_deg + 90)
    half = max(sides) / 2 - cap
    if not half > 0:
        raise MeasurementError("the two ends were not found")
    along = half * np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(np.array(center) + np.array([-along, along]), dtype=np.float64)
