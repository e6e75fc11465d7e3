"""The physics against known answers: point targets, uniform tissue, known losses."""

import numpy as np
import pytest

from fetometry.phantom.probe import Probe, Screen
from fetometry.phantom.speckle import Console, Medium, compress, envelope, transmission_db

PROBE = Probe(
    face_mm=(0.0, 50.0),
    radius_mm=60.0,
    half_angle_deg=25.0,
    depth_mm=100.0,
    focus_mm=50.0,
    focal_zone_mm=40.0,
)


def flat(grid, value):
    return np.full(grid.shape, value, np.float32)


def plain(grid, **settings):
    return Console(**{"tgc": 0.0, "gain_db": flat(grid, 0.0), **settings})


def uniform(grid, scatter):
    return Medium(flat(grid, scatter), flat(grid, 0.0), flat(grid, 0.0))


def fwhm(profile):
    """Width at half height of a peak, in samples, by linear interpolation."""
    above = np.flatnonzero(profile >= profile.max() / 2)
    left, right, half = above[0], above[-1], profile.max() / 2
    start = left - (profile[left] - half) / (profile[left] - profile[left - 1])
    stop = right + (profile[right] - half) / (profile[right] - profile[right + 1])
    return stop - start


@pytest.fixture(scope="module")
def grid():
    return PROBE.grid()


@pytest.fixture(scope="module")
def speckle(grid):
    """Envelope of uniform tissue, away from the ends of the beams."""
    received = envelope(uniform(grid, 1.0), grid, plain(grid), np.random.default_rng(1))
    return received[40:-40]


def test_speckle_of_uniform_tissue_has_the_rayleigh_ratio_of_mean_to_deviation(speckle):
    # sqrt(pi / (4 - pi)) = 1.913, Wagner et al. 1983
    assert speckle.mean() / speckle.std() == pytest.approx(1.913, rel=0.02)


def test_speckle_of_uniform_tissue_follows_the_rayleigh_distribution(speckle):
    mean_square = np.mean(np.square(speckle, dtype=np.float64))
    for level in (0.25, 0.5, 1.0, 1.5, 2.0):
        expected = 1 - np.exp(-(level**2) / mean_square)
        assert np.mean(speckle < level) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("scatter", [1.0, 0.1])
def test_power_of_speckle_is_that_of_the_scatterers(grid, scatter):
    received = envelope(uniform(grid, scatter), grid, plain(grid), np.random.default_rng(2))[40:-40]
    assert np.sqrt(np.mean(np.square(received))) == pytest.approx(scatter, rel=0.02)


def test_averaging_three_looks_narrows_the_speckle_by_the_root_of_three(grid, speckle):
    looks = plain(grid, looks=3)
    averaged = envelope(uniform(grid, 1.0), grid, looks, np.random.default_rng(3))[40:-40]
    assert speckle.std() / averaged.std() == pytest.approx(np.sqrt(3), rel=0.03)


@pytest.mark.parametrize("depth_mm", [15.0, 50.0, 90.0])
def test_point_target_is_as_wide_as_the_pulse_and_the_beam(grid, depth_mm):
    row, beam = int(depth_mm / grid.step_mm), grid.shape[1] // 2
    mirror = flat(grid, 0.0)
    mirror[row, beam] = 1.0
    medium = Medium(flat(grid, 0.0), mirror, flat(grid, 0.0))
    received = envelope(medium, grid, plain(grid), np.random.default_rng(0))
    beam_mm = (PROBE.radius_mm + grid.depth_mm[row]) * (grid.angle_rad[1] - grid.angle_rad[0])
    across_mm = fwhm(received[row]) * beam_mm
    along_mm = fwhm(received[:, beam]) * grid.step_mm
    assert along_mm == pytest.approx(PROBE.axial_fwhm_mm, rel=0.03)
    assert across_mm == pytest.approx(float(PROBE.lateral_fwhm_mm(grid.depth_mm[row])), rel=0.03)
    assert across_mm > 1.5 * along_mm


def test_beam_is_narrowest_at_its_focus():
    depth = np.arange(5.0, 100.0, 1.0)
    assert depth[np.argmin(PROBE.lateral_fwhm_mm(depth))] == PROBE.focus_mm


