"""The whole exam as one JSON document, and back. `docs/exam.schema.json` describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fetometry.errors import DataError, FetometryError, OutputError
from fetometry.geometry import Ellipse, Points
from fetometry.geometry.solid import Box, Shape3d
from fetometry.growth.documents import read_growth
from fetometry.growth.nouns import Growth
from fetometry.report.review_json import read_review, review_json
from fetometry.review import Review
from fetometry.types import (
    Exam,
    Finding,
    Measurement,
    ModelRef,
    Problem,
    Selected,
    Spacing,
    VolumeFinding,
)

SCHEMA = "fetometry-exam/1"

#: Decimals written: 0.01 px on an outline is a tenth of what can be seen.
OUTLINE_DECIMALS, POINT_DECIMALS, ELLIPSE_DECIMALS, VALUE_DECIMALS = 2, 3, 4, 4

#: The numbers of a selected value that are rounded.
SELECTED_NUMBERS = ("value", "low", "high", "sd", "smallest", "largest")

#: Lists and objects up to this length stand on one line.
LINE_LENGTH = 200

Json = dict[str, Any]
T = TypeVar("T")


def exam_json(exam: Exam) -> str:
    """Return the exam as JSON text, a list of numbers to a line.

    Raises:
        OutputError: a number is not finite; JSON has no way to say that.
    """
    try:
        return _pretty(_exam(exam), "") + "\n"
    except ValueError as error:
        raise OutputError(f"cannot write the exam as JSON: {error}") from error


def read_exam(path: Path) -> Exam:
    """Read an exam that `exam_json` wrote, now or before a key was added to the format.

    Keys that are not known are passed over.

    Raises:
        DataError: the file cannot be read, is not such a document, or is of another version.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a JSON document: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise DataError(
            f"{path}: the schema must be {SCHEMA}, got {schema!r}; if a later version of "
            "fetometry wrote it, read it with that one"
        )
    return Exam(
        findings=_read_each(path, document, "findings", _read_finding),
        problems=_read_each(path, document, "problems", _read_problem),
        software=str(document.get("software", "")),
        selected=_read_each(path, {"selected": [], **document}, "selected", _read_selected),
        volumes=_read_each(path, {"volumes": [], **document}, "volumes", _read_volume),
        growth=_read_growths(path, document),
        review=_read_review(path, document),
        **_added(document, {"name": str}),
    )


def _read_growths(path: Path, document: Json) -> dict[str, Growth]:
    try:
        return {fetus: read_growth(item) for fetus, item in document.get("growth", {}).items()}
    except (AttributeError, FetometryError) as error:
        raise DataError(f"{path}: growth: {error}") from error


def _read_review(path: Path, document: Json) -> Review | None:
    try:
        return read_review(document.get("review"))
    except (KeyError, TypeError, ValueError, FetometryError) as error:
        raise DataError(f"{path}: review: {error}") from error


def _exam(exam: Exam) -> Json:
    return {
        "schema": SCHEMA,
        "software": exam.software,
        "name": exam.name,
        "selected": [_selected(selected) for selected in exam.selected],
        "findings": [_finding(finding) for finding in exam.findings],
        "volumes": [_volume(volume) for volume in exam.volumes],
        "problems": [_problem(problem) for problem in exam.problems],
        "growth": {fetus: _growth(growth) for fetus, growth in exam.growth.items()},
        "review": review_json(exam.review),
    }


def _growth(growth: Growth) -> Json:
    """Return what stage 4 says, with the samples of its curves rounded and nothing else."""
    document: Json = _listed(growth.as_json())
    for curves in document["curves"]:
        curves["values"] = [
            [_rounded(value, VALUE_DECIMALS) for value in row] for row in curves["values"]
        ]
    return document


