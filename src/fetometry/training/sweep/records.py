"""A paper's results as they are kept: what was asked for, a line a run, curves, per-image CSVs.

    results/<paper>/spec.json   title, paper's split, rows with the paper's numbers, budgets
                    runs.csv    a line a run, those that failed too, with their reason
                    curves.csv  cell, fold, repeat, epoch, name, value
                    cases/      <run>~validation.csv, <run>~test.csv, and ~true for the true plane

Tables and figures are computed from these, without training and without torch.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from fetometry.errors import DataError, OutputError
from fetometry.training.cases import Case, read_cases
from fetometry.training.evaluate import ROUTINGS, TRUE
from fetometry.training.volume_scores import of_volumes, on_phantoms

SPEC, RUNS, CURVES, CASES = "spec.json", "runs.csv", "curves.csv", "cases"
SCHEMA = "fetometry-sweep/1"

#: The sides of the split that a finished run is judged on.
SIDES = ("validation", "test")
DONE = "done"

Key = tuple[str, int, int]  # cell, fold, repeat


@dataclass(frozen=True)
class SheetRow:
    """One row of the paper's table: the cells whose images it pools, and what the paper prints."""

    name: str
    cells: tuple[str, ...]
    x: float | None = None
    paper: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""


@dataclass(frozen=True)
class Sheet:
    """What a table needs of a sweep; `budgets` are the settings of each that has run."""

    paper: str
    title: str
    recipe: str
    split: str
    axis: str
    figures: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    budgets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run, done or failed; `files` is what its per-image CSVs begin with."""

    cell: str
    row: str
    fold: int
    folds: int
    repeat: int
    budget: str
    status: str
    files: str
    reason: str = ""
    seed: int | None = None
    device: str = ""
    torch: str = ""
    minutes: float | None = None
    epochs: int | None = None
    train_images: int | None = None
    validation_images: int | None = None
    parameters: int | None = None
    trainable: int | None = None
    size: str = ""
    ms_per_image: float | None = None
    val_error: float | None = None
    sha256: str = ""
    commit: str = ""
    settings: str = ""

    @property
    def key(self) -> Key:
        """What tells the run from all others of its paper."""
        return self.cell, self.fold, self.repeat

    @property
    def done(self) -> bool:
        """Tell whether there are results."""
        return self.status == DONE


COLUMNS = tuple(f.name for f in fields(RunRecord))
CURVE_COLUMNS = ("cell", "fold", "repeat", "epoch", "name", "value")


@dataclass(frozen=True)
class CurvePoint:
    """One value of a training at the end of an epoch."""

    cell: str
    fold: int
    repeat: int
    epoch: int
    name: str
    value: float

    @property
    def key(self) -> Key:
        """The run that it is of."""
        return self.cell, self.fold, self.repeat


@dataclass(frozen=True)
class Results:
    """All that is kept of a paper."""

    folder: Path
    sheet: Sheet
    records: tuple[RunRecord, ...]
    curves: tuple[CurvePoint, ...]

    def cases(self, record: RunRecord, side: str, routing: str) -> list[Case] | None:
        """Return what a run made of the images of a side; None where it was not judged so."""
        path = self.folder / CASES / case_file(record.files, side, routing)
        return read_cases(path) if path.is_file() else None

    @cached_property
    def _sample(self) -> list[Case]:
        """What one finished run made of a side: it tells what is judged in all of them."""
        for record in self.records:
            for side, routing in judged_ways():
                found = self.cases(record, side, routing) if record.done else None
                if found:
                    return found
        return []

    @property
    def of_volumes(self) -> bool:
        """Tell whether volumes were judged, not pictures."""
        return bool(of_volumes(self._sample))

    @property
    def on_phantoms(self) -> bool:
        """Tell whether what was judged are phantoms of volumes."""
        return on_phantoms(self._sample)


def case_file(files: str, side: str, routing: str) -> str:
    """Return the name of a run's per-image CSV."""
    return f"{files}~{side}{'~true' if routing == TRUE else ''}.csv"


def run_file(side: str, routing: str) -> str:
    """Return the name of the per-image CSV in the run's own folder."""
    return f"{side}{'-true' if routing == TRUE else ''}.csv"


