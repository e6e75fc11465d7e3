"""What judging a model on one image or volume gave: one `Case`, one line of a CSV file.

A line says which image (data set, group, machine, plane, view, bucket, the side of the split it
was on for this model), who judged it how (model, routing), which plane was found and with which
probabilities, then truth, measurement and interval for each of HC, BPD, OFD, AC, TAD, APAD and
FL, how well the outline or the ends lie, how well the mask does, pixel by pixel, flags, and why
nothing was measured. Results of volumes have further columns at the end. A cell is empty where it
does not apply.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetometry.errors import DataError, OutputError
from fetometry.types import PLANE_CLASSES

#: The measurements of each plane, the one that matters most first.
MEASUREMENTS: Mapping[str, tuple[str, ...]] = {
    "head": ("HC", "BPD", "OFD"),
    "abdomen": ("AC", "TAD", "APAD"),
    "femur": ("FL",),
}
NAMES = tuple(name for names in MEASUREMENTS.values() for name in names)

PROBABILITIES: Mapping[str, str] = {
    "p_" + (name.partition(":")[2] or name).replace("-", "_"): name for name in PLANE_CLASSES
}
_ABOUT = ("dataset", "image", "group", "machine", "plane", "view")
_HOW = ("split", "routing", "model", "found_plane")
_SIZES = ("truth_mm", "measured_mm", "low_mm", "high_mm")
_FIT = ("dice", "hausdorff_mm", "end_error_mm")
_PIXELS = ("pixel_accuracy", "mask_dice", "mean_iou")  # results of earlier versions have none
COLUMNS = (
    *_ABOUT, "bucket", *_HOW, *PROBABILITIES, "mm_per_px",
    *(f"{name}_{part}" for name in NAMES for part in _SIZES),
    *_FIT, *_PIXELS, "flags", "failure",
)  # fmt: skip

#: What only a volume has; these columns are there where one of the cases is of a volume.
SOLID_COLUMNS = (
    "jaccard", "average_boundary_mm", "hausdorff_boundary_mm", "truth_ml", "found_ml",
    "end_1_mm", "end_2_mm",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """One measurement beside its truth, in mm; one that failed has 0, its full error."""

    truth_mm: float
    measured_mm: float = 0.0
    low_mm: float | None = None
    high_mm: float | None = None

    @property
    def difference_mm(self) -> float:
        """Measured minus true."""
        return self.measured_mm - self.truth_mm

    @property
    def difference_percent(self) -> float:
        """Measured minus true, in % of the truth."""
        return 100 * self.difference_mm / self.truth_mm

    @property
    def failed(self) -> bool:
        """Tell whether nothing was measured."""
        return self.measured_mm == 0

    @property
    def is_covered(self) -> bool | None:
        """Tell whether the truth lies in the interval; None where there is no interval."""
        if self.low_mm is None or self.high_mm is None:
            return None
        return self.low_mm <= self.truth_mm <= self.high_mm


@dataclass(frozen=True)
class Case:
    """One image or volume judged; `sizes` by the measurements whose truth is known.

    `planes` has the probability of each of `PLANE_CLASSES`, where the model tells planes apart.
    `dice` and `hausdorff_mm` are of the ellipse; `end_error_mm` is the mean distance of the
    femur's ends. `pixel_accuracy`, `mask_dice` and `mean_iou` are of the mask, where the model has
    one, before an ellipse is fitted to it.

    Of a volume, `dice` and `jaccard` are of its mask, `average_boundary_mm` and
    `hausdorff_boundary_mm` the distances of the two boundaries, and `end_1_mm` and `end_2_mm` how
    far the ends are from the true ones, the hip's first. A mask that was not found has 0 mL.
    """

    dataset: str
    image: str
    group: str
    machine: str
    plane: str
    view: str
    bucket: int
    split: str
    routing: str
    model: str
    found_plane: str
    planes: Mapping[str, float] = field(default_factory=dict)
    mm_per_px: float | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)
    dice: float | None = None
    hausdorff_mm: float | None = None
    end_error_mm: float | None = None
    pixel_accuracy: float | None = None
    mask_dice: float | None = None
    mean_iou: float | None = None
    jaccard: float | None = None
    average_boundary_mm: float | None = None
    hausdorff_boundary_mm: float | None = None
    truth_ml: float | None = None
    found_ml: float | None = None
    end_1_mm: float | None = None
    end_2_mm: float | None = None
    flags: tuple[str, ...] = ()
    failure: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells the image from all others."""
        return self.dataset, self.image

    @property
    def cluster(self) -> str:
        """The group, with its data set: two data sets may name theirs alike."""
        return f"{self.dataset}:{self.group}"

    @property
    def of_volume(self) -> bool:
        """Tell whether a volume was judged, not a picture."""
        return any(getattr(self, name) is not None for name in SOLID_COLUMNS)

    @property
    def volume_failed(self) -> bool:
        """Tell whether there should be a mask in the volume, and none was found."""
        return self.found_ml == 0