def test_pulse_of_four_cycles_at_3_5_mhz_is_0_88_mm_long():
    assert PROBE.axial_fwhm_mm == pytest.approx(4 * 1.54 / 3.5 / 2)


def test_fluid_under_gain_for_tissue_is_followed_by_enhancement(grid):
    loss = flat(grid, 0.1)
    fluid = (grid.depth_mm >= 30) & (grid.depth_mm < 50)
    loss[fluid] = 0.0
    level = transmission_db(Medium(loss, loss, loss), grid, tgc=0.1)
    deep = level[np.searchsorted(grid.depth_mm, 80.0)]
    assert deep == pytest.approx(20 * 0.1 * 3.5, rel=0.02)  # 20 mm, 0.1 dB per mm and MHz, 3.5 MHz
    assert level[np.searchsorted(grid.depth_mm, 25.0)] == pytest.approx(0, abs=1e-3)


def test_bone_casts_a_shadow_under_itself_only(grid):
    loss = flat(grid, 0.0)
    left = slice(0, grid.shape[1] // 4)
    loss[(grid.depth_mm >= 30) & (grid.depth_mm < 33), left] = 1.0
    level = transmission_db(Medium(loss, loss, loss), grid, tgc=0.0)
    deep = level[np.searchsorted(grid.depth_mm, 80.0)]
    assert deep[2] < -6
    assert deep[-2] == pytest.approx(0, abs=1e-3)
    assert level[np.searchsorted(grid.depth_mm, 20.0), 2] == pytest.approx(0, abs=1e-3)


def test_no_shadow_is_deeper_than_the_sound_that_goes_round(grid):
    loss = flat(grid, 10.0)
    assert transmission_db(Medium(loss, loss, loss), grid, tgc=0.0).min() >= -24.0


def test_reverberation_repeats_an_echo_deeper_and_weaker(grid):
    mirror = flat(grid, 0.0)
    row = int(30 / grid.step_mm)
    mirror[row] = 1.0
    medium = Medium(flat(grid, 0.0), mirror, flat(grid, 0.0))
    console = plain(grid, echoes=((20.0, 0.1 + 0j),))
    received = envelope(medium, grid, console, np.random.default_rng(0))
    again = row + round(20.0 / grid.step_mm)
    assert received[again] == pytest.approx(0.1 * received[row], rel=1e-3)


@pytest.mark.parametrize(
    ("echo_db", "grey"), [(0, 255), (-30, 127.5), (-60, 0), (-90, 0), (6, 255)]
)
def test_log_compression_maps_60_db_on_the_grey_scale(grid, echo_db, grey):
    received = np.full((1, 1), 10 ** (echo_db / 20), np.float32)
    assert compress(received, plain(grid)) == pytest.approx(grey, abs=1e-3)


@pytest.mark.parametrize("spacing_mm", [(0.2, 0.2), (0.15, 0.3)])
def test_scan_conversion_puts_a_sample_where_it_lies(grid, spacing_mm):
    screen = Screen((int(100 / spacing_mm[0]), int(100 / spacing_mm[1])), spacing_mm)
    depth, angle = np.meshgrid(grid.depth_mm, grid.angle_rad, indexing="ij")
    row_mm = grid.scan_convert(
        ((PROBE.radius_mm + depth) * np.cos(angle) - PROBE.radius_mm).astype(np.float32), screen
    )
    rows = np.mgrid[: screen.shape[0], : screen.shape[1]][0]
    inside = grid.sector(screen) == 1
    assert inside.mean() > 0.5
    assert np.max(np.abs(row_mm - rows * spacing_mm[0])[inside]) < 0.01


def test_sector_ends_at_the_face_the_sides_and_the_depth(grid):
    screen = Screen((600, 500), (0.2, 0.2))
    sector = grid.sector(screen)
    across = np.tan(np.radians(PROBE.half_angle_deg)) * (PROBE.radius_mm + 20.0)
    row, side = 100, (50.0 + across) / 0.2  # 20 mm below the face
    assert sector[row, int(side) - 3] == 1
    assert sector[row, int(side) + 3] == 0
    assert sector[2, 250] == 1  # 0.4 mm below the middle of the face, at column 50 mm
    assert sector[495, 250] == 1
    assert sector[502, 250] == 0
    assert sector[0, 200] == 1  # the face curves up, away from the middle
