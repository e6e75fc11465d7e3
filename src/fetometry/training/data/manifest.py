"""Every data set as one manifest: image, truth, mm per pixel, group, bucket."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fetometry.errors import DataError, FetometryError, OutputError
from fetometry.geometry import Ellipse
from fetometry.types import NO_PLANE, PLANES, checked_spacing
from fetometry.types import TRANS_CEREBELLAR as TRANS_CEREBELLAR_CLASS

T = TypeVar("T")

BUCKETS = 10
TEST_BUCKET, VALIDATION_BUCKET = 0, 1
SPLITS = ("train", "validation", "test")

COLUMNS = (
    "dataset", "image", "group", "bucket", "plane", "view", "machine",
    "mm_per_px_row", "mm_per_px_col",
    "center_row", "center_col", "semi_a", "semi_b", "angle_deg",
    "end_1_row", "end_1_col", "end_2_row", "end_2_col", "reference_mm",
)  # fmt: skip

#: The view of the brain in which HC is not taken.
TRANS_CEREBELLAR = "trans-cerebellar"

Ends = tuple[tuple[float, float], tuple[float, float]]


def bucket(dataset: str, group: str) -> int:
    """Return the bucket, 0 to 9, of a group (an exam or a patient) of a data set.

    The one split rule: it depends on nothing but the two names, so that a group never changes
    sides, whatever else is added or left out.
    """
    return int(hashlib.sha256(f"{dataset}:{group}".encode()).hexdigest(), 16) % BUCKETS


def side_of(number: int) -> str:
    """Return the side of a bucket in the fixed split: test, validation or train."""
    return {TEST_BUCKET: "test", VALIDATION_BUCKET: "validation"}.get(number, "train")


def side_in_fold(number: int, fold: int, folds: int) -> str:
    """Return the side of a bucket in one fold; folds run over the buckets outside test."""
    if number == TEST_BUCKET:
        return "test"
    return "validation" if (number - 1) % folds == fold else "train"


class Grouped:
    """What is split by its group: one rule for the rows of pictures and of volumes."""

    dataset: str
    group: str

    @property
    def bucket(self) -> int:
        """The bucket of the row's group."""
        return bucket(self.dataset, self.group)

    @property
    def split(self) -> str:
        """The row's side in the fixed split: test, validation or train."""
        return side_of(self.bucket)

    def split_in_fold(self, fold: int, folds: int) -> str:
        """Return the row's side in one fold; folds run over the groups outside the test bucket."""
        return side_in_fold(self.bucket, fold, folds)


@dataclass(frozen=True)
class Row(Grouped):
    """One image with its truth, in source pixels (row, col).

    `plane` is head, abdomen, femur or none. A head or an abdomen has an `ellipse`, a femur the
    two `ends` of its shaft, an abdomen those of its transverse diameter; an image of which only
    the plane is known has neither, and no spacing. `view` tells brain planes apart, `machine`
    ultrasound machines. `reference_mm` is the published measurement, where there is one.
    """

    dataset: str
    image: Path
    group: str
    plane: str
    spacing_mm: tuple[float, float] | None
    ellipse: Ellipse | None = None
    reference_mm: float | None = None
    view: str = ""
    machine: str = ""
    ends: Ends | None = None

    def __post_init__(self) -> None:
        if self.plane not in (*PLANES, NO_PLANE):
            raise DataError(f"plane must be {', '.join((*PLANES, NO_PLANE))}, got {self.plane!r}")
        if self.spacing_mm is not None:
            checked_spacing(*self.spacing_mm)

    @property
    def kind(self) -> str:
        """Data set, plane, and how much is known: "hc18/head", "fetal_planes/femur/plane-only"."""
        known = self.ellipse is not None or self.ends is not None or self.plane == NO_PLANE
        return f"{self.dataset}/{self.plane}" + ("" if known else "/plane-only")

    @property
    def plane_class(self) -> str:
        """The row's name among `PLANE_CLASSES`."""
        return TRANS_CEREBELLAR_CLASS if self.view == TRANS_CEREBELLAR else self.plane

    @property
    def truth_mm(self) -> dict[str, float]:
        """The true measurements by name; none where the truth or the spacing is not known."""
        if self.spacing_mm is None:
            return {}
        if self.plane == "femur" and self.ends is not None:
            return {"FL": self._distance_mm()}
        if self.ellipse is None:
            return {}
        ellipse = self.ellipse.scaled(*self.spacing_mm)
        long, short = (2 * axis for axis in ellipse.semi_axes)
        if self.plane == "head":
            return {"HC": ellipse.circumference, "BPD": short, "OFD": long}
        found = {"AC": ellipse.circumference}
        if self.ends is not None:
            tad = self._distance_mm()
            # of the two axes the transverse one is that of the landmarks; they are as long
            found |= {"TAD": tad, "APAD": short if abs(long - tad) < abs(short - tad) else long}
        return found

    def _distance_mm(self) -> float:
        (row_1, col_1), (row_2, col_2) = self.ends or ((0.0, 0.0), (0.0, 0.0))
        per_row, per_col = self.spacing_mm or (1.0, 1.0)
        return math.hypot((row_2 - row_1) * per_row, (col_2 - col_1) * per_col)