def having(cases: Iterable[Case], name: str) -> list[Case]:
    """Return the cases in which the truth of a measurement is known."""
    return [case for case in cases if name in case.sizes]


def measured(cases: Iterable[Case]) -> list[str]:
    """Return the names of the measurements whose truth is known in a case, in their order."""
    found = {name for case in cases for name in case.sizes}
    return [name for name in NAMES if name in found]


def pool(results: Sequence[Sequence[Case]]) -> list[Case]:
    """Return several results, such as those of the folds, as one.

    Raises:
        DataError: an image is in two of them, or they were routed differently.
    """
    cases = [case for result in results for case in result]
    if len({case.routing for case in cases}) > 1:
        raise DataError("results routed by predicted and by true plane cannot be pooled")
    seen: set[tuple[str, str]] = set()
    for case in cases:
        if case.key in seen:
            raise DataError(
                f"{case.image} of {case.dataset} is in two of the results; pool folds, each of "
                "which judges other images"
            )
        seen.add(case.key)
    return cases


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _cells(case: Case) -> dict[str, str]:
    cells = {name: str(getattr(case, name)) for name in (*_ABOUT, "bucket", *_HOW, "failure")}
    cells |= {name: _number(getattr(case, name)) for name in ("mm_per_px", *_FIT, *_PIXELS)}
    cells |= {name: _number(getattr(case, name)) for name in SOLID_COLUMNS}
    # a small probability matters: its logarithm is what is calibrated
    cells |= {c: f"{case.planes[n]:.7g}" for c, n in PROBABILITIES.items() if n in case.planes}
    for name, size in case.sizes.items():
        cells |= {f"{name}_{part}": _number(getattr(size, part)) for part in _SIZES}
    return {**cells, "flags": ";".join(case.flags)}


def write_cases(cases: Iterable[Case], path: Path) -> None:
    """Write the per-image results, from which every table is computed.

    Raises:
        OutputError: the file cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    listed = list(cases)
    columns = (*COLUMNS, *(SOLID_COLUMNS if any(case.of_volume for case in listed) else ()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(
                stream, columns, restval="", extrasaction="ignore", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(_cells(case) for case in listed)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _read_number(text: str) -> float | None:
    return float(text) if text else None


def _size(record: Mapping[str, str], name: str) -> Size:
    truth, found, low, high = (_read_number(record[f"{name}_{part}"]) for part in _SIZES)
    if truth is None or found is None:
        raise ValueError(f"{name} has a truth without a measurement, or the other way round")
    return Size(truth, found, low, high)


def _case(record: Mapping[str, str]) -> Case:
    if None in record or None in record.values():
        raise ValueError("a line is too short or too long")
    text = {name: record[name] for name in (*_ABOUT, *_HOW, "failure")}
    numbers = {name: _read_number(record[name]) for name in ("mm_per_px", *_FIT)}
    numbers |= {n: _read_number(record.get(n, "")) for n in (*_PIXELS, *SOLID_COLUMNS)}
    return Case(
        **text,  # type: ignore[arg-type]
        **numbers,  # type: ignore[arg-type]
        bucket=int(record["bucket"]),
        planes={name: float(record[c]) for c, name in PROBABILITIES.items() if record[c]},
        sizes={
            name: _size(record, name)
            for name in NAMES
            if any(record[f"{name}_{part}"] for part in _SIZES)
        },
        flags=tuple(filter(None, record["flags"].split(";"))),
    )


def read_cases(path: Path) -> list[Case]:
    """Read per-image results back.

    Raises:
        DataError: the file is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            records = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not records or not set(COLUMNS) - set(_PIXELS) <= set(records[0]):
        raise DataError(
            f"{path}: not a per-image result, or one of an earlier version; make it with "
            "`fetometry evaluate --out`"
        )
    try:
        return [_case(record) for record in records]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: not a per-image result ({error})") from None


__all__ = [
    "COLUMNS",
    "MEASUREMENTS",
    "NAMES",
    "SOLID_COLUMNS",
    "Case",
    "Size",
    "having",
    "measured",
    "pool",
    "read_cases",
    "write_cases",
]
