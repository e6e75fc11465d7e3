"""A data set in the raw layout of nnU-Net v2, with our folds and our test images kept.

References:
    Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation. Nat Methods 2021;18:203-211; dataset format and manual splits: the documentation
    of github.com/MIC-DKFZ/nnUNet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.image import read
from fetometry.training.data import Row
from fetometry.training.data.manifest import BUCKETS
from fetometry.training.exchange.masks import LABELS, label_image
from fetometry.training.recipe import Data

#: Between the data set and the image's name in the name of a case.
BETWEEN = "__"

#: nnU-Net's number of a data set; 1 to 10 are the Medical Segmentation Decathlon's.
NUMBER = 501

SPLITS_FILE, CASES_FILE, DATASET_FILE = "splits_final.json", "cases.json", "dataset.json"

#: nnU-Net's folders of a side: training and validation together, then test.
_TRAIN, _TEST = "Tr", "Ts"

_NOTE = (
    "PNG files have no spacing, and nnU-Net's NaturalImage2DIO takes every pixel for one unit: "
    "sizes in mm come back through this file. splits_final.json belongs into nnU-Net's folder of "
    "preprocessed data, once that is there."
)


@dataclass(frozen=True)
class Exported:
    """What was written: the folder, and how many cases are for training and for testing."""

    folder: Path
    training: int
    testing: int


def case_name(row: Row) -> str:
    """Return the name of an image among the cases of several data sets."""
    return f"{row.dataset}{BETWEEN}{row.image.stem}"


def with_truth(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have a measured structure; of others only the plane is known."""
    return [row for row in rows if row.truth_mm]


def splits(rows: Iterable[Row], folds: int) -> list[dict[str, list[str]]]:
    """Return our folds as nnU-Net takes them: the cases of either side, without the test's."""
    sided = [
        {case_name(row): row.split_in_fold(fold, folds) for row in rows} for fold in range(folds)
    ]
    return [
        {
            "train": [name for name, on in sides.items() if on == "train"],
            "val": [name for name, on in sides.items() if on == "validation"],
        }
        for sides in sided
    ]


def dataset_facts(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Return what `dataset.json` says; labels are consecutive, as nnU-Net asks."""
    last = max(LABELS[row.plane] for row in rows)
    return {
        "channel_names": {"0": "ultrasound"},  # a name it does not know: z-score by image
        "labels": {"background": 0, **{p: n for p, n in LABELS.items() if n <= last}},
        "numTraining": sum(row.split != "test" for row in rows),
        "file_ending": ".png",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
        "name": name,
        "description": _NOTE,
    }


def _check(rows: Sequence[Row], folds: int, number: int) -> None:
    if not 2 <= folds <= BUCKETS - 1:
        raise UsageError(f"--folds must be 2 to {BUCKETS - 1}, got {folds}")
    if not 1 <= number <= 999:
        raise UsageError(f"--number must be 1 to 999, got {number}")
    if not any(row.split != "test" for row in rows):
        raise DataError("no image outside the test side has a truth that could be drawn")
    seen: dict[str, Row] = {}
    for row in rows:
        other = seen.setdefault(case_name(row), row)
        if other is not row:
            raise DataError(f"{row.image} and {other.image} would be one case, {case_name(row)}")


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def _write_case(row: Row, folder: Path) -> dict[str, Any]:
    """Write image and labels of a case, and return what leads back to its source."""
    pixels = next(iter(read(row.image))).pixels
    shape = (pixels.shape[0], pixels.shape[1])
    side = _TEST if row.split == "test" else _TRAIN
    name = case_name(row)
    _write_png(folder / f"images{side}" / f"{name}_0000.png", pixels)
    _write_png(folder / f"labels{side}" / f"{name}.png", label_image(row, shape))
    return {
        "dataset": row.dataset,
        "image": row.image.name,
        "group": row.group,
        "plane": row.plane,
        "split": row.split,
        "mm_per_px": list(row.spacing_mm or ()),
        "truth_mm": row.truth_mm,
    }


def _as_json(path: Path, told: Any) -> None:
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def export(
    rows: Sequence[Row], out: Path, *, folds: int = Data.folds, number: int = NUMBER
) -> Exported:
    """Write a data set as `DatasetNNN_Name` into a folder, nnU-Net's `nnUNet_raw`.

    Images of which only the plane is known are left out. `cases.json` has mm per pixel (row, col)
    and the source of every case.

    Raises:
        UsageError: folds or number are out of their range.
        DataError: there is nothing to train on, or two images would have one name.
        ImageError: an image cannot be read.
        OutputError: the folder is there already, or cannot be written to.
    """
    known = with_truth(rows)
    _check(known, folds, number)
    name = "".join(
        part.capitalize()
        for dataset in sorted({row.dataset for row in known})
        for part in dataset.split("_")
    )
    folder = out / f"Dataset{number:03d}_{name}"
    if folder.exists():
        raise OutputError(f"{folder}: is there already; remove it, or choose another --number")
    try:
        folder.mkdir(parents=True)
        cases = {case_name(row): _write_case(row, folder) for row in known}
        _as_json(folder / DATASET_FILE, dataset_facts(known, name))
        _as_json(folder / SPLITS_FILE, splits(known, folds))
        _as_json(folder / CASES_FILE, {"note": _NOTE, "cases": cases})
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    testing = sum(row.split == "test" for row in known)
    return Exported(folder, len(known) - testing, testing)


__all__ = [
    "CASES_FILE",
    "DATASET_FILE",
    "NUMBER",
    "SPLITS_FILE",
    "Exported",
    "case_name",
    "dataset_facts",
    "export",
    "splits",
    "with_truth",
]
