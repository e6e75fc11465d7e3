import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, apply, distances_to, fit_ellipse, invert, letterbox
from fetometry.predict.decode import EDGE_MARGIN, mask_outline, output_to_source

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
