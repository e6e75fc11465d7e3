"""The physics in three dimensions against known answers: point targets, uniform tissue, losses."""

import numpy as np
import pytest

from fetometry.phantom.femur3d.probe import SECTOR_DEG, probe_over
from fetometry.phantom.femur3d.speckle import envelope, sigmas, transmission_db
from fetometry.phantom.speckle import Console, Medium

SHAPE, VOXEL_MM = (48, 64, 48), 0.8
PROBE = probe_over(SHAPE, VOXEL_MM)
FREQUENCY = PROBE.array.frequency_mhz


@pytest.fixture(scope="module")
def grid():
    return PROBE.grid()


def flat(grid, value):
    return np.full(grid.shape, value, np.float32)


def received(grid, scatter=0.0, mirror=None, loss=0.0, looks=1):
    """Envelope of uniform tissue, or of what `mirror` says, with no gain."""
    mirror = flat(grid, 0.0) if mirror is None else mirror
    medium = Medium(flat(grid, scatter), mirror, flat(grid, loss))
    console = Console(tgc=0.0, gain_db=np.zeros((1, 1, 1), np.float32), looks=looks)
    return envelope(medium, grid, console, np.random.default_rng(5))


@pytest.fixture(scope="module")
def speckle(grid):
    return received(grid, scatter=1.0)[:, 12:-12]


def fwhm(profile):
    """Width at half height of a Gaussian peak, in samples: its logarithm is a parabola."""
    top = int(np.argmax(profile))
    low, middle, high = np.log(profile[top - 1 : top + 2].astype(float))
    return np.sqrt(8 * np.log(2) / (2 * middle - low - high))


def point_widths_mm(grid, depth_mm):
    """Widths across planes, along and across beams of one scatterer in the middle of the sector."""
    plane, row, beam = (
        grid.shape[0] // 2,
        round(depth_mm / grid.step_mm),
        grid.shape[2] // 2,
    )
    mirror = flat(grid, 0.0)
    mirror[plane, row, beam] = 1.0
    seen = received(grid, mirror=mirror)
    depth = grid.depth_mm[row]
    sweep, turn = grid.steps_rad
    return (
        fwhm(seen[:, row, beam]) * sweep * (PROBE.sweep_radius_mm + depth),
        fwhm(seen[plane, :, beam]) * grid.step_mm,
        fwhm(seen[plane, row]) * turn * (PROBE.array.radius_mm + depth),
    )


def test_speckle_of_uniform_tissue_has_the_rayleigh_ratio_of_mean_to_deviation(speckle):
    # sqrt(pi / (4 - pi)) = 1.913, Wagner et al. 1983
    assert speckle.mean() / speckle.std() == pytest.approx(1.913, rel=0.02)


def test_speckle_of_uniform_tissue_follows_the_rayleigh_distribution(speckle):
    mean_square = np.mean(np.square(speckle, dtype=np.float64))
    for level in (0.25, 0.5, 1.0, 1.5, 2.0):
        expected = 1 - np.exp(-(level**2) / mean_square)
        assert np.mean(speckle < level) == pytest.approx(expected, abs=0.01)


def test_power_of_speckle_is_that_of_the_scatterers(speckle):
    assert np.sqrt(np.mean(np.square(speckle))) == pytest.approx(1.0, rel=0.03)


def test_averaging_two_looks_narrows_the_speckle_by_the_root_of_two(grid, speckle):
    averaged = received(grid, scatter=1.0, looks=2)[:, 12:-12]
    assert speckle.std() / averaged.std() == pytest.approx(np.sqrt(2), rel=0.04)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.85])
def test_point_target_is_as_wide_as_the_pulse_and_the_beam(grid, place):
    depth = grid.depth_mm[round(place * PROBE.array.depth_mm / grid.step_mm)]
    across, along, beside = point_widths_mm(grid, depth)
    assert along == pytest.approx(PROBE.array.axial_fwhm_mm, rel=0.04)
    assert across == pytest.approx(float(PROBE.elevation_fwhm_mm(depth)), rel=0.04)
    assert beside == pytest.approx(float(PROBE.array.lateral_fwhm_mm(depth)), rel=0.04)


def test_point_target_is_narrowest_at_the_focus_and_widens_away_from_it(grid):
    focus = PROBE.array.focus_mm
    at_focus, deep = point_widths_mm(grid, focus), point_widths_mm(grid, 1.8 * focus)
    growth = np.hypot(1, 0.8 * focus / PROBE.array.focal_zone_mm)
    assert deep[0] / at_focus[0] == pytest.approx(growth, rel=0.05)
    assert deep[2] / at_focus[2] == pytest.approx(growth, rel=0.05)
    assert deep[1] == pytest.approx(at_focus[1], rel=1e-3)


