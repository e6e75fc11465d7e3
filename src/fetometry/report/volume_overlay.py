"""The picture that shows where the numbers of one volume came from: a long cut and three slices.

On each is what lies there of the shaft that was seen, and both ends: as crosses, hollow where an
end lies off the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.geometry.sampling import sampled
from fetometry.report import strip
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
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.labels import Surroundings, beside, put_label
from fetometry.report.marks import LINE_PX, OUTLINE, SHAFT_LEGEND
from fetometry.report.styles import AMBER, DETAIL, LINE, NAME, PAD, PLAIN, VALUE, style_of
from fetometry.report.table import VOLUME_CONVENTION
from fetometry.report.volume_cut import Cut, cuts
from fetometry.report.write import save_png
from fetometry.types import VolumeFinding
from fetometry.volume import Volume

#: The width of the picture, the space round each of its four cuts, and how tall a cut may be.
SHEET_PX, GAP_PX, TALLEST_PX = 1400, 10, 800

#: The largest enlargement: more shows nothing more.
MOST_PX_PER_MM = 14.0

#: An end farther than this from a cut is off it.
ON_CUT_MM = 1.0

#: The arms of a cross at unit 1: from its middle, which stays free, to their tips, and how wide
#: hollow ones are.
FREE_PX, ARM_PX, HOLLOW_PX = 2.5, 8.0, 2.2

BAR_MM = 10.0
CROSS_LEGEND = "cross: an end, hollow where it lies off the cut"
SMALL = Font(0.42, PLAIN.colour, bold=True)


def draw_volume_overlay(found: VolumeFinding, volume: Volume) -> Picture:
    """Draw a finding on cuts through its volume, with the numbers in a strip below them.

    All cuts are true to scale in mm; the three slices share one scale. Returns a colour picture
    in OpenCV's order of channels.
    """
    unit = unit_for(SHEET_PX)
    along, *planes = cuts(found, volume)
    rows = [_row(found, volume, [along]), _row(found, volume, planes)]
    return np.vstack([_header(found, unit), *rows, _strip(found, volume, unit)])


def write_volume_overlay(found: VolumeFinding, volume: Volume, path: Path) -> Path:
    """Draw a finding on cuts through its volume and save it as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    return save_png(draw_volume_overlay(found, volume), path)


def _row(found: VolumeFinding, volume: Volume, several: Sequence[Cut]) -> Picture:
    """Return cuts side by side at one scale, their titles above them."""
    unit = unit_for(SHEET_PX)
    room = SHEET_PX - GAP_PX * (len(several) + 1)
    tallest = max(cut.size_mm[0] for cut in several)
    wanted = min(room / sum(cut.size_mm[1] for cut in several), TALLEST_PX / tallest)
    px_per_mm = min(wanted, MOST_PX_PER_MM)
    canvases = [_canvas(found, volume, cut, px_per_mm) for cut in several]
    title = round(1.2 * LINE * unit)
    height = title + max(canvas.shape[0] for canvas in canvases) + GAP_PX
    row = np.zeros((height, SHEET_PX, 3), np.uint8)
    spare = (room - sum(canvas.shape[1] for canvas in canvases)) // (2 * len(several))
    left = GAP_PX + spare
    for cut, canvas in zip(several, canvases, strict=True):
        width = canvas.shape[1]
        row[title : title + canvas.shape[0], left : left + width] = canvas
        font = DETAIL.scaled(unit)
        font.put(row, font.cut(cut.title, width + spare), 0.8 * title, left)
        left += width + GAP_PX + 2 * spare
    return row


def _canvas(found: VolumeFinding, volume: Volume, cut: Cut, px_per_mm: float) -> Picture:
    unit = unit_for(SHEET_PX)
    points = cut.voxels(px_per_mm)
    grey = np.rint(sampled(volume.voxels, points)).astype(np.uint8)
    canvas = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    shaft = _contours(found, points)
    for path in shaft:
        stroke(canvas, path[None], OUTLINE.colour, max(1, round(LINE_PX / 2 * unit)))
    if found.ends_voxels is not None:
        middle = (np.array(grey.shape) - 1) / 2
        ends = cut.places(found.ends_voxels) * px_per_mm + middle
        _mark_ends(canvas, ends, cut.off(found.ends_voxels) <= ON_CUT_MM, shaft)
    _scale_bar(canvas, px_per_mm, unit)
    return canvas


def _contours(found: VolumeFinding, points: Points) -> list[Points]:
    """Return the closed outlines (N, 2), in pixels of a cut, of what it cuts of the shaft."""
    if found.mask is None:
        return []
    inside = sampled(found.mask, points - np.array(found.box.start)) >= 0.5
    lines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    paths = [line[:, 0, ::-1].astype(np.float64) for line in lines]
    return [np.vstack([path, path[:1]]) for path in paths]


