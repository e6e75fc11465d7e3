"""Growth charts: centile curves, the value of this exam with its interval, those of earlier ones.

Figures of matplotlib are returned and belong to nobody: they are drawn without `pyplot`, so a
notebook may show, change or save them. Nothing is told by colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fetometry.growth.nouns import CentileCurves, Growth, Interval, Placement
from fetometry.growth.words import RESEARCH_ONLY, placement_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What the short names stand for.
FULL_NAMES = {
    "HC": "Head circumference",
    "BPD": "Biparietal diameter",
    "OFD": "Occipitofrontal diameter",
    "AC": "Abdominal circumference",
    "TAD": "Transverse abdominal diameter",
    "APAD": "Anteroposterior abdominal diameter",
    "FL": "Femur length",
    "EFW": "Estimated fetal weight",
}

DAYS = 7.0

#: Dark on white, and apart in grey: curves, the band between the inner two, a point, its rim.
INK, PALE, BAND, POINT, RIM = "#30363d", "#6b7480", "#e9edf1", "#0b3d78", "#ffffff"

#: Lines from the median outwards, then again from the first but one.
LINES = ("-", (0, (5, 2.5)), (0, (1, 2)), (0, (5, 2, 1, 2)))

#: Okabe and Ito's dark colours, with a shape and a line for each.
SCORES = (
    ("#0072B2", "o", "-"),
    ("#000000", "s", (0, (5, 2))),
    ("#009E73", "^", (0, (1, 1.5))),
    ("#D55E00", "D", (0, (5, 2, 1, 2))),
    ("#7d3f6b", "v", (0, (8, 2))),
    ("#5b5b5b", "P", (0, (3, 1, 1, 1, 1, 1))),
)

#: The least z that a picture of z scores reaches on both sides.
LEAST_REACH_Z = 2.6


@dataclass(frozen=True)
class Sheet:
    """How large a figure is in inches, the size of its text in points, and its last line."""

    width_in: float
    height_in: float
    text_pt: float
    footer: str = ""


#: One of three side by side on a page, one as wide as a page, and one by itself.
SMALL = Sheet(3.1, 2.25, 7.0)
WIDE = Sheet(9.3, 2.4, 7.5)
ALONE = Sheet(7.0, 5.2, 10.0, RESEARCH_ONLY)


def draw_growth(
    placed: Placement,
    curves: CentileCurves,
    *,
    age_days: Interval | None = None,
    earlier: Sequence[Placement] = (),
    sheet: Sheet = ALONE,
) -> Figure:
    """Draw one value on its chart.

    `age_days` is the interval of the age; `earlier` are the places of earlier exams on the same
    chart. A value whose age was estimated from itself is hollow.
    """
    figure, axes = _figure(sheet)
    weeks = np.array(curves.ga_days) / DAYS
    _curves(axes, weeks, curves, sheet)
    if earlier:
        before = sorted(earlier, key=lambda place: place.ga_days)
        path = [*before, placed]
        ages = [place.ga_days / DAYS for place in path]
        axes.plot(ages, [place.value for place in path], "-", color=POINT, linewidth=0.8)
        for place in before:
            _point(axes, place, None, marker="o", hollow=True, size=4.0)
        axes.plot([], [], "o", mfc=RIM, mec=POINT, ms=4.0, label="earlier exams")
    _point(axes, placed, age_days, marker="D", hollow=placed.circular, size=4.5)
    face = RIM if placed.circular else POINT
    said = "this exam, 95 % interval"
    axes.plot([], [], "D", mfc=face, mec=POINT, ms=4.5, label=said)
    if placed.circular:
        axes.plot([], [], linestyle="none", label="circular: age from this value")
    _frame(axes, placed, curves, sheet)
    return figure


def growth_figures(
    growth: Growth, earlier: Sequence[Growth] = (), sheet: Sheet = ALONE
) -> dict[str, Figure]:
    """Draw every chart of a growth; the key is the measurement and the chart's name.

    `earlier` are the growths of the same fetus at earlier exams.
    """
    return {
        f"{placed.name}_{placed.chart}": draw_growth(
            placed,
            curves,
            age_days=growth.age.interval_days if growth.age else None,
            earlier=_same(placed, earlier),
            sheet=sheet,
        )
        for placed, curves in charted(growth)
    }


def figures_with(growth: Growth, earlier: Sequence[Growth]) -> dict[str, Figure]:
    """Draw every chart of a growth and, where there are earlier ones, the z scores over time."""
    figures = growth_figures(growth, earlier)
    if scores((*earlier, growth)):
        figures["z_scores"] = draw_scores((*earlier, growth))
    return figures


def charted(growth: Growth) -> list[tuple[Placement, CentileCurves]]:
    """Return every value that is placed on a chart with the chart's curves."""
    known = {(curves.measurement, curves.chart): curves for curves in growth.curves}
    keyed = [(placed, known.get((placed.name, placed.chart))) for placed in growth.placements]
    return [(placed, curves) for placed, curves in keyed if curves is not None]


