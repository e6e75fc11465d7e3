import dataclasses

import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.measure.shaft import bend, gap
from tests.measure.seen import ENDS, SHAPE, bar, flags, image, measured, seen, shaft, values


def length(ends, spacing_mm=(0.1, 0.1), shape=SHAPE):
    return values(measured(shaft(ends), spacing_mm, image(shape)))["FL"]


def test_the_length_is_that_of_the_straight_line_between_the_ends():
    # 300 columns and 400 rows of 0.1 mm: 3, 4, 5
    assert length([(70, 250), (470, 550)]) == pytest.approx(50)
    finding = measured(shaft([(70, 250), (470, 550)]), (0.1, 0.1))
    (found,) = finding.measurements
    assert (found.name, found.unit) == ("FL", "mm")
    assert found.value_px == pytest.approx(500)
    assert found.convention == "ossified shaft, end to end"
    assert finding.ellipse is None


def test_oblique_lines_on_anisotropic_pixels_have_their_length_in_millimetres():
    # 300 rows of 0.1 mm and 200 columns of 0.2 mm: 30, 40, 50
    assert length([(100, 300), (400, 500)], (0.1, 0.2)) == pytest.approx(50)
    assert length([(400, 300), (100, 500)], (0.1, 0.2)) == pytest.approx(50)


@pytest.mark.parametrize("degrees", range(0, 180, 20))
@pytest.mark.parametrize("spacing_mm", [(0.1, 0.1), (0.08, 0.17), (0.2, 0.11)])
def test_the_length_does_not_depend_on_the_direction(degrees, spacing_mm):
    turned = 20 * np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    ends = (np.array([27.0, 40.0]) + np.array([-turned, turned])) / np.array(spacing_mm)
    shape = (round(54 / spacing_mm[0]), round(80 / spacing_mm[1]))
    assert length(ends, spacing_mm, shape) == pytest.approx(40, rel=1e-9)


def test_a_fraction_of_a_pixel_counts():
    moved = ENDS + np.array([(0, 0), (0, 0.25)])
    step = 0.25 * 469.8463 / 500  # the part of it that is along the shaft
    assert length(moved) - length(ENDS) == pytest.approx(0.1 * step, rel=1e-3)


def test_neither_order_nor_flips_nor_a_transposed_picture_change_the_length():
    spacing_mm = (0.08, 0.11)
    plain = length(ENDS, spacing_mm)
    last = np.array(SHAPE) - 1
    assert length(ENDS[::-1], spacing_mm) == plain
    assert length(ENDS * (1, -1) + (0, last[1]), spacing_mm) == pytest.approx(plain)
    assert length(ENDS * (-1, 1) + (last[0], 0), spacing_mm) == pytest.approx(plain)
    assert length(ENDS[:, ::-1], spacing_mm[::-1], SHAPE[::-1]) == pytest.approx(plain)


def test_the_first_end_is_the_left_one():
    for ends in (ENDS, ENDS[::-1]):
        points = measured(shaft(ends), (0.1, 0.1)).points_px
        assert points == {"FL_1": tuple(ENDS[0]), "FL_2": tuple(ENDS[1])}


def test_without_a_spacing_the_length_is_in_pixels():
    (found,) = measured(shaft(), None).measurements
    assert (found.unit, found.value) == ("px", pytest.approx(500, abs=1e-4))


@pytest.mark.parametrize("ends", [None, [(5, 5), (5, 5)], [(5, np.nan), (7, 7)]])
def test_without_two_ends_there_is_no_length(ends):
    with pytest.raises(MeasurementError, match="two ends of the femur's shaft"):
        measured(dataclasses.replace(shaft(), ends_px=None if ends is None else np.array(ends)))


@pytest.mark.parametrize(("fl_mm", "allowed"), [(4.9, 0), (5.1, 1), (94.9, 1), (95.1, 0)])
def test_the_length_of_a_femur_is_5_to_95_mm(fl_mm, allowed):
    ends, mm = [(100, 100), (400, 100)], fl_mm / 300
    if allowed:
        assert length(ends, (mm, mm)) == pytest.approx(fl_mm, rel=1e-6)
        return
    with pytest.raises(MeasurementError, match=rf"FL must be 5 to 95 mm, got {fl_mm} \(seen.png"):
        length(ends, (mm, mm))


@pytest.mark.parametrize("bow", [-0.12, -0.04, 0.0, 0.03, 0.1])
def test_the_bend_is_how_far_the_middle_leaves_the_line_relative_to_the_length(bow):
    assert bend(bar(ENDS, bow=bow), ENDS) == pytest.approx(abs(bow), abs=0.005)


def test_a_mask_beside_the_line_counts_as_bent():
    across = np.array([-469.8463, 171.0101])
    assert bend(bar(ENDS) + 0.07 * across, ENDS) == pytest.approx(0.07, abs=1e-6)


def test_a_mask_of_one_side_or_none_says_nothing_of_a_bend():
    assert bend(np.zeros((0, 2)), ENDS) == 0
    line = ENDS[0] + np.linspace(0, 1, 50)[:, None] * (ENDS[1] - ENDS[0])
    assert bend(line, ENDS) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("short", [-0.2, -0.05, 0.0, 0.08, 0.3])
def test_the_gap_is_from_an_end_to_that_of_the_mask_along_the_shaft(short):
    # the mask ends before the second end, or runs on beyond it
    masked = np.array([ENDS[0], ENDS[1] - short * (ENDS[1] - ENDS[0])])
    assert gap(bar(masked), ENDS) == pytest.approx(abs(short), abs=1e-9)
    assert gap(bar(masked), ENDS[::-1]) == pytest.approx(abs(short), abs=1e-9)


def test_ends_without_a_mask_are_measured_and_flagged():
    alone = seen("femur", np.zeros((0, 2)), ENDS, candidates=0)
    finding = measured(alone, (0.1, 0.1))
    assert values(finding)["FL"] == pytest.approx(50, abs=1e-4)
    assert flags(finding) == ("ends-off-shaft",)
    assert finding.quality == 0
