import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetometry.geometry import apply, compose, invert, letterbox
from tests.geometry.shapes import affine_maps, steady


@steady
@given(affine_maps())
def test_a_map_and_its_inverse_cancel(matrix):
    np.testing.assert_allclose(compose(invert(matrix), matrix), np.eye(2, 3), atol=1e-9)


@steady
@given(*[st.tuples(st.integers(1, 2000), st.integers(1, 2000)) for _ in range(2)])
def test_a_letterbox_keeps_the_picture_inside_and_in_the_middle(source, target):
    matrix = letterbox(source, target)
    low, high = np.array([-0.5, -0.5]), np.array(source) - 0.5
    mapped = apply(matrix, np.array([low, high]))
    np.testing.assert_allclose(mapped.mean(axis=0), (np.array(target) - 1) / 2, atol=1e-6)
    room = np.array(target) - (mapped[1] - mapped[0])
    assert room.min() == pytest.approx(0, abs=1e-6)
    assert room.max() >= -1e-6
    np.testing.assert_allclose(apply(invert(matrix), mapped), [low, high], atol=1e-6)


def test_the_letterbox_of_a_worked_example():
    # scale min(256 / 540, 384 / 800) = 0.474074; 384 - 0.474074 * 800 = 4.740741 columns left over
    expected = [[0.474074, 0, -0.262963], [0, 0.474074, 2.107407]]
    np.testing.assert_allclose(letterbox((540, 800), (256, 384)), expected, atol=1e-6)
