"""Every engine gives the same numbers, says who it is, and fails in one line."""

import numpy as np
import onnxruntime
import pytest

from fetometry.errors import ModelError, UsageError
from fetometry.predict import engine
from fetometry.predict.catalogue import METADATA_KEY
from fetometry.predict.engine import choose, open_engine

BATCH = np.random.default_rng(0).normal(size=(2, 1, 6, 8)).astype(np.float32)


@pytest.fixture
def network(tmp_path):
    """A file whose one output is 3 times the input plus 1, of any batch of 6 x 8."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["image", "three"], ["product"]),
            helper.make_node("Add", ["product", "one"], ["outline"]),
        ],
        "affine",
        [helper.make_tensor_value_info("image", kind, ["batch", 1, 6, 8])],
        [helper.make_tensor_value_info("outline", kind, ["batch", 1, 6, 8])],
        [helper.make_tensor("three", kind, [], [3.0]), helper.make_tensor("one", kind, [], [1.0])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(made, {METADATA_KEY: "what it says", "other": "x"})
    onnx.save(made, tmp_path / "affine.onnx")
    return tmp_path / "affine.onnx"


def test_onnx_runtime_runs_the_network_and_reads_its_metadata(network):
    opened, text = open_engine(network, "cpu")
    assert text == "what it says"
    assert opened.name == f"onnxruntime {onnxruntime.__version__} cpu"
    maps = opened.run(BATCH)
    assert maps.keys() == {"outline"}
    assert np.allclose(maps["outline"], 3 * BATCH + 1, atol=1e-6)


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_input_of_another_size_is_one_line(device, network):
    if device == "openvino":
        pytest.importorskip("openvino")
    opened, _ = open_engine(network, device)
    with pytest.raises(
        ModelError, match=r"affine\.onnx: does not take input of \(2, 1, 5, 8\)"
    ) as e:
        opened.run(BATCH[:, :, :5])
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x09\x12\x00" * 99])
@pytest.mark.parametrize("device", ["auto", "cpu", "openvino"])
def test_a_file_that_is_no_network_is_one_line(device, content, tmp_path):
    if device == "openvino":
        pytest.importorskip("openvino")
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.onnx: is not a model that") as e:
        open_engine(path, device)
    assert "\n" not in str(e.value)


def test_a_network_without_metadata_is_opened_with_none(network):
    onnx = pytest.importorskip("onnx")
    made = onnx.load(network)
    del made.metadata_props[:]
    onnx.save(made, network)
    assert open_engine(network, "cpu")[1] is None


def test_openvino_gives_the_same_numbers_for_every_size_of_batch(network):
    pytest.importorskip("openvino")
    opened, text = open_engine(network, "openvino")
    assert text == "what it says"
    assert opened.name.startswith("openvino 20")
    assert opened.name.endswith(" cpu")
    first = opened.run(BATCH)
    again = opened.run(BATCH[:1] + 1)
    assert np.allclose(first["outline"], 3 * BATCH + 1, atol=1e-6)  # not overwritten by the next
    assert np.allclose(again["outline"], 3 * BATCH[:1] + 4, atol=1e-6)


@pytest.mark.slow
def test_openvino_agrees_with_onnx_runtime_on_the_shipped_model(shipped, phantom_head):
    pytest.importorskip("openvino")
    from fetometry.predict import load
    from fetometry.types import Image

    image = Image(phantom_head.pixels, "phantom")
    maps = {}
    for device in ("cpu", "openvino"):
        predictor = load("hc18-head", device=device)
        assert predictor.info.ref.name == "hc18-head"
        (maps[device],) = predictor.maps([image])
    assert maps["cpu"].keys() == maps["openvino"].keys()
    for name, logits in maps["cpu"].items():
        # bfloat16 alone would be off by several hundredths
        assert np.abs(maps["openvino"][name] - logits).max() < 1e-2


@pytest.mark.parametrize("device", ["tpu", "", "CPU", "cuda:0"])
def test_an_unknown_device_is_a_usage_error_with_the_known_ones(device):
    with pytest.raises(UsageError, match="allowed: auto, cpu, cuda, openvino"):
        choose(device)


@pytest.mark.parametrize(
    ("cuda", "openvino", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "openvino"), (False, False, "cpu")],
)
def test_auto_takes_cuda_then_openvino_then_the_cpu(cuda, openvino, chosen, monkeypatch):
    monkeypatch.setattr(engine, "has_cuda", lambda: cuda)
    monkeypatch.setattr(engine, "has_openvino", lambda: openvino)
    assert choose("auto") == chosen
    assert choose("cpu") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "openvino"])
def test_a_device_that_is_not_installed_is_refused_with_what_to_install(
    device, tmp_path, monkeypatch
):
    monkeypatch.setattr(engine, f"has_{device}", lambda: False)
    with pytest.raises(ModelError, match=f"--device {device}: .*install"):
        open_engine(tmp_path / "x.onnx", device)


without_cuda = pytest.mark.skipif(engine.has_cuda(), reason="this ONNX Runtime has CUDA")


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_cuda_that_does_not_work_is_refused_and_not_recorded_as_cuda(network, monkeypatch):
    # ONNX Runtime itself goes on quietly with the processor where it cannot use the GPU
    monkeypatch.setattr(engine, "has_cuda", lambda: True)
    with pytest.raises(ModelError, match="--device cuda: ONNX Runtime cannot use it"):
        open_engine(network, "cuda")


@without_cuda
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_goes_back_to_the_processor_where_cuda_does_not_work(network, monkeypatch):
    monkeypatch.setattr(engine, "has_cuda", lambda: True)
    opened, text = open_engine(network, "auto")
    assert opened.name.endswith(" cpu")
    assert text == "what it says"
