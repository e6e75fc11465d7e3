"""What a model without doubts would see, and what is measured from it."""

import numpy as np

from fetometry.geometry import Ellipse
from fetometry.measure import measure
from fetometry.types import Image, ModelRef, Prediction, Spacing

SHAPE = (540, 800)
HEAD = Ellipse((270.3, 400.6), (200.0, 156.0), 25.0)
BELLY = Ellipse((270.3, 400.6), (180.0, 170.0), 25.0)
MODEL = ModelRef("by hand", "0" * 64, "CC0-1.0")

#: A shaft of 500 px, 20 degrees off the horizontal: (sin, cos) of 20 degrees times 500.
ENDS = np.array([(200.0, 150.0), (371.0101, 619.8463)])


def visible(ellipse, shape=SHAPE, count=720):
    points = ellipse.points(count)
    return points[np.all((points >= -0.5) & (points <= np.array(shape) - 0.5), axis=1)]


def bar(ends, width=0.09, bow=0.0):
    """The outline of a bar between two ends, bowed to one side by a share of its length."""
    ends = np.asarray(ends, float)
    axis = ends[1] - ends[0]
    across = np.array([-axis[1], axis[0]])
    t = np.linspace(0, 1, 200)[:, None]
    middle = ends[0] + t * axis + 4 * bow * t * (1 - t) * across
    side = width / 2 * np.linspace(-1, 1, 10)[:, None] * across
    return np.concatenate(
        [middle + side[0], middle + side[-1], ends[0] + side, ends[1] + side], axis=0
    )


def seen(plane, outline, ends=None, candidates=1, softness=0.01, **more):
    ends = None if ends is None else np.asarray(ends, float)
    return Prediction(plane, 0.9, outline, candidates, softness, MODEL, ends, **more)


def head(ellipse=HEAD, **more):
    return seen("head", visible(ellipse), **more)


def belly(ellipse=BELLY, ends=((270.0, 300.0), (270.0, 500.0)), **more):
    return seen("abdomen", visible(ellipse), ends, **more)


def shaft(ends=ENDS, **more):
    return seen("femur", bar(ends), ends, **more)


def image(shape=SHAPE, **more):
    return Image(np.full(shape, 100, np.uint8), "seen.png", frame=3, **more)


def measured(prediction, spacing_mm=(0.2, 0.2), shown=None):
    spacing = Spacing(spacing_mm, "given") if spacing_mm else None
    return measure(shown or image(), prediction, spacing)


def values(finding):
    return {m.name: m.value for m in finding.measurements}


def flags(finding):
    (found,) = {m.flags for m in finding.measurements}
    return found
