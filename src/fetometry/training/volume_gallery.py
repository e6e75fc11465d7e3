"""Femurs in volumes as pictures: two slices along the bone, with what truth and model say.

Both slices hold both true ends, at right angles to each other, so that an end which is off in any
direction is seen to be off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Points
from fetometry.geometry.sampling import sampled
from fetometry.training.cases import Case
from fetometry.training.data import VolumeRow
from fetometry.training.evaluate_volumes import Predictor3d, SeenVolume, see_volume
from fetometry.training.gallery import (
    EXPERT,
    FRACTION_BITS,
    HEIGHT,
    MODEL,
    RING,
    STRIP,
    TEXT,
    WIDTH,
    Picture,
    draw_line,
    write_line,
)
from fetometry.training.volume_scores import volume_difference_ml

#: Around the ends, and how far from a slice an end may lie to count as on it.
ROOM_MM, OFF_MM = 10.0, 2.0

#: Rows of one slice; a line parts the two.
ROWS = (HEIGHT - 1) // 2

BAR_MM = 10.0


@dataclass(frozen=True)
class Slice:
    """A slice of any direction: where its middle is, and its two directions, in mm.

    Millimetres are (slice, row, col) from the centre of the first voxel; `along` and `across` are
    unit vectors (3,) of the picture's columns and rows.
    """

    middle_mm: Points
    along: Points
    across: Points
    mm_per_px: float

    def places_mm(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return where the pixels (h, w) are, (h, w, 3)."""
        rows, cols = (np.arange(size) - (size - 1) / 2 for size in shape)
        down = rows[:, None, None] * self.across
        return np.asarray(
            self.middle_mm + self.mm_per_px * (down + cols[None, :, None] * self.along)
        )

    def seen(self, point_mm: Points, shape: tuple[int, int]) -> tuple[Points, float]:
        """Return where a point (3,) falls in the picture, (row, col), and how far off it lies."""
        from_middle = point_mm - self.middle_mm
        flat = np.array([from_middle @ self.across, from_middle @ self.along]) / self.mm_per_px
        off = abs(float(from_middle @ np.cross(self.along, self.across)))
        return flat + (np.array(shape) - 1) / 2, off


def slices_along(ends_mm: Points, width: int) -> tuple[Slice, Slice]:
    """Return two slices at right angles that hold both ends (2, 3), with room on either side.

    The first has the rows of the volume, along which the probe looks, as its second direction;
    where the bone lies along them, it has the slices.
    """
    apart = ends_mm[1] - ends_mm[0]
    along = apart / np.linalg.norm(apart)
    other = np.eye(3)[1] if abs(along[1]) < 0.9 else np.eye(3)[0]
    across = other - (other @ along) * along
    across /= np.linalg.norm(across)
    scale = float(np.linalg.norm(apart) + 2 * ROOM_MM) / width
    middle = ends_mm.mean(axis=0)
    return Slice(middle, along, across, scale), Slice(middle, along, np.cross(along, across), scale)


def _outlines(mask: NDArray[np.bool_], places: NDArray[np.float64]) -> list[Points]:
    """Return the outlines (N, 2) of what a slice cuts out of a mask, in pixels."""
    inside = (sampled(mask, places) > 0.5).astype(np.uint8)
    found = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return [line[:, 0, ::-1].astype(np.float64) for line in found if len(line) > 2]


def _end(view: Picture, at: Points, off_mm: float, color: tuple[int, int, int]) -> None:
    """Draw an end as a cross, or as a ring where it does not lie on the slice."""
    row, col = np.round((1 << FRACTION_BITS) * at).astype(int).tolist()
    arm = RING << FRACTION_BITS
    if off_mm > OFF_MM:
        cv2.circle(view, (col, row), arm, color, 1, cv2.LINE_AA, FRACTION_BITS)
        return
    for step in (-arm, arm):
        ends = ((col - arm, row - step), (col + arm, row + step))
        cv2.line(view, *ends, color, 1, cv2.LINE_AA, FRACTION_BITS)


