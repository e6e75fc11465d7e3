"""The values that count, as a table in the picture of an exam."""

from __future__ import annotations

from collections.abc import Sequence

from fetometry.report import strip
from fetometry.report.draw import Picture
from fetometry.report.styles import CELL, CELL_VALUE, DETAIL, FLAG, LINE, NAME, PAD
from fetometry.types import Selected

#: What stands in each column after the name, and where it begins, as a share of the width.
COLUMNS = {
    "value": 0.11,
    "95 % interval": 0.235,
    "taken": 0.385,
    "smallest to largest": 0.50,
    "SD": 0.655,
    "flags": 0.725,
}

#: A row's height in lines.
ROW = 1.25


def draw_table(selected: Sequence[Selected], fetus: str, width: int, unit: float) -> Picture:
    """Draw the values of one fetus (H, width, 3), a row each."""
    pad, line = PAD * unit, LINE * unit
    height = pad + (1.3 + ROW * len(selected)) * line + 0.5 * pad
    sheet = strip.blank(round(height), width)
    room = width - 2 * pad
    row = pad + 0.7 * line
    if fetus:
        NAME.scaled(unit).put(sheet, NAME.scaled(unit).cut(f"fetus {fetus}", 0.1 * room), row, pad)
    for title, share in COLUMNS.items():
        DETAIL.scaled(unit).put(sheet, title, row, pad + share * room)
    strip.rule(sheet, pad + 1.15 * line, pad, unit)
    for k, entry in enumerate(selected):
        _row(sheet, pad + (1.45 + ROW * k) * line, entry, unit)
    return sheet


def _row(sheet: Picture, top: float, entry: Selected, unit: float) -> None:
    pad = PAD * unit
    room = sheet.shape[1] - 2 * pad
    strip.name_with_sample(sheet, entry.name, top, pad, unit)
    ends = [*list(COLUMNS.values())[1:], 1.0]
    for (title, share), end in zip(COLUMNS.items(), ends, strict=True):
        font = {"value": CELL_VALUE, "flags": FLAG}.get(title, CELL).scaled(unit)
        words = font.cut(_cells(entry)[title], (end - share) * room - 8 * unit)
        font.put(sheet, words, top + 0.65 * LINE * unit, pad + share * room)


def _cells(entry: Selected) -> dict[str, str]:
    """Return what stands in each column; empty where there is no such number."""
    known = entry.low is not None and entry.high is not None
    several = entry.count > 1
    return {
        "value": f"{entry.value:.1f} {entry.unit}",
        "95 % interval": f"{entry.low:.1f} to {entry.high:.1f}" if known else "",
        "taken": f"{entry.how} of {entry.count}" if several else "one image",
        "smallest to largest": f"{entry.smallest:.1f} to {entry.largest:.1f}" if several else "",
        "SD": "" if entry.sd is None else f"{entry.sd:.1f}",
        "flags": ", ".join(entry.flags),
    }
