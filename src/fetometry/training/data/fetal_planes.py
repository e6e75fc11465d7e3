"""Fetal Planes: abdomens, femurs, heads and other planes, with experts' landmarks.

References:
    Images: Burgos-Artizzu XP et al. Evaluation of deep convolutional neural networks for
    automatic classification of common maternal fetal ultrasound planes. Sci Rep 2020;10:10200;
    doi 10.5281/zenodo.3904280, CC BY 4.0. Landmarks and mm per pixel: Multicentre Fetal Biometry
    benchmark, doi 10.5522/04/30819911, CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError, FetometryError
from fetometry.geometry import Ellipse
from fetometry.training.data.manifest import TRANS_CEREBELLAR, Ends, Row
from fetometry.types import NO_PLANE

NAME = "fetal_planes"
TABLE = "manifest.csv"

#: The data set's planes; a thorax, a cervix or another view is none that is measured.
_PLANES = {
    "Fetal brain": "head",
    "Fetal abdomen": "abdomen",
    "Fetal femur": "femur",
    "Fetal thorax": NO_PLANE,
    "Maternal cervix": NO_PLANE,
    "Other": NO_PLANE,
}
_VIEWS = {
    "Trans-thalamic": "trans-thalamic",
    "Trans-ventricular": "trans-ventricular",
    "Trans-cerebellum": TRANS_CEREBELLAR,
}
#: A brain that is in none of the three standard views: neither a plane for HC nor without a
#: head. Nobody can say what a model should answer, so these are left out.
_NO_VIEW = "Other"

Points = NDArray[np.float64]


def ellipse_of(long: Points, short: Points) -> Ellipse:
    """Return the ellipse that two measured diameters, each two ends (2, 2), stand for.

    Its axes are as long as the diameters, so that its circumference is the one that the experts'
    callipers give; they are never quite at right angles (up to 12 to 19 degrees off) nor bisect
    each other. The centre is the mean of the four ends, and the direction the one for which the
    four ends of the axes lie nearest to the landmarks (least squares).
    """
    half_1, half_2 = (long[1] - long[0]) / 2, (short[1] - short[0]) / 2
    a, b = (float(np.linalg.norm(half)) for half in (half_1, half_2))
    turned = np.array([-half_2[1], half_2[0]])  # a quarter turn, on the side of the other axis
    turned *= 1.0 if turned @ half_1 >= 0 else -1.0
    # sum |c +- a u - p|^2 is least where u points along a * half_1 + b * turned
    row, col = a * half_1 + b * turned
    center = np.concatenate([long, short]).mean(axis=0)
    angle = float(np.degrees(np.arctan2(row, col)))
    axes, angle = ((a, b), angle) if a >= b else ((b, a), angle + 90)
    return Ellipse((float(center[0]), float(center[1])), axes, angle % 180 % 180)


def _ends(record: dict[str, str], name: str) -> Points | None:
    """Return the two landmarks of a diameter (2, 2) as (row, col); the table has x, y.

    Raises:
        ValueError: a cell is empty while others are not, or no number, or the two are one.
    """
    cells = [[record[f"{name}_{k}_{axis}"] for axis in "yx"] for k in (1, 2)]
    if not any(text for end in cells for text in end):
        return None
    ends = np.array(cells, np.float64)
    if not np.isfinite(ends).all() or np.array_equal(ends[0], ends[1]):
        raise ValueError(f"{name} must be two points apart from each other, got {cells}")
    return ends


def _row(record: dict[str, str], folder: Path) -> Row:
    plane = _PLANES[record["plane"]]
    ofd, bpd, tad, apad, fl = (_ends(record, n) for n in ("ofd", "bpd", "tad", "apad", "fl"))
    ellipse, ends = None, fl
    if ofd is not None and bpd is not None:
        ellipse = ellipse_of(ofd, bpd)
    if tad is not None and apad is not None:
        ellipse, ends = ellipse_of(tad, apad), tad
    known = ellipse is not None or ends is not None
    mm = float(record["mm_per_px"]) if known else None
    return Row(
        dataset=NAME,
        image=folder / record["image"],
        group=record["patient"],
        plane=plane,
        spacing_mm=None if mm is None else (mm, mm),
        ellipse=ellipse,
        view=_VIEWS.get(record["brain_plane"], ""),
        machine=record["us_machine"],
        ends=None if ends is None else _pairs(ends),
    )


def _pairs(ends: Points) -> Ends:
    (row_1, col_1), (row_2, col_2) = ends.tolist()
    return (row_1, col_1), (row_2, col_2)


def rows(folder: Path) -> list[Row]:
    """Read the data set in its own layout: `manifest.csv` and the images it names.

    The group is the patient: all planes of one patient are on one side of a split. Left out are
    rows whose landmarks are marked as wrong, brains in no standard view, and images that are not
    there. Images without landmarks serve to tell planes apart.

    Raises:
        DataError: the table is missing or cannot be read, or no image is there.
    """
    table = folder / TABLE
    if not table.is_file():
        raise DataError(f"{folder}: {TABLE} is missing; is this the Fetal Planes folder?")
    found = []
    with table.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, restval="")
        for record in reader:
            try:
                if record["suspect"] == "1" or _is_no_view(record):
                    continue
                if (folder / record["image"]).is_file():
                    found.append(_row(record, folder))
            except KeyError as error:
                raise DataError(f"{table}, line {reader.line_num}: lacks {error}") from None
            except (ValueError, FetometryError) as error:
                raise DataError(f"{table}, line {reader.line_num}: {error}") from None
    if not found:
        raise DataError(f"{folder}: none of the images named in {TABLE} is there")
    return found


def _is_no_view(record: dict[str, str]) -> bool:
    return record["plane"] == "Fetal brain" and record["brain_plane"] == _NO_VIEW
