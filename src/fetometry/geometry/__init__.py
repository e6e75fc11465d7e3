"""Outlines, ellipses and the ultrasound sector, to a fraction of a pixel.

Points are (N, 2) float arrays of (row, col); the centre of the first pixel is (0, 0).
Angles are in degrees from the column axis towards the row axis: clockwise on the screen.
"""

from fetometry.geometry.affine import Matrix, Points, apply, compose, invert, letterbox
from fetometry.geometry.ellipse import (
    MIN_POINTS,
    Ellipse,
    EllipseFit,
    distances_to,
    ellipse_circumference,
    fit_ellipse,
)
from fetometry.geometry.outline import Outline, largest_component, trace
from fetometry.geometry.sector import Sector, find_sector

__all__ = [
    "MIN_POINTS",
    "Ellipse",
    "EllipseFit",
    "Matrix",
    "Outline",
    "Points",
    "Sector",
    "apply",
    "compose",
    "distances_to",
    "ellipse_circumference",
    "find_sector",
    "fit_ellipse",
    "invert",
    "largest_component",
    "letterbox",
    "trace",
]
