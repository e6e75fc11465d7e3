"""Stage 3: from what was seen, in pixels, to millimetres with quality flags.

Each plane has one function from image and prediction to what it gives; the table below says
which. What a model told as a number alone is measured as that, in any plane. Without a spacing
the values are in pixels. `solid` measures what was seen in a volume,
`placed` what a person put in the place of what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fetometry.errors import MeasurementError
from fetometry.measure.checks import Check
from fetometry.measure.ellipses import abdomen, head
from fetometry.measure.finding import Measured, finding
from fetometry.measure.limits import ABDOMEN, FEMUR, HEAD
from fetometry.measure.number import number
from fetometry.measure.placed import CALLIPERS, Placed, measure_placed
from fetometry.measure.ratios import disagreeing
from fetometry.measure.shaft import femur
from fetometry.measure.solid import measure_volume
from fetometry.types import Finding, Image, Prediction, Spacing

_How = Callable[[Image, Prediction, Spacing | None], Measured]

_HOW: Mapping[str, _How] = {"head": head, "abdomen": abdomen, "femur": femur}


def _how(prediction: Prediction) -> _How:
    plane = prediction.plane
    if plane not in _HOW:
        raise MeasurementError(f"the plane {plane!r} is not measured; allowed: {', '.join(_HOW)}")
    return _HOW[plane] if prediction.size_px is None else number


def measure(image: Image, prediction: Prediction, spacing: Spacing | None) -> Finding:
    """Measure what was seen, as its plane is measured.

    Raises:
        MeasurementError: the plane is none that is measured, what was seen is not there to be
            measured, or no fetus has such a size.
    """
    return finding(image, prediction, spacing, _how(prediction)(image, prediction, spacing))


def examine(image: Image, prediction: Prediction, spacing: Spacing | None) -> tuple[Check, ...]:
    """Return the criteria of quality with their values and limits, raised or not.

    Raises:
        MeasurementError: as `measure`.
    """
    return _how(prediction)(image, prediction, spacing).checks


def measure_head(image: Image, prediction: Prediction, spacing: Spacing | None) -> Finding:
    """Measure HC, BPD and OFD from the outline of a head; see `ellipses.head`."""
    return finding(image, prediction, spacing, head(image, prediction, spacing))


def measure_abdomen(image: Image, prediction: Prediction, spacing: Spacing | None) -> Finding:
    """Measure AC, TAD and APAD from the outline of an abdomen; see `ellipses.abdomen`."""
    return finding(image, prediction, spacing, abdomen(image, prediction, spacing))


def measure_femur(image: Image, prediction: Prediction, spacing: Spacing | None) -> Finding:
    """Measure FL from the two ends of a femur's shaft; see `shaft.femur`."""
    return finding(image, prediction, spacing, femur(image, prediction, spacing))


__all__ = [
    "ABDOMEN",
    "CALLIPERS",
    "FEMUR",
    "HEAD",
    "Check",
    "Placed",
    "disagreeing",
    "examine",
    "measure",
    "measure_abdomen",
    "measure_femur",
    "measure_head",
    "measure_placed",
    "measure_volume",
]
