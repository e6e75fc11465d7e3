# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.geometry import Ellipse
from fetometry.predict.seeing import Place, see
from fetometry.training.augment import Ellipses, draw_bars
from fetometry.training.heads import StructureHead, Truth, build_heads, squared_dice_loss
from fetometry.training.recipe import Component
from fetometry.types import PLANE_CLASSES

pytestmark = pytest.mark.train

SIZE = (96, 144)
HEAD = Ellipse((47.3, 70.9), (40.0, 33.0), 25.0)
ENDS = ((70.25, 30.5), (34.25, 78.5))  # 60 px apart
LINE_PX = 6.0
SQUARE = StructureHead(line_px=LINE_PX)


def truth(*images):
    """What is known of images: each its class, its ellipse or None, its ends or None."""
    nowhere, nothing = Ellipse((0.0, 0.0), (1.0, 1.0), 0.0), ((1.0, 1.0),) * 2
    drawn = [ellipse or nowhere for _, ellipse, _ in images]
    return Truth(
        Ellipses(
            torch.tensor([e.center for e in drawn], dtype=torch.float32),
            torch.tensor(np.array([e.shape for e in drawn]), dtype=torch.float32),
        ),
        torch.tensor([ellipse is not None for _, ellipse, _ in images]),
        torch.tensor([ends or nothing for _, _, ends in images]),
        torch.tensor([ends is not None for _, _, ends in images]),
        torch.tensor([PLANE_CLASSES.index(name) for name, _, _ in images]),
        SIZE,
    )


#: An abdomen has ends as well: those of its transverse diameter.
EXAM = truth(("head", HEAD, None), ("abdomen", HEAD, ENDS), ("femur", None, ENDS))


def as_logits(drawn, least=1e-6):
    return torch.logit(drawn.clamp(least, 1 - least))


def noise(count):
    return torch.randn(count, 1, *SIZE, generator=torch.Generator().manual_seed(0))


def measured(head, logits, plane):
    """What the predictor sees of a map (1, h, w), in pixels of the input."""
    place = Place(np.eye(2, 3), SIZE, SIZE)
    return see({"structure": head.meaning()}, plane, {"structure": logits.numpy()}, place)


def test_one_mask_is_an_ellipse_for_head_and_abdomen_and_a_line_for_the_femur():
    drawn = SQUARE.target(EXAM, 1)
    assert torch.equal(drawn[0], drawn[1])
    assert float(drawn[0].sum()) == pytest.approx(HEAD.area, rel=5e-3)
    line = draw_bars(torch.tensor([ENDS]), torch.tensor([LINE_PX]), SIZE, 1)
    assert torch.equal(drawn[2:], line)
    assert float(drawn[2].sum()) == pytest.approx(60 * LINE_PX, rel=5e-3)


def test_the_loss_is_dice_with_squared_sums_by_hand():
    p, q = torch.tensor([0.5, 1.0, 0.0, 0.25]), torch.tensor([1.0, 1.0, 0.0, 0.0])
    squared = 1 - 2 * 1.5 / (1.3125 + 2)
    plain = 1 - 2 * 1.5 / (1.75 + 2)
    found = squared_dice_loss(p.reshape(1, 1, 2, 2), q.reshape(1, 1, 2, 2))
    # one more above and below, for masks that are empty: of thousands of pixels it is nothing
    assert float(found) == pytest.approx(1 - (2 * 1.5 + 1) / (1.3125 + 2 + 1), abs=1e-6)
    large = squared_dice_loss(
        p.repeat(9999).reshape(1, 1, 4, -1), q.repeat(9999).reshape(1, 1, 4, -1)
    )
    assert float(large) == pytest.approx(squared, abs=1e-4)
    assert abs(squared - plain) > 0.1


def test_doubt_everywhere_costs_what_the_formula_says():
    p, q = 0.5, SQUARE.target(EXAM, 1)
    pixels = SIZE[0] * SIZE[1]
    wanted = [
        1 - (2 * p * float(t.sum()) + 1) / (p * p * pixels + float(t.square().sum()) + 1) for t in q
    ]
    assert float(SQUARE.loss(torch.zeros(3, 1, *SIZE), EXAM)) == pytest.approx(
        sum(wanted) / 3, rel=1e-5
    )


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_truth_itself_costs_almost_nothing_at_any_stride(stride):
    logits = as_logits(SQUARE.target(EXAM, stride))
    assert logits.shape[-2] == SIZE[0] // stride
    assert float(SQUARE.loss(logits, EXAM)) < 1e-4


