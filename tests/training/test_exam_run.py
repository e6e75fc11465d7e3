# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""A recipe of three planes from pictures to measurements: train, export, predict, measure."""

import csv
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry import predict
from fetometry.errors import PlaneError
from fetometry.image import read
from fetometry.measure import measure
from fetometry.training import fit
from fetometry.training.export import export
from fetometry.types import PLANES, Spacing
from tests.training import toy

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

SHARES = {"toy/head": 0.2, "toy/abdomen": 0.2, "toy/femur": 0.4, "toy/none": 0.2}
LEARNT = {"epochs": 2, "batch_size": 4, "learning_rate": 0.02}
#: So small a step that what is right from the start stays so.
KEPT = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-6, "weight_decay": 0.0}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make_exams(tmp_path_factory.mktemp("exams"), train=8, validation=3, test=3)


@pytest.fixture(scope="module")
def model(rows, tmp_path_factory):
    """A network that is right from the start, trained for an epoch and exported."""
    folder = tmp_path_factory.mktemp("run")
    recipe = toy.recipe(
        network={"name": "tests.training.toy_nets:sighted"},
        heads=toy.EXAM_HEADS,
        data={"draws": 20, "shares": SHARES},
        fit=KEPT,
    )
    fit.start(recipe, rows, folder / "run", quiet=True)
    export(folder / "run", folder / "exam.onnx")
    return folder / "exam.onnx"


@pytest.fixture(scope="module")
def predictor(model):
    return predict.load(str(model), device="cpu")


def last_logged(run):
    (file,) = (run / "logs" / "csv").glob("version_*/metrics.csv")
    lines = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    return {name: [float(x[name]) for x in lines if x[name]] for name in lines[0]}


def test_every_head_of_an_exam_learns_from_its_own_images(rows, tmp_path):
    recipe = toy.recipe(heads=toy.EXAM_HEADS, data={"draws": 40, "shares": SHARES}, fit=LEARNT)
    fit.start(recipe, rows, tmp_path / "run", quiet=True)
    logged = last_logged(tmp_path / "run")
    for name in toy.EXAM_HEADS:
        first, last = logged[f"loss_{name}"]
        assert last < first
    for name in ("HC", "AC", "FL"):
        assert len(logged[f"val_{name}_mm"]) == 2
    assert all(0 <= share <= 1 for share in logged["val_plane_accuracy"])


def test_a_network_that_is_right_is_judged_so_in_every_plane(model):
    logged = last_logged(model.parent / "run")
    assert logged["val_plane_accuracy"] == [1.0]
    assert logged["val_error"][0] < 1
    for name in ("HC", "AC", "FL"):
        assert logged[f"val_{name}_mm"][0] < 1


def test_the_run_says_of_how_many_images_it_was_made(model):
    facts = json.loads((model.parent / "run" / "facts.json").read_text(encoding="utf-8"))
    assert facts["data"]["train"] == {"images": 32, "groups": 8}


def test_the_exported_model_measures_all_planes(predictor):
    assert predictor.planes == PLANES
    assert {name for name, m in predictor.info.outputs.items() if m["kind"] == "ends"} == {
        "ends",
        "across",
    }


def test_unseen_images_are_recognised_and_measured(rows, predictor):
    for row in [row for row in rows if row.split == "test" and row.plane != "none"]:
        (image,) = read(row.image)
        prediction = predictor.predict(image)
        assert prediction.plane == row.plane
        assert prediction.plane_probability > 0.9
        assert prediction.candidates == 1
        found = measure(image, prediction, Spacing(toy.SPACING_MM, "toy"))
        values = {m.name: m.value for m in found.measurements}
        assert values == pytest.approx(row.truth_mm, abs=1.5)


def test_the_ends_of_the_transverse_diameter_tell_which_way_is_across(rows, predictor):
    for row in [row for row in rows if row.split == "test" and row.plane == "abdomen"]:
        (image,) = read(row.image)
        (one, other), truth = predictor.predict(image).ends_px, np.array(row.ends)
        across, wanted = other - one, truth[1] - truth[0]
        cosine = across @ wanted / np.linalg.norm(across) / np.linalg.norm(wanted)
        assert abs(cosine) > np.cos(np.radians(3))


def test_an_image_of_no_plane_is_reported_as_such(rows, predictor):
    for row in [row for row in rows if row.split == "test" and row.plane == "none"]:
        (image,) = read(row.image)
        with pytest.raises(PlaneError, match="shows none of the planes that are measured"):
            predictor.predict(image)
