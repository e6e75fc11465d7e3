import dataclasses

import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry import Ellipse, distances_to
from tests.measure.seen import BELLY, HEAD, SHAPE, belly, flags, head, image, measured, values


def drawn_in_mm(spacing_mm, angle_deg):
    """A head of 300 x 234 mm in millimetres from the first pixel, sampled with such pixels."""
    in_mm = Ellipse((200.0, 210.0), (150.0, 117.0), angle_deg)
    return in_mm, in_mm.scaled(1 / spacing_mm[0], 1 / spacing_mm[1])


def ends_of(finding, name):
    return np.array([finding.points_px[f"{name}_1"], finding.points_px[f"{name}_2"]])


def test_a_circle_of_known_size_has_its_circumference_and_diameters():
    circle = Ellipse((270, 400), (200, 200), 0)
    found = values(measured(head(circle), (0.25, 0.25)))
    assert found["HC"] == pytest.approx(100 * np.pi, rel=1e-6)
    assert found["BPD"] == pytest.approx(100, rel=1e-6)
    assert found["OFD"] == pytest.approx(100, rel=1e-6)
    found = values(measured(belly(circle), (0.25, 0.25)))
    assert found["AC"] == pytest.approx(100 * np.pi, rel=1e-6)
    assert found["TAD"] == pytest.approx(100, rel=1e-6)
    assert found["APAD"] == pytest.approx(100, rel=1e-6)


def test_bpd_is_the_short_axis_and_ofd_the_long_one():
    finding = measured(head())
    assert [m.name for m in finding.measurements] == ["HC", "BPD", "OFD"]
    assert values(finding)["OFD"] == pytest.approx(2 * 200 * 0.2, rel=1e-6)
    assert values(finding)["BPD"] == pytest.approx(2 * 156 * 0.2, rel=1e-6)
    conventions = [m.convention for m in finding.measurements]
    assert conventions == ["ellipse on the outer edge", "outer-outer", "outer-outer"]


@pytest.mark.parametrize("angle_deg", range(0, 180, 15))
@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (0.7, 0.6)])
def test_anisotropic_pixels_give_the_millimetres_of_isotropic_ones(spacing_mm, angle_deg):
    in_mm, in_px = drawn_in_mm(spacing_mm, angle_deg)
    shape = (round(420 / spacing_mm[0]), round(420 / spacing_mm[1]))
    third = (spacing_mm[0] / 3, spacing_mm[1] / 3)
    found = values(measured(head(in_px), third, image(shape)))
    assert found["HC"] == pytest.approx(in_mm.circumference / 3, rel=1e-6)
    assert found["BPD"] == pytest.approx(2 * 117 / 3, rel=1e-6)
    assert found["OFD"] == pytest.approx(2 * 150 / 3, rel=1e-6)


@pytest.mark.parametrize("angle_deg", [0, 20, 45, 77, 90, 130])
def test_the_end_points_lie_on_the_outline_and_are_perpendicular_in_millimetres(angle_deg):
    spacing_mm = np.array([0.1, 0.2])
    in_mm = Ellipse((55.0, 60.0), (50.0, 39.0), angle_deg)
    in_px = in_mm.scaled(*(1 / spacing_mm))
    finding = measured(head(in_px), tuple(spacing_mm), image((1100, 600)))
    points = np.concatenate([ends_of(finding, name) for name in ("OFD", "BPD")])
    np.testing.assert_allclose(distances_to(in_px, points), 0, atol=1e-4)
    ofd, bpd = (np.diff(ends_of(finding, n), axis=0)[0] * spacing_mm for n in ("OFD", "BPD"))
    assert np.linalg.norm(ofd) == pytest.approx(100, rel=1e-6)
    assert np.linalg.norm(bpd) == pytest.approx(78, rel=1e-6)
    assert abs(ofd @ bpd) < 1e-3
    # the long axis points where it was drawn
    long_mm = [np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))]
    assert abs(ofd @ long_mm) == pytest.approx(100, rel=1e-6)
    lengths_px = {m.name: m.value_px for m in finding.measurements}
    assert lengths_px["OFD"] == pytest.approx(np.linalg.norm(points[1] - points[0]))
    assert lengths_px["HC"] == pytest.approx(in_px.circumference, rel=1e-6)


#: An ellipse of 360 x 340 px whose long axis lies across.
LYING = Ellipse((270.0, 400.0), (180.0, 170.0), 0.0)


@pytest.mark.parametrize(
    ("ends", "tad", "apad"),
    [
        ([(270, 300), (270, 500)], 72, 68),
        ([(200, 400), (300, 400)], 68, 72),
        # 45 degrees: 2 x 0.2 mm / sqrt((1 / 180^2 + 1 / 170^2) / 2), both ways
        ([(0, 0), (50, 50)], 69.9143, 69.9143),
    ],
)
def test_the_direction_tells_tad_from_apad(ends, tad, apad):
    finding = measured(belly(LYING, ends))
    assert [m.name for m in finding.measurements] == ["AC", "TAD", "APAD"]
    assert values(finding)["TAD"] == pytest.approx(tad, rel=1e-5)
    assert values(finding)["APAD"] == pytest.approx(apad, rel=1e-5)
    assert values(finding)["AC"] == pytest.approx(0.2 * LYING.circumference, rel=1e-6)
    assert finding.measurements[0].convention == "ellipse on the outer skin line"


