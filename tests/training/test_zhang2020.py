"""The named sweep of Zhang et al. 2020: its cells are the paper's, and its budgets are small."""

from collections import Counter
from pathlib import Path

import pytest

from fetometry.training.recipe import read_recipe
from fetometry.training.sweep.spec import plan, read_spec

FILE = Path(__file__).resolve().parents[2] / "recipes" / "reproduce" / "zhang2020.toml"
NETWORKS = ("CNN 263K", "CNN 1M", "VGG16", "ResNet50")


@pytest.fixture(scope="module")
def spec():
    return read_spec(FILE)


def test_all_twelve_cells_of_the_paper_have_its_numbers(spec):
    paper = {cell.name: cell.paper for cell in spec.cells if cell.paper}
    losses = ("MSE", "MAE", "Huber")
    assert set(paper) == {f"{network} + {loss}" for network in NETWORKS for loss in losses}
    assert all({"HC ADF px", "HC ADF %"} <= set(numbers) for numbers in paper.values())
    # millimetres are printed for the two large networks alone
    with_mm = {name for name, numbers in paper.items() if "HC ADF mm" in numbers}
    assert with_mm == {name for name in paper if name.startswith(("VGG16", "ResNet50"))}
    assert paper["ResNet50 + MSE"]["HC ADF mm"] == "4.52 ± 4.27"


def test_the_full_budget_is_the_paper_s_twelve_cells_and_two_baselines_on_five_folds(spec):
    runs = Counter(run.cell.name for run in plan(spec, "full"))
    assert len(runs) == 14
    assert set(runs.values()) == {5}


def test_the_small_budget_has_all_folds_of_the_small_networks_and_one_of_each_large_one(spec):
    runs = Counter(run.cell.name for run in plan(spec, "small"))
    assert {name: count for name, count in runs.items() if "from scratch" in name} == {
        "VGG16 from scratch + MSE": 1,
        "ResNet50 from scratch + MSE": 1,
    }
    small = {name: count for name, count in runs.items() if name.startswith("CNN")}
    assert (len(small), set(small.values())) == (6, {5})


@pytest.mark.parametrize("budget", ["smoke", "small", "full"])
def test_every_run_resolves_to_the_network_and_the_loss_of_its_name(spec, budget):
    networks = dict(zip(NETWORKS, ("cnn_263k", "cnn_1m", "vgg16", "resnet50"), strict=True))
    for run in plan(spec, budget):
        recipe = read_recipe(spec.recipe_path, run.overrides, run.drop)
        if run.cell.baseline:
            continue
        network, _, loss = run.cell.name.partition(" + ")
        assert recipe.network.name == networks[network.removesuffix(" from scratch")]
        assert recipe.heads["size"].options["error"] == loss.lower()
        weights = recipe.network.options.get("encoder_weights", "none")
        large = network.startswith(("VGG16", "ResNet50"))
        assert (weights == "none") == (not large or "scratch" in network)
        assert (recipe.data.fold, recipe.data.folds) == ((run.fold, 5) if run.folds else (-1, 5))
