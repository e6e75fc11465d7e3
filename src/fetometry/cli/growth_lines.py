"""Growth on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fetometry.cli.console import remark, say

if TYPE_CHECKING:
    from fetometry.growth import Growth


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as columns, each as wide as it has to be."""
    cells = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def show_growth(growth: Growth, title: str = "") -> None:
    """Show the age, the places on charts, the weight, what to beware of and what was not given."""
    from fetometry.growth import words

    say(f"{title}{words.age_text(growth.age)}")
    rows = words.placement_rows(growth)
    for line in columns([words.PLACEMENT_HEADING, *rows]) if rows else ():
        say(line)
    for weight in growth.weights:
        say(f"weight {words.weight_text(weight)}")
    for sentence in (*words.sentences(growth), *_notes(growth)):
        say(f"- {sentence}")
    for refused in growth.refused:
        remark(f"not given: {refused.what} by {refused.by}: {refused.reason}")


def _notes(growth: Growth) -> list[str]:
    """Return every remark once."""
    notes = list(growth.age.notes if growth.age else ())
    notes += [note for placed in growth.placements for note in placed.notes]
    notes += [note for weight in growth.weights for note in weight.notes]
    return list(dict.fromkeys([*notes, *growth.notes]))
