"""Femurs: the ossified shaft, from end to end."""

from __future__ import annotations

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Points
from fetometry.measure.checks import Check, beyond_sector, model_checks, size_checks
from fetometry.measure.finding import Measured, left_first, mm_of, straight
from fetometry.measure.limits import FEMUR
from fetometry.types import Image, Prediction, Spacing

#: The shaft is looked at in so many parts, without its ends, where a mask is round or square.
PARTS, END = 16, 0.08

#: A part narrower than this share of the middle one has only one side of the outline in it.
LEAST_WIDTH = 0.5


def _along(points: Points, ends: Points) -> Points:
    """Return points (N, 2) as shares of the length along the line between ends, and across it."""
    axis = ends[1] - ends[0]
    across = np.array([-axis[1], axis[0]])
    share = np.stack([axis, across], axis=1) / float(axis @ axis)
    return np.asarray((points - ends[0]) @ share)


def gap(outline: Points, ends: Points) -> float:
    """Return how far an end lies from the end of the mask along the shaft, at most.

    Of an outline (N, 2) and two ends (2, 2), relative to the length. Where there is no outline
    it is infinite.
    """
    if len(outline) == 0:
        return np.inf
    along = _along(outline, ends)[:, 0]
    return float(max(abs(along.min()), abs(along.max() - 1)))


def bend(outline: Points, ends: Points) -> float:
    """Return how far the middle line of the mask leaves the line between the ends, at most.

    Of an outline (N, 2) and two ends (2, 2), relative to the length. Where no part of the shaft
    has both sides in the outline it is 0: nothing speaks of a bend.
    """
    along, across = _along(outline, ends).T
    part = np.floor((along - END) / (1 - 2 * END) * PARTS)
    seen = [across[part == k] for k in range(PARTS) if np.count_nonzero(part == k) >= 2]
    sides = np.array([(values.min(), values.max()) for values in seen]).reshape(-1, 2)
    width = sides[:, 1] - sides[:, 0]
    if len(sides) == 0 or not width.max() > 0:
        return 0.0
    has_both = width >= LEAST_WIDTH * float(np.median(width))
    return float(np.abs(sides[has_both].mean(axis=1)).max())


def _ends(prediction: Prediction) -> Points:
    ends = prediction.ends_px
    if ends is None or not np.all(np.isfinite(ends)) or np.array_equal(ends[0], ends[1]):
        raise MeasurementError("the two ends of the femur's shaft were not found")
    return left_first(ends)


def _checks(image: Image, ends_px: Points) -> tuple[Check, ...]:
    """Return how the shaft lies in the picture."""
    room = np.minimum(ends_px + 0.5, np.array(image.shape) - 0.5 - ends_px).min()
    outside = float(beyond_sector(image, ends_px).max())
    length = float(np.linalg.norm(ends_px[1] - ends_px[0]))
    return (
        Check("cut-by-edge", float(room) / min(image.shape), low=FEMUR.edge),
        Check("cut-by-sector", outside, high=-FEMUR.sector_margin),
        Check("small-in-image", length / max(image.shape), low=FEMUR.length),
    )


def femur(image: Image, prediction: Prediction, spacing: Spacing | None) -> Measured:
    """Measure FL: the straight distance between the two ends of the ossified shaft.

    It does not depend on the order of the ends. The outline of the shaft is not measured; it
    says whether the ends can be believed.

    Raises:
        MeasurementError: there are no two ends, or no femur has such a length.
    """
    mm = mm_of(spacing)
    ends_px = _ends(prediction)
    ends, outline = ends_px * mm, prediction.outline_px * mm
    length = straight(ends_px, mm, "ossified shaft, end to end")
    size = size_checks(length.length if spacing else None, FEMUR, image.source)
    down, right = np.abs(ends[1] - ends[0])
    bent, off = bend(outline, ends), gap(outline, ends)
    return Measured(
        values={"FL": length},
        ends_px={"FL": ends_px},
        checks=(
            *_checks(image, ends_px),
            *model_checks(prediction, FEMUR),
            Check("bent", bent, high=FEMUR.bend),
            Check("ends-off-shaft", off, high=FEMUR.gap),
            Check("tilted", float(np.degrees(np.arctan2(down, right))), high=FEMUR.tilt_deg),
            *size,
        ),
        softness=prediction.softness / FEMUR.softness,
        misfit=max(bent / FEMUR.bend, off / FEMUR.gap),
    )
