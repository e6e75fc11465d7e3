# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.augment import Ellipses
from fetometry.training.heads import PlaneHead, Truth, build_heads
from fetometry.training.recipe import Component
from fetometry.types import PLANE_CLASSES, TRANS_CEREBELLAR

pytestmark = pytest.mark.train

THREE = ("head", "abdomen", "femur")


def showing(*classes):
    """A batch of which nothing but the plane is known."""
    count = len(classes)
    never = torch.zeros(count, dtype=torch.bool)
    return Truth(
        Ellipses(torch.zeros(count, 2), torch.eye(2).repeat(count, 1, 1)),
        never,
        torch.zeros(count, 2, 2),
        never,
        torch.tensor([PLANE_CLASSES.index(name) for name in classes]),
        (64, 96),
    )


LOGITS = torch.tensor([[2.0, 1.0, 0.0]])


def test_three_classes_cost_the_cross_entropy_of_their_logits():
    # -log(e^2 / (e^2 + e + 1)) of a head, one more of an abdomen, two more of a femur
    head = math.log(math.exp(2) + math.e + 1) - 2
    for i, name in enumerate(THREE):
        loss = PlaneHead(classes=THREE).loss(LOGITS, showing(name))
        assert loss.item() == pytest.approx(head + i, rel=1e-6)


def test_a_softmax_before_the_cross_entropy_is_another_and_wrong_number():
    """The paper's figure has a softmax layer, and its Eq. 1 another one."""
    right = float(PlaneHead(classes=THREE).loss(LOGITS, showing("head")))
    twice = float(PlaneHead(classes=THREE).loss(LOGITS.softmax(1), showing("head")))
    assert right == pytest.approx(0.4076, abs=1e-4)
    # the softmax is 0.6652, 0.2447, 0.0900; a second one gives the head 1.9450 / 4.3164
    assert twice == pytest.approx(0.7972, abs=1e-4)
    # being sure and right is not free, and being sure and wrong is cheap
    sure = torch.tensor([[100.0, 0.0, 0.0]])
    assert float(PlaneHead(classes=THREE).loss(sure, showing("head"))) < 1e-6
    free = float(PlaneHead(classes=THREE).loss(sure.softmax(1), showing("head")))
    assert free == pytest.approx(math.log(math.e + 2) - 1, abs=1e-4)


def test_the_order_of_the_classes_is_that_of_the_logits():
    head = PlaneHead(classes=("femur", "head"))
    sure = torch.tensor([[30.0, 0.0]])
    assert float(head.loss(sure, showing("femur"))) < 1e-6
    assert float(head.loss(sure, showing("head"))) == pytest.approx(30)
    assert head.meaning() == {"kind": "planes", "classes": ["femur", "head"], "values": "logits"}


def test_a_view_that_is_no_class_of_its_own_counts_as_its_plane():
    three, all_five = PlaneHead(classes=THREE), PlaneHead()
    as_head = three.loss(LOGITS, showing("head"))
    assert torch.equal(three.loss(LOGITS, showing(TRANS_CEREBELLAR)), as_head)
    logits = torch.nn.functional.one_hot(torch.tensor([PLANE_CLASSES.index("head")]), 5) * 30.0
    assert float(all_five.loss(logits, showing("head"))) < 1e-6
    assert float(all_five.loss(logits, showing(TRANS_CEREBELLAR))) == pytest.approx(30)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_image_of_no_class_adds_nothing_and_is_counted(smoothing):
    head = PlaneHead(classes=THREE, smoothing=smoothing)
    logits = torch.cat([LOGITS, LOGITS]).requires_grad_()
    loss = head.loss(logits, showing("none", "femur"))
    loss.backward()
    assert torch.count_nonzero(logits.grad[0]) == 0
    assert torch.count_nonzero(logits.grad[1]) > 0
    assert loss.item() == pytest.approx(float(head.loss(LOGITS, showing("femur"))) / 2, rel=1e-6)


def test_a_batch_without_a_class_costs_0_and_not_a_number_that_is_none():
    logits = torch.cat([LOGITS, LOGITS]).requires_grad_()
    loss = PlaneHead(classes=THREE).loss(logits, showing("none", "none"))
    loss.backward()
    assert loss.item() == 0
    assert torch.count_nonzero(logits.grad) == 0


def test_the_head_asks_for_one_number_a_class():
    (head,) = build_heads({"plane": Component("plane", {"classes": list(THREE)})}).values()
    assert (head.output.channels, head.output.whole) == (3, True)
    assert head.meaning()["classes"] == list(THREE)


@pytest.mark.parametrize("classes", [[], ["head"], ["head", "head"], ["head", "brain"]])
def test_classes_that_tell_nothing_apart_are_refused_with_the_allowed_ones(classes):
    with pytest.raises(RecipeError, match=r"\[heads.plane\]: classes must be two or more of head,"):
        build_heads({"plane": Component("plane", {"classes": classes})})
