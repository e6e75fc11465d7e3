"""What the tests of geometry are made of: any ellipse, any affine map."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from fetometry.geometry import Ellipse

#: No time limit and no randomness: a slow machine or an unlucky day is not a failure.
steady = settings(max_examples=60, deadline=None, derandomize=True, database=None)

HEAD = Ellipse((100.3, 150.7), (100.0, 78.0), 33.0)


@st.composite
def ellipses(draw):
    a = draw(st.floats(5, 500))
    b = a * draw(st.floats(0.3, 1))
    center = draw(st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
    return Ellipse(center, (a, b), draw(st.floats(0, 180, exclude_max=True)))


@st.composite
def affine_maps(draw):
    """Rotation or reflection times a stretch of at most 3 either way, and a shift."""
    turn = np.radians(draw(st.floats(0, 360)))
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    stretch = np.diag([draw(st.floats(1 / 3, 3)), draw(st.sampled_from([-1, 1]))])
    shift = [[draw(st.floats(-100, 100))] for _ in range(2)]
    return np.hstack([spin @ stretch @ spin.T, shift])


def same(one, other, tolerance=1e-6):
    """Compare ellipses by centre and shape: the angle of a circle means nothing."""
    size = one.semi_axes[0]
    np.testing.assert_allclose(one.center, other.center, rtol=0, atol=tolerance * size)
    np.testing.assert_allclose(one.shape, other.shape, rtol=0, atol=tolerance * size**2)
    return True
