# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""Volumes through the one training loop: with a discriminator, broken off, resumed, exported."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
lightning = pytest.importorskip("lightning", reason="needs the train extra")
pytest.importorskip("SimpleITK", reason="needs the volume extra")

import onnxruntime

from fetometry.errors import RecipeError
from fetometry.predict.catalogue import METADATA_KEY
from fetometry.training import export, fit
from tests.training import toy_volumes as toy
from tests.training.runs import assert_same, assert_same_weights, interrupted, logged, state

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

PLAYED = {"from_epoch": 1, "width": 2, "weight": 0.5}


def recipe(**fit_changes):
    return toy.recipe(adversary=PLAYED, fit={"epochs": 3, **fit_changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("solids")


@pytest.fixture(scope="module")
def rows(folder):
    return toy.make(folder / "volumes", train=3, validation=1)


@pytest.fixture(scope="module")
def whole(rows, folder):
    """One whole run of three epochs, the last two of them with a discriminator."""
    run = folder / "whole"
    fit.start(recipe(), rows, run, quiet=True, cache=folder / "cache")
    return run


def test_a_run_of_volumes_learns_and_is_validated_by_mask_ends_and_length(whole):
    losses = logged(whole, "loss_mask")
    assert losses[2] < losses[0]
    for name in ("val_error", "val_FL_mm", "val_missed_mask", "val_missed_ends"):
        assert len(logged(whole, name)) == 3
        assert np.isfinite(logged(whole, name)).all()
    facts = json.loads((whole / "facts.json").read_text(encoding="utf-8"))
    assert facts["data"]["train"] == {"images": 3, "groups": 3}


def test_the_discriminator_plays_from_its_epoch_on(whole):
    for name in ("loss_opponent", "loss_adversarial"):
        assert len(logged(whole, name)) == 2
    assert len(logged(whole, "loss_mask")) == 3
    # two epochs of three volumes, one a batch
    moments = state(whole)["opponent"]["state"]
    assert {int(kept["step"]) for kept in moments.values()} == {6}


def test_the_loss_is_the_weighted_sum_of_what_is_logged(whole):
    mask, ends, total = (logged(whole, f"loss{name}") for name in ("_mask", "_ends", "_epoch"))
    found_out = [0.0, *logged(whole, "loss_adversarial")]  # weighted already
    expected = [m + 0.2 * e + f for m, e, f in zip(mask, ends, found_out, strict=True)]
    assert total == pytest.approx(expected, rel=1e-4)


def test_a_broken_off_run_ends_where_a_whole_one_does_opponent_included(
    whole, rows, folder, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    # in the second epoch of the game, so that the opponent's moments must have been kept
    interrupted(recipe(), rows, run, monkeypatch, epoch=2, step=1)
    assert state(run)["epoch"] == 1
    before = state(run)["opponent"]["state"]
    assert {int(kept["step"]) for kept in before.values()} == {3}
    fit.start(recipe(), rows, run, quiet=True, cache=folder / "cache")
    assert "network.encoder.0.0.weight" in state(run)["state_dict"]
    assert "opponent.discriminator.last.weight" in state(run)["state_dict"]
    assert_same_weights(whole, run)
    assert_same_weights(whole, run, fit.BEST)
    assert logged(run, "val_error") == logged(whole, "val_error")


def test_weights_are_averaged_and_the_opponent_goes_on_from_its_own(
    rows, folder, tmp_path, monkeypatch
):
    averaged = recipe(ema_decay=0.9)
    once, twice = tmp_path / "once", tmp_path / "twice"
    fit.start(averaged, rows, once, quiet=True, cache=folder / "cache")
    interrupted(averaged, rows, twice, monkeypatch, epoch=2, step=0)
    fit.start(averaged, rows, twice, quiet=True, cache=folder / "cache")
    assert_same_weights(once, twice)


def test_without_an_adversary_the_first_epoch_is_the_same(whole, rows, folder, tmp_path):
    alone = toy.recipe(fit={"epochs": 1})
    fit.start(alone, rows, tmp_path / "run", quiet=True, cache=folder / "cache")
    assert "opponent" not in state(tmp_path / "run")
    assert logged(tmp_path / "run", "loss_epoch") == logged(whole, "loss_epoch")[:1]


@pytest.fixture(scope="module")
def exported(whole, folder):
    """The whole run as a model file, and how far it is from torch."""
    path = folder / "femur.onnx"
    return path, export.export(whole, path)


def test_the_exported_model_answers_as_torch_does(whole, exported):
    path, difference = exported
    assert difference <= export.TOLERANCE
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.shape[1:]) == ("image", [1, 16, 24, 24])
    _, network = fit.load(whole)
    for count in (1, 3):  # of any number, though two were shown when it was exported
        volume = torch.randn(count, 1, 16, 24, 24, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            expected = network(volume)
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(None, {"image": volume.numpy()}), strict=True))
        assert found.keys() == expected.keys() == {"mask", "ends"}
        for name, output in expected.items():
            assert found[name].shape == output.shape
            scale = float(output.abs().max())
            assert np.abs(found[name] - output.numpy()).max() <= export.TOLERANCE * scale


def test_the_model_file_says_how_a_volume_becomes_its_input(exported):
    session = onnxruntime.InferenceSession(str(exported[0]), providers=["CPUExecutionProvider"])
    said = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert said["input"]["size"] == [16, 24, 24]
    assert (said["input"]["voxel_mm"], said["input"]["margin_mm"]) == (2.0, 0.0)
    assert (said["input"]["roi"], said["notice"]) == ("", "")
    kinds = {name: output["kind"] for name, output in said["outputs"].items()}
    assert kinds == {"mask": "solid", "ends": "solid-ends"}
    assert said["recipe"]["adversary"]["from_epoch"] == 1


@pytest.mark.parametrize(
    ("dataset", "notice"),
    [
        ("phantom3d", "phantom-trained: not for real volumes"),
        ("phantom", "phantom-trained: not for real images"),
        ("hc18", ""),
    ],
)
def test_what_never_saw_a_patient_says_so(dataset, notice):
    said = export.metadata(toy.recipe(data={"dataset": dataset}), {}, {})
    assert said["notice"] == notice


def test_a_checkpoint_brings_back_network_and_opponent(whole):
    _, network = fit.load(whole, fit.LAST)
    kept = state(whole)["state_dict"]
    found = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    assert_same(found, {name: kept[name] for name in found})
    assert {name.split(".")[0] for name in kept.keys() - found.keys()} == {"opponent"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"heads": {"outline": {"name": "mask"}}}, r"\[heads.outline\]: 'mask' does not know vol"),
        ({"network": {"name": "unet", "encoder": "resnet18"}}, "unet sees pictures alone"),
        ({"adversary": {**PLAYED, "form": "hinge"}}, "unknown form 'hinge' of the adversarial los"),
    ],
    ids=["head", "network", "form"],
)
def test_what_does_not_build_for_volumes_is_refused(changes, reason, rows, folder, tmp_path):
    with pytest.raises(RecipeError, match=reason):
        fit.start(toy.recipe(**changes), rows, tmp_path / "run", quiet=True, cache=folder / "cache")
