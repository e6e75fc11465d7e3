import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, apply, distances_to, fit_ellipse, invert, letterbox
from fetometry.predict.decode import (
    EDGE_MARGIN,
    find_ends,
    mask_outline,
    output_to_source,
    plane_probabilities,
)

SHAPE, SIZE = (540, 800), (256, 384)
HEAD = Ellipse((262.4, 391.7), (210.0, 163.0), 21.0)


def to_source(stride, shape=SHAPE):
    return output_to_source(letterbox(shape, SIZE), stride)


def hard_logits(ellipse, matrix, stride=1):
    mask = ellipse.transformed(invert(matrix)).mask((SIZE[0] // stride, SIZE[1] // stride))
    return np.where(mask, 1.0, -1.0)


def soft_logits(ellipse, matrix, stride):
    """Logits of the share of each pixel that lies inside, as a network is trained to draw it."""
    mapped = ellipse.transformed(invert(matrix))
    grid = np.stack(np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride], axis=-1).astype(float)
    away = distances_to(mapped, grid.reshape(-1, 2)).reshape(grid.shape[:2])
    share = np.clip(0.5 - away, 1e-3, 1 - 1e-3)
    return np.log(share / (1 - share))


@pytest.mark.parametrize(("stride", "expected"), [(1, (0, 0)), (2, (0.5, 0.5)), (4, (1.5, 1.5))])
def test_the_first_output_pixel_stands_in_the_middle_of_its_input_pixels(stride, expected):
    matrix = output_to_source(np.eye(2, 3), stride)
    np.testing.assert_allclose(apply(matrix, np.zeros((1, 2)))[0], expected)
    np.testing.assert_allclose(matrix[:, :2], stride * np.eye(2))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_an_output_pixel_maps_to_the_source_as_the_letterbox_maps_it_back(stride):
    place = np.array([[31.0, 47.0]])
    on_input = stride * place + (stride - 1) / 2
    found = apply(letterbox(SHAPE, SIZE), apply(to_source(stride), place))
    np.testing.assert_allclose(found, on_input)


@pytest.mark.parametrize(
    ("draw", "stride"), [(hard_logits, 1), (hard_logits, 2), (soft_logits, 1), (soft_logits, 2)]
)
def test_a_perfect_mask_gives_the_head_back_in_source_pixels(draw, stride):
    matrix = to_source(stride)
    outline = mask_outline(draw(HEAD, matrix, stride), matrix, SHAPE)
    fit = fit_ellipse(outline.points).ellipse
    assert fit.circumference == pytest.approx(HEAD.circumference, rel=1e-3)
    np.testing.assert_allclose(fit.center, HEAD.center, atol=0.3)


@pytest.mark.parametrize("shape", [(540, 800), (800, 540), (300, 300), (91, 133)])
def test_no_outline_point_lies_outside_the_picture_or_along_its_edge(shape):
    matrix = to_source(2, shape)
    # as high as the picture and wider: the mask runs on into the black bars
    head = Ellipse(tuple(np.array(shape) / 2), (0.6 * max(shape), 0.3 * max(shape)), 10)
    points = mask_outline(soft_logits(head, matrix, 2), matrix, shape).points
    margin = EDGE_MARGIN * 2 / letterbox(shape, SIZE)[0, 0] - 0.5
    assert len(points) > 50
    assert (points >= margin - 1e-9).all()
    assert (points <= np.array(shape) - 1 - margin + 1e-9).all()
    assert np.abs(distances_to(head, points)).max() < 0.02 * head.semi_axes[1]


def outside_share(ellipse):
    points = ellipse.points(720)
    return np.mean(np.any((points < -0.5) | (points > np.array(SHAPE) - 0.5), axis=1))


def cut_by(share, ellipse=HEAD):
    """Move the ellipse up until so much of its outline lies above the picture."""
    low, high = -400.0, ellipse.center[0]
    for _ in range(40):
        middle = (low + high) / 2
        moved = Ellipse((middle, ellipse.center[1]), ellipse.semi_axes, ellipse.angle_deg)
        low, high = (middle, high) if outside_share(moved) > share else (low, middle)
    return moved


@pytest.mark.parametrize(("share", "tolerance"), [(0.10, 0.002), (0.25, 0.003), (0.40, 0.005)])
@pytest.mark.parametrize(("draw", "stride"), [(hard_logits, 1), (soft_logits, 2)])
def test_the_mask_of_a_head_cut_by_the_edge_gives_the_whole_head_back(
    draw, stride, share, tolerance
):
    head, matrix = cut_by(share), to_source(stride)
    assert outside_share(head) == pytest.approx(share, abs=0.005)
    points = mask_outline(draw(head, matrix, stride), matrix, SHAPE).points
    found = fit_ellipse(points).ellipse
    assert found.circumference == pytest.approx(head.circumference, rel=tolerance)


def test_an_empty_mask_is_refused():
    with pytest.raises(MeasurementError, match="nothing was found"):
        mask_outline(np.full(SIZE, -5.0), to_source(1), SHAPE)


def test_a_mask_that_fills_the_picture_is_refused():
    with pytest.raises(MeasurementError, match="cuts almost the whole outline"):
        mask_outline(np.full(SIZE, 5.0), to_source(1), SHAPE)


def test_structures_are_counted():
    matrix = to_source(1)
    twins = [Ellipse((270, col), (150, 120), 90) for col in (200, 600)]
    logits = np.maximum(*(hard_logits(twin, matrix) for twin in twins))
    assert mask_outline(logits, matrix, SHAPE).candidates == 2


MAP = (60, 90)
FLAT = np.zeros(MAP)  # a mask that is everywhere as probable


def logit(p):
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def spots(*ends, sigma=2.5, heights=None):
    """Logits of a map of Gaussians, each of its height, 1 unless told otherwise."""
    grid = np.stack(np.mgrid[: MAP[0], : MAP[1]], axis=-1)
    drawn = [
        height * np.exp(-0.5 * np.sum((grid - np.array(end)) ** 2, axis=-1) / sigma**2)
        for end, height in zip(ends, heights or [1.0] * len(ends), strict=True)
    ]
    return logit(np.max(drawn, axis=0))


def bar(one, other, width=4.0):
    """Logits of a bar between two ends."""
    one, other = np.array(one, float), np.array(other, float)
    half = (other - one) / 2
    off = np.stack(np.mgrid[: MAP[0], : MAP[1]], axis=-1) - (one + other) / 2
    length = np.linalg.norm(half)
    beyond = np.maximum(
        np.abs(off @ half) / length - length, np.abs(off @ [-half[1], half[0]]) / length - width / 2
    )
    return np.clip(-3 * beyond, -20, 20)


def assert_found(found, *ends, within=0.1):
    """The two ends, in either order."""
    assert found.shape == (2, 2)
    far = np.linalg.norm(found[:, None] - np.array(ends)[None], axis=-1)
    assert min(max(far[0, 0], far[1, 1]), max(far[0, 1], far[1, 0])) < within


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, 0.5), (0.2, -0.35), (-0.49, 0.49)])
@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_two_spots_are_found_to_a_tenth_of_a_pixel(shift, sigma):
    ends = np.array([(20.0, 30.0), (41.0, 70.0)]) + np.array(shift) * [[1], [-1]]
    found = find_ends(spots(*ends, sigma=sigma, heights=(0.9, 0.6)), FLAT)
    assert_found(found, *ends)


