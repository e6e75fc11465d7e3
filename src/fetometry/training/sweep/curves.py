"""A paper's curves redrawn: errors against the setting that was swept, and over the epochs."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

from fetometry.training.evaluate import PREDICTED, ROUTINGS, TRUE
from fetometry.training.plots import COLOURS, DARK
from fetometry.training.sweep.canvas import (
    GREY,
    TEXT_SIZE,
    Drawn,
    figure,
    legend,
    logarithmic,
    plain,
    printed,
)
from fetometry.training.sweep.records import SIDES, CurvePoint
from fetometry.training.sweep.table import Line, all_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Where 0 stands on a logarithmic axis: so much of a decade left of the smallest number.
GAP = 0.8
#: Small multiples in a row, and the letters that a line above one of them has room for.
ACROSS, LETTERS = 4, 25

_METRICS = ("HC ADF mm", "AC ADF mm", "FL ADF mm", "plane accuracy %")


def _places(values: Sequence[float]) -> dict[float, float]:
    """Return where numbers stand on a logarithmic axis on which 0 has a place of its own."""
    positive = [value for value in values if value > 0]
    zero = math.log10(min(positive)) - GAP if positive else 0.0
    return {value: math.log10(value) if value > 0 else zero for value in values}


def _set_places(axes: Axes, places: Mapping[float, float]) -> None:
    """Label the decades, and 0 behind a break."""
    positive = [place for value, place in places.items() if value > 0]
    ends = (math.floor(min(positive)), math.ceil(max(positive))) if positive else (0, -1)
    ticks = {float(k): f"{10.0**k:g}" for k in range(ends[0], ends[1] + 1)}
    inside = [p for p in ticks if min(positive) - 0.05 <= p <= max(positive) + 0.05]
    labels = {place: ticks[place].replace("e-0", "e-") for place in inside}
    if 0.0 in places:
        labels[places[0.0]] = "0"
        style = {"transform": axes.get_xaxis_transform(), "fontsize": TEXT_SIZE, "color": DARK}
        axes.text(places[0.0] + GAP / 2, 0.0, "//", ha="center", va="center", **style)  # type: ignore[arg-type]
    axes.set_xticks(list(labels), list(labels.values()))
    axes.set_xticks([p for p in places.values() if p not in labels], minor=True)


def _setting_line(axes: Axes, lines: Sequence[Line], places: Mapping[float, float]) -> None:
    """Draw one metric of one side and routing, without a line across the break before 0."""
    side, routing = lines[0].split, lines[0].routing
    colour = COLOURS[ROUTINGS.index(routing)]
    test = side == "test"
    shift = 0.06 if routing == TRUE else 0.0  # the two routings often agree
    known = sorted(lines, key=lambda line: line.x or 0.0)
    for part in ([m for m in known if m.x], [m for m in known if not m.x]):
        y = [m.value or 0.0 for m in part]
        bounds = [[m.value - m.low for m in part], [m.high - m.value for m in part]]  # type: ignore[operator]
        axes.errorbar(
            [places[m.x or 0.0] + shift for m in part],
            y,
            yerr=bounds if test else None,
            color=colour,
            linestyle="-" if test else "--",
            marker="o" if test else "s",
            markersize=4,
            markerfacecolor=colour if test else "white",
            linewidth=1.3,
            elinewidth=0.9,
            capsize=2,
            label=f"{side}, {routing} plane",
        )


def _setting_panel(axes: Axes, drawn: Drawn, metric: str, places: Mapping[float, float]) -> None:
    # which plane is found does not depend on where it is measured
    for routing in ROUTINGS if metric.endswith("mm") else (PREDICTED,):
        for side in SIDES:
            found = list(drawn.of(metric, side, routing).values())
            with_x = [line for line in found if line.x is not None]
            if with_x:
                _setting_line(axes, with_x, places)
            if (side, routing) == ("test", PREDICTED):
                for line in (line for line in found if line.x is None):
                    label = f"{line.row}, test"
                    axes.axhline(
                        line.value or 0.0, color=COLOURS[2], linestyle=":", linewidth=1.5,
                        label=label,
                    )  # fmt: skip
    paper = [
        (places[row.x], value)
        for row in all_rows(drawn.results)
        if row.x is not None and (value := printed(row.paper.get(metric, ""))) is not None
    ]
    if paper:
        axes.plot(
            *zip(*sorted(paper), strict=True), color=GREY, marker="x", markersize=4,
            linestyle="none", label="paper, its own images",
        )  # fmt: skip
    axes.set_title(metric, fontsize=TEXT_SIZE + 1, loc="left")
    plain(axes)
    if metric.endswith("mm"):
        logarithmic(axes)
    _set_places(axes, places)
    axes.set_xlabel(drawn.results.sheet.axis, fontsize=TEXT_SIZE)


def setting_curve(drawn: Drawn) -> Figure | None:
    """Draw each metric against the setting that was swept; None where no row has a place on it.

    The axis is logarithmic, with 0 at its own place behind a break. Rows without a place, such
    as separate models, are level lines.
    """
    metrics = drawn.told(_METRICS)
    places = _places([row.x for row in all_rows(drawn.results) if row.x is not None])
    if not metrics or not any(line.x is not None for line in drawn.lines if line.value is not None):
        return None
    rows = math.ceil(len(metrics) / 2)
    made = figure(2.7 * rows + 0.9, drawn.title)
    grid = made.subplots(rows, min(len(metrics), 2), squeeze=False).ravel()
    for axes, metric in zip(grid, metrics, strict=False):
        _setting_panel(axes, drawn, metric, places)
    for axes in grid[len(metrics) :]:
        axes.set_visible(False)
    legend(made, list(grid[: len(metrics)]), 3)
    return made


#: No structure is larger, in mm; what a first epoch draws may be, and would flatten the rest.
MOST_ERROR = 500.0


def _by_epoch(points: Sequence[CurvePoint], name: str) -> tuple[list[int], list[float]]:
    """Return a curve as the mean over folds and repeats."""
    values: dict[int, list[float]] = {}
    for point in points:
        if point.name == name and math.isfinite(point.value):
            values.setdefault(point.epoch + 1, []).append(point.value)
    epochs = sorted(values)
    return epochs, [mean(values[epoch]) for epoch in epochs]


def _val_names(names: Sequence[str], points: Sequence[CurvePoint]) -> list[str]:
    """Return the validation curves to draw of a cell: in mm where it has any, else the error."""
    own = {point.name for point in points}
    mm = [n for n in names if re.fullmatch(r"val_[A-Z]+_mm", n)]
    return mm if own.intersection(mm) else [n for n in names if n == "val_error"]


def _loss_panel(axes: Axes, points: Sequence[CurvePoint], names: Sequence[str], style: str) -> None:
    """Draw some curves of one cell."""
    for i, name in enumerate(names):
        epochs, values = _by_epoch(points, name)
        if not epochs:
            continue
        label = name.replace("_", " ").replace("val", "validation").replace("error", "error, %")
        axes.plot(
            epochs, values, linewidth=1.2, linestyle=style,
            color=DARK if name in ("loss", "val_error") else COLOURS[i % 6],
            marker="." if len(epochs) < 4 else "",
            label="training loss" if name == "loss" else label,
        )  # fmt: skip
    plain(axes)


def _cell_panels(pair: Sequence[Axes], drawn: Drawn, cell: str) -> None:
    """Draw one cell: losses above, validation errors below."""
    from matplotlib.ticker import MaxNLocator

    points = [point for point in drawn.results.curves if point.cell == cell]
    names = list(dict.fromkeys(point.name for point in drawn.results.curves))
    _loss_panel(pair[0], points, [name for name in names if name.startswith("loss")], "-")
    _loss_panel(pair[1], points, _val_names(names, points), "--")
    for axes in pair:
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    pair[0].tick_params(labelbottom=False)
    pair[0].set_title(textwrap.fill(cell, LETTERS), fontsize=TEXT_SIZE, loc="left")
    pair[1].set_xlabel("epoch", fontsize=TEXT_SIZE)


def _scale(shown: Sequence[Axes], said: str, across: int) -> None:
    """Give the panels of one kind, which share a scale, a logarithmic one where it can be."""
    if all(axes.dataLim.y0 > 0 for axes in shown if axes.lines):
        logarithmic(shown[0])
    for i, axes in enumerate(shown):
        axes.tick_params(labelleft=i % across == 0)
        if i % across == 0:
            axes.set_ylabel(said, fontsize=TEXT_SIZE)


def loss_curves(drawn: Drawn) -> Figure | None:
    """Draw training loss, by head, and validation error over the epochs, cell by cell.

    None where no run has curves.
    """
    cells = list(dict.fromkeys(point.cell for point in drawn.results.curves))
    if not cells:
        return None
    across = min(len(cells), ACROSS)
    blocks = math.ceil(len(cells) / across)
    made = figure(2.5 * blocks + 0.9, drawn.title)
    grid = made.subplots(2 * blocks, across, squeeze=False)
    above, below = list(grid[::2].ravel()), list(grid[1::2].ravel())
    for panels in (above, below):
        for axes in panels[1:]:
            axes.sharey(panels[0])  # cells are there to be compared
    for i in range(blocks * across):
        if i < len(cells):
            _cell_panels((above[i], below[i]), drawn, cells[i])
        else:
            above[i].set_visible(False)
            below[i].set_visible(False)
    _scale(above[: len(cells)], "loss", across)
    _scale(below[: len(cells)], "validation", across)
    below[0].set_ylim(top=min(below[0].get_ylim()[1], MOST_ERROR))
    legend(made, [*above, *below], 4)
    return made


__all__ = ["loss_curves", "setting_curve"]
