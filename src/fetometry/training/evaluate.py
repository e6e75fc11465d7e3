"""Judge a model file on one side of a data set, as a user would run it. No torch."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetometry.errors import DataError, MeasurementError, OutputError
from fetometry.image import read
from fetometry.measure import measure_head
from fetometry.predict import Predictor
from fetometry.training.data import Row
from fetometry.training.metrics import (
    Estimate,
    Values,
    bootstrap,
    ellipse_hausdorff_mm,
    ellipse_overlap,
)
from fetometry.types import Spacing


@dataclass(frozen=True)
class Case:
    """One image judged. A failure has 0 as measured value, its full error, and its reason.

    The truth is the circumference of the annotated ellipse; `reference_mm` is the published one.
    """

    image: str
    group: str
    mm_per_px: float
    reference_mm: float
    truth_mm: float
    measured_mm: float
    bpd_difference_mm: float
    ofd_difference_mm: float
    dice: float
    hausdorff_mm: float
    flags: str
    failure: str

    @property
    def difference_mm(self) -> float:
        """Measured minus true circumference."""
        return self.measured_mm - self.truth_mm


def judge(row: Row, predictor: Predictor) -> Case:
    """Measure one image of a data set and compare it with its truth."""
    image = next(iter(read(row.image)))
    spacing = Spacing(row.spacing_mm, "manifest")
    truth = row.ellipse.scaled(*row.spacing_mm)
    common = (row.image.name, row.group, row.spacing_mm[0], row.reference_mm, truth.circumference)
    try:
        prediction = predictor.predict(image)
        finding = measure_head(image, prediction, spacing)
    except MeasurementError as error:
        a, b = truth.semi_axes
        return Case(*common, 0.0, -2 * b, -2 * a, 0.0, 2 * a, "", str(error))
    values = {m.name: m.value for m in finding.measurements}
    return Case(
        *common,
        measured_mm=values["HC"],
        bpd_difference_mm=values["BPD"] - 2 * truth.semi_axes[1],
        ofd_difference_mm=values["OFD"] - 2 * truth.semi_axes[0],
        dice=ellipse_overlap(finding.ellipse, row.ellipse, image.shape),
        hausdorff_mm=ellipse_hausdorff_mm(finding.ellipse, row.ellipse, row.spacing_mm),
        flags=";".join(finding.measurements[0].flags),
        failure="",
    )


def evaluate(rows: Iterable[Row], predictor: Predictor) -> Iterator[Case]:
    """Judge the images one after another."""
    return (judge(row, predictor) for row in rows)


def write_cases(cases: Sequence[Case], path: Path) -> None:
    """Write the per-image results, from which every table is computed.

    Raises:
        OutputError: the file cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([field.name for field in dataclasses.fields(Case)])
            for case in cases:
                writer.writerow(
                    [f"{v:.5f}" if isinstance(v, float) else v for v in dataclasses.astuple(case)]
                )
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def read_cases(path: Path) -> list[Case]:
    """Read per-image results back.

    Raises:
        DataError: the file is not such a table.
    """
    kinds = {f.name: float if f.type == "float" else str for f in dataclasses.fields(Case)}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            records = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not records or set(records[0]) != set(kinds):
        raise DataError(f"{path}: not a per-image result; it needs {', '.join(kinds)}")
    try:
        return [
            Case(**{name: kinds[name](text) for name, text in record.items()})  # type: ignore[arg-type]
            for record in records
        ]
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: not a per-image result ({error})") from None


@dataclass(frozen=True)
class Line:
    """One row of a result table."""

    name: str
    unit: str
    estimate: Estimate


def _limit(sign: int) -> Callable[[Values], float]:
    """Return the limit of agreement below (-1) or above (+1); one value alone has no spread."""
    return lambda v: float(np.mean(v) + sign * 1.96 * (v.std(ddof=1) if len(v) > 1 else 0.0))


def summary(cases: Sequence[Case]) -> list[Line]:
    """Return the result table, each statistic with its interval over groups.

    ADF is the mean absolute difference of HC, bias (DF) the mean signed one; the limits of
    agreement are bias -+ 1.96 SD (Bland and Altman, Lancet 1986;327:307-310). Failures count.

    Raises:
        DataError: there is no case.
    """
    if not cases:
        raise DataError("no image was judged: this side of the split is empty")
    groups = [case.group for case in cases]
    difference = np.array([case.difference_mm for case in cases])
    percent = 100 * difference / np.array([case.truth_mm for case in cases])
    mean = np.mean
    rows: list[tuple[str, str, Values, Callable[[Values], float]]] = [
        ("HC, mean absolute difference (ADF)", "mm", np.abs(difference), mean),
        ("HC, mean absolute difference", "%", np.abs(percent), mean),
        ("HC, bias (DF)", "mm", difference, mean),
        ("HC, lower limit of agreement", "mm", difference, _limit(-1)),
        ("HC, upper limit of agreement", "mm", difference, _limit(+1)),
        ("HC, largest absolute difference", "mm", np.abs(difference), np.max),
        ("BPD, mean absolute difference", "mm",
         np.abs([case.bpd_difference_mm for case in cases]), mean),
        ("OFD, mean absolute difference", "mm",
         np.abs([case.ofd_difference_mm for case in cases]), mean),
        ("Dice (DSC)", "%", 100 * np.array([case.dice for case in cases]), mean),
        ("Hausdorff distance (HD)", "mm", np.array([case.hausdorff_mm for case in cases]), mean),
        ("failed", "%", np.array([100.0 * bool(case.failure) for case in cases]), mean),
        ("flagged", "%", np.array([100.0 * bool(case.flags) for case in cases]), mean),
    ]  # fmt: skip
    return [
        Line(name, unit, bootstrap(values, groups, lambda v, s=statistic: float(s(v))))  # type: ignore[misc]
        for name, unit, values, statistic in rows
    ]


def as_markdown(cases: Sequence[Case]) -> str:
    """Return the result table as Markdown."""
    groups = len({case.group for case in cases})
    lines = [f"| {len(cases)} images of {groups} exams | value | 95 % interval |", "|---|---|---|"]
    for line in summary(cases):
        e = line.estimate
        lines.append(f"| {line.name} | {e.value:.2f} {line.unit} | {e.low:.2f} to {e.high:.2f} |")
    return "\n".join(lines)


def compare(one: Sequence[Case], other: Sequence[Case]) -> Estimate:
    """Return the paired difference of the absolute errors of HC in mm: other minus one.

    Raises:
        DataError: the two results are not of the same images.
    """
    second = {case.image: case for case in other}
    if {case.image for case in one} != set(second):
        raise DataError("the two results are not of the same images")
    differences = [abs(second[case.image].difference_mm) - abs(case.difference_mm) for case in one]
    return bootstrap(differences, [case.group for case in one])
