# ruff: noqa: E402 -- what needs the train extra is imported once it is known to be there
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from fetometry.geometry import Ellipse, apply
from fetometry.predict.canvas import to_canvas
from fetometry.training import augment
from fetometry.training.augment import Ellipses
from fetometry.training.recipe import Augment, Input
from tests.training import toy

pytestmark = pytest.mark.train

SIZE = (64, 96)
INPUT = Input(SIZE, 127.0, 128.0)
EVERYTHING = Augment(
    rotate_deg=30.0,
    scale=(0.8, 1.25),
    shift=0.08,
    flip=True,
    gamma=(0.7, 1.4),
    gain=(0.8, 1.25),
    blur_px=1.0,
    noise=0.08,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(*ellipses):
    return Ellipses(
        torch.tensor([e.center for e in ellipses], dtype=torch.float32),
        torch.tensor(np.array([e.shape for e in ellipses]), dtype=torch.float32),
    )


def dice(one, other):
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_without_augmentation_the_canvas_stays_as_it_is():
    pixels = torch.randint(0, 256, (2, *SIZE), generator=rng(), dtype=torch.uint8)
    warped = augment.warp(pixels, augment.identity(2, SIZE, SIZE), SIZE)
    assert warped.shape == (2, 1, *SIZE)
    torch.testing.assert_close(warped[:, 0], pixels.float(), atol=2e-3, rtol=0)


def linear(**changes):
    maps = augment.random_maps(
        200, (60, 90), (Input((60, 90), 0.0, 1.0), Augment(**changes)), rng()
    )
    return maps[:, :, :2]


def test_turns_in_steps_are_multiples_of_the_step():
    turns = linear(rotate_deg=60.0, rotate_step_deg=20.0)
    degrees = torch.rad2deg(torch.atan2(turns[:, 1, 0], turns[:, 0, 0]))
    assert sorted(set(degrees.round().int().tolist())) == [-60, -40, -20, 0, 20, 40, 60]


def test_a_mirrored_picture_has_left_and_right_exchanged_and_never_up_and_down():
    sides = {tuple(torch.diagonal(one).int().tolist()) for one in linear(mirror=True)}
    assert sides == {(1, 1), (1, -1)}


def test_an_ellipse_is_whole_while_its_outermost_points_lie_in_the_input():
    shape = torch.diag(torch.tensor([100.0, 400.0]))  # 10 px up and down, 20 left and right
    centers = torch.tensor([[9.6, 50.0], [9.4, 50.0], [30.0, 19.6], [30.0, 69.6], [49.6, 45.0]])
    ellipses = Ellipses(centers, shape.expand(5, 2, 2))
    assert augment.whole(ellipses, (60, 90)).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize("cache", [(128, 192), (128, 128), (96, 192)])
def test_halving_by_the_map_equals_the_letterbox_of_the_predictor(cache):
    pixels = np.random.default_rng(0).integers(0, 256, cache, dtype=np.uint8)
    matrix = augment.identity(1, cache, SIZE)
    assert float(matrix[0, 0, 0]) == 0.5
    warped = augment.warp(torch.from_numpy(pixels)[None], matrix, SIZE)[0, 0].numpy()
    assert np.abs(warped - to_canvas(pixels, SIZE)).max() <= 0.51  # rounding to whole greys


def test_no_augmentation_gives_the_identity_map():
    maps = augment.random_maps(3, (128, 200), (INPUT, Augment()), rng())
    torch.testing.assert_close(maps, augment.identity(3, (128, 200), SIZE), atol=1e-4, rtol=0)


def test_a_warped_picture_lies_under_the_truth_mapped_by_the_same_matrix():
    cache, count = (96, 160), 24
    head = batch(*[Ellipse((47.3, 78.6), (38.0, 27.0), 25.0)] * count)
    drawn = (head.draw(cache, 1)[:, 0] * 255).round().to(torch.uint8)
    maps = augment.random_maps(count, cache, (INPUT, EVERYTHING), rng(1))
    seen = augment.warp(drawn, maps, SIZE)[:, 0] > 127.5
    truth = head.mapped(maps).draw(SIZE, 1)[:, 0] > 0.5
    mirrored = torch.linalg.det(maps[:, :, :2]) < 0
    assert 0 < int(mirrored.sum()) < count
    assert min(dice(a, b) for a, b in zip(seen, truth, strict=True)) > 0.98


def test_the_maps_turn_the_picture_and_never_squash_it():
    linear = augment.random_maps(32, (96, 160), (INPUT, EVERYTHING), rng())[:, :, :2]
    square = linear @ linear.mT
    scale = square[:, :1, :1]
    torch.testing.assert_close(square, scale * torch.eye(2), atol=1e-5, rtol=0)
    zoom = scale.flatten().sqrt() / 0.6  # 160 columns into 96
    assert 0.8 <= float(zoom.min()) < 0.9 < 1.1 < float(zoom.max()) <= 1.25


def test_flips_alone_keep_the_middle_of_the_picture_where_it_is():
    maps = augment.random_maps(32, SIZE, (INPUT, Augment(flip=True)), rng())
    middle = torch.tensor([31.5, 47.5])
    torch.testing.assert_close(
        (maps[:, :, :2] @ middle) + maps[:, :, 2], middle.expand(32, 2), atol=1e-4, rtol=0
    )
    corners = {tuple(diagonal) for diagonal in maps[:, [0, 1], [0, 1]].round().int().tolist()}
    assert corners == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("center", [(100.0, 140.0), (99.5, 140.25), (100.37, 139.81)])
def test_the_soft_mask_has_the_area_of_the_ellipse(stride, center):
    head = Ellipse(center, (78.0, 56.0), 33.0)
    mask = batch(head).draw((200, 288), stride)
    assert mask.shape == (1, 1, 200 // stride, 288 // stride)
    assert float(mask.sum()) * stride**2 == pytest.approx(head.area, rel=2e-3)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_soft_mask_stands_where_the_ellipse_does(stride):
    head = Ellipse((88.4, 150.7), (78.0, 56.0), 33.0)
    mask = batch(head).draw((200, 288), stride)[0, 0]
    at = [torch.arange(n) * stride + (stride - 1) / 2 for n in mask.shape]
    mass = mask / mask.sum()
    row, col = float((mass.sum(1) * at[0]).sum()), float((mass.sum(0) * at[1]).sum())
    assert (row, col) == pytest.approx(head.center, abs=0.05)


def test_rows_and_columns_are_those_of_the_geometry():
    head = Ellipse((40.0, 120.0), (50.0, 20.0), 60.0)
    mask = batch(head).draw((96, 200), 1)[0, 0] > 0.5
    assert dice(mask, torch.from_numpy(head.mask((96, 200)))) > 0.995


def test_ellipses_move_as_the_geometry_moves_them():
    head = Ellipse((30.0, 50.0), (25.0, 18.0), 70.0)
    maps = augment.random_maps(4, SIZE, (INPUT, EVERYTHING), rng(3))
    moved = batch(*[head] * 4).mapped(maps)
    for i, matrix in enumerate(maps.double().numpy()):
        expected = head.transformed(matrix)
        assert moved.center[i].numpy() == pytest.approx(np.array(expected.center), abs=1e-3)
        assert moved.shape[i].numpy() == pytest.approx(expected.shape, rel=1e-4, abs=1e-2)


#: A bar 60 px long, in neither order of rows or columns, off the pixel grid.
ENDS = ((80.25, 130.5), (44.25, 178.5))


def ends(*pairs):
    return torch.tensor(pairs)


def places(drawn, stride):
    """Where the pixels of a map stand in the input, and how much each weighs."""
    at = augment.grid((200, 288), stride, drawn.device).reshape(-1, 2)
    return at, drawn[0, 0].flatten() / drawn.sum()


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("width", [7.0, 12.3])
def test_a_bar_has_the_area_of_its_length_and_width(width, stride):
    bar = augment.draw_bars(ends(ENDS), torch.tensor([width]), (200, 288), stride)
    assert bar.shape == (1, 1, 200 // stride, 288 // stride)
    assert float(bar.sum()) * stride**2 == pytest.approx(60 * width, rel=0.015)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_bar_stands_between_its_ends_and_lies_along_them(stride):
    bar = augment.draw_bars(ends(ENDS), torch.tensor([9.0]), (200, 288), stride)
    at, weight = places(bar, stride)
    middle = (weight[:, None] * at).sum(0)
    assert middle.tolist() == pytest.approx([62.25, 154.5], abs=0.04 * stride)
    off = at - middle
    along = off @ torch.tensor([-36.0, 48.0]) / 60
    across = off @ torch.tensor([48.0, 36.0]) / 60
    # the variance of an even bar is a twelfth of its squared length, or width; so is its edge's
    edge = stride**2 / 12
    assert float((weight * along**2).sum()) == pytest.approx(60**2 / 12 + edge, rel=0.02)
    assert float((weight * across**2).sum()) == pytest.approx(9**2 / 12 + edge, rel=0.02)
    assert float((weight * along * across).sum()) == pytest.approx(0, abs=1.5)


def test_a_bar_is_cut_off_square_at_its_ends():
    pair = ends(((20.0, 10.0), (20.0, 49.0)))
    bar = augment.draw_bars(pair, torch.tensor([5.0]), (40, 60), 1)[0, 0]
    assert bar[20, 9:12].tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert bar[20, 48:51].tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert bar[17:24, 30].tolist() == pytest.approx([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    assert float(bar.max()) == 1.0


@pytest.mark.parametrize("draw", ["bars", "spots"])
def test_the_order_of_the_ends_does_not_matter(draw):
    one, other = ends(ENDS), ends(ENDS[::-1])
    if draw == "bars":
        drawn = [augment.draw_bars(e, torch.tensor([9.0]), (200, 288), 2) for e in (one, other)]
    else:
        drawn = [augment.draw_spots(e, 5.0, (200, 288), 2) for e in (one, other)]
    torch.testing.assert_close(*drawn, atol=1e-4, rtol=0)


def test_every_image_of_a_batch_has_its_own_bar_and_its_own_width():
    pair = ends(((20.0, 10.0), (20.0, 49.0)), ((10.0, 10.0), (10.0, 29.0)))
    bars = augment.draw_bars(pair, torch.tensor([5.0, 9.0]), (40, 60), 1)
    assert bars.sum((1, 2, 3)).tolist() == pytest.approx([39 * 5, 19 * 9], rel=1e-3)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("at", [(60.0, 80.0), (60.37, 80.81)])
def test_a_spot_is_a_gaussian_of_height_1_where_its_point_is(at, stride):
    spots = augment.draw_spots(ends((at, (150.0, 220.0))), 5.0, (200, 288), stride)
    assert spots.shape == (1, 1, 200 // stride, 288 // stride)
    assert float(spots.sum()) * stride**2 == pytest.approx(2 * 2 * np.pi * 25, rel=1e-3)
    where, _ = places(spots, stride)
    far = (where - torch.tensor(at)).norm(dim=-1)
    near = far < 15
    wanted = torch.exp(-(far[near] ** 2) / 50)
    torch.testing.assert_close(spots.flatten()[near], wanted, atol=1e-5, rtol=0)


def test_two_spots_that_meet_are_no_higher_than_one():
    spots = augment.draw_spots(ends(((20.0, 30.0), (20.0, 33.0))), 4.0, (40, 60), 1)[0, 0]
    assert float(spots.max()) == 1.0
    assert float(spots[20, 31]) == pytest.approx(np.exp(-1 / 32))


def test_points_move_as_the_map_says():
    # rows are doubled and columns moved by 5; then a quarter turn: (row, col) -> (col, -row)
    maps = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 5.0]], [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]])
    points = torch.tensor([[[3.0, 7.0], [1.0, 0.0]]] * 2)
    moved = augment.mapped(points, maps)
    assert moved[0].tolist() == [[6.0, 12.0], [2.0, 5.0]]
    assert moved[1].tolist() == [[7.0, -3.0], [0.0, -1.0]]


def test_points_move_as_the_geometry_moves_them():
    maps = augment.random_maps(4, SIZE, (INPUT, EVERYTHING), rng(3))
    points = torch.rand(4, 2, 2, generator=rng(4)) * 60
    moved = augment.mapped(points, maps)
    for i, matrix in enumerate(maps.double().numpy()):
        expected = apply(matrix, points[i].double().numpy())
        assert moved[i].numpy() == pytest.approx(expected, abs=1e-3)


def test_a_warped_spot_lies_where_its_point_is_mapped_to():
    cache, count = (96, 160), 12
    points = torch.tensor([[[40.3, 60.6], [60.2, 100.9]]]).expand(count, 2, 2)
    drawn = (augment.draw_spots(points, 4.0, cache, 1)[:, 0] * 255).round().to(torch.uint8)
    maps = augment.random_maps(count, cache, (INPUT, EVERYTHING), rng(5))
    seen = augment.warp(drawn, maps, SIZE)[:, 0]
    for picture, ends_px in zip(seen, augment.mapped(points, maps), strict=True):
        for row, col in ends_px.round().int().tolist():
            assert float(picture[row, col]) > 210


def make_batch(seed):
    generator = rng(seed)
    pixels = torch.from_numpy(toy.picture(Ellipse((30.0, 50.0), (26.0, 19.0), 20.0)))
    maps = augment.random_maps(2, SIZE, (INPUT, EVERYTHING), generator)
    image = augment.warp(pixels.expand(2, *SIZE), maps, SIZE)
    return maps, augment.photometric(image, EVERYTHING, generator)


def test_the_same_seed_gives_the_same_batch():
    for one, other in zip(make_batch(7), make_batch(7), strict=True):
        assert torch.equal(one, other)


def test_another_seed_gives_another_batch():
    for one, other in zip(make_batch(7), make_batch(8), strict=True):
        assert not torch.allclose(one, other, atol=0.1)


def test_the_pictures_of_a_batch_are_changed_differently():
    maps, images = make_batch(7)
    assert not torch.allclose(maps[0], maps[1], atol=0.01)
    assert not torch.allclose(images[0], images[1], atol=1.0)


def test_greys_stay_within_0_and_255():
    loud = Augment(gamma=(0.5, 2.0), gain=(0.5, 2.0), blur_px=1.0, noise=0.5)
    image = torch.linspace(0, 255, 64 * 96).reshape(1, 1, *SIZE).expand(8, 1, *SIZE)
    changed = augment.photometric(image, loud, rng())
    assert float(changed.min()) >= 0
    assert float(changed.max()) == 255


def test_black_stays_black():
    black = torch.zeros(4, 1, *SIZE)
    assert torch.equal(augment.photometric(black, EVERYTHING, rng()), black)


def test_without_augmentation_no_grey_changes():
    image = torch.rand(2, 1, *SIZE, generator=rng()) * 255
    torch.testing.assert_close(augment.photometric(image, Augment(), rng()), image)


@pytest.mark.parametrize(("gain", "expected"), [(0.5, 50.0), (1.5, 150.0), (4.0, 255.0)])
def test_gain_multiplies_the_greys_up_to_white(gain, expected):
    image = torch.full((1, 1, *SIZE), 100.0)
    changed = augment.photometric(image, Augment(gain=(gain, gain)), rng())
    torch.testing.assert_close(changed, torch.full_like(image, expected))


def test_gamma_raises_the_share_of_full_scale_to_its_power():
    image = torch.full((1, 1, *SIZE), 0.25 * 255)
    changed = augment.photometric(image, Augment(gamma=(2.0, 2.0)), rng())
    torch.testing.assert_close(changed, torch.full_like(image, 0.0625 * 255))


def test_blur_keeps_the_light_and_spreads_it():
    point = torch.zeros(16, 1, 33, 33)
    point[:, :, 16, 16] = 255.0
    changed = augment.photometric(point, Augment(blur_px=1.0), rng())
    torch.testing.assert_close(changed.sum((1, 2, 3)), point.sum((1, 2, 3)))
    peak = changed[:, 0, 16, 16]
    assert float(peak.min()) < 100  # sigma near 1 leaves a sixth in the middle
    assert int((peak > 254).sum()) in range(3, 14)  # about half are left sharp
