"""HC18: fetal heads with the sonographer's ellipse.

References:
    van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D
    ultrasound images. PLoS ONE 2018;13(8):e0200412. Data: doi 10.5281/zenodo.1327317, CC BY 4.0.
"""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

from fetometry.errors import DataError, MeasurementError, SpacingError
from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.training.data.manifest import Row

NAME = "hc18"
TABLE = "training_set_pixel_size_and_HC.csv"
SUFFIXES = (".png", ".webp")


def annotation_ellipse(path: Path) -> Ellipse:
    """Return the ellipse of an annotation: white outline on black, one pixel wide.

    The outline pixels themselves are fitted: the contour of the filled outline is 0.7 mm too
    large.

    Raises:
        DataError: the file is not an image, or holds no ellipse.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise DataError(f"{path}: the annotation cannot be read")
    try:
        return fit_ellipse(np.argwhere(pixels > 127).astype(np.float64)).ellipse
    except MeasurementError as error:
        raise DataError(f"{path}: {error}") from None


def _image(folder: Path, name: str) -> Path | None:
    stem = Path(name).stem
    return next((p for s in SUFFIXES if (p := folder / f"{stem}{s}").is_file()), None)


def _row(images: Path, image: Path, spacing: str, reference: str) -> Row:
    ellipse = annotation_ellipse(images / f"{image.stem}_Annotation.png")
    group = image.stem.split("_")[0]
    return Row(NAME, image, group, "head", (float(spacing),) * 2, ellipse, float(reference))


def rows(folder: Path) -> list[Row]:
    """Read HC18 in its published layout: `training_set/NNN_HC.png`, annotations, and the CSV.

    Images may also be lossless .webp copies; those that are not there are left out. The group
    is the exam, `NNN`: images of one exam never part. (806 exams came from 551 women, so exams
    are not women.)

    Raises:
        DataError: the table or an annotation is missing or cannot be read, or no image is there.
    """
    table, images = folder / TABLE, folder / "training_set"
    if not table.is_file():
        raise DataError(f"{folder}: {TABLE} is missing; is this the HC18 folder?")
    found = []
    with table.open(newline="", encoding="utf-8-sig") as stream:
        lines = csv.reader(stream)
        next(lines, None)
        for line in filter(None, lines):
            try:
                name, spacing, reference, *_ = line
                image = _image(images, name)
                if image is not None:
                    found.append(_row(images, image, spacing, reference))
            except (ValueError, SpacingError) as error:
                raise DataError(f"{table}, line {lines.line_num}: {error}") from None
    if not found:
        raise DataError(f"{images}: none of the images named in {TABLE} is there")
    return found
