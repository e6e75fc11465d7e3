"""Is this installation sound? Models, hashes, engines, and a phantom within tolerance."""

from __future__ import annotations

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

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pydicom",
    "python-gdcm",
    "highdicom",
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, whether it is sound, and what was seen."""

    name: str
    sound: bool
    seen: str


def _versions() -> str:
    found = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES]
    return ", ".join([f"Python {sys.version.split()[0]}", *found])


def _engines() -> str:
    names = {"cuda": has_cuda(), "openvino": has_openvino(), "cpu": True}
    return f"{', '.join(n for n, there in names.items() if there)}; auto means {choose('auto')}"


def _model(name: str, device: str) -> str:
    ref = predict.load(name, device=device).info.ref
    return f"SHA-256 {ref.sha256[:16]}..., licence {ref.licence}"


def _phantom(name: str, device: str) -> str:
    made = phantom.head(phantom.HeadSpec())
    image = Image(made.pixels, "phantom", spacing=Spacing(made.spacing_mm, "phantom"))
    predictor = predict.load(name, device=device)
    began = time.perf_counter()
    prediction = predictor.decode(image, predictor.maps([image])[0])
    finding = measure_head(image, prediction, image.spacing)
    taken = time.perf_counter() - began
    hc = finding.measurements[0].value
    seen = f"HC {hc:.1f} mm, truth {made.hc_mm:.1f} mm, {1000 * taken:.0f} ms"
    if abs(hc / made.hc_mm - 1) > PHANTOM_TOLERANCE:
        raise MeasurementError(f"{seen}: off by more than {PHANTOM_TOLERANCE:.0%}")
    return seen


def examine(device: str = "auto") -> Iterator[Check]:
    """Look at the installation, one thing after another."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("versions", _versions),
        ("engines", _engines),
    ]
    for name in predict.catalogue():
        checks.append((f"model {name}", lambda n=name: _model(n, device)))  # type: ignore[misc]
        checks.append((f"phantom by {name}", lambda n=name: _phantom(n, device)))  # type: ignore[misc]
    for name, look in checks:
        try:
            yield Check(name, True, look())
        except FetometryError as error:
            yield Check(name, False, str(error))
        except importlib.metadata.PackageNotFoundError as error:
            yield Check(name, False, f"{error.name} is not installed; install fetometry again")
