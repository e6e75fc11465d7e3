# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""In which order the images of a side are shown, and seeds that tell one draw from another."""

import collections

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.errors import RecipeError
from fetometry.training.order import Batches, drawn, mixed_seed, shuffled
from fetometry.training.recipe import Data

pytestmark = pytest.mark.train

KINDS = ["rare"] * 3 + ["common"] * 20 + ["none"] * 7
SHARES = {"rare": 0.5, "common": 0.25, "none": 0.25}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def data(draws=0, shares=None):
    return Data("toy", (64, 96), draws=draws, shares=shares or {})


@pytest.mark.parametrize("draws", [4, 40, 400])
def test_each_kind_is_drawn_as_often_as_its_share_says(draws):
    chosen = drawn(KINDS, data(draws, SHARES), rng()).tolist()
    counts = collections.Counter(KINDS[i] for i in chosen)
    assert counts == {"rare": draws // 2, "common": draws // 4, "none": draws // 4}


def test_shares_are_parts_of_their_sum():
    doubled = {kind: 2 * share for kind, share in SHARES.items()}
    one, other = (drawn(KINDS, data(40, shares), rng()) for shares in (SHARES, doubled))
    assert torch.equal(one, other)


@pytest.mark.parametrize("draws", [12, 40, 400])
def test_no_image_is_drawn_again_before_all_of_its_kind_were(draws):
    counts = collections.Counter(drawn(KINDS, data(draws, SHARES), rng()).tolist())
    for kind in SHARES:
        times = [counts[i] for i, name in enumerate(KINDS) if name == kind]
        assert max(times) - min(times) <= 1


def test_a_kind_without_a_share_of_its_own_is_not_shown():
    chosen = drawn(KINDS, data(10, {"rare": 1.0, "common": 1.0, "none": 0.0}), rng())
    assert {KINDS[i] for i in chosen.tolist()} == {"rare", "common"}


def test_without_draws_every_image_is_shown_once():
    assert drawn(KINDS, data(), rng()).tolist() == list(range(30))


def test_the_seed_decides_what_is_drawn():
    one, same, other = (drawn(KINDS, data(40, SHARES), rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert sorted(one.tolist()) != sorted(other.tolist())


@pytest.mark.parametrize(
    "shares", [{"rare": 1.0, "common": 1.0}, {**SHARES, "feet": 0.1}, {"feet": 1.0}], ids=str
)
def test_shares_of_other_kinds_than_there_are_are_refused_with_both(shares):
    with pytest.raises(RecipeError, match=r"shares must be of common, none, rare; got ") as refused:
        drawn(KINDS, data(10, shares), rng())
    assert str(refused.value).endswith(", ".join(sorted(shares)))


def test_draws_that_would_draw_nothing_are_refused():
    shares = {f"kind {i}": 1.0 for i in range(5)}
    with pytest.raises(RecipeError, match="2 draws are too few for these shares"):
        drawn(list(shares), data(2, shares), rng())


def test_shuffled_positions_are_each_shown_at_most_once_in_whole_batches():
    positions = torch.arange(100, 123)
    batches = list(shuffled(positions, 5, rng()))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    shown = torch.cat(batches).tolist()
    assert len(set(shown)) == 20
    assert set(shown) <= set(positions.tolist())
    assert shown != sorted(shown)


def test_a_data_set_smaller_than_a_batch_is_one_batch():
    assert [len(batch) for batch in shuffled(torch.arange(3), 8, rng())] == [3]


def test_batches_hand_out_every_position_once():
    batches = Batches(torch.tensor([7, 6, 5, 4, 3]), 2)
    assert len(batches) == 3
    assert [batch.tolist() for batch in batches] == [[7, 6], [5, 4], [3]]
    assert [batch.tolist() for batch in batches] == [[7, 6], [5, 4], [3]]  # and again


def test_seeds_are_mixed_from_all_their_parts_in_their_order():
    seeds = {mixed_seed(0, 0, 1), mixed_seed(0, 1, 0), mixed_seed(1, 0, 0), mixed_seed(2**40, 0, 0)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert mixed_seed(3, 1, 4) == mixed_seed(3, 1, 4)
