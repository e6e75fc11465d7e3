# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
"""One map moves image, mask and ends of a volume alike."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.training import augment_3d
from fetometry.training.recipe import Augment

pytestmark = pytest.mark.train

SHAPE, SIZE = (24, 28, 32), (16, 20, 24)
#: A window in which a ball is never cut off.
ROOMY = (36, 40, 44)
WHOLE = torch.tensor([[0.0, 0, 0], SHAPE])
WILD = Augment(rotate_deg=35.0, scale=(0.8, 1.25), shift=0.05, flip=True)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def ball(center, shape=SHAPE, sigma=1.5):
    """A Gaussian of height 1 (1, D, H, W) about a point in voxels."""
    along = [torch.arange(n, dtype=torch.float32) for n in shape]
    grid = torch.stack(torch.meshgrid(*along, indexing="ij"), dim=-1)
    far = (grid - torch.as_tensor(center)).square().sum(dim=-1)
    return torch.exp(-far / (2 * sigma**2))[None]


def center_of(level):
    """The centre of mass (3,) of a level (1, D, H, W)."""
    along = [torch.arange(n, dtype=torch.float32) for n in level.shape[1:]]
    grid = torch.stack(torch.meshgrid(*along, indexing="ij"), dim=-1)
    return (grid * level[0, ..., None]).sum(dim=(0, 1, 2)) / level.sum()


@pytest.mark.parametrize("seed", range(12))
def test_a_ball_drawn_at_an_end_lands_where_the_end_is_mapped_to(seed):
    matrix = augment_3d.random_map(WHOLE, ROOMY, WILD, rng(seed))
    ends = (torch.tensor(SHAPE) - 1) / 2 + torch.tensor([[-2.0, 3, -4], [1, -3, 4.5]])
    volume = torch.cat([ball(end) for end in ends])
    moved = augment_3d.warp(volume, matrix, ROOMY)
    for i, known in enumerate(augment_3d.mapped(ends, matrix)):
        assert (center_of(moved[i : i + 1]) - known).abs().max() < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_grey_and_mask_of_one_stack_move_alike(seed):
    matrix = augment_3d.random_map(WHOLE, SIZE, WILD, rng(seed))
    grey = torch.rand(1, *SHAPE, generator=rng(seed))
    both = augment_3d.warp(torch.cat([grey, grey]), matrix, SIZE)
    assert torch.equal(both[0], both[1])


def test_a_plain_map_is_a_cut_out_of_the_volume():
    levels = torch.randint(0, 256, (2, *SHAPE), generator=rng(), dtype=torch.uint8)
    center = torch.tensor([9.5, 12.5, 17.5])  # the window's middle is (7.5, 9.5, 11.5)
    matrix = augment_3d.plain_map(center, SIZE)
    cut = augment_3d.warp(levels, matrix, SIZE)
    torch.testing.assert_close(cut, levels[:, 2:18, 3:23, 6:30].float(), atol=1e-2, rtol=0)
    moved = augment_3d.mapped(torch.tensor([[2.0, 3, 6]]), matrix)
    assert moved.abs().max() < 1e-5


def test_outside_the_volume_all_is_0():
    levels = torch.full((1, 8, 8, 8), 200.0)
    shown = augment_3d.warp(levels, augment_3d.plain_map(torch.full((3,), 3.5), SIZE), SIZE)
    assert shown[0, 4:12, 6:14, 8:16].min() == pytest.approx(200, abs=0.1)
    assert shown.sum() == pytest.approx(200 * 8**3, rel=1e-4)


def test_without_changes_the_random_map_is_the_plain_one():
    box = torch.tensor([[4.0, 4, 4], [20, 24, 28]])  # as large as the window: nowhere to move
    plain = augment_3d.plain_map((box[0] + box[1] - 1) / 2, SIZE)
    for seed in range(3):
        found = augment_3d.random_map(box, SIZE, Augment(), rng(seed))
        torch.testing.assert_close(found, plain)


def maps(changes, count=200, box=WHOLE):
    one = rng(7)
    return torch.stack([augment_3d.random_map(box, SIZE, changes, one) for _ in range(count)])


def test_flips_are_across_slices_and_columns_and_never_along_the_rows():
    diagonals = maps(Augment(flip=True))[:, [0, 1, 2], [0, 1, 2]]
    counts = {tuple(signs) for signs in diagonals.sign().int().tolist()}
    assert counts == {(1, 1, 1), (-1, 1, 1), (1, 1, -1), (-1, 1, -1)}
    assert (diagonals[:, 0] < 0).float().mean() == pytest.approx(0.5, abs=0.15)
    assert (diagonals[:, 2] < 0).float().mean() == pytest.approx(0.5, abs=0.15)


def test_a_mirror_is_across_the_columns_alone():
    diagonals = maps(Augment(mirror=True))[:, [0, 1, 2], [0, 1, 2]]
    assert {tuple(s) for s in diagonals.sign().int().tolist()} == {(1, 1, 1), (1, 1, -1)}


def test_turned_and_flipped_the_sound_still_goes_down_the_rows():
    down = maps(WILD)[:, :, :3] @ torch.tensor([0.0, 1, 0])  # where one row further leads
    angle = torch.rad2deg(torch.acos(down[:, 1] / down.norm(dim=1)))
    assert angle.max() < WILD.rotate_deg + 0.1


def test_a_map_turns_scales_and_nothing_else():
    linear = maps(WILD)[:, :, :3]
    zoom = linear.det().abs() ** (1 / 3)
    shape = linear @ linear.transpose(1, 2) / zoom[:, None, None] ** 2
    torch.testing.assert_close(shape, torch.eye(3).expand_as(shape), atol=1e-4, rtol=0)
    assert 0.8 <= zoom.min() < 0.83
    assert 1.2 < zoom.max() <= 1.25
    # half as large as often as twice as large
    assert zoom.log().mean() == pytest.approx(0, abs=0.05)
    turns = linear / zoom[:, None, None]
    turns = turns * turns.det().sign()[:, None, None]
    assert turns.diagonal(dim1=1, dim2=2).sum(dim=1).min() >= -1.001


def test_no_turn_is_larger_than_asked_for():
    linear = maps(Augment(rotate_deg=20.0))[:, :, :3]
    cosine = (linear.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2
    angles = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    assert 15 < angles.max() <= 20.1
    assert math.degrees(math.acos(float(cosine.max()))) < 5


def corners(found):
    """Where the corner voxels of a window lie in the volume (N, 2, 3)."""
    ends = torch.stack([torch.zeros(3), torch.tensor(SIZE) - 1.0])
    offset = found[:, None, :, 3]
    return (ends - offset) @ torch.linalg.inv(found[:, :, :3]).transpose(1, 2)


def test_windows_stay_on_a_box_that_is_larger_and_reach_all_of_it():
    box = torch.tensor([[2.0, 0, 3], [24, 26, 32]])
    low, high = corners(maps(Augment(), box=box)).unbind(dim=1)
    assert (low >= box[0] - 1e-4).all()
    assert (high <= box[1] - 1 + 1e-4).all()
    assert (low.amin(dim=0) < box[0] + 0.3).all()
    assert (high.amax(dim=0) > box[1] - 1.3).all()


def test_a_box_that_is_smaller_stays_whole_in_the_middle_of_the_window():
    box = torch.tensor([[8.0, 8, 8], [18, 20, 22]])
    low, high = corners(maps(Augment(), count=20, box=box)).unbind(dim=1)
    torch.testing.assert_close((low + high) / 2, ((box[0] + box[1] - 1) / 2).expand(20, 3))


def test_a_shift_is_a_share_of_the_window():
    box = torch.tensor([[8.0, 8, 8], [18, 20, 22]])
    found = maps(Augment(shift=0.25), box=box)
    away = (corners(found).mean(dim=1) - (box[0] + box[1] - 1) / 2).abs()
    most = 0.25 * torch.tensor(SIZE)
    assert (away.amax(dim=0) <= most + 1e-4).all()
    assert (away.amax(dim=0) > 0.9 * most).all()


def test_the_seed_decides_the_map():
    one, same, other = (augment_3d.random_map(WHOLE, SIZE, WILD, rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_gain_and_gamma_change_grey_values_as_they_say_and_noise_is_of_the_size_asked_for():
    grey = torch.full((1, 1, 8, 8, 8), 100.0)
    brighter = augment_3d.photometric(grey, Augment(gain=(1.5, 1.5)), rng())
    torch.testing.assert_close(brighter, torch.full_like(grey, 150.0))
    darker = augment_3d.photometric(grey, Augment(gamma=(2.0, 2.0)), rng())
    torch.testing.assert_close(darker, torch.full_like(grey, 255 * (100 / 255) ** 2))
    noisy = augment_3d.photometric(grey, Augment(noise=0.05), rng())
    assert 0 < (noisy - grey).std() < 0.05 * 255 * 1.1
    assert noisy.shape == grey.shape
