"""Is this installation sound? Models, hashes, engines, and a phantom within tolerance."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fetometry import phantom, predict
from fetometry.errors import FetometryError, MeasurementError
from fetometry.measure import measure, measure_volume
from fetometry.phantom.truth import Phantom
from fetometry.predict.engine import choose, has_cuda, has_openvino
from fetometry.types import Image, Spacing

#: The demo's phantoms are measured to within this share of the truth on a sound installation: a
#: little more than the shipped models give, less than two sonographers differ (4.9, 8.8 and
#: 11.1 %; Sarris I et al. Ultrasound Obstet Gynecol 2012;39:266-273).
PHANTOM_TOLERANCE = {"head": 0.03, "abdomen": 0.06, "femur": 0.05}

#: The same for the femur in a volume, which no sonographer measures so.
VOLUME_TOLERANCE = 0.06

PHANTOMS: Mapping[str, Callable[[], Phantom]] = {
    "head": lambda: phantom.head(phantom.HeadSpec()),
    "abdomen": lambda: phantom.abdomen(phantom.AbdomenSpec()),
    "femur": lambda: phantom.femur(phantom.FemurSpec()),
}

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


def _model(predictor: predict.Predictor) -> str:
    ref, names = predictor.info.ref, ", ".join(predictor.planes)
    return (
        f"{names}; SHA-256 {ref.sha256[:16]}..., licence {ref.licence}, on {predictor.engine.name}"
    )


def _volume_model(predictor: predict.VolumePredictor) -> str:
    info = predictor.info
    notice = f"; {info.notice}" if info.notice else ""
    return (
        f"volumes; SHA-256 {info.ref.sha256[:16]}..., licence {info.ref.licence}, on "
        f"{predictor.engine.name}{notice}"
    )


def _phantom(predictor: predict.Predictor, plane: str) -> str:
    made = PHANTOMS[plane]()
    image = Image(made.pixels, "phantom", spacing=Spacing(made.spacing_mm, "phantom"))
    began = time.perf_counter()
    finding = measure(image, predictor.predict(image, plane), image.spacing)
    taken = time.perf_counter() - began
    main = finding.measurements[0]
    true_mm = float(str(made.facts[f"{main.name.lower()}_mm"]))
    seen = f"{main.name} {main.value:.1f} mm, truth {true_mm:.1f} mm, {1000 * taken:.0f} ms"
    return _within(seen, main.value / true_mm, PHANTOM_TOLERANCE[plane])


def _volume_phantom(predictor: predict.VolumePredictor) -> str:
    shape, voxel_mm = phantom.SIZES["small"]
    made = phantom.femur3d(phantom.FemurVolumeSpec(shape=shape, voxel_mm=voxel_mm))
    began = time.perf_counter()
    finding = measure_volume(made.volume, predictor.predict(made.volume), predictor.info.notice)
    taken = time.perf_counter() - began
    if finding.length_mm is None:
        raise MeasurementError("the two ends were not found")
    seen = f"FL {finding.length_mm:.1f} mm, truth {made.length_mm:.1f} mm, {1000 * taken:.0f} ms"
    return _within(seen, finding.length_mm / made.length_mm, VOLUME_TOLERANCE)


def _within(seen: str, ratio: float, allowed: float) -> str:
    if abs(ratio - 1) > allowed:
        raise MeasurementError(f"{seen}: off by more than {allowed:.0%}")
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
        yield from _examine_model(name, device)


def _examine_model(name: str, device: str) -> Iterator[Check]:
    """Load a model once, and let it measure the phantom of all that it knows."""
    loaded: list[predict.Predictor | predict.VolumePredictor] = []

    def load() -> str:
        if predict.describe(name).of_volumes:
            of_volumes = predict.load_volumes(name, device=device)
            loaded.append(of_volumes)
            return _volume_model(of_volumes)
        of_pictures = predict.load(name, device=device)
        loaded.append(of_pictures)
        return _model(of_pictures)

    yield _looked(f"model {name}", load)
    for predictor in loaded:
        if isinstance(predictor, predict.VolumePredictor):
            if predictor.info.output_of("solid-ends"):
                look = functools.partial(_volume_phantom, predictor)
                yield _looked(f"volume phantom by {name}", look)
            continue
        for plane in predictor.planes:
            look = functools.partial(_phantom, predictor, plane)
            yield _looked(f"phantom {plane} by {name}", look)


def _looked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except FetometryError as error:
        return Check(name, False, str(error))
    except importlib.metadata.PackageNotFoundError as error:
        return Check(name, False, f"{error.name} is not installed; install fetometry again")
