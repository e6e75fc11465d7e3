"""From finished runs to what is kept of them, and from that to table and figures.

`gather` needs the folder of the runs, `write` only what `gather` keeps: a table is regenerated
from the per-image results without training again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fetometry.errors import DataError, OutputError
from fetometry.training.sweep.figures import OF_IMAGES, write_figures
from fetometry.training.sweep.page import put, short_table
from fetometry.training.sweep.records import (
    CASES,
    CURVES,
    RUNS,
    SPEC,
    CurvePoint,
    Key,
    RunRecord,
    Sheet,
    SheetRow,
    case_file,
    judged_ways,
    read_csv,
    read_curves,
    read_results,
    read_runs,
    read_sheet,
    run_file,
    write_results,
    write_text,
)
from fetometry.training.sweep.spec import Spec
from fetometry.training.sweep.table import rank, tidy, write_tidy
from fetometry.training.sweep.words import markdown

#: What is called otherwise in run.json than in runs.csv, and in which order.
_NESTED = {"train_images": ("images", "train"), "validation_images": ("images", "validation")}
_PLAIN = (
    "cell", "row", "fold", "folds", "repeat", "seed", "budget", "status", "reason", "device",
    "torch", "minutes", "epochs", "parameters", "trainable", "ms_per_image", "val_error",
    "sha256", "commit",
)  # fmt: skip

FIGURES = "figures"

#: What the pictures of volumes show.
CREDITS_OF_PHANTOMS = "The volumes in the pictures are phantoms."

#: Whose pictures the figures show.
CREDITS = (
    "Pictures: [HC18](https://doi.org/10.5281/zenodo.1327317) and "
    "[FETAL_PLANES_DB](https://doi.org/10.5281/zenodo.3904280), both CC BY 4.0; the landmarks of "
    "the latter, [Multicentre Fetal Biometry](https://doi.org/10.5522/04/30819911), CC BY-NC-SA "
    "4.0; lines drawn over them."
)


def _record(path: Path) -> RunRecord:
    """Read the account of a run, RUNS/<cell>/f<fold>-r<repeat>/run.json."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cells = {name: said[name] for name in _PLAIN if said.get(name) is not None}
        for name, (outer, inner) in _NESTED.items():
            cells[name] = (said.get(outer) or {}).get(inner)
        size, settings = said.get("size") or (), said.get("settings") or ()
        return RunRecord(
            **cells,
            size=" x ".join(str(edge) for edge in size),
            settings=json.dumps(list(settings), ensure_ascii=False) if settings else "",
            files=f"{path.parent.parent.name}~{path.parent.name}",
        )
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path}: not the account of a run ({error})") from None


def _new(spec: Spec, budget: str, runs: Path) -> dict[Key, tuple[RunRecord, Path]]:
    """Return the runs of a budget with their folders."""
    cells = {cell.name for cell in spec.cells}
    found = {}
    for path in sorted(runs.glob("*/f*-r*/run.json")):
        record = _record(path)
        if record.budget == budget and record.cell in cells:
            found[record.key] = (record, path.parent)
    if not found:
        raise DataError(f"{runs}: holds no run of {spec.paper} in the budget {budget}")
    return found


def _replaces(new: RunRecord, old: RunRecord) -> bool:
    """Tell whether a run takes the place of one of the same cell, fold and repeat."""
    if rank(new.budget) < rank(old.budget):
        return False
    return new.done or not old.done


def _copy(record: RunRecord, run: Path, folder: Path) -> None:
    """Copy the per-image results of a run, and take away those that it does not have."""
    for side, routing in judged_ways():
        source = run / run_file(side, routing)
        target = folder / CASES / case_file(record.files, side, routing)
        try:
            if record.done and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            else:
                target.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{target}: cannot be written ({error.strerror})") from None


def _curves(record: RunRecord, run: Path) -> list[CurvePoint]:
    path = run / CURVES
    if not path.is_file():
        return []
    try:
        return [
            CurvePoint(*record.key, int(line["epoch"]), line["name"], float(line["value"]))
            for line in read_csv(path, ("epoch", "name", "value"))
        ]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None


def _rows(spec: Spec) -> list[SheetRow]:
    rows: dict[str, SheetRow] = {}
    for cell in spec.cells:
        new = SheetRow(cell.table_row, (cell.name,), cell.x, dict(cell.paper), cell.baseline)
        row = rows.get(new.name)
        rows[new.name] = new if row is None else _joined(row, new)
    return list(rows.values())


