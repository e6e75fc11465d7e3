# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
lightning = pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training import fit
from fetometry.training.pictures import Pictures
from tests.training import toy
from tests.training.runs import assert_same, assert_same_weights, interrupted, logged, state

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

ROOT = Path(__file__).resolve().parents[2]
AVERAGED = {"ema_decay": 0.9}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("toy"), train=6, validation=3, test=2)


@pytest.fixture(scope="module")
def plain(rows, tmp_path_factory):
    """One whole run of three epochs."""
    run = tmp_path_factory.mktemp("plain") / "run"
    best = fit.start(toy.recipe(fit={"epochs": 3}), rows, run, quiet=True)
    return run, best


@pytest.fixture(scope="module")
def averaged(rows, tmp_path_factory):
    run = tmp_path_factory.mktemp("averaged") / "run"
    fit.start(toy.recipe(fit={"epochs": 3, **AVERAGED}), rows, run, quiet=True)
    return run


def test_training_lowers_the_loss(plain):
    losses = logged(plain[0], "loss_epoch")
    assert len(losses) == 3
    assert losses[2] < 0.8 * losses[0]


def test_a_run_leaves_its_recipe_checkpoints_and_logs(plain):
    run, best = plain
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    assert recipe == json.loads(toy.recipe(fit={"epochs": 3}).as_json())
    assert best == run / "best.ckpt"
    assert best.is_file()
    assert (run / "last.ckpt").is_file()
    assert list((run / "logs" / "tensorboard").glob("events.out.tfevents.*"))
    for name in ("val_error", "val_HC_mm", "val_HC_bias_mm"):
        assert len(logged(run, name)) == 3


def test_a_run_says_what_it_was_trained_on(plain):
    facts = json.loads((plain[0] / "facts.json").read_text(encoding="utf-8"))
    assert facts == {
        "data": {
            "dataset": "toy",
            "train": {"images": 6, "groups": 6},
            "validation": {"images": 3, "groups": 3},
        }
    }


