# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""A side of a data set of pictures in memory, and what is known of it."""

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import DataError
from fetometry.geometry import Ellipse, apply, letterbox
from fetometry.training.data import Row, VolumeRow
from fetometry.training.pictures import Pictures, known_truth
from fetometry.types import PLANE_CLASSES
from tests.training import toy

pytestmark = pytest.mark.train

BELLY = Ellipse((30.0, 40.0), (25.0, 18.0), 30.0)
ENDS = ((10.0, 20.0), (50.0, 60.0))


def row(path, plane, **known):
    return Row("toy", path, path.stem, plane, **{"spacing_mm": (0.5, 0.5), **known})


@pytest.fixture
def rows(tmp_path):
    ramp = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
    for name in "abcd":
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), ramp)
    return [
        row(tmp_path / "a.png", "abdomen", ellipse=BELLY, ends=ENDS),
        row(tmp_path / "b.png", "femur", ends=ENDS),
        row(tmp_path / "c.png", "head", spacing_mm=None, view="trans-cerebellar"),
        row(tmp_path / "d.png", "none", spacing_mm=None),
    ]


def test_pictures_bring_what_is_known_at_the_scale_of_the_cache(rows, tmp_path):
    side = Pictures.load(rows, toy.recipe(), tmp_path / "cache")
    assert side.pixels.shape == (4, *toy.SHAPE)
    assert side.truth.size == toy.SHAPE
    matrix = letterbox((128, 128), toy.SHAPE)
    belly = BELLY.transformed(matrix)
    assert side.truth.ellipses.center[0].numpy() == pytest.approx(np.array(belly.center))
    assert side.truth.ellipses.shape[0].numpy() == pytest.approx(belly.shape, rel=1e-5)
    for i in (0, 1):
        assert side.truth.ends[i].numpy() == pytest.approx(apply(matrix, np.array(ENDS)))


def test_what_is_known_is_told_image_by_image(rows):
    truth = known_truth(rows, np.tile(np.eye(2, 3), (4, 1, 1)), toy.SHAPE)
    assert truth.has_ellipse.tolist() == [True, False, False, False]
    assert truth.has_ends.tolist() == [True, True, False, False]
    names = [PLANE_CLASSES[i] for i in truth.classes.tolist()]
    assert names == ["abdomen", "femur", "head:trans-cerebellar", "none"]


def test_where_nothing_is_known_the_numbers_are_finite_and_an_ellipse(rows):
    truth = known_truth(rows, np.tile(np.eye(2, 3), (4, 1, 1)), toy.SHAPE)
    numbers = (truth.ellipses.center, truth.ellipses.shape, truth.ends)
    assert all(torch.isfinite(tensor).all() for tensor in numbers)
    assert (torch.linalg.det(truth.ellipses.shape) > 0).all()


def test_a_side_without_pictures_is_refused(tmp_path):
    with pytest.raises(DataError, match="toy: a side of the split is empty"):
        Pictures.load([], toy.recipe(), tmp_path)


def test_volumes_for_a_recipe_of_pictures_are_refused(tmp_path):
    place = Path("v.nii.gz"), Path("v.mask.nii.gz")
    volume = VolumeRow("toy", *place, "1", (1.0, 1.0, 1.0), ((0, 0, 0), (0, 0, 9)))
    with pytest.raises(DataError, match="toy: the recipe is of pictures, the data are volumes"):
        Pictures.load([volume], toy.recipe(), tmp_path)


def test_pictures_that_nothing_changed_are_those_at_the_input_s_size(rows, tmp_path):
    recipe = toy.recipe()
    side = Pictures.load(rows, recipe, tmp_path / "cache")
    plain = side.plain(torch.tensor([2, 0]), recipe, torch.device("cpu"))
    assert torch.allclose(plain[:, 0], side.pixels[[2, 0]].float(), atol=1e-3)
    assert torch.allclose(side.at_input(recipe).ends, side.truth.ends, atol=1e-4)


def test_the_same_seed_changes_pictures_the_same_and_another_seed_otherwise(rows, tmp_path):
    recipe, cpu, position = toy.recipe(), torch.device("cpu"), torch.arange(4)
    side = Pictures.load(rows, recipe, tmp_path / "cache")
    one, same, other = (side.changed(position, recipe, seed, cpu) for seed in (1, 1, 2))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1].ends, same[1].ends)
    assert not torch.equal(one[0], other[0])


def test_a_copy_of_pictures_is_the_pictures(rows, tmp_path):
    side = Pictures.load(rows, toy.recipe(), tmp_path / "cache")
    assert copy.deepcopy(side) is side
