"""The head in the picture is the head that was asked for."""

import csv
import time

import cv2
import numpy as np
import pytest

from fetometry.errors import SpacingError, UsageError
from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.phantom import HeadSpec, head
from fetometry.phantom.anatomy.head import head_medium
from fetometry.phantom.anatomy.tissue import TISSUE_LOSS
from fetometry.phantom.probe import Probe
from fetometry.phantom.speckle import transmission_db
from tests.phantom.profiles import DISTANCE_MM, along_normals, at, facing_arcs
from tests.support import data_dir, needs_data

SPECS = [
    HeadSpec(),
    HeadSpec(hc_mm=90.0, cephalic_index=0.84, seed=1),
    HeadSpec(hc_mm=170.0, angle_deg=12.0, seed=2),
    HeadSpec(hc_mm=310.0, angle_deg=-9.0, seed=3),
    HeadSpec(hc_mm=200.0, mm_per_px=(0.15, 0.22), angle_deg=10.0, seed=4),
]
NAMES = ["default", "small", "turned", "large", "anisotropic"]


@pytest.fixture(scope="module")
def phantoms():
    return [head(spec) for spec in SPECS]


def outer_edge_mm(profile):
    """Where the grey falls half way from the ring's peak to what lies outside."""
    ring = np.abs(DISTANCE_MM) < 3
    peak = int(np.flatnonzero(ring)[np.argmax(profile[ring])])
    outside = float(np.mean(profile[(DISTANCE_MM > 2) & (DISTANCE_MM < 5)]))
    half = (profile[peak] + outside) / 2
    return float(DISTANCE_MM[peak + np.argmax(profile[peak:] < half)])


@pytest.mark.parametrize(
    ("spec", "number"), list(zip(SPECS, range(len(SPECS)), strict=True)), ids=NAMES
)
def test_circumference_is_the_one_asked_for(phantoms, spec, number):
    assert phantoms[number].hc_mm == pytest.approx(spec.hc_mm, abs=1e-6)
    assert phantoms[number].bpd_mm / phantoms[number].ofd_mm == pytest.approx(spec.cephalic_index)


@pytest.mark.parametrize("cephalic_index", [0.6, 0.79, 1.0])
def test_circumference_agrees_with_numeric_integration(cephalic_index):
    a, b = HeadSpec(hc_mm=250.0, cephalic_index=cephalic_index).semi_axes_mm
    t = np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    length = np.mean(np.hypot(a * np.sin(t), b * np.cos(t))) * 2 * np.pi
    assert length == pytest.approx(250.0, rel=1e-6)


def test_truth_is_in_pixels_of_the_picture_also_where_pixels_are_not_square():
    spec = HeadSpec(hc_mm=200.0, mm_per_px=(0.15, 0.30), offset_mm=(3.0, -6.0), angle_deg=0.0)
    truth = head(spec).truth
    assert truth.center == pytest.approx(((539 / 2) + 20, (799 / 2) - 20))
    a, b = spec.semi_axes_mm
    wide, tall = a / 0.30, b / 0.15
    assert truth.semi_axes == pytest.approx((max(wide, tall), min(wide, tall)))


@pytest.mark.parametrize("number", range(len(SPECS)), ids=NAMES)
def test_skull_is_brighter_than_both_sides_where_the_beam_is_perpendicular(phantoms, number):
    phantom = phantoms[number]
    for profile in facing_arcs(phantom.pixels, phantom.truth, phantom.spacing_mm):
        ring = max(at(profile, -1.0), at(profile, -0.6))
        assert ring > at(profile, -5.0) + 60
        assert ring > at(profile, 3.0) + 60


@pytest.mark.parametrize("number", range(len(SPECS)), ids=NAMES)
def test_outer_edge_of_the_skull_lies_on_the_truth(phantoms, number):
    phantom = phantoms[number]
    arcs = facing_arcs(phantom.pixels, phantom.truth, phantom.spacing_mm)
    error_px = np.array([outer_edge_mm(arc) for arc in arcs]) / phantom.spacing_mm[0]
    assert abs(np.mean(error_px)) < 1.0
    assert np.all(np.abs(error_px) < 2.0)


