"""Where a network runs: ONNX Runtime on a CPU or a GPU, or OpenVINO where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from fetometry.errors import ModelError, UsageError
from fetometry.predict.catalogue import METADATA_KEY

Maps = dict[str, NDArray[np.float32]]
Run = Callable[[NDArray[np.float32]], Maps]

_STATE = onnxruntime.capi.onnxruntime_pybind11_state

#: What the runtime raises over a file; its exceptions have no base of their own.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    _STATE.EngineError,
    _STATE.EPFail,
    _STATE.Fail,
    _STATE.InvalidArgument,
    _STATE.InvalidGraph,
    _STATE.InvalidProtobuf,
    _STATE.NoModel,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
    RuntimeError,
)

#: Left to itself OpenVINO rounds to bfloat16 where the processor can, and moves the outline.
_OPENVINO_HINTS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}

DEVICES = ("auto", "cpu", "cuda", "openvino")


@dataclass(frozen=True)
class Engine:
    """A loaded network: `run` maps (B, 1, H, W) to {output name: (B, channels, h, w)}."""

    name: str
    run: Run


@contextmanager
def _explained(what: str, *, line: int = 0) -> Iterator[None]:
    """Turn what a runtime raises into one line; `line` of its message is the one that tells."""
    try:
        yield
    except _RUNTIME_ERRORS as error:
        told = [text.strip() for text in str(error).splitlines() if text.strip()]
        reason = told[line] if told else type(error).__name__
        raise ModelError(f"{what} ({reason})") from None


def _session(path: Path, providers: list[str], *, optimise: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with _explained(f"{path}: is not a model that can be run"):
        # its own fallback prints to the terminal and runs somewhere else than asked for
        return onnxruntime.InferenceSession(
            str(path), options, providers=providers, enable_fallback=0
        )


def _onnxruntime(path: Path, provider: str) -> tuple[Engine, str | None]:
    session = _session(path, [provider], optimise=True)
    where = provider.removesuffix("ExecutionProvider").lower()
    if provider not in session.get_providers():
        raise ModelError(
            f"--device {where}: ONNX Runtime cannot use it on this machine; is its driver there?"
        )
    names = [output.name for output in session.get_outputs()]
    given = session.get_inputs()[0].name

    def run(batch: NDArray[np.float32]) -> Maps:
        with _explained(f"{path}: does not take input of {batch.shape}"):
            return dict(zip(names, session.run(names, {given: batch}), strict=True))

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
    with _explained(f"{path}: is not a model that OpenVINO can run", line=-1):
        compiled = openvino.Core().compile_model(str(path), "CPU", _OPENVINO_HINTS)

    def run(batch: NDArray[np.float32]) -> Maps:
        with _explained(f"{path}: does not take input of {batch.shape}", line=-1):
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
        UsageError: the device is unknown.
    """
    if device not in DEVICES:
        raise UsageError(f"--device {device}: unknown; allowed: {', '.join(DEVICES)}")
    if device != "auto":
        return device
    return "cuda" if has_cuda() else "openvino" if has_openvino() else "cpu"


def open_engine(path: Path, device: str) -> tuple[Engine, str | None]:
    """Load a network and return it with the metadata text of its file.

    Where `auto` finds an accelerator that turns out not to work, the CPU does.

    Raises:
        ModelError: the file is not a model, or the device is not to be had.
        UsageError: the device is unknown.
    """
    found = choose(device)
    if device == "auto" and found != "cpu":
        with suppress(ModelError):
            return _LOADERS[found](path)
        found = "cpu"
    return _LOADERS[found](path)
