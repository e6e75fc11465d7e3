"""The cache keeps pictures at training scale, and notices when one has changed."""

import cv2
import numpy as np
import pytest

from fetometry.geometry import Ellipse, letterbox
from fetometry.training.data import cache
from fetometry.training.data.manifest import Row

SIZE = (32, 48)


@pytest.fixture
def rows(tmp_path):
    made = []
    for i, shape in enumerate([(64, 96), (90, 60)]):
        path = tmp_path / f"{i}.png"
        pixels = np.random.default_rng(i).integers(20, 200, shape, dtype=np.uint8)
        cv2.imwrite(str(path), pixels)
        ellipse = Ellipse((30.0, 30.0), (20.0, 15.0), 0.0)
        made.append(Row("toy", path, str(i), "head", (0.1, 0.1), ellipse, 110.0))
    return made


def test_each_picture_has_its_shape_and_the_letterbox_s_map(rows, tmp_path):
    stored = cache.load(rows, SIZE, tmp_path / "cache")
    assert stored.pixels.shape == (2, *SIZE)
    assert stored.shapes.tolist() == [[64, 96], [90, 60]]
    np.testing.assert_allclose(stored.matrices[1], letterbox((90, 60), SIZE))


def test_a_packed_cache_needs_no_pictures(rows, tmp_path):
    packed = cache.load(rows, SIZE, tmp_path / "cache")
    for row in rows:
        row.image.unlink()
    again = cache.load(rows, SIZE, tmp_path / "cache")
    np.testing.assert_array_equal(again.pixels, packed.pixels)


def test_a_replaced_picture_is_read_again(rows, tmp_path):
    before = cache.load(rows, SIZE, tmp_path / "cache")
    ramp = np.tile(np.linspace(10, 90, 96).astype(np.uint8), (64, 1))
    cv2.imwrite(str(rows[0].image), ramp)
    after = cache.load(rows, SIZE, tmp_path / "cache")
    assert after.pixels[0].max() <= 90
    np.testing.assert_array_equal(after.pixels[1], before.pixels[1])