def _listed(value: Any) -> Any:
    """Return a tree with lists in the place of tuples."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _finding(finding: Finding) -> Json:
    spacing = finding.spacing
    return {
        "source": finding.source,
        "frame": finding.frame,
        "plane": finding.plane,
        "plane_probability": _rounded(finding.plane_probability, VALUE_DECIMALS),
        "model": _model(finding.model),
        "spacing_mm": list(spacing.mm) if spacing else None,
        "spacing_source": spacing.source if spacing else None,
        "outline_px": np.round(finding.outline_px, OUTLINE_DECIMALS).tolist(),
        "ellipse": _ellipse(finding.ellipse) if finding.ellipse else None,
        "points_px": {
            name: [round(float(number), POINT_DECIMALS) for number in point]
            for name, point in finding.points_px.items()
        },
        "measurements": [_measurement(measurement) for measurement in finding.measurements],
        "quality": _rounded(finding.quality, VALUE_DECIMALS),
        "fetus": finding.fetus,
        "exam": finding.exam,
    }


def _model(model: ModelRef) -> Json:
    return {"name": model.name, "sha256": model.sha256, "licence": model.licence}


def _ellipse(ellipse: Ellipse) -> Json:
    return {
        "center_px": [round(float(number), ELLIPSE_DECIMALS) for number in ellipse.center],
        "semi_axes_px": [round(float(number), ELLIPSE_DECIMALS) for number in ellipse.semi_axes],
        # rounding may reach 180, which is 0 again
        "angle_deg": round(float(ellipse.angle_deg), ELLIPSE_DECIMALS) % 180,
    }


def _measurement(measurement: Measurement) -> Json:
    return {
        "name": measurement.name,
        "value": _rounded(measurement.value, VALUE_DECIMALS),
        "unit": measurement.unit,
        "value_px": _rounded(measurement.value_px, VALUE_DECIMALS),
        "low": _rounded(measurement.low, VALUE_DECIMALS),
        "high": _rounded(measurement.high, VALUE_DECIMALS),
        "convention": measurement.convention,
        "flags": list(measurement.flags),
    }


def _volume(found: VolumeFinding) -> Json:
    """Return all but the mask: its voxels are in the source, their volume is here."""
    return {
        "source": found.source,
        "plane": found.plane,
        "model": _model(found.model),
        "notice": found.notice,
        "spacing_mm": list(found.spacing_mm),
        "box": {"start": list(found.box.start), "stop": list(found.box.stop)},
        "ends_voxels": _points(found.ends_voxels),
        "ends_mm": _points(found.ends_mm),
        "length_mm": _rounded(found.length_mm, VALUE_DECIMALS),
        "volume_ml": _rounded(found.volume_ml, VALUE_DECIMALS),
        "flags": list(found.flags),
        "exam": found.exam,
    }


def _points(points: Points | None) -> list[list[float]] | None:
    return None if points is None else np.round(points, POINT_DECIMALS).tolist()


def _problem(problem: Problem) -> Json:
    return {
        "source": problem.source,
        "frame": problem.frame,
        "reason": problem.reason,
        "kind": problem.kind,
        "exam": problem.exam,
    }


def _selected(selected: Selected) -> Json:
    return {
        "name": selected.name,
        "fetus": selected.fetus,
        **{key: _rounded(getattr(selected, key), VALUE_DECIMALS) for key in SELECTED_NUMBERS},
        "unit": selected.unit,
        "how": selected.how,
        "count": selected.count,
        "source": selected.source,
        "frame": selected.frame,
        "flags": list(selected.flags),
    }


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(float(value), decimals)


def _pretty(value: Any, indent: str) -> str:
    """Return JSON text with one key or record to a line, and numbers side by side."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not value or len(line) <= LINE_LENGTH or not _holds_objects(value):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_pretty(item, deeper)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        items = [_pretty(item, deeper) for item in value]
        opening, closing = "[]"
    body = ",\n".join(deeper + item for item in items)
    return f"{opening}\n{body}\n{indent}{closing}"


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _read_each(path: Path, document: Json, key: str, build: Callable[[Json], T]) -> tuple[T, ...]:
    items = document.get(key)
    if not isinstance(items, list):
        raise DataError(f"{path}: {key} must be a list")
    built = []
    for number, item in enumerate(items, start=1):
        try:
            built.append(build(item))
        except KeyError as error:
            raise DataError(f"{path}: item {number} of {key} lacks {error}") from error
        except (TypeError, ValueError, FetometryError) as error:
            raise DataError(f"{path}: item {number} of {key}: {error}") from error
    return tuple(built)


