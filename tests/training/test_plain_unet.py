# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.nets import Output, build_network
from fetometry.training.recipe import Component

pytestmark = pytest.mark.train

ONE = {"outline": Output(1)}


def plain(size=(32, 48), outputs=ONE, **options):
    return build_network(
        Component("plain_unet", {"widths": [2, 4, 8, 16], **options}), outputs, size
    )


def count(network):
    return sum(weight.numel() for weight in network.parameters())


def test_the_baseline_has_the_paper_s_parameters():
    # convolutions without bias: with one in each, 31,043,521
    network = build_network(Component("plain_unet", {"channels": 3}), ONE, (512, 512))
    assert count(network) == 31_037_633


def test_a_level_is_two_convolutions_without_bias_and_their_norms():
    # 9 (1 x 2 + 2 x 2) weights, and a scale and a shift for each of 2 x 2 channels
    assert count(plain().encoder[0]) == 9 * (1 * 2 + 2 * 2) + 2 * 2 * 2
    assert count(plain(channels=3).encoder[0]) == 9 * (3 * 2 + 2 * 2) + 2 * 2 * 2


def test_the_output_is_as_large_as_the_input_and_every_parameter_has_a_gradient():
    network = plain(outputs={"outline": Output(1), "points": Output(4, bias=-4.0)})
    outputs = network(torch.rand(2, 1, 32, 48))
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {"outline": (2, 1, 32, 48), "points": (2, 4, 32, 48)}
    assert torch.equal(network.outputs["points"].bias, torch.full((4,), -4.0))
    sum(output.square().mean() for output in outputs.values()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_what_is_fine_reaches_the_output_past_the_bottleneck():
    # a checkerboard is nothing but its mean once it is pooled: without skips it would be lost
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = plain().eval()
    board = (torch.arange(32)[:, None] + torch.arange(48)[None]) % 2
    with torch.no_grad():
        flat = network(torch.full((1, 1, 32, 48), 0.5))["outline"]
        fine = network(board[None, None].float())["outline"]
    assert float(fine.var()) > 100 * float(flat[..., 8:-8, 8:-8].var() + 1e-12)


@pytest.mark.parametrize(
    ("size", "changes", "message"),
    [
        ((32, 40), {}, r"multiples of 16, as plain_unet halves them 4 times; got \[32, 40\]"),
        ((8, 8), {}, "multiples of 16"),
        ((32, 32), {"channels": 2}, "channels must be 1 or 3, got 2"),
        ((32, 32), {"widths": []}, "widths must be positive numbers"),
        ((32, 32), {"widths": [4, 0]}, "widths must be positive numbers"),
        ((32, 32), {"encoder": "x"}, "unknown key 'encoder'; allowed: widths"),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_is_allowed(size, changes, message):
    with pytest.raises(RecipeError, match=message):
        plain(size, **changes)


def test_fewer_levels_need_fewer_halvings():
    with torch.no_grad():
        assert plain((4, 8), widths=[2, 4]).eval()(torch.zeros(1, 1, 4, 8))["outline"].shape == (
            1, 1, 4, 8,
        )  # fmt: skip


def test_a_head_of_the_whole_image_is_refused():
    with pytest.raises(RecipeError, match="plain_unet gives maps alone"):
        plain(outputs={"plane": Output(5, whole=True)})
