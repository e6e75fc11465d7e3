"""The strip below the picture: the numbers, where they came from, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import cv2
import numpy as np

from fetometry.report.draw import Colour, Font, Picture, Style, dashed, fill, stroke
from fetometry.report.flags import flag_sentences
from fetometry.types import Finding, Measurement, Spacing

NOTICE = "RESEARCH USE ONLY"

#: Sky blue, pink and lime stay apart for colour-blind eyes; the dashes do so without colour.
STYLES = {
    "HC": Style((255, 214, 92)),
    "BPD": Style((203, 143, 255), (9.0, 5.0)),
    "OFD": Style((120, 236, 158), (2.5, 4.5)),
}
PLAIN = Style((235, 235, 235))

BACKGROUND: Colour = (32, 26, 22)
RULE: Colour = (74, 64, 56)
WHITE: Colour = (250, 248, 246)
GREY: Colour = (188, 178, 168)
AMBER: Colour = (40, 184, 255)

VALUE = Font(0.8, WHITE, bold=True)
NAME = Font(0.5, WHITE, bold=True)
DETAIL = Font(0.42, GREY)
FLAG = Font(0.45, AMBER)
SIGN = Font(0.44, BACKGROUND, bold=True)
SMALL_BOLD = Font(0.42, WHITE, bold=True)

#: Sizes in pixels at `unit` 1.
PAD, LINE, SWATCH, CARD = 14, 20, 37, 150


@dataclass(frozen=True)
class _Text:
    """What the strip says, already broken into lines that fit."""

    cards: tuple[tuple[Measurement, tuple[str, ...]], ...]
    columns: int
    flags: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...]

    @property
    def card_lines(self) -> int:
        return max((len(details) for _, details in self.cards), default=0)


def draw_panel(finding: Finding, width: int, unit: float, remarks: Sequence[str] = ()) -> Picture:
    """Draw the strip (H, width, 3); `unit` scales its text and lines.

    `remarks` explain further marks in the picture; they stand beside the provenance.
    """
    pad, line = PAD * unit, LINE * unit
    text = _compose(finding, width, unit, remarks)
    rows = -(-len(text.cards) // text.columns)
    card_height = (2.5 + 0.9 * text.card_lines) * line
    flag_lines = sum(len(flag) for flag in text.flags)
    body = rows * card_height + flag_lines * line + len(text.footer) * line
    height = round(body + 2 * pad + (0.5 * line if text.flags else 0) + 0.9 * line)
    sheet = np.empty((height, width, 3), np.uint8)
    cv2.rectangle(sheet, (0, 0), (width, height), BACKGROUND, cv2.FILLED)
    cv2.line(sheet, (0, 0), (width, 0), RULE, max(1, round(unit)))
    for k, (measurement, details) in enumerate(text.cards):
        row = pad + (k // text.columns) * card_height
        col = pad + (k % text.columns) * (width - 2 * pad) / text.columns
        _card(sheet, (row, col), measurement, details, unit)
    row = pad + rows * card_height
    for flag in text.flags:
        _warning_sign(sheet, (row + 0.45 * line, pad + 0.4 * line), unit)
        for sentence in flag:
            FLAG.scaled(unit).put(sheet, sentence, row + 0.7 * line, pad + 1.2 * line)
            row += line
    row += 0.5 * line if text.flags else 0
    _footer(sheet, row, text.footer, unit)
    return sheet


def _compose(finding: Finding, width: int, unit: float, remarks: Sequence[str]) -> _Text:
    inside = width - 2 * PAD * unit
    cards = len(finding.measurements) or 1
    columns = int(np.clip(inside // (CARD * unit), 1, min(cards, 4)))
    detail, flag = DETAIL.scaled(unit), FLAG.scaled(unit)
    room = inside / columns - 8 * unit
    notice = SMALL_BOLD.scaled(unit).width(NOTICE) + 2 * PAD * unit
    return _Text(
        cards=tuple(
            (m, tuple(detail.cut(words, room) for words in _details(m)))
            for m in finding.measurements
        ),
        columns=columns,
        flags=tuple(
            tuple(flag.wrapped(sentence.split(), " ", inside - 1.3 * LINE * unit))
            for sentence in _warnings(finding)
        ),
        footer=tuple(detail.wrapped([*_provenance(finding), *remarks], "   |   ", inside - notice)),
    )


def _details(measurement: Measurement) -> list[str]:
    details = [measurement.convention] if measurement.convention else []
    if measurement.low is not None and measurement.high is not None:
        details.append(f"95 %: {measurement.low:.1f} to {measurement.high:.1f} {measurement.unit}")
    return details


def _warnings(finding: Finding) -> list[str]:
    unknown = [] if finding.spacing else ["The spacing is unknown: these are pixels of the image."]
    return unknown + flag_sentences(finding.measurements)


def _provenance(finding: Finding) -> list[str]:
    plane = finding.plane
    if finding.plane_probability is not None:
        plane = f"{plane} {100 * finding.plane_probability:.0f} %"
    return [
        PurePath(finding.source).name,
        f"frame {finding.frame}",
        f"plane {plane}",
        _spacing_words(finding.spacing),
        f"model {finding.model.name}",
    ]


def _spacing_words(spacing: Spacing | None) -> str:
    if spacing is None:
        return "no spacing"
    row, col = spacing.mm
    size = f"{row:.4g}" if row == col else f"{row:.4g} x {col:.4g}"
    axes = "" if row == col else ", row x col"
    return f"{size} mm/px ({spacing.source}{axes})"


def _card(
    sheet: Picture,
    corner: tuple[float, float],
    measurement: Measurement,
    details: tuple[str, ...],
    unit: float,
) -> None:
    """Draw one measurement with its top left corner at (row, col)."""
    row, col = corner
    line = LINE * unit
    style = STYLES.get(measurement.name, PLAIN)
    ends = np.array([[row + 0.38 * line, col], [row + 0.38 * line, col + SWATCH * unit]])
    stroke(sheet, dashed(ends, style, unit), style.colour, max(2, round(2 * unit)))
    NAME.scaled(unit).put(sheet, measurement.name, row + 0.65 * line, col + (SWATCH + 8) * unit)
    value = f"{measurement.value:.1f} {measurement.unit}"
    VALUE.scaled(unit).put(sheet, value, row + 1.95 * line, col)
    for k, words in enumerate(details):
        DETAIL.scaled(unit).put(sheet, words, row + (2.8 + 0.9 * k) * line, col)


def _warning_sign(sheet: Picture, center: tuple[float, float], unit: float) -> None:
    """Draw a triangle with an exclamation mark, its middle at (row, col)."""
    size = 8.5 * unit
    fill(sheet, np.array([[-1.0, 0.0], [0.75, 1.0], [0.75, -1.0]]) * size + center, AMBER)
    mark = SIGN.scaled(unit)
    mark.put(sheet, "!", center[0] + 0.62 * size, center[1] - mark.width("!") / 2)


def _footer(sheet: Picture, row: float, lines: tuple[str, ...], unit: float) -> None:
    """Draw the provenance on the left and the notice on the right, below a rule."""
    pad, line = PAD * unit, LINE * unit
    width = sheet.shape[1]
    at = round(row + 0.2 * line)
    cv2.line(sheet, (round(pad), at), (round(width - pad), at), RULE, max(1, round(unit)))
    for k, words in enumerate(lines):
        DETAIL.scaled(unit).put(sheet, words, row + (k + 1.2) * line, pad)
    notice = SMALL_BOLD.scaled(unit)
    notice.put(sheet, NOTICE, row + 1.2 * line, width - pad - notice.width(NOTICE))
