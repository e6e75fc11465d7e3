"""The abdomen in the picture is the abdomen that was asked for."""

import csv

import cv2
import numpy as np
import pytest

from fetometry.errors import SpacingError, UsageError
from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.phantom import AbdomenSpec, abdomen
from tests.phantom.profiles import DISTANCE_MM, along_normals, at, facing_arcs
from tests.support import data_dir, needs_data

SPECS = [
    AbdomenSpec(),
    AbdomenSpec(ac_mm=100.0, aspect=0.92, spine_deg=-15.0, seed=1),
    AbdomenSpec(ac_mm=330.0, aspect=1.06, spine_deg=160.0, seed=2),
    AbdomenSpec(ac_mm=180.0, mm_per_px=(0.15, 0.22), spine_deg=20.0, seed=3),
]
NAMES = ["default", "small", "wide", "anisotropic"]
NUMBERS = pytest.mark.parametrize("number", range(len(SPECS)), ids=NAMES)


@pytest.fixture(scope="module")
def phantoms():
    return [abdomen(spec) for spec in SPECS]


def outer_edge_mm(profile):
    """Where the grey falls half way from the skin's peak to what lies outside."""
    skin = np.abs(DISTANCE_MM + 0.3) < 1.2
    peak = int(np.flatnonzero(skin)[np.argmax(profile[skin])])
    outside = float(np.mean(profile[(DISTANCE_MM > 1.5) & (DISTANCE_MM < 4)]))
    half = (profile[peak] + outside) / 2
    return float(DISTANCE_MM[peak + np.argmax(profile[peak:] < half)])


def smooth(phantom):
    """The picture without its speckle, and the grey that is usual inside."""
    level = phantom.truth.level(np.stack(np.mgrid[:540, :800], axis=-1))
    blurred = cv2.GaussianBlur(
        phantom.pixels.astype(float), (0, 0), 0.012 * np.ptp(phantom.tad_px[:, 0])
    )
    return blurred, float(np.median(phantom.pixels[level < 0.8]))


def around(phantom, along, across, radius):
    """Mask of a disc; place and size in halves of APAD from the middle, towards the spine."""
    spine_mm = (phantom.apad_px[0] - np.array(phantom.truth.center)) * phantom.spacing_mm
    side_mm = np.array([spine_mm[1], -spine_mm[0]])
    middle_mm = np.array(phantom.truth_mm.center) + along * spine_mm + across * side_mm
    disc = Ellipse(tuple(middle_mm), (radius * phantom.apad_mm / 2,) * 2, 0.0)
    row_mm, col_mm = phantom.spacing_mm
    return disc.scaled(1 / row_mm, 1 / col_mm).mask(phantom.pixels.shape)


@NUMBERS
def test_circumference_and_diameters_are_those_asked_for(phantoms, number):
    phantom, spec = phantoms[number], SPECS[number]
    assert phantom.ac_mm == pytest.approx(spec.ac_mm, abs=1e-6)
    assert phantom.tad_mm / phantom.apad_mm == pytest.approx(spec.aspect)
    axes = phantom.apad_mm / 2, phantom.tad_mm / 2
    assert ellipse_circumference(*axes) == pytest.approx(spec.ac_mm, abs=1e-6)


@NUMBERS
def test_apad_runs_through_the_spine_and_tad_across_it(phantoms, number):
    phantom, spec = phantoms[number], SPECS[number]
    apad, tad = (
        (ends[0] - ends[1]) * phantom.spacing_mm for ends in (phantom.apad_px, phantom.tad_px)
    )
    turn = np.radians(spec.spine_deg)
    assert apad / np.linalg.norm(apad) == pytest.approx([np.sin(turn), np.cos(turn)])
    assert apad @ tad == pytest.approx(0, abs=1e-6)
    for ends in (phantom.apad_px, phantom.tad_px):
        assert ends.mean(axis=0) == pytest.approx(phantom.truth.center)
        assert phantom.truth.level(ends) == pytest.approx(1)


def test_a_wide_abdomen_has_the_longer_diameter_across_the_spine():
    spec = AbdomenSpec(aspect=1.1, spine_deg=180.0)
    apad, tad = spec.semi_axes_mm
    assert tad == pytest.approx(1.1 * apad)
    assert spec.ellipse_mm.semi_axes == pytest.approx((tad, apad))
    assert spec.ellipse_mm.angle_deg == pytest.approx(90)


@NUMBERS
def test_outer_edge_of_the_skin_lies_on_the_truth(phantoms, number):
    phantom = phantoms[number]
    arcs = facing_arcs(phantom.pixels, phantom.truth, phantom.spacing_mm)
    error_mm = np.array([outer_edge_mm(arc) for arc in arcs])
    assert abs(np.mean(error_mm)) < 0.25
    assert np.all(np.abs(error_mm) < 0.4)


@NUMBERS
def test_wall_is_brighter_than_both_sides_where_the_beam_is_perpendicular(phantoms, number):
    phantom = phantoms[number]
    for profile in facing_arcs(phantom.pixels, phantom.truth, phantom.spacing_mm):
        skin = profile[np.abs(DISTANCE_MM + 0.6) < 0.6].max()
        assert skin > at(profile, 2.0) + 30
        assert skin > at(profile, -8.0) + 25