def test_dice_is_taken_image_by_image_so_that_a_thin_line_counts_as_much_as_a_head():
    logits = as_logits(SQUARE.target(EXAM, 1))
    for image in (0, 2):
        missed = logits.clone()
        missed[image] = -20.0
        assert float(SQUARE.loss(missed, EXAM)) == pytest.approx(1 / 3, abs=5e-3)


@pytest.mark.parametrize("share", [1.0, 0.1, 0.001, 0.0])
def test_two_weights_are_the_paper_s_lambda(share):
    heads = build_heads(
        {
            "plane": Component("plane", {"weight": share, "classes": ["head", "abdomen", "femur"]}),
            "structure": Component("structure", {"weight": 1 - share, "line_px": LINE_PX}),
        }
    )
    outputs = {"plane": torch.zeros(3, 3), "structure": torch.zeros(3, 1, *SIZE)}
    losses = {name: head.loss(outputs[name], EXAM) for name, head in heads.items()}
    joint = sum(head.weight * losses[name] for name, head in heads.items())
    dice = float(SQUARE.loss(outputs["structure"], EXAM))
    assert float(joint) == pytest.approx(share * math.log(3) + (1 - share) * dice, rel=1e-5)


def test_an_image_of_which_only_the_plane_is_known_teaches_nothing():
    unknown = ("head", None, None), ("femur", HEAD, None), ("none", None, None)
    known = truth(*unknown, ("femur", None, ENDS))
    logits = noise(4).requires_grad_()
    loss = SQUARE.loss(logits, known)
    loss.backward()
    assert [bool(slope.any()) for slope in logits.grad] == [False, False, False, True]
    alone = SQUARE.loss(logits[3:].detach(), truth(("femur", None, ENDS)))
    assert loss.item() == pytest.approx(float(alone) / 4, rel=1e-5)


def test_planes_that_are_not_asked_for_teach_nothing():
    head = StructureHead(planes=("femur",))
    logits = noise(3).requires_grad_()
    head.loss(logits, EXAM).backward()
    assert [bool(slope.any()) for slope in logits.grad] == [False, False, True]


def test_every_view_of_the_head_is_taught():
    known = truth(("head:trans-cerebellar", HEAD, None))
    assert float(SQUARE.loss(as_logits(SQUARE.target(known, 1)), known)) < 1e-4


@pytest.mark.parametrize("value", [-200.0, 0.0, 200.0])
def test_losses_and_gradients_are_finite_whatever_is_drawn(value):
    gone = truth(
        ("head", Ellipse((-200.0, -200.0), (30.0, 20.0), 0.0), None),
        ("femur", None, ((40.0, 60.0), (40.0, 60.0))),
        ("femur", None, ((-90.0, -80.0), (-50.0, -90.0))),
    )
    logits = torch.full((3, 1, *SIZE), value, requires_grad=True)
    loss = StructureHead(cap_px=3.0).loss(logits, gone)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_the_loss_in_half_precision_is_computed_in_full():
    half, full = (SQUARE.loss(logits, EXAM) for logits in (noise(3).bfloat16(), noise(3)))
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(full), rel=0.02)


@pytest.mark.parametrize("cap_px", [0.0, LINE_PX / 2])
def test_a_perfect_line_is_read_as_long_as_the_femur_whatever_its_cap(cap_px):
    head = StructureHead(line_px=LINE_PX, cap_px=cap_px)
    sight = measured(head, as_logits(head.target(EXAM, 1), 0.01)[2], "femur")
    assert math.dist(*sight.ends) == pytest.approx(60, abs=0.3)
    order = sight.ends if sight.ends[0, 1] < sight.ends[1, 1] else sight.ends[::-1]
    np.testing.assert_allclose(order, ENDS, atol=0.3)


def test_a_perfect_ellipse_is_read_as_an_outline_without_ends():
    for plane in ("head", "abdomen"):
        sight = measured(SQUARE, as_logits(SQUARE.target(EXAM, 1), 0.01)[0], plane)
        assert sight.ends is None
        assert np.abs(HEAD.level(sight.outline.points) - 1).max() < 0.01


def test_the_head_says_what_it_drew():
    assert StructureHead(line_px=4.0, cap_px=2.0).meaning() == {
        "kind": "mask",
        "planes": ["head", "abdomen", "femur"],
        "values": "logits",
        "line_px": 4.0,
        "cap_px": 2.0,
    }


@pytest.mark.parametrize("options", [{"line_px": 0.0}, {"line_px": -1.0}, {"cap_px": -0.5}])
def test_a_line_without_a_width_is_refused(options):
    with pytest.raises(RecipeError, match=r"\[heads.s\]: line_px must be positive and cap_px not"):
        build_heads({"s": Component("structure", options)})