def _read_finding(item: Json) -> Finding:
    spacing = item["spacing_mm"]
    return Finding(
        source=str(item["source"]),
        frame=int(item["frame"]),
        plane=str(item["plane"]),
        plane_probability=_maybe(item["plane_probability"]),
        model=_read_model(item["model"]),
        spacing=None if spacing is None else Spacing(_pair(spacing), str(item["spacing_source"])),
        outline_px=np.array([_pair(point) for point in item["outline_px"]]).reshape(-1, 2),
        ellipse=None if item["ellipse"] is None else _read_ellipse(item["ellipse"]),
        points_px={str(name): _pair(point) for name, point in item["points_px"].items()},
        measurements=tuple(_read_measurement(measured) for measured in item["measurements"]),
        **_added(item, {"quality": _number, "fetus": str, "exam": str}),
    )


def _read_model(item: Json) -> ModelRef:
    return ModelRef(str(item["name"]), str(item["sha256"]), str(item["licence"]))


def _read_volume(item: Json) -> VolumeFinding:
    box, spacing = item["box"], item["spacing_mm"]
    slices, rows, cols = (_number(value) for value in spacing)
    return VolumeFinding(
        source=str(item["source"]),
        plane=str(item["plane"]),
        model=_read_model(item["model"]),
        notice=str(item["notice"]),
        spacing_mm=(slices, rows, cols),
        box=Box(_voxel(box["start"]), _voxel(box["stop"])),
        mask=None,
        ends_voxels=_read_points(item["ends_voxels"]),
        ends_mm=_read_points(item["ends_mm"]),
        length_mm=_maybe(item["length_mm"]),
        volume_ml=_maybe(item["volume_ml"]),
        flags=tuple(str(flag) for flag in item["flags"]),
        exam=str(item["exam"]),
    )


def _voxel(value: Sequence[Any]) -> Shape3d:
    number, row, col = value
    return int(number), int(row), int(col)


def _read_points(value: Sequence[Any] | None) -> Points | None:
    """Return two ends (2, 3)."""
    if value is None:
        return None
    numbers = [_number(number) for end in value for number in end]
    return np.array(numbers).reshape(2, 3)


def _read_ellipse(item: Json) -> Ellipse:
    return Ellipse(
        _pair(item["center_px"]), _pair(item["semi_axes_px"]), _number(item["angle_deg"])
    )


def _read_measurement(item: Json) -> Measurement:
    return Measurement(
        name=str(item["name"]),
        value=_number(item["value"]),
        unit=str(item["unit"]),
        value_px=_number(item["value_px"]),
        convention=str(item["convention"]),
        low=_maybe(item["low"]),
        high=_maybe(item["high"]),
        flags=tuple(str(flag) for flag in item["flags"]),
    )


def _read_problem(item: Json) -> Problem:
    return Problem(
        source=str(item["source"]),
        frame=_maybe_frame(item["frame"]),
        reason=str(item["reason"]),
        **_added(item, {"kind": str, "exam": str}),
    )


def _read_selected(item: Json) -> Selected:
    return Selected(
        name=str(item["name"]),
        fetus=str(item["fetus"]),
        value=_number(item["value"]),
        unit=str(item["unit"]),
        low=_maybe(item["low"]),
        high=_maybe(item["high"]),
        how=str(item["how"]),
        count=int(item["count"]),
        sd=_maybe(item["sd"]),
        smallest=_number(item["smallest"]),
        largest=_number(item["largest"]),
        source=str(item["source"]),
        frame=_maybe_frame(item["frame"]),
        flags=tuple(str(flag) for flag in item["flags"]),
    )


def _added(item: Json, readers: Mapping[str, Callable[[Any], Any]]) -> Json:
    """Return what older documents lack, where it is there; the nouns have the defaults."""
    return {key: read(item[key]) for key, read in readers.items() if key in item}


def _maybe_frame(value: Any) -> int | None:
    return None if value is None else int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"a finite number is needed, got {value!r}")
    return float(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else _number(value)


def _pair(value: Sequence[Any]) -> tuple[float, float]:
    row, col = value
    return _number(row), _number(col)
