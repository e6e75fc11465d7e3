"""Grey along lines through a picture, in mm from a true outline or from a true end."""

import cv2
import numpy as np

#: Where the profiles along the normals of an outline are sampled; positive is outside.
DISTANCE_MM = np.arange(-8.0, 6.0, 0.05)


def sampled(pixels, points_mm, spacing_mm):
    """Grey at points (N, M, 2) in mm, interpolated."""
    rows, cols = np.moveaxis(points_mm / np.array(spacing_mm), -1, 0).astype(np.float32)
    return cv2.remap(pixels.astype(np.float32), cols, rows, cv2.INTER_LINEAR)


def along_normals(pixels, ellipse, spacing_mm):
    """Grey along the normals of an outline (360, D), and the normals (360, 2)."""
    in_mm = ellipse.scaled(*spacing_mm)
    points = in_mm.points()
    normals = (points - np.array(in_mm.center)) @ np.linalg.inv(in_mm.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    where = points[:, None] + normals[:, None] * DISTANCE_MM[None, :, None]
    return sampled(pixels, where, spacing_mm), normals


def facing_arcs(pixels, ellipse, spacing_mm):
    """Mean profile (2, D) of the near and of the far arc, where the beam is perpendicular."""
    grey, normals = along_normals(pixels, ellipse, spacing_mm)
    return np.stack([grey[normals[:, 0] < -0.95].mean(0), grey[normals[:, 0] > 0.95].mean(0)])


def at(profile, distance_mm):
    return float(np.interp(distance_mm, DISTANCE_MM, profile))


def shaft_axes(ends_mm):
    """Unit vectors from the first end to the second, and away from the probe."""
    run = (ends_mm[1] - ends_mm[0]) / np.linalg.norm(ends_mm[1] - ends_mm[0])
    down = np.array([run[1], -run[0]])
    return run, down if down[0] > 0 else -down


def along_shaft(pixels, ends_px, spacing_mm, inward_mm):
    """Brightest grey (2, T) within 0.8 mm of the axis, so many mm inward from either end."""
    ends_mm = ends_px * np.array(spacing_mm)
    run, down = shaft_axes(ends_mm)
    across = np.arange(-0.8, 0.85, 0.1)[None, :, None] * down
    lines = [
        end + sign * inward_mm[:, None, None] * run + across
        for end, sign in zip(ends_mm, (1, -1), strict=True)
    ]
    return np.stack([sampled(pixels, line, spacing_mm).max(axis=1) for line in lines])


def across_shaft(pixels, ends_px, spacing_mm, below_mm, shares=(0.1, 0.9)):
    """Grey (100, B) across the shaft between two shares of its length, so many mm below it."""
    ends_mm = ends_px * np.array(spacing_mm)
    _, down = shaft_axes(ends_mm)
    share = np.linspace(*shares, 100)[:, None]
    axis = (1 - share) * ends_mm[0] + share * ends_mm[1]
    return sampled(pixels, axis[:, None] + below_mm[None, :, None] * down, spacing_mm)
