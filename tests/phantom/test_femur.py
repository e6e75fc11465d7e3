"""The femur in the picture is the femur that was asked for."""

import csv

import cv2
import numpy as np
import pytest

from fetometry.errors import SpacingError, UsageError
from fetometry.phantom import FemurSpec, femur
from tests.phantom.profiles import across_shaft, along_shaft
from tests.support import data_dir, needs_data

SPECS = [
    FemurSpec(),
    FemurSpec(fl_mm=15.0, angle_deg=10.0, seed=1),
    FemurSpec(fl_mm=34.0, angle_deg=-18.0, seed=2),
    FemurSpec(fl_mm=70.0, angle_deg=6.0, seed=3),
    FemurSpec(fl_mm=45.0, mm_per_px=(0.12, 0.16), angle_deg=25.0, seed=4),
]
NAMES = ["default", "small", "turned", "large", "anisotropic"]
NUMBERS = pytest.mark.parametrize("number", range(len(SPECS)), ids=NAMES)

INWARD_MM = np.arange(-4.0, 5.0, 0.05)
BELOW_MM = np.arange(-8.0, 8.0, 0.05)


@pytest.fixture(scope="module")
def phantoms():
    return [femur(spec) for spec in SPECS]


def end_mm(profile):
    """Where the grey falls half way from the shaft to the darkest of what follows at once."""
    shaft = np.median(profile[INWARD_MM > 2])
    beyond = profile[(INWARD_MM > -1.5) & (INWARD_MM < 0)].min()
    below = (profile < (shaft + beyond) / 2) & (INWARD_MM < 2)
    return float(INWARD_MM[np.flatnonzero(below)[-1]])


