"""The strip below the picture: the numbers, where they came from, and what to beware of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from fetometry.report import strip
from fetometry.report.draw import Picture
from fetometry.report.flags import warning_sentences
from fetometry.report.styles import DETAIL, LINE, PAD, VALUE
from fetometry.types import Finding, Measurement, Spacing

#: The least width of a card in pixels at `unit` 1.
CARD = 150


@dataclass(frozen=True)
class _Text:
    """What the strip says, already broken into lines that fit."""

    cards: tuple[tuple[Measurement, strip.Lines], ...]
    columns: int
    flags: tuple[strip.Lines, ...]
    footer: strip.Lines

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
    sheet = strip.blank(height, width)
    strip.rule(sheet, 0, 0, unit)
    for k, (measurement, details) in enumerate(text.cards):
        row = pad + (k // text.columns) * card_height
        col = pad + (k % text.columns) * (width - 2 * pad) / text.columns
        _card(sheet, (row, col), measurement, details, unit)
    row = strip.warnings(sheet, pad + rows * card_height, text.flags, unit)
    row += 0.5 * line if text.flags else 0
    strip.footer(sheet, row, text.footer, unit)
    return sheet


def _compose(finding: Finding, width: int, unit: float, remarks: Sequence[str]) -> _Text:
    inside = width - 2 * PAD * unit
    cards = len(finding.measurements) or 1
    columns = int(np.clip(inside // (CARD * unit), 1, min(cards, 4)))
    detail = DETAIL.scaled(unit)
    room = inside / columns - 8 * unit
    return _Text(
        cards=tuple(
            (m, tuple(detail.cut(words, room) for words in _details(m)))
            for m in finding.measurements
        ),
        columns=columns,
        flags=strip.broken_warnings(warning_sentences(finding.measurements), width, unit),
        footer=strip.broken_footer([*_provenance(finding), *remarks], width, unit),
    )


def _details(measurement: Measurement) -> list[str]:
    details = [measurement.convention] if measurement.convention else []
    if measurement.low is not None and measurement.high is not None:
        details.append(f"95 %: {measurement.low:.1f} to {measurement.high:.1f} {measurement.unit}")
    return details


def _provenance(finding: Finding) -> list[str]:
    return [
        PurePath(finding.source).name,
        f"frame {finding.frame}",
        f"plane {strip.plane_words(finding)}",
        *([f"fetus {finding.fetus}"] if finding.fetus else []),
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
    details: strip.Lines,
    unit: float,
) -> None:
    """Draw one measurement with its top left corner at (row, col)."""
    row, col = corner
    line = LINE * unit
    strip.name_with_sample(sheet, measurement.name, row, col, unit)
    value = f"{measurement.value:.1f} {measurement.unit}"
    VALUE.scaled(unit).put(sheet, value, row + 1.95 * line, col)
    for k, words in enumerate(details):
        DETAIL.scaled(unit).put(sheet, words, row + (2.8 + 0.9 * k) * line, col)
