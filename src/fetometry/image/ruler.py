"""Millimetres per pixel from the depth ruler that the machine drew beside the picture.

Ticks alone have no unit. What tells it is which of them are longer: every second one where ticks
are 5 mm apart, every fifth where they are 10 mm apart. A ruler without longer ticks, or of a kind
whose unit could not be settled on images of known pixel size, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import SpacingError
from fetometry.geometry import Points
from fetometry.image.ticks import Comb, find_combs
from fetometry.types import SAME_SPACING, Spacing

OTHER_WAYS = "give the pixel size with --mm-per-px X or --spacing FILE.csv"

#: log10 of the combs of chance that are put up with in a picture.
MAX_FALSE_ALARMS = -5.0
#: A ruler runs along at least this share of its edge; lines of text do not.
MIN_SPAN = 0.3
#: Rulers less sure than this are refused.
MIN_CONFIDENCE = 0.75
#: A second style that no tick speaks against more is a rival, where the misfit of its lengths is
#: larger by this at most.
RIVAL = 0.05

#: Least and greatest believable shorter side of a fetal picture.
FIELD_MM = (25.0, 250.0)

#: A longer tick reaches at least this many times as far as a shorter one, and the logarithm of
#: that is at least so many times the mean |log| by which the ticks differ from their kind.
LONGER, CLEARLY = 1.3, 4.0
#: Ticks of a kind that are needed where there are two kinds.
MIN_OF_A_KIND = 2
#: How much better, in mean |log length|, an order of one more length has to fit.
WORTH = 0.02

#: Root mean square distance of random places from the nearest place of a comb, in pitches.
RANDOM_RMS = 12**-0.5


@dataclass(frozen=True)
class Style:
    """A way to draw a ruler: which ticks are longer, and how many mm two ticks may be apart.

    `periods` (2, 10) says that every second tick is longer and every tenth the longest.
    """

    periods: tuple[int, ...]
    dark: bool
    steps_mm: tuple[float, ...]
    looks: str


#: The rulers that are known. Only a style with one step is read.
#:
#: Dark ticks with every fifth one longer are left open on purpose. On the development patients of
#: Fetal Planes the published pixel size takes these ticks as 5 mm apart, while the same patients'
#: other planes (and every bright ruler of this order) fit 10 mm: a factor of two, so it is refused.
STYLES = (
    Style((2, 10), False, (5.0,), "every 2nd tick longer, every 10th longest"),
    Style((2,), False, (5.0,), "every 2nd tick longer"),
    Style((5,), False, (10.0,), "every 5th tick longer"),
    Style((2, 10), True, (5.0,), "every 2nd tick longer, every 10th longest, dark"),
    Style((2,), True, (5.0,), "every 2nd tick longer, dark"),
    Style((5,), True, (5.0, 10.0), "every 5th tick longer, dark"),
    Style((5, 10), False, (1.0, 10.0), "every 5th tick longer, every 10th longest"),
    Style((5, 10), True, (1.0, 10.0), "every 5th tick longer, every 10th longest, dark"),
    Style((10,), False, (1.0, 5.0), "every 10th tick longer"),
    Style((10,), True, (1.0, 5.0), "every 10th tick longer, dark"),
)


@dataclass(frozen=True)
class RulerReading:
    """What the ruler says, and why it is believed.

    `ticks_px` (N, 2) are the (row, col) where the ticks begin, `pitch_px` their distance,
    `step_mm` the millimetres from one to the next, `edge` "left", "right" or "bottom".
    `confidence`, 0 to 1, is the share of places that hold a tick, times the share of ticks that
    are as long as the style has them, times their regularity (0 at random places). It is not a
    probability.
    """

    spacing: Spacing
    ticks_px: Points
    pitch_px: float
    step_mm: float
    edge: str
    confidence: float
    evidence: str


@dataclass(frozen=True)
class _Order:
    """Which ticks are longer, and how well that describes a comb.

    `agree` is the share of the found ticks that are of their kind's length; `complete` is the
    least such share of a kind, where a longer tick that should be seen and is not counts too.
    """

    lengths_px: tuple[float, ...]
    agree: float
    complete: float
    misfit: float


def _refuse(source: str, reason: str) -> SpacingError:
    return SpacingError(f"{source}: the ruler cannot be read: {reason}; {OTHER_WAYS}")


def _levels(index: NDArray[np.int64], periods: tuple[int, ...], phase: int) -> NDArray[np.int64]:
    """Return how many of the periods fall on each tick: 0 is the shortest kind."""
    steps = np.asarray(index)[:, None] - phase
    return np.asarray((steps % np.array(periods) == 0).sum(axis=1))


def _order(comb: Comb, periods: tuple[int, ...], phase: int) -> _Order | None:
    """Compare the ticks' lengths with one order, or return None where it does not apply."""
    kinds = range(len(periods) + 1)
    level = _levels(comb.index, periods, phase)
    count = np.bincount(level, minlength=len(kinds))
    # the longest of three kinds may be there once: the other two tell the order
    if min(count[:2]) < MIN_OF_A_KIND or min(count) < 1:
        return None
    lengths = np.log(comb.length_px)
    typical = np.array([np.median(lengths[level == kind]) for kind in kinds])
    off = abs(lengths[:, None] - typical)  # (N, kinds)
    misfit = float(np.mean(off[np.arange(len(level)), level]))
    if np.diff(typical).min() < max(math.log(LONGER), CLEARLY * misfit):
        return None
    right = np.bincount(level[off.argmin(axis=1) == level], minlength=len(kinds))
    gone = np.bincount(_levels(comb.missing, periods, phase), minlength=len(kinds))
    gone[0] = 0
    return _Order(
        tuple(np.exp(typical).tolist()), float(right.sum() / len(level)),
        float(np.min(right / (count + gone))), misfit + WORTH * len(periods),
    )  # fmt: skip


