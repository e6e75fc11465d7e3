import math

import cv2
import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import ellipse_circumference, letterbox, trace
from fetometry.predict.bar import bar_ends
from fetometry.predict.seeing import Place, see

SIZE = (128, 128)
ANGLES = (0.0, 7.0, 30.0, 45.0, 61.0, 90.0, 133.0, 172.0)


def ends_of(length, angle_deg, center=(63.3, 64.1)):
    angle = math.radians(angle_deg)
    half = length / 2 * np.array([math.sin(angle), math.cos(angle)])
    return np.array(center) + np.array([-half, half])


def logits_of(ends, width, size=SIZE):
    """Logits (h, w) of the share of each pixel that lies in a bar cut square at its ends."""
    half = (ends[1] - ends[0]) / 2
    length = np.linalg.norm(half)
    x = np.stack(np.mgrid[: size[0], : size[1]], axis=-1) - ends.mean(axis=0)
    along, across = np.abs(x @ half) / length, np.abs(x @ [-half[1], half[0]]) / length
    share = np.clip(0.5 - np.maximum(along - length, across - width / 2), 0.01, 0.99)
    return np.log(share / (1 - share))


def drawn_line(ends, width, size=SIZE):
    """A line between ends as OpenCV draws it, and the ends that it drew, on whole pixels."""
    whole = np.rint(ends).astype(int)
    mask = np.zeros(size, np.uint8)
    cv2.line(mask, *[(int(col), int(row)) for row, col in whole], 1, width)
    return mask - 0.5, whole


def length_of(ends):
    return float(np.linalg.norm(ends[1] - ends[0]))


def apart(found, ends):
    """How far the found ends are from the true ones, in either order, at most."""
    far = np.linalg.norm(found[:, None] - ends[None], axis=-1)
    return min(max(far[0, 0], far[1, 1]), max(far[0, 1], far[1, 0]))


@pytest.mark.parametrize("width", [3.0, 4.0, 6.0, 8.0])
@pytest.mark.parametrize("length", [20.0, 35.3, 60.0, 90.0])
def test_a_perfect_bar_cut_square_needs_no_cap_taken_off_at_any_angle(length, width):
    for angle in ANGLES:
        ends = ends_of(length, angle)
        found = bar_ends(trace(logits_of(ends, width)).points, 0.0)
        assert apart(found, ends) < 0.3
        assert length_of(found) == pytest.approx(length, abs=0.3)


@pytest.mark.parametrize("cap", [2.0, 4.5])
def test_a_cap_is_taken_off_at_both_ends(cap):
    for angle in ANGLES:
        longer = logits_of(ends_of(60 + 2 * cap, angle), 6.0)
        assert apart(bar_ends(trace(longer).points, cap), ends_of(60, angle)) < 0.3


@pytest.mark.parametrize("width", [3, 5, 7, 9])
def test_the_long_side_of_a_line_drawn_with_a_width_overstates_by_about_that_width(width):
    for angle in ANGLES:
        level, whole = drawn_line(ends_of(60, angle), width)
        long_side = length_of(bar_ends(trace(level).points, 0.0))
        assert width <= long_side - length_of(whole) <= width + 2
        corrected = length_of(bar_ends(trace(level).points, width / 2))
        assert abs(corrected - length_of(whole)) < 2.1


def test_the_perimeter_of_the_rectangle_is_not_the_length_that_the_paper_s_errors_are_of():
    """Qazi et al. 2023, section 2.2: a femur of 60 px and a line of 6 px."""
    ends = ends_of(60, 20)
    _, sides, _ = cv2.minAreaRect(trace(logits_of(ends, 6.0)).points.astype(np.float32))
    assert 2 * sum(sides) == pytest.approx(132, abs=1)
    assert length_of(bar_ends(trace(logits_of(ends, 6.0)).points, 0.0)) == pytest.approx(
        60, abs=0.3
    )


def test_the_paper_s_circumference_is_negative_and_ramanujan_s_is_right():
    """Qazi et al. 2023, Eq. 4, as printed, for a = 50 and b = 38 mm."""
    a, b = 50.0, 38.0
    printed = math.pi * (
        (a + b + 3 - (a - b) ** 2) / (10 * a + 10 * b + math.sqrt(a * a + 14 * a * b + b * b))
    )
    assert printed == pytest.approx(-0.158, abs=1e-3)
    assert ellipse_circumference(a, b) == pytest.approx(277.7469, abs=1e-4)
    # the sum of 3600 chords of that ellipse is as long
    t = np.linspace(0, 2 * math.pi, 3601)
    around = np.hypot(np.diff(a * np.cos(t)), np.diff(b * np.sin(t))).sum()
    assert around == pytest.approx(277.7469, abs=1e-3)


@pytest.mark.parametrize("cap", [10.1, 40.0])
def test_a_bar_no_longer_than_its_caps_has_no_ends(cap):
    with pytest.raises(MeasurementError, match="the two ends were not found"):
        bar_ends(trace(logits_of(ends_of(20, 30), 4.0)).points, cap)


FEMUR = {"structure": {"kind": "mask", "planes": ["head", "femur"], "values": "logits"}}


@pytest.mark.parametrize("shape", [(128, 128), (540, 800), (800, 540)])
@pytest.mark.parametrize("cap_px", [0.0, 3.0])
def test_the_ends_of_a_femur_come_back_in_source_pixels(shape, cap_px):
    to_input = letterbox(shape, SIZE)
    ends = ends_of(50, 33)
    back = (ends - to_input[:, 2]) @ np.linalg.inv(to_input[:, :2]).T
    meaning = {"structure": {**FEMUR["structure"], "cap_px": cap_px}}
    maps = {"structure": logits_of(ends_of(50 + 2 * cap_px, 33), 5.0)[None]}
    sight = see(meaning, "femur", maps, Place(to_input, shape, SIZE))
    assert apart(sight.ends, back) < 0.3 / to_input[0, 0]
    assert len(sight.outline.points) > 50


def test_a_head_of_the_same_mask_has_no_ends():
    maps = {"structure": logits_of(ends_of(50, 33), 30.0)[None]}
    assert see(FEMUR, "head", maps, Place(np.eye(2, 3), SIZE, SIZE)).ends is None


def test_an_empty_mask_is_no_femur():
    maps = {"structure": np.full((1, *SIZE), -5.0)}
    with pytest.raises(MeasurementError, match="nothing was found"):
        see(FEMUR, "femur", maps, Place(np.eye(2, 3), SIZE, SIZE))
