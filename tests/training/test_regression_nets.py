# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
torchvision = pytest.importorskip("torchvision", reason="needs the train extra")
pytest.importorskip("segmentation_models_pytorch", reason="needs the train extra")

from torch import nn

from fetometry.errors import RecipeError
from fetometry.training.nets import Output, build_network, regression
from fetometry.training.recipe import Component

pytestmark = pytest.mark.train

ONE = {"size": Output(1, whole=True)}


def build(name, size=(128, 128), outputs=ONE, **options):
    return build_network(Component(name, options), outputs, size)


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def with_statistics(network):
    """As Keras counts: the running means and variances of batch norm too."""
    # torch also counts batches, in a number without dimensions
    return parameters(network) + sum(b.numel() for b in network.buffers() if b.dim())


@pytest.mark.parametrize(
    ("name", "options", "trainable", "counted_by_keras"),
    [
        ("cnn_263k", {}, 263_633, 263_713),
        ("cnn_1m", {}, 1_074_913, 1_075_265),
        # what the slide prints for the 1 M network: 16, 32, 8
        ("cnn_1m", {"dense": [16, 32, 8]}, 286_529, 286_785),
    ],
)
def test_a_small_network_has_as_many_parameters_as_the_paper_says(
    name, options, trainable, counted_by_keras
):
    network = build(name, **options)
    assert parameters(network) == trainable
    assert with_statistics(network) == counted_by_keras


@pytest.mark.parametrize(
    ("name", "trainable", "features"),
    [
        # torchvision's 138,357,544 and 25,557,032, less two thirds of the first convolution and
        # 999 of the thousand rows of the last layer
        ("vgg16", 138_357_544 - 2 * 64 * 9 - 999 * 4097, 4096),
        ("resnet50", 25_557_032 - 2 * 64 * 49 - 999 * 2049, 2048),
    ],
)
def test_a_large_network_is_torchvision_s_for_one_channel_and_one_number(name, trainable, features):
    with torch.device("meta"):  # shapes without numbers
        network = build(name)
        told = network(torch.zeros(2, 1, 128, 128))
    assert parameters(network) == trainable
    assert network.outputs["size"].in_features == features
    assert told["size"].shape == (2, 1)


def test_batch_norm_follows_the_relu_and_every_convolution_halves():
    kinds = [type(layer) for layer in build("cnn_263k").features]
    block = [nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.MaxPool2d]
    dense = [nn.Flatten, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout, nn.Linear, nn.ReLU]
    assert kinds == [*block, *block, *dense]
    image = torch.zeros(2, 1, 128, 128)
    assert build("cnn_263k").features[:8](image).shape == (2, 16, 32, 32)


def test_only_a_network_that_trains_drops_half_of_the_first_dense_layer():
    network = build("cnn_1m", (32, 32))
    image = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not torch.equal(network(image)["size"], network(image)["size"])
        network.eval()
        assert torch.equal(network(image)["size"], network(image)["size"])
    (drop,) = (layer for layer in network.features if isinstance(layer, nn.Dropout))
    assert drop.p == 0.5


def test_a_picture_need_not_be_square_nor_a_multiple_of_the_halvings():
    network = build("cnn_1m", (50, 70)).eval()
    with torch.no_grad():
        assert network(torch.zeros(3, 1, 50, 70))["size"].shape == (3, 1)


def test_every_parameter_gets_a_gradient_and_outputs_are_named_by_their_heads():
    outputs = {"size": Output(1, whole=True, bias=0.5), "plane": Output(5, whole=True)}
    network = build("cnn_1m", (32, 32), outputs)
    told = network(torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert {name: tuple(value.shape) for name, value in told.items()} == {
        "size": (8, 1),
        "plane": (8, 5),
    }
    sum(value.square().mean() for value in told.values()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert {f"outputs.{name}.weight" for name in outputs} <= dict(network.named_parameters()).keys()
    assert network.outputs["size"].bias.tolist() == [0.5]


@pytest.fixture(scope="module")
def resnet18():
    """A network of the same family that is built in a moment, and its three-channel original."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        original = torchvision.models.resnet18().eval()
    return regression._backbone("resnet18", "conv1", "fc"), original


def _agrees(network, original):
    """Whether a grey picture gives the features of the same picture given three times."""
    image = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = network.eval().features(image)
        wanted = original.fc(features)
        torch.testing.assert_close(wanted, original(image.expand(-1, 3, -1, -1)))


def test_a_file_s_first_convolution_is_summed_over_rgb(resnet18, tmp_path):
    builder, original = resnet18
    path = tmp_path / "resnet18.pth"
    torch.save(original.state_dict(), path)
    _agrees(builder({"encoder_weights": f"file:{path}"}, ONE, (64, 64)), original)


def test_a_hub_s_first_convolution_is_summed_over_rgb(resnet18, monkeypatch):
    builder, original = resnet18
    asked = []

    def fetched(name, weights):
        asked.append((name, weights))
        copy = torchvision.models.resnet18()
        copy.load_state_dict(original.state_dict())
        return copy

    monkeypatch.setattr(regression.torchvision.models, "get_model", fetched)
    _agrees(builder({"encoder_weights": "hub:IMAGENET1K_V1"}, ONE, (64, 64)), original)
    assert asked == [("resnet18", "IMAGENET1K_V1")]


def test_weights_that_cannot_be_fetched_are_told_of(resnet18, monkeypatch):
    def offline(name, weights):
        raise OSError("no route to host")

    monkeypatch.setattr(regression.torchvision.models, "get_model", offline)
    with pytest.raises(RecipeError, match="hub:DEFAULT: no route to host"):
        resnet18[0]({"encoder_weights": "hub:DEFAULT"}, ONE, (64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_weights": "hub:IMAGENET"}, "allowed: none, file:PATH, hub:IMAGENET1K_V1"),
        ({"encoder_weights": "hub:"}, "'hub:' is not known"),
        ({"encoder_weights": "file:/nowhere.pth"}, "there is no file /nowhere.pth"),
        ({"weights": "none"}, "unknown key 'weights'; allowed: encoder_weights"),
    ],
)
def test_weights_from_nowhere_are_refused(resnet18, options, message):
    with pytest.raises(RecipeError, match=message):
        resnet18[0](options, ONE, (64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dense": [8, 0]}, "must be positive numbers"),
        ({"dropout": 1.0}, "dropout 0 to below 1"),
        ({"convolutions": [4] * 6}, "6 halvings leave nothing of"),
        ({"filters": [8]}, "unknown key 'filters'; allowed: convolutions, dense, dropout"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options, message):
    with pytest.raises(RecipeError, match=message):
        build("cnn_1m", (32, 32), **options)


def test_a_head_that_needs_maps_is_refused():
    with pytest.raises(
        RecipeError, match=r"\[heads.outline\].*no maps; choose a head such as size"
    ):
        build("cnn_263k", outputs={"outline": Output(1)})
