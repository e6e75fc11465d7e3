# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.heads.volumes import (
    SolidEndsHead,
    SolidHead,
    VolumeTruth,
    draw_heatmaps,
    hard_argmax_3d,
    heatmap_loss,
    hinge_distance_loss,
    hybrid_loss,
    left_first,
    matched,
    printed_distance_loss,
    soft_argmax_3d,
    weighted_cross_entropy,
)

pytestmark = pytest.mark.train

SHAPE = (14, 16, 18)
ENDS = torch.tensor([[[3.0, 4.0, 5.0], [10.0, 11.0, 12.0]]], dtype=torch.float64)


def random(*shape, seed=0):
    made = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made.requires_grad_()


def apart(distance):
    """Two found points so many voxels from each other, (1, 2, 3)."""
    return torch.tensor([[[0.0, 0.0, 0.0], [0.0, distance, 0.0]]], dtype=torch.float64)


def truth():
    mask = torch.zeros(1, 1, *SHAPE, dtype=torch.float64)
    mask[0, 0, 4:10, 5:11, 6:12] = 1
    return VolumeTruth(mask, ENDS)


def perfect():
    """Outputs that are the truth: logits far from 0, and the drawn ends."""
    known = truth()
    drawn = draw_heatmaps(known.ends, SolidEndsHead().sigma_voxels, SHAPE)
    return {"mask": 60 * known.mask - 30, "ends": drawn}


def total(heads, outputs):
    """The heads' weighted losses, added up as the training loop does."""
    return sum(head.weight * head.loss(outputs[name], truth()) for name, head in heads.items())


def test_a_drawn_end_is_a_gaussian_with_a_peak_of_1():
    drawn = draw_heatmaps(ENDS, 2.0, SHAPE)
    assert drawn.shape == (1, 2, *SHAPE)
    assert drawn[0, 0, 3, 4, 5] == 1
    assert drawn[0, 1, 10, 11, 12] == 1
    # 2 voxels off along one axis is one sigma; along two, one sigma of each
    assert drawn[0, 0, 5, 4, 5] == pytest.approx(math.exp(-1 / 2))
    assert drawn[0, 0, 3, 6, 7] == pytest.approx(math.exp(-1))


def test_an_end_outside_the_volume_still_reaches_in():
    drawn = draw_heatmaps(torch.tensor([[[-2.0, 4.0, 5.0]]]), 2.0, SHAPE)
    assert drawn[0, 0, 0, 4, 5] == pytest.approx(math.exp(-1 / 2))


def test_the_soft_argmax_is_the_place_of_the_peak_to_a_fraction_of_a_voxel():
    place = torch.tensor([[[6.3, 7.6, 8.5], [5.0, 9.9, 7.25]]])
    found = soft_argmax_3d(draw_heatmaps(place, 3.0, SHAPE), SolidEndsHead().sharpness)
    assert (found - place).abs().max() < 0.1
    assert (hard_argmax_3d(draw_heatmaps(place, 3.0, SHAPE)) - place).abs().max() > 0.29


def test_the_soft_argmax_of_two_voxels_is_worked_by_hand():
    heatmap = torch.full((1, 1, 1, 1, 5), -1e6)
    heatmap[..., 1], heatmap[..., 4] = math.log(3), 0.0
    # shares 3 / 4 and 1 / 4: 1 * 3/4 + 4 * 1/4
    torch.testing.assert_close(soft_argmax_3d(heatmap, 1.0), torch.tensor([[[0.0, 0.0, 1.75]]]))


def test_the_hard_argmax_is_the_highest_voxel_of_each_map():
    heatmaps = torch.zeros(1, 2, *SHAPE)
    heatmaps[0, 0, 3, 4, 5] = heatmaps[0, 1, 13, 15, 17] = 1
    assert hard_argmax_3d(heatmaps).tolist() == [[[3, 4, 5], [13, 15, 17]]]


def test_a_hard_argmax_has_no_gradient_while_the_soft_one_has():
    heatmaps = random(1, 2, 3, 4, 5)
    assert not hard_argmax_3d(heatmaps).requires_grad
    loss = printed_distance_loss(soft_argmax_3d(heatmaps, 3.0), ENDS).sum()
    assert torch.autograd.grad(loss, heatmaps)[0].abs().max() > 0


