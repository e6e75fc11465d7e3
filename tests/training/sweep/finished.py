"""Finished runs made by hand, as a sweep leaves them in its folder, and the spec they are of."""

import csv
import json
from pathlib import Path

from fetometry.training.cases import write_cases
from fetometry.training.sweep.collect import gather
from fetometry.training.sweep.spec import Budget, Cell, Spec


def spec(cells, **changes):
    """A sweep of some cells, given as `Cell`s or by name."""
    said = {
        "paper": "someone2020",
        "title": "Someone et al. 2020",
        "recipe": "someone.toml",
        "recipe_path": Path("someone.toml"),
        "budgets": {
            "smoke": Budget(phantoms=4),
            "small": Budget(set=("fit.epochs=2",)),
            "full": Budget(),
        },
        "cells": tuple(Cell(cell) if isinstance(cell, str) else cell for cell in cells),
        "split": "random, private data",
    }
    return Spec(**{**said, **changes})


def finish(runs, cell, files, *, fold=0, repeat=0, curves=(), **facts):
    """Leave a run of a `Cell` as it is when it is done; `files` are cases by name of the CSV."""
    cell = Cell(cell) if isinstance(cell, str) else cell
    folder = runs / cell.slug / f"f{fold}-r{repeat}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, cases in files.items():
        write_cases(cases, folder / f"{name}.csv")
    with (folder / "curves.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("epoch", "name", "value"), *curves])
    said = {
        "schema": "fetometry-run/1", "sweep": "someone2020", "cell": cell.name,
        "row": cell.table_row, "settings": ["fit.epochs=2"], "fold": fold, "folds": 0,
        "repeat": repeat, "seed": repeat, "budget": "small", "status": "done", "reason": "",
        "device": "cpu, 2 threads", "torch": "2", "minutes": 1.5, "epochs": 2,
        "images": {"train": 30, "validation": 4}, "parameters": 1000, "trainable": 400,
        "size": [64, 96], "ms_per_image": 8.0, "val_error": 3.0, "sha256": "ab", "commit": "",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps({**said, **facts}), encoding="utf-8")
    return folder


def gathered(tmp_path, sweep, budget="small"):
    """Gather the runs below `tmp_path`, and return the paper's folder."""
    gather(sweep, budget, tmp_path / "runs", tmp_path / "results")
    return tmp_path / "results" / sweep.paper
