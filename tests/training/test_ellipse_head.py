# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.geometry import Ellipse, apply, invert, letterbox
from fetometry.predict.ellipse import read_ellipse
from fetometry.predict.seeing import Place, see
from fetometry.training.heads import EllipseHead, build_heads
from fetometry.training.recipe import Component
from tests.training.test_heads import HEAD, SIZE, gradient, truth

pytestmark = pytest.mark.train

ANGLES = (0.0, 1.0, 25.0, 45.0, 90.0, 135.0, 179.0)


def turned(angle_deg):
    return Ellipse(HEAD.center, HEAD.semi_axes, angle_deg)


def cost(head, found, right):
    """The loss where the parameters of one ellipse are told and another one is true."""
    told = head.target(truth(("head", found)))
    return float(head.loss(told, truth(("head", right))))


def test_as_printed_1_degree_against_179_costs_178_squared_of_five_parameters():
    # 178^2 = 31,684, and the mean is over five numbers
    assert cost(EllipseHead(printed=True), turned(1), turned(179)) * 5 == pytest.approx(
        31_684, rel=1e-3
    )


def test_by_the_double_angle_1_degree_against_179_costs_the_2_degrees_between_them():
    # the directions of 2 and 358 degrees are 2 sin 2 deg apart
    wanted = (2 * np.sin(np.radians(2))) ** 2
    found = cost(EllipseHead(), turned(1), turned(179)) * 6
    assert found == pytest.approx(wanted, rel=1e-3)
    assert found < 0.005
    assert found == pytest.approx(cost(EllipseHead(), turned(40), turned(42)) * 6, rel=1e-3)


def test_a_centre_10_px_away_and_a_diameter_20_px_too_long_are_the_worked_number():
    other = Ellipse((HEAD.center[0] + 10, HEAD.center[1]), (60.0, 33.0), HEAD.angle_deg)
    assert cost(EllipseHead(), other, HEAD) == pytest.approx((10**2 + 20**2) / 144**2 / 6, rel=1e-4)
    assert cost(EllipseHead(printed=True), other, HEAD) == pytest.approx(
        (10**2 + 20**2) / 5, rel=1e-4
    )


def test_the_parameters_are_the_worked_numbers():
    known = truth(("head", Ellipse((48.0, 72.0), (36.0, 18.0), 15.0)))
    told = EllipseHead().target(known)[0].tolist()
    # of the longer side, 144: 48, 72, 72 and 36; twice 15 degrees is 30
    assert told == pytest.approx([1 / 3, 1 / 2, 1 / 2, 1 / 4, 0.5, np.sqrt(0.75)], abs=1e-5)
    printed = EllipseHead(printed=True).target(known)[0].tolist()
    assert printed == pytest.approx([48, 72, 72, 36, 15], abs=1e-3)


@pytest.mark.parametrize("printed", [False, True])
@pytest.mark.parametrize("angle_deg", ANGLES)
def test_the_true_parameters_cost_nothing_and_are_read_back_as_the_ellipse(printed, angle_deg):
    head, right = EllipseHead(printed=printed), turned(angle_deg)
    assert cost(head, right, right) == 0
    told = head.target(truth(("head", right)))[0].numpy()
    found = read_ellipse(told, head.meaning(), SIZE)
    assert found.center == pytest.approx(right.center, abs=1e-3)
    assert found.semi_axes == pytest.approx(right.semi_axes, rel=1e-4)
    assert np.cos(2 * np.radians(found.angle_deg - angle_deg)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("printed", [False, True])
def test_the_reader_draws_the_true_outline_in_the_source(printed):
    head, shape = EllipseHead(printed=printed), (540, 800)
    maps = {"ellipse": head.target(truth(("head", HEAD)))[0].numpy()}
    place = Place(letterbox(shape, SIZE), shape, SIZE)
    sight = see({"ellipse": head.meaning()}, "head", maps, place)
    level = HEAD.level(apply(place.to_input, sight.outline.points))
    np.testing.assert_allclose(level, 1, atol=1e-4)
    wanted = HEAD.transformed(invert(place.to_input)).circumference
    closed = np.diff(sight.outline.points, axis=0, append=sight.outline.points[:1])
    # the head of this test is cut by the image: of its outline a part is missing
    assert float(np.linalg.norm(closed, axis=1).sum()) < wanted


def test_a_circle_has_no_direction():
    told = EllipseHead().target(truth(("head", Ellipse((48.0, 72.0), (30.0, 30.0), 70.0))))
    assert told[0, 4:].tolist() == pytest.approx([0, 0], abs=1e-3)


def test_the_loss_has_a_gradient_towards_the_truth():
    known = truth(("head", HEAD))
    head = EllipseHead()
    right = head.target(known)
    slope = gradient(head, right + 0.3, known)
    assert (slope > 0).all()
    torch.testing.assert_close(gradient(head, right, known), torch.zeros(1, 6))


def test_an_image_without_a_known_ellipse_teaches_nothing():
    known = truth(("head", None), ("abdomen", HEAD), ("head", HEAD))
    slope = gradient(EllipseHead(), torch.ones(3, 6), known)
    assert [int(torch.count_nonzero(s)) > 0 for s in slope] == [False, False, True]
    alone = float(EllipseHead().loss(torch.ones(1, 6), truth(("head", HEAD))))
    assert float(EllipseHead().loss(torch.ones(3, 6), known)) == pytest.approx(alone / 3, rel=1e-5)


def test_half_precision_is_computed_in_full():
    half = EllipseHead().loss(torch.ones(1, 6).bfloat16(), truth(("head", HEAD)))
    assert half.dtype == torch.float32


@pytest.mark.parametrize(("printed", "count"), [(False, 6), (True, 5)])
def test_it_is_built_by_its_name_and_asks_for_one_number_a_parameter(printed, count):
    (head,) = build_heads({"ellipse": Component("ellipse", {"printed": printed})}).values()
    assert (head.output.channels, head.output.whole) == (count, True)
    assert head.meaning()["kind"] == "ellipse"
    assert head.meaning()["planes"] == ["head"]
