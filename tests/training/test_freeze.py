# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training import fit
from fetometry.training.nets import Output, build_network
from fetometry.training.recipe import Component, read_recipe
from fetometry.training.sweep.spec import plan, read_spec
from fetometry.training.system import System, freeze
from tests.training import toy

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
    # what is frozen is out of training mode, as it should be
]

SPEC = Path(__file__).parents[2] / "recipes" / "reproduce" / "wang2023.toml"
#: What trains of 6,628,945 parameters: the counts that the authors published, to the parameter.
TRAINED = {
    "whole network": 6_628_945,
    "decoder": 4_405_073,
    "encoder": 2_223_872,
    "decoder layer 0": 3_761_152,
    "decoder layers 0-1": 4_240_896,
    "decoder layers 0-2": 4_365_568,
    "decoder layers 2-4": 164_032,
    "decoder layer 4": 6_976,
    "decoder, encoder with random weights": 4_405_073,
}
SMALL = {"name": "unet", "encoder": "mobilenet_v2", "decoder_channels": [8, 8, 8]}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def unet_recipe(**changes):
    return toy.recipe(network=SMALL, fit={"epochs": 2, **changes})


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("toy"), train=4, validation=2)


@pytest.fixture(scope="module")
def settings():
    """The recipe of every cell of the paper, at its own budget."""
    spec = read_spec(SPEC)
    return {
        run.cell.name: read_recipe(spec.recipe_path, run.overrides, run.drop)
        for run in plan(spec, "full")
        if run.repeat == 0
    }


@pytest.fixture(scope="module")
def paper_unet(settings):
    network = settings["decoder"].network
    options = {**network.options, "encoder_weights": "none"}
    return build_network(Component(network.name, options), {"outline": Output(1)}, (512, 512))


def test_the_paper_s_ten_strategies_and_one_more_are_the_cells(settings):
    names = {name for name in settings if "not in the paper" not in name}
    assert names == {*TRAINED, "baseline U-Net, from scratch"}
    assert len(settings) == 11


@pytest.mark.parametrize("name", TRAINED)
def test_a_strategy_trains_as_many_parameters_as_the_paper_says(name, settings, paper_unet):
    paper_unet.requires_grad_(True)
    freeze(paper_unet, settings[name].fit.trainable)
    sizes = [(weight.numel(), weight.requires_grad) for weight in paper_unet.parameters()]
    assert sum(size for size, trains in sizes if trains) == TRAINED[name]
    assert sum(size for size, _ in sizes) == 6_628_945


def test_a_part_that_the_network_does_not_have_is_refused_with_those_that_it_has(paper_unet):
    with pytest.raises(RecipeError, match=r"'neck' is no part of the network \(decoder, enc.*outp"):
        freeze(paper_unet, ("decoder", "neck"))


def moved(before, after, part):
    """The kinds of what is not as it was, of one part of the network."""
    names = [name for name in before if name.startswith(f"network.{part}")]
    assert names
    changed = [name for name in names if not torch.equal(before[name], after[name])]
    return {name.rpartition(".")[2] for name in changed}


@pytest.mark.parametrize(
    ("trains", "rests"), [(["decoder", "outputs"], "encoder"), (["encoder"], "decoder")]
)
def test_a_frozen_part_keeps_weights_and_statistics_through_a_training(
    trains, rests, rows, tmp_path
):
    recipe = unet_recipe(trainable=trains)
    starts = []
    build = fit.System

    def watched(*arguments):
        system = build(*arguments)
        starts.append({name: t.clone() for name, t in system.state_dict().items()})
        return system

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "System", watched)
        fit.start(recipe, rows, tmp_path / "run", quiet=True)
    after = torch.load(tmp_path / "run" / fit.LAST, weights_only=True)["state_dict"]
    assert moved(starts[0], after, rests) == set()
    assert moved(starts[0], after, trains[0]) >= {"weight", "bias", *STATISTICS}


def test_judging_in_between_wakes_nothing_that_is_frozen(rows):
    system = System(unet_recipe(trainable=["decoder"]), {})
    for mode in (True, False, True):
        system.train(mode)
        norms = [m for m in system.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        encoder = list(system.network.encoder.modules())
        assert {norm.training for norm in norms if norm in encoder} == {False}
        assert {norm.training for norm in norms if norm not in encoder} == {mode}
