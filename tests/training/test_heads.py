# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.training.augment import Ellipses, draw_bars, draw_spots
from fetometry.training.heads import (
    EndsHead,
    MaskHead,
    PlaneHead,
    ShaftHead,
    Truth,
    build_heads,
    log_size,
    squared_dice_loss,
)
from fetometry.training.recipe import Component
from fetometry.types import PLANE_CLASSES

pytestmark = pytest.mark.train

SIZE = (96, 144)
HEAD = Ellipse((47.3, 70.9), (50.0, 33.0), 25.0)


def ellipses(*heads):
    return Ellipses(
        torch.tensor([e.center for e in heads], dtype=torch.float32),
        torch.tensor(np.array([e.shape for e in heads]), dtype=torch.float32),
    )


def truth(*images, size=SIZE):
    """What is known of images, each its class and an ellipse, two ends or nothing."""
    nowhere = Ellipse((0.0, 0.0), (1.0, 1.0), 0.0)
    return Truth(
        ellipses(*(k if isinstance(k, Ellipse) else nowhere for _, k in images)),
        torch.tensor([isinstance(known, Ellipse) for _, known in images]),
        torch.tensor([k if isinstance(k, tuple) else ((1.0, 1.0),) * 2 for _, k in images]),
        torch.tensor([isinstance(known, tuple) for _, known in images]),
        torch.tensor([PLANE_CLASSES.index(name) for name, _ in images]),
        size,
    )


def as_logits(drawn):
    """Logits so steep that their sigmoid is what was drawn, to rounding."""
    return torch.logit(drawn.clamp(1e-6, 1 - 1e-6))


def logits_of(head, stride=1):
    return as_logits(ellipses(head).draw(SIZE, stride))


def gradient(head, logits, known):
    logits = logits.clone().requires_grad_()
    head.loss(logits, known).backward()
    return logits.grad


TRUTH = truth(("head", HEAD))


def test_squared_dice_is_the_worked_number():
    soft = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    # overlap 1.5; squares 1.25 + 2; 1 - (2 * 1.5 + 1) / (3.25 + 1) = 1 - 4 / 4.25
    assert float(squared_dice_loss(soft, target)) == pytest.approx(1 - 4 / 4.25, abs=1e-6)


def test_squared_dice_is_taken_image_by_image():
    soft = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]], [[[1.0, 1.0], [0.0, 0.0]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]]).expand(2, 1, 2, 2)
    assert squared_dice_loss(soft, target).tolist() == pytest.approx([1 - 4 / 4.25, 0], abs=1e-6)


@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_cross_entropy_of_doubt_everywhere_is_log_2(weight):
    head = MaskHead(bce=weight, dice=0.0)
    loss = head.loss(torch.zeros(1, 1, *SIZE), TRUTH)
    assert float(loss) == pytest.approx(weight * math.log(2), rel=1e-6)


def test_cross_entropy_of_a_sure_error_is_the_logit_times_its_share():
    head = MaskHead(bce=1.0, dice=0.0)
    share = HEAD.area / (SIZE[0] * SIZE[1])
    loss = head.loss(torch.full((1, 1, *SIZE), -20.0), TRUTH)
    assert float(loss) == pytest.approx(20 * share, rel=2e-3)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize(("sharpness", "most"), [(1.0, 1e-4), (4.0, 5e-3)])
def test_the_truth_itself_costs_almost_nothing_at_any_stride(stride, sharpness, most):
    logits = logits_of(HEAD, stride)
    assert logits.shape[-2] == SIZE[0] // stride
    # without the cross-entropy: its rest is the entropy of the half-covered edge pixels
    head = MaskHead(bce=0.0, dice=1.0, size=1.0, size_sharpness=sharpness)
    assert float(head.loss(logits, TRUTH)) < most


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_head_a_tenth_too_large_costs_log_1_1_in_size(stride):
    larger = Ellipse(HEAD.center, (36.3, 27.5), HEAD.angle_deg)
    known = truth(("head", Ellipse(HEAD.center, (33.0, 25.0), HEAD.angle_deg)))
    head = MaskHead(bce=0.0, dice=0.0, size=3.0, size_sharpness=1.0)
    loss = float(head.loss(logits_of(larger, stride), known))
    assert loss == pytest.approx(3 * math.log(1.1), rel=0.02)


