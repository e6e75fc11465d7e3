"""Measures the fetus in ultrasound: head, abdomen and femur, with the picture of every number.

    exam = fetometry.measure("scans/", spacing_mm=0.12)

`exam.findings` holds what was measured in each image, `exam.selected` the values that count,
`exam.problems` what was refused and why, `exam.growth` what the values mean: with a gestational
age (`ga="23w4d"`) age, weight and centiles. `fetometry.measure_exams` takes several patients'
images, `fetometry.frames` makes pandas data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

# stage 3 has the same name: imported first, it never again takes the place of the function
import fetometry.measure  # noqa: F401
from fetometry.errors import FetometryError
from fetometry.types import Exam, Finding, Image, Measurement, Problem, Selected, Spacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from fetometry.pipeline import About

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
    select: str | None = None,
    **about: Unpack[About],
) -> Exam:
    """Measure one patient's images: a file, a folder, several of them, or an array of pixels.

    An array is (H, W) or (H, W, 3); `spacing_mm` is millimetres per pixel, one number or
    (row, col), or "ruler" to read the depth ruler in the picture. Without it, and without a
    calibration in the file, values are in pixels and the exam's problems say so. `plane` is auto,
    head, abdomen or femur. Of several images of a plane `select` (best, median, mean or last;
    None: as the profile says) says which counts. What cannot be read or measured is in
    `Exam.problems` too.

    About the pregnancy may be said: `ga` ("23w4d", or exact days), `lmp`, `edd` (one that was
    agreed on), `crl_mm` with `crl_date`, and `exam_date` to count to, where no DICOM file says
    it; a day is a date or YYYY-MM-DD. `profile` is the house's `fetometry.toml`. Without any of
    them the age is estimated from the measurements, whose centiles are then marked circular.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown, an age cannot be counted from the dates.
        UsageError: these are several patients' images; `measure_exams` takes those.
    """
    # the readers and the runtime load here, so that `import fetometry` stays quick
    from fetometry import pipeline

    settings = pipeline.Settings(
        plane, pipeline.given(spacing_mm), model, device, select=select, **pipeline.told(about)
    )
    return pipeline.measure(path_or_array, settings)


def measure_exams(
    path: str | Path | Sequence[str | Path],
    *,
    spacing_mm: float | tuple[float, float] | str | None = None,
    plane: str = "auto",
    model: str | None = None,
    device: str = "auto",
    select: str | None = None,
    **about: Unpack[About],
) -> list[Exam]:
    """Measure all images at one or more paths, one exam for each patient's visit.

    Patients are never mixed. Who is who comes from the identifiers in DICOM files; of other
    images one folder is one patient. An age or a date is that of one exam, and refused where there
    are several; those in DICOM files hold for each. The rest is as in `measure`.

    Raises:
        FetometryError: the path does not exist, the spacing is implausible, the plane or the
            model is unknown, an age cannot be counted from the dates.
    """
    from fetometry import pipeline

    settings = pipeline.Settings(
        plane, pipeline.given(spacing_mm), model, device, select=select, **pipeline.told(about)
    )
    return pipeline.measure_exams(path, settings)
