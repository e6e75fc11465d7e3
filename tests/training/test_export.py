# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from onnx import TensorProto

from fetometry import predict
from fetometry.errors import DataError, ModelError, OutputError, RecipeError
from fetometry.geometry import Ellipse
from fetometry.image import read
from fetometry.measure import measure_head
from fetometry.predict.catalogue import METADATA_KEY, SCHEMA, locate
from fetometry.training import export, fit
from fetometry.training.cases import write_cases
from fetometry.types import Spacing
from tests.training import judged, toy

pytestmark = [
    pytest.mark.train,
    # torch 2.11's own export warns of its own tree
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

RIGHT = {"name": "tests.training.toy_nets:threshold"}
LITE0 = {
    "name": "unet",
    "encoder": "tu-tf_efficientnet_lite0",
    "decoder_channels": [16, 16, 8, 8, 8],
    "output_stride": 2,
}


def make_run(folder, network, **changes):
    """A run's folder as the training leaves it, but with the weights a network is born with."""
    recipe = toy.recipe(network=network, **changes)
    folder.mkdir()
    system = fit.System(recipe, {})
    with torch.no_grad():
        for name, buffer in system.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    torch.save({"state_dict": system.state_dict()}, folder / fit.BEST)
    (folder / fit.RECIPE_FILE).write_text(recipe.as_json(), encoding="utf-8")
    (folder / fit.FACTS_FILE).write_text('{"data": {"dataset": "toy"}}', encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def no_shipped_models(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    listed = {"another": {"file": "another.onnx", "sha256": "0" * 64}}
    (folder / "catalogue.json").write_text(json.dumps(listed), encoding="utf-8")
    # the package's `catalogue` is a function of the module of that name
    monkeypatch.setattr(sys.modules[locate.__module__], "WEIGHTS", folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("right") / "run", RIGHT)


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "models" / "toy.onnx"
    return path, export.export(run, path)


def copied(model, folder):
    path = folder / "copy.onnx"
    path.write_bytes(model[0].read_bytes())
    return path


def inputs(count, seed=1):
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (count, 1, *toy.SHAPE)).astype(np.float32)


@pytest.mark.slow
def test_a_unet_in_onnx_agrees_with_torch_on_one_image_and_on_three(tmp_path):
    run = make_run(tmp_path / "run", LITE0, heads=toy.EXAM_HEADS)
    difference = export.export(run, tmp_path / "unet.onnx")
    assert difference <= export.TOLERANCE
    _, network = fit.load(run)
    engine = predict.load(str(tmp_path / "unet.onnx"), device="cpu").engine
    for count in (1, 3):
        batch = inputs(count)
        with torch.no_grad():
            expected = network(torch.from_numpy(batch))
        found = engine.run(batch)
        assert found.keys() == expected.keys() == toy.EXAM_HEADS.keys()
        assert found["plane"].shape == (count, 5)
        assert found["shaft"].shape == (count, 1, 32, 48)
        for name, output in expected.items():
            most = export.TOLERANCE * float(output.abs().max())
            assert np.abs(found[name] - output.numpy()).max() <= most


def test_the_file_tells_no_paths_of_the_machine_that_made_it(model):
    content = model[0].read_bytes()
    assert b"site-packages" not in content
    assert b"stack_trace" not in content
    assert str(Path(export.__file__).parent).encode() not in content


@pytest.mark.parametrize("count", [1, 3])
def test_the_batch_may_have_any_size(model, run, count):
    _, network = fit.load(run)
    batch = inputs(count)
    found = predict.load(str(model[0]), device="cpu").engine.run(batch)["outline"]
    with torch.no_grad():
        expected = network(torch.from_numpy(batch))["outline"].numpy()
    assert found.shape == (count, 1, *toy.SHAPE)
    assert found == pytest.approx(expected, abs=1e-2)


def test_the_export_returns_its_difference_from_torch(model):
    assert 0 <= model[1] < 2e-3


def test_the_file_says_all_about_itself(model):
    stored = {p.key: p.value for p in onnx.load(model[0]).metadata_props}
    meta = json.loads(stored[METADATA_KEY])
    assert meta["schema"] == SCHEMA
    assert (meta["name"], meta["licence"], meta["description"]) == ("toy-head", "CC0-1.0", "a toy")
    assert meta["input"]["size"] == list(toy.SHAPE)
    assert (meta["input"]["mean"], meta["input"]["std"]) == (127.0, 128.0)
    assert meta["outputs"] == {"outline": {"kind": "mask", "planes": ["head"], "values": "logits"}}
    assert meta["recipe"] == json.loads(toy.recipe(network=RIGHT).as_json())
    assert meta["run"] == {"data": {"dataset": "toy"}}
    assert {"fetometry", "torch", "python"} <= set(meta["software"])


def test_the_predictor_reads_what_the_export_wrote(model):
    info = predict.load(str(model[0]), device="cpu").info
    assert (info.ref.name, info.ref.licence) == ("toy-head", "CC0-1.0")
    assert (info.size, info.mean, info.std) == (toy.SHAPE, 127.0, 128.0)
    assert info.ref.sha256 == hashlib.sha256(model[0].read_bytes()).hexdigest()


def test_large_matrices_are_stored_in_half_precision(model):
    tensors = onnx.load(model[0]).graph.initializer
    large = [t for t in tensors if len(t.dims) > 1 and np.prod(t.dims) >= export.SMALL]
    assert large
    assert {t.data_type for t in large} == {TensorProto.FLOAT16}


def test_small_initialisers_stay_in_single_precision(model):
    tensors = onnx.load(model[0]).graph.initializer
    small = [t for t in tensors if np.prod(t.dims) < export.SMALL]
    assert TensorProto.FLOAT in {t.data_type for t in small}
    assert TensorProto.FLOAT16 not in {t.data_type for t in small}


def test_the_hash_stands_beside_the_file_as_sha256sum_writes_it(model):
    digest = hashlib.sha256(model[0].read_bytes()).hexdigest()
    beside = model[0].with_name("toy.onnx.sha256")
    assert beside.read_text(encoding="utf-8") == f"{digest}  toy.onnx\n"


def test_nothing_else_is_left_in_the_folder(model):
    assert {p.name for p in model[0].parent.iterdir()} == {"toy.onnx", "toy.onnx.sha256"}


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_an_exported_model_measures_a_head_of_known_size(model, device, tmp_path):
    if device == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    head = Ellipse((92.4, 151.7), (74.0, 56.0), 20.0)
    path = tmp_path / "head.png"
    assert cv2.imwrite(str(path), toy.disc(head, (192, 288)))
    (image,) = read(path)
    predictor = predict.load(str(model[0]), device=device)
    prediction = predictor.decode(image, predictor.maps([image])[0])
    finding = measure_head(image, prediction, Spacing((0.5, 0.5), "test"))
    values = {m.name: m.value for m in finding.measurements}
    truth = head.scaled(0.5, 0.5)
    assert values["HC"] == pytest.approx(truth.circumference, abs=1.0)
    assert values["BPD"] == pytest.approx(2 * truth.semi_axes[1], abs=0.5)
    assert values["OFD"] == pytest.approx(2 * truth.semi_axes[0], abs=0.5)


@pytest.fixture
def results(tmp_path):
    """Write per-image results of 40 exams whose HC is 2 % too large, and return the file."""

    def written(**changes):
        cases = judged.sized("HC", [(100.0 + i, 1.02 * (100.0 + i)) for i in range(40)], **changes)
        write_cases(cases, tmp_path / "cases.csv")
        return tmp_path / "cases.csv"

    return written


def test_results_of_images_kept_aside_give_the_file_its_intervals(run, results, tmp_path):
    out = tmp_path / "calibrated.onnx"
    export.export(run, out, calibrate=[results()])
    info = predict.load(str(out), device="cpu").info
    assert set(info.intervals) == {"HC"}
    widths = info.intervals["HC"].half_widths
    assert widths == pytest.approx([0.02] * len(widths), abs=1e-4)
    assert info.details["calibration"]["from"]["HC"]["images"] == 40


def test_without_results_the_file_has_no_intervals(model):
    info = predict.load(str(model[0]), device="cpu").info
    assert "calibration" not in info.details
    assert info.intervals == {}


@pytest.mark.parametrize("side", ["train", "test"])
def test_results_of_images_of_another_side_are_refused_and_nothing_is_written(
    side, run, results, tmp_path
):
    out = tmp_path / "models" / "toy.onnx"
    with pytest.raises(DataError, match="validation images alone"):
        export.export(run, out, calibrate=[results(split=side)])
    assert not out.parent.exists()


def test_a_file_that_is_no_result_is_refused(run, tmp_path):
    (tmp_path / "cases.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="not a per-image result"):
        export.export(run, tmp_path / "toy.onnx", calibrate=[tmp_path / "cases.csv"])


def damaged(planted):
    """Change the weights of the file that is about to be checked."""
    whole = export._graph

    def graph(*given):
        model = whole(*given)
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= 16:
                values = onnx.numpy_helper.to_array(tensor) * np.float32(planted)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return model

    return graph


@pytest.mark.parametrize("planted", [1.05, float("nan")])
def test_a_network_that_disagrees_with_torch_is_refused(planted, run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_graph", damaged(planted))
    out = tmp_path / "bad.onnx"
    with pytest.raises(ModelError, match=r"its output differs from torch .* export is refused"):
        export.export(run, out)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_half_precision_would_spoil_stay_in_single_precision(
    run, tmp_path, monkeypatch
):
    halve = export._halve

    def spoiling(model):
        halve(model)
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT16:
                values = onnx.numpy_helper.to_array(tensor) * np.float16(1.1)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    monkeypatch.setattr(export, "_halve", spoiling)
    out = tmp_path / "single.onnx"
    assert export.export(run, out) <= 1e-4
    kinds = {tensor.data_type for tensor in onnx.load(out).graph.initializer}
    assert TensorProto.FLOAT16 not in kinds


def test_a_refused_export_leaves_the_model_that_was_there(run, tmp_path, monkeypatch):
    out = tmp_path / "toy.onnx"
    out.write_bytes(b"the one before")
    monkeypatch.setattr(export, "_graph", damaged(1.05))
    with pytest.raises(ModelError):
        export.export(run, out)
    assert out.read_bytes() == b"the one before"


def test_a_model_where_there_is_a_file_is_an_output_error(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        export.export(run, tmp_path / "file" / "toy.onnx")


def test_a_run_that_has_not_finished_an_epoch_cannot_be_exported(run, tmp_path):
    (tmp_path / fit.RECIPE_FILE).write_bytes((run / fit.RECIPE_FILE).read_bytes())
    with pytest.raises(RecipeError, match=r"holds no best.ckpt; has the training run\?"):
        export.export(tmp_path, tmp_path / "out.onnx")


def test_a_damaged_checkpoint_is_refused(run, tmp_path):
    (tmp_path / fit.RECIPE_FILE).write_bytes((run / fit.RECIPE_FILE).read_bytes())
    (tmp_path / fit.BEST).write_bytes((run / fit.BEST).read_bytes()[:500])
    with pytest.raises(RecipeError, match=r"best.ckpt: not a checkpoint of this network"):
        export.export(tmp_path, tmp_path / "out.onnx")


def test_a_run_without_facts_is_exported_without_them(tmp_path):
    assert export.run_facts(tmp_path) == {}


@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_a_file_that_is_no_model_is_refused(device, tmp_path):
    if device == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"this is no model" * 50)
    with pytest.raises(ModelError, match=r"noise\.onnx: is not a model that can be run"):
        predict.load(str(path), device=device)


def test_a_truncated_model_is_refused(model, tmp_path):
    path = tmp_path / "half.onnx"
    path.write_bytes(model[0].read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"half\.onnx"):
        predict.load(str(path), device="cpu")


def test_a_model_that_is_not_the_one_of_its_hash_is_refused(model, tmp_path):
    path = copied(model, tmp_path)
    path.with_name("copy.onnx.sha256").write_text("0" * 64 + "  copy.onnx\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"not the file it should be .*expected 000000000000"):
        predict.load(str(path), device="cpu")


def test_one_changed_byte_is_noticed_by_the_hash(model, tmp_path):
    path = copied(model, tmp_path)
    beside = model[0].with_name("toy.onnx.sha256").read_bytes()
    path.with_name("copy.onnx.sha256").write_bytes(beside)
    predict.load(str(path), device="cpu")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not the file it should be"):
        predict.load(str(path), device="cpu")


def test_a_model_without_metadata_is_refused(model, tmp_path):
    stripped = onnx.load(model[0])
    del stripped.metadata_props[:]
    path = tmp_path / "stripped.onnx"
    onnx.save(stripped, path)
    with pytest.raises(ModelError, match=r"carries no fetometry metadata.*`fetometry export`"):
        predict.load(str(path), device="cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "metadata is damaged"),
        ("{}", "metadata is damaged"),
        ('{"schema": "fetometry-model/9"}', "metadata schema 'fetometry-model/9'"),
    ],
)
def test_metadata_that_cannot_be_read_is_refused(model, text, message, tmp_path):
    changed = onnx.load(model[0])
    (entry,) = (p for p in changed.metadata_props if p.key == METADATA_KEY)
    entry.value = text
    path = tmp_path / "changed.onnx"
    onnx.save(changed, path)
    with pytest.raises(ModelError, match=message):
        predict.load(str(path), device="cpu")