def test_a_soft_edge_in_the_right_place_is_not_taken_for_a_larger_head():
    grid = np.stack(np.mgrid[: SIZE[0], : SIZE[1]], axis=-1)
    outside_px = (HEAD.level(grid) - 1) * HEAD.semi_axes[1]
    logits = torch.tensor(-0.5 * outside_px, dtype=torch.float32)[None, None]
    sharp, soft = (
        float(MaskHead(bce=0.0, dice=0.0, size=1.0, size_sharpness=s).loss(logits, TRUTH))
        for s in (4.0, 1.0)
    )
    assert sharp < 0.003  # of 1: a third of a percent
    assert soft > 0.02


@pytest.mark.parametrize("axes", [(40.0, 25.0), (30.0, 30.0), (44.0, 40.0)])
@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0])
def test_log_size_reads_the_axes_off_a_filled_ellipse(axes, angle):
    mask = ellipses(Ellipse((48.2, 71.6), axes, angle)).draw(SIZE, 1)
    sizes = log_size(mask).exp()[0].tolist()
    assert sizes == pytest.approx([*axes, ellipse_circumference(*axes)], rel=3e-3)


@pytest.mark.parametrize("of", ["circle", "ellipse", "empty", "full", "a single pixel"])
def test_gradients_are_finite(of):
    logits = {
        "circle": logits_of(Ellipse((48.0, 72.0), (30.0, 30.0), 0.0)),
        "ellipse": logits_of(HEAD),
        "empty": torch.full((1, 1, *SIZE), -200.0),
        "full": torch.full((1, 1, *SIZE), 200.0),
        "a single pixel": torch.full((1, 1, *SIZE), -200.0),
    }[of]
    if of == "a single pixel":
        logits[0, 0, 40, 60] = 200.0
    head = MaskHead(bce=1.0, dice=1.0, size=2.0)
    assert torch.isfinite(head.loss(logits, TRUTH))
    assert torch.isfinite(gradient(head, logits, TRUTH)).all()


def test_a_truth_outside_the_picture_is_an_empty_mask_and_finite():
    gone = truth(("head", Ellipse((-200.0, -200.0), (30.0, 20.0), 0.0)))
    head = MaskHead(size=2.0)
    logits = torch.zeros(1, 1, *SIZE)
    assert torch.isfinite(head.loss(logits, gone))
    assert torch.isfinite(gradient(head, logits, gone)).all()


def test_the_size_loss_pushes_a_small_head_outwards():
    small = Ellipse(HEAD.center, (40.0, 26.0), HEAD.angle_deg)
    soft = torch.logit(ellipses(small).draw(SIZE, 1).clamp(0.02, 0.98))
    slope = gradient(MaskHead(bce=0.0, dice=0.0, size=1.0), soft, TRUTH)
    rim = ellipses(HEAD).draw(SIZE, 1) - ellipses(small).draw(SIZE, 1) > 0.5
    assert float(slope[rim].mean()) < 0  # a step against the slope raises the logits there


def test_losses_in_half_precision_are_computed_in_full():
    logits = logits_of(HEAD).clamp(-8, 8)
    head = MaskHead(size=1.0)
    half = head.loss(logits.bfloat16(), TRUTH)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(head.loss(logits, TRUTH)), rel=0.02)


#: Two ends 60 px apart, in neither order of rows or columns, and the bar between them.
ENDS = ((70.25, 30.5), (34.25, 78.5))
FEMUR = truth(("femur", ENDS))
SWAPPED = truth(("femur", ENDS[::-1]))
#: As truth, an image of which only the plane is known.
ONLY_PLANE = {"mask": ("head", None), "shaft": ("femur", None), "ends": ("femur", None)}
KNOWN = {"mask": ("head", HEAD), "shaft": ("femur", ENDS), "ends": ("femur", ENDS)}
MAPS = {"mask": MaskHead(size=1.0, empty=0.3), "shaft": ShaftHead(empty=0.3), "ends": EndsHead()}


def bar(ends=ENDS, width=7.0, stride=1):
    return as_logits(draw_bars(torch.tensor([ends]), torch.tensor([width]), SIZE, stride))


def seen(*ends, sigma=5.0, stride=1):
    return as_logits(draw_spots(torch.tensor([ends]), sigma, SIZE, stride))


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("known", [FEMUR, SWAPPED])
def test_the_shaft_itself_costs_almost_nothing_whatever_the_order_of_its_ends(stride, known):
    assert float(ShaftHead(bce=0.0).loss(bar(stride=stride), known)) < 1e-4


