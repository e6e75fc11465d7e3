"""A femur in a volume: what is measured, and what a person is warned of."""

from dataclasses import replace

import numpy as np
import pytest

from fetometry.errors import MeasurementError, SpacingError
from fetometry.geometry.solid import Box
from fetometry.measure import measure_volume
from fetometry.types import ModelRef
from fetometry.volume import Volume, VolumePrediction

MODEL = ModelRef("by hand", "0" * 64, "CC0-1.0")
SPACING = (1.0, 0.5, 0.25)
VOLUME = Volume(np.zeros((20, 60, 200), np.uint8), "a.nii", SPACING, origin_mm=(1.0, 2.0, 3.0))

#: A bar of 4 x 10 x 160 voxels in a box that has room round it, and the middles of its ends.
BOX = Box((5, 20, 10), (15, 40, 190))
BAR = np.zeros(BOX.shape, bool)
BAR[3:7, 5:15, 10:170] = True
ENDS = np.array([[9.5, 29.5, 20.0], [9.5, 29.5, 179.0]])
SEEN = VolumePrediction(MODEL, BOX, BAR, ENDS)


def test_length_and_volume_are_those_of_the_voxels_in_millimetres():
    found = measure_volume(VOLUME, SEEN)
    assert found.length_mm == pytest.approx(159 * 0.25)
    assert found.volume_ml == pytest.approx(4 * 10 * 160 * 1.0 * 0.5 * 0.25 / 1000)
    assert (found.flags, found.notice, found.plane) == ((), "", "femur")


def test_an_oblique_length_counts_every_axis_in_its_own_millimetres():
    ends = np.array([[2.0, 10.0, 20.0], [14.0, 42.0, 100.0]])  # 12, 16 and 20 mm
    found = measure_volume(VOLUME, VolumePrediction(MODEL, BOX, None, ends))
    assert found.length_mm == pytest.approx(np.sqrt(12**2 + 16**2 + 20**2))


def test_the_ends_are_told_in_the_patient_s_coordinates_too():
    found = measure_volume(VOLUME, SEEN)
    # x along the columns, y along the rows, z along the slices, from the origin
    np.testing.assert_allclose(found.ends_mm[0], (1 + 5.0, 2 + 14.75, 3 + 9.5))


def test_the_mask_is_kept_without_the_empty_space_round_it():
    found = measure_volume(VOLUME, SEEN)
    assert (found.box.start, found.box.stop) == ((8, 25, 20), (12, 35, 180))
    assert found.mask.shape == (4, 10, 160)
    assert found.mask.all()
    assert not np.shares_memory(found.mask, BAR)


def test_of_a_model_with_ends_alone_there_is_no_volume():
    found = measure_volume(VOLUME, replace(SEEN, mask=None))
    assert (found.volume_ml, found.mask, found.box) == (None, None, BOX)
    assert found.length_mm == pytest.approx(39.75)
    assert found.flags == ()


def test_of_a_model_with_a_mask_alone_there_is_no_length():
    found = measure_volume(VOLUME, replace(SEEN, ends=None))
    assert (found.length_mm, found.ends_voxels, found.ends_mm) == (None, None, None)
    assert found.volume_ml == pytest.approx(0.8)


@pytest.mark.parametrize("mask", [None, np.zeros(BOX.shape, bool)], ids=["none", "empty"])
def test_without_ends_and_mask_nothing_was_measured(mask):
    with pytest.raises(MeasurementError, match=r"a\.nii: neither the ends nor the shaft"):
        measure_volume(VOLUME, VolumePrediction(MODEL, BOX, mask, None))


def test_ends_at_one_place_are_not_a_length():
    with pytest.raises(MeasurementError, match="two ends of the femur's shaft were not found"):
        measure_volume(VOLUME, replace(SEEN, ends=ENDS[[0, 0]]))


