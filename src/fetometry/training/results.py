"""Per-image results as tables, each number with its 95 % interval over groups.

Failures count with their full error, in every number but one: only what was measured has an
interval that can hold the truth or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fetometry.errors import DataError
from fetometry.predict.decode import plane_totals
from fetometry.training.calibrate import VIEW, expected_calibration_error
from fetometry.training.cases import MEASUREMENTS, Case, having, measured
from fetometry.training.metrics import Agreement, Estimate, agreement, bootstrap, mean, share
from fetometry.training.volume_scores import (
    PHANTOMS_ONLY,
    of_volumes,
    on_phantoms,
    volume_difference_ml,
)
from fetometry.types import NO_PLANE, PLANES

#: What the planes are, in the order of the tables.
ANSWERS = (*PLANES, NO_PLANE)

#: What a group of a data set is.
GROUPS: Mapping[str, str] = {
    "hc18": "exams",
    "fetal_planes": "patients",
    "phantom3d": "phantoms",
}


@dataclass(frozen=True)
class Line:
    """One row of a result table."""

    name: str
    unit: str
    estimate: Estimate


@dataclass(frozen=True)
class Judged:
    """The numbers of one measurement over a set of images."""

    images: int
    mm: Agreement
    percent: Agreement
    failed: Estimate
    flagged: Estimate
    covered: Estimate | None


def judged(cases: Sequence[Case], name: str) -> Judged:
    """Return the numbers of a measurement over the cases whose truth is known.

    Raises:
        DataError: there is no such case.
    """
    known = having(cases, name)
    if not known:
        raise DataError(f"no image was judged for {name}: this side of the split is empty")
    groups = [case.cluster for case in known]
    sizes = [case.sizes[name] for case in known]
    bounded = [case for case in known if case.sizes[name].is_covered is not None]
    return Judged(
        images=len(known),
        mm=agreement([size.difference_mm for size in sizes], groups),
        percent=agreement([size.difference_percent for size in sizes], groups),
        failed=share([size.failed for size in sizes], groups),
        flagged=share([bool(case.flags) for case in known], groups),
        covered=share(
            [bool(case.sizes[name].is_covered) for case in bounded],
            [case.cluster for case in bounded],
        )
        if bounded
        else None,
    )


def _fit_lines(known: Sequence[Case]) -> list[Line]:
    lines = []
    for name, unit, attribute, factor in (
        ("Dice (DSC)", "%", "dice", 100.0),
        ("Hausdorff distance (HD)", "mm", "hausdorff_mm", 1.0),
        ("ends, mean distance", "mm", "end_error_mm", 1.0),
        ("Jaccard index", "%", "jaccard", 100.0),
        ("boundaries, average distance (Adb)", "mm", "average_boundary_mm", 1.0),
        ("boundaries, Hausdorff distance (Hdb)", "mm", "hausdorff_boundary_mm", 1.0),
        ("end 1, distance (p1)", "mm", "end_1_mm", 1.0),
        ("end 2, distance (p2)", "mm", "end_2_mm", 1.0),
    ):
        pairs = [(v, c.cluster) for c in known if (v := getattr(c, attribute)) is not None]
        if pairs:
            values, groups = zip(*pairs, strict=True)
            lines.append(Line(name, unit, mean([factor * v for v in values], groups)))
    return lines


def _size_lines(name: str, found: Judged) -> list[Line]:
    return [
        Line(f"{name}, mean absolute difference (ADF)", "mm", found.mm.mean_absolute),
        Line(f"{name}, mean absolute difference", "%", found.percent.mean_absolute),
        Line(f"{name}, bias (DF)", "mm", found.mm.bias),
        Line(f"{name}, lower limit of agreement", "mm", found.mm.low_limit),
        Line(f"{name}, upper limit of agreement", "mm", found.mm.high_limit),
        Line(f"{name}, largest absolute difference", "mm", found.mm.largest),
    ]


def summary(cases: Sequence[Case], plane: str = "head") -> list[Line]:
    """Return the short table of a plane, about its first measurement.

    ADF is the mean absolute difference, bias (DF) the mean signed one.

    Raises:
        DataError: there is no case with a truth in that plane.
    """
    first, *others = MEASUREMENTS[plane]
    found = judged(cases, first)
    lines = _size_lines(first, found)
    for name in (n for n in others if having(cases, n)):
        error = judged(cases, name).mm.mean_absolute
        lines.append(Line(f"{name}, mean absolute difference", "mm", error))
    lines += _fit_lines(having(cases, first))
    return [*lines, Line("failed", "%", found.failed), Line("flagged", "%", found.flagged)]


def _volume_agreement(cases: Sequence[Case]) -> list[Line]:
    pairs = [(d, c.cluster) for c in cases if (d := volume_difference_ml(c)) is not None]
    if not pairs:
        return []
    values, groups = zip(*pairs, strict=True)
    found = agreement(values, groups)
    return [
        Line("volume, mean absolute difference (ADF)", "mL", found.mean_absolute),
        Line("volume, bias (DF)", "mL", found.bias),
        Line("volume, lower limit of agreement", "mL", found.low_limit),
        Line("volume, upper limit of agreement", "mL", found.high_limit),
    ]


def volume_summary(cases: Sequence[Case]) -> list[Line]:
    """Return the table of a model of volumes: length, volume, and how mask and ends lie.

    What the model does not tell, such as the ends where it draws masks alone, has no line.
    """
    lines = _size_lines("FL", judged(cases, "FL")) if having(cases, "FL") else []
    groups = [case.cluster for case in cases]
    return [
        *lines,
        *_volume_agreement(cases),
        *_fit_lines(cases),
        Line("failed", "%", share([bool(case.failure) for case in cases], groups)),
        Line("flagged", "%", share([bool(case.flags) for case in cases], groups)),
    ]


def volumes_markdown(cases: Sequence[Case]) -> str:
    """Return the tables of a model of volumes as Markdown, and what they do not say."""
    rows = [_line_cells(line) for line in volume_summary(cases)]
    tables = [PHANTOMS_ONLY] if on_phantoms(cases) else []
    tables.append(table((counted(cases), "value", "95 % interval"), rows))
    if having(cases, "FL"):
        tables += [measurements_markdown(cases, "femur"), parts_markdown(cases, "FL")]
    return "\n\n".join(tables)


def counted(cases: Sequence[Case]) -> str:
    """Return how many images or volumes of how many groups there are, in words."""
    noun = "volumes" if len(of_volumes(cases)) == len(cases) else "images"
    words = {GROUPS.get(case.dataset, "groups") for case in cases}
    word = words.pop() if len(words) == 1 else "groups"
    return f"{len(cases)} {noun} of {len({case.cluster for case in cases})} {word}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    return "\n".join([_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)])


def cell(found: Estimate | None) -> str:
    """Return an estimate with its interval; nothing where there is none."""
    return "" if found is None else f"{found.value:z.2f} ({found.low:z.2f} to {found.high:z.2f})"


def _line_cells(line: Line) -> tuple[str, str, str]:
    e = line.estimate
    return line.name, f"{e.value:z.2f} {line.unit}", f"{e.low:z.2f} to {e.high:z.2f}"


def summary_markdown(cases: Sequence[Case], plane: str = "head") -> str:
    """Return the short table of a plane as Markdown."""
    known = having(cases, MEASUREMENTS[plane][0])
    rows = [_line_cells(line) for line in summary(cases, plane)]
    return table((counted(known), "value", "95 % interval"), rows)


_COLUMNS: Mapping[str, Callable[[Judged], Estimate | None]] = {
    "mean absolute difference, mm": lambda j: j.mm.mean_absolute,
    "mean absolute difference, %": lambda j: j.percent.mean_absolute,
    "bias, mm": lambda j: j.mm.bias,
    "bias, %": lambda j: j.percent.bias,
    "lower limit of agreement, mm": lambda j: j.mm.low_limit,
    "upper limit of agreement, mm": lambda j: j.mm.high_limit,
    "lower limit of agreement, %": lambda j: j.percent.low_limit,
    "upper limit of agreement, %": lambda j: j.percent.high_limit,
    "largest absolute difference, mm": lambda j: j.mm.largest,
    "failed, %": lambda j: j.failed,
    "flagged, %": lambda j: j.flagged,
    "truth in the 95 % interval, %": lambda j: j.covered,
}

#: The columns of the tables of parts: what compares across sizes.
_OF_PARTS = tuple(name for name in _COLUMNS if not name.endswith("mm"))


def measurements_markdown(cases: Sequence[Case], plane: str) -> str:
    """Return every statistic of every measurement of a plane as Markdown."""
    names = [name for name in MEASUREMENTS[plane] if having(cases, name)]
    found = [judged(cases, name) for name in names]
    noun = "volumes" if of_volumes(cases) else "images"
    rows = [(noun, *(str(j.images) for j in found))]
    rows += [
        (title, *(cell(of(j)) for j in found))
        for title, of in _COLUMNS.items()
        if any(of(j) is not None for j in found)
    ]
    return table((plane, *names), rows)


def thirds(cases: Sequence[Case], name: str) -> dict[str, list[Case]]:
    """Return the cases of a measurement by third of the true size, each third by its range."""
    known = having(cases, name)
    sizes = np.array([case.sizes[name].truth_mm for case in known])
    low, high = np.quantile(sizes, [1 / 3, 2 / 3])
    labels = (f"below {low:.0f} mm", f"{low:.0f} to {high:.0f} mm", f"{high:.0f} mm and above")
    third = np.searchsorted([low, high], sizes, side="right")
    found = {
        label: [case for case, at in zip(known, third, strict=True) if at == i]
        for i, label in enumerate(labels)
    }
    return {label: part for label, part in found.items() if part}


def parts(cases: Sequence[Case], name: str) -> dict[str, list[Case]]:
    """Return the cases of a measurement by data set, by third of the true size, by machine."""
    known = having(cases, name)
    found: dict[str, list[Case]] = {"all": known}
    found |= _by({case.key: case.dataset for case in known}, known)
    found |= thirds(known, name)
    return found | _by({case.key: case.machine or "machine not known" for case in known}, known)


def _by(label: Mapping[tuple[str, str], str], known: Sequence[Case]) -> dict[str, list[Case]]:
    """Return the cases by their label; a single label tells nothing apart."""
    names = sorted(set(label.values()))
    if len(names) < 2:
        return {}
    return {name: [case for case in known if label[case.key] == name] for name in names}


def parts_markdown(cases: Sequence[Case], name: str) -> str:
    """Return a measurement by data set, by third of the true size and by machine, as Markdown."""
    found = {label: judged(part, name) for label, part in parts(cases, name).items()}
    titles = [t for t in _OF_PARTS if any(_COLUMNS[t](j) is not None for j in found.values())]
    rows = [
        (label, str(j.images), *(cell(_COLUMNS[title](j)) for title in titles))
        for label, j in found.items()
    ]
    return table((name, "volumes" if of_volumes(cases) else "images", *titles), rows)


def plane_lines(cases: Sequence[Case]) -> list[Line]:
    """Return how well planes are told apart, and heads seen through the cerebellum flagged."""
    told = [case for case in cases if case.planes]
    heads = [case for case in told if case.plane == "head"]
    lines = [
        Line(
            f"plane right ({', '.join(ANSWERS)})", "%",
            share([c.found_plane == c.plane for c in told], [c.cluster for c in told]),
        )
    ]  # fmt: skip
    for name, part in (
        (f"{VIEW} heads flagged", [c for c in heads if c.view == VIEW]),
        (f"heads in other views falsely flagged {VIEW}",
         [c for c in heads if c.view not in ("", VIEW)]),
        (f"heads in a view not known flagged {VIEW}", [c for c in heads if not c.view]),
    ):  # fmt: skip
        if part:
            flagged = share([VIEW in c.flags for c in part], [c.cluster for c in part])
            lines.append(Line(f"{name}, of {len(part)}", "%", flagged))
    error = _calibration_error(told)
    return [*lines, Line("plane, expected calibration error", "%", error)]


def _calibration_error(told: Sequence[Case]) -> Estimate:
    totals = [plane_totals(case.planes) for case in told]
    p = np.array([[total.get(plane, 0.0) for plane in ANSWERS] for total in totals])
    truth = np.array([ANSWERS.index(case.plane) for case in told])
    table = np.column_stack([p, truth])

    def error(rows: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return 100 * expected_calibration_error(rows[:, :-1], rows[:, -1].astype(np.int64))

    return bootstrap(table, [case.cluster for case in told], error)


def planes_markdown(cases: Sequence[Case]) -> str:
    """Return how planes are told apart, with the confusion matrix, as Markdown.

    Raises:
        DataError: the model tells no planes apart.
    """
    told = [case for case in cases if case.planes]
    if not told:
        raise DataError("these results are of a model that tells no planes apart")
    rows = [_line_cells(line) for line in plane_lines(told)]
    lines = table((counted(told), "value", "95 % interval"), rows)
    counts = []
    for plane in ANSWERS:
        of = [case for case in told if case.plane == plane]
        if of:
            right = share([c.found_plane == plane for c in of], [c.cluster for c in of])
            found = [str(sum(c.found_plane == answer for c in of)) for answer in ANSWERS]
            counts.append((plane, *found, cell(right)))
    head = ("shown, found as", *ANSWERS, "right, %")
    return f"{lines}\n\n{table(head, counts)}"


def as_markdown(cases: Sequence[Case]) -> str:
    """Return all tables of a result as Markdown.

    Raises:
        DataError: there is no case.
    """
    if not cases:
        raise DataError("no image was judged: this side of the split is empty")
    told = any(case.planes for case in cases)
    tables = ["### planes", planes_markdown(cases)] if told else []
    pictures, volumes = [c for c in cases if not c.of_volume], of_volumes(cases)
    names = measured(pictures)
    for plane in (p for p in PLANES if MEASUREMENTS[p][0] in names):
        tables += [f"### {plane}", summary_markdown(pictures, plane)]
        tables += [measurements_markdown(pictures, plane)]
        tables += [parts_markdown(pictures, n) for n in MEASUREMENTS[plane] if n in names]
    if volumes:
        tables += ["### femur in volumes", volumes_markdown(volumes)]
    return "\n\n".join(tables)
