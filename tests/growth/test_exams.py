"""From an exam to growth, and the change from one exam to the next."""

import pytest

from fetometry.growth import (
    Dates,
    GrowthError,
    Size,
    assess,
    given_sizes,
    sizes_of,
    velocities,
    with_refused,
)
from fetometry.types import Exam, Finding, Measurement, ModelRef, Selected, Spacing

MODEL = ModelRef("model", "ab" * 32, "CC0-1.0")


def selected(name, value, unit="mm", fetus="", low=None, high=None):
    return Selected(name, fetus, value, unit, low, high, "best", 1, None, value, value)


def exam(*chosen):
    measured = (
        Measurement("HC", 175.0, "mm", 600.0, "ellipse on the outer edge"),
        Measurement("BPD", 48.0, "mm", 160.0, "outer-outer"),
    )
    finding = Finding(
        "a.png", 1, "head", 0.99, MODEL, Spacing((0.3, 0.3), "given"), None, None, {}, measured
    )
    return Exam((finding,), selected=chosen)


def test_the_values_that_count_come_with_their_convention_and_interval():
    sizes, refused = sizes_of(exam(selected("HC", 175.0, low=172, high=178), selected("BPD", 48.0)))
    assert [s.name for s in sizes] == ["HC", "BPD"]
    assert sizes[0].interval_mm == (172, 178)
    assert sizes[1].convention == "outer-outer"
    assert refused == ()


def test_twins_are_kept_apart_and_pixels_are_no_millimetres():
    whole = exam(
        selected("HC", 175.0, fetus="A"),
        selected("HC", 180.0, fetus="B"),
        selected("FL", 200.0, unit="px", fetus="B"),
        selected("TAD", 50.0, fetus="B"),
    )
    sizes, refused = sizes_of(whole, "B")
    assert [(s.name, s.value_mm) for s in sizes] == [("HC", 180.0)]
    assert [(r.what, "millimetres are not known" in r.reason) for r in refused] == [("FL", True)]
    assert sizes_of(whole)[0] == ()


def test_a_mean_outside_the_interval_of_one_image_widens_it():
    sizes, _ = sizes_of(exam(selected("HC", 179.0, low=172, high=178)))
    assert sizes[0].interval_mm == (172, 179.0)


def test_refusals_of_the_exam_join_those_of_growth():
    _, refused = sizes_of(exam(selected("FL", 200.0, unit="px")))
    whole = with_refused(assess([Size("HC", 175)], Dates(ga_days=140)), refused)
    assert "FL" in [r.what for r in whole.refused]


def test_sizes_given_by_a_person_may_be_in_centimetres():
    sizes = given_sizes(
        {"HC": 17.5, "AC": None, "BPD": 4.8}, units="cm", bpd_convention="outer-inner"
    )
    assert [(s.name, s.value_mm, s.convention) for s in sizes] == [
        ("HC", 175.0, ""),
        ("BPD", 48.0, "outer-inner"),
    ]
    with pytest.raises(GrowthError, match="units must be mm or cm"):
        given_sizes({"HC": 17.5}, units="inch")


def at(days, **sizes):
    return assess([Size(n, v) for n, v in sizes.items()], Dates(ga_days=days))


def test_a_velocity_is_the_change_a_week_and_of_z():
    found = velocities([at(168, HC=220.0), at(140, HC=175.0)])
    assert len(found) == 1
    assert (found[0].name, found[0].chart) == ("HC", "intergrowth21_hc")
    assert found[0].per_week == pytest.approx(45 / 4)
    first, last = (at(d, HC=v).placements[0].z for d, v in ((140, 175.0), (168, 220.0)))
    assert found[0].z_change == pytest.approx(last - first)


def test_an_exam_in_between_without_a_measurement_is_bridged():
    found = velocities([at(140, HC=175.0), at(154, FL=37.0), at(168, HC=220.0)])
    assert [(v.name, v.from_days, v.to_days) for v in found] == [("HC", 140, 168)]


def test_estimated_ages_and_single_exams_have_no_velocity():
    assert velocities([at(140, HC=175.0)]) == ()
    assert velocities([assess([Size("HC", 175)]), assess([Size("HC", 220)])]) == ()