def test_skull_drops_out_where_the_beam_grazes_it(phantoms):
    phantom = phantoms[0]
    grey, normals = along_normals(phantom.pixels, phantom.truth, phantom.spacing_mm)
    ring = grey[:, np.abs(DISTANCE_MM + 1) < 0.5].mean(axis=1)
    assert ring[np.abs(normals[:, 0]) > 0.95].mean() > 3 * ring[np.abs(normals[:, 0]) < 0.2].mean()


def test_head_casts_a_shadow_deepest_where_the_beam_runs_along_the_skull():
    grid = Probe(
        face_mm=(0.0, 60.0),
        radius_mm=60.0,
        half_angle_deg=30.0,
        depth_mm=110.0,
        focus_mm=60.0,
        focal_zone_mm=60.0,
    ).grid()
    ellipse = Ellipse((55.0, 60.0), (38.0, 30.0), 0.0)
    medium = head_medium(ellipse, grid, np.random.default_rng(0))
    level = transmission_db(medium, grid, tgc=TISSUE_LOSS)
    middle = level[:, grid.shape[1] // 2]  # meets the near skull 25 mm deep
    assert np.interp(30.0, grid.depth_mm, middle) < np.interp(20.0, grid.depth_mm, middle) - 2
    deep = level[np.searchsorted(grid.depth_mm, 100.0)]
    # the tangent from the apex, 115 mm above the centre, touches the outline at 18.9 degrees
    tangent = np.degrees(np.arctan(38.0 / np.sqrt(115.0**2 - 30.0**2)))
    angle = np.abs(np.degrees(grid.angle_rad))
    along = deep[np.abs(angle - tangent + 0.7) < 0.7].mean()
    assert along < deep[angle < 5].mean() - 3
    assert along < deep[angle > 29].mean() - 3


@pytest.mark.parametrize(
    ("spacing_mm", "seed"), [((0.2, 0.2), 0), ((0.137, 0.2), 1), ((0.31, 0.25), 2)]
)
def test_ruler_ticks_are_10_mm_apart_and_every_fifth_is_longer(spacing_mm, seed):
    phantom = head(HeadSpec(hc_mm=180.0, mm_per_px=spacing_mm, seed=seed))
    strip = phantom.pixels[:, 6].astype(np.float64)
    black = strip[: int(np.argmax(phantom.pixels[:, 18] > 0))]  # until the sector begins
    rows = np.flatnonzero(black)
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > 2) + 1)
    centers = [np.average(g, weights=black[g]) for g in groups if black[g].sum() > 200]
    assert len(centers) >= 3
    assert np.diff(centers) == pytest.approx(10 / spacing_mm[0], abs=0.05)
    lengths = [np.count_nonzero(phantom.pixels[round(c), :20]) for c in centers]
    assert lengths[0] == 2 * lengths[1] == 2 * lengths[2]


def test_picture_is_black_outside_the_sector(phantoms):
    for phantom in phantoms:
        corner = phantom.pixels[:60, -80:]
        assert corner.max() == 0
        assert phantom.pixels[60:100, 20:90].max() == 0  # below the label, right of the ruler


def test_same_seed_gives_the_same_bytes_and_another_seed_other_speckle(phantoms):
    again, other = head(HeadSpec()), head(HeadSpec(seed=1))
    assert again.pixels.tobytes() == phantoms[0].pixels.tobytes()
    both = (other.pixels > 0) & (again.pixels > 0)
    assert np.mean(other.pixels[both] != again.pixels[both]) > 0.9
    assert other.truth == again.truth


