"""Where the name of a line is written: near it, and never over what was measured.

Points are (row, col) on the picture that is drawn on, not on the source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fetometry.geometry import Points
from fetometry.report.draw import Font, Picture, direction
from fetometry.report.styles import style_of

#: In pixels at unit 1; the size is that of the font.
LABEL_SIZE, LABEL_GAP_PX, LABEL_HEIGHT_PX, MARGIN_PX = 0.5, 8.0, 12.0, 4.0

#: From the shaft of a bone, which may bow away from the line between its ends.
BONE_GAP_PX = 18.0

#: A label nearer than this to the end of a line hides where the line was set.
CLEAR_PX = 6.0

#: What is worse: a hidden end, a label on a label, a dot of a line under a label.
END_COST, LABEL_COST, DOT_COST = 1000.0, 300.0, 1.0


@dataclass(frozen=True)
class Surroundings:
    """What a label must not cover: the shape round it (N, 2), the lines, the labels so far."""

    shape: tuple[int, int]
    unit: float
    around: Points
    lines: list[Points]  # (2, 2) each
    labels: list[tuple[Points, Points]] = field(default_factory=list)  # centre, half size

    @property
    def dots(self) -> Points:
        """Points (M, 2), close together, on everything that is drawn."""
        steps = np.linspace(0, 1, 120)[:, None]
        spans = [ends[0] + steps * (ends[1] - ends[0]) for ends in self.lines]
        return np.concatenate([self.around, *spans])

    def cost(self, center: Points, half: Points) -> float:
        """Tell how much a label with this centre and half size (row, col) would hide."""
        ends = np.concatenate(self.lines)
        gaps = np.linalg.norm(np.maximum(np.abs(ends - center) - half, 0), axis=1)
        hidden = np.all(np.abs(self.dots - center) <= half + self.unit, axis=1)
        over = [np.all(np.abs(at - center) < half + other) for at, other in self.labels]
        return float(
            END_COST * np.count_nonzero(gaps < CLEAR_PX * self.unit)
            + LABEL_COST * np.count_nonzero(over)
            + DOT_COST * np.count_nonzero(hidden)
        )

    def inside(self, center: Points, half: Points) -> Points:
        """Move a label into the picture."""
        low = half + MARGIN_PX
        return np.clip(center, low, np.maximum(np.array(self.shape) - low, low))

    def room(self, center: Points, half: Points) -> float:
        """Return how far a label is from the border of the picture; negative beyond it."""
        low = half + MARGIN_PX
        return float(np.min([center - low, np.array(self.shape) - low - center]))


#: From half a label's size and its surroundings to places for its centre, best first.
Places = Callable[[Points, Surroundings], list[Points]]


def beyond(ends: Points) -> Places:
    """Return places beyond the ends of a line; where those are bad, beside it, well inside."""

    def places(half: Points, taken: Surroundings) -> list[Points]:
        away = direction(ends)
        gap = LABEL_GAP_PX * taken.unit + float(np.abs(away) @ half)
        outer = [ends[0] - gap * away, ends[1] + gap * away]
        outer.sort(key=lambda at: -taken.room(at, half))
        return outer + _alongside(ends, half, taken, (0.2, 0.8, 0.35, 0.65))

    return places


def beside(ends: Points) -> Places:
    """Return places beside the middle of a line, clear of the shape round it.

    The true end of a bone may lie beyond the end that was measured: a label there would hide it.
    """

    def places(half: Points, taken: Surroundings) -> list[Points]:
        across = direction(ends)[::-1] * (1, -1)
        thickness = np.abs((taken.around - ends[0]) @ across)
        reach = float(thickness.max()) if len(thickness) else 0.0
        far = reach + (BONE_GAP_PX - LABEL_GAP_PX) * taken.unit
        return _alongside(ends, half, taken, (0.5, 0.3, 0.7), far)

    return places


def _alongside(
    ends: Points,
    half: Points,
    taken: Surroundings,
    shares: tuple[float, ...],
    farther_px: float = 0.0,
) -> list[Points]:
    """Return places on both sides of a line at shares of its length."""
    across = direction(ends)[::-1] * (1, -1)
    gap = farther_px + LABEL_GAP_PX * taken.unit + float(np.abs(across) @ half)
    found = []
    for share in shares:
        foot = ends[0] + share * (ends[1] - ends[0])
        sides = [foot - gap * across, foot + gap * across]
        found += sorted(sides, key=lambda at: -taken.room(at, half))
    return found


def put_label(canvas: Picture, name: str, where: Places, taken: Surroundings) -> None:
    """Write the name of a line at the place that hides least, and remember the place."""
    font = Font(LABEL_SIZE, style_of(name).colour, bold=True).scaled(taken.unit)
    half = np.array([LABEL_HEIGHT_PX * taken.unit, font.width(name)]) / 2  # (row, col)
    centers = [taken.inside(center, half) for center in where(half, taken)]
    center = min(centers, key=lambda at: taken.cost(at, half))
    row, col = center
    font.put_with_halo(canvas, name, row + half[0] - taken.unit, col - half[1])
    taken.labels.append((center, half))