def judged_ways() -> Iterator[tuple[str, str]]:
    """Yield every side of the split with every routing."""
    return ((side, routing) for side in SIDES for routing in ROUTINGS)


def _kept(value: Any, kind: str) -> Any:
    """Return a cell of runs.csv as the type of its field."""
    if kind == "str":
        return value
    if value == "":
        if "None" in kind:
            return None
        raise ValueError("a number is missing")
    return float(value) if kind.startswith("float") else int(value)


def read_csv(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read a CSV file that has at least these columns.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            records = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    missing = sorted(set(columns) - set(reader.fieldnames or ()))
    if missing:
        raise DataError(f"{path}: columns are missing: {', '.join(missing)}")
    return records


def read_runs(path: Path) -> list[RunRecord]:
    """Read runs.csv.

    Raises:
        DataError: it is not there, a column is missing, or a number is not one.
    """
    kinds = {f.name: str(f.type) for f in fields(RunRecord)}
    found = []
    for i, record in enumerate(read_csv(path, COLUMNS), start=2):
        try:
            found.append(RunRecord(**{name: _kept(record[name], kinds[name]) for name in COLUMNS}))
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}, line {i}: {error}") from None
    return found


def read_curves(path: Path) -> list[CurvePoint]:
    """Read curves.csv; there are none where it is not there.

    Raises:
        DataError: a column is missing, or a number is not one.
    """
    if not path.is_file():
        return []
    kinds = {f.name: str(f.type) for f in fields(CurvePoint)}
    try:
        return [
            CurvePoint(**{name: _kept(record[name], kinds[name]) for name in CURVE_COLUMNS})
            for record in read_csv(path, CURVE_COLUMNS)
        ]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None


def read_sheet(path: Path) -> Sheet:
    """Read spec.json.

    Raises:
        DataError: it is not there, or not what was written.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said.pop("schema", None) != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        rows = tuple(SheetRow(**{**row, "cells": tuple(row["cells"])}) for row in said["rows"])
        budgets = {name: tuple(settings) for name, settings in said["budgets"].items()}
        changed = {"rows": rows, "budgets": budgets, "figures": tuple(said["figures"])}
        return Sheet(**{**said, **changed})
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not the account of a sweep ({error})") from None


def read_results(folder: Path) -> Results:
    """Read all that is kept of a paper.

    Raises:
        DataError: a file is missing or not what was written.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; `fetometry reproduce` makes it")
    return Results(
        folder,
        read_sheet(folder / SPEC),
        tuple(read_runs(folder / RUNS)),
        tuple(read_curves(folder / CURVES)),
    )


def write_text(text: str, path: Path) -> None:
    """Write a file whole, or leave the one that is there.

    Raises:
        OutputError: it cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def write_csv(records: Iterable[Mapping[str, object]], columns: Sequence[str], path: Path) -> None:
    """Write a CSV file; what is None stays empty.

    Raises:
        OutputError: it cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(
                {name: "" if record[name] is None else record[name] for name in columns}
                for record in records
            )
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def write_results(
    folder: Path, sheet: Sheet, records: Iterable[RunRecord], curves: Iterable[CurvePoint]
) -> None:
    """Write all but the per-image CSVs; runs.csv last, since it says which of them count.

    Raises:
        OutputError: a file cannot be written there.
    """
    said = json.dumps({"schema": SCHEMA, **asdict(sheet)}, indent=1, ensure_ascii=False)
    write_text(said + "\n", folder / SPEC)
    write_csv((asdict(point) for point in curves), CURVE_COLUMNS, folder / CURVES)
    write_csv((asdict(record) for record in records), COLUMNS, folder / RUNS)


__all__ = [
    "CASES",
    "COLUMNS",
    "CURVES",
    "CURVE_COLUMNS",
    "DONE",
    "RUNS",
    "SCHEMA",
    "SIDES",
    "SPEC",
    "CurvePoint",
    "Key",
    "Results",
    "RunRecord",
    "Sheet",
    "SheetRow",
    "case_file",
    "judged_ways",
    "read_csv",
    "read_curves",
    "read_results",
    "read_runs",
    "read_sheet",
    "run_file",
    "write_csv",
    "write_results",
    "write_text",
]
