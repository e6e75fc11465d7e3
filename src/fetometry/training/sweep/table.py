"""What a sweep found, as a tidy table and as Markdown beside the paper's numbers.

A row's number is the mean over its models: on the test side each fold's model judges every image,
on the validation side each image is judged by the model that had not seen it. Intervals are over
groups, each drawn with all its models. Failures count with their full error.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from fetometry.training.cases import MEASUREMENTS, NAMES, Case, Size, pool
from fetometry.training.evaluate import PREDICTED
from fetometry.training.metrics import Estimate, Values, multiplicities
from fetometry.training.sweep.records import (
    Results,
    RunRecord,
    SheetRow,
    judged_ways,
    write_csv,
)
from fetometry.training.volume_scores import VOLUME_SCORES

Metric = Callable[[Case], float | None]

#: What a budget is called, from the smallest to the largest.
BUDGETS: Mapping[str, str] = {
    "smoke": "smoke test on phantoms",
    "small": "reduced",
    "full": "the paper's",
}


def _of_size(name: str, of: Callable[[Size], float]) -> Metric:
    return lambda case: of(case.sizes[name]) if name in case.sizes else None


def _in_pixels(name: str) -> Metric:
    def pixels(case: Case) -> float | None:
        if name not in case.sizes or case.mm_per_px is None:
            return None
        return abs(case.sizes[name].difference_mm) / case.mm_per_px

    return pixels


def _share(attribute: str) -> Metric:
    def percent(case: Case) -> float | None:
        value: float | None = getattr(case, attribute)
        return None if value is None else 100 * value

    return percent


def _plane_right(case: Case) -> float | None:
    return 100.0 * (case.found_plane == case.plane) if case.planes else None


def _failed(case: Case) -> float | None:
    if case.of_volume:
        return 100.0 * bool(case.failure)
    first = MEASUREMENTS.get(case.plane, ("",))[0]
    return 100.0 * case.sizes[first].failed if first in case.sizes else None


#: Every metric, as what it is of one image; an image that it does not apply to has None.
METRICS: Mapping[str, Metric] = {
    **{
        f"{name} {what}": _of_size(name, of)
        for name in NAMES
        for what, of in (
            ("ADF mm", lambda size: abs(size.difference_mm)),
            ("bias mm", lambda size: size.difference_mm),
            ("ADF %", lambda size: abs(size.difference_percent)),
        )
    },
    **{f"{names[0]} ADF px": _in_pixels(names[0]) for names in MEASUREMENTS.values()},
    "DSC %": _share("dice"),
    **VOLUME_SCORES,
    "HD mm": lambda case: case.hausdorff_mm,
    "ends mm": lambda case: case.end_error_mm,
    "plane accuracy %": _plane_right,
    "pixel accuracy %": _share("pixel_accuracy"),
    "mask Dice %": _share("mask_dice"),
    "mean IoU %": _share("mean_iou"),
    "failed %": _failed,
}


@functools.lru_cache(maxsize=4)  # all metrics of a row are of the same few sets of groups
def _drawn(groups: tuple[str, ...]) -> Values:
    """Return how often each group is in each resample (D + 1, G), the last the sample itself."""
    counts = np.vstack([multiplicities(groups), np.ones(len(groups))])
    counts.flags.writeable = False
    return counts


def estimate(models: Sequence[Sequence[Case]], metric: str) -> Estimate | None:
    """Return the mean over models of a metric's mean over each one's images; None without images.

    The 95 % interval resamples groups, each with all that the models made of it. With one model
    this is `metrics.mean`.
    """
    of = METRICS[metric]
    told = [[(c.cluster, v) for c in cases if (v := of(c)) is not None] for cases in models]
    told = [pairs for pairs in told if pairs]
    if not told:
        return None
    groups = tuple(dict.fromkeys(cluster for pairs in told for cluster, _ in pairs))
    at = {cluster: i for i, cluster in enumerate(groups)}
    counts = _drawn(groups)
    total, judged = np.zeros(len(counts)), np.zeros(len(counts))
    for pairs in told:
        where = [at[cluster] for cluster, _ in pairs]
        size = counts @ np.bincount(where, minlength=len(groups))  # (D + 1,)
        summed = counts @ np.bincount(where, [v for _, v in pairs], len(groups))
        # a resample may hold none of a model's groups, where folds are missing
        total += np.where(size > 0, summed / np.maximum(size, 1), 0.0)
        judged += size > 0
    found = total / judged
    low, high = np.quantile(found[:-1], [0.025, 0.975])
    return Estimate(float(found[-1]), float(low), float(high))


@dataclass(frozen=True)
class Line:
    """One number of the tidy table; empty where the row has not run."""

    paper: str
    row: str
    x: float | None
    budget: str
    split: str
    routing: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    images: int | None
    groups: int | None
    folds: int | None
    repeats: int | None
    paper_value: str
    parameters: int | None
    trainable: int | None
    ms_per_image: float | None
    minutes: float | None
    device: str
    size: str
    epochs: str
    sd_repeats: float | None


COLUMNS = tuple(f.name for f in fields(Line))


@dataclass(frozen=True)
class Ran:
    """The finished runs of a row in one budget."""

    row: SheetRow
    budget: str
    records: tuple[RunRecord, ...]

    def said(self) -> dict[str, object]:
        """Return what the runs cost and ran on; a row of several models has the sum of them."""
        models = {o.cell: o for o in self.records}.values()
        times = [o.ms_per_image for o in self.records if o.ms_per_image is not None]
        minutes = [o.minutes for o in self.records if o.minutes is not None]
        return {
            "parameters": _sum(o.parameters for o in models),
            "trainable": _sum(o.trainable for o in models),
            "ms_per_image": round(statistics.mean(times), 2) if times else None,
            "minutes": round(sum(minutes), 2) if minutes else None,
            "device": _each(o.device for o in self.records),
            "size": _each(o.size for o in self.records),
            "epochs": _each(str(o.epochs) for o in self.records if o.epochs is not None),
        }


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if known else None


def _each(words: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(word for word in words if word))


def all_rows(results: Results) -> list[SheetRow]:
    """Return the rows of the sheet, then those of runs that it does not name any more."""
    named = {cell for row in results.sheet.rows for cell in row.cells}
    others: dict[str, list[str]] = {}
    for o in results.records:
        if o.cell not in named:
            others.setdefault(o.row or o.cell, []).append(o.cell)
    return [*results.sheet.rows, *(SheetRow(n, tuple(dict.fromkeys(c))) for n, c in others.items())]


def ran(results: Results) -> list[Ran]:
    """Return what has run, in the order of the rows, each budget by itself."""
    found = []
    for row in all_rows(results):
        of = [o for o in results.records if o.done and o.cell in row.cells]
        found += [
            Ran(row, budget, tuple(o for o in of if o.budget == budget))
            for budget in dict.fromkeys(o.budget for o in of)
        ]
    return found


def models_of(results: Results, done: Ran, side: str, routing: str) -> dict[int, list[list[Case]]]:
    """Return what each model of a row made of one side, by repeat.

    On the validation side the folds of a repeat are one: together they judge each image once.
    """
    parts: dict[tuple[int, int], list[list[Case]]] = {}
    for o in done.records:
        cases = results.cases(o, side, routing)
        if cases is not None:
            fold = o.fold if side == "test" else 0
            parts.setdefault((o.repeat, fold), []).append(cases)
    found: dict[int, list[list[Case]]] = {}
    for (repeat, _), of in parts.items():
        found.setdefault(repeat, []).append(pool(of))
    return found


def _spread(models: Mapping[int, list[list[Case]]], metric: str) -> float | None:
    each = [found.value for of in models.values() if (found := estimate(of, metric)) is not None]
    return statistics.stdev(each) if len(each) > 1 else None


def _numbers(
    models: Mapping[int, list[list[Case]]], metric: str
) -> dict[str, float | int | None] | None:
    found = estimate([cases for of in models.values() for cases in of], metric)
    if found is None:
        return None
    of = METRICS[metric]
    known = [c for sets in models.values() for cases in sets for c in cases if of(c) is not None]
    return {
        **asdict(found),
        "images": len({c.key for c in known}),
        "groups": len({c.cluster for c in known}),
        "sd_repeats": _spread(models, metric),
    }


def _lines_of(results: Results, done: Ran) -> list[Line]:
    counts = {
        "folds": len({o.fold for o in done.records}),
        "repeats": len({o.repeat for o in done.records}),
    }
    about = {"paper": results.sheet.paper, "row": done.row.name, "x": done.row.x}
    lines = []
    for side, routing in judged_ways():
        models = models_of(results, done, side, routing)
        for metric in METRICS if models else ():
            numbers = _numbers(models, metric)
            if numbers is not None:
                cells = {**about, **counts, **done.said(), **numbers}
                cells |= {"budget": done.budget, "split": side, "routing": routing}
                cells |= {"metric": metric, "paper_value": done.row.paper.get(metric, "")}
                lines.append(Line(**cells))  # type: ignore[arg-type]
    return lines


def _empty(paper: str, row: SheetRow, metric: str) -> Line:
    cells: dict[str, object] = dict.fromkeys(COLUMNS)
    cells |= dict.fromkeys(("budget", "split", "routing", "device", "size", "epochs"), "")
    cells |= {"paper": paper, "row": row.name, "x": row.x, "metric": metric}
    return Line(**{**cells, "paper_value": row.paper.get(metric, "")})  # type: ignore[arg-type]


def tidy(results: Results) -> list[Line]:
    """Return one line a row x budget x split x routing x metric, in the order of the rows.

    What the paper prints and we have not found, as of a row that has not run, has a line whose
    value is empty.

    Raises:
        DataError: a per-image CSV cannot be read, or two cells of a row judge the same image.
    """
    lines: list[Line] = []
    done = ran(results)
    for row in all_rows(results):
        of_row = [line for r in done if r.row == row for line in _lines_of(results, r)]
        known = {line.metric for line in of_row}
        lines += of_row
        lines += [_empty(results.sheet.paper, row, m) for m in row.paper if m not in known]
        if not of_row and not row.paper:
            lines.append(_empty(results.sheet.paper, row, ""))
    return lines


def _rounded(line: Line) -> dict[str, object]:
    return {
        name: f"{value:.4f}" if name in ("value", "low", "high", "sd_repeats") else value
        for name, value in asdict(line).items()
        if value is not None
    }


def write_tidy(lines: Iterable[Line], path: Path) -> None:
    """Write the tidy table.

    Raises:
        OutputError: it cannot be written there.
    """
    empty = dict.fromkeys(COLUMNS)
    write_csv(({**empty, **_rounded(line)} for line in lines), COLUMNS, path)


def rank(budget: str) -> int:
    """Return how large a budget is beside the others."""
    known = list(BUDGETS)
    return known.index(budget) if budget in known else len(known)


def largest(lines: Sequence[Line], split: str, routing: str = PREDICTED) -> dict[str, list[Line]]:
    """Return the lines of each row on a side, of the largest budget that it has run in."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.value is None or (line.split, line.routing) != (split, routing):
            continue
        kept = found.setdefault(line.row, [])
        if kept and rank(line.budget) > rank(kept[0].budget):
            kept.clear()
        if not kept or kept[0].budget == line.budget:
            kept.append(line)
    return found


__all__ = [
    "BUDGETS",
    "COLUMNS",
    "METRICS",
    "Line",
    "Ran",
    "all_rows",
    "estimate",
    "largest",
    "models_of",
    "ran",
    "rank",
    "tidy",
    "write_tidy",
]
