"""What may be asked for; the length of the chart; a place where both ends are seen."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from fetometry.errors import SpacingError, UsageError
from fetometry.phantom.femur3d.pose import TILT_DEG
from fetometry.phantom.femur3d.spec import SIZES, FemurVolumeSpec, chart_fl_mm

SMALL = {"shape": (96, 96, 96), "voxel_mm": 0.8}


@pytest.mark.parametrize(
    ("ga_days", "mean_mm", "deviation_mm"),
    # INTERGROWTH-21st, FL at 23, 27 and 31 weeks
    [(161, 39.3567, 1.8929), (189, 49.0455, 2.0728), (217, 57.5178, 2.3062)],
)
def test_length_and_scatter_are_those_of_the_published_chart(ga_days, mean_mm, deviation_mm):
    assert chart_fl_mm(ga_days) == pytest.approx((mean_mm, deviation_mm), abs=1e-3)


def test_lengths_of_many_seeds_scatter_as_the_chart_says():
    lengths = [FemurVolumeSpec(ga_days=175, seed=seed, **SMALL).length_mm for seed in range(150)]
    mean, deviation = chart_fl_mm(175)
    # four standard errors of mean and of standard deviation
    assert np.mean(lengths) == pytest.approx(mean, abs=4 * deviation / np.sqrt(150))
    assert np.std(lengths) == pytest.approx(deviation, abs=4 * deviation / np.sqrt(300))


def test_both_ends_lie_in_the_sector_and_in_the_volume_for_fifty_seeds():
    for seed in range(50):
        spec = FemurVolumeSpec(ga_days=210, seed=seed, **SMALL)
        ends = spec.shaft.ends_mm
        assert spec.probe.inside_mm(ends).min() > 2
        assert (ends > 2).all()
        assert (ends < 96 * 0.8 - 2).all()
        assert abs(np.degrees(np.arcsin(spec.shaft.axes[0][1]))) <= TILT_DEG
        assert spec.shaft.length_mm == pytest.approx(spec.length_mm)


def test_shafts_of_many_seeds_point_everywhere_across_the_beam():
    runs = np.array([FemurVolumeSpec(seed=s, **SMALL).shaft.axes[0] for s in range(60)])
    quadrant = (runs[:, 0] > 0) * 2 + (runs[:, 2] > 0)
    assert min(np.bincount(quadrant, minlength=4)) >= 6


@pytest.mark.parametrize("size", sorted(SIZES))
def test_the_largest_femur_fits_in_every_named_size(size):
    shape, voxel_mm = SIZES[size]
    assert FemurVolumeSpec(fl_mm=66.0, shape=shape, voxel_mm=voxel_mm).shaft.length_mm > 65


def test_a_length_that_is_said_is_kept():
    assert FemurVolumeSpec(fl_mm=30.0, **SMALL).length_mm == 30.0


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"fl_mm": 4.9}, "FL must be 8 to 80 mm, got 4.9. Is it in cm?"),
        ({"fl_mm": float("nan")}, "FL must be"),
        ({"ga_days": 27}, "gestational age must be 161 to 223 days, got 27"),
        ({"ga_days": 189, "fl_mm": 50.0}, "not both"),
        ({"difficulty": 1.1}, "difficulty must be 0 to 1"),
        ({"shape": (96, 96, 20)}, "each side of the volume must be 48 to 512 voxels, got 20"),
        ({"shape": (48, 48, 48)}, "does not fit in the sector of a volume of 38 x 38 x 38 mm"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(asked, reason):
    with pytest.raises(UsageError, match=reason):
        FemurVolumeSpec(**SMALL | asked)


def test_a_voxel_that_cannot_be_is_refused():
    with pytest.raises(SpacingError):
        FemurVolumeSpec(shape=(96, 96, 96), voxel_mm=0.0)


def test_a_spec_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        FemurVolumeSpec(**SMALL).seed = 2