def _view(seen: SeenVolume, cut: Slice) -> Picture:
    """Draw one slice with the outlines and ends of truth and model."""
    spacing, shape = np.array(seen.row.spacing_mm), (ROWS, WIDTH)
    places = cut.places_mm(shape) / spacing
    grey = np.clip(sampled(seen.volume.voxels, places), 0, 255).astype(np.uint8)
    view = np.repeat(grey[..., None], 3, axis=-1)
    for mask, ends, color in (
        (seen.truth, seen.true_ends, EXPERT),
        (seen.mask, seen.ends, MODEL),
    ):
        for line in () if mask is None else _outlines(mask, places):
            draw_line(view, line, dashed=color == EXPERT)
        for end in () if ends is None else ends:
            at, off = cut.seen(end * spacing, shape)
            _end(view, at, off, color)
    return view


def _bar(view: Picture, mm_per_px: float) -> None:
    """Draw how long 10 mm are, at the lower right."""
    row, stop = view.shape[0] - 8, view.shape[1] - 8
    start = stop - round(BAR_MM / mm_per_px)
    cv2.line(view, (start, row), (stop, row), TEXT, 2)
    at = (start, row - 6)
    cv2.putText(view, f"{BAR_MM:.0f} mm", at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, TEXT, 1, cv2.LINE_AA)


def said(case: Case) -> tuple[str, str]:
    """Return two lines about a volume: length and volume; overlap, ends, flags or failure."""
    first, second = [], []
    if "FL" in case.sizes:
        size = case.sizes["FL"]
        value = "none" if size.failed else f"{size.measured_mm:.1f} mm"
        first.append(f"{size.truth_mm:.1f} mm, model {value}")
    if volume_difference_ml(case) is not None:
        value = "none" if case.volume_failed else f"{case.found_ml:.2f} mL"
        first.append(f"{case.truth_ml:.2f} mL, model {value}")
        second.append(f"DSC {100 * (case.dice or 0.0):.1f} %")
    if case.end_1_mm is not None and case.end_2_mm is not None and not case.failure:
        second.append(f"ends off {case.end_1_mm:.1f} and {case.end_2_mm:.1f} mm")
    second.append(case.failure or ", ".join(case.flags) or "no flag")
    name = case.image.partition(".")[0]
    return f"{name}: true {'; '.join(first)}", "; ".join(second)


@dataclass(frozen=True)
class VolumeJudges:
    """Who looks again at the volumes of a result: the data set's rows and the model."""

    rows: Sequence[VolumeRow]
    predictor: Predictor3d

    def again(self, case: Case) -> SeenVolume:
        """Return what the model sees in the volume of a case."""
        row = next(r for r in self.rows if (r.dataset, Path(r.image).name) == case.key)
        return see_volume(row, self.predictor)

    def panel(self, case: Case, name: str, text: Sequence[str] = ()) -> Picture:
        """Draw two slices along the bone; truth dashed, its crosses of the same colour.

        `text` are the two lines below; without them they say what was measured. All that is known
        of a volume is in one picture, whichever measurement is asked for by `name`.
        """
        seen = self.again(case)
        ends_mm = seen.true_ends * np.array(seen.row.spacing_mm)
        cuts = slices_along(ends_mm, WIDTH)
        panel = np.zeros((HEIGHT + STRIP, WIDTH, 3), np.uint8)
        for i, cut in enumerate(cuts):
            panel[i * (ROWS + 1) :][:ROWS] = _view(seen, cut)
        _bar(panel[:HEIGHT], cuts[0].mm_per_px)
        for i, line in enumerate(text or said(case)):
            write_line(panel, line, HEIGHT + 18 + 18 * i)
        return panel


__all__ = ["Slice", "VolumeJudges", "said", "sampled", "slices_along"]
