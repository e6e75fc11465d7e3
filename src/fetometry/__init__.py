"""Measures the fetus in ultrasound: the head, in millimetres, with the outline it came from.

    exam = fetometry.measure("head.png", spacing_mm=0.12)

`exam.findings` holds what was measured, `exam.problems` what was refused and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# stage 3 has the same name: imported first, it never again takes the place of the function
import fetometry.measure  # noqa: F401
from fetometry.errors import FetometryError
from fetometry.types import Exam, Finding, Image, Measurement, Problem, Spacing

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__version__ = "0.1.0"

__all__ = [
    "Exam",
    "FetometryError",
    "Finding",
    "Image",
    "Measurement",
    "Problem",
    "Spacing",
    "__version__",
    "measure",
]


def measure(
    path_or_array: str | Path | NDArray[np.generic],
    *,
    spacing_mm: float | tuple[float, float] | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
) -> Exam:
    """Measure an image, a folder of images, or an array of pixels.

    An array is (H, W) or (H, W, 3); `spacing_mm` is millimetres per pixel, one number or
    (row, col). Without it, and without a calibration in the file, values are in pixels and the
    exam's problems say so. What cannot be read or measured is in `Exam.problems` too.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown.
    """
    # the readers and the runtime load here, so that `import fetometry` stays quick
    from fetometry import pipeline

    return pipeline.measure(
        path_or_array, spacing_mm=spacing_mm, plane=plane, model=model, device=device
    )