def _text(numbers: Iterable[float] | None, count: int) -> list[str]:
    """Return numbers as text, or as many empty cells where there are none."""
    return [""] * count if numbers is None else [f"{number:.6f}" for number in numbers]


def _cells(row: Row, folder: Path) -> list[str]:
    image = row.image.resolve()
    inside = image.is_relative_to(folder)
    e, ends = row.ellipse, row.ends
    reference = None if row.reference_mm is None else (row.reference_mm,)
    return [
        row.dataset,
        (image.relative_to(folder) if inside else image).as_posix(),
        row.group, str(row.bucket), row.plane, row.view, row.machine,
        *(["", ""] if row.spacing_mm is None else [f"{mm!r}" for mm in row.spacing_mm]),
        *_text((*e.center, *e.semi_axes, e.angle_deg) if e else None, 5),
        *_text((*ends[0], *ends[1]) if ends else None, 4),
        *_text(reference, 1),
    ]  # fmt: skip


def write_manifest(rows: Iterable[Row], path: Path) -> None:
    """Write the manifest as CSV; image paths are relative to its folder where they can be.

    Raises:
        OutputError: the file cannot be written there.
    """
    folder = path.parent.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_cells(row, folder) for row in rows)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _numbers(record: dict[str, str], first: str, count: int) -> list[float] | None:
    """Read `count` numbers from the column `first` on; None where all of them are empty."""
    start = COLUMNS.index(first)
    cells = [record[name] for name in COLUMNS[start : start + count]]
    return [float(cell) for cell in cells] if any(cells) else None


def _row(record: dict[str, str], folder: Path) -> Row:
    spacing = _numbers(record, "mm_per_px_row", 2)
    e = _numbers(record, "center_row", 5)
    ends = _numbers(record, "end_1_row", 4)
    reference = _numbers(record, "reference_mm", 1)
    row = Row(
        dataset=record["dataset"],
        image=folder / record["image"],
        group=record["group"],
        plane=record["plane"],
        spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        ellipse=Ellipse((e[0], e[1]), (e[2], e[3]), e[4]) if e else None,
        reference_mm=reference[0] if reference else None,
        view=record["view"],
        machine=record["machine"],
        ends=((ends[0], ends[1]), (ends[2], ends[3])) if ends else None,
    )
    if int(record["bucket"]) != row.bucket:
        raise DataError(f"bucket {record['bucket']} is not the rule's {row.bucket}")
    return row


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest that `write_manifest` wrote.

    Raises:
        DataError: a column is missing, a number is not one, or a bucket breaks the rule.
    """
    return read_rows(path, COLUMNS, _row)


def read_rows(
    path: Path, columns: Sequence[str], read: Callable[[dict[str, str], Path], T]
) -> list[T]:
    """Read a table with these columns; `read` makes a row of a record and the table's folder.

    Raises:
        DataError: a column is missing, or a record is not a row.
    """
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, restval="")
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{path}: columns are missing: {', '.join(sorted(missing))}")
        rows = []
        for record in reader:
            try:
                rows.append(read(record, path.parent))
            except (ValueError, FetometryError) as error:
                raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    return rows
