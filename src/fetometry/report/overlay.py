"""The picture that shows where the numbers came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import OutputError
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
    unit_for,
)
from fetometry.report.panel import PLAIN, STYLES, draw_panel
from fetometry.report.write import atomic
from fetometry.types import Finding

#: Pictures with a shorter side are enlarged by a whole factor, so that lines and text stay fine.
SHORT_SIDE_PX = 480

#: Pictures with a longer side are reduced by a whole factor: an overlay is for looking at.
LONG_SIDE_PX = 2400

#: The outline is drawn beside the ellipse where it strays by this share of the short semi-axis.
STRAY = 0.04

OUTLINE = Style((255, 255, 255))
STRAY_LEGEND = "white: outline off the ellipse"

#: In pixels at unit 1.
LINE_PX, HALO_PX, TICK_PX, DOT_PX = 1.2, 1.0, 7.0, 1.0
HALO_STRENGTH = 0.65
LABEL_SIZE, LABEL_GAP_PX, LABEL_HEIGHT_PX, MARGIN_PX = 0.5, 8.0, 12.0, 4.0


@dataclass(frozen=True)
class _View:
    """The enlarged or reduced picture, and how source pixels lie on it."""

    canvas: Picture
    scale: tuple[float, float]  # (row, col)
    unit: float

    def at(self, points: Points) -> Points:
        """Return points (N, 2) of the source on the canvas; pixel centres are integers in both."""
        return np.asarray((points + 0.5) * self.scale - 0.5)

    def width(self, pixels: float) -> int:
        return max(1, round(pixels * self.unit))


def draw_overlay(finding: Finding, pixels: NDArray[np.uint8]) -> Picture:
    """Draw a finding on its source picture (H, W), with the numbers in a strip below it.

    Returns a colour picture in OpenCV's order of channels. Small pictures are enlarged and very
    large ones reduced, by a whole factor; nothing but thin lines covers what was measured.
    """
    view = _view(pixels)
    diameters = _diameters(finding)
    stray = _stray_points(finding)
    marks = [(STYLES["HC"], _closed(view.at(finding.ellipse.points(240))))]
    marks += [(_style(name), _calliper(view, name, ends)) for name, ends in diameters.items()]
    if len(stray):
        marks.append((OUTLINE, _dots(view, stray)))
    _draw(view, marks)
    for name, ends in diameters.items():
        _label(view, name, view.at(ends))
    return _with_panel(view, finding, [STRAY_LEGEND] if len(stray) else [])


def write_overlay(finding: Finding, pixels: NDArray[np.uint8], path: Path) -> Path:
    """Draw a finding on its source picture (H, W) and save it as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    done, data = cv2.imencode(".png", draw_overlay(finding, pixels), _png_options())
    if not done:
        raise OutputError(f"cannot write {path}: the picture could not be encoded as PNG")
    with atomic(path) as file:
        file.write(data.tobytes())
    return path


def _png_options() -> list[int]:
    # choosing a filter for each row takes as long again as all the rest; where OpenCV is too old
    # to be told which, its defaults are as fast but make files a third larger
    if not hasattr(cv2, "IMWRITE_PNG_FILTER"):
        return []
    return [
        *(cv2.IMWRITE_PNG_COMPRESSION, 1),
        *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
    ]


def _view(pixels: NDArray[np.uint8]) -> _View:
    height, width = pixels.shape
    factor = float(min(-(-SHORT_SIDE_PX // min(height, width)), LONG_SIDE_PX // max(height, width)))
    if factor < 1:
        factor = 1 / -(-max(height, width) // LONG_SIDE_PX)
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    shown = pixels if factor == 1 else cv2.resize(pixels, size[::-1], interpolation=how)
    canvas = cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR)
    scale = (size[0] / height, size[1] / width)
    return _View(np.asarray(canvas, np.uint8), scale, unit_for(max(size)))


def _closed(points: Points) -> Paths:
    return np.vstack([points, points[:1]])[None]


def _diameters(finding: Finding) -> dict[str, Points]:
    """Return the two ends (2, 2) of each diameter: `NAME_1` and `NAME_2` among the points."""
    points = finding.points_px
    names = [key[:-2] for key in points if key.endswith("_1") and f"{key[:-2]}_2" in points]
    return {name: np.array([points[f"{name}_1"], points[f"{name}_2"]]) for name in names}


def _style(name: str) -> Style:
    return STYLES.get(name, PLAIN)


def _calliper(view: _View, name: str, ends_px: Points) -> Paths:
    """Return the paths (K, 2, 2) of a diameter: its dashes, and at each end a tick across it."""
    ends = view.at(ends_px)
    across = direction(ends)[::-1] * (1, -1) * TICK_PX * view.unit
    ticks = np.stack([ends - across, ends + across], axis=1)
    return np.concatenate([dashed(ends, _style(name), view.unit), ticks])


def _dots(view: _View, points_px: Points) -> Paths:
    """Return one short path (K, 2, 2) per point; OpenCV does not draw one without length."""
    half = np.array([0.0, DOT_PX / 2]) * view.unit
    points = view.at(points_px)
    return np.stack([points - half, points + half], axis=1)


def _draw(view: _View, marks: list[tuple[Style, Paths]]) -> None:
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
    if not len(finding.outline_px):
        return finding.outline_px
    distance = np.abs(distances_to(finding.ellipse, finding.outline_px))
    return finding.outline_px[distance > STRAY * finding.ellipse.semi_axes[1]]


def _label(view: _View, name: str, ends: Points) -> None:
    """Write the name beyond that end of the line where it has the most room."""
    font = Font(LABEL_SIZE, _style(name).colour, bold=True).scaled(view.unit)
    half = np.array([LABEL_HEIGHT_PX * view.unit, font.width(name)]) / 2  # (row, col)
    away = direction(ends)
    gap = LABEL_GAP_PX * view.unit + float(np.abs(away) @ half)
    low = half + MARGIN_PX
    high = np.maximum(np.array(view.canvas.shape[:2]) - low, low)
    centers = [ends[0] - gap * away, ends[1] + gap * away]
    center = max(centers, key=lambda at: float(np.min([at - low, high - at])))
    row, col = np.clip(center, low, high)
    font.put_with_halo(view.canvas, name, row + half[0] - view.unit, col - half[1])


def _with_panel(view: _View, finding: Finding, remarks: list[str]) -> Picture:
    height, width = view.canvas.shape[:2]
    sheet_width = max(width, SHORT_SIDE_PX)
    panel = draw_panel(finding, sheet_width, unit_for(sheet_width), remarks)
    if sheet_width == width:
        return np.vstack([view.canvas, panel])
    framed = np.zeros((height, sheet_width, 3), np.uint8)
    left = (sheet_width - width) // 2
    framed[:, left : left + width] = view.canvas
    return np.vstack([framed, panel])
