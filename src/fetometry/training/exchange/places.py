"""Points and ellipses of others, read from tables: `points.csv`, `ellipses.csv`, `hc18.csv`."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetometry.errors import DataError, MeasurementError
from fetometry.geometry import Ellipse, Outline, Points
from fetometry.predict.seeing import Sight
from fetometry.training.data import Row
from fetometry.training.data.fetal_planes import ellipse_of
from fetometry.types import MAIN, source_stem

#: The diameters of each plane, each by two points, as Fetal Planes has them.
DIAMETERS: Mapping[str, tuple[str, ...]] = {
    "head": ("OFD", "BPD"),
    "abdomen": ("TAD", "APAD"),
    "femur": ("FL",),
}
POINTS = tuple(f"{name}_{k}" for names in DIAMETERS.values() for name in names for k in (1, 2))

#: So many points of an ellipse are its outline.
OUTLINE_POINTS = 360

POINT_COLUMNS = ("image", "plane", "point", "x", "y")
ELLIPSE_COLUMNS = ("image", "center_x", "center_y", "semi_a", "semi_b", "angle_deg")
HC18_COLUMNS = (
    "filename", "center_x_mm", "center_y_mm", "semi_axes_a_mm", "semi_axes_b_mm", "angle_rad",
)  # fmt: skip

Record = Mapping[str, str]


@dataclass(frozen=True)
class Told:
    """What was told of one image: the plane, and what is to be measured in source pixels."""

    plane: str
    sight: Sight


#: What is told of an image, once its truth says how large a pixel is and, if need be, the plane.
Teller = Callable[[Row], Told]


def _outline(ellipse: Ellipse) -> Outline:
    return Outline(ellipse.points(OUTLINE_POINTS), 1)


def _ellipse(center: tuple[float, float], axes: tuple[float, float], angle_deg: float) -> Ellipse:
    """Build an ellipse of (x, y) and two semi-axes, the angle being that of the first."""
    turned = 0.0 if axes[0] >= axes[1] else 90.0
    a, b = max(axes), min(axes)
    return Ellipse((center[1], center[0]), (a, b), angle_deg + turned)


def _number(record: Record, column: str) -> float:
    value = float(record[column])
    if not math.isfinite(value):
        raise ValueError(f"{column} must be a number, got {record[column]}")
    return value


def _records(path: Path, columns: Iterable[str]) -> list[tuple[int, Record]]:
    """Return the lines of a table by their numbers.

    Raises:
        DataError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="")
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{path}: columns are missing: {', '.join(sorted(missing))}")
            return [(reader.line_num, record) for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None


def _plane_of(points: Mapping[str, Points]) -> str:
    """Return the plane whose diameters are all there.

    Raises:
        MeasurementError: a point is missing.
    """
    for plane, names in DIAMETERS.items():
        if all(f"{name}_{k}" in points for name in names for k in (1, 2)):
            return plane
    raise MeasurementError(
        f"its points are not all there: {', '.join(points)}; a head has OFD and BPD, an abdomen "
        "TAD and APAD, a femur FL, each _1 and _2"
    )


def _from_points(points: Mapping[str, Points], plane: str) -> Told:
    found = _plane_of(points)
    if plane and plane != found:
        raise MeasurementError(f"its points are those of a plane {found}, not {plane}")
    ends = {name: np.array([points[f"{name}_1"], points[f"{name}_2"]]) for name in DIAMETERS[found]}
    if found == "femur":
        return Told(found, Sight(ends=ends["FL"]))
    one, other = (ends[name] for name in DIAMETERS[found])
    across = ends["TAD"] if found == "abdomen" else None
    return Told(found, Sight(_outline(ellipse_of(one, other)), across))


def read_points(path: Path) -> dict[str, Teller]:
    """Read landmarks, a line each: image, plane, point, x, y; 0-based pixels, x to the right.

    The points are OFD_1, OFD_2, BPD_1 and so on. From two diameters the ellipse is made as from
    the experts' landmarks.

    Raises:
        DataError: it is not such a table, or says a point twice.
    """
    found: dict[str, dict[str, Points]] = {}
    planes: dict[str, str] = {}
    for line, record in _records(path, POINT_COLUMNS):
        name, point = source_stem(record["image"]), record["point"].strip().upper()
        points = found.setdefault(name, {})
        if point not in POINTS or point in points:
            fault = "twice" if point in points else f"unknown; known: {', '.join(POINTS)}"
            raise DataError(
                f"{path}, line {line}: the point {record['point']} of {name} is {fault}"
            )
        if record["plane"] not in ("", *MAIN):
            raise DataError(f"{path}, line {line}: unknown plane {record['plane']!r}")
        try:
            points[point] = np.array([_number(record, "y"), _number(record, "x")])
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from None
        planes[name] = record["plane"]
    return {
        name: lambda row, points=points, name=name: _from_points(points, planes[name])  # type: ignore[misc]
        for name, points in found.items()
    }


def _in_pixels(record: Record, row: Row) -> Told:
    ellipse = _ellipse(
        (_number(record, "center_x"), _number(record, "center_y")),
        (_number(record, "semi_a"), _number(record, "semi_b")),
        _number(record, "angle_deg"),
    )
    return Told(record.get("plane") or row.plane, Sight(_outline(ellipse)))


def _in_mm(record: Record, row: Row) -> Told:
    ellipse = _ellipse(
        (_number(record, "center_x_mm"), _number(record, "center_y_mm")),
        (_number(record, "semi_axes_a_mm"), _number(record, "semi_axes_b_mm")),
        math.degrees(_number(record, "angle_rad")),
    )
    mm_row, mm_col = row.spacing_mm or (1.0, 1.0)
    return Told("head", Sight(_outline(ellipse.scaled(1 / mm_row, 1 / mm_col))))


def _ellipses(
    path: Path, columns: tuple[str, ...], tell: Callable[[Record, Row], Told]
) -> dict[str, Teller]:
    found: dict[str, Teller] = {}
    for line, record in _records(path, columns):
        name = source_stem(record[columns[0]])
        if name in found:
            raise DataError(f"{path}, line {line}: {name} is there twice")
        try:
            for column in columns[1:]:
                _number(record, column)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: {error}") from None
        found[name] = lambda row, record=record: tell(record, row)  # type: ignore[misc]
    return found


def read_ellipses(path: Path) -> dict[str, Teller]:
    """Read ellipses in pixels, a line an image: image, centre, semi-axes, angle.

    The centre of the first pixel is (0, 0), x runs to the right and y down; the angle is that of
    `semi_a` from the x axis towards the y axis, in degrees. A column `plane` may say the plane.

    Raises:
        DataError: it is not such a table.
    """
    return _ellipses(path, ELLIPSE_COLUMNS, _in_pixels)


def read_hc18(path: Path) -> dict[str, Teller]:
    """Read ellipses of heads in mm, as the HC18 challenge takes them and `measure` writes them.

    Raises:
        DataError: it is not such a table.
    """
    return _ellipses(path, HC18_COLUMNS, _in_mm)


POINTS_FILE = "points.csv"

#: By the name of the file in the folder of predictions.
TABLES: Mapping[str, Callable[[Path], dict[str, Teller]]] = {
    POINTS_FILE: read_points,
    "ellipses.csv": read_ellipses,
    "hc18.csv": read_hc18,
}
