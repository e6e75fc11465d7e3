import dataclasses

import pytest

from fetometry.errors import MeasurementError
from fetometry.measure import measure, measure_abdomen, measure_femur, measure_head
from fetometry.types import SizeInterval, Spacing
from tests.measure.seen import MODEL, belly, head, image, measured, shaft

GIVEN = Spacing((0.2, 0.2), "given")


@pytest.mark.parametrize(
    ("prediction", "alone", "names"),
    [
        (head(), measure_head, ["HC", "BPD", "OFD"]),
        (belly(), measure_abdomen, ["AC", "TAD", "APAD"]),
        (shaft(), measure_femur, ["FL"]),
    ],
)
def test_the_plane_decides_what_is_measured(prediction, alone, names):
    spacing = Spacing((0.1, 0.1), "given")
    found = measure(image(), prediction, spacing)
    assert [m.name for m in found.measurements] == names
    assert found.measurements == alone(image(), prediction, spacing).measurements
    ends = {f"{name}_{k}" for name in names if name not in ("HC", "AC") for k in (1, 2)}
    assert set(found.points_px) == ends
    assert (found.ellipse is None) == (found.plane == "femur")


def test_a_plane_that_is_not_measured_is_refused():
    other = dataclasses.replace(head(), plane="thorax")
    with pytest.raises(MeasurementError, match="'thorax' is not measured; allowed: head, abdomen"):
        measure(image(), other, None)


def test_a_finding_says_where_it_comes_from():
    finding = measure(image(fetus="B", exam="7"), head(), GIVEN)
    assert (finding.source, finding.frame, finding.plane) == ("seen.png", 3, "head")
    assert (finding.fetus, finding.exam) == ("B", "7")
    assert finding.plane_probability == 0.9
    assert finding.model == MODEL
    assert finding.spacing == GIVEN


def test_without_a_spacing_the_values_are_pixels():
    for prediction in (head(), belly(), shaft()):
        finding = measure(image(), prediction, None)
        assert finding.spacing is None
        assert {m.unit for m in finding.measurements} == {"px"}
        for m in finding.measurements:
            assert m.value == pytest.approx(m.value_px)


#: 2 % up to 60 mm, 4 % above.
BY_SIZE = SizeInterval((60.0,), (0.02, 0.04))


def test_a_measurement_has_the_interval_of_its_name_and_size():
    prediction = head(intervals={"HC": SizeInterval((), (0.05,)), "BPD": BY_SIZE})
    hc, bpd, ofd = measured(prediction).measurements
    assert (hc.low, hc.high) == pytest.approx((hc.value / 1.05, hc.value / 0.95))
    # a BPD of 62.4 mm
    assert (bpd.low, bpd.high) == pytest.approx((62.4 / 1.04, 62.4 / 0.96), rel=1e-6)
    assert (ofd.low, ofd.high) == (None, None)


@pytest.mark.parametrize(("spacing_mm", "share"), [(0.1, 0.02), (0.14, 0.04), (None, 0.04)])
def test_a_femur_has_the_interval_of_its_size_and_in_pixels_the_widest(spacing_mm, share):
    prediction = shaft(intervals={"FL": BY_SIZE})
    mm = (spacing_mm, spacing_mm) if spacing_mm else None
    (fl,) = measured(prediction, mm).measurements
    assert (fl.low, fl.high) == pytest.approx((fl.value / (1 + share), fl.value / (1 - share)))


def quality(prediction, **changes):
    return measured(dataclasses.replace(prediction, **changes), None).quality


@pytest.mark.parametrize("prediction", [head(), belly(), shaft()])
def test_quality_falls_with_each_doubt(prediction):
    good = quality(prediction)
    assert 0.8 < good <= 0.9  # the plane is 0.9 sure
    assert quality(prediction, plane_probability=0.5) == pytest.approx(good * 0.5 / 0.9)
    assert quality(prediction, plane_probability=None) == pytest.approx(good / 0.9)
    assert quality(prediction, softness=0.02) < good
    assert quality(prediction, candidates=2) == pytest.approx(good / 2)
    two = quality(prediction, candidates=2, flags=("low-plane-probability",))
    assert two == pytest.approx(good / 4)


def test_what_only_informs_costs_no_quality():
    assert quality(head(), flags=("unusual-shape", "small-in-image")) == quality(head())


def test_quality_falls_with_the_misfit_and_stays_from_0_to_1():
    outline = head().outline_px
    found = []
    for amount in (0, 1, 3, 6):
        ragged = outline.copy()
        ragged[::2] += amount
        found.append(quality(head(), outline_px=ragged))
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4
    assert all(0 <= q <= 1 for q in found)
    assert quality(head(), softness=float("inf")) == 0
