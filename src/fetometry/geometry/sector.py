"""Where an ultrasound picture has echoes: the sector, with black around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry.affine import Points

#: The longer side, in pixels, of the small picture in which the sector is looked for.
SMALL = 160

#: The surroundings are no brighter than this. They are not always 0: a machine's export or a
#: JPEG lifts them by a few grey values.
DARKEST = 16

#: Patches of echoes smaller than this share of the picture are text, a ruler or a grey bar.
LEAST_PATCH = 0.015

#: How far, in small pixels, the straight sides of the polygon may lie from the outline.
STRAIGHT = 1.5

#: A side is an edge of the sector where it is at least this long (share of the longer side of
#: the picture) and has echoes right along it for this share of its length: a side that only
#: bridges two bright patches crosses a dark one.
LEAST_LENGTH, LEAST_ECHOES = 0.12, 0.6


@dataclass(frozen=True)
class Sector:
    """The straight edges of the convex part of a picture that shows echoes.

    `normals` (N, 2) point outwards, as (row, col), and have length 1; the edge is where
    `normals @ point == offsets` (N,), in pixels. A picture that echoes fill has no edges.
    """

    normals: Points
    offsets: NDArray[np.float64]

    def beyond(self, points: Points) -> NDArray[np.float64]:
        """Return how many pixels (N,) each point (N, 2) lies outside; negative inside."""
        distances = points @ self.normals.T - self.offsets
        return np.asarray(distances.max(axis=1, initial=-np.inf))


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # a large picture is thinned out first: averaging all of its pixels takes four times as long
    step = max(1, max(pixels.shape) // (3 * SMALL))
    pixels = np.ascontiguousarray(pixels[::step, ::step])
    scale = min(1.0, SMALL / max(pixels.shape))
    rows, cols = (max(1, round(scale * length)) for length in pixels.shape)
    return np.asarray(cv2.resize(pixels, (cols, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _lit(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which pixels are brighter than the surroundings; all, where there are none."""
    bands = (small[:2], small[-2:], small[:, :2], small[:, -2:])
    rim = np.concatenate([band.ravel() for band in bands])
    dark = rim[rim <= DARKEST]
    if len(dark) < 0.02 * len(rim):
        return np.ones(small.shape, bool)
    return np.asarray(small > int(np.quantile(dark, 0.1)) + 1)


def _corners(lit: NDArray[np.bool_]) -> Points:
    """Return the corners (N, 2) of the convex polygon round the patches of echoes, in order."""
    opened = cv2.morphologyEx(lit.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return np.zeros((0, 2))
    areas = stats[:, cv2.CC_STAT_AREA]
    large = areas >= min(LEAST_PATCH * lit.size, int(areas[1:].max()))
    large[0] = False
    patches: NDArray[Any] = large[labels].astype(np.uint8)
    outlines, _ = cv2.findContours(patches, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.concatenate(outlines))
    corners = cv2.approxPolyDP(hull, STRAIGHT, closed=True)
    return np.asarray(corners[:, 0, ::-1], np.float64)


def _on_rim(start: Points, end: Points, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which lines run along the rim of the picture: echoes end there, but not the sector."""
    first = np.maximum(start, end) <= 1
    last = np.minimum(start, end) >= np.array(shape) - 2
    return np.asarray(np.any(first | last, axis=1))


def find_sector(pixels: NDArray[np.uint8]) -> Sector:
    """Find the straight edges of the sector in a picture (H, W) of grey pixels.

    Everything brighter than the surroundings, but for text and rulers, lies in a convex polygon.
    Those of its sides are kept that are long and have echoes along them: a dark patch of fluid
    or shadow at the rim of the picture leaves no edge. An edge in full shadow is not found.
    """
    small = _small(pixels)
    lit = _lit(small)
    start = _corners(lit)
    if len(start) < 3:
        return Sector(np.zeros((0, 2)), np.zeros(0))
    end = np.roll(start, -1, axis=0)
    side = end - start
    length = np.linalg.norm(side, axis=1)
    normal = np.stack([side[:, 1], -side[:, 0]], axis=1) / length[:, None]
    middle = start.mean(axis=0)
    normal *= np.sign(np.sum((start - middle) * normal, axis=1))[:, None]
    # (N, 48, 4, 2): points along each side, each at four depths below it
    along = start[:, None] + (np.arange(48)[:, None] + 0.5) / 48 * side[:, None]
    looked = along[:, :, None] - np.arange(4)[:, None] * normal[:, None, None]
    at = np.clip(np.rint(looked).astype(int), 0, np.array(small.shape) - 1)
    echoes = lit[at[..., 0], at[..., 1]].any(axis=2).mean(axis=1)
    is_edge = (echoes >= LEAST_ECHOES) & (length >= LEAST_LENGTH * max(small.shape))
    is_edge &= ~_on_rim(start, end, small.shape)
    normal = normal[is_edge]
    # the edge is half a small pixel outside the centres of the outermost ones
    offset = np.sum(start[is_edge] * normal, axis=1) + 0.5
    shrunk = np.array(pixels.shape) / np.array(small.shape)
    normal_px = normal / shrunk
    offset = offset - np.sum(normal * (0.5 / shrunk - 0.5), axis=1)
    size = np.linalg.norm(normal_px, axis=1)
    return Sector(normal_px / size[:, None], offset / size)
