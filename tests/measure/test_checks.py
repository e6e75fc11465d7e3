import dataclasses

import numpy as np
import pytest

from fetometry.geometry import Ellipse
from fetometry.measure import ABDOMEN, FEMUR, HEAD, Check, examine
from fetometry.types import Image
from tests.measure.seen import (
    BELLY,
    ENDS,
    SHAPE,
    bar,
    belly,
    flags,
    head,
    image,
    measured,
    seen,
    shaft,
)
from tests.measure.seen import HEAD as HEAD_DRAWN

AREA = SHAPE[0] * SHAPE[1]


def moved(ellipse, rows, cols):
    center = (ellipse.center[0] + rows, ellipse.center[1] + cols)
    return Ellipse(center, ellipse.semi_axes, ellipse.angle_deg)


def sized(ellipse, share):
    """The ellipse with such a share of the image's area, in its middle."""
    factor = np.sqrt(share * AREA / ellipse.area)
    axes = tuple(factor * axis for axis in ellipse.semi_axes)
    return Ellipse((270.0, 400.0), axes, ellipse.angle_deg)


def wavy(prediction, amount):
    """The same outline with five waves of such an amplitude, relative to the radius."""
    points = prediction.outline_px
    wave = amount * np.cos(np.linspace(0, 10 * np.pi, len(points), endpoint=False))
    return dataclasses.replace(
        prediction, outline_px=points + wave[:, None] * (points - points.mean(axis=0))
    )


def headed(ratio):
    return head(Ellipse((270.0, 400.0), (200.0, 200.0 * ratio), 25.0))


def bellied(ratio):
    """An abdomen of such a TAD / APAD, TAD across."""
    across, down = 170.0 * np.sqrt(ratio), 170.0 / np.sqrt(ratio)
    axes, degrees = ((across, down), 0.0) if ratio >= 1 else ((down, across), 90.0)
    return belly(Ellipse((270.0, 400.0), axes, degrees))


def soft(prediction, softness):
    return dataclasses.replace(prediction, softness=softness)


# waves of amplitude A have an RMS of A / sqrt(2)
OVER, UNDER = 1.2 * np.sqrt(2), 0.8 * np.sqrt(2)
ELLIPSES = [
    ("cut-by-edge", head(moved(HEAD_DRAWN, 110, 0)), head()),
    ("cut-by-edge", belly(moved(BELLY, 110, 0)), belly()),
    ("poor-fit", wavy(head(), OVER * HEAD.residual), wavy(head(), UNDER * HEAD.residual)),
    ("poor-fit", wavy(belly(), OVER * ABDOMEN.residual), wavy(belly(), UNDER * ABDOMEN.residual)),
    ("several-candidates", head(candidates=2), head(candidates=1)),
    ("several-candidates", belly(candidates=2), belly(candidates=1)),
    ("low-probability", soft(head(), HEAD.softness * 1.01), soft(head(), HEAD.softness * 0.99)),
    (
        "low-probability",
        soft(belly(), ABDOMEN.softness * 1.01),
        soft(belly(), ABDOMEN.softness * 0.99),
    ),
    ("small-in-image", head(sized(HEAD_DRAWN, 0.064)), head(sized(HEAD_DRAWN, 0.066))),
    ("small-in-image", belly(sized(BELLY, 0.089)), belly(sized(BELLY, 0.091))),
    ("unusual-shape", headed(0.69), headed(0.71)),
    ("unusual-shape", headed(0.87), headed(0.85)),
    ("unusual-shape", bellied(0.83), bellied(0.85)),
    ("unusual-shape", bellied(1.16), bellied(1.14)),
]


def tilted(degrees):
    """A shaft of 400 px, turned about the middle."""
    turn = 200 * np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    return shaft(np.array([270.0, 400.0]) + np.array([-turn, turn]))


def bowed(bow):
    return seen("femur", bar(ENDS, bow=bow), ENDS)


def short_of(share):
    """A mask that ends before the second end by such a share of the length."""
    masked = np.array([ENDS[0], ENDS[1] - share * (ENDS[1] - ENDS[0])])
    return seen("femur", bar(masked), ENDS)


def lying(first, last, row=270.0):
    return shaft([(row, first), (row, last)])


