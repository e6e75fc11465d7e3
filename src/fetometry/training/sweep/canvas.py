"""What the figures of a sweep share: where their numbers come from, and how they look.

Drawn without pyplot, so that nothing outside the figure is touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fetometry.training.evaluate import PREDICTED
from fetometry.training.plots import DPI
from fetometry.training.sweep.records import Results
from fetometry.training.sweep.table import Line, all_rows, largest
from fetometry.training.sweep.words import budget_name, whose

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches; the height of a figure depends on how much there is to show.
WIDTH = 7.5
TITLE_SIZE, TEXT_SIZE = 10, 8
GREY = "#8C8C8C"

#: A logarithmic axis whose ends are no further apart has more numbers, and from here on fewer.
NARROW, WIDE = 6, 1000


@dataclass(frozen=True)
class Drawn:
    """What a figure is drawn from."""

    results: Results
    lines: Sequence[Line]

    @property
    def title(self) -> str:
        """The paper, and in which budgets ours has run."""
        budgets = dict.fromkeys(line.budget for line in self.lines if line.value is not None)
        sheet = self.results.sheet
        ours = ", ".join(map(budget_name, budgets)) + whose(self.results)
        return f"{sheet.title or sheet.paper}; ours: {ours}"

    def of(self, metric: str, side: str, routing: str = PREDICTED) -> dict[str, Line]:
        """Return the line of each row, in the order of the rows."""
        found = largest(self.lines, side, routing)
        return {
            row.name: line
            for row in all_rows(self.results)
            for line in found.get(row.name, ())
            if line.metric == metric
        }

    def told(self, metrics: Sequence[str]) -> list[str]:
        """Return those of the metrics that there are numbers of."""
        known = {line.metric for line in self.lines if line.value is not None}
        return [metric for metric in metrics if metric in known]


def figure(height: float, title: str) -> Figure:
    """Return an empty figure; its height is in inches."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    made.suptitle(title, fontsize=TITLE_SIZE, x=0.01, horizontalalignment="left", wrap=True)
    return made


def plain(axes: Axes) -> None:
    """Give axes small numbers, and no frame above and to the right."""
    axes.tick_params(labelsize=TEXT_SIZE)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def logarithmic(axes: Axes) -> None:
    """Give the vertical axis a logarithmic scale with plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    if high > NARROW * low:
        subs = (1.0, 2.0, 5.0) if high < WIDE * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend(of: Figure, axes: Sequence[Axes], columns: int) -> None:
    """Explain each thing once, below the pictures."""
    told: dict[str, Artist] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            told.setdefault(label, handle)
    of.legend(
        list(told.values()),
        list(told),
        loc="outside lower left",
        ncols=columns,
        fontsize=TEXT_SIZE,
        frameon=False,
    )


def printed(text: str) -> float | None:
    """Return the number at the start of what a paper prints, such as 1.08 of "1.08 ± 0.97"."""
    found = re.match(r"\s*-?\d+(\.\d+)?", text.replace(",", ""))
    return float(found.group()) if found else None


__all__ = [
    "GREY",
    "TEXT_SIZE",
    "TITLE_SIZE",
    "WIDTH",
    "Drawn",
    "figure",
    "legend",
    "logarithmic",
    "plain",
    "printed",
]