def test_wall_drops_out_where_the_beam_grazes_it(phantoms):
    phantom = phantoms[0]
    grey, normals = along_normals(phantom.pixels, phantom.truth, phantom.spacing_mm)
    skin = grey[:, np.abs(DISTANCE_MM + 0.6) < 0.5].mean(axis=1)
    assert skin[np.abs(normals[:, 0]) > 0.95].mean() > 3 * skin[np.abs(normals[:, 0]) < 0.2].mean()


@NUMBERS
def test_vertebra_is_bright_and_vein_and_stomach_are_dark(phantoms, number):
    phantom = phantoms[number]
    grey, usual = smooth(phantom)
    assert grey[around(phantom, 0.63, 0.0, 0.15)].max() > 1.6 * usual
    assert grey[around(phantom, -0.38, 0.0, 0.15)].min() < 0.7 * usual
    sides = [grey[around(phantom, 0.0, side * 0.45, 0.15)] for side in (1, -1)]
    assert min(side.min() for side in sides) < 0.5 * usual


def test_same_seed_gives_the_same_bytes_and_another_seed_other_speckle(phantoms):
    again, other = abdomen(AbdomenSpec()), abdomen(AbdomenSpec(seed=1))
    assert again.pixels.tobytes() == phantoms[0].pixels.tobytes()
    both = (other.pixels > 0) & (again.pixels > 0)
    assert np.mean(other.pixels[both] != again.pixels[both]) > 0.9
    assert other.truth == again.truth


@pytest.mark.parametrize("ac_mm", [50.0, 120.0, 250.0, 420.0])
@pytest.mark.parametrize("spine_deg", [0.0, 120.0])
def test_abdomen_fits_the_picture_when_the_pixel_size_is_left_open(ac_mm, spine_deg):
    spec = AbdomenSpec(ac_mm=ac_mm, spine_deg=spine_deg)
    rows, cols = (spec.ellipse_mm.points() / spec.screen.spacing_mm[0]).T
    assert 27 < rows.min() < rows.max() < 513  # 5 % of the height
    assert 40 < cols.min() < cols.max() < 760
    assert max(np.ptp(rows) / 540, np.ptp(cols) / 800) > 0.4


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"ac_mm": 23.0}, UsageError, "AC must be 50 to 420 mm, got 23. Is it in cm"),
        ({"ac_mm": 421.0}, UsageError, "50 to 420 mm"),
        ({"ac_mm": float("nan")}, UsageError, "got nan"),
        ({"aspect": 0.7}, UsageError, r"TAD / APAD\) must be 0.8 to 1.2"),
        ({"aspect": 1.3}, UsageError, "0.8 to 1.2"),
        ({"spine_deg": float("inf")}, UsageError, "finite"),
        ({"offset_mm": (0.0, float("nan"))}, UsageError, "finite"),
        ({"offset_mm": (90.0, 0.0)}, UsageError, "less than half of the abdomen"),
        ({"mm_per_px": (0.0, 0.2)}, SpacingError, "0.01 to 1.0"),
        ({"shape": (299, 800)}, UsageError, "300 to 2048 pixels"),
        ({"seed": -1}, UsageError, "seed"),
    ],
)
def test_spec_that_cannot_be_is_refused(change, error, said):
    with pytest.raises(error, match=said):
        AbdomenSpec(**change)


@needs_data
def test_abdomen_and_its_surroundings_are_as_bright_as_in_real_images(phantoms):
    folder = data_dir() / "fetal_planes"
    with (folder / "manifest.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["tad_1_x"] and r["suspect"] != "1"]
    real = np.array([_greys(*_real(folder, row)) for row in rows[::12]])
    ours = np.mean([_greys(p.pixels, p.truth, p.spacing_mm) for p in phantoms], axis=0)
    low, high = np.percentile(real, [5, 95], axis=0)
    assert np.all(low < ours)
    assert np.all(ours < high)


def _greys(pixels, ellipse, spacing_mm):
    """Mean and spread inside, mean outside, and the peaks of the facing arcs."""
    level = ellipse.level(np.stack(np.mgrid[: pixels.shape[0], : pixels.shape[1]], axis=-1))
    inside, outside = pixels[level < 0.8], pixels[(level > 1.1) & (level < 1.4)]
    near, far = facing_arcs(pixels, ellipse, spacing_mm)[:, DISTANCE_MM < 2]
    return inside.mean(), inside.std(), outside.mean(), near[-160:].max(), far[-160:].max()


def _real(folder, row):
    pixels = cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE)
    apad, tad = (
        np.array([[float(row[f"{name}_{end}_{axis}"]) for axis in "yx"] for end in (1, 2)])
        for name in ("apad", "tad")
    )
    center = np.mean([apad.mean(axis=0), tad.mean(axis=0)], axis=0)
    lengths = [np.linalg.norm(ends[1] - ends[0]) / 2 for ends in (apad, tad)]
    down, right = apad[1] - apad[0]
    turn = np.degrees(np.arctan2(down, right)) + (0 if lengths[0] >= lengths[1] else 90)
    ellipse = Ellipse(tuple(center), (max(lengths), min(lengths)), turn)
    return pixels, ellipse, (float(row["mm_per_px"]),) * 2
