"""The thin lines over a picture: ellipse, callipers with their ticks, the outline of a shaft.

A finding that is a number alone has no lines: the picture says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points, distances_to
from fetometry.report.draw import (
    BLACK,
    Font,
    Paths,
    Picture,
    Style,
    dashed,
    direction,
    stroke,
)
from fetometry.report.labels import (
    LABEL_HEIGHT_PX,
    LABEL_SIZE,
    MARGIN_PX,
    Surroundings,
    beside,
    beyond,
    put_label,
)
from fetometry.report.styles import PLAIN, style_of
from fetometry.types import Finding

#: The outline is drawn beside the ellipse where it strays by this share of the short semi-axis.
STRAY = 0.04

OUTLINE = Style((255, 255, 255))
STRAY_LEGEND = "white: outline off the ellipse"
SHAFT_LEGEND = "thin white line: the shaft that was seen"

#: In pixels at unit 1.
LINE_PX, HALO_PX, TICK_PX, DOT_PX = 1.2, 1.0, 7.0, 1.0
HALO_STRENGTH = 0.65
#: How strong the outline of a shaft is: the bone stays visible under it.
SHAFT_STRENGTH = 0.55

#: Neighbours on an outline that both lie this near to one side of the image, in its pixels, are
#: the two ends of a cut: an outline stops up to half a pixel of the network's before the edge.
EDGE_PX = 3.0


@dataclass(frozen=True)
class View:
    """The enlarged or reduced picture, and how source pixels lie on it."""

    canvas: Picture
    scale: tuple[float, float]  # (row, col)
    unit: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], size: tuple[int, int], unit: float) -> View:
        """Show pixels (H, W) on a canvas of that size (rows, cols)."""
        height, width = pixels.shape
        how = cv2.INTER_AREA if size[0] < height else cv2.INTER_LINEAR
        same = size == (height, width)
        shown = pixels if same else cv2.resize(pixels, size[::-1], interpolation=how)
        canvas = np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR), np.uint8)
        return cls(canvas, (size[0] / height, size[1] / width), unit)

    @property
    def shape(self) -> tuple[float, float]:
        """Height and width of the source."""
        height, width = self.canvas.shape[:2]
        return height / self.scale[0], width / self.scale[1]

    def at(self, points: Points) -> Points:
        """Return points (..., 2) of the source on the canvas; pixel centres are at integers."""
        return np.asarray((points + 0.5) * self.scale - 0.5)

    def width(self, pixels: float) -> int:
        """Return a width at unit 1 as whole pixels of the canvas, at least one."""
        return max(1, round(pixels * self.unit))


def draw_marks(view: View, finding: Finding) -> list[str]:
    """Draw a finding on the canvas; return what explains marks that have no name of their own."""
    if _is_number_alone(finding):
        _say_number(view, finding)
        return []
    lines = calliper_ends(finding)
    marks, remarks = [], []
    if finding.ellipse is None:
        shaft = view.at(_segments(finding.outline_px, view.shape))
        remarks += _faint(view, shaft)
        around = shaft.reshape(-1, 2)
    else:
        around = view.at(finding.ellipse.points(240))
        marks.append((_round_style(finding, lines), _closed(around)))
    marks += [(style_of(name), _calliper(view, name, ends)) for name, ends in lines.items()]
    stray = _stray_points(finding)
    if len(stray):
        marks.append((OUTLINE, _dots(view, stray)))
        remarks.append(STRAY_LEGEND)
    _draw(view, marks)
    _labels(view, {name: view.at(ends) for name, ends in lines.items()}, finding, around)
    return remarks


def _is_number_alone(finding: Finding) -> bool:
    seen = finding.ellipse is not None or finding.points_px or len(finding.outline_px)
    return not seen and bool(finding.measurements)


def _say_number(view: View, finding: Finding) -> None:
    """Write the values in a corner of the picture, and that there is no outline to draw."""
    said = [f"{m.name} {m.value:.1f} {m.unit}" for m in finding.measurements]
    font = Font(LABEL_SIZE, PLAIN.colour, bold=True).scaled(view.unit)
    pad = MARGIN_PX * view.unit
    words = font.cut(f"{', '.join(said)} (no outline)", view.canvas.shape[1] - 2 * pad)
    font.put_with_halo(view.canvas, words, pad + LABEL_HEIGHT_PX * view.unit, pad)


def calliper_ends(finding: Finding) -> dict[str, Points]:
    """Return the two ends (2, 2) of each line: `NAME_1` and `NAME_2` among the points."""
    points = finding.points_px
    names = [key[:-2] for key in points if key.endswith("_1") and f"{key[:-2]}_2" in points]
    return {name: np.array([points[f"{name}_1"], points[f"{name}_2"]]) for name in names}


def _round_style(finding: Finding, lines: dict[str, Points]) -> Style:
    """Return the style of the measurement that goes round: the one that has no two ends."""
    names = [m.name for m in finding.measurements if m.name not in lines]
    return style_of(names[0]) if names else PLAIN


def _closed(points: Points) -> Paths:
    return np.vstack([points, points[:1]])[None]


def _segments(points: Points, shape: tuple[float, float]) -> Paths:
    """Return the steps (N, 2, 2) round a closed outline (N, 2), without those across a cut."""
    at_edge = np.hstack([points < EDGE_PX, points > np.array(shape) - 1 - EDGE_PX])  # (N, 4)
    cut = np.any(at_edge & np.roll(at_edge, -1, axis=0), axis=1)
    return np.asarray(np.stack([points, np.roll(points, -1, axis=0)], axis=1)[~cut])


def _calliper(view: View, name: str, ends_px: Points) -> Paths:
    """Return the paths (K, 2, 2) of a line: its dashes, and at each end a tick across it."""
    ends = view.at(ends_px)
    across = direction(ends)[::-1] * (1, -1) * TICK_PX * view.unit
    ticks = np.stack([ends - across, ends + across], axis=1)
    return np.concatenate([dashed(ends, style_of(name), view.unit), ticks])


def _dots(view: View, points_px: Points) -> Paths:
    """Return one short path (K, 2, 2) per point; OpenCV does not draw one without length."""
    half = np.array([0.0, DOT_PX / 2]) * view.unit
    points = view.at(points_px)
    return np.stack([points - half, points + half], axis=1)


def _faint(view: View, paths: Paths) -> list[str]:
    """Draw paths so thin that what lies under them is still seen, and explain them."""
    if not len(paths):
        return []
    drawn = view.canvas.copy()
    stroke(drawn, paths, OUTLINE.colour, view.width(LINE_PX / 2))
    cv2.addWeighted(drawn, SHAFT_STRENGTH, view.canvas, 1 - SHAFT_STRENGTH, 0, view.canvas)
    return [SHAFT_LEGEND]


def _draw(view: View, marks: list[tuple[Style, Paths]]) -> None:
    """Draw the paths of each style, all of them on a dim rim that shows on white and on black."""
    dark = view.canvas.copy()
    width = view.width(LINE_PX)
    for _, paths in marks:
        stroke(dark, paths, BLACK, width + view.width(HALO_PX))
    cv2.addWeighted(dark, HALO_STRENGTH, view.canvas, 1 - HALO_STRENGTH, 0, view.canvas)
    for style, paths in marks:
        # an anti-aliased line of one pixel is pale; the second pass makes it bright, not wide
        stroke(view.canvas, paths, style.colour, width)
        stroke(view.canvas, paths, style.colour, width)


def _stray_points(finding: Finding) -> Points:
    """Return those outline points (N, 2) that the ellipse does not follow."""
    if finding.ellipse is None or not len(finding.outline_px):
        return np.empty((0, 2))
    distance = np.abs(distances_to(finding.ellipse, finding.outline_px))
    return finding.outline_px[distance > STRAY * finding.ellipse.semi_axes[1]]


def _labels(view: View, lines: dict[str, Points], finding: Finding, around: Points) -> None:
    """Write the name of each line: beyond a diameter, beside the shaft of a bone."""
    taken = Surroundings(view.canvas.shape[:2], view.unit, around, list(lines.values()))
    where = beside if finding.ellipse is None else beyond
    for name, ends in lines.items():
        put_label(view.canvas, name, where(ends), taken)