def test_only_the_direction_of_the_ends_counts_and_not_their_order_or_place():
    one = measured(belly(ends=[(100, 100), (120, 150)]))
    other = measured(belly(ends=[(420, 650), (300, 350)]))
    for name in ("TAD", "APAD"):
        np.testing.assert_allclose(ends_of(one, name), ends_of(other, name))
    assert values(one) == pytest.approx(values(other))


def test_tad_lies_along_the_direction_and_apad_across_it_in_millimetres():
    spacing_mm = np.array([0.1, 0.25])
    finding = measured(belly(ends=[(200, 300), (320, 500)]), tuple(spacing_mm))
    tad, apad = (np.diff(ends_of(finding, n), axis=0)[0] * spacing_mm for n in ("TAD", "APAD"))
    along = np.array([120, 200]) * spacing_mm
    assert tad @ along == pytest.approx(np.linalg.norm(tad) * np.linalg.norm(along))
    assert abs(tad @ apad) < 1e-6
    for name, vector in (("TAD", tad), ("APAD", apad)):
        np.testing.assert_allclose(BELLY.level(ends_of(finding, name)), 1, atol=1e-6)
        assert values(finding)[name] == pytest.approx(np.linalg.norm(vector))


@pytest.mark.parametrize("ends", [None, [(270, 300), (270, 300)], [(270, np.nan), (270, 300)]])
def test_without_a_direction_only_the_circumference_is_given(ends):
    finding = measured(belly(ends=ends))
    assert [m.name for m in finding.measurements] == ["AC"]
    assert finding.points_px == {}
    assert flags(finding) == ()


@pytest.mark.parametrize(
    ("seen", "size_mm", "allowed"),
    [
        (head, 39, False), (head, 41, True), (head, 419, True), (head, 421, False),
        (belly, 39, False), (belly, 41, True), (belly, 449, True), (belly, 451, False),
    ],
)  # fmt: skip
def test_a_head_has_40_to_420_mm_and_an_abdomen_40_to_450(seen, size_mm, allowed):
    name, most, ellipse = ("HC", 420, HEAD) if seen is head else ("AC", 450, BELLY)
    mm = size_mm / ellipse.circumference
    if allowed:
        assert values(measured(seen(), (mm, mm)))[name] == pytest.approx(size_mm)
        return
    with pytest.raises(MeasurementError) as refused:
        measured(seen(), (mm, mm))
    message = str(refused.value)
    assert message.startswith(f"{name} must be 40 to {most} mm, got {size_mm:.1f} (seen.png).")
    assert "not in cm?" in message
    assert "\n" not in message


def outside_share(ellipse):
    points = ellipse.points(720)
    return np.mean(np.any((points < -0.5) | (points > np.array(SHAPE) - 0.5), axis=1))


def cut_by(share, towards, ellipse=HEAD):
    """Move an ellipse towards an edge until so much of its outline is outside the image."""
    low, high = 0.0, 1000.0
    for _ in range(40):
        middle = (low + high) / 2
        center = np.array(ellipse.center) + middle * np.array(towards)
        moved = Ellipse(tuple(center), ellipse.semi_axes, ellipse.angle_deg)
        low, high = (low, middle) if outside_share(moved) > share else (middle, high)
    return moved


EDGES = [(-1, 0), (1, 0), (0, -1), (0, 1), (0.6, 0.8)]


@pytest.mark.parametrize("towards", EDGES)
@pytest.mark.parametrize("share", [0.10, 0.25, 0.40])
def test_a_head_cut_by_the_edge_is_measured_on_what_is_visible_and_flagged(share, towards):
    cut = cut_by(share, towards)
    assert outside_share(cut) == pytest.approx(share, abs=0.005)
    # what is visible, traced with a little noise
    seen = head(cut)
    noise = np.random.default_rng(0).normal(0, 0.3, seen.outline_px.shape)
    finding = measured(dataclasses.replace(seen, outline_px=seen.outline_px + noise))
    assert values(finding)["HC"] == pytest.approx(0.2 * cut.circumference, rel=5e-3)
    assert flags(finding) == ("cut-by-edge",)


@pytest.mark.parametrize("towards", EDGES)
@pytest.mark.parametrize(("seen", "name"), [(head, "head"), (belly, "abdomen")])
def test_what_is_cut_by_more_than_half_is_refused(seen, name, towards):
    ellipse = HEAD if seen is head else BELLY
    with pytest.raises(MeasurementError, match=f"cuts more than half of the {name}"):
        measured(seen(cut_by(0.55, towards, ellipse)))


def test_too_short_an_outline_is_refused():
    with pytest.raises(MeasurementError, match="needs 12 outline points, got 5"):
        measured(dataclasses.replace(head(), outline_px=HEAD.points(5)))


def test_scattered_points_are_a_poor_fit():
    scattered = np.random.default_rng(0).uniform(100, 400, (200, 2))
    finding = measured(dataclasses.replace(head(), outline_px=scattered), None)
    assert "poor-fit" in flags(finding)
    assert finding.quality < 0.05


def test_the_shape_is_judged_in_millimetres():
    # round in pixels, and a head of cephalic index 0.78 on pixels of 0.195 x 0.25 mm
    circle = head(Ellipse((270, 400), (200, 200), 0))
    assert flags(measured(circle, None)) == ("unusual-shape",)
    assert flags(measured(circle, (0.195, 0.25))) == ()
