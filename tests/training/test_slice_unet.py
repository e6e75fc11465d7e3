# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.nets import build_network
from fetometry.training.nets.output import Output
from fetometry.training.nets.slice_unet import build_slice_unet
from fetometry.training.recipe import Component

pytestmark = pytest.mark.train

SIZE = (6, 16, 24)
OUTPUTS = {"mask": Output(1), "ends": Output(2)}


@pytest.fixture
def built():
    torch.manual_seed(0)
    return build_slice_unet({"widths": [2, 4]}, OUTPUTS, SIZE).eval()


def volume(count=2):
    return torch.rand(count, 1, *SIZE, generator=torch.Generator().manual_seed(1))


def test_every_output_has_the_size_of_the_volume(built):
    with torch.no_grad():
        outputs = built(volume())
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "mask": (2, 1, *SIZE),
        "ends": (2, 2, *SIZE),
    }


def test_a_slice_is_seen_as_a_picture_of_its_own(built):
    given = volume()
    with torch.no_grad():
        whole = built(given)
        for i in range(len(given)):
            for k in range(SIZE[0]):
                alone = built.network(given[i : i + 1, :, k])
                for name, output in alone.items():
                    torch.testing.assert_close(whole[name][i, :, k], output[0])


def test_no_slice_knows_of_its_neighbours(built):
    given = volume().requires_grad_()
    built(given)["mask"][1, 0, 3].sum().backward()
    reached = given.grad.abs().sum(dim=(1, 3, 4)) > 0  # (B, d)
    assert reached.nonzero().tolist() == [[1, 3]]


def test_slices_in_another_order_are_answered_in_that_order(built):
    order = torch.tensor([4, 2, 0, 5, 3, 1])
    with torch.no_grad():
        one, other = built(volume()), built(volume()[:, :, order])
    for name in OUTPUTS:
        torch.testing.assert_close(other[name], one[name][:, :, order])


def test_any_number_of_slices_will_do(built):
    with torch.no_grad():
        assert built(volume()[:, :, :5])["mask"].shape == (2, 1, 5, 16, 24)


@pytest.mark.parametrize(
    ("options", "size", "outputs", "reason"),
    [
        ({"widths": [2, 4]}, (6, 16, 22), OUTPUTS, r"multiples of 4.*got \[16, 22\]"),
        ({"widths": [0]}, SIZE, OUTPUTS, "widths must be positive"),
        ({"wdiths": [2]}, SIZE, OUTPUTS, "unknown key 'wdiths'"),
        ({"widths": [2]}, SIZE, {"plane": Output(5, whole=True)}, "plain_unet gives maps alone"),
    ],
)
def test_what_cannot_be_built_is_refused(options, size, outputs, reason):
    with pytest.raises(RecipeError, match=reason):
        build_slice_unet(options, outputs, size)


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("slice_unet", (16, 24), r"slice_unet sees volumes: give \[input\] a depth"),
        ("femur3d", (16, 24), r"femur3d sees volumes: give \[input\] a depth"),
        ("plain_unet", (16, 16, 24), "plain_unet sees pictures alone"),
    ],
)
def test_a_network_of_the_other_kind_is_refused(name, size, reason):
    with pytest.raises(RecipeError, match=reason):
        build_network(Component(name, {}), {"mask": Output(1)}, size)
