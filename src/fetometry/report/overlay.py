"""The picture that shows where the numbers of one image came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.report.draw import Picture, unit_for
from fetometry.report.marks import View, draw_marks
from fetometry.report.panel import draw_panel
from fetometry.report.write import save_png
from fetometry.types import Finding

#: Pictures with a shorter side are enlarged by a whole factor, so that lines and text stay fine.
SHORT_SIDE_PX = 480

#: Pictures with a longer side are reduced by a whole factor: an overlay is for looking at.
LONG_SIDE_PX = 2400


def draw_overlay(finding: Finding, pixels: NDArray[np.uint8]) -> Picture:
    """Draw a finding on its source picture (H, W), with the numbers in a strip below it.

    Returns a colour picture in OpenCV's order of channels. Small pictures are enlarged and very
    large ones reduced, by a whole factor; nothing but thin lines covers what was measured.
    """
    size = _size(pixels.shape[0], pixels.shape[1])
    view = View.of(pixels, size, unit_for(max(size)))
    return _with_panel(view, finding, draw_marks(view, finding))


def write_overlay(finding: Finding, pixels: NDArray[np.uint8], path: Path) -> Path:
    """Draw a finding on its source picture (H, W) and save it as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    return save_png(draw_overlay(finding, pixels), path)


def _size(height: int, width: int) -> tuple[int, int]:
    factor = float(min(-(-SHORT_SIDE_PX // min(height, width)), LONG_SIDE_PX // max(height, width)))
    if factor < 1:
        factor = 1 / -(-max(height, width) // LONG_SIDE_PX)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _with_panel(view: View, finding: Finding, remarks: list[str]) -> Picture:
    height, width = view.canvas.shape[:2]
    sheet_width = max(width, SHORT_SIDE_PX)
    panel = draw_panel(finding, sheet_width, unit_for(sheet_width), remarks)
    if sheet_width == width:
        return np.vstack([view.canvas, panel])
    framed = np.zeros((height, sheet_width, 3), np.uint8)
    left = (sheet_width - width) // 2
    framed[:, left : left + width] = view.canvas
    return np.vstack([framed, panel])
