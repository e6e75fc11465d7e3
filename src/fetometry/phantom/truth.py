"""What is true of a phantom: the one thing that pictures of every plane have in common."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Ellipse, Points

TRUTH_SCHEMA = "fetometry-phantom/1"


class Phantom(Protocol):
    """A picture (H, W) uint8 whose truth is known; `plane` is one of those measured.

    `facts` holds what is true of this plane alone, ready for JSON: sizes in mm, and where they
    were taken, in pixels (row, col).
    """

    plane: ClassVar[str]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture."""

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Size of a pixel (row, col)."""

    @property
    def seed(self) -> int:
        """What it was made from, beside its spec."""

    @property
    def facts(self) -> dict[str, object]:
        """What is true of this plane."""


def truth(phantom: Phantom) -> dict[str, object]:
    """Return what is true of the phantom, ready for JSON; pixels are (row, col)."""
    return {
        "schema": TRUTH_SCHEMA,
        "plane": phantom.plane,
        **phantom.facts,
        "spacing_mm": list(phantom.spacing_mm),
        "seed": phantom.seed,
    }


def ellipse_facts(ellipse: Ellipse) -> dict[str, object]:
    """Return an ellipse in pixels, ready for JSON."""
    return {
        "center_px": list(ellipse.center),
        "semi_axes_px": list(ellipse.semi_axes),
        "angle_deg": ellipse.angle_deg,
    }


def points_facts(points_px: Points) -> list[list[float]]:
    """Return points (N, 2) in pixels, ready for JSON."""
    return [[float(row), float(col)] for row, col in points_px]
