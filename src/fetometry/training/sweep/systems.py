"""All systems side by side on the same test exams of HC18, beside what people differ by."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetometry.errors import DataError
from fetometry.strict import Reader
from fetometry.training.cases import Case, read_cases
from fetometry.training.data import hc18 as hc18_data
from fetometry.training.evaluate import PREDICTED
from fetometry.training.metrics import Estimate, mean
from fetometry.training.results import cell, table
from fetometry.training.sweep.page import put
from fetometry.training.sweep.records import (
    RUNS,
    RunRecord,
    read_runs,
    write_csv,
    write_text,
)
from fetometry.training.sweep.table import estimate, rank
from fetometry.training.sweep.words import budget_name

#: Beside the list of systems: how long each takes, by `benchmarks/systems_speed.py`.
SPEED_FILE = "speed.csv"

METRICS = ("HC ADF mm", "HC ADF %", "HC bias mm", "DSC %", "HD mm", "failed %")
COLUMNS = (
    "system", "metric", "value", "low", "high", "images", "exams", "models", "parameters",
    "ms_per_image", "data", "budget",
)  # fmt: skip

#: Mean absolute differences in % of one and of two observers: the published 95 % limits of
#: -+3.0 and -+4.9 %, of a normal distribution.
OBSERVERS = (("one observer twice", 1.2), ("two observers", 2.0))
NOTE = (
    "(1) Sarris I et al. Ultrasound Obstet Gynecol 2012;39:266-273: 95 % limits of agreement of "
    "3.0 and 4.9 %, as mean absolute differences of a normal distribution."
)


@dataclass(frozen=True)
class System:
    """One system: where its per-image results are, and what it costs.

    `cases` are paths or patterns below the folder of the list; several are folds, whose numbers
    are averaged. `runs` is "<paper>/<cell>" of results that a sweep left there: what is not said
    is taken from its runs.
    """

    name: str
    cases: tuple[str, ...] = ()
    runs: str = ""
    model: str = ""  # a shipped model, to take its time by
    parameters: int = 0  # 0: from `runs`, or not known
    data: str = ""
    budget: str = ""


@dataclass(frozen=True)
class Compared:
    """A system with the HC18 test images of each of its models."""

    system: System
    models: tuple[list[Case], ...]
    parameters: int | None
    ms_per_image: float | None
    budget: str


_READER = Reader(DataError, lambda kind: getattr(kind, "__name__", str(kind)))


def read_systems(path: Path) -> list[System]:
    """Read the list of systems: [[systems]] tables.

    Raises:
        DataError: it is not TOML, or a key is unknown, missing or mistyped.
    """
    tree = _READER.toml(path)
    tables = tree.pop("systems", None)
    if tree or not isinstance(tables, list) or not tables:
        raise DataError(f"{path}: must hold [[systems]] tables and nothing else")
    return [
        _READER.build(System, one, f"{path.name}: [[systems]] {i}") for i, one in enumerate(tables)
    ]


def _runs_of(system: System, folder: Path) -> list[RunRecord]:
    if not system.runs:
        return []
    paper, _, name = system.runs.partition("/")
    found = [run for run in read_runs(folder / paper / RUNS) if run.cell == name and run.done]
    if not found:
        raise DataError(
            f"{system.name}: {folder / paper} holds no finished run of the cell {name!r}; "
            'runs must be "<paper>/<cell>"'
        )
    largest = max(rank(run.budget) for run in found)
    return [run for run in found if rank(run.budget) == largest]


def _files(system: System, runs: Sequence[RunRecord], folder: Path) -> list[Path]:
    paper = system.runs.partition("/")[0]
    patterns = system.cases or [f"{paper}/cases/{run.files}~test.csv" for run in runs]
    found = []
    for pattern in patterns:
        # a folder may be above: no pattern of pathlib says so
        base, name = (folder / pattern).parent, Path(pattern).name
        files = sorted(base.glob(name)) if "*" in name else [base / name]
        if not files:
            raise DataError(f"{system.name}: {folder / pattern} matches no file")
        found += files
    if not found:
        raise DataError(f"{system.name}: say where its results are, with cases or with runs")
    return found


def _cases(path: Path) -> list[Case]:
    found = [case for case in read_cases(path) if case.dataset == hc18_data.NAME]
    found = [case for case in found if case.split == "test" and case.routing == PREDICTED]
    if len({case.key for case in found}) < len(found):
        raise DataError(f"{path}: an image is in it twice")
    return found


def _speeds(folder: Path) -> dict[str, float]:
    """Return the time of an image by system, all taken in one run; none where they were not."""
    path = folder / SPEED_FILE
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as stream:
        return {line["system"]: float(line["ms_per_image"]) for line in csv.DictReader(stream)}


def _compared(system: System, folder: Path) -> Compared:
    runs = _runs_of(system, folder)
    counts = [run.parameters for run in runs if run.parameters is not None]
    return Compared(
        system,
        tuple(_cases(path) for path in _files(system, runs, folder)),
        system.parameters or (counts[0] if counts else None),
        _speeds(folder).get(system.name),
        system.budget or (_budget(runs[0]) if runs else ""),
    )


def _budget(run: RunRecord) -> str:
    return f"{budget_name(run.budget)}: {run.size}, {run.epochs} epochs, {run.device}"


def _check_same_images(compared: Iterable[Compared]) -> None:
    of = [(one.system.name, {c.image for c in cases}) for one in compared for cases in one.models]
    everything = set().union(*(images for _, images in of))
    if not everything:
        raise DataError("no system has a result of an HC18 test image")
    for name, images in of:
        missing = sorted(everything - images)
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DataError(
                f"{name}: {len(missing)} of {len(everything)} HC18 test images are missing: "
                f"{', '.join(missing[:5])}{more}; systems are compared on the same images only"
            )


def repeat_difference(sizes: Iterable[tuple[str, float]]) -> tuple[Estimate, Estimate, int] | None:
    """Return by how much the truths of two images of an exam differ: in mm, in %, of how many.

    `sizes` are pairs of exam and HC in mm; every two images of one exam are a pair. None where
    no exam has two.
    """
    of: dict[str, list[float]] = {}
    for exam, size in sizes:
        of.setdefault(exam, []).append(size)
    pairs = [
        (exam, one, other)
        for exam, found in of.items()
        for one, other in itertools.combinations(found, 2)
    ]
    if not pairs:
        return None
    exams = [exam for exam, _, _ in pairs]
    mm = mean([abs(a - b) for _, a, b in pairs], exams)
    percent = mean([200 * abs(a - b) / (a + b) for _, a, b in pairs], exams)
    return mm, percent, len(pairs)


def _repeats(compared: Sequence[Compared], hc18: Path | None) -> list[list[str]]:
    """Return the line of the exams' repeat images, from all of HC18 where it is there."""
    if hc18 is None:
        cases = compared[0].models[0]
        found, which = repeat_difference((c.group, c.sizes["HC"].truth_mm) for c in cases), "test"
    else:
        rows = hc18_data.rows(hc18)
        found, which = repeat_difference((r.group, r.truth_mm["HC"]) for r in rows), "all"
    if found is None:
        return []
    mm, percent, pairs = found
    name = f"two images of one exam ({pairs} pairs of {which} exams)"
    return [[name, cell(mm), cell(percent), *[""] * 8]]


