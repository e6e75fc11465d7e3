"""What a person placed is measured as it lies."""

import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse
from fetometry.measure import Placed, measure_placed
from fetometry.types import SizeInterval, Spacing
from tests.measure.seen import ENDS, belly, head, image, measured, shaft, values

HALF = {name: SizeInterval((), (0.02,)) for name in ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL")}
OTHER = Ellipse((260.0, 390.0), (180.0, 150.0), 40.0)
MM = Spacing((0.2, 0.2), "given")
SLANTED = Spacing((0.2, 0.25), "given")


def flags_of(finding):
    return {m.name: m.flags for m in finding.measurements}


def intervals_of(finding):
    return {m.name: (m.low, m.high) for m in finding.measurements}


def placed(found, spacing=MM, ellipse=None, **ends):
    lines = {name: np.array(points, float) for name, points in ends.items()}
    return measure_placed(image(), found, Placed(ellipse, lines), spacing)


def test_the_circumference_of_a_placed_ellipse_is_ramanujans():
    a, b = 0.2 * 180, 0.2 * 150
    h = ((a - b) / (a + b)) ** 2
    hc = np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))
    got = values(placed(measured(head()), ellipse=OTHER))
    assert got == pytest.approx({"HC": hc, "BPD": 2 * b, "OFD": 2 * a})


def test_what_the_model_saw_and_what_is_placed_there_measure_the_same():
    found = measured(head(), (0.2, 0.25))
    again = placed(found, SLANTED, ellipse=found.ellipse)
    assert values(again) == pytest.approx(values(found), abs=1e-9)
    for name, end in found.points_px.items():
        assert again.points_px[name] == pytest.approx(end)


def test_a_placed_ellipse_is_flagged_and_has_no_interval():
    found = measured(head(candidates=2, intervals=HALF, flags=("trans-cerebellar",)))
    assert "several-candidates" in flags_of(found)["HC"]
    again = placed(found, ellipse=OTHER)
    assert set(intervals_of(again).values()) == {(None, None)}
    # what the model doubted is gone; which plane it is, the ellipse does not change
    assert flags_of(again)["HC"] == ("trans-cerebellar", "edited")


def test_the_quality_stays_so_that_no_repeat_counts_more_because_it_was_corrected():
    found = measured(head(softness=0.05))
    assert placed(found, ellipse=OTHER).quality == found.quality


def test_a_line_placed_by_hand_is_measured_as_it_lies_and_the_rest_is_the_models():
    found = measured(head(intervals=HALF))
    line = ((100.0, 400.0), (420.0, 410.0))
    again = placed(found, BPD=line)
    assert values(again)["BPD"] == pytest.approx(0.2 * np.hypot(320, 10))
    assert values(again)["HC"] == values(found)["HC"]
    assert flags_of(again) == {"HC": (), "OFD": (), "BPD": ("edited",)}
    assert intervals_of(again) == {**intervals_of(found), "BPD": (None, None)}
    assert {again.points_px["BPD_1"], again.points_px["BPD_2"]} == set(line)


def test_the_transverse_direction_stays_when_the_ellipse_is_turned():
    found = measured(belly())
    turned = placed(found, ellipse=Ellipse((270.0, 400.0), (180.0, 170.0), 80.0))
    (row_1, col_1), (row_2, col_2) = turned.points_px["TAD_1"], turned.points_px["TAD_2"]
    assert (row_1, col_1 < col_2) == pytest.approx((row_2, True))
    assert values(turned)["AC"] == pytest.approx(values(found)["AC"], abs=0.01)


def test_a_transverse_line_placed_by_hand_turns_the_other_diameter():
    found = measured(belly())
    again = placed(found, TAD=((100.0, 400.0), (440.0, 400.0)))
    assert values(again)["TAD"] == pytest.approx(0.2 * 340)
    ends = np.array([again.points_px["APAD_1"], again.points_px["APAD_2"]])
    assert np.ptp(ends[:, 0]) == pytest.approx(0, abs=1e-6)
    assert flags_of(again) == {"AC": (), "TAD": ("edited",), "APAD": ("edited",)}


def test_a_line_by_hand_stays_when_the_ellipse_is_moved():
    again = placed(measured(head()), ellipse=OTHER, BPD=((100.0, 400.0), (420.0, 400.0)))
    assert values(again)["BPD"] == pytest.approx(64.0)


def test_the_ends_of_a_femur_are_those_that_were_placed():
    found = measured(shaft(softness=0.9), (0.1, 0.1))
    again = placed(found, Spacing((0.1, 0.1), "given"), FL=(ENDS[0], ENDS[1] + 20))
    assert values(again)["FL"] == pytest.approx(0.1 * np.linalg.norm(ENDS[1] + 20 - ENDS[0]))
    # nothing of the model's shaft speaks against a line that a person placed
    assert flags_of(again) == {"FL": ("edited",)}
    assert again.outline_px is not None and len(again.outline_px) == len(found.outline_px)


def test_another_spacing_alone_keeps_flags_and_scales_the_interval():
    found = measured(head(intervals=HALF), None)
    again = placed(found, MM)
    assert {m.unit for m in again.measurements} == {"mm"}
    assert flags_of(again) == flags_of(found)
    hc = again.measurements[0]
    assert (hc.low, hc.high) == pytest.approx((hc.value / 1.02, hc.value / 0.98))


def test_a_number_alone_takes_a_spacing_and_becomes_an_ellipse():
    told = measured(head(size_px=1000.0), None)
    assert values(placed(told, MM)) == {"HC": pytest.approx(200.0)}
    assert set(values(placed(told, MM, ellipse=OTHER))) == {"HC", "BPD", "OFD"}


@pytest.mark.parametrize(
    ("ellipse", "reason"),
    [
        (Ellipse((270.0, 400.0), (20.0, 15.0), 0.0), "HC must be 40 to 420 mm"),
        (Ellipse((0.0, 0.0), (200.0, 150.0), 0.0), "more than half of the head"),
    ],
)
def test_what_no_fetus_has_and_what_lies_outside_is_refused(ellipse, reason):
    with pytest.raises(MeasurementError, match=reason):
        placed(measured(head()), ellipse=ellipse)


def test_a_diameter_that_no_ellipse_of_a_fetus_has_is_refused():
    with pytest.raises(MeasurementError, match=r"BPD must be 3 to 210 mm, got 2\.0"):
        placed(measured(head()), BPD=((100.0, 400.0), (110.0, 400.0)))
