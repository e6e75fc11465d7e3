# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.nets.femur3d import build_femur3d, stride
from fetometry.training.nets.output import Output

pytestmark = pytest.mark.train

SIZE = (16, 24, 16)
MASK, ENDS = {"mask": Output(1)}, {"ends": Output(2)}
BOTH = {**MASK, **ENDS}
#: The paper's ablation: what is asked for, and the options.
SEGMENTATION, LOCALISATION = {"outputs": MASK}, {"outputs": ENDS}
BRN, BRNDC = {"outputs": BOTH}, {"outputs": BOTH, "cross": True}
VARIANTS = [SEGMENTATION, LOCALISATION, BRN, BRNDC]


def network(outputs=BOTH, size=SIZE, **options):
    torch.manual_seed(0)
    return build_femur3d({"width": 2, **options}, outputs, size)


def volume(size=SIZE, count=1):
    return torch.rand(count, 1, *size, generator=torch.Generator().manual_seed(1))


def parameters(built):
    return sum(weight.numel() for weight in built.parameters())


def names_with_gradient(built):
    return {name for name, p in built.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (SEGMENTATION, {"mask": 1}),
        (LOCALISATION, {"ends": 2}),
        (BRN, {"mask": 1, "ends": 2}),
        (BRNDC, {"mask": 1, "ends": 2}),
    ],
)
def test_each_branch_gives_its_maps_in_the_size_of_the_input(options, names):
    with torch.no_grad():
        outputs = network(**options)(volume(count=2))
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {name: (2, channels, *SIZE) for name, channels in names.items()}


@pytest.mark.parametrize("size", [(16, 16, 16), (24, 16, 40)])
def test_a_network_takes_any_size_that_is_a_multiple_of_its_stride(size):
    with torch.no_grad():
        outputs = network(**BRNDC, size=size)(volume(size))
    assert outputs["mask"].shape[2:] == outputs["ends"].shape[2:] == size


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("options", VARIANTS)
def test_every_parameter_gets_a_gradient(options, norm):
    built = network(norm=norm, **options)
    sum(output.square().mean() for output in built(volume()).values()).backward()
    assert names_with_gradient(built) == {name for name, _ in built.named_parameters()}


def test_the_branches_share_one_encoder():
    both, mask, ends = (parameters(network(**v)) for v in (BRN, SEGMENTATION, LOCALISATION))
    shared = parameters(network().encoder)
    assert both == mask + ends - shared


def test_the_numbers_of_parameters_are_those_of_the_layers():
    # 27 weights for each pair of channels, and scale and shift of each norm; width 2
    def pair(before, after):
        return 27 * (before + after) * after + 2 * 2 * after

    def up(below, beside, width):
        return 27 * below * width + 2 * width + pair(width + beside, width)

    encoder = pair(1, 2) + pair(2, 4) + pair(4, 8)
    mask = up(8, 4, 4) + up(4, 2, 2) + (27 * 2 + 1)
    ends = pair(8, 16) + up(16, 8, 8) + up(8, 0, 4) + up(4, 0, 2) + (27 * 2 * 2 + 2)
    assert parameters(network(**SEGMENTATION)) == encoder + mask
    assert parameters(network(**LOCALISATION)) == encoder + ends
    # crossed: 8 channels more to enlarge to 4; 4 more beside 4, and 2 more beside 2
    crossed = 27 * 8 * 4 + 27 * 4 * 4 + 27 * 2 * 2
    assert parameters(network(**BRNDC)) == encoder + mask + ends + crossed


def test_uncrossed_branches_have_fewer_parameters():
    assert parameters(network(**BRN)) < parameters(network(**BRNDC))


def decoder_has_gradient(options, output, decoder):
    built = network(**options)
    built(volume())[output].square().mean().backward()
    return any(name.startswith(decoder) for name in names_with_gradient(built))


@pytest.mark.parametrize(("output", "other"), [("ends", "segmentation"), ("mask", "localisation")])
def test_a_gradient_passes_from_one_branch_to_the_other_only_when_crossed(output, other):
    assert not decoder_has_gradient(BRN, output, other)
    assert decoder_has_gradient(BRNDC, output, other)


def test_two_connections_lead_to_the_localisation_branch_and_one_leads_back():
    built = network(**BRNDC)
    built(volume())["ends"].square().mean().backward()
    reached = names_with_gradient(built)
    assert any(name.startswith("segmentation.two") for name in reached)
    assert any(name.startswith("segmentation.one") for name in reached)
    assert not any(name.startswith("segmentation.last") for name in reached)
    built.zero_grad()
    built(volume())["mask"].square().mean().backward()
    reached = names_with_gradient(built)
    assert any(name.startswith("localisation.three") for name in reached)
    assert not any(name.startswith(("localisation.two", "localisation.one")) for name in reached)


def test_the_localisation_branch_halves_once_more_than_the_segmentation_branch():
    assert stride(["segmentation"]) == 4
    assert stride(["localisation"]) == stride(["segmentation", "localisation"]) == 8


def test_with_instance_norm_one_volume_is_measured_as_it_is_trained():
    built = network(**BRNDC)
    with torch.no_grad():
        trained = built.train()(volume())
        measured = built.eval()(volume())
    for name in trained:
        torch.testing.assert_close(trained[name], measured[name])


@pytest.mark.parametrize(
    ("outputs", "options", "size", "words"),
    [
        (BOTH, {}, (16, 20, 16), "multiples of 8, at least 16, got \\[16, 20, 16\\]"),
        (BOTH, {}, (8, 16, 16), "at least 16"),
        (MASK, {}, (16, 18, 16), "multiples of 4"),
        ({**BOTH, "shaft": Output(1)}, {}, SIZE, r"\[heads.shaft\]: .*called mask .*called ends"),
        ({"mask": Output(2)}, {}, SIZE, r"\[heads.mask\]: .*solids called mask"),
        ({"ends": Output(2, whole=True)}, {}, SIZE, r"\[heads.ends\]: .*solid-ends called ends"),
        (MASK, {"cross": True}, SIZE, "cross needs the heads mask and ends, got mask"),
        (ENDS, {"cross": True}, SIZE, "cross needs the heads mask and ends, got ends"),
        (BOTH, {"norm": "layer"}, SIZE, "known: instance, batch"),
        (BOTH, {"width": 0}, SIZE, "1 or more"),
        (BOTH, {"widht": 8}, SIZE, "widht"),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_can(outputs, options, size, words):
    with pytest.raises(RecipeError, match=words):
        build_femur3d(options, outputs, size)


def test_heatmaps_start_out_empty_whatever_the_volume_shows():
    with torch.no_grad():
        ends = network(**BRNDC)(volume())["ends"]
    assert 0 < ends.abs().max() < 0.05
