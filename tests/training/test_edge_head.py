# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.geometry import Ellipse, distances_to
from fetometry.training.heads import EdgeMaskHead, build_heads
from fetometry.training.recipe import Component
from tests.training.test_heads import HEAD, SIZE, TRUTH, ellipses, gradient, logits_of, truth

pytestmark = pytest.mark.train


def weight_at(distance_px, **options):
    return float(EdgeMaskHead(**options).weights(torch.tensor(float(distance_px))))


@pytest.mark.parametrize(
    ("distance_px", "right"),
    [(0, 31.0), (10, 19.195920), (-10, 19.195920), (20, 5.060059), (50, 1.000112), (400, 1.0)],
)
def test_the_weight_falls_from_31_on_the_edge_to_1_away_from_it(distance_px, right):
    # 1 + 30 exp(-1/2) = 19.195920; 1 + 30 exp(-2) = 5.060059; 1 + 30 exp(-12.5) = 1.000112
    assert weight_at(distance_px) == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize(
    ("distance_px", "wrong"),
    [(0, 31.0), (10, 32.538133), (-10, 32.538133), (200, 82.548455), (400, 222.671683)],
)
def test_the_printed_weight_grows_away_from_the_edge(distance_px, wrong):
    # 1 + 30 exp(10 / 200) = 32.538133; 1 + 30 e = 82.548455; 1 + 30 e^2 = 222.671683
    assert weight_at(distance_px, printed=True) == pytest.approx(wrong, abs=1e-4)


def test_the_printed_weight_is_finite_at_any_distance():
    assert weight_at(1e6, printed=True) == pytest.approx(1 + 30 * math.exp(10), rel=1e-6)


#: A pixel on the edge, weight 3, and a pixel far away, weight 1; doubtful and sure of the truth.
LOGITS = torch.tensor([[[[0.0, math.log(3)]]]])
TARGET = torch.tensor([[[[1.0, 0.0]]]])
WEIGHTS = torch.tensor([[[[3.0, 1.0]]]])


def test_the_weight_goes_inside_both_sums_of_dice():
    found = float(EdgeMaskHead()._losses(LOGITS, TARGET, WEIGHTS))
    # s = 1/2 and 3/4: the mean of 3 log 2 and log 4, and 1 - (2 * 3/2 + 1) / (3 + 3/2 + 3/4 + 1)
    wanted = (3 * math.log(2) + math.log(4)) / 2 + 1 - 4 / 6.25
    assert found == pytest.approx(wanted, rel=1e-6)


def test_as_printed_the_mean_weight_multiplies_a_dice_of_the_whole_image():
    found = float(EdgeMaskHead(printed=True)._losses(LOGITS, TARGET, WEIGHTS))
    # 2 is the mean weight; Dice without weights is (2 * 1/2 + 1) / (1 + 5/4 + 1)
    wanted = (3 * math.log(2) + math.log(4)) / 2 + 2 * (1 - 2 / 3.25)
    assert found == pytest.approx(wanted, rel=1e-6)


def test_without_a_weight_for_the_edge_both_forms_are_cross_entropy_and_dice():
    logits = torch.zeros(1, 1, *SIZE)
    area, pixels = HEAD.area, SIZE[0] * SIZE[1]
    visible = float(ellipses(HEAD).draw(SIZE, 1).sum())
    assert visible == pytest.approx(area, rel=0.02)
    wanted = math.log(2) + 1 - (visible + 1) / (visible + pixels / 2 + 1)
    for printed in (False, True):
        loss = EdgeMaskHead(edge=0.0, printed=printed).loss(logits, TRUTH)
        assert float(loss) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_distances_are_those_of_the_measured_outline(stride):
    grid = np.stack(np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride], axis=-1)
    at = (grid * stride + (stride - 1) / 2).reshape(-1, 2)
    wanted = np.maximum(distances_to(HEAD, at), -HEAD.semi_axes[1])
    found = ellipses(HEAD).distance(SIZE, stride)[0].numpy().ravel()
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_middle_of_an_ellipse_is_as_deep_as_its_short_semi_axis():
    found = ellipses(Ellipse((48.0, 70.0), (40.0, 25.0), 30.0)).distance(SIZE, 1)
    assert float(found[0, 48, 70]) == pytest.approx(-25, abs=1e-3)
    assert float(found.min()) == pytest.approx(-25, abs=1e-3)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("printed", [False, True])
def test_the_loss_is_least_at_the_truth(stride, printed):
    head = EdgeMaskHead(sigma_px=4.0, printed=printed)
    right = float(head.loss(logits_of(HEAD, stride), TRUTH))
    for semi_axes in ((48.0, 31.0), (52.0, 35.0)):
        other = logits_of(Ellipse(HEAD.center, semi_axes, HEAD.angle_deg), stride)
        assert float(head.loss(other, TRUTH)) > 2 * right


def test_an_error_on_the_edge_costs_more_than_the_same_error_far_from_it():
    def cost(row, col, **options):
        logits = logits_of(HEAD).clamp(-8, 8)
        logits[0, 0, row, col] *= -1
        return float(EdgeMaskHead(**options).loss(logits, TRUTH))

    edge = HEAD.points(4)[1] * 0.97 + np.array(HEAD.center) * 0.03  # just inside
    at_edge, far = tuple(np.rint(edge).astype(int)), (2, 2)
    whole = float(EdgeMaskHead(sigma_px=4.0).loss(logits_of(HEAD).clamp(-8, 8), TRUTH))
    assert cost(*at_edge, sigma_px=4.0) - whole > 10 * (cost(*far, sigma_px=4.0) - whole)
    assert cost(*far, sigma_px=4.0, printed=True) > cost(*at_edge, sigma_px=4.0, printed=True)


@pytest.mark.parametrize("printed", [False, True])
@pytest.mark.parametrize("value", [-200.0, 0.0, 200.0])
def test_gradients_are_finite(printed, value):
    known = truth(("head", HEAD), ("head", Ellipse((-200.0, -200.0), (30.0, 20.0), 0.0)))
    slope = gradient(EdgeMaskHead(printed=printed), torch.full((2, 1, *SIZE), value), known)
    assert torch.isfinite(slope).all()


def test_an_image_without_a_known_ellipse_teaches_nothing():
    known = truth(("head", None), ("femur", None), ("head", HEAD))
    logits = torch.randn(3, 1, *SIZE, generator=torch.Generator().manual_seed(0))
    slope = gradient(EdgeMaskHead(), logits, known)
    assert [int(torch.count_nonzero(s)) > 0 for s in slope] == [False, False, True]
    alone = float(EdgeMaskHead().loss(logits[2:], TRUTH))
    assert float(EdgeMaskHead().loss(logits, known)) == pytest.approx(alone / 3, rel=1e-5)


def test_half_precision_is_computed_in_full():
    half = EdgeMaskHead().loss(logits_of(HEAD).clamp(-8, 8).bfloat16(), TRUTH)
    assert half.dtype == torch.float32


def test_it_is_built_by_its_name_and_read_as_a_mask():
    (head,) = build_heads({"outline": Component("edge-mask", {"sigma_px": 2.4})}).values()
    assert head.meaning() == {"kind": "mask", "planes": ["head"], "values": "logits"}
    assert (head.output.channels, head.output.whole, head.sigma_px) == (1, False, 2.4)


@pytest.mark.parametrize("options", [{"sigma_px": 0.0}, {"edge": -1.0}])
def test_a_weight_that_makes_no_sense_is_refused(options):
    with pytest.raises(RecipeError, match="edge must not be negative, and sigma_px must be pos"):
        build_heads({"outline": Component("edge-mask", options)})
