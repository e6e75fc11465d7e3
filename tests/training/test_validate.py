"""Measuring during training: every plane by its own outputs, and a failure counts whole."""

from pathlib import Path

import numpy as np
import pytest

from fetometry.geometry import Ellipse, letterbox
from fetometry.training.data import Row
from fetometry.training.validate import Reader, Seen, summary
from fetometry.types import PLANE_CLASSES

SHAPE, SIZE = (128, 160), (64, 96)
SPACING = (0.5, 0.4)
HEAD = Ellipse((62.3, 80.4), (50.0, 38.0), 25.0)
ENDS = ((40.3, 30.6), (80.8, 120.2))
FULL = {
    "outline": {"kind": "mask", "planes": ["head", "abdomen"]},
    "shaft": {"kind": "mask", "planes": ["femur"]},
    "ends": {"kind": "ends", "planes": ["femur"], "along": "shaft", "tells": "length"},
    "across": {"kind": "ends", "planes": ["abdomen"], "along": "outline", "tells": "direction"},
    "plane": {"kind": "planes", "classes": list(PLANE_CLASSES)},
}


def row(plane, **known):
    return Row("toy", Path("a.png"), "1", plane, **{"spacing_mm": SPACING, **known})


def grid(stride):
    """Where the pixels (h, w, 2) of an output stand in the source image."""
    on_input = np.stack(np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride], axis=-1) * stride
    matrix = letterbox(SHAPE, SIZE)
    return (on_input + (stride - 1) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def outline(ellipse, stride):
    return (1 - ellipse.level(grid(stride)))[None] * ellipse.semi_axes[1]


def spots(ends, stride, sigma=6.0):
    """Logits of Gaussians in source pixels."""
    far = [np.linalg.norm(grid(stride) - np.array(end), axis=-1) for end in ends]
    p = np.clip(np.exp(-0.5 * np.square(np.min(far, axis=0) / sigma)), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))[None]


def shaft(ends, stride):
    one, other = np.array(ends)
    half = (other - one) / 2
    off = grid(stride) - (one + other) / 2
    length = np.linalg.norm(half)
    along, across = np.abs(off @ half) / length, np.abs(off @ [-half[1], half[0]]) / length
    return (6 - np.maximum(along - length + 6, across))[None]


def sure_of(*names):
    return np.array([9.0 if name in names else 0.0 for name in PLANE_CLASSES])


def maps(stride=1, **changes):
    drawn = {
        "outline": outline(HEAD, stride),
        "shaft": shaft(ENDS, stride),
        "ends": spots(ENDS, stride),
        "across": spots(ENDS, stride),
        "plane": sure_of("head"),
    }
    return {**drawn, **changes}


def compare(made, seen, outputs=FULL):
    place = letterbox(SHAPE, SIZE), np.array(SHAPE)
    return Reader(outputs, SIZE).compare(made, seen, place)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("plane", ["head", "abdomen"])
def test_a_circumference_is_measured_in_mm_of_the_source_image(plane, stride):
    made = row(plane, ellipse=HEAD)
    seen = compare(made, maps(stride))
    assert seen.plane == plane
    assert seen.truth_mm == made.truth_mm["HC" if plane == "head" else "AC"]
    assert seen.found_mm == pytest.approx(seen.truth_mm, rel=3e-3)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_femur_is_as_long_as_its_ends_are_apart_in_mm_of_the_source_image(stride):
    seen = compare(row("femur", ends=ENDS), maps(stride))
    assert seen.truth_mm == pytest.approx(np.hypot(40.5 * 0.5, 89.6 * 0.4))
    assert seen.found_mm == pytest.approx(seen.truth_mm, abs=0.15)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (row("head", ellipse=HEAD), "outline"),
        (row("abdomen", ellipse=HEAD, ends=ENDS), "outline"),
        (row("femur", ends=ENDS), "ends"),
    ],
    ids=["head", "abdomen", "femur"],
)
def test_what_is_not_found_has_the_value_0(made, name):
    nothing = np.full_like(maps()[name], -20.0)
    seen = compare(made, maps(**{name: nothing}))
    assert seen.found_mm == 0.0
    assert seen.truth_mm > 0


@pytest.mark.parametrize(
    ("classes", "right"),
    [
        (("head",), {"head"}),
        (("head:trans-cerebellar",), {"head"}),
        (("femur",), {"femur"}),
        (("none",), {"none"}),
    ],
)
def test_the_plane_is_right_whatever_the_view(classes, right):
    for plane in ("head", "abdomen", "femur", "none"):
        seen = compare(row(plane, spacing_mm=None), maps(plane=sure_of(*classes)))
        assert seen.plane_is_right is (plane in right)


def test_two_views_of_a_head_are_more_probable_together_than_one_other_plane():
    logits = np.array([1.0, 1.0, 1.5, 0.0, 0.0])  # 2 e of a head, e^1.5 of an abdomen
    assert compare(row("head", spacing_mm=None), maps(plane=logits)).plane_is_right
    assert not compare(row("abdomen", spacing_mm=None), maps(plane=logits)).plane_is_right


@pytest.mark.parametrize("plane", ["head", "femur", "none"])
def test_where_there_is_no_truth_nothing_is_measured(plane):
    seen = compare(row(plane, spacing_mm=None), maps())
    assert (seen.truth_mm, seen.found_mm) == (None, None)


def test_a_network_of_one_plane_is_judged_in_that_plane_alone():
    head = {"outline": {"kind": "mask", "planes": ["head"]}}
    seen = compare(row("head", ellipse=HEAD), maps(), head)
    assert seen.plane_is_right is None
    assert seen.found_mm == pytest.approx(seen.truth_mm, rel=3e-3)
    other = compare(row("femur", ends=ENDS), maps(), head)
    assert (other.truth_mm, other.found_mm, other.plane_is_right) == (None, None, None)


def test_the_summary_is_the_worked_numbers():
    told = summary(
        [
            Seen("head", 200.0, 202.0, True),  # 1 %
            Seen("head", 100.0, 97.0, False),  # 3 %
            Seen("femur", 50.0, 0.0, True),  # a failure: 100 %
            Seen("femur", 40.0, 40.0, None),
            Seen("none", None, None, True),
            Seen("abdomen", None, None, None),
        ]
    )
    assert told == pytest.approx(
        {
            "val_HC_mm": 2.5,
            "val_HC_bias_mm": -0.5,
            "val_FL_mm": 25.0,
            "val_FL_bias_mm": -25.0,
            "val_plane_accuracy": 0.75,
            "val_error": (2 + 50) / 2,
        }
    )


@pytest.mark.parametrize("seen", [[], [Seen("none", None, None, None)]], ids=["nothing", "none"])
def test_where_nothing_was_measured_the_error_is_whole(seen):
    assert summary(seen) == {"val_error": 100.0}
