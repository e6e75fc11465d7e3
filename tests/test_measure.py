import dataclasses

import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, distances_to
from fetometry.measure import LIMITS, measure_head
from fetometry.types import Image, ModelRef, Prediction, Spacing

SHAPE = (540, 800)
HEAD = Ellipse((270.3, 400.6), (200.0, 156.0), 25.0)
MODEL = ModelRef("by hand", "0" * 64, "CC0-1.0")


def visible(ellipse, shape=SHAPE, count=720):
    points = ellipse.points(count)
    return points[np.all((points >= -0.5) & (points <= np.array(shape) - 0.5), axis=1)]


def predicted(points, candidates=1, softness=0.01):
    return Prediction("head", 0.9, points, candidates, softness, MODEL)


def image(shape=SHAPE):
    return Image(np.zeros(shape, np.uint8), "head.png", frame=3)


def measured(ellipse=HEAD, spacing_mm=(0.2, 0.2), shape=SHAPE):
    spacing = Spacing(spacing_mm, "given") if spacing_mm else None
    return measure_head(image(shape), predicted(visible(ellipse, shape)), spacing)


def values(finding):
    return {m.name: m.value for m in finding.measurements}


def flags(finding):
    (found,) = {m.flags for m in finding.measurements}
    return found


def drawn_in_mm(spacing_mm, angle_deg):
    """A head of 300 x 234 mm in millimetres from the first pixel, sampled with such pixels."""
    in_mm = Ellipse((200.0, 210.0), (150.0, 117.0), angle_deg)
    return in_mm, in_mm.scaled(1 / spacing_mm[0], 1 / spacing_mm[1])


def test_a_circle_of_known_size_has_its_circumference_and_diameters():
    found = values(measured(Ellipse((270, 400), (200, 200), 0), (0.25, 0.25)))
    assert found["HC"] == pytest.approx(100 * np.pi, rel=1e-6)
    assert found["BPD"] == pytest.approx(100, rel=1e-6)
    assert found["OFD"] == pytest.approx(100, rel=1e-6)


def test_a_finding_says_where_it_comes_from():
    finding = measured()
    assert (finding.source, finding.frame, finding.plane) == ("head.png", 3, "head")
    assert finding.plane_probability == 0.9
    assert finding.model == MODEL
    assert finding.spacing == Spacing((0.2, 0.2), "given")
    assert [m.name for m in finding.measurements] == ["HC", "BPD", "OFD"]
    conventions = [m.convention for m in finding.measurements]
    assert conventions == ["ellipse on the outer edge", "outer-outer", "outer-outer"]


def test_bpd_is_the_short_axis_and_ofd_the_long_one():
    found = values(measured())
    assert found["OFD"] == pytest.approx(2 * 200 * 0.2, rel=1e-6)
    assert found["BPD"] == pytest.approx(2 * 156 * 0.2, rel=1e-6)


def test_without_a_spacing_the_values_are_pixels_and_no_size_is_implausible():
    finding = measured(Ellipse((270, 400), (20, 16), 0), None)
    assert finding.spacing is None
    assert {m.unit for m in finding.measurements} == {"px"}
    assert values(finding)["OFD"] == pytest.approx(40, rel=1e-6)
    for m in finding.measurements:
        assert m.value == pytest.approx(m.value_px)


@pytest.mark.parametrize("angle_deg", range(0, 180, 15))
@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (0.7, 0.6)])
def test_anisotropic_pixels_give_the_millimetres_of_isotropic_ones(spacing_mm, angle_deg):
    in_mm, in_px = drawn_in_mm(spacing_mm, angle_deg)
    shape = (round(420 / spacing_mm[0]), round(420 / spacing_mm[1]))
    found = values(measured(in_px, (spacing_mm[0] / 3, spacing_mm[1] / 3), shape))
    assert found["HC"] == pytest.approx(in_mm.circumference / 3, rel=1e-6)
    assert found["BPD"] == pytest.approx(2 * 117 / 3, rel=1e-6)
    assert found["OFD"] == pytest.approx(2 * 150 / 3, rel=1e-6)


@pytest.mark.parametrize("angle_deg", [0, 20, 45, 77, 90, 130])
def test_the_end_points_lie_on_the_outline_and_are_perpendicular_in_millimetres(angle_deg):
    spacing_mm = np.array([0.1, 0.2])
    in_mm = Ellipse((55.0, 60.0), (50.0, 39.0), angle_deg)
    in_px = in_mm.scaled(*(1 / spacing_mm))
    finding = measured(in_px, tuple(spacing_mm), (1100, 600))
    ends = {name: np.array(point) for name, point in finding.points_px.items()}
    np.testing.assert_allclose(distances_to(in_px, np.array(list(ends.values()))), 0, atol=1e-4)
    ofd, bpd = ((ends[f"{name}_2"] - ends[f"{name}_1"]) * spacing_mm for name in ("OFD", "BPD"))
    assert np.linalg.norm(ofd) == pytest.approx(100, rel=1e-6)
    assert np.linalg.norm(bpd) == pytest.approx(78, rel=1e-6)
    assert abs(ofd @ bpd) < 1e-3
    # the long axis points where it was drawn
    long_mm = [np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))]
    assert abs(ofd @ long_mm) == pytest.approx(100, rel=1e-6)
    lengths_px = {m.name: m.value_px for m in finding.measurements}
    assert lengths_px["OFD"] == pytest.approx(np.linalg.norm(ends["OFD_2"] - ends["OFD_1"]))
    assert lengths_px["HC"] == pytest.approx(in_px.circumference, rel=1e-6)


