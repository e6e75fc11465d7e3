# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""A side of a data set of volumes in memory."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("SimpleITK", reason="needs the volume extra")

from fetometry.errors import DataError
from fetometry.training.data import Row, volume_cache
from fetometry.training.heads import VolumeTruth, build_heads
from fetometry.training.pictures import Pictures
from fetometry.training.side import load_side
from fetometry.training.solids import Solids
from tests.training import toy
from tests.training import toy_volumes as toy3d

pytestmark = pytest.mark.train

CPU = torch.device("cpu")
SIZE = (16, 24, 24)
#: What the heads of the toy recipe mean.
MEANINGS = {name: head.meaning() for name, head in build_heads(toy3d.recipe().heads).items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("solids")


@pytest.fixture(scope="module")
def rows(folder):
    return toy3d.make(folder / "volumes", train=3)


@pytest.fixture(scope="module")
def side(rows, folder):
    return Solids.load(rows, toy3d.recipe(), folder / "cache")


def test_without_a_region_of_interest_the_box_is_the_whole_volume(side):
    assert side.boxes.tolist() == [[[0, 0, 0], [20, 24, 24]]] * 3


def test_with_one_it_is_the_box_of_the_mask_with_its_margin(rows, folder):
    def boxes(margin_mm):
        given = {"roi": "roi", "margin_mm": margin_mm}
        return Solids.load(rows, toy3d.recipe(input=given), folder / "cache").boxes

    tight, wide = boxes(0.0), boxes(4.0)
    cache = volume_cache.load(rows, toy3d.VOXEL_MM, folder / "cache")
    for i in range(3):
        where = np.argwhere(cache.volume(i)[1])
        assert tight[i].tolist() == [where.min(axis=0).tolist(), (where.max(axis=0) + 1).tolist()]
    # 4 mm are two voxels, as far as the volume reaches
    grown = torch.stack([tight[:, 0] - 2, tight[:, 1] + 2], dim=1)
    limits = torch.tensor([20.0, 24, 24])
    assert torch.equal(wide, torch.minimum(grown.clamp(min=0), limits))


def test_plain_windows_are_cut_from_the_middle_of_the_box(side):
    shown = side.plain(torch.tensor([2, 0]), toy3d.recipe(), CPU)
    assert shown.shape == (2, 1, *SIZE)
    for i, position in enumerate((2, 0)):
        grey = torch.from_numpy(side.cache.volume(position)[0]).float()
        torch.testing.assert_close(shown[i, 0], grey[2:18], atol=0.01, rtol=0)


def beyond(side, recipe, position=1):
    """Grey of a plain window within and beyond the box of a volume, but for its edge."""
    shown = side.plain(torch.tensor([position]), recipe, CPU)[0, 0]
    low, high = side.boxes[position]
    places = torch.stack(torch.meshgrid(*(torch.arange(n) for n in shown.shape), indexing="ij"), -1)
    places = places + (low + high - 1) / 2 - (torch.tensor(shown.shape) - 1) / 2
    depth = torch.minimum(places - low, high - 1 - places).amin(dim=-1)
    return shown[depth > 1], shown[depth < -1]


def test_beyond_the_region_there_is_black_only_where_that_is_asked_for(rows, folder):
    given = {"roi": "roi", "margin_mm": 0.0}
    plain, black = (toy3d.recipe(input={**given, **more}) for more in ({}, {"black_beyond": True}))
    side = Solids.load(rows, plain, folder / "cache")
    seen, cut = beyond(side, plain), beyond(side, black)
    torch.testing.assert_close(cut[0], seen[0])
    assert seen[1].mean() > 10
    assert cut[1].max() == 0


def test_the_box_that_is_shown_is_off_by_as_much_as_is_said(rows, folder):
    given = {"roi": "roi", "margin_mm": 0.0, "black_beyond": True}
    exact, off = (toy3d.recipe(input={**given, "box_error_mm": mm}) for mm in (0.0, 6.0))
    side = Solids.load(rows, exact, folder / "cache")
    black = [
        (side.changed(torch.arange(3), recipe, 5, CPU)[0] == 0).float().mean(dim=(1, 2, 3, 4))
        for recipe in (exact, off)
    ]
    assert not torch.allclose(*black)


def test_the_truth_at_the_input_is_that_of_the_plain_windows(side):
    truth = side.at_input(toy3d.recipe())
    expected = torch.from_numpy(side.cache.ends).float() - torch.tensor([2.0, 0, 0])
    torch.testing.assert_close(truth.ends, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_changed_at_random_grey_mask_and_ends_still_fit_each_other(side, seed):
    grey, truth = side.changed(torch.arange(3), toy3d.recipe(), seed, CPU)
    assert grey.shape == truth.mask.shape == (3, 1, *SIZE)
    assert truth.mask.unique().tolist() == [0, 1]
    for i in range(3):
        inside = truth.mask[i] > 0
        assert grey[i][inside].mean() > 120 > 60 > grey[i][~inside].mean()
        where = (truth.mask[i, 0] > 0).nonzero().float()
        one, other = truth.ends[i]
        along = (other - one) / (other - one).norm()
        reach = where @ along
        # a voxel of the window may cut an end off
        assert reach.min() - 0.5 >= one @ along - 1
        assert reach.max() + 0.5 <= other @ along + 1
        if truth.within()[i]:
            assert (reach.min() - 0.5, reach.max() + 0.5) == pytest.approx(
                (float(one @ along), float(other @ along)), abs=1
            )


def test_the_same_seed_changes_volumes_the_same_and_another_seed_otherwise(side):
    one, same, other = (
        side.changed(torch.arange(2), toy3d.recipe(), seed, CPU) for seed in (1, 1, 2)
    )
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1].ends, same[1].ends)
    assert not torch.allclose(one[1].ends, other[1].ends)