def _mark_ends(canvas: Picture, ends: Points, on: NDArray[np.bool_], shaft: list[Points]) -> None:
    """Draw the ends (2, 2) as crosses with their numbers; where both are on the cut, FL as well."""
    unit, style = unit_for(SHEET_PX), style_of("FL")
    if on.all():
        _on_rim(canvas, dashed(ends, style, unit), style, unit)
    for end, here in zip(ends, on, strict=True):
        _on_rim(canvas, _cross(unit) + end if here else _hollow_cross(unit) + end, style, unit)
    font = Font(SMALL.size, style.colour, bold=True).scaled(unit)
    # where the bone runs into the picture, its ends lie on each other
    near = float(np.linalg.norm(ends[1] - ends[0])) < 2 * ARM_PX * unit
    away = np.array([0.0, 1.0]) if near else direction(ends)
    for number, (end, side) in enumerate(zip(ends, (-1, 1), strict=True), start=1):
        row, col = end + side * 2.2 * ARM_PX * unit * away
        font.put_with_halo(canvas, str(number), row + 5 * unit, col - 4 * unit)
    if on.all():
        around = np.concatenate([np.empty((0, 2)), *shaft])
        taken = Surroundings(canvas.shape[:2], unit, around, [ends])
        put_label(canvas, "FL", beside(ends), taken)


def _cross(unit: float) -> Paths:
    """Return the four arms (4, 2, 2) of a cross."""
    arms = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)]) / np.sqrt(2)
    return np.asarray(np.stack([FREE_PX * unit * arms, ARM_PX * unit * arms], axis=1))


def _hollow_cross(unit: float) -> Paths:
    """Return the outline (1, 13, 2) of a cross."""
    w, a = HOLLOW_PX, ARM_PX
    quarter = np.array([(-w, -w), (-a, -w), (-a, w)])
    turn = np.array([(0.0, -1.0), (1.0, 0.0)])
    corners = [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
    slanted = np.array([(1.0, -1.0), (1.0, 1.0)]) / np.sqrt(2)
    closed = np.concatenate([*corners, corners[0][:1]])
    return np.asarray((closed @ slanted * unit)[None])


def _on_rim(canvas: Picture, paths: Paths, style: Style, unit: float) -> None:
    """Draw paths on a dark rim that shows on white and on black."""
    width = max(1, round(LINE_PX * unit))
    stroke(canvas, paths, BLACK, width + 2)
    stroke(canvas, paths, style.colour, width)


def _scale_bar(canvas: Picture, px_per_mm: float, unit: float) -> None:
    """Draw a bar of 10 mm in the lower left corner, with its length."""
    row, col = canvas.shape[0] - 10 * unit, 10 * unit
    bar = np.array([[row, col], [row, col + BAR_MM * px_per_mm]])
    ticks = np.stack([bar - (4 * unit, 0), bar], axis=1)
    _on_rim(canvas, np.concatenate([bar[None], ticks]), PLAIN, unit)
    SMALL.scaled(unit).put_with_halo(canvas, f"{BAR_MM:.0f} mm", row - 7 * unit, col)


def _header(found: VolumeFinding, unit: float) -> Picture:
    """Return a line with the name of the file, and what the model says of its own limits."""
    pad, line = PAD * unit, LINE * unit
    sheet = np.zeros((round(1.7 * line), SHEET_PX, 3), np.uint8)
    notice = Font(0.55, AMBER, bold=True).scaled(unit)
    name = NAME.scaled(unit)
    room = SHEET_PX - 3 * pad - notice.width(found.notice)
    name.put(sheet, name.cut(PurePath(found.source).name, room), 1.1 * line, pad)
    notice.put(sheet, found.notice, 1.1 * line, SHEET_PX - pad - notice.width(found.notice))
    return sheet


def _strip(found: VolumeFinding, volume: Volume, unit: float) -> Picture:
    """Return the numbers, the warnings and where it all came from (H, width, 3)."""
    pad, line = PAD * unit, LINE * unit
    sentences = [FLAG_TEXT.get(flag, flag) for flag in found.flags]
    flags = strip.broken_warnings(sentences, SHEET_PX, unit)
    footer = strip.broken_footer(_provenance(found, volume), SHEET_PX, unit)
    cards = 3.6 * line
    lines = sum(len(flag) for flag in flags) + len(footer)
    sheet = strip.blank(round(cards + (lines + 1.4) * line + 2 * pad), SHEET_PX)
    strip.rule(sheet, 0, 0, unit)
    for k, (name, value, detail) in enumerate(_cards(found)):
        col = pad + k * 0.25 * SHEET_PX
        strip.name_with_sample(sheet, name, pad, col, unit)
        VALUE.scaled(unit).put(sheet, value, pad + 1.95 * line, col)
        DETAIL.scaled(unit).put(sheet, detail, pad + 2.8 * line, col)
    row = strip.warnings(sheet, pad + cards, flags, unit)
    strip.footer(sheet, row + 0.5 * line, footer, unit)
    return sheet


def _cards(found: VolumeFinding) -> list[tuple[str, str, str]]:
    """Return name, value and detail of each number."""
    cards = []
    if found.length_mm is not None:
        cards.append(("FL", f"{found.length_mm:.1f} mm", VOLUME_CONVENTION))
    if found.volume_ml is not None:
        cards.append(("volume", f"{found.volume_ml:.2f} mL", "of the shaft that was seen"))
    return cards


def _provenance(found: VolumeFinding, volume: Volume) -> list[str]:
    sizes = " x ".join(f"{size:.4g}" for size in found.spacing_mm)
    return [
        f"{' x '.join(map(str, volume.shape))} voxels (slices x rows x columns)",
        f"{sizes} mm per voxel",
        f"model {found.model.name}",
        *([SHAFT_LEGEND] if found.mask is not None else []),
        *([CROSS_LEGEND] if found.ends_voxels is not None else []),
    ]
