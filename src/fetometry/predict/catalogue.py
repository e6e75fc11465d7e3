"""Which models there are, and whether a file is what it says: name → file → hash → metadata."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fetometry.errors import MeasurementError, ModelError
from fetometry.types import NO_PLANE, PLANES, ModelRef, SizeInterval

WEIGHTS = Path(__file__).parent / "weights"
SCHEMA = "fetometry-model/1"
METADATA_KEY = "fetometry"

#: The kinds of output that a plane can be measured by, the best first.
MEASURING = ("mask", "ellipse", "size")

#: The shipped model that measures unless another one is named.
DEFAULT = "exam"


@dataclass(frozen=True)
class Entry:
    """A model that ships in the package."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself: pre-processing, outputs, recipe, data, licence."""

    ref: ModelRef
    description: str
    size: tuple[int, int]
    mean: float
    std: float
    outputs: Mapping[str, Mapping[str, Any]]
    details: Mapping[str, Any]
    intervals: Mapping[str, SizeInterval] = field(default_factory=dict)

    def output_of(self, kind: str, plane: str = "") -> str | None:
        """Return the name of the output of a kind (for a plane), or None."""
        return output_of(self.outputs, kind, plane)

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that it measures."""
        return tuple(plane for plane in PLANES if measured_by(self.outputs, plane))


def output_of(outputs: Mapping[str, Mapping[str, Any]], kind: str, plane: str = "") -> str | None:
    """Return the name of the output of a kind (for a plane) among {name: meaning}, or None."""
    for name, meaning in outputs.items():
        if meaning["kind"] == kind and (not plane or plane in planes_of(meaning)):
            return name
    return None


def measured_by(outputs: Mapping[str, Mapping[str, Any]], plane: str) -> str | None:
    """Return the kind of output that a plane is measured by, the best that is there, or None."""
    return next((kind for kind in MEASURING if output_of(outputs, kind, plane)), None)


def planes_of(meaning: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the planes that an output is of; an earlier version named a single one."""
    return tuple(meaning.get("planes") or [meaning[key] for key in ("plane",) if key in meaning])


def _intervals(meta: Mapping[str, Any]) -> dict[str, SizeInterval]:
    found = meta.get("calibration", {}).get("intervals", {})
    return {
        str(name): SizeInterval(
            tuple(float(edge) for edge in given["edges_mm"]),
            tuple(float(width) for width in given["half_widths"]),
        )
        for name, given in found.items()
    }


def catalogue() -> dict[str, Entry]:
    """Return the shipped models by name.

    Raises:
        ModelError: the package's own list of models is missing or damaged.
    """
    path = WEIGHTS / "catalogue.json"
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        models = {
            name: Entry(name, WEIGHTS / entry["file"], entry["sha256"])
            for name, entry in listed.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: the list of models is damaged ({error!r}); install the package again"
        ) from None
    if not models:
        raise ModelError(f"{path}: the list of models is empty; install the package again")
    return models


def default_model(plane: str) -> str:
    """Return the name of the model that measures a plane.

    Raises:
        ModelError: no shipped model measures it.
    """
    planes = ("auto", *PLANES)
    if plane not in planes:
        raise ModelError(f"no model for the plane {plane!r}; allowed: {', '.join(planes)}")
    return DEFAULT


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that the file system does not take
        return False


def _expected_beside(path: Path) -> str | None:
    """Return the hash in `FILE.sha256` beside a model, if there is such a file."""
    beside = path.with_name(path.name + ".sha256")
    if not _is_file(beside):
        return None
    try:
        return beside.read_text(encoding="utf-8").split()[0].lower()
    except (OSError, UnicodeDecodeError, IndexError):
        raise ModelError(
            f"{beside}: holds no SHA-256; make it again with sha256sum, or remove it"
        ) from None


def locate(model: str) -> tuple[Path, str]:
    """Return the file of a model, by its shipped name or its path, and its SHA-256.

    The hash of a shipped file must be the catalogue's; that of another file must be the one in
    `FILE.sha256` beside it, if there is such a file.

    Raises:
        ModelError: there is no such model, or the hash is another one.
    """
    shipped = catalogue()
    path = shipped[model].path if model in shipped else Path(model)
    if not _is_file(path):
        raise ModelError(
            f"{model}: no such model; give a .onnx file or one of: {', '.join(shipped)}"
        )
    found = sha256_of(path)
    expected = shipped[model].sha256 if model in shipped else _expected_beside(path)
    if expected not in (None, found):
        raise ModelError(
            f"{path}: this is not the file it should be (SHA-256 {found[:12]}..., expected "
            f"{str(expected)[:12]}...); install the package again, or export the model again"
        )
    return path, found


def parse_metadata(text: str | None, path: Path, sha256: str) -> ModelInfo:
    """Read a model's own description.

    Raises:
        ModelError: it is missing, of another schema, or incomplete.
    """
    if not text:
        raise ModelError(
            f"{path}: carries no fetometry metadata, so nobody knows what its numbers mean; "
            "make model files with `fetometry export`"
        )
    try:
        meta = json.loads(text)
        if meta["schema"] != SCHEMA:
            raise ModelError(f"{path}: metadata schema {meta['schema']!r}; this reads {SCHEMA}")
        given = meta["input"]
        info = ModelInfo(
            ref=ModelRef(str(meta["name"]), sha256, str(meta["licence"])),
            description=str(meta["description"]),
            size=(int(given["size"][0]), int(given["size"][1])),
            mean=float(given["mean"]),
            std=float(given["std"]),
            outputs={str(name): dict(meaning) for name, meaning in meta["outputs"].items()},
            details=meta,
            intervals=_intervals(meta),
        )
        _check(info)
    except (
        *(KeyError, TypeError, IndexError, ValueError, AttributeError),
        MeasurementError,
    ) as error:
        raise ModelError(f"{path}: its metadata is damaged ({error!r})") from None
    return info


def _check(info: ModelInfo) -> None:
    """Refuse numbers that no image can be prepared with, and masks of nobody knows what."""
    if min(info.size) < 1 or not math.isfinite(info.mean) or not 0 < info.std < math.inf:
        raise ValueError(f"input of {info.size}, mean {info.mean}, standard deviation {info.std}")
    calibrated = info.details.get("calibration", {})
    temperature = float(calibrated.get("temperature", 1.0))
    threshold = float(calibrated.get("trans_cerebellar_threshold", 0.0))
    if not 0 < temperature < math.inf or not math.isfinite(threshold):
        raise ValueError(f"temperature {temperature}, threshold {threshold}")
    for name, meaning in info.outputs.items():
        if meaning["kind"] in (*MEASURING, "ends") and not planes_of(meaning):
            raise ValueError(f"output {name!r} does not say which plane it shows")
        along = meaning.get("along")
        if meaning["kind"] == "ends" and info.outputs.get(str(along), {}).get("kind") != "mask":
            raise ValueError(f"output {name!r} lies along {along!r}, which is no mask")
        if meaning["kind"] == "size" and not 0 < float(meaning["scale_px"]) < math.inf:
            raise ValueError(f"output {name!r} has a scale of {meaning['scale_px']} pixels")
        if meaning["kind"] == "planes" and not {*PLANES, NO_PLANE} & set(meaning["classes"]):
            raise ValueError(f"output {name!r} tells nothing apart that is measured")
