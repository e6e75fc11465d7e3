# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.heads import build_heads
from fetometry.training.nets import Output, build_network
from fetometry.training.recipe import Component, read_recipe

pytestmark = pytest.mark.train

SIZE = (64, 96)
BOTH = {"outline": Output(1, bias=-2.0), "ellipse": Output(6, whole=True)}
MASK = {"outline": Output(1)}
RECIPE = Path(__file__).parents[2] / "recipes" / "mtln.toml"


def mtln(outputs=BOTH, size=SIZE, **options):
    return build_network(Component("mtln", {"width": 8, **options}), outputs, size)


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def image(seed=0, count=2, size=SIZE):
    return torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(seed))


def test_a_map_is_as_fine_as_the_input_and_a_vector_is_one_for_the_image():
    with torch.no_grad():
        outputs = mtln().eval()(image())
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {"outline": (2, 1, *SIZE), "ellipse": (2, 6)}


@pytest.mark.parametrize("outputs", [BOTH, MASK, {"ellipse": Output(6, whole=True)}])
@pytest.mark.parametrize("multi_scale", [True, False])
def test_every_parameter_gets_a_gradient(outputs, multi_scale):
    network = mtln(outputs, multi_scale=multi_scale)
    sum(output.square().mean() for output in network(image()).values()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_without_an_ellipse_there_is_no_fully_connected_layer():
    single = mtln(MASK)
    assert not any(isinstance(module, torch.nn.Linear) for module in single.modules())
    # 8 width -> 32 channels and their norm; 32 x 2 x 3 -> 256 -> 64 -> 6
    tuner = 64 * 32 + 64 + (192 * 256 + 256) + (256 * 64 + 64) + (64 * 6 + 6)
    assert parameters(mtln()) - parameters(single) == tuner


def test_the_tuner_has_three_fully_connected_layers():
    linear = [m for m in mtln().modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(192, 256), (256, 64), (64, 6)]


def test_without_a_map_there_is_no_decoder():
    network = mtln({"ellipse": Output(6, whole=True)})
    assert not any(isinstance(m, torch.nn.ConvTranspose2d) for m in network.modules())


def test_the_image_goes_beside_the_first_and_the_second_feature_map():
    # the next encoders have one input channel more, in a 3x3 convolution and a 1x1 link
    first, second = 9 * 8 + 8, 9 * 16 + 16
    # without the extra channel the first encoder keeps 8 channels, so its link has no convolution
    link = 8 * 8 + 2 * 8
    assert parameters(mtln()) - parameters(mtln(multi_scale=False)) == first + second + link


def test_the_smaller_pictures_are_seen_where_the_features_see_nothing():
    network = mtln(multi_scale=True).eval()
    with torch.no_grad():
        network.stem[0][0].weight.zero_()  # nothing passes the first convolution
        one, other = (network(image(seed))["outline"] for seed in (0, 1))
        assert not torch.allclose(one, other)
        plain = mtln(multi_scale=False).eval()
        plain.stem[0][0].weight.zero_()
        torch.testing.assert_close(plain(image(0)), plain(image(1)))


def test_skips_are_added_not_concatenated():
    network = mtln().eval()
    seen = []
    network.decoders[-1].register_forward_hook(lambda module, given, made: seen.append(made))
    network.last.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        network(image())
        stem = network.stem(image())
    torch.testing.assert_close(seen[1], seen[0] + stem)


def test_a_residual_block_that_learned_nothing_passes_its_input_on():
    block = mtln().encoders[0][1].eval()
    torch.nn.init.zeros_(block.second[1].weight)
    features = image(count=8).transpose(0, 1)  # positive, as rectified features are
    torch.testing.assert_close(block(features), features)


def test_at_link_net_s_width_it_has_link_net_s_11_5_million_parameters():
    assert parameters(mtln(MASK, width=64, multi_scale=False)) == pytest.approx(11.5e6, rel=0.02)


def test_an_output_starts_at_its_bias():
    assert mtln().outputs["outline"].bias.tolist() == [-2.0]


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        ((60, 96), {}, r"multiples of 32, got \[60, 96\]"),
        ((64, 0), {}, "multiples of 32"),
        (SIZE, {"width": 0}, "must be positive, got 0, 32"),
        (SIZE, {"tuner": []}, "the widths in tuner must be positive"),
        (SIZE, {"tuner": [64, 0]}, r"got 8, 32 and \[64, 0\]"),
        (SIZE, {"colour": 1}, "unknown key 'colour'; allowed: width, multi_scale, tuner"),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_is_allowed(size, options, message):
    with pytest.raises(RecipeError, match=message):
        mtln(size=size, **options)


def test_the_recipe_has_the_paper_s_numbers():
    recipe = read_recipe(RECIPE)
    heads = build_heads(recipe.heads)
    assert (heads["outline"].weight, heads["ellipse"].weight) == (1.0, 2.0)
    assert (heads["outline"].edge, heads["outline"].sigma_px) == (30.0, 10.0)
    assert not heads["outline"].printed
    assert not heads["ellipse"].printed
    fit = recipe.fit
    assert (fit.optimiser, fit.learning_rate, fit.epochs) == ("sgd", 1e-3, 200)
    assert recipe.data.draws == int(0.75 * 0.9 * 8823)


def test_the_recipe_s_network_takes_its_input_size():
    recipe = read_recipe(RECIPE, ["network.width=2"])
    outputs = {name: head.output for name, head in build_heads(recipe.heads).items()}
    network = build_network(recipe.network, outputs, recipe.input.size).eval()
    with torch.no_grad():
        found = network(torch.zeros(1, 1, *recipe.input.size))
    assert found["outline"].shape == (1, 1, *recipe.input.size)
    assert found["ellipse"].shape == (1, 6)