def _fitting(comb: Comb) -> list[tuple[Style, _Order]]:
    """Return the styles that the ticks may have, the best first."""
    fits = [
        (style, order)
        for style in STYLES
        if style.dark == comb.dark
        for phase in range(style.periods[-1])
        if (order := _order(comb, style.periods, phase)) is not None
    ]
    return sorted(fits, key=lambda fit: fit[1].misfit)


def _without_shadows(combs: Sequence[Comb]) -> list[Comb]:
    """Leave out dark ticks that only repeat the bright ones: machines draw them with a shadow."""
    bright = [comb for comb in combs if not comb.dark]
    return [
        comb
        for comb in combs
        if not comb.dark
        or not any(
            comb.edge == other.edge and abs(comb.pitch_px / other.pitch_px - 1) < SAME_SPACING
            for other in bright
        )
    ]


def _read(comb: Comb, source: str) -> RulerReading:
    what = f"{len(comb.index)} ticks {comb.pitch_px:.2f} px apart at the {comb.edge} edge"
    fits = _fitting(comb)
    if not fits:
        raise _refuse(source, f"{what}, with no order of longer ones that would tell their unit")
    style, order = fits[0]
    rivals = [
        other
        for other, fit in fits[1:]
        if fit.misfit <= order.misfit + RIVAL and fit.agree >= order.agree
    ]
    steps = sorted({step for one in (style, *rivals) for step in one.steps_mm})
    if len(steps) > 1:
        looks = " or ".join(dict.fromkeys(one.looks for one in (style, *rivals)))
        may_be = " or ".join(f"{step:g}" for step in steps)
        raise _refuse(source, f"{what}, {looks}, may be {may_be} mm apart")
    step_mm = style.steps_mm[0]
    found, places = len(comb.index), len(comb.index) + len(comb.missing)
    regular = max(0.0, 1 - comb.rms_px / (RANDOM_RMS * comb.pitch_px))
    confidence = found / places * order.complete * regular
    if confidence < MIN_CONFIDENCE:
        raise _refuse(source, f"{what}, {style.looks}: confidence only {confidence:.2f}")
    said = (
        f"ruler-{comb.edge}: {len(comb.index)} ticks, {comb.pitch_px:.2f} px apart, "
        f"{step_mm:g} mm each, confidence {confidence:.2f}"
    )
    lengths = " / ".join(f"{length:.1f}" for length in order.lengths_px)
    evidence = (
        f"{style.looks}; lengths {lengths} px, {order.agree:.0%} of the ticks agree; "
        f"{found} of {places} places hold a tick, {comb.rms_px:.2f} px off on "
        f"average; 10^{comb.log10_false_alarms:.0f} such rulers expected by chance"
    )
    mm_per_px = step_mm / comb.pitch_px
    return RulerReading(
        Spacing((mm_per_px, mm_per_px), said), comb.points_px, comb.pitch_px, step_mm, comb.edge,
        confidence, evidence,
    )  # fmt: skip


def _check_field(reading: RulerReading, shape: tuple[int, int], source: str) -> None:
    low, high = FIELD_MM
    side_mm = min(shape) * reading.spacing.mm[0]
    if not low <= side_mm <= high:
        raise _refuse(
            source,
            f"{reading.spacing.source} would make the picture's shorter side {side_mm:.0f} mm, "
            f"and {low:g} to {high:g} mm are believable",
        )


def read_ruler(pixels: NDArray[np.uint8], source: str) -> RulerReading:
    """Read the size of a pixel from the ruler of ticks at an edge of a picture (H, W).

    Pixels are taken as square: most rulers run along one side only. Where two sides have a
    ruler, they have to agree.

    Raises:
        SpacingError: there is no ruler, its unit cannot be told, or two rulers disagree.
    """
    combs = [
        comb
        for comb in find_combs(pixels)
        if comb.log10_false_alarms <= MAX_FALSE_ALARMS and comb.span >= MIN_SPAN
    ]
    if not combs:
        raise _refuse(source, "no regular ticks at the left, right or bottom edge")
    combs = _without_shadows(combs)
    reading = _read(combs[0], source)
    _check_field(reading, (pixels.shape[0], pixels.shape[1]), source)
    for comb in combs[1:]:
        if comb.edge == reading.edge or comb.log10_false_alarms > combs[0].log10_false_alarms / 2:
            continue  # a part of the same ruler, or lines of text
        try:
            other = _read(comb, source)
        except SpacingError:
            continue  # only a ruler can disagree
        if abs(other.spacing.mm[0] / reading.spacing.mm[0] - 1) > SAME_SPACING:
            raise _refuse(
                source, f"{reading.spacing.source}, but {other.spacing.source}: not square?"
            )
    return reading