def test_beams_are_wider_across_the_planes_than_in_them():
    probe = probe_over((284, 416, 416), 0.38)
    focus = np.array(probe.array.focus_mm)
    assert probe.elevation_fwhm_mm(focus) == pytest.approx(1.5 * probe.array.lateral_fwhm_mm(focus))
    assert probe.array.axial_fwhm_mm == pytest.approx(4 * 1.54 / 4.0 / 2)


@pytest.mark.parametrize("voxel_mm", [0.38, 0.8, 1.6])
def test_no_pulse_and_no_beam_is_narrower_than_two_voxels(voxel_mm):
    probe = probe_over((96, 96, 96), voxel_mm)
    focus = np.array(probe.array.focus_mm)
    widths = (
        probe.array.axial_fwhm_mm,
        probe.array.lateral_fwhm_mm(focus),
        probe.elevation_fwhm_mm(focus),
    )
    assert min(map(float, widths)) >= 2 * voxel_mm * (1 - 1e-6)


def test_every_axis_has_samples_enough_for_its_sharpest_echo(grid):
    elevation, axial, lateral = sigmas(grid)
    assert min(elevation.min(), axial, lateral.min()) > 1.0


@pytest.mark.parametrize("loss", [0.05, 0.1])
def test_speckle_falls_with_depth_by_the_loss_times_the_frequency(grid, loss):
    seen = received(grid, scatter=1.0, loss=loss)[:, 8:-8]
    level_db = 20 * np.log10(seen.mean(axis=(0, 2)))
    slope = np.polyfit(grid.depth_mm[8:-8], level_db, 1)[0]
    assert slope == pytest.approx(-loss * FREQUENCY, rel=0.04)


def test_gain_makes_up_for_the_loss_of_tissue(grid):
    level = transmission_db(flat(grid, 0.09), grid, tgc=0.09)
    assert level == pytest.approx(0, abs=1e-3)


def test_bone_casts_a_shadow_under_itself_only(grid):
    loss = flat(grid, 0.0)
    quarter = grid.shape[2] // 4
    loss[:, 20:23, :quarter] = 1.0
    level = transmission_db(loss, grid, tgc=0.0)
    assert level[:, 40:, : quarter // 2].max() < -4
    assert level[:, 40:, -quarter:] == pytest.approx(0, abs=1e-3)
    assert level[:, 10, : quarter // 2] == pytest.approx(0, abs=1e-3)


def test_no_shadow_is_deeper_than_the_sound_that_goes_round(grid):
    level = transmission_db(flat(grid, 10.0), grid, tgc=0.2)
    assert level.min() == pytest.approx(-24.0, abs=0.01)


def test_points_of_the_grid_lie_where_the_probe_finds_them(grid):
    plane = grid.shape[0] // 3
    sweep, depth, angle = PROBE.polar(grid.points_mm(plane).astype(np.float64))
    assert sweep == pytest.approx(grid.sweep_rad[plane], abs=1e-5)
    assert depth == pytest.approx(np.broadcast_to(grid.depth_mm[:, None], depth.shape), abs=1e-3)
    assert angle == pytest.approx(np.broadcast_to(grid.angle_rad, angle.shape), abs=1e-5)


def test_scan_conversion_puts_a_sample_where_it_lies(grid):
    rows = np.stack([grid.points_mm(k)[..., 1] for k in range(grid.shape[0])])
    voxels = grid.scan_convert(np.clip(4 * rows, 0, 255), SHAPE, VOXEL_MM)
    points = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]], axis=-1) * VOXEL_MM
    inside = PROBE.inside_mm(points) > VOXEL_MM
    assert inside.mean() > 0.4
    assert np.abs(voxels - 4 * points[..., 1])[inside].max() < 1.2  # 0.3 mm


def test_the_sector_opens_75_degrees_along_the_array_and_along_the_sweep():
    middle = np.array([PROBE.face_slice_mm, PROBE.array.face_mm[0], PROBE.array.face_mm[1]])
    reach = {0: PROBE.sweep_radius_mm + 20, 2: PROBE.array.radius_mm + 20}
    for axis, radius in reach.items():
        for turn_deg, sign in ((SECTOR_DEG / 2 - 1, 1), (SECTOR_DEG / 2 + 1, -1)):
            turn = np.radians(turn_deg)
            point = middle.copy()
            point[axis] += radius * np.sin(turn)
            point[1] += radius * np.cos(turn) - (radius - 20)
            assert np.sign(PROBE.inside_mm(point)) == sign
