"""Data sets: one preparation each, one manifest for all, one cache at training scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fetometry.errors import DataError
from fetometry.training.data import fetal_planes, hc18, phantoms
from fetometry.training.data.manifest import (
    COLUMNS,
    SPLITS,
    TRANS_CEREBELLAR,
    Row,
    read_manifest,
    write_manifest,
)

DATASETS: Mapping[str, Callable[[Path], list[Row]]] = {
    hc18.NAME: hc18.rows,
    fetal_planes.NAME: fetal_planes.rows,
    phantoms.NAME: phantoms.rows,
}
MANIFEST = "manifest.csv"
#: Between the names of data sets that are used together.
AND = "+"


def _is_prepared(folder: Path) -> bool:
    """Tell whether the folder has a manifest of ours; a data set may have one of its own."""
    path = folder / MANIFEST
    if not path.is_file():
        return False
    with path.open(encoding="utf-8-sig") as stream:
        return set(COLUMNS) <= set(stream.readline().strip().split(","))


def load(dataset: str, folder: Path) -> list[Row]:
    """Return the rows of a data set: from its published layout, or from a prepared manifest.

    Of several data sets, joined with `+`, each lies in the sub-folder of its name.

    Raises:
        DataError: the data set is unknown, or the folder does not hold it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    if _is_prepared(folder):
        names = dataset.split(AND)
        rows = [row for row in read_manifest(folder / MANIFEST) if row.dataset in names]
        for name in names:
            if not any(row.dataset == name for row in rows):
                raise DataError(f"{folder / MANIFEST}: holds no row of data set {name!r}")
        return rows
    if AND in dataset:
        return [row for name in dataset.split(AND) for row in load(name, folder / name)]
    if dataset not in DATASETS:
        raise DataError(
            f"unknown data set {dataset!r}; known: {', '.join(DATASETS)}, several joined with "
            f"{AND}, or any folder with a prepared {MANIFEST}"
        )
    return DATASETS[dataset](folder)


__all__ = [
    "DATASETS",
    "MANIFEST",
    "SPLITS",
    "TRANS_CEREBELLAR",
    "Row",
    "load",
    "read_manifest",
    "write_manifest",
]
