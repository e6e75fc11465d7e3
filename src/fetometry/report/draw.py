"""Pens and fonts: the little that the overlay needs on top of OpenCV.

Points are (row, col) here as everywhere; they are turned round where OpenCV takes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points

Picture = NDArray[np.uint8]  # (H, W, 3), blue green red as OpenCV has it
Paths = NDArray[np.float64]  # (K, N, 2): K paths of N points each
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)

#: OpenCV takes coordinates as integers with this many fractional bits.
FRACTION_BITS = 4

#: Farther out than any picture, and safe in 32 bits with the fraction.
FAR_PX = 1e6


#: Up to this size lines and text have their plain thickness and height.
PLAIN_SIZE_PX = 960


def unit_for(size_px: int) -> float:
    """Return by how much lines and text grow on a picture of this size: 1 or more."""
    return max(1.0, size_px / PLAIN_SIZE_PX)


@dataclass(frozen=True)
class Style:
    """How a line looks: its colour, and the lengths of its dashes and gaps; None is solid.

    Two styles differ in their dashes too, so that they can be told apart without colour.
    """

    colour: Colour
    dash: tuple[float, float] | None = None


def dashed(ends: Points, style: Style, unit: float) -> Paths:
    """Return the dashes (K, 2, 2) of a straight line between two points (2, 2).

    They are the same from either end, and begin with a whole dash at both.
    """
    if style.dash is None:
        return ends[None]
    on, off = (unit * length for length in style.dash)
    half = float(np.linalg.norm(ends[1] - ends[0])) / 2
    starts = np.arange(0, max(half, 1e-9), on + off)
    reach = np.stack([starts, np.minimum(starts + on, half)], axis=1)  # (K, 2)
    steps = reach[..., None] * direction(ends)  # (K, 2, 2)
    return np.concatenate([ends[0] + steps, ends[1] - steps])


def direction(ends: Points) -> Points:
    """Return the unit vector from the first of two points (2, 2) to the second."""
    span = ends[1] - ends[0]
    return np.asarray(span / max(float(np.linalg.norm(span)), 1e-9))


def stroke(canvas: Picture, paths: Paths, colour: Colour, width: int) -> None:
    """Draw open paths (K, N, 2), anti-aliased and to a fraction of a pixel."""
    cv2.polylines(canvas, list(_turned(paths)), False, colour, width, cv2.LINE_AA, FRACTION_BITS)


def fill(canvas: Picture, corners: Points, colour: Colour) -> None:
    """Fill a polygon (N, 2), anti-aliased and to a fraction of a pixel."""
    cv2.fillPoly(canvas, [_turned(corners)], colour, cv2.LINE_AA, FRACTION_BITS)


def _turned(points: Points) -> NDArray[np.int32]:
    near = np.clip(points[..., ::-1], -FAR_PX, FAR_PX)
    return np.round(near * (1 << FRACTION_BITS)).astype(np.int32)


def ascii_text(text: str) -> str:
    """Return the text in the letters that every build of OpenCV can draw.

    Accents are dropped; a letter without a plain one becomes a question mark.
    """
    if text.isascii() and text.isprintable():
        return text
    parts = unicodedata.normalize("NFKD", text)
    kept = (part for part in parts if not unicodedata.combining(part))
    return "".join(part if " " <= part <= "~" else "?" for part in kept)


@dataclass(frozen=True)
class Font:
    """A size (1 is a capital of about 20 px), a weight and a colour of text."""

    size: float
    colour: Colour
    bold: bool = False

    @property
    def _face(self) -> int:
        return cv2.FONT_HERSHEY_DUPLEX if self.bold else cv2.FONT_HERSHEY_SIMPLEX

    @property
    def _thickness(self) -> int:
        return max(1, round(self.size))

    def scaled(self, unit: float) -> Font:
        """Return the font at another size."""
        return replace(self, size=self.size * unit)

    def width(self, text: str) -> int:
        """Return the width of a line of text in pixels."""
        return int(cv2.getTextSize(ascii_text(text), self._face, self.size, self._thickness)[0][0])

    def put(self, canvas: Picture, text: str, row: float, col: float) -> None:
        """Draw a line of text; `row` is its baseline, `col` its left end."""
        at = (round(col), round(row))
        cv2.putText(
            canvas,
            ascii_text(text),
            at,
            self._face,
            self.size,
            self.colour,
            self._thickness,
            cv2.LINE_AA,
        )

    def put_with_halo(self, canvas: Picture, text: str, row: float, col: float) -> None:
        """Draw a line of text with a dark rim, readable on black and on white."""
        rim = max(1, round(1.5 * self.size))
        dark = replace(self, colour=BLACK)
        for down in (-rim, 0, rim):
            for right in (-rim, 0, rim):
                dark.put(canvas, text, row + down, col + right)
        self.put(canvas, text, row, col)

    def cut(self, text: str, room: float) -> str:
        """Return the text, without its middle if it is wider than `room`.

        Both ends of a file name say something.
        """
        short, keep = text, len(text)
        while keep > 2 and self.width(short) > room:
            keep -= 1
            tail = keep // 2
            short = f"{text[: keep - tail]}...{text[len(text) - tail :]}"
        return short

    def wrapped(self, pieces: Sequence[str], between: str, room: float) -> list[str]:
        """Return lines no wider than `room`, broken between pieces only."""
        lines: list[str] = []
        for piece in pieces:
            longer = f"{lines[-1]}{between}{piece}" if lines else ""
            if lines and self.width(longer) <= room:
                lines[-1] = longer
            else:
                lines.append(self.cut(piece, room))
        return lines