def test_a_long_shaft_is_a_tenth_of_its_length_wide_and_a_short_one_never_too_thin():
    wide = ShaftHead(bce=0.0, width=0.2, least_px=7.0)
    assert float(wide.loss(bar(width=12.0), FEMUR)) < 1e-4
    thin = ShaftHead(bce=0.0, width=0.05, least_px=7.0)
    assert float(thin.loss(bar(width=7.0), FEMUR)) < 1e-4
    assert float(thin.loss(bar(width=3.0), FEMUR)) > 0.1


def test_a_thin_shaft_is_worth_as_much_as_a_large_one_beside_it():
    thin, large = ((20.0, 20.0), (20.0, 50.0)), ((70.0, 20.0), (70.0, 120.0))
    known = truth(("femur", thin), ("femur", large))
    nothing = torch.full((1, 1, *SIZE), -20.0)
    head = ShaftHead(bce=0.0)
    without_thin = head.loss(torch.cat([nothing, bar(large, 9.0)]), known)
    without_large = head.loss(torch.cat([bar(thin, 7.0), nothing]), known)
    assert float(without_thin) == pytest.approx(float(without_large), abs=0.01)
    assert float(without_thin) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("known", [FEMUR, SWAPPED])
def test_spots_at_the_ends_cost_nothing_whatever_their_order(stride, known):
    assert float(EndsHead().loss(seen(*ENDS, stride=stride), known)) < 1e-5


def test_one_end_that_is_not_seen_costs_half_of_both():
    head, nothing = EndsHead(), torch.full((1, 1, *SIZE), -9.0)
    both = float(head.loss(nothing, FEMUR))
    for end in ENDS:
        assert float(head.loss(seen(end).clamp(min=-9), FEMUR)) == pytest.approx(both / 2, rel=0.01)
    assert both > 1