def draw_scores(growths: Sequence[Growth], sheet: Sheet = ALONE) -> Figure:
    """Draw the z scores of every measurement over age, one line for each chart.

    Scores that are only bounds, and those of an age estimated from the sizes, are left out.
    """
    figure, axes = _figure(sheet)
    reach = LEAST_REACH_Z
    for ((name, _), where), style in zip(scores(growths).items(), cycle(SCORES), strict=False):
        colour, shape, line = style
        axes.plot(
            *(where[:, 0] / DAYS, where[:, 1]),
            color=colour,
            linestyle=line,
            marker=shape,
            markersize=0.8 * sheet.text_pt,
            linewidth=1.3,
            label=name,
        )
        reach = max(reach, float(np.abs(where[:, 1]).max()) + 0.3)
    for z in (-2, -1, 0, 1, 2):
        axes.axhline(z, color=PALE, linewidth=0.9 if z == 0 else 0.3, zorder=0)
    axes.set_ylim(-reach, reach)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            fontsize=sheet.text_pt,
            frameon=False,
            handlelength=4.0,
        )
    _dress(axes, "z scores over time", "z", sheet)
    return figure


def scores(growths: Sequence[Growth]) -> Mapping[tuple[str, str], NDArray[np.float64]]:
    """Return by measurement and chart the ages in days and z scores (N, 2), N at least 2."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for growth in growths:
        for placed in growth.placements:
            if placed.z is not None and not placed.beyond and not placed.circular:
                found.setdefault((placed.name, placed.chart), []).append((placed.ga_days, placed.z))
    return {key: np.array(sorted(z)) for key, z in found.items() if len(z) > 1}


def as_png(figure: Figure, dpi: float = 200) -> bytes:
    """Return a figure as a PNG."""
    return _saved(figure, "png", dpi)


def as_rgb(figure: Figure, dpi: float = 150) -> NDArray[np.uint8]:
    """Return a figure as pixels (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def as_svg(figure: Figure) -> bytes:
    """Return a figure as an SVG; text is drawn as shapes, so that no font is needed."""
    return _saved(figure, "svg", 72)


def chart_words(placed: Placement, growth: Growth) -> str:
    """Return in words what a chart shows, for those who do not see it."""
    rows = dict(zip(growth.placements, placement_rows(growth), strict=True))
    _, value, centile, *_ = rows[placed]
    name = FULL_NAMES.get(placed.name, placed.name)
    return f"{name} {value} on {placed.title}: centile {centile}"


def _saved(figure: Figure, kind: str, dpi: float) -> bytes:
    from matplotlib import rc_context

    file = io.BytesIO()
    # no date and no random names: the same figure is the same file
    with rc_context({"svg.hashsalt": "fetometry"}):
        figure.savefig(file, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else {})
    return file.getvalue()


def _figure(sheet: Sheet) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    figure = Figure(figsize=(sheet.width_in, sheet.height_in), layout=layout)
    if sheet.footer:
        figure.supxlabel(sheet.footer, fontsize=0.8 * sheet.text_pt, color=PALE, x=0.99, ha="right")
    return figure, figure.add_subplot()


def _curves(axes: Axes, weeks: NDArray[np.float64], curves: CentileCurves, sheet: Sheet) -> None:
    values = np.array(curves.values)
    outwards = sorted({abs(centile - 50) for centile in curves.centiles})
    if len(curves.centiles) >= 4:
        axes.fill_between(weeks, values[1], values[-2], color=BAND, linewidth=0, zorder=0)
    for centile, row in zip(curves.centiles, values, strict=True):
        rank = outwards.index(abs(centile - 50))
        style = LINES[min(rank, len(LINES) - 1)]
        width = 1.3 if rank == 0 else 0.9
        axes.plot(weeks, row, linestyle=style, color=INK if rank == 0 else PALE, linewidth=width)
    ends = [
        (weeks[-1], row[-1], f"{centile:g}")
        for centile, row in zip(curves.centiles, values, strict=True)
    ]
    span = weeks[-1] - weeks[0]
    axes.set_xlim(weeks[0] - 0.02 * span, weeks[-1] + 0.1 * span)
    low, high = float(values.min()), float(values.max())
    axes.set_ylim(max(0.0, low - 0.08 * (high - low)), high + 0.05 * (high - low))
    _labels(axes, ends, sheet)


def _labels(axes: Axes, ends: Sequence[tuple[float, float, str]], sheet: Sheet) -> None:
    """Write names to the right of the ends of lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    size = 0.9 * sheet.text_pt
    # a line of text as a share of the axes, which take about three quarters of the figure
    least = (high - low) * 1.15 * size / (72 * 0.74 * sheet.height_in)
    ordered = sorted(ends, key=lambda end: end[1])
    places = _apart([y for _, y, _ in ordered], least)
    for (x, _, name), y in zip(ordered, places, strict=True):
        axes.annotate(
            name, (x, y), (3, 0), textcoords="offset points", va="center", size=size, color=INK
        )


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """Return rising heights moved so that neighbours are `least` apart, about their own middle."""
    groups: list[tuple[float, int]] = []  # middle, how many
    for height in heights:
        groups.append((height, 1))
        while len(groups) > 1:
            (low, few), (high, more) = groups[-2:]
            if high - low >= least * (few + more) / 2:
                break
            groups[-2:] = [((low * few + high * more) / (few + more), few + more)]
    return [middle + least * (k - (n - 1) / 2) for middle, n in groups for k in range(n)]


def _point(
    axes: Axes, placed: Placement, age: Interval | None, *, marker: str, hollow: bool, size: float
) -> None:
    low, high = placed.interval or (placed.value, placed.value)
    first, last = age or (placed.ga_days, placed.ga_days)
    axes.errorbar(
        placed.ga_days / DAYS,
        placed.value,
        xerr=[[max(placed.ga_days - first, 0) / DAYS], [max(last - placed.ga_days, 0) / DAYS]],
        yerr=[[placed.value - low], [high - placed.value]],
        fmt=marker,
        markersize=size,
        markerfacecolor=RIM if hollow else POINT,
        markeredgecolor=POINT,
        markeredgewidth=0.9,
        ecolor=POINT,
        elinewidth=1.0,
        capsize=2.2,
        zorder=5,
    )


def _frame(axes: Axes, placed: Placement, curves: CentileCurves, sheet: Sheet) -> None:
    title = f"{FULL_NAMES.get(placed.name, placed.name)} ({curves.unit})"
    _dress(axes, title, "", sheet)
    axes.legend(
        loc="upper left",
        fontsize=0.88 * sheet.text_pt,
        frameon=False,
        borderaxespad=0.2,
        handletextpad=0.4,
        handlelength=1.2,
        labelspacing=0.3,
        title=placed.chart,
        title_fontproperties={"size": 0.88 * sheet.text_pt},
        alignment="left",
    )


def _dress(axes: Axes, title: str, unit: str, sheet: Sheet) -> None:
    axes.set_title(title, fontsize=1.15 * sheet.text_pt, loc="left", fontweight="bold", color=INK)
    axes.set_xlabel("weeks of gestation", fontsize=sheet.text_pt, color=INK, labelpad=1.5)
    axes.set_ylabel(unit, fontsize=sheet.text_pt, color=INK)
    axes.tick_params(labelsize=0.95 * sheet.text_pt, colors=INK, length=2.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)


def _same(placed: Placement, earlier: Sequence[Growth]) -> list[Placement]:
    """Return where the same measurement stood on the same chart."""
    return [
        place
        for growth in earlier
        for place in growth.placements
        if (place.name, place.chart) == (placed.name, placed.chart)
    ]