def test_weighted_cross_entropy_is_worked_by_hand():
    # one voxel of four is inside: it counts 3/4, the others 1/4 each; logits 0 cost log 2
    mask = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 1, 2, 2)
    flat = weighted_cross_entropy(torch.zeros_like(mask), mask)
    torch.testing.assert_close(flat, torch.tensor([math.log(2) * (3 / 4 + 3 / 4) / 4]))
    logits = torch.tensor([1.0, -1, 2, 0]).view_as(mask)
    inside = math.log(1 + math.exp(-1))
    outside = math.log(1 + math.exp(-1)) + math.log(1 + math.exp(2)) + math.log(2)
    expected = (3 * inside + outside) / 16
    assert weighted_cross_entropy(logits, mask).item() == pytest.approx(expected)


def test_the_hybrid_loss_adds_theta_times_dice():
    # p = 1/2 everywhere, one voxel of four: 2 * 0.5 + 1 over 4 * 0.25 + 1 + 1
    mask = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 1, 2, 2)
    zero = torch.zeros_like(mask)
    cross = weighted_cross_entropy(zero, mask).item()
    dice = 1 - 2 / 3
    assert hybrid_loss(zero, mask, theta=100).item() == pytest.approx(cross + 100 * dice)
    assert hybrid_loss(zero, mask, theta=0).item() == pytest.approx(cross)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    # squares 1 + 4 in one map, 0.25 in the other; 4 voxels; energies 4 and below 1
    [("sum", 5.25), ("mean", 5.25 / 4), ("energy", 5 / 4 + 0.25)],
)
def test_the_heatmap_loss_is_worked_by_hand(reduction, expected):
    target = torch.tensor([[0.0, 2, 0, 0], [0, 0, 0.5, 0]]).view(1, 2, 1, 2, 2)
    found = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0.0, 0]]).view_as(target)
    assert heatmap_loss(found, target, reduction=reduction).item() == pytest.approx(expected)


@pytest.mark.parametrize("sigma", [1.0, 1.5])
def test_by_energy_an_empty_map_costs_1_for_each_end_whatever_sigma_is(sigma):
    target = draw_heatmaps(torch.tensor([[[7.0, 7, 7], [6, 8, 9]]]), sigma, (15, 16, 17))
    empty = torch.zeros_like(target)
    assert heatmap_loss(empty, target, reduction="energy").item() == pytest.approx(2)
    energy = 2 * math.pi**1.5 * sigma**3
    assert heatmap_loss(empty, target, reduction="sum").item() == pytest.approx(energy, rel=1e-3)


def test_a_turned_target_is_turned_back_volume_by_volume():
    target = draw_heatmaps(torch.cat([ENDS, ENDS]), 2.0, SHAPE)
    found = torch.stack([target[0], target[1].flip(0)])
    assert torch.equal(matched(found, target), found)


def test_the_printed_distance_loss_is_next_to_nothing_at_real_distances():
    # a femur of 50 mm at 0.38 mm, rescaled 0.65 times: 85.5 voxels
    distance = 50 / (0.38 / 0.65)
    printed = printed_distance_loss(apart(distance), ENDS).item()
    assert printed == pytest.approx(1 / distance**2)
    assert 0.2 * 0.5 * printed == pytest.approx(1.4e-5, rel=0.03)


def test_the_printed_distance_loss_diverges_at_0_where_the_hinge_is_bounded():
    near = printed_distance_loss(apart(1e-3), ENDS).item()
    assert near == pytest.approx(1e6)
    assert math.isinf(printed_distance_loss(apart(0.0), ENDS).item())
    hinge = hinge_distance_loss(apart(0.0), ENDS).item()
    assert hinge == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("distance", "expected"), [(5.0, 0.75), (10.0, 0.5), (20.0, 0), (30.0, 0)])