def outputs_of(side, position):
    """Outputs that are right about a plain window."""
    grey = side.plain(torch.tensor([position]), toy3d.recipe(), CPU)[0].numpy()
    ends = side.at_input(toy3d.recipe()).ends[position].numpy()
    grid = np.stack(np.indices(SIZE), axis=-1)
    spots = [np.exp(-np.square(grid - end).sum(axis=-1) / (2 * 1.5**2)) for end in ends]
    return {"mask": (grey - 100) / 20, "ends": np.stack(spots)}


@pytest.mark.parametrize("position", range(3))
def test_a_volume_that_is_seen_rightly_misses_nothing(side, rows, position):
    maps = outputs_of(side, position)
    seen = side.seen(position, toy3d.recipe(), MEANINGS, maps)
    assert (seen.plane, seen.truth_mm) == ("femur", rows[position].truth_mm["FL"])
    assert seen.found_mm == pytest.approx(seen.truth_mm, abs=0.5)
    assert seen.misses["mask"] < 0.08
    assert seen.misses["ends"] < 0.02
    turned = {**maps, "ends": maps["ends"][::-1]}  # which end is which does not count
    assert side.seen(position, toy3d.recipe(), MEANINGS, turned) == seen


def test_an_end_that_is_off_is_missed_by_its_share_of_the_length(side, rows):
    maps = outputs_of(side, 0)
    moved = {**maps, "ends": np.stack([maps["ends"][0], np.roll(maps["ends"][1], 2, axis=2)])}
    right, wrong = (side.seen(0, toy3d.recipe(), MEANINGS, m) for m in (maps, moved))
    # 2 voxels of 2 mm at one of two ends
    assert wrong.misses["ends"] - right.misses["ends"] == pytest.approx(
        2.0 / rows[0].truth_mm["FL"], rel=0.1
    )
    assert wrong.misses["mask"] == right.misses["mask"]


def test_what_was_not_found_misses_all(side):
    nothing = {"mask": np.full((1, *SIZE), -5.0), "ends": np.zeros((2, *SIZE))}
    seen = side.seen(0, toy3d.recipe(), MEANINGS, nothing)
    assert seen.found_mm == pytest.approx(0, abs=1e-3)
    assert seen.misses["mask"] == 1
    assert seen.misses["ends"] > 1


def test_only_what_the_network_tells_is_judged(side):
    maps = outputs_of(side, 0)
    mask, ends = ({name: MEANINGS[name]} for name in ("mask", "ends"))
    seen = side.seen(0, toy3d.recipe(), mask, maps)
    assert (seen.truth_mm, seen.found_mm, list(seen.misses)) == (None, None, ["mask"])
    assert list(side.seen(0, toy3d.recipe(), ends, maps).misses) == ["ends"]


def test_a_copy_of_a_side_is_the_side(side):
    assert copy.deepcopy(side) is side


def test_ends_outside_the_window_are_known_to_be_there():
    mask = torch.zeros(4, 1, 8, 9, 10)
    ends = torch.tensor([[0.0, 0, 0], [7, 8, 9]]).repeat(4, 1, 1)
    ends[1, 0, 0], ends[2, 1, 1], ends[3, 1, 2] = -0.1, 8.1, 9.1
    assert VolumeTruth(mask, ends).within().tolist() == [True, False, False, False]


def test_the_recipe_says_whether_pictures_or_volumes_are_loaded(rows, side, tmp_path):
    found = load_side(rows, toy3d.recipe(), side_folder := tmp_path / "cache")
    assert isinstance(found, Solids)
    assert list(side_folder.glob("volumes-*.npz"))
    pictures = toy.make(tmp_path / "toy", train=1)
    assert isinstance(load_side(pictures, toy.recipe(), tmp_path / "cache"), Pictures)


def test_a_side_that_is_empty_or_of_the_other_kind_is_refused(rows, tmp_path):
    picture = Row("toy3d", tmp_path / "a.png", "1", "head", None)
    with pytest.raises(DataError, match="toy3d: a side of the split is empty"):
        load_side([], toy3d.recipe(), tmp_path)
    with pytest.raises(DataError, match="toy3d: the recipe is of volumes, the data are pictures"):
        load_side([*rows, picture], toy3d.recipe(), tmp_path)
    with pytest.raises(DataError, match="toy: the recipe is of pictures, the data are volumes"):
        load_side(rows, toy.recipe(), tmp_path)
