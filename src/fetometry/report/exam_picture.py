"""One picture of an exam: a panel for each plane, and below them the values that count.

A panel shows the finding that the value was taken from. Twins have a row of panels each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from fetometry.report import strip
from fetometry.report.draw import Picture, unit_for
from fetometry.report.flags import warning_sentences
from fetometry.report.marks import View, draw_marks
from fetometry.report.styles import BACKGROUND, DETAIL, LINE, NAME, PAD, TITLE
from fetometry.report.summary_table import draw_table
from fetometry.report.write import save_png
from fetometry.types import PLANES, Exam, Finding, Selected

#: Source and frame → its pixels (H, W).
Pictures = Mapping[tuple[str, int], NDArray[np.uint8]]

#: The height of every panel, and its least and greatest width, in pixels.
PANEL_PX, NARROWEST_PX, WIDEST_PX = 360, 300, 720

#: Between two panels; and the narrowest picture, for the table needs the room.
GAP_PX, LEAST_WIDTH_PX = 8, 960

#: Lines and names on a panel are finer than the text below by this factor.
MARKS = 0.8

#: Pixels at unit 1.
CAPTION, HEADER = 30, 34


@dataclass(frozen=True)
class _Panel:
    """One finding with its pixels, and the size (rows, cols) that it is shown at."""

    finding: Finding
    pixels: NDArray[np.uint8]
    size: tuple[int, int]

    @property
    def width(self) -> int:
        return max(self.size[1], NARROWEST_PX)


@dataclass(frozen=True)
class _Part:
    """One fetus: its panels, and its values."""

    fetus: str
    panels: tuple[_Panel, ...]
    selected: tuple[Selected, ...]

    @property
    def width(self) -> int:
        return sum(panel.width + GAP_PX for panel in self.panels) - GAP_PX


def exam_findings(exam: Exam) -> tuple[Finding, ...]:
    """Return the findings that the picture of an exam shows: one for each plane and fetus.

    They are the ones that the values were taken from; of a mean, the one of best quality.
    """
    shown: dict[tuple[str, str], Finding] = {}
    for selected in exam.selected:
        candidates = [finding for finding in exam.findings if _may_be(finding, selected)]
        if candidates:
            best = max(candidates, key=lambda finding: finding.quality)
            shown.setdefault((best.fetus, best.plane), best)
    order = {plane: k for k, plane in enumerate(PLANES)}
    return tuple(sorted(shown.values(), key=lambda f: (f.fetus, order.get(f.plane, len(order)))))


def _may_be(finding: Finding, selected: Selected) -> bool:
    """Tell whether a value may have been taken from this finding."""
    return (
        finding.fetus == selected.fetus
        and any(m.name == selected.name for m in finding.measurements)
        and selected.source in ("", finding.source)
        and selected.frame in (None, finding.frame)
    )


def draw_exam(exam: Exam, pictures: Pictures) -> Picture:
    """Draw an exam: panels side by side, and below them what counts, how sure, and what of it.

    `pictures` holds the pixels (H, W) of the findings that `exam_findings` names, by source and
    frame. A plane without them has no panel; its values are in the table all the same. Returns a
    colour picture in OpenCV's order of channels.
    """
    parts = _parts(exam, pictures)
    width = max([LEAST_WIDTH_PX, *(part.width for part in parts)])
    unit = unit_for(width)
    sheets = [_header(exam, width, unit)] if exam.name else []
    for part in parts:
        sheets += [_panels(part, width, unit)] if part.panels else []
        sheets += [draw_table(part.selected, part.fetus, width, unit)]
        sheets += [_warnings(part.selected, width, unit)]
    if not parts:
        sheets += [_line("Nothing was measured.", width, unit)]
    return np.vstack([*sheets, _footer(exam, width, unit)])


def write_exam_picture(exam: Exam, pictures: Pictures, path: Path) -> Path:
    """Draw an exam as `draw_exam` does, and save it as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    return save_png(draw_exam(exam, pictures), path)


def _parts(exam: Exam, pictures: Pictures) -> list[_Part]:
    shown = [f for f in exam_findings(exam) if (f.source, f.frame) in pictures]
    panels = [(f.fetus, _panel(f, pictures[f.source, f.frame])) for f in shown]
    return [
        _Part(
            fetus,
            tuple(panel for owner, panel in panels if owner == fetus),
            tuple(selected for selected in exam.selected if selected.fetus == fetus),
        )
        for fetus in sorted({selected.fetus for selected in exam.selected})
    ]


