"""Every data set as one manifest: image, truth, mm per pixel, group, bucket."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fetometry.errors import DataError, FetometryError
from fetometry.geometry import Ellipse
from fetometry.types import checked_spacing

BUCKETS = 10
TEST_BUCKET, VALIDATION_BUCKET = 0, 1
SPLITS = ("train", "validation", "test")

COLUMNS = (
    "dataset", "image", "group", "bucket", "plane", "mm_per_px_row", "mm_per_px_col",
    "center_row", "center_col", "semi_a", "semi_b", "angle_deg", "reference_mm",
)  # fmt: skip


def bucket(dataset: str, group: str) -> int:
    """Return the bucket, 0 to 9, of a group (an exam or a patient) of a data set.

    The one split rule: it depends on nothing but the two names, so that a group never changes
    sides, whatever else is added or left out.
    """
    return int(hashlib.sha256(f"{dataset}:{group}".encode()).hexdigest(), 16) % BUCKETS


@dataclass(frozen=True)
class Row:
    """One image with its truth, in source pixels.

    `reference_mm` is the published measurement, where the data set has one.
    """

    dataset: str
    image: Path
    group: str
    plane: str
    spacing_mm: tuple[float, float]
    ellipse: Ellipse
    reference_mm: float

    def __post_init__(self) -> None:
        checked_spacing(*self.spacing_mm)

    @property
    def bucket(self) -> int:
        """The bucket of the row's group."""
        return bucket(self.dataset, self.group)

    @property
    def split(self) -> str:
        """The row's side in the fixed split: test, validation or train."""
        return {TEST_BUCKET: "test", VALIDATION_BUCKET: "validation"}.get(self.bucket, "train")

    def split_in_fold(self, fold: int, folds: int) -> str:
        """Return the row's side in one fold; folds run over the groups outside the test bucket."""
        if self.bucket == TEST_BUCKET:
            return "test"
        return "validation" if (self.bucket - 1) % folds == fold else "train"


def write_manifest(rows: Iterable[Row], path: Path) -> None:
    """Write the manifest as CSV; image paths are relative to its folder where they can be."""
    folder = path.parent.resolve()
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            image = row.image.resolve()
            inside = image.is_relative_to(folder)
            e = row.ellipse
            writer.writerow(
                [
                    row.dataset,
                    (image.relative_to(folder) if inside else image).as_posix(),
                    row.group, row.bucket, row.plane, *row.spacing_mm,
                    *(f"{v:.6f}" for v in (*e.center, *e.semi_axes, e.angle_deg)),
                    row.reference_mm,
                ]
            )  # fmt: skip


def _row(record: dict[str, str], folder: Path) -> Row:
    number = {name: float(record[name]) for name in COLUMNS[5:]}
    row = Row(
        dataset=record["dataset"],
        image=folder / record["image"],
        group=record["group"],
        plane=record["plane"],
        spacing_mm=(number["mm_per_px_row"], number["mm_per_px_col"]),
        ellipse=Ellipse(
            (number["center_row"], number["center_col"]),
            (number["semi_a"], number["semi_b"]),
            number["angle_deg"],
        ),
        reference_mm=number["reference_mm"],
    )
    if int(record["bucket"]) != row.bucket:
        raise DataError(f"bucket {record['bucket']} is not the rule's {row.bucket}")
    return row


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest that `write_manifest` wrote.

    Raises:
        DataError: a column is missing, a number is not one, or a bucket breaks the rule.
    """
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, restval="")
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise DataError(f"{path}: columns are missing: {', '.join(sorted(missing))}")
        rows = []
        for record in reader:
            try:
                rows.append(_row(record, path.parent))
            except (ValueError, FetometryError) as error:
                raise DataError(f"{path}, line {reader.line_num}: {error}") from None
    return rows
