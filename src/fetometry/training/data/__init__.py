"""Data sets: one preparation each, one manifest for all, one cache at training scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
from fetometry.training.data.volumes import TABLE as VOLUMES
from fetometry.training.data.volumes import AnyRow, VolumeRow, read_volumes

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


def load(dataset: str, folder: Path) -> list[Any]:
    """Return the rows of a data set: from its published layout, or from a prepared manifest.

    They are `Row`s, or `VolumeRow`s where the folder has a table of volumes. Of several data sets,
    joined with `+`, each lies in the sub-folder of its name.

    Raises:
        DataError: the data set is unknown, or the folder does not hold it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    if (folder / VOLUMES).is_file():
        return _volumes(dataset, folder / VOLUMES)
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


def _volumes(dataset: str, table: Path) -> list[VolumeRow]:
    rows = read_volumes(table)
    found = [row for row in rows if row.dataset == dataset]
    if not found:
        known = ", ".join(sorted({row.dataset for row in rows})) or "none"
        raise DataError(f"{table}: holds no volume of data set {dataset!r}; it has: {known}")
    return found


__all__ = [
    "DATASETS",
    "MANIFEST",
    "SPLITS",
    "TRANS_CEREBELLAR",
    "VOLUMES",
    "AnyRow",
    "Row",
    "VolumeRow",
    "load",
    "read_manifest",
    "write_manifest",
]
