import dataclasses

import numpy as np
import pytest

from fetometry.errors import MeasurementError, SpacingError
from fetometry.measure import examine, measure
from fetometry.measure.number import mm_per_px, number
from fetometry.types import SizeInterval, Spacing
from tests.measure.seen import flags, head, image, measured, seen, values

NOTHING = np.zeros((0, 2))


def told(size_px=1500.0, plane="head", **more):
    return seen(plane, NOTHING, candidates=0, size_px=size_px, **more)


def test_a_number_times_the_pixel_size_is_hc_and_nothing_else():
    finding = measured(told(), (0.2, 0.2))
    assert values(finding) == {"HC": pytest.approx(300.0)}
    (hc,) = finding.measurements
    assert (hc.unit, hc.value_px) == ("mm", 1500.0)
    assert hc.convention == "told as a number, no outline"


def test_a_finding_of_a_number_has_no_outline_no_ellipse_and_no_points():
    finding = measured(told())
    assert finding.ellipse is None
    assert finding.points_px == {}
    assert len(finding.outline_px) == 0
    assert flags(finding) == ("no-outline",)


def test_without_a_spacing_a_number_stays_in_pixels():
    finding = measured(told(), None)
    (hc,) = finding.measurements
    assert (hc.value, hc.unit) == (1500.0, "px")
    assert finding.spacing is None


def test_a_number_ranks_below_an_outline_that_is_as_bad_as_its_limits_allow():
    # 0.9 sure of the plane, half for a soft edge, half for the fit, half for the flag
    assert measured(told()).quality == pytest.approx(0.9 / 8)
    assert measured(told()).quality < measured(head(softness=0.06)).quality


@pytest.mark.parametrize(("plane", "name"), [("head", "HC"), ("abdomen", "AC"), ("femur", "FL")])
def test_the_number_is_the_plane_s_main_measurement(plane, name):
    assert list(values(measured(told(400.0, plane), (0.2, 0.2)))) == [name]


def test_an_outline_is_measured_as_ever():
    assert "no-outline" not in flags(measured(head()))


def test_a_pixel_that_is_not_square_gives_a_number_no_millimetres():
    with pytest.raises(SpacingError, match=r"no millimetres.*0.1 x 0.2 mm per pixel"):
        mm_per_px(Spacing((0.1, 0.2), "given"))
    with pytest.raises(MeasurementError, match="a pixel is not square"):
        measured(told(), (0.1, 0.2))


def test_a_pixel_that_is_square_but_for_rounding_is_taken_as_square():
    assert mm_per_px(Spacing((0.2, 0.202), "given")) == pytest.approx(0.201, abs=1e-5)


def test_a_size_that_no_fetus_has_is_refused():
    with pytest.raises(MeasurementError, match="HC must be 40 to 420 mm, got 1500"):
        measured(told(), (1.0, 1.0))


def test_a_size_that_is_unusual_is_flagged():
    assert flags(measured(told(2000.0), (0.2, 0.2))) == ("no-outline", "implausible-size")


def test_the_interval_of_the_model_is_that_of_the_number():
    (hc,) = measured(told(intervals={"HC": SizeInterval((), (0.25,))})).measurements
    assert (hc.low, hc.high) == (pytest.approx(240.0), pytest.approx(400.0))


def test_the_criteria_of_a_number_are_that_it_has_no_outline_and_its_size():
    checks = examine(image(), told(), Spacing((0.2, 0.2), "given"))
    assert [check.flag for check in checks] == ["no-outline", "implausible-size"]


def test_a_prediction_without_a_number_is_refused():
    with pytest.raises(MeasurementError, match="told no size of the head"):
        number(image(), dataclasses.replace(told(), size_px=None), None)


def test_a_plane_that_is_not_measured_is_refused_with_a_number_too():
    with pytest.raises(MeasurementError, match="'thorax' is not measured"):
        measure(image(), told(plane="thorax"), None)