def _joined(row: SheetRow, other: SheetRow) -> SheetRow:
    """Return a row with the cells and the numbers of another of its name."""
    return replace(
        row,
        cells=tuple(dict.fromkeys((*row.cells, *other.cells))),
        x=other.x if row.x is None else row.x,
        paper={**other.paper, **row.paper},
    )


def _with_kept(rows: list[SheetRow], kept: Sequence[SheetRow], ran: set[str]) -> list[SheetRow]:
    """Return the rows of a sweep with those that have run before, in the order of before.

    A sweep of some of its cells does not take the others' rows away.
    """
    known = {row.name: row for row in rows}
    order = {row.name: i for i, row in enumerate(kept)}
    others = False
    for row in kept:
        cells = tuple(cell for cell in row.cells if cell in ran)
        if row.name in known:
            known[row.name] = _joined(known[row.name], replace(row, cells=cells, paper={}))
        elif cells:
            known[row.name], others = row, True
    found = list(known.values())
    return sorted(found, key=lambda row: order.get(row.name, len(order))) if others else found


def _sheet(spec: Spec, budget: str, old: Sheet | None, records: Iterable[RunRecord]) -> Sheet:
    used = {record.budget for record in records}
    budgets = dict(old.budgets) if old else {}
    budgets[budget] = spec.budget(budget).set
    ran = {record.cell for record in records}
    return Sheet(
        paper=spec.paper,
        title=spec.title,
        recipe=spec.recipe,
        split=spec.split,
        axis=spec.axis,
        figures=spec.figures,
        rows=tuple(_with_kept(_rows(spec), old.rows if old else (), ran)),
        budgets={name: settings for name, settings in budgets.items() if name in used},
    )


def gather(spec: Spec, budget: str, runs: Path, out: Path) -> None:
    """Copy the results of the runs of a budget into `out`/<paper>/, failed runs' reasons too.

    What is there of other runs stays: a sweep can be finished in several goes. A run takes the
    place of that of the same cell, fold and repeat, unless it failed where that one did not, or
    its budget is smaller.

    Raises:
        DataError: there is no run, or its account or results cannot be read.
        OutputError: a file cannot be written there.
    """
    folder = out / spec.paper
    new = _new(spec, budget, runs)
    there = (folder / RUNS).is_file()
    records = {o.key: o for o in read_runs(folder / RUNS)} if there else {}
    taken = {
        key: at for key, at in new.items() if key not in records or _replaces(at[0], records[key])
    }
    curves = [point for point in read_curves(folder / CURVES) if point.key not in taken]
    for key, (record, run) in taken.items():
        _copy(record, run, folder)
        curves += _curves(record, run)
        records[key] = record
    old = read_sheet(folder / SPEC) if there else None
    sheet = _sheet(spec, budget, old, records.values())
    order = {cell: i for i, cell in enumerate(cell for row in sheet.rows for cell in row.cells)}

    def place(key: Key) -> tuple[int, str, int, int]:
        cell, fold, repeat = key
        return order.get(cell, len(order)), cell, repeat, fold

    write_results(
        folder,
        sheet,
        sorted(records.values(), key=lambda record: place(record.key)),
        sorted(curves, key=lambda point: place(point.key)),
    )


def write(folder: Path, page: Path | None = None) -> list[Path]:
    """Make <folder>.csv, <folder>.md and the figures from what is kept in a paper's folder.

    In a `page` the short table replaces what stands between `<!-- PAPER -->` and
    `<!-- /PAPER -->`.

    Raises:
        DataError: a file is missing or not what was written.
        OutputError: a file cannot be written there.
    """
    folder = folder if folder.name else folder.resolve()
    results = read_results(folder)
    lines = tidy(results)
    table = folder.with_name(folder.name + ".csv")
    text = folder.with_name(folder.name + ".md")
    write_tidy(lines, table)
    drawn = write_figures(results, lines, folder / FIGURES)
    of_images = [folder / FIGURES / file for file in OF_IMAGES.values()]
    there = [path for path in of_images if path.is_file()]
    shown = [*drawn, *there]
    credit = CREDITS_OF_PHANTOMS if results.on_phantoms else CREDITS
    pictures = [f"![{path.stem}]({path.relative_to(folder.parent).as_posix()})" for path in shown]
    parts = [markdown(results, lines).rstrip(), *pictures, *([credit] if there else [])]
    write_text("\n\n".join(parts) + "\n", text)
    if page is not None:
        put(page, results.sheet.paper, short_table(results, lines))
    return [table, text, *drawn]


__all__ = ["FIGURES", "gather", "write"]
