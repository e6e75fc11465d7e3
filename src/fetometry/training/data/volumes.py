"""Volumes as a data set: `volumes.csv` names volume, mask, ends and group of each.

It is the layout for volumes of your own, too: nothing but this table is read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetometry.errors import DataError, OutputError
from fetometry.training.data.manifest import Grouped, Row, read_rows
from fetometry.volume import checked_spacing_3d

TABLE = "volumes.csv"

COLUMNS = (
    "dataset", "volume", "mask", "group", "bucket", "machine",
    "mm_per_slice", "mm_per_row", "mm_per_col",
    "end_1_slice", "end_1_row", "end_1_col", "end_2_slice", "end_2_row", "end_2_col",
    "volume_ml",
)  # fmt: skip

Point = tuple[float, float, float]


@dataclass(frozen=True)
class VolumeRow(Grouped):
    """One volume of a femur with its truth, in source voxels (slice, row, col).

    `mask` is a file of the volume's shape; `ends` are the ends of the shaft, the hip's first;
    `volume_ml` is the shaft's own volume, where that is known better than by counting voxels.
    """

    dataset: str
    image: Path
    mask: Path
    group: str
    spacing_mm: Point
    ends: tuple[Point, Point]
    volume_ml: float | None = None
    machine: str = ""
    plane: str = "femur"
    view: str = ""

    def __post_init__(self) -> None:
        checked_spacing_3d(self.spacing_mm)

    @property
    def kind(self) -> str:
        """Data set and structure, as `Row.kind`."""
        return f"{self.dataset}/{self.plane}"

    @property
    def truth_mm(self) -> dict[str, float]:
        """The true length, by name."""
        apart = (np.array(self.ends[1]) - np.array(self.ends[0])) * self.spacing_mm
        return {"FL": float(np.linalg.norm(apart))}


#: A row of any data set: of pictures, or of volumes.
AnyRow = Row | VolumeRow


def _cells(row: VolumeRow, folder: Path) -> list[str]:
    def place(path: Path) -> str:
        whole = path.resolve()
        return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()

    return [
        row.dataset, place(row.image), place(row.mask), row.group, str(row.bucket), row.machine,
        *(f"{mm!r}" for mm in row.spacing_mm),
        *(f"{value:.4f}" for end in row.ends for value in end),
        "" if row.volume_ml is None else f"{row.volume_ml:.5f}",
    ]  # fmt: skip


def write_volumes(rows: Iterable[VolumeRow], path: Path) -> None:
    """Write the table; paths are relative to its folder where they can be.

    Raises:
        OutputError: the file cannot be written there.
    """
    folder, part = path.parent.resolve(), path.with_name(path.name + ".part")
    try:
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_cells(row, folder) for row in rows)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _point(record: dict[str, str], columns: tuple[str, ...]) -> Point:
    first, second, third = (float(record[name]) for name in columns)
    return first, second, third


def _row(record: dict[str, str], folder: Path) -> VolumeRow:
    row = VolumeRow(
        dataset=record["dataset"],
        image=folder / record["volume"],
        mask=folder / record["mask"],
        group=record["group"],
        spacing_mm=_point(record, COLUMNS[6:9]),
        ends=(_point(record, COLUMNS[9:12]), _point(record, COLUMNS[12:15])),
        volume_ml=float(record["volume_ml"]) if record["volume_ml"] else None,
        machine=record["machine"],
    )
    if record["bucket"] and int(record["bucket"]) != row.bucket:
        raise DataError(f"bucket {record['bucket']} is not the rule's {row.bucket}")
    return row


def read_volumes(path: Path) -> list[VolumeRow]:
    """Read a table of volumes. `bucket` may be empty: the group's name decides.

    Raises:
        DataError: a column is missing, a number is not one, or a bucket breaks the rule.
    """
    return read_rows(path, COLUMNS, _row)


__all__ = ["COLUMNS", "TABLE", "AnyRow", "VolumeRow", "read_volumes", "write_volumes"]
