"""Planes whose answer is known, and models that cannot miss them."""

import contextlib
import csv
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fetometry import cli, phantom, predict
from fetometry.geometry import Ellipse
from fetometry.phantom import HeadPhantom
from fetometry.phantom.write import dicom
from fetometry.predict.catalogue import ModelInfo
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import Predictor
from fetometry.types import PLANE_CLASSES, ModelRef, SizeInterval

SHAPE = (270, 400)
HEAD = Ellipse((135.0, 210.0), (110.0, 86.0), 20.0)
#: As old as the head, and its shaft as a thin ellipse.
ABDOMEN = Ellipse((135.0, 200.0), (90.0, 84.0), 15.0)
SHAFT = Ellipse((120.0, 190.0), (58.0, 9.0), 8.0)
SPACING = (0.3, 0.3)
#: What the model `bright` takes for the edge.
EDGE = 127.0


#: How dark it is round a structure tells the model `three_planes` what it looks at.
DARK = {"head": 20, "abdomen": 40, "femur": 60, "none": 80}


def painted(
    ellipse: Ellipse = HEAD, shape: tuple[int, int] = SHAPE, *, plane: str = "head"
) -> np.ndarray:
    """Grey pixels, 220 inside and dark outside, that cross 127 on the ellipse, softly."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    inward = (1 - ellipse.level(np.stack([rows, cols], axis=-1))) * ellipse.semi_axes[1]
    return np.clip(np.rint(EDGE + 20 * inward), DARK[plane], 220).astype(np.uint8)


def bright_info(**changes) -> ModelInfo:
    said = {
        "ref": ModelRef("bright", "ab" * 32, "CC0-1.0"),
        "description": "takes what is bright for a head",
        "size": (192, 288),
        "mean": EDGE,
        "std": 128.0,
        "outputs": {"outline": {"kind": "mask", "plane": "head"}},
        "details": {},
    }
    return ModelInfo(**{**said, **changes})


def bright_engine() -> Engine:
    return Engine("bright 1.0 cpu", lambda batch: {"outline": 8 * batch})


@pytest.fixture
def bright(monkeypatch):
    """Put the model `bright` in the place of every model."""

    def load(model, *, device="auto", flip_average=False):
        return Predictor(bright_info(), bright_engine(), flip_average)

    monkeypatch.setattr(predict, "load", load)
    monkeypatch.setattr(predict, "describe", lambda model: load(model).info)


def _axis_spots(item: np.ndarray) -> np.ndarray:
    """A map (1, h, w) of logits with a spot at both ends of the bright ellipse's long axis."""
    bright = np.argwhere(item[0] > 0).astype(float)
    if len(bright) < 9:
        return np.full_like(item, -9.0)
    size, axes = np.linalg.eigh(np.cov(bright.T))
    half = 2 * np.sqrt(size[1]) * axes[:, 1]  # a uniform ellipse has a quarter of a squared
    rows, cols = np.mgrid[: item.shape[1], : item.shape[2]]
    at = [bright.mean(axis=0) + sign * half for sign in (-1, 1)]
    near = [np.exp(-((rows - r) ** 2 + (cols - c) ** 2) / 18) for r, c in at]
    return (12 * np.maximum(*near) - 9)[None].astype(np.float32)


def _plane_logits(item: np.ndarray) -> np.ndarray:
    grey = EDGE + 128 * item
    level = np.median(grey[(grey > 10) & (grey < 100)])
    plane = min(DARK, key=lambda name: abs(DARK[name] - level))
    return np.array([6.0 if name == plane else 0.0 for name in PLANE_CLASSES], np.float32)


def three_planes_engine() -> Engine:
    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "outline": 8 * batch,
            "planes": np.stack([_plane_logits(item) for item in batch]),
            "ends": np.stack([_axis_spots(item) for item in batch]),
            "across": np.stack([_axis_spots(item) for item in batch]),
        }

    return Engine("three planes 1.0 cpu", run)


