"""Data sets: one preparation each, one manifest for all, one cache at training scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fetometry.errors import DataError
from fetometry.training.data import hc18
from fetometry.training.data.manifest import SPLITS, Row, read_manifest, write_manifest

DATASETS: Mapping[str, Callable[[Path], list[Row]]] = {hc18.NAME: hc18.rows}
MANIFEST = "manifest.csv"


def load(dataset: str, folder: Path) -> list[Row]:
    """Return the rows of a data set: from its published layout, or from a prepared manifest.

    Raises:
        DataError: the data set is unknown, or the folder does not hold it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    if dataset in DATASETS and not (folder / MANIFEST).is_file():
        return DATASETS[dataset](folder)
    if not (folder / MANIFEST).is_file():
        raise DataError(
            f"unknown data set {dataset!r}; known: {', '.join(DATASETS)}, "
            f"or any folder with a {MANIFEST}"
        )
    rows = [row for row in read_manifest(folder / MANIFEST) if row.dataset == dataset]
    if not rows:
        raise DataError(f"{folder / MANIFEST}: holds no row of data set {dataset!r}")
    return rows


__all__ = ["DATASETS", "MANIFEST", "SPLITS", "Row", "load", "read_manifest", "write_manifest"]
