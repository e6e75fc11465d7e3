"""Millimetres per pixel that a person gives: as text, or as a table of files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from fetometry.errors import SpacingError
from fetometry.types import Spacing, source_stem

#: Columns that name the image, and columns that hold its mm per pixel (one, or row and col).
_NAMES = ("filename", "image")
_VALUES = (("pixel size(mm)",), ("mm_per_px",), ("mm_per_px_row", "mm_per_px_col"))

_COLUMNS = (
    "give HC18's own columns `filename` and `pixel size(mm)`, "
    "or `image` with `mm_per_px`, or with `mm_per_px_row` and `mm_per_px_col`"
)


def _numbers(text: str) -> tuple[float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2):
        raise SpacingError(
            f"mm per pixel must be one number like 0.12, or row,col like 0.12,0.15; got {text!r}"
        )
    return values[0], values[-1]


def parse_mm_per_px(text: str) -> Spacing:
    """Read "0.12", or "0.12,0.15" as (row, col).

    Raises:
        SpacingError: not one or two numbers, or not a believable size of a pixel.
    """
    return Spacing(_numbers(text), "given")


def _columns(header: list[str], path: Path) -> tuple[int, list[int]]:
    """Return the position of the name and of the one or two numbers."""
    titles = [title.strip().lower() for title in header]
    name = next((titles.index(title) for title in _NAMES if title in titles), None)
    for wanted in _VALUES:
        if name is not None and all(title in titles for title in wanted):
            return name, [titles.index(title) for title in wanted]
    raise SpacingError(f"{path} line 1: no columns for image and mm per pixel; {_COLUMNS}")


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of every line that is not empty."""
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise SpacingError(f"{path}: the table cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpacingError(f"{path}: not a CSV table in UTF-8; {_COLUMNS}") from error


def _row(cells: list[str], name: int, values: list[int], source: str) -> tuple[str, Spacing | None]:
    if len(cells) <= max(name, *values):
        raise SpacingError(f"has {len(cells)} cells, fewer than the header")
    # tables written on Windows may hold backslashes
    stem = source_stem(cells[name].strip().replace("\\", "/"))
    if not stem:
        raise SpacingError("does not name an image")
    texts = [cells[index].strip() for index in values]
    if not any(texts):
        return stem, None
    return stem, Spacing(_numbers(",".join(texts)), source)


def read_spacing_table(path: Path) -> Mapping[str, Spacing]:
    """Read the spacing of many images from a CSV file, by the stem of their file names.

    It takes HC18's own table as it is (`filename`, `pixel size(mm)`), or `image` with `mm_per_px`
    or with `mm_per_px_row` and `mm_per_px_col`; other columns are ignored. An image whose number
    is left empty has no spacing.

    Raises:
        SpacingError: no such table, a row that cannot be believed, or two rows that disagree.
    """
    rows = _rows(path)
    _, header = next(rows, (0, []))
    name, values = _columns(header, path)
    table: dict[str, Spacing] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        try:
            stem, spacing = _row(cells, name, values, f"table:{path.name}")
        except SpacingError as error:
            raise SpacingError(f"{path} line {line}: {error}") from None
        if spacing is None:
            continue
        if table.setdefault(stem, spacing) != spacing:
            raise SpacingError(
                f"{path} line {line}: {stem} has another spacing than in line {lines[stem]}; "
                "keep one of them"
            )
        lines.setdefault(stem, line)
    if not table:
        raise SpacingError(f"{path}: the table holds no spacing; {_COLUMNS}")
    return table
