"""Exams as pandas data frames, for notebooks. pandas is not in the base installation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any

from fetometry.errors import UsageError
from fetometry.types import Exam

Row = dict[str, Any]

MEASUREMENT_COLUMNS = (
    *("exam", "fetus", "source", "frame", "plane", "name", "value", "unit", "low", "high"),
    *("value_px", "mm_per_px_row", "mm_per_px_col", "spacing_source", "convention", "flags"),
    *("quality", "plane_probability", "model"),
)

SELECTED_COLUMNS = (
    *("exam", "fetus", "name", "value", "unit", "low", "high", "how", "count", "sd"),
    *("smallest", "largest", "source", "frame", "flags"),
)

GROWTH_COLUMNS = (
    *("exam", "fetus", "ga_days", "ga_source", "ga_estimated", "name", "value", "unit", "low"),
    *("high", "chart", "convention", "formula", "median", "z", "z_low", "z_high", "centile"),
    *("centile_low", "centile_high", "beyond", "circular"),
)


def measurements_frame(exams: Exam | Iterable[Exam]) -> Any:
    """Return a `pandas.DataFrame` of every measurement in pictures, a row each.

    Values and intervals are in `unit`; `flags` are separated by ";". What is not known is missing.

    Raises:
        UsageError: pandas is not installed.
    """
    return _frame(exams, _measured, MEASUREMENT_COLUMNS)


def selected_frame(exams: Exam | Iterable[Exam]) -> Any:
    """Return a `pandas.DataFrame` of the values that count, a row each.

    Raises:
        UsageError: pandas is not installed.
    """
    return _frame(exams, _selected, SELECTED_COLUMNS)


def growth_frame(exams: Exam | Iterable[Exam]) -> Any:
    """Return a `pandas.DataFrame` of each size and weight on each chart, a row each.

    Ages are in exact days; where `beyond` is "<" or ">", z and centile are only bounds; where
    `circular`, the age was estimated from this very measurement.

    Raises:
        UsageError: pandas is not installed.
    """
    return _frame(exams, _placed, GROWTH_COLUMNS)


def _frame(
    exams: Exam | Iterable[Exam],
    rows: Callable[[Exam], Iterator[Row]],
    columns: Sequence[str],
) -> Any:
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise UsageError("data frames need pandas: pip install 'fetometry[frames]'") from None
    several = [exams] if isinstance(exams, Exam) else exams
    found = [row for exam in several for row in rows(exam)]
    return pandas.DataFrame(found, columns=list(columns))


def _measured(exam: Exam) -> Iterator[Row]:
    for finding in exam.findings:
        row_mm, col_mm = finding.spacing.mm if finding.spacing else (None, None)
        shared = {
            "exam": exam.name,
            "fetus": finding.fetus,
            "source": finding.source,
            "frame": finding.frame,
            "plane": finding.plane,
            "mm_per_px_row": row_mm,
            "mm_per_px_col": col_mm,
            "spacing_source": finding.spacing.source if finding.spacing else None,
            "quality": finding.quality,
            "plane_probability": finding.plane_probability,
            "model": finding.model.name,
        }
        for measured in finding.measurements:
            yield {**vars(measured), **shared, "flags": ";".join(measured.flags)}


def _selected(exam: Exam) -> Iterator[Row]:
    for chosen in exam.selected:
        yield {**vars(chosen), "exam": exam.name, "flags": ";".join(chosen.flags)}


def _placed(exam: Exam) -> Iterator[Row]:
    for fetus, growth in exam.growth.items():
        for placed in growth.placements:
            row = {
                **vars(placed),
                "exam": exam.name,
                "fetus": fetus,
                "ga_source": growth.age.source if growth.age else None,
                "ga_estimated": growth.age.estimated if growth.age else None,
            }
            for start, ends in (
                ("", placed.interval),
                ("z_", placed.z_interval),
                ("centile_", placed.centile_interval),
            ):
                row[f"{start}low"], row[f"{start}high"] = ends or (None, None)
            yield row
