"""An ellipse told as numbers becomes an outline in source pixels."""

import numpy as np
import pytest

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry import Ellipse, fit_ellipse, letterbox
from fetometry.predict import Predictor
from fetometry.predict.ellipse import DEGREES, DOUBLE_ANGLE, mirrored, read_ellipse
from fetometry.predict.engine import Engine
from fetometry.types import Image
from tests.conftest import bright_info

SHAPE, SIZE = (400, 640), (192, 288)
HEAD = Ellipse((190.4, 310.7), (140.0, 110.0), 25.0)
WAYS = (DOUBLE_ANGLE, DEGREES)
IMAGE = Image(np.zeros(SHAPE, np.uint8), "head.png")


def meaning(values=DOUBLE_ANGLE):
    return {"kind": "ellipse", "planes": ["head"], "values": values}


def told(ellipse, values=DOUBLE_ANGLE):
    """The numbers that a model tells of an ellipse in pixels of its input."""
    lengths = np.array([*ellipse.center, *(2 * s for s in ellipse.semi_axes)])
    double = np.radians(2 * ellipse.angle_deg)
    if values == DEGREES:
        return np.array([*lengths, ellipse.angle_deg], np.float32)
    return np.array([*(lengths / max(SIZE)), np.sin(double), np.cos(double)], np.float32)


def on_input(ellipse):
    return ellipse.transformed(letterbox(SHAPE, SIZE))


def model(values=DOUBLE_ANGLE, **others):
    outputs = {"ellipse": meaning(values), **others}
    return Predictor(bright_info(outputs=outputs), Engine("none", dict))


def same(found, wanted):
    assert found.center == pytest.approx(wanted.center, abs=0.01)
    assert found.semi_axes == pytest.approx(wanted.semi_axes, abs=0.01)
    assert np.cos(2 * np.radians(found.angle_deg - wanted.angle_deg)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("values", WAYS)
def test_the_outline_lies_on_the_ellipse_in_the_source_image(values):
    found = model(values).decode(IMAGE, {"ellipse": told(on_input(HEAD), values)})
    same(fit_ellipse(found.outline_px).ellipse, HEAD)
    assert found.plane == "head"
    assert (found.softness, found.candidates, found.ends_px) == (0.0, 1, None)


def test_points_outside_the_image_are_left_out_and_the_rest_measures_the_same():
    cut = Ellipse((80.0, 310.7), (140.0, 110.0), 25.0)
    found = model().decode(IMAGE, {"ellipse": told(on_input(cut))})
    assert 180 < len(found.outline_px) < 360
    assert found.outline_px.min() >= -0.5
    same(fit_ellipse(found.outline_px).ellipse, cut)


def test_a_mask_is_read_before_an_ellipse():
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]]
    other = Ellipse((96.0, 144.0), (50.0, 40.0), 0.0)
    mask = 40 * (1 - other.level(np.stack([rows, cols], axis=-1)))[None]
    both = model(outline={"kind": "mask", "planes": ["head"]})
    maps = {"ellipse": told(on_input(HEAD)), "outline": mask.astype(np.float32)}
    found = fit_ellipse(both.decode(IMAGE, maps).outline_px).ellipse.transformed(
        letterbox(SHAPE, SIZE)
    )
    assert found.semi_axes == pytest.approx(other.semi_axes, abs=0.1)


def test_the_length_of_the_direction_does_not_matter():
    vector = told(HEAD)
    vector[4:] *= 0.4
    same(read_ellipse(vector, meaning(), SIZE), HEAD)


@pytest.mark.parametrize("values", WAYS)
def test_a_short_diameter_that_was_told_as_the_longer_one_is_turned_round(values):
    vector = told(HEAD, values)
    vector[[2, 3]] = vector[[3, 2]]
    same(read_ellipse(vector, meaning(values), SIZE), Ellipse(HEAD.center, HEAD.semi_axes, 115.0))


@pytest.mark.parametrize("values", WAYS)
@pytest.mark.parametrize("at", [2, 3])
@pytest.mark.parametrize("bad", [0.0, -0.2, np.nan, np.inf])
def test_a_diameter_that_is_not_positive_or_not_finite_is_not_measured(values, at, bad):
    vector = told(on_input(HEAD), values)
    vector[at] = bad
    with pytest.raises(MeasurementError, match="no ellipse was found"):
        model(values).decode(IMAGE, {"ellipse": vector})


@pytest.mark.parametrize("at", [0, 1, 4, 5])
def test_a_centre_or_a_direction_that_is_not_finite_is_not_measured(at):
    vector = told(on_input(HEAD))
    vector[at] = np.nan
    with pytest.raises(MeasurementError, match="no ellipse was found"):
        model().decode(IMAGE, {"ellipse": vector})


@pytest.mark.parametrize("ellipse", [Ellipse((-900.0, 50.0), (40.0, 30.0), 0.0), HEAD.scaled(9, 9)])
def test_an_ellipse_outside_the_image_is_not_measured(ellipse):
    with pytest.raises(MeasurementError, match="outside the image"):
        model().decode(IMAGE, {"ellipse": told(ellipse)})


@pytest.mark.parametrize(
    ("values", "count"), [(DOUBLE_ANGLE, 5), (DEGREES, 6), ("moments", 6), (None, 6)]
)
def test_numbers_that_this_version_cannot_read_are_refused_with_those_it_can(values, count):
    with pytest.raises(ModelError, match=rf"\({count},\) numbers, told as .*this version reads"):
        model(values).decode(IMAGE, {"ellipse": np.ones(count, np.float32)})


@pytest.mark.parametrize("values", WAYS)
def test_a_mirrored_ellipse_mirrored_back_is_the_ellipse(values):
    ellipse = on_input(HEAD)
    flip = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, SIZE[1] - 1.0]])
    seen = told(ellipse.transformed(flip), values)
    back = mirrored(seen[None], meaning(values), SIZE)[0]
    same(read_ellipse(back, meaning(values), SIZE), ellipse)
