"""Where a network runs: ONNX Runtime on a CPU or a GPU, or OpenVINO where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fetometry.errors import ModelError
from fetometry.predict.catalogue import METADATA_KEY

Maps = dict[str, NDArray[np.float32]]
Run = Callable[[NDArray[np.float32]], Maps]

_STATE = onnxruntime.capi.onnxruntime_pybind11_state

#: What the runtime raises over a file; its exceptions have no base of their own.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    _STATE.Fail,
    _STATE.InvalidArgument,
    _STATE.InvalidGraph,
    _STATE.InvalidProtobuf,
    _STATE.NoModel,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
    RuntimeError,
)

DEVICES = ("auto", "cpu", "cuda", "openvino")


@dataclass(frozen=True)
class Engine:
    """A loaded network: `run` maps (B, 1, H, W) to {output name: (B, channels, h, w)}."""

    name: str
    run: Run


def _session(path: Path, providers: list[str], *, optimise: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except _RUNTIME_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: is not a model that can be run ({reason})") from None


def _onnxruntime(path: Path, provider: str) -> tuple[Engine, str | None]:
    session = _session(path, [provider], optimise=True)
    names = [output.name for output in session.get_outputs()]
    given = session.get_inputs()[0].name

    def run(batch: NDArray[np.float32]) -> Maps:
        return dict(zip(names, session.run(names, {given: batch}), strict=True))

    where = provider.removesuffix("ExecutionProvider").lower()
    metadata = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return Engine(f"onnxruntime {onnxruntime.__version__} {where}", run), metadata


def _cpu(path: Path) -> tuple[Engine, str | None]:
    return _onnxruntime(path, "CPUExecutionProvider")


def _cuda(path: Path) -> tuple[Engine, str | None]:
    if not has_cuda():
        raise ModelError("--device cuda: this ONNX Runtime has no CUDA; install onnxruntime-gpu")
    return _onnxruntime(path, "CUDAExecutionProvider")


def _openvino(path: Path) -> tuple[Engine, str | None]:
    if not has_openvino():
        raise ModelError("--device openvino: it is not installed; pip install openvino")
    import openvino

    # OpenVINO drops the file's metadata: a session that is never run reads it
    described = _session(path, ["CPUExecutionProvider"], optimise=False)
    metadata = described.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    names = [output.name for output in described.get_outputs()]
    compiled = openvino.Core().compile_model(str(path), "CPU", {"PERFORMANCE_HINT": "LATENCY"})

    def run(batch: NDArray[np.float32]) -> Maps:
        result = compiled(batch)
        return {name: np.array(result[name]) for name in names}

    return Engine(f"openvino {openvino.__version__.split('-')[0]} cpu", run), metadata


def has_openvino() -> bool:
    """Tell whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def has_cuda() -> bool:
    """Tell whether ONNX Runtime was built with CUDA."""
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


_LOADERS: Mapping[str, Callable[[Path], tuple[Engine, str | None]]] = {
    "cpu": _cpu,
    "cuda": _cuda,
    "openvino": _openvino,
}


def choose(device: str) -> str:
    """Resolve `auto`: CUDA if the runtime has it, else OpenVINO if installed, else the CPU.

    Raises:
        ModelError: the device is unknown.
    """
    if device not in DEVICES:
        raise ModelError(f"--device {device}: unknown; allowed: {', '.join(DEVICES)}")
    if device != "auto":
        return device
    return "cuda" if has_cuda() else "openvino" if has_openvino() else "cpu"


def open_engine(path: Path, device: str) -> tuple[Engine, str | None]:
    """Load a network and return it with the metadata text of its file.

    Raises:
        ModelError: the file is not a model, or the device is not to be had.
    """
    return _LOADERS[choose(device)](path)
