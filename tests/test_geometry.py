import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ellipe

from fetometry.errors import MeasurementError
from fetometry.geometry import (
    MIN_POINTS,
    Ellipse,
    apply,
    compose,
    distances_to,
    ellipse_circumference,
    fit_ellipse,
    invert,
    largest_component,
    letterbox,
    trace,
)

#: No time limit and no randomness: a slow machine or an unlucky day is not a failure.
steady = settings(max_examples=60, deadline=None, derandomize=True, database=None)

HEAD = Ellipse((100.3, 150.7), (100.0, 78.0), 33.0)


@st.composite
def ellipses(draw):
    a = draw(st.floats(5, 500))
    b = a * draw(st.floats(0.3, 1))
    center = draw(st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
    return Ellipse(center, (a, b), draw(st.floats(0, 180, exclude_max=True)))


@st.composite
def affine_maps(draw):
    """Rotation or reflection times a stretch of at most 3 either way, and a shift."""
    turn = np.radians(draw(st.floats(0, 360)))
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.diag([draw(st.floats(1 / 3, 3)), draw(st.sampled_from([-1, 1]))])
    shift = [[draw(st.floats(-100, 100))] for _ in range(2)]
    return np.hstack([spin @ stretch @ spin.T, shift])


def same(one, other, tolerance=1e-6):
    """Compare ellipses by centre and shape: the angle of a circle means nothing."""
    size = one.semi_axes[0]
    np.testing.assert_allclose(one.center, other.center, rtol=0, atol=tolerance * size)
    np.testing.assert_allclose(one.shape, other.shape, rtol=0, atol=tolerance * size**2)
    return True


def level_map(ellipse, shape):
    """Pixels from the ellipse, positive inside: as straight across the edge as logits are."""
    grid = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    return (1 - ellipse.level(grid)) * ellipse.semi_axes[1]


@pytest.mark.parametrize("ratio", np.linspace(0.3, 1, 15))
def test_ramanujan_agrees_with_the_elliptic_integral(ratio):
    exact = 4 * 100 * ellipe(1 - ratio**2)
    assert ellipse_circumference(100, 100 * ratio) == pytest.approx(exact, rel=1e-7)


def test_a_circle_of_radius_one_has_circumference_two_pi_and_area_pi():
    circle = Ellipse((0, 0), (1, 1), 0)
    assert circle.circumference == pytest.approx(2 * np.pi)
    assert circle.area == pytest.approx(np.pi)


@pytest.mark.parametrize("axes", [(1, 2), (1, 0), (1, -1), (np.nan, 1), (np.inf, 1), (0, 0)])
def test_an_ellipse_without_ordered_positive_finite_axes_is_refused(axes):
    with pytest.raises(MeasurementError, match="not an ellipse"):
        Ellipse((0, 0), axes, 0)


@pytest.mark.parametrize(("given_deg", "kept_deg"), [(0, 0), (180, 0), (-30, 150), (-1e-17, 0)])
def test_the_angle_is_kept_from_0_up_to_180_degrees(given_deg, kept_deg):
    assert Ellipse((0, 0), (2, 1), given_deg).angle_deg == kept_deg


@pytest.mark.parametrize(
    ("angle_deg", "ends"),
    [
        (0, [(10, 17), (10, 23), (8, 20), (12, 20)]),
        (90, [(7, 20), (13, 20), (10, 18), (10, 22)]),
    ],
)
def test_the_angle_turns_the_long_axis_from_the_columns_to_the_rows(angle_deg, ends):
    found = Ellipse((10, 20), (3, 2), angle_deg).axis_points
    for pair, expected in ((found[:2], ends[:2]), (found[2:], ends[2:])):
        np.testing.assert_allclose(sorted(pair.round(9).tolist()), expected)


def test_an_angle_of_30_degrees_goes_down_the_screen():
    np.testing.assert_allclose(Ellipse((0, 0), (2, 1), 30).directions[0], (0.5, np.sqrt(0.75)))


def test_the_mask_covers_the_area_and_the_level_is_one_on_the_edge():
    mask = HEAD.mask((220, 300))
    assert np.count_nonzero(mask) == pytest.approx(HEAD.area, rel=1e-3)
    np.testing.assert_allclose(HEAD.level(HEAD.points(50)), 1)


@steady
@given(ellipses(), affine_maps(), affine_maps())
def test_transforming_twice_is_transforming_by_the_composed_map(ellipse, first, second):
    assert same(
        ellipse.transformed(first).transformed(second),
        ellipse.transformed(compose(second, first)),
    )


@steady
@given(ellipses(), affine_maps())
def test_a_transformed_ellipse_passes_through_the_transformed_points(ellipse, matrix):
    moved = apply(matrix, ellipse.points(40))
    np.testing.assert_allclose(ellipse.transformed(matrix).level(moved), 1, atol=1e-6)


@steady
@given(ellipses(), st.floats(0.05, 1), st.floats(0.05, 1))
def test_scaling_to_millimetres_and_back_returns_the_ellipse(ellipse, row_mm, col_mm):
    scaled = ellipse.scaled(row_mm, col_mm)
    assert scaled.area == pytest.approx(ellipse.area * row_mm * col_mm, rel=1e-6)
    assert same(scaled.scaled(1 / row_mm, 1 / col_mm), ellipse)


@steady
@given(ellipses(), st.integers(2 * MIN_POINTS, 500))
def test_fitting_the_points_of_an_ellipse_returns_it(ellipse, count):
    fit = fit_ellipse(ellipse.points(count))
    assert same(fit.ellipse, ellipse)
    assert fit.residual < 1e-6 * ellipse.semi_axes[0]
    assert fit.inliers == 1


@steady
@given(affine_maps())
def test_a_map_and_its_inverse_cancel(matrix):
    np.testing.assert_allclose(compose(invert(matrix), matrix), np.eye(2, 3), atol=1e-9)


@steady
@given(*[st.tuples(st.integers(1, 2000), st.integers(1, 2000)) for _ in range(2)])
def test_a_letterbox_keeps_the_picture_inside_and_in_the_middle(source, target):
    matrix = letterbox(source, target)
    low, high = np.array([-0.5, -0.5]), np.array(source) - 0.5
    mapped = apply(matrix, np.array([low, high]))
    np.testing.assert_allclose(mapped.mean(axis=0), (np.array(target) - 1) / 2, atol=1e-6)
    room = np.array(target) - (mapped[1] - mapped[0])
    assert room.min() == pytest.approx(0, abs=1e-6)
    assert room.max() >= -1e-6
    np.testing.assert_allclose(apply(invert(matrix), mapped), [low, high], atol=1e-6)


def test_the_letterbox_of_a_worked_example():
    # scale min(256 / 540, 384 / 800) = 0.474074; 384 - 0.474074 * 800 = 4.740741 columns left over
    expected = [[0.474074, 0, -0.262963], [0, 0.474074, 2.107407]]
    np.testing.assert_allclose(letterbox((540, 800), (256, 384)), expected, atol=1e-6)


def test_distances_are_exact_along_the_axes_and_minus_the_short_axis_at_the_centre():
    ellipse = Ellipse((10, 20), (5, 3), 0)
    points = np.array([(10, 27), (10, 22), (14, 20), (12, 20), (10, 20)], float)
    np.testing.assert_allclose(distances_to(ellipse, points), (2, -3, 1, -1, -3))


def test_distances_near_the_edge_agree_with_the_nearest_point_of_the_outline():
    rng = np.random.default_rng(0)
    points = HEAD.points(200) + rng.normal(0, 3, (200, 2))
    nearest = np.linalg.norm(points[:, None] - HEAD.points(20_000)[None], axis=-1).min(axis=1)
    found = distances_to(HEAD, points)
    np.testing.assert_allclose(np.abs(found), nearest, atol=0.1)
    np.testing.assert_array_equal(found > 0, HEAD.level(points) > 1)


def test_a_fifth_of_scattered_outliers_does_not_move_the_fit():
    rng = np.random.default_rng(1)
    points = HEAD.points(400) + rng.normal(0, 0.3, (400, 2))
    points[::5] = rng.uniform(0, 300, (80, 2))
    fit = fit_ellipse(points)
    assert fit.ellipse.circumference == pytest.approx(HEAD.circumference, rel=1e-3)
    assert fit.inliers < 0.85
    assert fit.residual > 5


def test_a_bulge_over_a_tenth_of_the_outline_does_not_move_the_fit():
    points = HEAD.points(400)
    points[:40] += 0.2 * (points[:40] - HEAD.center)
    assert same(fit_ellipse(points).ellipse, HEAD, tolerance=1e-3)


def test_an_outline_with_gaps_is_fitted_as_a_whole_one():
    points = HEAD.points(360)
    broken = np.concatenate([points[10:60], points[100:220], points[250:330]])
    assert same(fit_ellipse(broken).ellipse, HEAD)


@pytest.mark.parametrize("share", [1.0, 0.75, 0.6, 0.5])
def test_noise_of_one_percent_does_not_shrink_the_fit_of_a_part(share):
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(25):
        part = np.roll(HEAD.points(720), rng.integers(720), axis=0)[: int(720 * share)]
        fit = fit_ellipse(part + rng.normal(0, 1, part.shape))
        ratios.append(fit.ellipse.circumference / HEAD.circumference)
    # an algebraic fit of half an outline is 1.1 % too small here; the spread of ours is 0.6 %
    assert np.mean(ratios) == pytest.approx(1, abs=4e-3)
    assert np.std(ratios) < 0.01


def _line(slope):
    return np.stack([slope * np.arange(50.0), np.arange(50.0)], axis=1)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (HEAD.points(MIN_POINTS - 1), "needs 12 outline points, got 11"),
        (np.zeros((0, 2)), "got 0"),
        (_line(0.5), "line or a point"),
        (_line(0.0), "line or a point"),
        (np.full((50, 2), 7.0), "line or a point"),
        (np.full((50, 2), np.nan), "line or a point"),
    ],
)
def test_what_is_no_ellipse_is_refused(points, reason):
    with pytest.raises(MeasurementError, match=reason):
        fit_ellipse(points)


def test_a_point_at_the_very_centre_is_an_outlier_like_any_other():
    points = np.concatenate([HEAD.points(100), [HEAD.center]])
    assert same(fit_ellipse(points).ellipse, HEAD)


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


def test_without_rounds_the_fit_is_plain_least_squares_of_all_points():
    ellipse = Ellipse((100.0, 120.0), (50.0, 38.0), 33.0)
    fit = fit_ellipse(ellipse.points(60), rounds=0)
    assert fit.inliers == 1
    assert fit.ellipse.circumference == pytest.approx(ellipse.circumference, rel=1e-9)
