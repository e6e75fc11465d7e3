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
Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)

#: OpenCV takes coordinates as integers with this many fractional bits.
FRACTION_BITS = 4

#: Farther out than any picture, and safe in 32 bits with the fraction.
FAR_PX = 1e6


@dataclass(frozen=True)
class Style:
    """How a line looks: its colour, and the lengths of its dashes and gaps in turn.

    No dashes is a solid line. Two styles differ in their dashes too, so that they can be told
    apart without colour.
    """

    colour: Colour
    dashes: tuple[float, ...] = ()


def dashed(start: Points, end: Points, pattern: Sequence[float]) -> list[Points]:
    """Return the dashes of a straight line as (2, 2) arrays, the same from either end."""
    length = float(np.linalg.norm(end - start))
    if not pattern or length < 2 * sum(pattern):
        return [np.stack([start, end])]
    half = []
    position, k = 0.0, 0
    while position < length / 2:
        step = pattern[k % len(pattern)]
        if k % 2 == 0:
            half.append((position, min(position + step, length / 2)))
        position, k = position + step, k + 1
    direction = (end - start) / length
    near = [np.stack([start + a * direction, start + b * direction]) for a, b in half]
    far = [np.stack([end - a * direction, end - b * direction]) for a, b in half]
    return near + far


def stroke(canvas: Picture, paths: Sequence[Points], colour: Colour, width: int) -> None:
    """Draw open paths, each (N, 2), anti-aliased and to a fraction of a pixel."""
    turned = [_turned(path) for path in paths]
    cv2.polylines(canvas, turned, False, colour, width, cv2.LINE_AA, FRACTION_BITS)


def fill(canvas: Picture, corners: Points, colour: Colour) -> None:
    """Fill a polygon (N, 2), anti-aliased and to a fraction of a pixel."""
    cv2.fillPoly(canvas, [_turned(corners)], colour, cv2.LINE_AA, FRACTION_BITS)


def _turned(points: Points) -> NDArray[np.int32]:
    near = np.clip(points[:, ::-1], -FAR_PX, FAR_PX)
    return np.round(near * (1 << FRACTION_BITS)).astype(np.int32)


def ascii_text(text: str) -> str:
    """Return the text in the letters that every build of OpenCV can draw.

    Accents are dropped; a letter without a plain one becomes a question mark.
    """
    if text.isascii() and text.isprintable():
        return text
    plain = []
    for letter in text:
        parts = unicodedata.normalize("NFKD", letter)
        kept = "".join(part for part in parts if " " <= part <= "~")
        plain.append(kept or "?")
    return "".join(plain)


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
        """Return the text, its middle left out if it is wider than `room`: both ends of a file
        name say something.
        """
        if self.width(text) <= room:
            return text
        keep = len(text)
        while keep > 2 and self.width(short := _without_middle(text, keep)) > room:
            keep -= 1
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


def _without_middle(text: str, keep: int) -> str:
    tail = keep // 2
    return f"{text[: keep - tail]}...{text[len(text) - tail :]}"