def three_planes_info(**changes) -> ModelInfo:
    said = {
        "ref": ModelRef("three-planes", "cd" * 32, "CC0-1.0"),
        "description": "takes what is bright for what the dark says",
        "outputs": {
            "outline": {"kind": "mask", "planes": ["head", "abdomen", "femur"]},
            "planes": {"kind": "planes", "classes": list(PLANE_CLASSES)},
            "ends": {"kind": "ends", "planes": ["femur"], "along": "outline", "tells": "length"},
            "across": {"kind": "ends", "planes": ["abdomen"], "along": "outline"},
        },
        "intervals": {
            name: SizeInterval((), (0.02,))
            for name in ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL")
        },
    }
    return bright_info(**{**said, **changes})


@pytest.fixture
def three_planes(monkeypatch):
    """Put a model of three planes, with intervals, in the place of every model."""

    def load(model, *, device="auto", flip_average=False):
        return Predictor(three_planes_info(), three_planes_engine(), flip_average)

    monkeypatch.setattr(predict, "load", load)
    monkeypatch.setattr(predict, "describe", lambda model: load(model).info)


def save_exam(folder: Path, *, suffix: str = ".png") -> dict[str, Path]:
    """Save an image of each plane, and one of none, and return their paths."""
    shown = {"head": HEAD, "abdomen": ABDOMEN, "femur": SHAFT, "none": HEAD}
    return {
        plane: save(folder / f"{plane}{suffix}", painted(ellipse, plane=plane))
        for plane, ellipse in shown.items()
    }


def save(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = painted() if pixels is None else pixels
    path.write_bytes(cv2.imencode(path.suffix, shown)[1].tobytes())
    return path


def dataset(pixels: np.ndarray | None = None, mm=SPACING, **tags):
    """An ultrasound DICOM dataset of one study; its one region, the whole picture, is calibrated.

    A tag of None is left out.
    """
    shown = painted() if pixels is None else pixels
    made = dicom(HeadPhantom(shown, HEAD, mm, 0), study="one")
    for keyword, value in tags.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def cine(frames: list[np.ndarray], **tags):
    """A DICOM dataset of several frames."""
    made = dataset(frames[0], **tags)
    made.NumberOfFrames = len(frames)
    made.PixelData = b"".join(frame.tobytes() for frame in frames)
    return made


def save_dicom(path: Path, made=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (dataset() if made is None else made).save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def phantom_head():
    return phantom.head(phantom.HeadSpec())


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The file of the head model in the package."""
    path = predict.catalogue()["hc18-head"].path
    if not path.is_file():
        pytest.skip(f"{path.name} is not in this checkout")
    return path


@pytest.fixture
def shipped_copy(shipped, tmp_path) -> Path:
    return Path(shutil.copyfile(shipped, tmp_path / "copy.onnx"))


@pytest.fixture
def own_weights(shipped, tmp_path, monkeypatch) -> Path:
    """A copy of the folder of the shipped models, in the place of the package's own."""
    folder = Path(shutil.copytree(shipped.parent, tmp_path / "weights"))
    # the package has a function of the module's name
    monkeypatch.setattr(sys.modules["fetometry.predict.catalogue"], "WEIGHTS", folder)
    return folder


@pytest.fixture
def run():
    """Run the command line, and return its exit code and everything that it printed."""

    def invoke(*arguments):
        done = CliRunner().invoke(cli.app, [str(a) for a in arguments], catch_exceptions=False)
        return done.exit_code, done.output

    return invoke


def table(out: Path) -> list[dict[str, str]]:
    with (out / "measurements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def exam_of(out: Path) -> dict:
    return json.loads((out / "exam.json").read_text(encoding="utf-8"))


def files_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@contextlib.contextmanager
def nothing_new_in(folder: Path):
    before = files_in(folder)
    yield
    assert files_in(folder) == before