def test_a_volume_without_a_spacing_is_not_measured():
    with pytest.raises(SpacingError, match="no millimetres"):
        measure_volume(replace(VOLUME, spacing_mm=None), SEEN)


def test_no_fetus_has_a_femur_of_four_millimetres():
    ends = ENDS[[0, 0]] + [[0, 0, 0], [0, 0, 16]]
    with pytest.raises(MeasurementError, match="FL must be 5 to 95 mm, got 4"):
        measure_volume(VOLUME, replace(SEEN, ends=ends))


def moved(by_voxels):
    """The first end moved away from the bar, along the columns of 0.25 mm."""
    return replace(SEEN, ends=np.array([[9.0, 29.0, 20 - by_voxels], [9.0, 29.0, 179.0]]))


@pytest.mark.parametrize(
    ("seen", "flags"),
    [
        (moved(7.9), ()),  # 1.98 mm, though more than two voxels
        (moved(8.1), ("end-outside-mask",)),
        (moved(12), ("end-outside-mask",)),
        # two slices off are 2 mm, and the bar ends at slice 11
        (replace(SEEN, ends=np.add(ENDS, [[3.4, 0, 0], [0, 0, 0]])), ()),
        (replace(SEEN, ends=np.add(ENDS, [[3.6, 0, 0], [0, 0, 0]])), ("end-outside-mask",)),
        (replace(SEEN, ends=ENDS - [[0, 0, 0], [0, 0, 98]]), ()),  # 15.25 mm
        (replace(SEEN, ends=ENDS - [[0, 0, 0], [0, 0, 100]]), ("ends-too-close",)),
        (replace(SEEN, candidates=2), ("several-candidates",)),
        (replace(SEEN, flags=("roi-not-found",)), ("roi-not-found",)),
    ],
)
def test_what_is_odd_is_flagged(seen, flags):
    assert measure_volume(VOLUME, seen).flags == flags


def test_slices_far_apart_make_two_of_them_near():
    thick = replace(VOLUME, spacing_mm=(4.0, 0.5, 0.25))
    ends = np.add(ENDS, [[3.4, 0, 0], [0, 0, 0]])  # 1.9 slices, 7.6 mm beyond the bar
    assert measure_volume(thick, replace(SEEN, ends=ends)).flags == ()


def test_an_unusual_length_is_flagged_and_given():
    long = Volume(np.zeros((2, 2, 400), np.uint8), "a.nii", SPACING)
    ends = np.array([[0.5, 0.5, 20.0], [0.5, 0.5, 380.0]])  # 90 mm
    found = measure_volume(long, VolumePrediction(MODEL, BOX, None, ends))
    assert found.length_mm == pytest.approx(90)
    assert "implausible-size" in found.flags


@pytest.mark.parametrize(
    ("start", "flags"), [((0, 20, 10), ("touches-border",)), ((1, 20, 10), ())]
)
def test_a_shaft_on_the_rim_of_the_volume_is_flagged(start, flags):
    mask = BAR[3:7, 5:15, 10:170]
    box = Box(start, tuple(np.add(start, mask.shape).tolist()))
    found = measure_volume(VOLUME, VolumePrediction(MODEL, box, mask, None))
    assert found.flags == flags


@pytest.mark.parametrize(("col", "flags"), [(7.9, ("touches-border",)), (8.1, ())])
def test_an_end_near_the_rim_is_flagged(col, flags):
    ends = np.array([[9.5, 29.5, col], [9.5, 29.5, 150.0]])  # 2 mm are 8 columns
    found = measure_volume(VOLUME, VolumePrediction(MODEL, BOX, None, ends))
    assert found.flags == flags


def test_what_a_model_says_of_its_limits_is_flagged_last():
    seen = replace(SEEN, candidates=2, flags=("roi-not-found",))
    found = measure_volume(VOLUME, seen, "phantom-trained: not for real volumes")
    assert found.flags == ("several-candidates", "roi-not-found", "phantom-trained")
    assert found.notice == "phantom-trained: not for real volumes"
