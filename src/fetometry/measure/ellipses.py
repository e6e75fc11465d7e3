"""Heads and abdomens: the ellipse on the outer edge, and its axes or diameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, EllipseFit, Points, fit_ellipse
from fetometry.measure.checks import Check, beyond_sector, model_checks, size_checks
from fetometry.measure.finding import Measured, Value, left_first, mm_of, straight
from fetometry.measure.limits import ABDOMEN, HEAD, LEAST_INLIERS, MOST_CUT, EllipseLimits
from fetometry.types import Image, Prediction, Spacing


@dataclass(frozen=True)
class _Fitted:
    """The ellipse in pixels and in millimetres, and the part (N, 2) of it inside the image."""

    fit: EllipseFit
    scaled: Ellipse
    inside_px: Points
    cut: float

    @property
    def misfit(self) -> float:
        """The residual relative to the mean radius."""
        return self.fit.residual / float(np.sqrt(np.prod(self.fit.ellipse.semi_axes)))

    def circumference(self, convention: str) -> Value:
        pixels = self.fit.ellipse.circumference
        return Value(self.scaled.circumference, pixels, convention)


def _fitted(
    image: Image, prediction: Prediction, mm: Points, placed: Ellipse | None = None
) -> _Fitted:
    fit = EllipseFit(placed, 0.0, 1.0) if placed else fit_ellipse(prediction.outline_px)
    if fit.inliers < LEAST_INLIERS:
        raise MeasurementError(f"the outline that was found is not that of a {prediction.plane}")
    points = fit.ellipse.points(720)
    inside = np.all((points >= -0.5) & (points <= np.array(image.shape) - 0.5), axis=1)
    cut = float(np.mean(~inside))
    if cut > MOST_CUT:
        raise MeasurementError(f"the image edge cuts more than half of the {prediction.plane}")
    return _Fitted(fit, fit.ellipse.scaled(*mm), points[inside], cut)


def _checks(
    image: Image, prediction: Prediction, fitted: _Fitted, limits: EllipseLimits
) -> tuple[Check, ...]:
    area = fitted.fit.ellipse.area / (image.shape[0] * image.shape[1])
    outside = beyond_sector(image, fitted.inside_px) > limits.sector_margin
    return (
        Check("cut-by-edge", fitted.cut, high=limits.cut),
        Check("cut-by-sector", float(np.mean(outside)), high=limits.sector),
        Check("poor-fit", fitted.misfit, high=limits.residual),
        *model_checks(prediction, limits),
        Check("small-in-image", area, low=limits.area),
    )


def head(
    image: Image, prediction: Prediction, spacing: Spacing | None, placed: Ellipse | None = None
) -> Measured:
    """Measure HC, BPD and OFD from the outline of a head.

    HC is the circumference of the ellipse on the outer edge of the skull; BPD and OFD are its
    short and its long axis, outer to outer, at right angles in millimetres. An ellipse that was
    `placed` is measured as it lies; nothing is fitted then.

    Raises:
        MeasurementError: no ellipse fits, most of it is outside the image, or no head has such a
            size.
    """
    mm = mm_of(spacing)
    fitted = _fitted(image, prediction, mm, placed)
    scaled = fitted.scaled
    long, short = (scaled.axis_points / mm).reshape(2, 2, 2)
    size = size_checks(scaled.circumference if spacing else None, HEAD, image.source)
    index = scaled.semi_axes[1] / scaled.semi_axes[0]
    return Measured(
        values={
            "HC": fitted.circumference("ellipse on the outer edge"),
            "BPD": straight(short, mm, "outer-outer"),
            "OFD": straight(long, mm, "outer-outer"),
        },
        ends_px={"OFD": long, "BPD": short},
        checks=(
            *_checks(image, prediction, fitted, HEAD),
            *size,
            Check("unusual-shape", index, *HEAD.shape),
        ),
        softness=prediction.softness / HEAD.softness,
        misfit=fitted.misfit / HEAD.residual,
        ellipse=fitted.fit.ellipse,
    )


def _diameters(prediction: Prediction, fitted: _Fitted, mm: Points) -> dict[str, Points]:
    """Return the ends (2, 2) of TAD and APAD; neither where the direction is not known."""
    if prediction.ends_px is None:
        return {}
    across = (prediction.ends_px[1] - prediction.ends_px[0]) * mm
    if not 0 < np.linalg.norm(across) < np.inf:
        return {}
    return {
        "TAD": left_first(fitted.scaled.chord(across) / mm),
        "APAD": left_first(fitted.scaled.chord(np.array([-across[1], across[0]])) / mm),
    }


def abdomen(
    image: Image, prediction: Prediction, spacing: Spacing | None, placed: Ellipse | None = None
) -> Measured:
    """Measure AC, and where the transverse direction is known TAD and APAD, of an abdomen.

    AC is the circumference of the ellipse on the outer line of the skin. TAD and APAD are its
    chords through the centre, along the transverse direction that was predicted and at right
    angles to it in millimetres. Without that direction nobody can tell one from the other, and
    neither is given. An ellipse that was `placed` is measured as it lies.

    Raises:
        MeasurementError: no ellipse fits, most of it is outside the image, or no abdomen has
            such a size.
    """
    mm = mm_of(spacing)
    fitted = _fitted(image, prediction, mm, placed)
    size_mm = fitted.scaled.circumference if spacing else None
    size = size_checks(size_mm, ABDOMEN, image.source)
    ends = _diameters(prediction, fitted, mm)
    lengths = {name: straight(chord, mm, "outer-outer") for name, chord in ends.items()}
    shape: tuple[Check, ...] = ()
    if lengths:
        ratio = lengths["TAD"].length / lengths["APAD"].length
        shape = (Check("unusual-shape", ratio, *ABDOMEN.shape),)
    return Measured(
        values={"AC": fitted.circumference("ellipse on the outer skin line"), **lengths},
        ends_px=ends,
        checks=(*_checks(image, prediction, fitted, ABDOMEN), *size, *shape),
        softness=prediction.softness / ABDOMEN.softness,
        misfit=fitted.misfit / ABDOMEN.residual,
        ellipse=fitted.fit.ellipse,
    )