def test_the_hinge_counts_by_what_share_the_ends_are_too_near(distance, expected):
    found = hinge_distance_loss(apart(distance), apart(20.0)).item()
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_hinge_has_a_finite_gradient_where_both_peaks_are_one():
    found = apart(0.0).requires_grad_()
    hinge_distance_loss(found, apart(20.0)).sum().backward()
    assert torch.isfinite(found.grad).all()


def small_truth():
    mask = (random(2, 1, 2, 3, 3, seed=5) > 0.5).double()
    return mask, torch.tensor([[[0.2, 1, 0], [1, 2, 2]], [[1, 0, 1], [0, 1.6, 1]]]).double()


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: weighted_cross_entropy(x[:, :1], small_truth()[0]),
        lambda x: hybrid_loss(x[:, :1], small_truth()[0], theta=100.0),
        lambda x: soft_argmax_3d(x, 4.0),
        lambda x: printed_distance_loss(soft_argmax_3d(x, 4.0), small_truth()[1]),
        lambda x: hinge_distance_loss(soft_argmax_3d(x, 4.0), small_truth()[1]),
        *(
            lambda x, r=r: heatmap_loss(
                x, draw_heatmaps(small_truth()[1], 1.0, (2, 3, 3)), reduction=r
            )
            for r in ("sum", "mean", "energy")
        ),
    ],
)
def test_gradients_are_those_of_finite_differences(loss):
    assert torch.autograd.gradcheck(loss, (random(2, 2, 2, 3, 3),))


@pytest.mark.parametrize("reduction", ["sum", "mean", "energy"])
@pytest.mark.parametrize("order", ["given", "columns", "matched"])
def test_the_truth_itself_costs_nothing_and_anything_else_more(reduction, order):
    heads = {
        "mask": SolidHead(),
        "ends": SolidEndsHead(reduction=reduction, order=order, sharpness=60.0),
    }
    best = total(heads, perfect()).item()
    assert best == pytest.approx(0, abs=2e-3)
    for name in heads:
        worse = {**perfect(), name: perfect()[name].roll(1, dims=3)}
        assert total(heads, worse).item() > best + 1e-3 * (reduction == "mean")


def test_the_terms_are_weighted_as_the_paper_says():
    outputs = {"mask": random(1, 1, *SHAPE), "ends": random(1, 2, *SHAPE, seed=1)}
    heads, known = {"mask": SolidHead(), "ends": SolidEndsHead(distance="printed")}, truth()
    target = draw_heatmaps(known.ends, heads["ends"].sigma_voxels, SHAPE)
    peaks = soft_argmax_3d(outputs["ends"].float(), heads["ends"].sharpness)
    # Eq. 2: alpha (wCE + theta Dice) + beta (L2 + gamma L_CD)
    alpha, beta, gamma, theta = 1.0, 0.2, 0.5, 100.0
    mask = hybrid_loss(outputs["mask"].float(), known.mask, theta=theta).mean()
    squares = heatmap_loss(outputs["ends"].float(), target, reduction="sum").mean()
    distance = printed_distance_loss(peaks, known.ends).mean()
    assert squares.item() > 1
    assert distance.item() > 0
    expected = alpha * mask + beta * (squares + gamma * distance)
    torch.testing.assert_close(total(heads, outputs), expected)
    # one branch alone has its own terms
    mask_alone, ends_alone = ({name: head} for name, head in heads.items())
    torch.testing.assert_close(total(mask_alone, outputs), alpha * mask)
    torch.testing.assert_close(total(ends_alone, outputs), beta * (squares + gamma * distance))


def test_gamma_0_leaves_the_distance_out():
    heatmaps = draw_heatmaps(ENDS[:, :1].expand(-1, 2, -1), 3.0, SHAPE)  # both at one end
    with_it, without = (SolidEndsHead(gamma=gamma).loss(heatmaps, truth()) for gamma in (0.5, 0))
    squares = SolidEndsHead().ends_loss(heatmaps.float(), truth())
    torch.testing.assert_close(without, squares)
    assert with_it.item() == pytest.approx(squares.item() + 0.5, abs=0.05)


