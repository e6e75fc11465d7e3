"""The papers' figures, redrawn from the tidy table and the curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetometry.errors import DataError, OutputError
from fetometry.training.evaluate import PREDICTED
from fetometry.training.plots import COLOURS, DARK, SHAPES, bland_altman_volumes
from fetometry.training.sweep.canvas import (
    GREY,
    TEXT_SIZE,
    Drawn,
    figure,
    legend,
    plain,
    printed,
)
from fetometry.training.sweep.curves import loss_curves, setting_curve
from fetometry.training.sweep.records import Results
from fetometry.training.sweep.table import Line, all_rows, models_of, ran, rank
from fetometry.training.sweep.words import chosen_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Drawn where the images are, by `panels`.
PANELS = "panels"
SALIENCY = "saliency"

#: The file of each figure that needs the images, and is drawn where they are.
OF_IMAGES: Mapping[str, str] = {PANELS: "panels.jpg", SALIENCY: "saliency.jpg"}

#: At most so many metrics in one figure.
PANES = 2

_OVERLAPS = ("mask Dice %", "DSC %")


def _errors(lines: Sequence[Line]) -> list[list[float]]:
    """Return how far the intervals reach below and above the values."""
    value, low, high = (np.array([getattr(m, n) for m in lines]) for n in ("value", "low", "high"))
    return [(value - low).tolist(), (high - value).tolist()]


def _spread(heights: Sequence[float], room: float) -> list[float]:
    """Return heights from 0 to 1, in rising order, moved until each has its room.

    What stands too near is moved apart as one block round its middle, inside 0 to 1.
    """
    room = min(room, 1 / max(len(heights), 1))
    blocks: list[list[float]] = []  # sum of the wished starts, count
    for i, height in enumerate(heights):
        blocks.append([height - i * room, 1])
        while len(blocks) > 1 and _start(blocks[-2]) >= _start(blocks[-1]):
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    last = 1 - (len(heights) - 1) * room
    starts = [min(max(_start(block), 0.0), last) for block in blocks for _ in range(int(block[1]))]
    return [start + i * room for i, start in enumerate(starts)]


def _start(block: Sequence[float]) -> float:
    return block[0] / block[1]


def _look(i: int) -> tuple[str, str]:
    """Return colour and shape of one of many points."""
    return COLOURS[i % 6], SHAPES[(i + i // 6) % len(SHAPES)]


def _labels(axes: Axes, lines: Sequence[Line]) -> None:
    """Name the points in a column at the right, each with a line of its colour to its point."""
    low, high = axes.get_ylim()
    colours = {line.row: _look(i)[0] for i, line in enumerate(lines)}
    ordered = sorted(lines, key=lambda line: line.value or 0.0)
    heights = [((line.value or 0.0) - low) / (high - low) for line in ordered]
    inches = axes.figure.get_size_inches()[1] / len(axes.figure.axes)  # type: ignore[union-attr]
    room = 1.6 * TEXT_SIZE / 72 / inches
    for line, height in zip(ordered, _spread(heights, room), strict=True):
        leader = {"arrowstyle": "-", "linewidth": 0.7, "shrinkB": 3, "relpos": (0.0, 0.5)}
        axes.annotate(
            line.row,
            (line.trainable or 1, line.value or 0.0),
            xytext=(1.03, height),
            textcoords="axes fraction",
            fontsize=TEXT_SIZE,
            color=DARK,
            verticalalignment="center",
            arrowprops={**leader, "color": colours[line.row]},
        )


def _parameter_panel(axes: Axes, drawn: Drawn, metric: str) -> None:
    known = [line for line in drawn.of(metric, "test").values() if line.trainable]
    for i, line in enumerate(known):
        colour, shape = _look(i)
        axes.errorbar(
            [line.trainable or 1], [line.value or 0.0], yerr=_errors([line]),
            fmt=shape, color=colour, markersize=5, elinewidth=0.9, capsize=2,
            label="ours, test, with 95 % interval" if i == 0 else None,
        )  # fmt: skip
    said = {row.name: printed(row.paper.get(metric, "")) for row in all_rows(drawn.results)}
    paper = [(m.trainable, said[m.row]) for m in known if said[m.row] is not None]
    if paper:
        axes.plot(
            *zip(*paper, strict=True), color=GREY, marker="x", linestyle="none",
            label="paper, its own split, at our count",
        )  # fmt: skip
    axes.set_xscale("log")
    plain(axes)
    axes.set_ylabel(metric, fontsize=TEXT_SIZE)
    axes.set_xlabel("trainable parameters", fontsize=TEXT_SIZE)
    _labels(axes, known)


def parameter_accuracy(drawn: Drawn) -> Figure | None:
    """Draw overlap and HC against the number of trainable parameters, each row with its name.

    None where no row has both.
    """
    metrics = [*drawn.told(_OVERLAPS)[:1], *drawn.told(("HC ADF mm",))]
    metrics = [m for m in metrics if any(k.trainable for k in drawn.of(m, "test").values())]
    if not metrics:
        return None
    most = max(len(drawn.of(metric, "test")) for metric in metrics)
    made = figure((0.9 + max(2.2, 0.22 * most)) * len(metrics) + 0.6, drawn.title)
    grid = made.subplots(len(metrics), 1, squeeze=False).ravel()
    for axes, metric in zip(grid, metrics, strict=True):
        _parameter_panel(axes, drawn, metric)
    legend(made, list(grid), 2)
    return made


def _bar_panel(axes: Axes, drawn: Drawn, metric: str, rows: Sequence[str]) -> None:
    baselines = {row.name for row in all_rows(drawn.results) if row.baseline}
    for colour, word, names in (
        (COLOURS[0], "", [name for name in rows if name not in baselines]),
        (GREY, "baseline, ", [name for name in rows if name in baselines]),
    ):
        for side, shift, height in (("test", -0.16, 0.42), ("validation", 0.22, 0.26)):
            found = drawn.of(metric, side)
            of = [name for name in names if name in found]
            if of:
                axes.barh(
                    [rows.index(name) + shift for name in of],
                    [found[name].value or 0.0 for name in of],
                    height,
                    xerr=_errors([found[name] for name in of]),
                    color=colour, alpha=1.0 if side == "test" else 0.4, label=f"{word}{side}",
                    error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": DARK},
                )  # fmt: skip
    paper = [
        (value, rows.index(row.name))
        for row in all_rows(drawn.results)
        if row.name in rows and (value := printed(row.paper.get(metric, ""))) is not None
    ]
    if paper:
        axes.plot(
            *zip(*paper, strict=True), color=COLOURS[1], marker="D", markersize=5,
            linestyle="none",
            label=f"paper, its own {'patients' if drawn.results.on_phantoms else 'images'}",
        )  # fmt: skip
    plain(axes)
    axes.set_xlabel(metric, fontsize=TEXT_SIZE)
    axes.set_xlim(left=0)


def bars(drawn: Drawn) -> Figure | None:
    """Draw every row as a bar with its interval, beside the baselines; None where none has run."""
    metrics = [m for m in drawn.told(chosen_metrics(drawn.results)) if "ADF" in m][:PANES]
    rows = [row.name for row in all_rows(drawn.results) if _has_run(drawn, row.name)]
    if not metrics or not rows:
        return None
    made = figure(0.36 * len(rows) + 1.5, drawn.title)
    grid = made.subplots(1, len(metrics), squeeze=False, sharey=True).ravel()
    for axes, metric in zip(grid, metrics, strict=True):
        _bar_panel(axes, drawn, metric, rows)
    grid[0].set_yticks(range(len(rows)), rows)
    grid[0].set_ylim(len(rows) - 0.4, -0.6)
    legend(made, list(grid), 3)
    return made


def _has_run(drawn: Drawn, row: str) -> bool:
    return any(line.row == row and line.value is not None for line in drawn.lines)


def bland_altman(drawn: Drawn) -> Figure | None:
    """Draw length and volume of the last row that tells both, in its largest budget, test side.

    The rows of a paper end with its whole system. None where no row tells of volumes.
    """
    results = drawn.results
    told = []
    for done in ran(results):
        models = models_of(results, done, "test", PREDICTED)
        cases = [case for of in models.values() for model in of for case in model]
        if any(case.of_volume for case in cases) and not done.row.baseline:
            both = any(case.sizes for case in cases) and cases[0].found_ml is not None
            told.append(((both, rank(done.budget)), done, cases))
    if not told:
        return None
    best = max(key for key, _, _ in told)
    _, done, cases = next(one for one in reversed(told) if one[0] == best)
    return bland_altman_volumes(cases, f"{drawn.title}; {done.row.name}, test")


DRAW: Mapping[str, Callable[[Drawn], Figure | None]] = {
    "setting-curve": setting_curve,
    "loss-curves": loss_curves,
    "parameter-accuracy": parameter_accuracy,
    "bars": bars,
    "bland-altman": bland_altman,
}


def write_figures(results: Results, lines: Sequence[Line], folder: Path) -> list[Path]:
    """Draw the figures that a sweep asks for into a folder, as PNG; return what was written.

    Raises:
        DataError: a figure is not known.
        OutputError: a file cannot be written there.
    """
    drawn, written = Drawn(results, lines), []
    for name in results.sheet.figures:
        if name in OF_IMAGES:
            continue
        if name not in DRAW:
            raise DataError(
                f"{results.sheet.paper}: unknown figure {name!r}; known: "
                f"{', '.join((*DRAW, *OF_IMAGES))}"
            )
        made, path = DRAW[name](drawn), folder / f"{name}.png"
        try:
            if made is None:  # nothing to draw, nor of an earlier result
                path.unlink(missing_ok=True)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            made.savefig(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
        written.append(path)
    return written


__all__ = [
    "DRAW",
    "OF_IMAGES",
    "PANELS",
    "SALIENCY",
    "bars",
    "bland_altman",
    "parameter_accuracy",
    "write_figures",
]
