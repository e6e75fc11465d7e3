import cv2
import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, distances_to, fit_ellipse, largest_component, trace


def level_map(ellipse, shape):
    """Pixels from the ellipse, positive inside: as straight across the edge as logits are."""
    grid = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    return (1 - ellipse.level(grid)) * ellipse.semi_axes[1]


def test_the_outline_of_a_level_map_is_found_to_a_hundredth_of_a_pixel():
    ellipse = Ellipse((40.3, 60.8), (35.2, 27.7), 25)
    outline = trace(level_map(ellipse, (80, 120)))
    assert outline.candidates == 1
    assert np.abs(distances_to(ellipse, outline.points)).max() < 0.01
    assert outline.points[:, 0].min() == pytest.approx(ellipse.points(3600)[:, 0].min(), abs=0.1)


def test_the_outline_runs_once_round_in_order():
    points = trace(level_map(Ellipse((40, 60), (35, 27), 25), (80, 120))).points
    turns = np.diff(np.unwrap(np.arctan2(*(points - points.mean(axis=0)).T)))
    assert (turns >= 0).all()
    steps = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    assert steps.max() < 1.5


def test_the_threshold_moves_the_outline():
    level = level_map(Ellipse((40, 60), (20, 20), 0), (80, 120))
    assert fit_ellipse(trace(level, 3).points).ellipse.semi_axes[0] == pytest.approx(17, abs=0.01)


def test_the_largest_structure_is_traced_and_the_others_are_counted():
    large, small, speck = (
        Ellipse(center, (axis, axis), 0)
        for center, axis in (((40, 40), 30), ((40, 100), 15), ((70, 90), 3))
    )
    level = np.max([level_map(e, (80, 120)) for e in (large, small, speck)], axis=0)
    outline = trace(level)
    # the speck has 1 % of the largest area: not a structure
    assert outline.candidates == 2
    assert np.abs(distances_to(large, outline.points)).max() < 0.01


def test_a_hole_is_no_outline_and_is_filled():
    outer, hole = Ellipse((40, 60), (30, 30), 0), Ellipse((40, 60), (12, 12), 0)
    level = np.minimum(level_map(outer, (80, 120)), -level_map(hole, (80, 120)))
    assert np.abs(distances_to(outer, trace(level).points)).max() < 0.01
    part, _ = largest_component(level > 0)
    np.testing.assert_array_equal(part, level_map(outer, (80, 120)) > 0)


def test_the_rim_of_the_map_is_no_outline():
    ellipse = Ellipse((0, 60), (30, 30), 0)
    points = trace(level_map(ellipse, (80, 120))).points
    assert np.abs(distances_to(ellipse, points)).max() < 0.01
    assert points[:, 0].max() == pytest.approx(30, abs=0.01)
    assert len(trace(np.ones((5, 5))).points) == 0


def test_a_map_with_nothing_above_the_threshold_is_refused():
    with pytest.raises(MeasurementError, match="nothing was found"):
        trace(np.full((10, 10), -1.0))


def test_the_pixel_grid_contour_of_a_mask_is_a_millimetre_too_small_and_ours_is_not():
    # an HC of 280 mm in a picture of 540 rows of 0.25 mm, shrunk to 256 rows: 0.527 mm a pixel
    rng = np.random.default_rng(3)
    naive, ours = [], []
    for _ in range(20):
        head = Ellipse(tuple(rng.uniform(120, 136, 2)), (95, 74), rng.uniform(0, 180))
        mask = head.mask((256, 256))
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        pixels = contours[0][:, 0, ::-1].astype(np.float64)
        traced = trace(np.where(mask, 1.0, -1.0)).points
        for found, points in ((naive, pixels), (ours, traced)):
            fit = fit_ellipse(points).ellipse
            found.append(0.527 * (fit.circumference - head.circumference))
    assert -2.0 < np.mean(naive) < -0.9
    assert abs(np.mean(ours)) < 0.05