def _numbers(one: Compared) -> dict[str, Estimate | None]:
    return {metric: estimate(one.models, metric) for metric in METRICS}


def _line(one: Compared, numbers: Mapping[str, Estimate | None]) -> list[str]:
    count = "" if one.parameters is None else f"{one.parameters:,}"
    time = "" if one.ms_per_image is None else f"{one.ms_per_image:.0f}"
    models = str(len(one.models))
    cells = [cell(numbers[metric]) for metric in METRICS]
    about = "; ".join(filter(None, (one.system.data, one.budget)))
    return [one.system.name, *cells, models, count, time, about]


def _table(
    compared: Sequence[Compared],
    numbers: Sequence[Mapping[str, Estimate | None]],
    hc18: Path | None,
) -> str:
    rows = [_line(one, found) for one, found in zip(compared, numbers, strict=True)]
    rows += _repeats(compared, hc18)
    rows += [[f"{who} (1)", "", f"{value:.1f}", *[""] * 8] for who, value in OBSERVERS]
    head = ["system", *METRICS, "models", "parameters", "ms an image", "data and budget"]
    return table(head, rows) + f"\n\n{NOTE}"


def _markdown(cases: Sequence[Case], lines: str) -> str:
    return "\n\n".join(
        [
            "# All systems on the same HC18 test exams",
            f"{len(cases)} images of {len({c.group for c in cases})} exams, the "
            "test side of the split. In brackets is the 95 % interval over exams; where a system "
            "has several models, such as of folds, the number is their mean. An image in which "
            "nothing was measured counts with its full error. Exams are not women: 806 exams are "
            "of 551 women. Intervals that overlap are not a test: `fetometry compare` pairs two "
            "results.",
            lines,
            "Every number is computed from the results of every image that `systems.toml` names.",
        ]
    ) + "\n"  # fmt: skip


def write_systems(toml: Path, hc18: Path | None = None, page: Path | None = None) -> list[Path]:
    """Write the table of all systems beside the list of them, as Markdown and as CSV.

    In a `page` the table replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`, by
    the name of the list.

    `hc18` is the data set's folder: the repeat images of all its exams tell what two images of
    one exam differ by; without it those of the test exams do.

    Raises:
        DataError: a file is missing, or the systems were not judged on the same images.
        OutputError: a file cannot be written there.
    """
    compared = [_compared(system, toml.parent) for system in read_systems(toml)]
    _check_same_images(compared)
    numbers = [_numbers(one) for one in compared]
    cases = compared[0].models[0]
    records = [
        {
            "system": one.system.name,
            "metric": metric,
            **{part: f"{getattr(e, part):.4f}" for part in ("value", "low", "high")},
            "images": len(cases),
            "exams": len({case.group for case in cases}),
            "models": len(one.models),
            "parameters": one.parameters,
            "ms_per_image": None if one.ms_per_image is None else round(one.ms_per_image, 2),
            "data": one.system.data,
            "budget": one.budget,
        }
        for one, found in zip(compared, numbers, strict=True)
        for metric, e in found.items()
        if e is not None
    ]
    text, numbers_file = toml.with_suffix(".md"), toml.with_suffix(".csv")
    write_csv(records, COLUMNS, numbers_file)
    lines = _table(compared, numbers, hc18)
    write_text(_markdown(cases, lines), text)
    if page is not None:
        put(page, toml.stem, lines)
    return [text, numbers_file]


__all__ = ["SPEED_FILE", "System", "read_systems", "repeat_difference", "write_systems"]