@pytest.mark.parametrize(
    "ends",
    [
        ((0.0, 0.0), (59.0, 89.0)),
        ((0.4, 40.3), (59.3, 40.3)),
        ((30.0, -0.3), (30.2, 88.7)),
        ((1.5, 1.5), (57.6, 87.4)),
    ],
)
def test_spots_at_the_border_of_the_map_are_found_as_well(ends):
    assert_found(find_ends(spots(*ends, heights=(0.9, 0.8)), FLAT), *ends)


def test_the_order_of_the_ends_and_a_mirrored_map_do_not_matter():
    ends = ((20.3, 30.6), (41.2, 70.1))
    assert_found(find_ends(spots(*ends[::-1]), FLAT), *ends)
    mirrored = find_ends(spots(*ends)[:, ::-1], FLAT)
    assert_found(mirrored * [1, -1] + [0, MAP[1] - 1], *ends)


@pytest.mark.parametrize("brightest", [0, 1, 2])
def test_a_bright_spot_off_the_shaft_is_no_end(brightest):
    ends, other = ((20.0, 30.0), (40.0, 70.0)), (50.0, 15.0)
    heights = [0.95 if i == brightest else 0.7 for i in range(3)]
    logits = spots(*ends, other, heights=heights)
    assert_found(find_ends(logits, bar(*ends)), *ends)


def test_without_a_mask_that_tells_the_brightest_two_are_the_ends():
    logits = spots((20.0, 30.0), (40.0, 70.0), (50.0, 15.0), heights=(0.9, 0.5, 0.8))
    assert_found(find_ends(logits, FLAT), (20.0, 30.0), (50.0, 15.0))


def test_an_end_that_is_hardly_seen_is_found_along_the_shaft():
    ends = ((20.0, 30.0), (40.0, 70.0))
    assert_found(find_ends(spots(*ends, heights=(0.9, 0.05)), bar(*ends)), *ends, within=0.3)


@pytest.mark.parametrize(
    "logits",
    [
        np.full(MAP, -9.0),
        np.full(MAP, np.nan),
        spots((20.0, 30.0)),
        spots((20.0, 30.0), (40.0, 70.0), heights=(0.9, 0.015)),
        spots((20.0, 30.0), (20.0, 33.0), sigma=1.0),
    ],
    ids=["empty", "not a number", "one spot", "one is too faint", "two nearer than 4 pixels"],
)
def test_fewer_than_two_ends_are_refused(logits):
    with pytest.raises(MeasurementError, match="the two ends were not found"):
        find_ends(logits, FLAT)


def test_probabilities_are_those_of_the_logits_and_add_up_to_1():
    logits = np.log([6.0, 3.0, 1.0]).astype(np.float32)
    found = plane_probabilities(logits, ["head", "femur", "none"], 1.0)
    assert found == pytest.approx({"head": 0.6, "femur": 0.3, "none": 0.1})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_temperature_takes_each_probability_to_its_power(temperature):
    found = plane_probabilities(np.log([9.0, 4.0, 1.0]), ["a", "b", "c"], temperature)
    powers = np.array([9.0, 4.0, 1.0]) ** (1 / temperature)
    assert list(found.values()) == pytest.approx((powers / powers.sum()).tolist())


def test_logits_too_large_for_an_exponential_are_probabilities_too():
    found = plane_probabilities(np.array([5000.0, -5000.0], np.float32), ["a", "b"], 1.0)
    assert found == {"a": 1.0, "b": 0.0}
