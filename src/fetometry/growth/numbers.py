"""Tables of numbers as CSV: read strictly, and as functions of gestational age."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from fetometry.growth.equation import Equation
from fetometry.growth.refusals import ChartError, Floats
from fetometry.growth.strict import Source

#: A function of gestational age in days.
OfAge = Callable[[Floats], Floats]

#: What a table calls the age, and how many days one of it is.
AGE_COLUMNS = {"ga_days": 1.0, "ga_weeks": 7.0}


@dataclass(frozen=True)
class NumberTable:
    """Columns of finite numbers by name, all of one length."""

    name: str
    columns: Mapping[str, Floats]

    def ages_days(self) -> Floats:
        """Return the ages in days, which must rise from row to row.

        Raises:
            ChartError: there is no age column, there are two, or the ages do not rise.
        """
        present = [name for name in AGE_COLUMNS if name in self.columns]
        if len(present) != 1:
            raise ChartError(f"{self.name}: one of the columns {', '.join(AGE_COLUMNS)} is needed")
        ages = self.columns[present[0]] * AGE_COLUMNS[present[0]]
        if len(ages) < 2 or not np.all(np.diff(ages) > 0):
            raise ChartError(
                f"{self.name}: {present[0]} must rise from row to row, over two or more"
            )
        return ages

    def of_age(self, column: str) -> OfAge:
        """Return a column as a function of age, straight between its rows."""
        ages, values = self.ages_days(), self.columns[column]
        return lambda days: np.interp(days, ages, values, left=np.nan, right=np.nan)


def read_numbers(source: Source) -> NumberTable:
    """Read a CSV with a heading and numbers below it.

    Raises:
        ChartError: the file cannot be read, or a cell is no number; file and line are named.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ChartError(f"{source}: cannot be read as UTF-8 text ({error})") from None
    reader = csv.reader(io.StringIO(text))
    heading = [name.strip() for name in next(reader, [])]
    if len(set(heading)) != len(heading) or "" in heading:
        raise ChartError(f"{source}: every column needs a name of its own, got {heading}")
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(heading):
            raise ChartError(
                f"{source}:{reader.line_num}: {len(cells)} cells, the heading has {len(heading)}; "
                "cells are parted by commas, decimals by a point"
            )
        rows.append([_number(cell, f"{source}:{reader.line_num}") for cell in cells])
    if not rows:
        raise ChartError(f"{source}: there are no rows of numbers below the heading")
    values = np.array(rows, dtype=np.float64)
    return NumberTable(source.name, {name: values[:, k] for k, name in enumerate(heading)})


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ChartError(f"{where}: {cell!r} is not a number (decimals have a point)")
    return value


def equation_of_age(text: str) -> OfAge:
    """Return an equation in w (weeks) or d (days) as a function of age in days.

    Raises:
        ChartError: the text is no equation in w or d.
    """
    equation = Equation(text, ("w", "d"))
    return lambda days: equation({"w": days / 7, "d": days})


def require_columns(table: NumberTable, needed: Collection[str]) -> None:
    """Check that a table has an age and exactly these other columns.

    Raises:
        ChartError: one is missing, or there is another.
    """
    others = set(table.columns) - set(AGE_COLUMNS)
    if others != set(needed):
        raise ChartError(
            f"{table.name}: the columns must be ga_days (or ga_weeks) and "
            f"{', '.join(sorted(needed))}; got {', '.join(table.columns)}"
        )
