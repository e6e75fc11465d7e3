"""Criteria of quality: each is a value with the range outside of which its flag is raised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fetometry.errors import MeasurementError
from fetometry.geometry import Points, find_sector
from fetometry.measure.limits import Limits
from fetometry.types import Image, Prediction

#: Flags that inform, and say nothing against the image.
INFORMATIVE = frozenset({"unusual-shape", "small-in-image", "plane-chosen"})


@dataclass(frozen=True)
class Check:
    """One criterion: its flag is raised where the value lies outside `low` to `high`."""

    flag: str
    value: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_raised(self) -> bool:
        """Tell whether the flag is raised; a value that is no number raises it."""
        return not self.low <= self.value <= self.high


def flags_of(checks: Sequence[Check], prediction: Prediction) -> tuple[str, ...]:
    """Return the flags that are raised, and after them those of the model itself, each once."""
    raised = [check.flag for check in checks if check.is_raised]
    return tuple(dict.fromkeys((*raised, *prediction.flags)))


def model_checks(prediction: Prediction, limits: Limits) -> tuple[Check, ...]:
    """Return what the model itself gives to doubt, in every plane."""
    return (
        Check("several-candidates", prediction.candidates, high=1),
        Check("low-probability", prediction.softness, high=limits.softness),
    )


def size_checks(size_mm: float | None, limits: Limits, source: str) -> tuple[Check, ...]:
    """Return whether 12 to 42 weeks give such a size; nothing where it is not known in mm.

    Raises:
        MeasurementError: no fetus has such a size.
    """
    if size_mm is None:
        return ()
    low, high = limits.believable_mm
    if not low <= size_mm <= high:
        raise MeasurementError(
            f"{limits.name} must be {low:g} to {high:g} mm, got {size_mm:.1f} ({source}). "
            "Is the spacing right, and is it in mm, not in cm?"
        )
    return (Check("implausible-size", size_mm, *limits.usual_mm),)


def beyond_sector(image: Image, points_px: Points) -> Points:
    """Return how far (N,) points (N, 2) lie outside the sector, relative to the longer side."""
    return find_sector(image.pixels).beyond(points_px) / max(image.shape)


def _share(excess: float) -> float:
    return 1 / (1 + excess**2)


def quality(
    prediction: Prediction, flags: Sequence[str], *, softness: float, misfit: float
) -> float:
    """Return from 0 to 1 how good an image is for measuring, to rank those of one plane.

    p / (1 + softness^2) / (1 + misfit^2) / 2^n, with p the probability of the plane (1 where the
    model knows a single one), softness and misfit relative to their limits, and n the number of
    flags that say something against the image. At its limits an image has a quarter of what it
    would have with a sharp edge and a perfect fit. It falls with each of the four.
    """
    sure = 1.0 if prediction.plane_probability is None else prediction.plane_probability
    against = len(set(flags) - INFORMATIVE)
    return float(sure * _share(softness) * _share(misfit) / 2**against)
