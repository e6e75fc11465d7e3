"""A run becomes one ONNX file: weights, pre-processing, meaning of every output, origin."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from fetometry import __version__
from fetometry.errors import ModelError, OutputError
from fetometry.predict.catalogue import METADATA_KEY, SCHEMA
from fetometry.training.calibrate import calibration
from fetometry.training.cases import pool, read_cases
from fetometry.training.data import phantoms, phantoms3d
from fetometry.training.fit import BEST, heads_of, load, run_facts
from fetometry.training.heads import Head
from fetometry.training.recipe import Recipe

#: Exported and torch logits may differ by this share of their range; half precision costs 5e-4.
TOLERANCE = 5e-3

#: What a model says that has never seen a patient.
NOTICES: Mapping[str, str] = {
    phantoms.NAME: "phantom-trained: not for real images",
    phantoms3d.NAME: "phantom-trained: not for real volumes",
}

#: Matrices with fewer numbers than this stay in single precision, as all vectors do.
SMALL = 64


class _Named(nn.Module):
    """A network whose outputs are a tuple in a fixed order, as ONNX wants them."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(image)
        return tuple(outputs[name].float() for name in self.names)


def metadata(recipe: Recipe, heads: Mapping[str, Head], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file says of itself."""
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "licence": recipe.licence,
        "description": recipe.description,
        "input": _input(recipe),
        "notice": NOTICES.get(recipe.data.dataset, ""),
        "outputs": {name: dict(head.meaning()) for name, head in heads.items()},
        "recipe": json.loads(recipe.as_json()),
        "software": {
            "fetometry": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        **extra,
    }


def _input(recipe: Recipe) -> dict[str, Any]:
    """Return how an image or a volume becomes the network's input."""
    given = recipe.input
    said = {"size": list(given.shape), "mean": given.mean, "std": given.std}
    if not given.of_volumes:
        return {**said, "values": "grey 0 to 255, letterboxed, then (x - mean) / std"}
    return {
        **said,
        "voxel_mm": given.voxel_mm,
        "margin_mm": given.margin_mm,
        "roi": given.roi,
        "values": "grey 0 to 255, resampled to voxel_mm, then (x - mean) / std",
    }


def _halve(model: onnx.ModelProto) -> None:
    """Store large matrices in half precision; a Cast gives the graph single precision.

    Vectors (a batch norm's scale and shift, a bias) weigh little, and act on a whole channel: they
    stay as they are.
    """
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        is_large = len(tensor.dims) > 1 and np.prod(tensor.dims) >= SMALL
        if tensor.data_type != TensorProto.FLOAT or not is_large:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _without_traces(model: onnx.ModelProto) -> None:
    """Drop the exporter's notes on where each node came from: paths of one machine's files."""
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.metadata_props[:]


def _difference(path: Path, network: _Named, sample: Tensor) -> float:
    """Return the largest difference from torch, relative to the output's range."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: sample.numpy()})
    with torch.no_grad():
        expected = network(sample)
    shares = []
    for mine, theirs in zip(found, expected, strict=True):
        scale = float(theirs.abs().max()) or 1.0
        shares.append(float(np.abs(mine - theirs.numpy()).max()) / scale)
    return float(np.max(shares))  # not a number if one is not, unlike max()


def _saved(model: onnx.ModelProto, path: Path, network: _Named, sample: Tensor) -> float:
    """Write the model, and return its largest difference from torch.

    In half precision, or in single precision where half of it costs more than `TOLERANCE`.

    Raises:
        ModelError: it differs by more than `TOLERANCE` all the same.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    _halve(model)
    worst = float("nan")
    for candidate in (model, single):
        onnx.save(candidate, str(path))
        worst = _difference(path, network, sample)
        if worst <= TOLERANCE:
            return worst
    raise ModelError(
        f"{path}: its output differs from torch by {worst:.2g} of the range "
        f"(allowed: {TOLERANCE}); the export is refused"
    )


def export(
    run: Path, out: Path, *, checkpoint: str = BEST, calibrate: Sequence[Path] = ()
) -> float:
    """Write a run's best checkpoint as ONNX, and `OUT.sha256` beside it.

    `calibrate` are per-image results, of images that the judged models were not trained on: from
    them come the temperature of the plane's probability and the intervals.

    Returns the largest difference from torch, relative to the output's range.

    Raises:
        DataError: a file to calibrate with is not a per-image result.
        ModelError: the exported network does not agree with torch.
        OutputError: the file cannot be written there.
        RecipeError: the folder holds no run.
    """
    recipe, network = load(run, checkpoint)
    extra: dict[str, Any] = {"run": run_facts(run)}
    if calibrate:
        extra["calibration"] = calibration(pool([read_cases(path) for path in calibrate]))
    heads = heads_of(run, recipe)
    wrapped = _Named(network, list(heads)).eval()
    sample = torch.rand(2, 1, *recipe.input.shape, generator=torch.Generator().manual_seed(0))
    sample = (sample * 255 - recipe.input.mean) / recipe.input.std
    model = _graph(wrapped, sample, run)
    described = model.metadata_props.add()
    described.key = METADATA_KEY
    described.value = json.dumps(metadata(recipe, heads, extra), sort_keys=True)
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        difference = _saved(model, part, wrapped, sample)
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        part.replace(out)
        beside = out.with_name(out.name + ".sha256")
        beside.write_text(f"{digest}  {out.name}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        if part.is_file():
            part.unlink()
    return difference


def _graph(network: _Named, sample: Tensor, run: Path) -> onnx.ModelProto:
    """Return the network as ONNX, without traces of where it was made."""
    program = torch.onnx.export(
        network,
        (sample,),
        input_names=["image"],
        output_names=network.names,
        dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=256)}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise ModelError(f"{run}: torch could not export this network")
    model = program.model_proto
    _without_traces(model)
    return model
