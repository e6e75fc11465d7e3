"""Measures the fetus in ultrasound: head, abdomen and femur, with the picture of every number.

    exam = fetometry.measure("scans/", spacing_mm=0.12)

`exam.findings` holds what was measured in each image, `exam.selected` the values that count,
`exam.problems` what was refused and why. `fetometry.measure_exams` takes several patients' images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# stage 3 has the same name: imported first, it never again takes the place of the function
import fetometry.measure  # noqa: F401
from fetometry.errors import FetometryError
from fetometry.types import Exam, Finding, Image, Measurement, Problem, Selected, Spacing

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    "Selected",
    "Spacing",
    "__version__",
    "measure",
    "measure_exams",
]


def measure(
    path_or_array: str | Path | Sequence[str | Path] | NDArray[np.generic],
    *,
    spacing_mm: float | tuple[float, float] | str | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
    select: str = "best",
) -> Exam:
    """Measure one patient's images: a file, a folder, several of them, or an array of pixels.

    An array is (H, W) or (H, W, 3); `spacing_mm` is millimetres per pixel, one number or
    (row, col), or "ruler" to read the depth ruler in the picture. Without it, and without a
    calibration in the file, values are in pixels and the exam's problems say so. `plane` is auto,
    head, abdomen or femur. Of several images of a plane `select` (best, median, mean or last)
    says which counts. What cannot be read or measured is in `Exam.problems` too.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown.
        UsageError: these are several patients' images; `measure_exams` takes those.
    """
    # the readers and the runtime load here, so that `import fetometry` stays quick
    from fetometry import pipeline

    settings = pipeline.Settings(plane, pipeline.given(spacing_mm), model, device, select=select)
    return pipeline.measure(path_or_array, settings)


def measure_exams(
    path: str | Path | Sequence[str | Path],
    *,
    spacing_mm: float | tuple[float, float] | str | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
    select: str = "best",
) -> list[Exam]:
    """Measure all images at one or more paths, one exam for each patient's visit.

    Patients are never mixed. Who is who comes from the identifiers in DICOM files; of other
    images one folder is one patient. The rest is as in `measure`.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown.
    """
    from fetometry import pipeline

    settings = pipeline.Settings(plane, pipeline.given(spacing_mm), model, device, select=select)
    return pipeline.measure_exams(path, settings)