def _panel(finding: Finding, pixels: NDArray[np.uint8]) -> _Panel:
    height, width = pixels.shape
    factor = min(PANEL_PX / height, WIDEST_PX / width)
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    return _Panel(finding, pixels, size)


def _panels(part: _Part, width: int, unit: float) -> Picture:
    """Draw the panels of one fetus side by side, in the middle, a caption above each."""
    caption = round(CAPTION * unit)
    sheet = strip.blank(caption + PANEL_PX, width)
    left = (width - part.width) // 2
    for panel in part.panels:
        room = slice(left, left + panel.width)
        sheet[:, room] = _panel_picture(panel, caption, unit)
        left += panel.width + GAP_PX
    return sheet


def _panel_picture(panel: _Panel, caption: int, unit: float) -> Picture:
    view = View.of(panel.pixels, panel.size, MARKS * unit)
    draw_marks(view, panel.finding)
    sheet = np.zeros((caption + PANEL_PX, panel.width, 3), np.uint8)
    sheet[:caption] = BACKGROUND
    top = caption + (PANEL_PX - panel.size[0]) // 2
    left = (panel.width - panel.size[1]) // 2
    sheet[top : top + panel.size[0], left : left + panel.size[1]] = view.canvas
    _caption(sheet, panel.finding, caption, unit)
    return sheet


def _caption(sheet: Picture, finding: Finding, height: int, unit: float) -> None:
    """Write the plane on the left and the file on the right, above a panel."""
    name, detail = NAME.scaled(unit), DETAIL.scaled(unit)
    row, pad = height - 0.45 * LINE * unit, 0.4 * PAD * unit
    plane = strip.plane_words(finding)
    name.put(sheet, plane, row, pad)
    room = sheet.shape[1] - name.width(plane) - 4 * pad
    frame = f"  frame {finding.frame}" if finding.frame > 1 else ""
    source = detail.cut(PurePath(finding.source).name, room - detail.width(frame)) + frame
    detail.put(sheet, source, row, sheet.shape[1] - pad - detail.width(source))


def _header(exam: Exam, width: int, unit: float) -> Picture:
    sheet = strip.blank(round(HEADER * unit), width)
    title, pad = TITLE.scaled(unit), PAD * unit
    title.put(sheet, title.cut(f"Exam {exam.name}", width - 2 * pad), 0.7 * HEADER * unit, pad)
    return sheet


def _line(words: str, width: int, unit: float) -> Picture:
    sheet = strip.blank(round((2 * PAD + LINE) * unit), width)
    NAME.scaled(unit).put(sheet, words, (PAD + 0.7 * LINE) * unit, PAD * unit)
    return sheet


def _warnings(selected: Sequence[Selected], width: int, unit: float) -> Picture:
    sentences = strip.broken_warnings(warning_sentences(selected), width, unit)
    lines = sum(map(len, sentences))
    sheet = strip.blank(round((lines + (0.5 if lines else 0)) * LINE * unit), width)
    strip.warnings(sheet, 0.0, sentences, unit)
    return sheet


def _footer(exam: Exam, width: int, unit: float) -> Picture:
    lines = strip.broken_footer(_provenance(exam), width, unit)
    sheet = strip.blank(round((2 * PAD + (len(lines) + 0.4) * LINE) * unit), width)
    strip.footer(sheet, 0.5 * PAD * unit, lines, unit)
    return sheet


def _provenance(exam: Exam) -> list[str]:
    """Return what was measured, what was not, and who says so."""
    frames = {"measured": {(finding.source, finding.frame) for finding in exam.findings}}
    for what, kind in (("of other planes", "other-plane"), ("with a problem", "refused")):
        frames[what] = {(p.source, p.frame or 1) for p in exam.problems if p.kind == kind}
    sources = dict.fromkeys(f.spacing.source for f in exam.findings if f.spacing)
    models = dict.fromkeys(finding.model.name for finding in exam.findings)
    return [
        *(f"{_images(len(found))} {what}" for what, found in frames.items() if found),
        *([f"spacing: {', '.join(sources)}"] if sources else []),
        *([f"model {', '.join(models)}"] if models else []),
        exam.software,
    ]


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"