def test_the_caller_keeps_its_random_numbers_and_its_environment(rows, tmp_path):
    torch.manual_seed(5)
    before, environment = torch.get_rng_state(), dict(os.environ)
    fit.start(toy.recipe(fit={"epochs": 1}), rows, tmp_path / "run", quiet=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert dict(os.environ) == environment


def test_the_same_seed_repeats_a_run_to_the_last_bit(plain, rows, tmp_path):
    torch.manual_seed(99)  # what was drawn before must not matter
    again = tmp_path / "again"
    fit.start(toy.recipe(fit={"epochs": 3}), rows, again, quiet=True)
    assert logged(again, "val_error") == logged(plain[0], "val_error")
    assert_same_weights(plain[0], again)


def test_another_seed_gives_another_run(plain, rows, tmp_path):
    other = tmp_path / "other"
    fit.start(toy.recipe(fit={"epochs": 3, "seed": 2**40}), rows, other, quiet=True)
    assert logged(other, "loss_epoch") != logged(plain[0], "loss_epoch")


def test_an_interrupted_run_ends_where_a_whole_one_does(plain, rows, tmp_path, monkeypatch):
    recipe, run = toy.recipe(fit={"epochs": 3}), tmp_path / "run"
    interrupted(recipe, rows, run, monkeypatch, epoch=1, step=2)
    assert state(run)["epoch"] == 0
    fit.start(recipe, rows, run, quiet=True)
    assert_same_weights(plain[0], run)
    assert_same_weights(plain[0], run, fit.BEST)
    assert logged(run, "val_error") == logged(plain[0], "val_error")


def test_so_does_one_whose_weights_are_averaged(averaged, rows, tmp_path, monkeypatch):
    recipe, run = toy.recipe(fit={"epochs": 3, **AVERAGED}), tmp_path / "run"
    interrupted(recipe, rows, run, monkeypatch, epoch=1, step=1)
    interrupted(recipe, rows, run, monkeypatch, epoch=2, step=0)
    fit.start(recipe, rows, run, quiet=True)
    assert_same_weights(averaged, run)
    assert_same_weights(averaged, run, fit.BEST)


KILL = """
import os, signal, sys
from pathlib import Path
from fetometry.training import fit
from tests.training import toy
from tests.training.runs import assert_same, assert_same_weights, interrupted, logged, state

whole = fit.System.training_step
def training_step(self, index, step):
    if self.current_epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, index, step)

fit.System.training_step = training_step
rows = toy.load(toy.NAME, Path(sys.argv[1]))
fit.start(toy.recipe(fit={"epochs": 3, "ema_decay": 0.9}), rows, Path(sys.argv[2]), quiet=True)
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_in_another_one(averaged, rows, tmp_path):
    run = tmp_path / "run"
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILL, str(rows[0].image.parent), str(run)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (run / fit.LAST).is_file()
    fit.start(toy.recipe(fit={"epochs": 3, **AVERAGED}), rows, run, quiet=True)
    assert_same_weights(averaged, run)


def test_a_finished_run_started_again_is_left_as_it_is(rows, tmp_path):
    recipe, run = toy.recipe(fit={"epochs": 1}), tmp_path / "run"
    fit.start(recipe, rows, run, quiet=True)
    before = {name: (run / name).read_bytes() for name in (fit.LAST, fit.BEST)}
    assert fit.start(recipe, rows, run, quiet=True) == run / fit.BEST
    assert {name: (run / name).read_bytes() for name in before} == before


def test_averaged_weights_are_the_ones_that_are_judged_and_kept(averaged):
    kept, last = state(averaged, fit.BEST), state(averaged)
    assert int(last["averaging_state"]["n_averaged"]) == 9  # three epochs of three batches
    name = "network.body.0.weight"
    assert not torch.equal(last["state_dict"][name], last["current_model_state"][name])
    _, network = fit.load(averaged)
    assert torch.equal(network.body[0].weight, kept["state_dict"][name])


def test_averaging_shares_the_pictures_instead_of_copying_them(rows, tmp_path):
    recipe = toy.recipe()
    pictures = Pictures.load(fit.side_rows(recipe, rows, "train"), recipe, tmp_path)
    system = fit.System(recipe, {"train": pictures})
    twin = copy.deepcopy(system)
    assert twin.sides["train"] is pictures
    assert twin.network is not system.network


def test_the_best_checkpoint_has_the_lowest_error_not_the_lowest_loss(rows, tmp_path, monkeypatch):
    errors = iter([5.0, 2.0, 9.0])

    def on_validation_epoch_end(self):
        self._seen = []
        self.log("val_error", next(errors))

    monkeypatch.setattr(fit.System, "on_validation_epoch_end", on_validation_epoch_end)
    run = tmp_path / "run"
    fit.start(toy.recipe(fit={"epochs": 3}), rows, run, quiet=True)
    assert state(run, fit.BEST)["epoch"] == 1
    assert state(run, fit.LAST)["epoch"] == 2
    losses = logged(run, "loss_epoch")
    assert min(losses) == losses[2]


def first_input(recipe, rows, run, monkeypatch):
    """Train one step and return what the network was given."""
    seen = []

    class Stop(Exception):
        pass

    def forward(self, image):
        seen.append(image)
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(fit.System, "forward", forward)
        fit.start(recipe, rows, run, quiet=True)
    return seen[0]


def test_mixed_precision_does_not_touch_the_geometry(rows, tmp_path, monkeypatch):
    full, mixed = (
        first_input(toy.recipe(fit={"precision": p}), rows, tmp_path / p, monkeypatch)
        for p in ("32-true", "bf16-mixed")
    )
    assert mixed.dtype == torch.float32
    assert torch.equal(full, mixed)


def test_mixed_precision_trains(rows, tmp_path):
    recipe = toy.recipe(fit={"epochs": 1, "precision": "bf16-mixed"})
    fit.start(recipe, rows, tmp_path / "run", quiet=True)
    assert np.isfinite(logged(tmp_path / "run", "loss_epoch")).all()


def test_another_recipe_in_the_same_folder_is_refused(plain, rows):
    with pytest.raises(RecipeError, match="holds a run of another recipe; choose another --out"):
        fit.start(toy.recipe(fit={"epochs": 4}), rows, plain[0], quiet=True)


def test_a_run_starts_from_the_weights_of_another_one(plain, rows, tmp_path, monkeypatch):
    recipe = toy.recipe(fit={"epochs": 2, "start_from": str(plain[1])})
    first = {}
    whole = fit.System.training_step

    def training_step(self, index, step):
        first.setdefault("weight", self.network.body[0].weight.detach().clone())
        return whole(self, index, step)

    monkeypatch.setattr(fit.System, "training_step", training_step)
    fit.start(recipe, rows, tmp_path / "run", quiet=True)
    assert torch.equal(
        first["weight"], state(plain[0], fit.BEST)["state_dict"]["network.body.0.weight"]
    )


def test_outputs_that_an_earlier_run_did_not_have_start_anew_and_others_as_they_were(
    plain, rows, tmp_path, monkeypatch
):
    recipe = toy.recipe(
        heads={"plane": {"name": "plane"}, "shaft": {"name": "shaft"}},
        fit={"epochs": 1, "start_from": str(plain[1])},
    )
    first = {}
    whole = fit.System.training_step

    def training_step(self, index, step):
        if not first:
            first.update({n: p.detach().clone() for n, p in self.named_parameters()})
        return whole(self, index, step)

    monkeypatch.setattr(fit.System, "training_step", training_step)
    fit.start(recipe, rows, tmp_path / "run", quiet=True)
    earlier = state(plain[0], fit.BEST)["state_dict"]
    kept = first.keys() & earlier.keys()
    assert {name.rpartition(".")[0] for name in kept} >= {"network.body.0", "network.body.1"}
    assert "network.outputs.outline.weight" in kept
    assert_same({name: first[name] for name in kept}, {name: earlier[name] for name in kept})
    assert {name.split(".")[2] for name in first.keys() - kept} == {"plane", "shaft"}


def test_a_run_may_start_from_one_that_had_more_outputs(rows, tmp_path):
    more = toy.recipe(heads={"plane": {"name": "plane"}}, fit={"epochs": 1})
    start = fit.start(more, rows, tmp_path / "more", quiet=True)
    recipe = toy.recipe(fit={"epochs": 1, "start_from": str(start)})
    assert fit.start(recipe, rows, tmp_path / "run", quiet=True).is_file()
    with pytest.raises(RecipeError, match="not a checkpoint of this network"):
        fit.load(tmp_path / "run", "../more/best.ckpt")  # to export, it must be the very network


def test_an_interrupted_run_does_not_go_back_to_where_it_started_from(
    plain, rows, tmp_path, monkeypatch
):
    start = tmp_path / "start.ckpt"
    start.write_bytes(plain[1].read_bytes())
    recipe, run = toy.recipe(fit={"start_from": str(start)}), tmp_path / "run"
    interrupted(recipe, rows, run, monkeypatch, epoch=1, step=0)
    start.unlink()
    fit.start(recipe, rows, run, quiet=True)
    assert state(run)["epoch"] == 1


def without_a_layer(weights):
    return {name: t for name, t in weights.items() if name != "network.body.0.weight"}


def with_a_layer(weights):
    return {**weights, "network.body.9.weight": torch.zeros(1)}


def with_another_shape(weights):
    return {**weights, "network.outputs.outline.weight": torch.zeros(2, 8, 5, 5)}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_a_layer, "it lacks network.body.0.weight"),
        (with_a_layer, "it has network.body.9.weight"),
        (with_another_shape, "Error"),
        (lambda weights: [1.0], ""),
    ],
)
def test_weights_of_another_network_are_refused(damage, reason, plain, rows, tmp_path):
    weights = state(plain[0], fit.BEST)["state_dict"]
    torch.save({"state_dict": damage(weights)}, tmp_path / "other.ckpt")
    recipe = toy.recipe(fit={"start_from": str(tmp_path / "other.ckpt")})
    message = rf"other\.ckpt: not a checkpoint of this network \({reason}"
    with pytest.raises(RecipeError, match=message):
        fit.start(recipe, rows, tmp_path / "run", quiet=True)
