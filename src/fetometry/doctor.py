"""Is this installation sound? Models, hashes, engines, and a phantom within tolerance."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fetometry import phantom, predict
from fetometry.errors import FetometryError, MeasurementError
from fetometry.measure import measure_head
from fetometry.predict.engine import choose, has_cuda, has_openvino
from fetometry.types import Image, Spacing

#: The demo phantom is measured to within this share of its true HC on a sound installation.
PHANTOM_TOLERANCE = 0.03

#: By the name that is imported: several distributions bring OpenCV, or ONNX Runtime.
LIBRARIES = ("numpy", "cv2", "onnxruntime", "pydicom", "gdcm", "highdicom")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, whether it is sound, and what was seen."""

    name: str
    sound: bool
    seen: str


def _versions() -> str:
    brought_by = importlib.metadata.packages_distributions()
    found = [f"Python {sys.version.split()[0]}"]
    for library in LIBRARIES:
        if library not in brought_by:
            raise importlib.metadata.PackageNotFoundError(library)
        names = sorted(set(brought_by[library]))
        found += [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join(found)


def _engines() -> str:
    names = {"cuda": has_cuda(), "openvino": has_openvino(), "cpu": True}
    return f"{', '.join(n for n, there in names.items() if there)}; auto means {choose('auto')}"


def _model(name: str, device: str) -> str:
    predictor = predict.load(name, device=device)
    ref = predictor.info.ref
    return f"SHA-256 {ref.sha256[:16]}..., licence {ref.licence}, on {predictor.engine.name}"


def _phantom(name: str, device: str) -> str:
    made = phantom.head(phantom.HeadSpec())
    image = Image(made.pixels, "phantom", spacing=Spacing(made.spacing_mm, "phantom"))
    predictor = predict.load(name, device=device)
    began = time.perf_counter()
    prediction = predictor.predict(image)
    finding = measure_head(image, prediction, image.spacing)
    taken = time.perf_counter() - began
    hc = finding.measurements[0].value
    seen = f"HC {hc:.1f} mm, truth {made.hc_mm:.1f} mm, {1000 * taken:.0f} ms"
    if abs(hc / made.hc_mm - 1) > PHANTOM_TOLERANCE:
        raise MeasurementError(f"{seen}: off by more than {PHANTOM_TOLERANCE:.0%}")
    return seen


def examine(device: str = "auto") -> Iterator[Check]:
    """Look at the installation, one thing after another.

    Raises:
        UsageError: the device is unknown.
    """
    choose(device)
    yield _looked("versions", _versions)
    yield _looked("engines", _engines)
    models = _looked("models", lambda: ", ".join(predict.catalogue()))
    yield models
    for name in predict.catalogue() if models.sound else ():
        yield _looked(f"model {name}", functools.partial(_model, name, device))
        yield _looked(f"phantom by {name}", functools.partial(_phantom, name, device))


def _looked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except FetometryError as error:
        return Check(name, False, str(error))
    except importlib.metadata.PackageNotFoundError as error:
        return Check(name, False, f"{error.name} is not installed; install fetometry again")