@pytest.mark.parametrize("stride", [1, 2])
def test_the_loss_of_the_ends_does_not_depend_on_the_stride_nor_on_how_much_is_empty(stride):
    ends = ((40.0, 40.0), (50.0, 90.0))
    losses = []
    for size in (SIZE, (2 * SIZE[0], 2 * SIZE[1])):
        flat = torch.full((1, 1, size[0] // stride, size[1] // stride), -6.0)
        losses.append(float(EndsHead().loss(flat, truth(("femur", ends), size=size))))
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    # a spot g under a logit of -6 costs the integral of g^2 x 6 g: a third of 6 of its own area
    assert losses[0] == pytest.approx(6 / 3, abs=0.03)


def test_doubt_about_ends_where_there_are_none_is_the_worked_number():
    head = EndsHead(sigma_px=4.0, empty=0.5)
    loss = float(head.loss(torch.zeros(1, 1, 48, 72), truth(("none", None))))
    # (0.5 - 0)^2 log 2 of 48 x 72 pixels, over the area of two spots of sigma 4 / 2, by half
    area = 2 * 2 * math.pi * 2.0**2
    assert loss == pytest.approx(0.5 * 0.25 * math.log(2) * 48 * 72 / area, rel=1e-5)


@pytest.mark.parametrize("name", MAPS)
def test_an_image_of_which_only_the_plane_is_known_teaches_a_map_nothing(name):
    known = truth(ONLY_PLANE[name], KNOWN[name])
    logits = torch.randn(2, 1, *SIZE, generator=torch.Generator().manual_seed(0))
    slope = gradient(MAPS[name], logits, known)
    assert torch.count_nonzero(slope[0]) == 0
    assert torch.count_nonzero(slope[1]) > 0
    alone = MAPS[name].loss(logits[1:], truth(KNOWN[name]))
    assert float(MAPS[name].loss(logits, known)) == pytest.approx(float(alone) / 2, rel=1e-5)


@pytest.mark.parametrize("name", ["mask", "shaft"])
@pytest.mark.parametrize("plane", ["abdomen", "none"])
def test_a_mask_of_another_plane_costs_its_cross_entropy_times_empty(name, plane):
    loss = MAPS[name].loss(torch.zeros(1, 1, *SIZE), truth((plane, None)))
    assert float(loss) == pytest.approx(0.3 * math.log(2), rel=1e-6)
    right = torch.full((1, 1, *SIZE), -20.0)
    assert float(MAPS[name].loss(right, truth((plane, None)))) < 1e-6


@pytest.mark.parametrize("kind", [MaskHead, ShaftHead, EndsHead])
def test_images_of_other_planes_add_nothing_where_nothing_is_asked_of_them(kind):
    logits = torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(0))
    assert torch.count_nonzero(gradient(kind(empty=0.0), logits, truth(("none", None)))) == 0


def test_a_mask_of_two_planes_is_taught_by_both_and_by_every_view_of_the_head():
    head = MaskHead(planes=("head", "abdomen"), bce=1.0, dice=0.0)
    classes = ("head", "head:trans-cerebellar", "abdomen")
    for name in classes:
        loss = head.loss(torch.zeros(1, 1, *SIZE), truth((name, HEAD)))
        assert float(loss) == pytest.approx(math.log(2), rel=1e-6)
    known = truth(*((name, None) for name in PLANE_CLASSES))
    assert known.of(("head", "abdomen")).tolist() == [name in classes for name in PLANE_CLASSES]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("value", [-200.0, 0.0, 200.0])
@pytest.mark.parametrize(
    "ends", [((40.0, 60.0), (40.0, 60.0)), ((-90.0, -80.0), (-50.0, -90.0)), ENDS], ids=str
)
def test_no_map_and_no_ends_make_a_gradient_that_is_not_finite(name, value, ends):
    known = truth(("femur", ends), ("head", HEAD), ("head", None), ("none", None))
    logits = torch.full((4, 1, *SIZE), value)
    assert torch.isfinite(MAPS[name].loss(logits, known))
    assert torch.isfinite(gradient(MAPS[name], logits, known)).all()


@pytest.mark.parametrize("name", MAPS)
def test_every_map_s_loss_in_half_precision_is_computed_in_full(name):
    logits = torch.randn(1, 1, *SIZE, generator=torch.Generator().manual_seed(0))
    half = MAPS[name].loss(logits.bfloat16(), truth(KNOWN[name]))
    assert half.dtype == torch.float32
    full = float(MAPS[name].loss(logits, truth(KNOWN[name])))
    assert float(half) == pytest.approx(full, rel=0.02)


def test_doubt_about_the_plane_is_log_5_and_being_sure_of_it_costs_nothing():
    known = truth(("femur", None), ("none", None), ("head:trans-cerebellar", None))
    assert float(PlaneHead().loss(torch.zeros(3, 5), known)) == pytest.approx(math.log(5))
    right = 30.0 * torch.nn.functional.one_hot(known.classes, 5)
    assert float(PlaneHead().loss(right, known)) < 1e-6
    half = PlaneHead().loss(right.bfloat16(), known)
    assert (half.dtype, float(half) < 1e-6) == (torch.float32, True)


def test_smoothed_labels_give_every_plane_its_share():
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0, 0.0]])
    # log p is 2 - log(e^2 + 4) of the head and -log(e^2 + 4) of the four others
    below = math.log(math.exp(2) + 4)
    wanted = 0.9 * (below - 2) + 0.1 * ((below - 2) + 4 * below) / 5
    loss = PlaneHead(smoothing=0.1).loss(logits, truth(("head", HEAD)))
    assert float(loss) == pytest.approx(wanted, rel=1e-6)


MEANINGS = {
    "mask": {"kind": "mask", "planes": ["abdomen"], "values": "logits"},
    "shaft": {"kind": "mask", "planes": ["abdomen"], "values": "logits"},
    "ends": {
        "kind": "ends", "planes": ["abdomen"], "values": "logits", "along": "", "tells": "length"
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MEANINGS)
def test_heads_are_built_by_name_with_their_options(name):
    (head,) = build_heads({"outline": Component(name, {"planes": ["abdomen"]})}).values()
    assert head.meaning() == MEANINGS[name]
    assert (head.output.channels, head.output.whole) == (1, False)


def test_the_plane_head_asks_for_one_number_a_class_and_names_them():
    (head,) = build_heads({"plane": Component("plane", {})}).values()
    assert (head.output.channels, head.output.whole) == (len(PLANE_CLASSES), True)
    assert head.meaning()["classes"] == list(PLANE_CLASSES)


def test_an_unknown_head_is_refused_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"\[heads.outline\]: unknown head 'msk'; known: mask"):
        build_heads({"outline": Component("msk", {})})


@pytest.mark.parametrize("option", ["output", "colour", "plane"])
def test_an_option_that_is_none_is_refused_with_the_allowed_ones(option):
    with pytest.raises(RecipeError, match=rf"unknown key '{option}'; allowed: .*dice.*planes"):
        build_heads({"outline": Component("mask", {option: 3})})
