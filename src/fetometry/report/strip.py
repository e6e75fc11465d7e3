"""Pieces that the strip below a picture and the picture of an exam share."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fetometry.report.draw import Picture, dashed, fill, stroke
from fetometry.report.styles import (
    AMBER,
    BACKGROUND,
    DETAIL,
    FLAG,
    LINE,
    NAME,
    NOTICE,
    PAD,
    RULE,
    SIGN,
    SMALL_BOLD,
    SWATCH,
    style_of,
)
from fetometry.types import Finding

#: Between the parts of one line.
BAR = "   |   "

Lines = tuple[str, ...]


def blank(height: int, width: int) -> Picture:
    """Return an empty sheet (height, width, 3)."""
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = BACKGROUND
    return sheet


def rule(sheet: Picture, row: float, margin: float, unit: float) -> None:
    """Draw a dim line across the sheet, `margin` away from its sides."""
    ends = (round(margin), round(row)), (round(sheet.shape[1] - margin), round(row))
    cv2.line(sheet, *ends, RULE, max(1, round(unit)))


def name_with_sample(sheet: Picture, name: str, row: float, col: float, unit: float) -> None:
    """Write a measurement's name after a sample of its line, the top left corner at (row, col)."""
    style, middle = style_of(name), row + 0.38 * LINE * unit
    ends = np.array([[middle, col], [middle, col + SWATCH * unit]])
    stroke(sheet, dashed(ends, style, unit), style.colour, max(2, round(2 * unit)))
    NAME.scaled(unit).put(sheet, name, row + 0.65 * LINE * unit, col + (SWATCH + 8) * unit)


def plane_words(finding: Finding) -> str:
    """Return the plane, with its probability where the model tells planes apart."""
    if finding.plane_probability is None:
        return finding.plane
    return f"{finding.plane} {100 * finding.plane_probability:.0f} %"


def broken_warnings(sentences: Sequence[str], width: int, unit: float) -> tuple[Lines, ...]:
    """Break each sentence into lines that fit into a sheet of this width."""
    room = width - (2 * PAD + 1.3 * LINE) * unit
    font = FLAG.scaled(unit)
    return tuple(tuple(font.wrapped(words.split(), " ", room)) for words in sentences)


def warnings(sheet: Picture, row: float, sentences: Sequence[Lines], unit: float) -> float:
    """Write sentences from `broken_warnings`, a sign before each; return the row below."""
    pad, line = PAD * unit, LINE * unit
    for lines in sentences:
        _warning_sign(sheet, (row + 0.45 * line, pad + 0.4 * line), unit)
        for words in lines:
            FLAG.scaled(unit).put(sheet, words, row + 0.7 * line, pad + 1.2 * line)
            row += line
    return row


def _warning_sign(sheet: Picture, center: tuple[float, float], unit: float) -> None:
    """Draw a triangle with an exclamation mark, its middle at (row, col)."""
    size = 8.5 * unit
    fill(sheet, np.array([[-1.0, 0.0], [0.75, 1.0], [0.75, -1.0]]) * size + center, AMBER)
    mark = SIGN.scaled(unit)
    mark.put(sheet, "!", center[0] + 0.62 * size, center[1] - mark.width("!") / 2)


def broken_footer(parts: Sequence[str], width: int, unit: float) -> Lines:
    """Break the footer into lines that leave room for the notice."""
    notice = SMALL_BOLD.scaled(unit).width(NOTICE)
    room = width - 4 * PAD * unit - notice
    return tuple(DETAIL.scaled(unit).wrapped(parts, BAR, room))


def footer(sheet: Picture, row: float, lines: Lines, unit: float) -> None:
    """Draw the provenance on the left and the notice on the right, below a rule."""
    pad, line = PAD * unit, LINE * unit
    rule(sheet, row + 0.2 * line, pad, unit)
    for k, words in enumerate(lines):
        DETAIL.scaled(unit).put(sheet, words, row + (k + 1.2) * line, pad)
    notice = SMALL_BOLD.scaled(unit)
    notice.put(sheet, NOTICE, row + 1.2 * line, sheet.shape[1] - pad - notice.width(NOTICE))