@pytest.mark.parametrize("hc_mm", [40.0, 120.0, 250.0, 420.0])
@pytest.mark.parametrize("angle_deg", [0.0, 60.0])
def test_head_fits_the_picture_when_the_pixel_size_is_left_open(hc_mm, angle_deg):
    spec = HeadSpec(hc_mm=hc_mm, angle_deg=angle_deg)
    rows, cols = (spec.ellipse_mm.points() / spec.screen.spacing_mm[0]).T
    assert 27 < rows.min() < rows.max() < 513  # 5 % of the height
    assert 40 < cols.min() < cols.max() < 760
    assert max(np.ptp(rows) / 540, np.ptp(cols) / 800) > 0.4


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"hc_mm": 25.0}, UsageError, "40 to 420 mm, got 25. Is it in cm"),
        ({"hc_mm": 421.0}, UsageError, "40 to 420 mm"),
        ({"hc_mm": float("nan")}, UsageError, "got nan"),
        ({"cephalic_index": 0.5}, UsageError, "0.6 to 1"),
        ({"cephalic_index": 1.2}, UsageError, "0.6 to 1"),
        ({"angle_deg": float("inf")}, UsageError, "finite"),
        ({"offset_mm": (0.0, float("nan"))}, UsageError, "finite"),
        ({"offset_mm": (90.0, 0.0)}, UsageError, "less than half of the head"),
        ({"mm_per_px": (0.05, 0.05)}, UsageError, "larger pixels"),
        ({"mm_per_px": (0.0, 0.2)}, SpacingError, "0.01 to 1.0"),
        ({"mm_per_px": (float("nan"), 0.2)}, SpacingError, "0.01 to 1.0"),
        ({"shape": (299, 800)}, UsageError, "300 to 2048 pixels"),
        ({"shape": (540, 20000)}, UsageError, "300 to 2048 pixels"),
        ({"seed": -1}, UsageError, "seed"),
    ],
)
def test_spec_that_cannot_be_is_refused(change, error, said):
    with pytest.raises(error, match=said):
        HeadSpec(**change)


def test_head_may_be_cut_by_the_edge_of_the_picture_and_its_truth_is_still_whole():
    spec = HeadSpec(hc_mm=250.0, offset_mm=(0.0, 40.0))
    phantom = head(spec)
    assert phantom.truth.points()[:, 1].max() > 800
    assert phantom.hc_mm == pytest.approx(250.0, abs=1e-6)


def test_picture_takes_less_than_a_second_and_a_half():
    start = time.process_time()
    head(HeadSpec(seed=9))
    assert time.process_time() - start < 1.5


@needs_data
def test_skull_and_brain_are_as_bright_as_in_real_images():
    folder = data_dir() / "hc18"
    with (folder / "training_set_pixel_size_and_HC.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if 120 < float(r["head circumference (mm)"]) < 260]
    real = np.array([_contrast_of_real(folder / "training_set", row) for row in rows[:300:10]])
    ours = np.array(
        [
            _contrast(p.pixels, p.truth, p.spacing_mm)
            for p in (head(HeadSpec(seed=s)) for s in range(4))
        ]
    )
    low, high = np.percentile(real, [5, 95], axis=0)
    assert np.all(low < ours.mean(axis=0))
    assert np.all(ours.mean(axis=0) < high)


def _contrast(pixels, ellipse, spacing_mm):
    """Grey of the ring's peak and of the brain below it, over both facing arcs."""
    arcs = facing_arcs(pixels, ellipse, spacing_mm)
    return arcs.max(axis=1).mean(), arcs[:, DISTANCE_MM < -4].mean()


def _contrast_of_real(folder, row):
    stem = row["filename"].removesuffix(".png")
    pixels = cv2.imread(str(folder / f"{stem}.webp"), cv2.IMREAD_GRAYSCALE)
    drawn = cv2.imread(str(folder / f"{stem}_Annotation.png"), cv2.IMREAD_GRAYSCALE)
    ellipse = fit_ellipse(np.argwhere(drawn > 127).astype(float)).ellipse
    return _contrast(pixels, ellipse, (float(row["pixel size(mm)"]),) * 2)
