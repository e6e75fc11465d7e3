"""The picture that every plane is shown in: what is allowed, and how far an operator zooms."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fetometry.errors import UsageError
from fetometry.geometry import Points
from fetometry.phantom.probe import Screen

SIDE_RANGE_PX = (300, 2048)


def check_range(
    what: str, value: float, allowed: tuple[float, float], *, unit: str = "", ask: str = ""
) -> None:
    """Refuse a value that is out of range, or no number.

    Raises:
        UsageError: with the range, and what to `ask` oneself.
    """
    low, high = allowed
    if not low <= value <= high:  # also refuses NaN
        raise UsageError(f"{what} must be {low:g} to {high:g}{unit}, got {value:g}{ask}")


def check_picture(shape: tuple[int, int], seed: int, place: Iterable[float]) -> None:
    """Refuse a picture that cannot be drawn; `place` is every angle and offset of the spec.

    Raises:
        UsageError: a side, the seed, an angle or an offset is not usable.
    """
    for side in shape:
        check_range("each side of the picture", side, SIDE_RANGE_PX, unit=" pixels")
    if not all(map(math.isfinite, place)):
        raise UsageError("angle and offset must be finite numbers")
    if seed < 0:
        raise UsageError(f"the seed must be 0 or more, got {seed}")


def check_inside(what: str, points_mm: Points, screen: Screen) -> None:
    """Refuse a structure of which the picture would show less than half; points are (N, 2).

    Raises:
        UsageError: most of the points lie outside the picture.
    """
    inside = (points_mm >= 0) & (points_mm <= np.array(screen.size_mm))
    if np.mean(inside.all(axis=1)) < 0.5:
        raise UsageError(
            f"less than half of the {what} lies in the picture of {screen.size_mm[0]:.0f} x "
            f"{screen.size_mm[1]:.0f} mm; move it or give larger pixels"
        )


def zoomed(
    shape: tuple[int, int], extent_mm: tuple[float, float], fills: tuple[float, float], zoom: float
) -> Screen:
    """Return the screen on which a structure of that height and width fills the picture.

    `fills` are the largest shares of the picture's width and of its height, as an operator would
    zoom; `zoom` below 1 leaves more room.
    """
    height, width = extent_mm
    pixel_mm = max(width / fills[0] / shape[1], height / fills[1] / shape[0]) / zoom
    return Screen(shape, (round(pixel_mm, 4), round(pixel_mm, 4)))


def ellipse_extent_mm(semi_axes_mm: tuple[float, float], angle_deg: float) -> tuple[float, float]:
    """Return height and width of an ellipse whose first axis is turned by an angle."""
    a, b = semi_axes_mm
    turn = math.radians(angle_deg)
    width = 2 * math.hypot(a * math.cos(turn), b * math.sin(turn))
    height = 2 * math.hypot(a * math.sin(turn), b * math.cos(turn))
    return height, width