def aligned(grey):
    """Mean profile (B,) across the shaft, each shifted so that its ridge lies at 0; the ridges."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 2.0)
    ridge = BELOW_MM[np.argmax(np.where(np.abs(BELOW_MM) < 6, smooth, -1), axis=1)]
    lines = zip(ridge, grey, strict=True)
    return np.mean([np.interp(BELOW_MM, BELOW_MM - r, line) for r, line in lines], axis=0), ridge


@NUMBERS
def test_length_is_the_one_asked_for_and_that_between_the_ends(phantoms, number):
    phantom, spec = phantoms[number], SPECS[number]
    run = (phantom.ends_px[1] - phantom.ends_px[0]) * phantom.spacing_mm
    assert phantom.fl_mm == pytest.approx(spec.fl_mm, abs=1e-9)
    assert np.hypot(*run) == pytest.approx(spec.fl_mm, abs=1e-9)
    assert np.degrees(np.arctan2(*run)) == pytest.approx(spec.angle_deg)


@NUMBERS
def test_ends_of_the_bright_shaft_lie_on_the_truth(phantoms, number):
    phantom = phantoms[number]
    grey = along_shaft(phantom.pixels, phantom.ends_px, phantom.spacing_mm, INWARD_MM)
    error_mm = np.array([end_mm(profile) for profile in grey])
    assert np.all(np.abs(error_mm) < 0.5)
    assert abs(error_mm.sum()) < 0.6  # of the length


def test_ends_are_neither_inside_nor_outside_on_average(phantoms):
    greys = [along_shaft(p.pixels, p.ends_px, p.spacing_mm, INWARD_MM) for p in phantoms]
    assert abs(np.mean([end_mm(profile) for grey in greys for profile in grey])) < 0.15


@NUMBERS
def test_shaft_is_as_thick_as_the_truth_says(phantoms, number):
    phantom = phantoms[number]
    grey = across_shaft(
        phantom.pixels, phantom.ends_px, phantom.spacing_mm, BELOW_MM, shares=(0.35, 0.65)
    )
    profile, _ = aligned(grey)
    half = (profile.max() + np.median(profile[(BELOW_MM > -4) & (BELOW_MM < -2)])) / 2
    seen_mm = 0.05 * np.count_nonzero((profile > half) & (np.abs(BELOW_MM) < 4))
    assert seen_mm == pytest.approx(phantom.width_mm, abs=0.4)


@NUMBERS
def test_shaft_is_bowed_a_little_between_its_ends(phantoms, number):
    phantom = phantoms[number]
    grey = across_shaft(
        phantom.pixels, phantom.ends_px, phantom.spacing_mm, BELOW_MM, shares=(0.02, 0.98)
    )
    _, ridge = aligned(grey)
    assert np.all(np.abs([ridge[:6].mean(), ridge[-6:].mean()]) < 0.6)
    assert -0.02 < ridge[45:55].mean() / phantom.fl_mm < 0.08


@NUMBERS
def test_shaft_is_the_brightest_line_and_has_a_shadow(phantoms, number):
    phantom = phantoms[number]
    grey = across_shaft(phantom.pixels, phantom.ends_px, phantom.spacing_mm, BELOW_MM)
    profile, _ = aligned(grey)
    assert profile.max() > 140
    assert profile.max() > profile[np.abs(BELOW_MM) > 2].max() + 30
    below = np.median(profile[(BELOW_MM > 3) & (BELOW_MM < 7)])
    assert below < 0.3 * profile.max()


def test_same_seed_gives_the_same_bytes_and_another_seed_other_speckle(phantoms):
    again, other = femur(FemurSpec()), femur(FemurSpec(seed=1))
    assert again.pixels.tobytes() == phantoms[0].pixels.tobytes()
    both = (other.pixels > 0) & (again.pixels > 0)
    assert np.mean(other.pixels[both] != again.pixels[both]) > 0.9
    assert np.array_equal(other.ends_px, again.ends_px)


@pytest.mark.parametrize("fl_mm", [8.0, 20.0, 45.0, 90.0])
@pytest.mark.parametrize("angle_deg", [0.0, 60.0])
def test_femur_fits_the_picture_when_the_pixel_size_is_left_open(fl_mm, angle_deg):
    spec = FemurSpec(fl_mm=fl_mm, angle_deg=angle_deg)
    rows, cols = (spec.ends_mm / spec.screen.spacing_mm[0]).T
    assert 0 < rows.min() <= rows.max() < 513
    assert 120 < cols.min() < cols.max() < 680
    assert 0.15 < np.hypot(np.ptp(rows), np.ptp(cols)) / 800 < 0.6


def test_offset_moves_the_shaft_by_so_many_mm():
    there, here = FemurSpec(offset_mm=(4.0, -7.0)), FemurSpec()
    assert there.ends_mm - here.ends_mm == pytest.approx(np.array([[4.0, -7.0]] * 2))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"fl_mm": 5.1}, UsageError, "FL must be 8 to 90 mm, got 5.1. Is it in cm"),
        ({"fl_mm": 91.0}, UsageError, "8 to 90 mm"),
        ({"fl_mm": float("nan")}, UsageError, "got nan"),
        ({"angle_deg": 75.0}, UsageError, "-60 to 60 degrees"),
        ({"angle_deg": float("inf")}, UsageError, "-60 to 60 degrees"),
        ({"offset_mm": (0.0, float("nan"))}, UsageError, "finite"),
        ({"offset_mm": (90.0, 0.0)}, UsageError, "less than half of the femur"),
        ({"mm_per_px": (0.0, 0.2)}, SpacingError, "0.01 to 1.0"),
        ({"shape": (299, 800)}, UsageError, "300 to 2048 pixels"),
        ({"seed": -1}, UsageError, "seed"),
    ],
)
def test_spec_that_cannot_be_is_refused(change, error, said):
    with pytest.raises(error, match=said):
        FemurSpec(**change)


@needs_data
def test_shaft_and_what_surrounds_it_are_as_bright_as_in_real_images(phantoms):
    folder = data_dir() / "fetal_planes"
    with (folder / "manifest.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["fl_1_x"] and r["suspect"] != "1"]
    real = np.array([_greys(*_real(folder, row)) for row in rows[::8]])
    ours = np.mean([_greys(p.pixels, p.ends_px, p.spacing_mm) for p in phantoms], axis=0)
    low, high = np.percentile(real, [5, 95], axis=0)
    assert np.all(low < ours)
    assert np.all(ours < high)


def _greys(pixels, ends_px, spacing_mm):
    """Grey of the shaft's ridge, above it, in its shadow, and of the whole picture."""
    profile, _ = aligned(across_shaft(pixels, ends_px, spacing_mm, BELOW_MM))
    above, below = profile[BELOW_MM < -3], profile[BELOW_MM > 3]
    return profile.max(), np.median(above), np.median(below), pixels.mean()


def _real(folder, row):
    pixels = cv2.imread(str(folder / row["image"]), cv2.IMREAD_GRAYSCALE)
    ends = np.array([[float(row[f"fl_{end}_{axis}"]) for axis in "yx"] for end in (1, 2)])
    return pixels, ends, (float(row["mm_per_px"]),) * 2
