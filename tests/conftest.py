"""Heads whose answer is known, and a model that cannot miss them."""

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
from fetometry.types import ModelRef

SHAPE = (270, 400)
HEAD = Ellipse((135.0, 210.0), (110.0, 86.0), 20.0)
SPACING = (0.3, 0.3)
#: What the model `bright` takes for the edge.
EDGE = 127.0


def painted(ellipse: Ellipse = HEAD, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Grey pixels, 220 inside and 20 outside, that cross 127 on the ellipse, softly."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    inward = (1 - ellipse.level(np.stack([rows, cols], axis=-1))) * ellipse.semi_axes[1]
    return np.clip(np.rint(EDGE + 20 * inward), 20, 220).astype(np.uint8)


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


def save(path: Path, pixels: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = painted() if pixels is None else pixels
    path.write_bytes(cv2.imencode(path.suffix, shown)[1].tobytes())
    return path


def dataset(pixels: np.ndarray | None = None, mm=SPACING):
    """An ultrasound DICOM dataset whose one region, in the whole picture, is calibrated."""
    shown = painted() if pixels is None else pixels
    return dicom(HeadPhantom(shown, HEAD, mm, 0))


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
