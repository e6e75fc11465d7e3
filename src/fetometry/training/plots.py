"""Per-image results as pictures: Bland-Altman, and error by size, one of each a measurement.

Drawn without pyplot, so that nothing outside the figure is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetometry.errors import OutputError
from fetometry.training.cases import Case, having, measured
from fetometry.training.metrics import Values
from fetometry.training.results import counted, judged, thirds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches, and dots in one.
SIZE, DPI = (7.5, 5.0), 150

#: Where the axes stand, as shares of the picture; all pictures are alike, to be compared.
PLACE = {"left": 0.09, "right": 0.88, "bottom": 0.22, "top": 0.93}

#: Okabe and Ito's colours, told apart by the colour-blind too; and a shape for each.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
SHAPES = "osD^vPX"
DARK, RED = "#333333", "#B00020"

#: How far the picture reaches, relative to its outermost point: there is text at the top.
ROOM = 1.3


def _source(case: Case) -> str:
    """Return what the points of a picture are told apart by."""
    return case.machine or case.dataset


def _sources(cases: Sequence[Case]) -> list[str]:
    """Return the sources by how many images they have; those beyond the last colour share it."""
    names = [_source(case) for case in cases]
    return sorted(set(names), key=lambda name: (-names.count(name), name))


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI)
    figure.subplots_adjust(**PLACE)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, loc="left")
    axes.axhline(0, color=DARK, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _points(axes: Axes, cases: Sequence[Case], x: Values, y: Values, failed: Values) -> None:
    """Draw what was measured by its source, hollow where it is flagged; failures at the rim."""
    sources = np.array([_source(case) for case in cases])
    flagged = np.array([bool(case.flags) for case in cases])
    for i, name in enumerate(_sources(cases)):
        colour, shape = COLOURS[min(i, 6)], SHAPES[min(i, 6)]
        for hollow in (False, True):
            here = (sources == name) & (flagged == hollow) & ~failed.astype(bool)
            axes.scatter(
                x[here],
                y[here],
                s=20,
                marker=shape,
                facecolors="none" if hollow else colour,
                edgecolors=colour,
                linewidths=0.9,
                alpha=0.75,
            )
        axes.scatter([], [], s=20, marker=shape, color=colour, label=name)
    if flagged.any():
        axes.scatter([], [], s=20, facecolors="none", edgecolors=DARK, label="flagged: hollow")
    lost = failed.astype(bool)
    if lost.any():
        rim = np.full(np.count_nonzero(lost), axes.get_ylim()[0])
        label = f"failed: {len(rim)}, at the rim"
        axes.scatter(x[lost], rim, s=36, marker="x", color=RED, clip_on=False, label=label)


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -0.15),
        ncols=4,
        fontsize=8,
        frameon=False,
        borderaxespad=0,
    )


def _reach(*values: Values | Sequence[float]) -> float:
    return ROOM * float(max(np.abs(np.concatenate([[1e-3], *values]))))


def _number(value: float) -> str:
    """Return a signed number with the minus sign that the axes have."""
    return f"{value:+z.1f}".replace("-", "\N{MINUS SIGN}")


def bland_altman(cases: Sequence[Case], name: str) -> Figure:
    """Draw differences in mm against the mean of expert and model, with bias and limits.

    The bands are the 95 % intervals of bias and limits. Failures count in them, and stand at the
    rim, at their true size.

    References:
        Bland JM, Altman DG. Lancet 1986;327:307-310.
    """
    known, found = having(cases, name), judged(cases, name).mm
    sizes = [case.sizes[name] for case in known]
    failed = np.array([size.failed for size in sizes])
    truth = np.array([size.truth_mm for size in sizes])
    difference = np.array([size.difference_mm for size in sizes])
    figure, axes = _figure(f"{name}: {counted(known)}")
    reach = _reach(difference[~failed], [found.low_limit.low, found.high_limit.high])
    axes.set_ylim(-reach, reach)
    _points(axes, known, np.where(failed, truth, truth + difference / 2), difference, failed)
    for label, e, style in (
        ("bias", found.bias, "-"),
        ("lower limit", found.low_limit, "--"),
        ("upper limit", found.high_limit, "--"),
    ):
        axes.axhspan(e.low, e.high, color=DARK, alpha=0.1, linewidth=0)
        axes.axhline(e.value, color=DARK, linewidth=1.2, linestyle=style)
        axes.annotate(
            f"{label}\n{_number(e.value)} mm",
            (1.01, e.value),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            color=DARK,
            verticalalignment="center",
        )
    axes.set_xlabel("mean of expert and model, mm")
    axes.set_ylabel("model minus expert, mm")
    _legend(axes)
    return figure


def error_by_size(cases: Sequence[Case], name: str) -> Figure:
    """Draw differences in % against the true size, with bias and limits of each size third.

    Failures count in them, and stand at the rim.
    """
    known = having(cases, name)
    sizes = [case.sizes[name] for case in known]
    failed = np.array([size.failed for size in sizes])
    truth = np.array([size.truth_mm for size in sizes])
    percent = np.array([size.difference_percent for size in sizes])
    of_thirds = [(part, judged(part, name)) for part in thirds(known, name).values()]
    ends = [e.value for _, j in of_thirds for e in (j.percent.low_limit, j.percent.high_limit)]
    title = "bias (line) and limits of agreement (band) by third"
    figure, axes = _figure(f"{name}: {counted(known)}; {title}")
    reach = _reach(percent[~failed], ends)
    axes.set_ylim(-reach, reach)
    _points(axes, known, truth, percent, failed)
    for part, j in of_thirds:
        within = [case.sizes[name].truth_mm for case in part]
        span = (min(within), max(within))
        low, high = j.percent.low_limit.value, j.percent.high_limit.value
        axes.fill_between(span, low, high, color=DARK, alpha=0.1, linewidth=0)
        axes.plot(span, [j.percent.bias.value] * 2, color=DARK, linewidth=1.4)
        axes.annotate(
            f"{_number(j.percent.bias.value)} %\n{_number(low)} to {_number(high)} %",
            (sum(span) / 2, reach),
            fontsize=8,
            color=DARK,
            horizontalalignment="center",
            verticalalignment="top",
        )
    axes.set_xlabel("expert, mm")
    axes.set_ylabel("model minus expert, %")
    _legend(axes)
    return figure


PLOTS = {"bland-altman": bland_altman, "error-by-size": error_by_size}


def write_plots(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Draw every measurement into a folder as PNG: bland-altman-HC.png, error-by-size-HC.png.

    Raises:
        OutputError: a file cannot be written there.
    """
    written = []
    for name in measured(cases):
        for kind, draw in PLOTS.items():
            path = folder / f"{kind}-{name}.png"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                draw(cases, name).savefig(path)
            except OSError as error:
                raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
            written.append(path)
    return written


__all__ = ["bland_altman", "error_by_size", "write_plots"]
