"""Per-image results as pictures: Bland-Altman, and error by size, one of each a measurement.

Of volumes, length and volume stand side by side.

Drawn without pyplot, so that nothing outside the figure is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetometry.errors import OutputError
from fetometry.training.cases import Case, having, measured
from fetometry.training.metrics import Agreement, Estimate, Values, agreement
from fetometry.training.results import counted, judged, thirds
from fetometry.training.volume_scores import of_volumes, volume_difference_ml

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches, and dots in one.
SIZE, DPI = (7.5, 5.0), 150

#: The inches of one of two pictures side by side, with the room for its numbers.
WIDE = 5.4

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
    _prepare(axes, title)
    return figure, axes


def _prepare(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.axhline(0, color=DARK, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


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


def _number(value: float, digits: int = 1) -> str:
    """Return a signed number with the minus sign that the axes have."""
    return f"{value:+z.{digits}f}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class _Pairs:
    """One quantity of many images or volumes, found and true, in one unit."""

    cases: Sequence[Case]
    truth: Values
    difference: Values
    failed: Values
    unit: str
    reference: str = "expert"

    @cached_property
    def agreement(self) -> Agreement:
        """Bias and limits, each with its interval over groups."""
        return agreement(self.difference, [case.cluster for case in self.cases])

    @property
    def middle(self) -> Values:
        """Where the points stand: the mean of both, of a failure the truth."""
        return np.where(self.failed, self.truth, self.truth + self.difference / 2)

    @property
    def reach(self) -> float:
        """How far the picture reaches up and down."""
        bounds = [self.agreement.low_limit.low, self.agreement.high_limit.high]
        return _reach(self.difference[~self.failed.astype(bool)], bounds)


def _lengths(cases: Sequence[Case], name: str) -> _Pairs:
    known = having(cases, name)
    sizes = [case.sizes[name] for case in known]
    return _Pairs(
        known,
        np.array([size.truth_mm for size in sizes]),
        np.array([size.difference_mm for size in sizes]),
        np.array([size.failed for size in sizes]),
        "mm",
        "truth" if of_volumes(known) else "expert",
    )


def _volumes(cases: Sequence[Case]) -> _Pairs | None:
    told = [(c, d) for c in cases if (d := volume_difference_ml(c)) is not None]
    if not told:
        return None
    known = [case for case, _ in told]
    return _Pairs(
        known,
        np.array([case.truth_ml for case in known], np.float64),
        np.array([difference for _, difference in told]),
        np.array([case.volume_failed for case in known]),
        "mL",
        "truth",
    )


def _agree(axes: Axes, pairs: _Pairs) -> None:
    """Draw points, bias and limits of agreement into axes."""
    axes.set_ylim(-pairs.reach, pairs.reach)
    _points(axes, pairs.cases, pairs.middle, pairs.difference, pairs.failed)
    found = pairs.agreement
    for label, e, style in (
        ("bias", found.bias, "-"),
        ("lower limit", found.low_limit, "--"),
        ("upper limit", found.high_limit, "--"),
    ):
        axes.axhspan(e.low, e.high, color=DARK, alpha=0.1, linewidth=0)
        axes.axhline(e.value, color=DARK, linewidth=1.2, linestyle=style)
        axes.annotate(
            _said(label, e, pairs),
            (1.01, e.value),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            color=DARK,
            verticalalignment="center",
        )
    axes.set_xlabel(f"mean of {pairs.reference} and model, {pairs.unit}")
    axes.set_ylabel(f"model minus {pairs.reference}, {pairs.unit}")


def _said(label: str, e: Estimate, pairs: _Pairs) -> str:
    """Return what stands beside a line: of volumes with the interval, which has room there."""
    if not of_volumes(pairs.cases):
        return f"{label}\n{_number(e.value)} {pairs.unit}"
    low, high = _number(e.low, 2), _number(e.high, 2)
    return f"{label}\n{_number(e.value, 2)} {pairs.unit}\n({low} to {high})"


def bland_altman(cases: Sequence[Case], name: str) -> Figure:
    """Draw differences in mm against the mean of expert and model, with bias and limits.

    The bands are the 95 % intervals of bias and limits. Failures count in them, and stand at the
    rim, at their true size.

    References:
        Bland JM, Altman DG. Lancet 1986;327:307-310.
    """
    judged(cases, name)  # refuses a side without such an image
    pairs = _lengths(cases, name)
    figure, axes = _figure(f"{name}: {counted(pairs.cases)}")
    _agree(axes, pairs)
    _legend(axes)
    return figure


def bland_altman_volumes(cases: Sequence[Case], title: str) -> Figure | None:
    """Draw length and volume of femurs in volumes side by side, as `bland_altman` draws one.

    A model that tells one of the two has that alone; None where it tells neither. The cases may
    be of several models: each volume then has a point of each, and intervals are over groups.

    References:
        Bland JM, Altman DG. Lancet 1986;327:307-310.
    """
    from matplotlib.figure import Figure

    solid = of_volumes(cases)
    told = {"length": _lengths(solid, "FL") if having(solid, "FL") else None}
    told["volume"] = _volumes(solid)
    panels = {name: pairs for name, pairs in told.items() if pairs is not None}
    if not panels:
        return None
    figure = Figure(figsize=(WIDE * len(panels) + 0.4, SIZE[1]), dpi=DPI, layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, horizontalalignment="left", wrap=True)
    grid = figure.subplots(1, len(panels), squeeze=False).ravel()
    for axes, (name, pairs) in zip(grid, panels.items(), strict=True):
        _prepare(axes, f"{name}: {counted(pairs.cases)}")
        _agree(axes, pairs)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), ncols=3, fontsize=8, frameon=False)
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
    reference = "truth" if of_volumes(known) else "expert"
    axes.set_xlabel(f"{reference}, mm")
    axes.set_ylabel(f"model minus {reference}, %")
    _legend(axes)
    return figure


PLOTS = {"bland-altman": bland_altman, "error-by-size": error_by_size}


def _drawn(cases: Sequence[Case]) -> Iterator[tuple[str, Figure]]:
    """Yield every picture of a result with the name of its file."""
    pictures, volumes = [case for case in cases if not case.of_volume], of_volumes(cases)
    for name in measured(pictures):
        for kind, draw in PLOTS.items():
            yield f"{kind}-{name}.png", draw(pictures, name)
    both = bland_altman_volumes(volumes, f"femur in volumes: {counted(volumes)}")
    if both is not None:
        yield "bland-altman-volumes.png", both
    if having(volumes, "FL"):
        yield "error-by-size-volumes-FL.png", error_by_size(volumes, "FL")


def write_plots(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Draw every measurement into a folder as PNG: bland-altman-HC.png, error-by-size-HC.png.

    Volumes have bland-altman-volumes.png, of length and volume.

    Raises:
        OutputError: a file cannot be written there.
    """
    written = []
    for name, figure in _drawn(cases):
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
        written.append(path)
    return written


__all__ = ["bland_altman", "bland_altman_volumes", "error_by_size", "write_plots"]
