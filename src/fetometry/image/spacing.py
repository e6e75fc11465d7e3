"""What a person says of images: millimetres per pixel, as text or as a table, and which twin."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fetometry.errors import SpacingError
from fetometry.types import FETUSES, Spacing, source_stem

#: Columns that name the image, and columns that hold its mm per pixel (one, or row and col).
_NAMES = ("filename", "image")
_VALUES = (("pixel size(mm)",), ("mm_per_px",), ("mm_per_px_row", "mm_per_px_col"))

#: Column that says which twin the image shows.
_FETUS = "fetus"

_COLUMNS = (
    "give HC18's own columns `filename` and `pixel size(mm)`, or `image` with `mm_per_px`, or "
    "with `mm_per_px_row` and `mm_per_px_col`; of twins also `fetus`"
)

T = TypeVar("T")


@dataclass(frozen=True)
class SpacingTable:
    """What a table says of images, by the stem of their file names."""

    spacing: Mapping[str, Spacing]
    fetus: Mapping[str, str]


@dataclass(frozen=True)
class _Columns:
    """Positions of the image's name, of its one or two numbers, and of its fetus."""

    name: int
    values: tuple[int, ...]
    fetus: int | None

    @property
    def last(self) -> int:
        return max(self.name, *self.values, -1 if self.fetus is None else self.fetus)


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


def _columns(header: list[str], path: Path) -> _Columns:
    titles = [title.strip().lower() for title in header]
    name = next((titles.index(title) for title in _NAMES if title in titles), None)
    known = (wanted for wanted in _VALUES if all(title in titles for title in wanted))
    values = tuple(titles.index(title) for title in next(known, ()))
    fetus = titles.index(_FETUS) if _FETUS in titles else None
    if name is None or (not values and fetus is None):
        raise SpacingError(f"{path} line 1: no columns for image and mm per pixel; {_COLUMNS}")
    return _Columns(name, values, fetus)


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


def _stem(cells: list[str], columns: _Columns) -> str:
    if len(cells) <= columns.last:
        raise SpacingError(f"has {len(cells)} cells, fewer than the header")
    # tables written on Windows may hold backslashes
    stem = source_stem(cells[columns.name].strip().replace("\\", "/"))
    if not stem:
        raise SpacingError("does not name an image")
    return stem


def _spacing(cells: list[str], columns: _Columns, source: str) -> Spacing | None:
    texts = [cells[index].strip() for index in columns.values]
    return Spacing(_numbers(",".join(texts)), source) if any(texts) else None


def _fetus(cells: list[str], columns: _Columns) -> str | None:
    said = "" if columns.fetus is None else cells[columns.fetus].strip().upper()
    if said and said not in FETUSES:
        raise SpacingError(f"fetus must be {' or '.join(FETUSES)}, or empty, got {said!r}")
    return said or None


def _add(table: dict[str, tuple[int, T]], stem: str, line: int, said: T | None, what: str) -> None:
    """Note what a line says of an image, and refuse what contradicts an earlier line."""
    if said is None:
        return
    before, known = table.setdefault(stem, (line, said))
    if known != said:
        raise SpacingError(f"{stem} has another {what} than in line {before}; keep one of them")


def read_spacing_table(path: Path) -> SpacingTable:
    """Read what is known of many images from a CSV file, by the stem of their file names.

    It takes HC18's own table as it is (`filename`, `pixel size(mm)`), or `image` with `mm_per_px`
    or with `mm_per_px_row` and `mm_per_px_col`; of twins a column `fetus` says A or B. Other
    columns are ignored. An image whose cell is left empty has no spacing, or no fetus.

    Raises:
        SpacingError: no such table, a row that cannot be believed, or two rows that disagree.
    """
    rows = _rows(path)
    _, header = next(rows, (0, []))
    columns = _columns(header, path)
    spacing: dict[str, tuple[int, Spacing]] = {}
    fetus: dict[str, tuple[int, str]] = {}
    for line, cells in rows:
        try:
            stem = _stem(cells, columns)
            _add(spacing, stem, line, _spacing(cells, columns, f"table:{path.name}"), "spacing")
            _add(fetus, stem, line, _fetus(cells, columns), "fetus")
        except SpacingError as error:
            raise SpacingError(f"{path} line {line}: {error}") from None
    if not spacing and not fetus:
        raise SpacingError(f"{path}: the table holds no spacing; {_COLUMNS}")
    return SpacingTable(
        {stem: found for stem, (_, found) in spacing.items()},
        {stem: found for stem, (_, found) in fetus.items()},
    )
