# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.training.augment import Ellipses
from fetometry.training.heads import MaskHead, Truth, build_heads, log_size, squared_dice_loss
from fetometry.training.recipe import Component

pytestmark = pytest.mark.train

SIZE = (96, 144)
HEAD = Ellipse((47.3, 70.9), (50.0, 33.0), 25.0)


def ellipses(*heads):
    return Ellipses(
        torch.tensor([e.center for e in heads], dtype=torch.float32),
        torch.tensor(np.array([e.shape for e in heads]), dtype=torch.float32),
    )


def logits_of(head, stride=1):
    """Logits so steep that their sigmoid is the drawn mask, to rounding."""
    mask = ellipses(head).draw(SIZE, stride)
    return torch.logit(mask.clamp(1e-6, 1 - 1e-6))


TRUTH = Truth(ellipses(HEAD), SIZE)


def test_squared_dice_is_the_worked_number():
    soft = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    # overlap 1.5; squares 1.25 + 2; 1 - (2 * 1.5 + 1) / (3.25 + 1) = 1 - 4 / 4.25
    assert float(squared_dice_loss(soft, target)) == pytest.approx(1 - 4 / 4.25, abs=1e-6)


def test_squared_dice_averages_over_the_images():
    soft = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]], [[[1.0, 1.0], [0.0, 0.0]]]])
    target = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]]).expand(2, 1, 2, 2)
    assert float(squared_dice_loss(soft, target)) == pytest.approx((1 - 4 / 4.25) / 2, abs=1e-6)


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
    truth = Truth(ellipses(Ellipse(HEAD.center, (33.0, 25.0), HEAD.angle_deg)), SIZE)
    head = MaskHead(bce=0.0, dice=0.0, size=3.0, size_sharpness=1.0)
    loss = float(head.loss(logits_of(larger, stride), truth))
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


def gradient(head, logits, truth):
    logits = logits.clone().requires_grad_()
    head.loss(logits, truth).backward()
    return logits.grad


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
    gone = Truth(ellipses(Ellipse((-200.0, -200.0), (30.0, 20.0), 0.0)), SIZE)
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


def test_heads_are_built_by_name_with_their_options():
    (head,) = build_heads({"outline": Component("mask", {"plane": "abdomen"})}).values()
    assert head.meaning() == {"kind": "mask", "plane": "abdomen", "values": "logits"}
    assert head.channels == 1


def test_an_unknown_head_is_refused_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"\[heads.outline\]: unknown head 'msk'; known: mask"):
        build_heads({"outline": Component("msk", {})})


@pytest.mark.parametrize("option", ["channels", "colour"])
def test_an_option_that_is_none_is_refused_with_the_allowed_ones(option):
    with pytest.raises(RecipeError, match=rf"unknown key '{option}'; allowed: .*dice.*plane"):
        build_heads({"outline": Component("mask", {option: 3})})
