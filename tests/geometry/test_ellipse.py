import numpy as np
import pytest
from hypothesis import given
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
)
from tests.geometry.shapes import HEAD, affine_maps, ellipses, same, steady


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


def test_without_rounds_the_fit_is_plain_least_squares_of_all_points():
    ellipse = Ellipse((100.0, 120.0), (50.0, 38.0), 33.0)
    fit = fit_ellipse(ellipse.points(60), rounds=0)
    assert fit.inliers == 1
    assert fit.ellipse.circumference == pytest.approx(ellipse.circumference, rel=1e-9)


@pytest.mark.parametrize(
    ("direction", "ends"),
    [
        ((0, 7), [(10, 17), (10, 23)]),
        ((-0.1, 0), [(12, 20), (8, 20)]),
        # 45 degrees: 1 / sqrt(1/9 + 1/4) = 1.6641 in rows and in columns
        ((1, 1), [(8.3359, 18.3359), (11.6641, 21.6641)]),
    ],
)
def test_a_chord_goes_through_the_centre_along_its_direction(direction, ends):
    found = Ellipse((10, 20), (3, 2), 0).chord(np.array(direction, float))
    np.testing.assert_allclose(found, ends, atol=1e-4)


@steady
@given(ellipses(), st.floats(0, 360))
def test_a_chord_ends_on_the_ellipse(ellipse, degrees):
    direction = np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    ends = ellipse.chord(direction)
    np.testing.assert_allclose(ellipse.level(ends), 1, atol=1e-9)
    np.testing.assert_allclose(ends.mean(axis=0), ellipse.center, atol=1e-6)


@pytest.mark.parametrize("direction", [(0.0, 0.0), (np.nan, 1.0), (np.inf, 1.0)])
def test_a_chord_without_a_direction_is_refused(direction):
    with pytest.raises(MeasurementError, match="without one"):
        HEAD.chord(np.array(direction))
