import numpy as np
import pytest

from fetometry.geometry import apply, letterbox
from fetometry.predict.canvas import to_canvas

SIZE = (192, 288)
SHAPES = [(540, 800), (513, 777), (1001, 333), (333, 1001), (192, 288), (100, 150), (71, 53)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.31, 0.62), (0.643, 0.377)])
def test_a_spot_lands_where_the_letterbox_says(shape, place):
    matrix = letterbox(shape, SIZE)
    spot = np.array(place) * shape
    sigma = 4 * max(1, 1 / matrix[0, 0])
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - spot[0], cols - spot[1])
    picture = np.rint(255 * np.exp(-0.5 * (distance / sigma) ** 2)).astype(np.uint8)
    canvas = to_canvas(picture, SIZE).astype(np.float64)
    assert canvas.shape == SIZE
    grid = np.stack(np.mgrid[: SIZE[0], : SIZE[1]], axis=-1)
    centroid = (grid * canvas[..., None]).sum(axis=(0, 1)) / canvas.sum()
    np.testing.assert_allclose(centroid, apply(matrix, spot[None])[0], atol=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_grey_picture_stays_grey_and_the_bars_are_black(shape):
    canvas = to_canvas(np.full(shape, 200, np.uint8), SIZE)
    matrix = letterbox(shape, SIZE)
    grid = np.stack(np.mgrid[: SIZE[0], : SIZE[1]], axis=-1)
    source = (grid - matrix[:, 2]) / matrix[0, 0]
    # one pixel, of the canvas or of the source, either side of the picture's edge is a mixture
    reach = max(1, 1 / matrix[0, 0])
    inside = ((source > reach) & (source < np.array(shape) - 1 - reach)).all(axis=-1)
    outside = ((source < -reach) | (source > np.array(shape) - 1 + reach)).any(axis=-1)
    assert inside.any()
    assert np.ptp(canvas[inside]) <= 1
    assert canvas[inside][0] == 200
    assert not canvas[outside].any()


def test_a_picture_of_the_canvas_size_is_unchanged():
    picture = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)
    np.testing.assert_array_equal(to_canvas(picture, SIZE), picture)


def test_shrinking_averages_fine_stripes_instead_of_aliasing_them():
    stripes = np.zeros((768, 1152), np.uint8)
    stripes[:, ::2] = 240
    canvas = to_canvas(stripes, SIZE)
    assert np.ptp(canvas) <= 1
    assert canvas.mean() == pytest.approx(120, abs=1)


@pytest.mark.parametrize("shape", [(20, 4000), (4000, 20)])
def test_thin_pictures_keep_their_area(shape):
    canvas = to_canvas(np.full(shape, 255, np.uint8), SIZE)
    scale = letterbox(shape, SIZE)[0, 0]
    assert canvas.sum() / 255 == pytest.approx(scale**2 * shape[0] * shape[1], rel=0.1)