def test_the_order_that_fits_better_is_what_the_heatmaps_are_compared_with():
    crossed = perfect()["ends"].flip(1)
    given, either = (SolidEndsHead(gamma=0, order=order) for order in ("given", "matched"))
    assert either.loss(crossed, truth()).item() == pytest.approx(0, abs=1e-6)
    assert given.loss(crossed, truth()).item() > 10
    assert torch.equal(either.targets(crossed, truth()), crossed)


def test_by_columns_the_left_end_is_the_first_map_s_whichever_end_it_is():
    known = VolumeTruth(truth().mask.expand(2, -1, -1, -1, -1), torch.cat([ENDS, ENDS.flip(1)]))
    assert torch.equal(left_first(known.ends), torch.cat([ENDS, ENDS]))
    head = SolidEndsHead(order="columns")
    targets = head.targets(torch.zeros(2, 2, *SHAPE), known)
    assert hard_argmax_3d(targets).tolist() == [ENDS[0].tolist()] * 2
    # a volume mirrored across the columns asks for its ends mirrored, and exchanged
    mirrored = known.ends * torch.tensor([1, 1, -1]) + torch.tensor([0, 0, SHAPE[2] - 1])
    turned = head.targets(torch.zeros(2, 2, *SHAPE), VolumeTruth(known.mask, mirrored))
    torch.testing.assert_close(turned, targets.flip(4).flip(1))


def test_the_heads_say_what_they_ask_of_the_network_and_what_it_means():
    mask, ends = SolidHead(), SolidEndsHead(sigma_voxels=2.5)
    assert (mask.output.channels, ends.output.channels) == (1, 2)
    assert not mask.output.whole
    assert not ends.output.whole
    assert mask.meaning() == {"kind": "solid", "planes": ["femur"], "values": "logits"}
    assert ends.meaning() == {"kind": "solid-ends", "planes": ["femur"], "sigma_voxels": 2.5}


def test_outputs_in_half_precision_are_compared_in_full():
    for name, head in (("mask", SolidHead()), ("ends", SolidEndsHead())):
        known = VolumeTruth(truth().mask.float(), truth().ends.float())
        output = torch.rand(1, head.output.channels, *SHAPE).bfloat16()
        loss = head.loss(output, known)
        assert loss.dtype == torch.float32, name
        torch.testing.assert_close(loss, head.loss(output.float(), known))


def test_the_distance_counts_only_where_both_ends_are_in_the_volume():
    known = truth()
    cut = VolumeTruth(known.mask, known.ends + torch.tensor([0.0, 0.0, 6.0]))
    assert known.within().tolist() == [True]
    assert cut.within().tolist() == [False]
    alike = perfect()["ends"][:, :1].expand(-1, 2, -1, -1, -1)
    assert SolidEndsHead().distance_loss(alike, known) > 0.9
    assert SolidEndsHead().distance_loss(alike, cut) == 0


def test_a_few_steps_down_the_gradient_pull_overlapping_peaks_apart():
    known, loss = truth(), SolidEndsHead(sharpness=10.0)
    heatmaps = draw_heatmaps(torch.tensor([[[6.0, 7, 8], [7, 8, 9]]]), 2.0, SHAPE)
    heatmaps.requires_grad_()
    before = loss.distance_loss(heatmaps, known)
    (gradient,) = torch.autograd.grad(before, heatmaps)
    assert loss.distance_loss(heatmaps - gradient, known) < before


@pytest.mark.parametrize(
    ("head", "options", "words"),
    [
        (SolidEndsHead, {"distance": "hard"}, "known: printed, hinge"),
        (SolidEndsHead, {"reduction": "none"}, "known: sum, mean, energy"),
        (SolidEndsHead, {"order": "any"}, "known: given, columns, matched"),
        (SolidEndsHead, {"gamma": -1.0}, "not be negative"),
        (SolidEndsHead, {"sigma_voxels": 0.0}, "must be positive"),
        (SolidEndsHead, {"sharpness": 0.0}, "must be positive"),
        (SolidHead, {"theta": -1.0}, "not be negative"),
    ],
)
def test_what_a_head_cannot_do_is_refused(head, options, words):
    with pytest.raises(RecipeError, match=words):
        head(**options)
