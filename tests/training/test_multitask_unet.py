# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.heads import build_heads
from fetometry.training.nets import Output, build_network
from fetometry.training.recipe import Component, read_recipe
from fetometry.training.sweep.spec import plan, read_spec

pytestmark = pytest.mark.train

RECIPE = Path(__file__).parents[2] / "recipes" / "multitask_unet.toml"
TABLE = RECIPE.parent / "reproduce" / "qazi2023.toml"
#: Table 1 of the paper, and what of it two cores can do.
LAMBDAS = (1, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05, 0.025, 0.01, 0.001, 1e-5, 0)
FEWER = (1, 0.1, 0.001, 0)
OUTPUTS = {"plane": Output(3, whole=True), "structure": Output(1)}
SIZE = (64, 96)


def unet(size=SIZE, outputs=OUTPUTS, **options):
    options = {"width": 2, **options}
    return build_network(Component("multitask_unet", options), outputs, size)


def seen(network, size=SIZE):
    with torch.no_grad():
        return network.eval()(torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0)))


def test_maps_are_as_large_as_the_input_and_the_whole_image_is_one_vector():
    found = seen(unet())
    assert {name: tuple(output.shape) for name, output in found.items()} == {
        "plane": (2, 3),
        "structure": (2, 1, *SIZE),
    }


def test_every_level_halves_the_size_and_doubles_the_channels():
    network, shapes = unet(levels=3), []
    for level in network.encoder:
        level.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    seen(network)
    assert shapes == [(2, 64, 96), (4, 32, 48), (8, 16, 24), (16, 8, 12)]


def test_the_parameters_are_those_counted_by_hand():
    """Two 3x3 convolutions a level with two norms, a 2x2 one up, 1x1, and the classes."""
    widths = [4, 8, 16, 32, 64, 128]

    def twice(before, after):
        return 9 * (before * after + after * after) + 4 * after

    down = sum(twice(b, a) for b, a in zip([1, *widths], widths, strict=False))
    up = sum(4 * 2 * w * w + w + twice(2 * w, w) for w in widths[:-1])
    last = (4 + 1) + (128 * 2 * 3 * 3 + 3)
    found = sum(p.numel() for p in unet(width=4).parameters())
    assert found == down + up + last


def test_the_classes_are_the_layer_on_the_flattened_bottleneck():
    network, deepest = unet(), []
    network.encoder[-1].register_forward_hook(lambda _, __, out: deepest.append(out))
    found = seen(network)["plane"]
    layer = network.outputs["plane"][-1]
    torch.testing.assert_close(found, deepest[0].flatten(1) @ layer.weight.T + layer.bias)


def test_the_bottleneck_alone_learns_from_the_classes():
    network = unet()
    network(torch.rand(2, 1, *SIZE))["plane"].square().mean().backward()
    without = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is None}
    assert without == {"decoder", "outputs"}
    assert all(p.grad is not None for p in network.encoder.parameters())


def test_every_parameter_gets_a_gradient_from_both_outputs():
    network = unet()
    sum(output.square().mean() for output in network(torch.rand(2, 1, *SIZE)).values()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_skips_carry_what_the_bottleneck_lost():
    network = unet()
    for parameter in network.encoder[-1].parameters():
        torch.nn.init.zeros_(parameter)
    one, other = seen(network)["structure"]
    assert float((one - other).abs().max()) > 1e-4


def test_logits_start_at_the_bias_that_an_output_asks_for():
    network = unet(outputs={"plane": Output(3, True, -2.0), "structure": Output(1, bias=-4.0)})
    assert network.outputs["plane"][-1].bias.tolist() == [-2.0] * 3
    assert network.outputs["structure"].bias.tolist() == [-4.0]


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        ((64, 100), {}, "must be a multiple of 32, got 64 x 100; change"),
        ((72, 96), {"levels": 4}, "with 4 levels .* a multiple of 16, got 72 x 96"),
        (SIZE, {"width": 0}, "width and levels must be 1 or more, got width 0, levels 5"),
        (SIZE, {"levels": 0}, "width and levels must be 1 or more"),
        (SIZE, {"norm": "group"}, "unknown key 'norm'; allowed: width, levels"),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_is_allowed(size, options, message):
    with pytest.raises(RecipeError, match=message):
        unet(size, **options)


def test_the_recipe_is_the_paper_s():
    recipe = read_recipe(RECIPE)
    assert recipe.input.size == (256, 256)
    fit = recipe.fit
    assert (fit.optimiser, fit.learning_rate, fit.batch_size, fit.epochs) == (
        "adamax",
        5e-4,
        16,
        100,
    )
    assert fit.weight_decay == 0.0  # of the decay the paper says nothing
    heads = build_heads(recipe.heads)
    assert heads["plane"].weight == 0.001
    assert heads["plane"].weight + heads["structure"].weight == pytest.approx(1)
    assert heads["plane"].output.channels == 3


def test_the_recipe_draws_as_many_of_each_plane():
    shares = read_recipe(RECIPE).data.shares
    total = sum(shares.values())
    for plane in ("head", "abdomen", "femur"):
        share = sum(value for kind, value in shares.items() if kind.split("/")[1] == plane)
        assert share / total == pytest.approx(1 / 3, abs=0.01)


def test_a_seed_builds_the_same_weights_twice():
    def weights():
        torch.manual_seed(7)
        return unet().state_dict()

    one, other = weights(), weights()
    assert all(torch.equal(one[name], other[name]) for name in one)


def settings(budget):
    """Every run of a budget: its cell and its resolved recipe."""
    spec = read_spec(TABLE)
    return [
        (run.cell, read_recipe(spec.recipe_path, run.overrides, run.drop))
        for run in plan(spec, budget)
    ]


@pytest.mark.parametrize(("budget", "lambdas"), [("full", LAMBDAS), ("small", FEWER)])
def test_the_table_has_every_lambda_as_the_two_heads_weights(budget, lambdas):
    found = {}
    for cell, recipe in settings(budget):
        if cell.x is not None:
            heads = build_heads(recipe.heads)
            found[cell.x] = heads["plane"].weight
            assert heads["structure"].weight == pytest.approx(1 - cell.x, abs=1e-9)
    assert tuple(found) == tuple(found.values()) == lambdas


@pytest.mark.parametrize("budget", ["small", "full"])
def test_separate_models_are_one_row_of_three_each_with_one_plane_and_one_head(budget):
    separate = [(c, r) for c, r in settings(budget) if c.table_row == "separate"]
    assert [r.data.planes for _, r in separate] == [("head",), ("abdomen",), ("femur",)]
    for cell, recipe in separate:
        (head,) = build_heads(recipe.heads).values()
        assert (head.planes, head.weight) == (recipe.data.planes, 1.0)
        assert {kind.split("/")[1] for kind in recipe.data.shares} <= set(recipe.data.planes)
        assert len(cell.paper) == 1


def test_the_full_budget_is_the_recipe_s_own():
    spec = read_spec(TABLE)
    assert spec.budgets["full"].set == ()
    best = next(r for c, r in settings("full") if c.x == 0.001)
    assert best == read_recipe(RECIPE)
