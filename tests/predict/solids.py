"""A femur drawn in a volume, so that its answer is known, and tiny networks that read its grey."""

import json

import numpy as np
import pytest

from fetometry.predict.catalogue import METADATA_KEY
from fetometry.volume import Volume

VOXEL_MM, SIZE = 1.2, (24, 32, 40)

#: Grey of tissue and of bone; the middle of each end is brighter yet.
TISSUE, BONE, SPOT = 20.0, 120.0, 100.0
#: Where the two ends lie, from the middle of the first voxel, and how thick the bone is.
ENDS_MM = np.array([[11.3, 14.2, 12.9], [24.8, 33.6, 45.1]])
RADIUS_MM, SPOT_MM = 4.0, 1.8

SHAPE, SPACING = (40, 56, 64), (0.9, 0.8, 0.9)
SOLID = {"mask": {"kind": "solid", "planes": ["femur"], "values": "logits"}}
HEATMAPS = {"ends": {"kind": "solid-ends", "planes": ["femur"], "sigma_voxels": 2.0}}

#: Factor and summand of each channel, for grey less 70 over 50: above 0 from half way to bone on;
#: 0 in bone and 1 in the middle of both ends, in both heatmaps.
READ = {"mask": [(1.0, 0.0)], "ends": [(0.5, -0.5), (0.5, -0.5)]}
BLIND = {"mask": [(0.0, -1.0)], "ends": [(0.0, 0.0), (0.0, 0.0)]}


def femur(shape=SHAPE, spacing_mm=SPACING):
    """Return a volume with a bar of bone with round ends and soft walls, and its true mask."""
    first, second = ENDS_MM
    places = np.stack(np.indices(shape), axis=-1) * np.array(spacing_mm)
    along = second - first
    share = np.clip((places - first) @ along / (along @ along), 0, 1)[..., None]
    depth_mm = RADIUS_MM - np.linalg.norm(places - first - share * along, axis=-1)
    grey = TISSUE + (BONE - TISSUE) * np.clip(0.5 + depth_mm / 3, 0, 1)  # half way on the wall
    for end in ENDS_MM:
        squared = ((places - end) ** 2).sum(axis=-1)
        grey += SPOT * np.exp(-squared / 2 / SPOT_MM**2)
    voxels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return Volume(voxels, "femur.nii.gz", spacing_mm), depth_mm > 0


def tissue(shape=SHAPE, spacing_mm=SPACING):
    """Return a volume without a femur."""
    return Volume(np.full(shape, int(TISSUE), np.uint8), "tissue.nii.gz", spacing_mm)


def save(path, outputs, reads=READ, *, size=SIZE, **given):
    """Write a network whose outputs are multiples of its input, with something added."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, tensors, results = [], [], []
    for name in outputs:
        factors, added = np.array(reads[name], np.float32).T
        kernel = np.ascontiguousarray(factors).reshape(-1, 1, 1, 1, 1)
        tensors += [
            onnx.numpy_helper.from_array(kernel, f"{name} factors"),
            onnx.numpy_helper.from_array(np.ascontiguousarray(added), f"{name} added"),
        ]
        nodes.append(helper.make_node("Conv", ["image", *(t.name for t in tensors[-2:])], [name]))
        results.append(helper.make_tensor_value_info(name, kind, ["n", len(factors), *size]))
    image = helper.make_tensor_value_info("image", kind, ["n", 1, *size])
    graph = helper.make_graph(nodes, "multiples", [image], results, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(made, {METADATA_KEY: json.dumps(meta(outputs, size=size, **given))})
    onnx.save(made, path)
    return str(path)


def meta(outputs, *, size=SIZE, **given):
    """Return what a model of volumes says of itself."""
    return {
        "schema": "fetometry-model/1",
        "name": "femur3d-x",
        "licence": "CC0-1.0",
        "description": "takes what is bright for bone",
        "notice": "phantom-trained: not for real volumes",
        "input": {
            "size": list(size),
            "voxel_mm": VOXEL_MM,
            "margin_mm": 6.0,
            "roi": "",
            "mean": 70.0,
            "std": 50.0,
            **given,
        },
        "outputs": outputs,
    }