def outside_share(ellipse):
    return 1 - len(visible(ellipse)) / 720


def cut_by(share, towards):
    """Move the head towards an edge until so much of its outline is outside the image."""
    low, high = 0.0, 1000.0
    for _ in range(40):
        middle = (low + high) / 2
        center = np.array(HEAD.center) + middle * np.array(towards)
        moved = Ellipse(tuple(center), HEAD.semi_axes, HEAD.angle_deg)
        low, high = (low, middle) if outside_share(moved) > share else (middle, high)
    return moved


EDGES = [(-1, 0), (1, 0), (0, -1), (0, 1), (0.6, 0.8)]


@pytest.mark.parametrize("towards", EDGES)
@pytest.mark.parametrize("share", [0.10, 0.25, 0.40])
def test_a_head_cut_by_the_edge_is_measured_on_what_is_visible_and_flagged(share, towards):
    head = cut_by(share, towards)
    assert outside_share(head) == pytest.approx(share, abs=0.005)
    # what is visible, traced with a little noise
    points = visible(head) + np.random.default_rng(0).normal(0, 0.3, visible(head).shape)
    finding = measure_head(image(), predicted(points), Spacing((0.2, 0.2), "given"))
    assert values(finding)["HC"] == pytest.approx(0.2 * head.circumference, rel=5e-3)
    assert flags(finding) == ("cut-by-edge",)


@pytest.mark.parametrize("towards", EDGES)
def test_a_head_of_which_more_than_half_is_cut_is_refused(towards):
    with pytest.raises(MeasurementError, match="cuts more than half"):
        measured(cut_by(0.55, towards))


@pytest.mark.parametrize(("hc_mm", "allowed"), [(39, 0), (41, 1), (419, 1), (421, 0)])
def test_the_size_of_a_head_is_40_to_420_mm(hc_mm, allowed):
    mm = hc_mm / HEAD.circumference
    if allowed:
        assert values(measured(HEAD, (mm, mm)))["HC"] == pytest.approx(hc_mm)
        return
    with pytest.raises(MeasurementError) as refused:
        measured(HEAD, (mm, mm))
    message = str(refused.value)
    assert message.startswith(f"HC must be 40 to 420 mm, got {hc_mm:.1f} (head.png).")
    assert "not in cm?" in message
    assert "\n" not in message


def test_too_short_an_outline_is_refused():
    with pytest.raises(MeasurementError, match="needs 12 outline points, got 5"):
        measure_head(image(), predicted(HEAD.points(5)), None)


def wavy(amount):
    """The head's outline with five waves of such an amplitude, relative to the radius."""
    points = HEAD.points(720)
    wave = amount * np.cos(np.linspace(0, 10 * np.pi, 720, endpoint=False))
    return points + wave[:, None] * (points - HEAD.center)


def shaped(ratio):
    return Ellipse(HEAD.center, (200.0, 200.0 * ratio), 25.0).points(720)


def sized(area):
    factor = np.sqrt(area * SHAPE[0] * SHAPE[1] / HEAD.area)
    return HEAD.scaled(factor, factor).points(720)


FLAGGED = [
    ("cut-by-edge", predicted(visible(cut_by(0.02, (1, 0)))), predicted(visible(HEAD))),
    # waves of amplitude A have an RMS of A / sqrt(2)
    (
        "poor-fit",
        predicted(wavy(1.2 * np.sqrt(2) * LIMITS.residual)),
        predicted(wavy(0.8 * np.sqrt(2) * LIMITS.residual)),
    ),
    ("several-candidates", predicted(visible(HEAD), candidates=2), predicted(visible(HEAD))),
    (
        "low-probability",
        predicted(visible(HEAD), softness=LIMITS.softness + 0.001),
        predicted(visible(HEAD), softness=LIMITS.softness - 0.001),
    ),
    ("small-in-image", predicted(sized(0.019)), predicted(sized(0.021))),
    ("unusual-shape", predicted(shaped(0.69)), predicted(shaped(0.71))),
    ("unusual-shape", predicted(shaped(0.87)), predicted(shaped(0.85))),
]


@pytest.mark.parametrize(("name", "raising", "quiet"), FLAGGED)
def test_each_flag_is_raised_beyond_its_limit_and_not_before(name, raising, quiet):
    assert flags(measure_head(image(), raising, None)) == (name,)
    assert flags(measure_head(image(), quiet, None)) == ()


def test_the_shape_is_judged_in_millimetres():
    # round in pixels, and a head of cephalic index 0.78 on pixels of 0.195 x 0.25 mm
    circle = Ellipse((270, 400), (200, 200), 0)
    assert flags(measured(circle, None)) == ("unusual-shape",)
    assert flags(measured(circle, (0.195, 0.25))) == ()


def test_several_flags_stand_together():
    points = visible(cut_by(0.2, (0, 1)))
    prediction = dataclasses.replace(predicted(points), candidates=2, softness=0.3)
    finding = measure_head(image(), prediction, None)
    assert flags(finding) == ("cut-by-edge", "several-candidates", "low-probability")