SHAFTS = [
    ("cut-by-edge", lying(4, 500), lying(6, 500)),
    ("cut-by-edge", shaft([(535, 100), (400, 500)]), shaft([(533, 100), (400, 500)])),
    ("several-candidates", shaft(candidates=2), shaft(candidates=1)),
    ("low-probability", soft(shaft(), FEMUR.softness * 1.01), soft(shaft(), FEMUR.softness * 0.99)),
    ("small-in-image", lying(300, 459), lying(300, 461)),
    ("tilted", tilted(46), tilted(44)),
    ("tilted", tilted(-46), tilted(-44)),
    ("bent", bowed(0.06), bowed(0.04)),
    ("ends-off-shaft", short_of(0.12), short_of(0.10)),
    ("ends-off-shaft", short_of(-0.12), short_of(-0.10)),
]


@pytest.mark.parametrize(("name", "raising", "quiet"), ELLIPSES + SHAFTS)
def test_each_flag_is_raised_beyond_its_limit_and_not_before(name, raising, quiet):
    assert flags(measured(raising, None)) == (name,)
    assert flags(measured(quiet, None)) == ()


@pytest.mark.parametrize("name", ["trans-cerebellar", "low-plane-probability"])
def test_flags_of_the_model_itself_are_passed_on_after_the_others(name):
    assert flags(measured(head(flags=(name,)))) == (name,)
    assert flags(measured(head(flags=(name,), candidates=2))) == ("several-candidates", name)


def test_several_flags_stand_together():
    prediction = head(moved(HEAD_DRAWN, 0, 300), candidates=2, softness=0.3)
    expected = ("cut-by-edge", "several-candidates", "low-probability")
    assert flags(measured(prediction)) == expected


@pytest.mark.parametrize(
    ("prediction", "over", "raising", "quiet"),
    [
        (head(), "HC", 55, 57),
        (head(), "HC", 379, 377),
        (belly(), "AC", 434, 432),
        (shaft(), "FL", 86, 84),
    ],
)
def test_a_size_that_no_week_gives_is_flagged_and_measured(prediction, over, raising, quiet):
    size_px = {m.name: m.value_px for m in measured(prediction, None).measurements}[over]
    for size_mm, expected in ((raising, ("implausible-size",)), (quiet, ())):
        finding = measured(prediction, (size_mm / size_px,) * 2)
        assert finding.measurements[0].value == pytest.approx(size_mm)
        assert flags(finding) == expected


def test_a_size_in_pixels_is_never_implausible():
    tiny = sized(HEAD_DRAWN, 0.1)
    assert flags(measured(head(tiny), None)) == ()


def fan():
    """A picture of SHAPE whose sector is 300 px wide at the top and opens by 20 degrees a side."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.abs(cols - 400) <= 150 + rows * np.tan(np.radians(20))
    echoes = np.random.default_rng(0).integers(20, 200, SHAPE)
    return Image(np.where(inside, echoes, 0).astype(np.uint8), "fan.png")


@pytest.mark.parametrize(
    ("raising", "quiet"),
    [
        # in row 300 the sector ends in column 659
        (
            head(Ellipse((300.0, 520.0), (180.0, 140.0), 0.0)),
            head(Ellipse((300.0, 440.0), (180.0, 140.0), 0.0)),
        ),
        (
            belly(Ellipse((300.0, 270.0), (150.0, 140.0), 0.0)),
            belly(Ellipse((300.0, 330.0), (150.0, 140.0), 0.0)),
        ),
        (lying(400, 665, row=300.0), lying(400, 635, row=300.0)),
        # an end at the very edge: the bone goes on in the dark
        (lying(400, 656, row=300.0), lying(380, 600, row=300.0)),
    ],
)
def test_what_leaves_the_sector_is_flagged(raising, quiet):
    assert flags(measured(raising, None, fan())) == ("cut-by-sector",)
    assert flags(measured(quiet, None, fan())) == ()
    # the same outlines in a picture that echoes fill
    assert flags(measured(raising, None, image())) == ()


def test_a_check_says_its_value_and_its_limits():
    found = {check.flag: check for check in examine(image(), lying(200, 600), None)}
    assert found["small-in-image"] == Check("small-in-image", 0.5, low=FEMUR.length)
    assert found["tilted"] == Check("tilted", 0.0, high=FEMUR.tilt_deg)
    assert not any(check.is_raised for check in found.values())


@pytest.mark.parametrize(
    ("value", "is_raised"), [(1, False), (2, False), (3, False), (0.9, True), (np.nan, True)]
)
def test_a_limit_itself_raises_nothing_and_no_number_does(value, is_raised):
    assert Check("any", value, low=1, high=3).is_raised == is_raised
