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

#: The kinds of output that a volume can be measured by: a mask, and heatmaps of the two ends.
MEASURING_VOLUMES = ("solid", "solid-ends")

#: The shipped model that measures unless another one is named, and the one for volumes.
DEFAULT = "exam"
DEFAULT_VOLUME = "femur3d-phantom"

#: Smallest and largest voxels that a model may look at volumes in, in mm.
VOXEL_RANGE_MM = (0.01, 10.0)


@dataclass(frozen=True)
class Entry:
    """A model that ships in the package."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says of itself: pre-processing, outputs, recipe, data, licence.

    Its input has `size` (h, w). A model of volumes has a `depth` too: it sees cubes of
    `voxel_mm`, in the region that the model `roi` finds, grown by `margin_mm`; without one, in
    the whole volume. `notice` is what users must be told with every number.
    """

    ref: ModelRef
    description: str
    size: tuple[int, int]
    mean: float
    std: float
    outputs: Mapping[str, Mapping[str, Any]]
    details: Mapping[str, Any]
    intervals: Mapping[str, SizeInterval] = field(default_factory=dict)
    depth: int = 0
    voxel_mm: float = 0.0
    margin_mm: float = 0.0
    roi: str = ""
    notice: str = ""

    @property
    def of_volumes(self) -> bool:
        """Whether it measures volumes; otherwise it measures pictures."""
        return self.depth > 0

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


def default_volume_model() -> str:
    """Return the name of the model that measures volumes."""
    return DEFAULT_VOLUME


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


def named_by(path: Path, model: str) -> str:
    """Return the model that the file of another one names: shipped, or a file.

    A file is looked for beside the other one first.
    """
    beside = path.parent / model
    return str(beside) if model not in catalogue() and _is_file(beside) else model


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
        info = ModelInfo(
            ref=ModelRef(str(meta["name"]), sha256, str(meta["licence"])),
            description=str(meta["description"]),
            outputs={str(name): dict(meaning) for name, meaning in meta["outputs"].items()},
            details=meta,
            intervals=_intervals(meta),
            notice=str(meta.get("notice", "")),
            **_input(meta["input"]),
        )
        _check(info)
    except (
        *(KeyError, TypeError, IndexError, ValueError, AttributeError),
        *(OverflowError, MeasurementError),
    ) as error:
        raise ModelError(f"{path}: its metadata is damaged ({error!r})") from None
    return info


def _input(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the input is: a picture of two sides, or a volume of three."""
    *depths, rows, cols = (int(side) for side in given["size"])
    size = {"size": (rows, cols), "mean": float(given["mean"]), "std": float(given["std"])}
    if not depths:
        return size
    (depth,) = depths
    if depth < 1:
        raise ValueError(f"input of {depth} slices")
    return {
        **size,
        "depth": depth,
        "voxel_mm": float(given["voxel_mm"]),
        "margin_mm": float(given.get("margin_mm", 0.0)),
        "roi": str(given.get("roi", "")),
    }


def _check_input(info: ModelInfo) -> None:
    """Refuse numbers that no picture or volume can be prepared with."""
    if min(info.size) < 1 or not math.isfinite(info.mean) or not 0 < info.std < math.inf:
        raise ValueError(f"input of {info.size}, mean {info.mean}, standard deviation {info.std}")
    low, high = VOXEL_RANGE_MM
    if info.of_volumes and not (low <= info.voxel_mm <= high and 0 <= info.margin_mm < math.inf):
        raise ValueError(f"voxels of {info.voxel_mm} mm, margin {info.margin_mm} mm")


def _check(info: ModelInfo) -> None:
    """Refuse what cannot be used, and masks of nobody knows what."""
    _check_input(info)
    if info.of_volumes and not any(info.output_of(kind) for kind in MEASURING_VOLUMES):
        raise ValueError(f"no output of {' or '.join(MEASURING_VOLUMES)} to measure volumes by")
    calibrated = info.details.get("calibration", {})
    temperature = float(calibrated.get("temperature", 1.0))
    threshold = float(calibrated.get("trans_cerebellar_threshold", 0.0))
    if not 0 < temperature < math.inf or not math.isfinite(threshold):
        raise ValueError(f"temperature {temperature}, threshold {threshold}")
    for name, meaning in info.outputs.items():
        if meaning["kind"] in (*MEASURING, *MEASURING_VOLUMES, "ends") and not planes_of(meaning):
            raise ValueError(f"output {name!r} does not say which plane it shows")
        along = meaning.get("along")
        if meaning["kind"] == "ends" and info.outputs.get(str(along), {}).get("kind") != "mask":
            raise ValueError(f"output {name!r} lies along {along!r}, which is no mask")
        if meaning["kind"] == "size" and not 0 < float(meaning["scale_px"]) < math.inf:
            raise ValueError(f"output {name!r} has a scale of {meaning['scale_px']} pixels")
        if meaning["kind"] == "planes" and not {*PLANES, NO_PLANE} & set(meaning["classes"]):
            raise ValueError(f"output {name!r} tells nothing apart that is measured")
