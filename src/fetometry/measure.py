"""Stage 3: from an outline in pixels to millimetres, with quality flags.

Conventions: HC is the circumference of the ellipse on the outer edge of the skull; BPD and OFD
are its short and long axis, outer to outer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, EllipseFit, fit_ellipse
from fetometry.types import Finding, Image, Measurement, Prediction, Spacing

#: Believable sizes in mm, from 10 weeks to term and beyond.
HC_RANGE_MM = (40.0, 420.0)

#: Cephalic index BPD / OFD; Hadlock FP et al. AJR 1981;137:83-85 (0.78 +- 2 SD of 0.04).
CEPHALIC_INDEX_RANGE = (0.70, 0.86)


@dataclass(frozen=True)
class Limits:
    """Thresholds of the quality flags; a value beyond one raises its flag.

    Those of residual and softness are the 95th percentiles of the head model on its validation
    images, rounded.
    """

    #: share of the ellipse's outline outside the image
    cut: float = 0.0
    #: RMS distance of the outline from its ellipse, relative to the mean radius
    residual: float = 0.025
    #: `Prediction.softness`
    softness: float = 0.06
    #: share of the image's area that the ellipse covers, at least
    area: float = 0.02


LIMITS = Limits()

#: With more than this share of the outline outside the image there is nothing to measure.
MOST_CUT = 0.5

#: With a smaller share of the outline on the ellipse, the ellipse does not describe it.
LEAST_INLIERS = 0.5


def _cut_share(ellipse: Ellipse, shape: tuple[int, int]) -> float:
    points = ellipse.points(720)
    outside = np.any((points < -0.5) | (points > np.array(shape) - 0.5), axis=1)
    return float(np.mean(outside))


def _flags(
    fit: EllipseFit, cut_share: float, prediction: Prediction, shape: tuple[int, int]
) -> tuple[str, ...]:
    radius = float(np.sqrt(np.prod(fit.ellipse.semi_axes)))
    raised = {
        "cut-by-edge": cut_share > LIMITS.cut,
        "poor-fit": fit.residual / radius > LIMITS.residual,
        "several-candidates": prediction.candidates > 1,
        "low-probability": prediction.softness > LIMITS.softness,
        "small-in-image": fit.ellipse.area < LIMITS.area * shape[0] * shape[1],
    }
    return tuple(name for name, is_raised in raised.items() if is_raised)


def _checked_size(hc_mm: float, source: str) -> None:
    low, high = HC_RANGE_MM
    if not low <= hc_mm <= high:
        raise MeasurementError(
            f"HC must be {low:g} to {high:g} mm, got {hc_mm:.1f} ({source}). "
            "Is the spacing right, and is it in mm, not in cm?"
        )


def measure_head(image: Image, prediction: Prediction, spacing: Spacing | None) -> Finding:
    """Measure HC, BPD and OFD from the outline of a head.

    Without a spacing the values are in pixels. With an anisotropic one the axes are found in
    millimetres, where they are perpendicular, and mapped back to pixels.

    Raises:
        MeasurementError: no ellipse fits, most of it is outside the image, or the size is
            outside `HC_RANGE_MM`.
    """
    fit = fit_ellipse(prediction.outline_px)
    if fit.inliers < LEAST_INLIERS:
        raise MeasurementError("the outline that was found is not that of a head")
    cut_share = _cut_share(fit.ellipse, image.shape)
    if cut_share > MOST_CUT:
        raise MeasurementError("the image edge cuts more than half of the head")
    mm = spacing.mm if spacing else (1.0, 1.0)
    scaled = fit.ellipse.scaled(*mm)
    if spacing:
        _checked_size(scaled.circumference, image.source)
    ends = scaled.axis_points / np.array(mm)
    flags = _flags(fit, cut_share, prediction, image.shape)
    a, b = scaled.semi_axes
    if not CEPHALIC_INDEX_RANGE[0] <= b / a <= CEPHALIC_INDEX_RANGE[1]:
        flags = (*flags, "unusual-shape")
    lengths_px = np.linalg.norm(ends[1::2] - ends[::2], axis=1)
    values = {
        "HC": (scaled.circumference, fit.ellipse.circumference, "ellipse on the outer edge"),
        "BPD": (2 * b, float(lengths_px[1]), "outer-outer"),
        "OFD": (2 * a, float(lengths_px[0]), "outer-outer"),
    }
    names = ("OFD_1", "OFD_2", "BPD_1", "BPD_2")
    return Finding(
        source=image.source,
        frame=image.frame,
        plane=prediction.plane,
        plane_probability=prediction.plane_probability,
        model=prediction.model,
        spacing=spacing,
        outline_px=prediction.outline_px,
        ellipse=fit.ellipse,
        points_px={n: (float(p[0]), float(p[1])) for n, p in zip(names, ends, strict=True)},
        measurements=tuple(
            Measurement(name, value, "mm" if spacing else "px", value_px, convention, flags=flags)
            for name, (value, value_px, convention) in values.items()
        ),
    )
