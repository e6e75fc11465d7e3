import cv2
import numpy as np
import pytest

from fetometry.geometry import find_sector

SHAPE = (600, 800)


def fan(shape=SHAPE, floor=12, outside=0, degrees=35.0):
    """A sector whose apex lies above the picture, with echoes of 10 to 200 and black around.

    Its sides run from (0, 250) and (0, 550) outwards; its depth ends at an arc.
    """
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(float)
    slope = np.tan(np.radians(degrees))
    up = 150 / slope  # the apex lies this far above the picture
    inside = np.abs(cols - 400) <= (rows + up) * slope
    inside &= np.hypot(rows + up, cols - 400) <= 560 + up
    echoes = np.random.default_rng(0).integers(floor, 200, shape)
    return np.where(inside, echoes, outside).astype(np.uint8)


def edge_col(row, degrees=35.0):
    """The column of the right edge in a row."""
    return 550 + row * np.tan(np.radians(degrees))


@pytest.mark.parametrize("row", [50, 150, 250])
@pytest.mark.parametrize("outside", [0, 3, 9])
def test_the_sides_of_a_sector_are_found_to_one_percent_of_the_picture(row, outside):
    sector = find_sector(fan(outside=outside))
    off = np.array([-20.0, -8.0, 8.0, 20.0]) / np.cos(np.radians(35))
    for sign in (1, -1):
        columns = 400 + sign * (edge_col(row) - 400 + off)
        points = np.stack([np.full(4, float(row)), columns], axis=1)
        np.testing.assert_allclose(sector.beyond(points), [-20, -8, 8, 20], atol=8)
        assert (sector.beyond(points) > 0).tolist() == [False, False, True, True]


def test_the_depth_of_a_sector_ends_at_its_arc():
    sector = find_sector(fan())
    points = np.array([(545.0, 400.0), (580.0, 400.0)])
    assert (sector.beyond(points) > 0).tolist() == [False, True]


def test_text_and_a_ruler_beside_the_sector_do_not_widen_it():
    pixels = fan()
    pixels[::40, :8] = 255
    for k in range(5):
        cv2.putText(pixels, "MI 1.1", (690, 30 + 25 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    assert find_sector(pixels).beyond(np.array([(20.0, 700.0), (20.0, 4.0)])).min() > 60


def test_a_picture_full_of_echoes_has_no_edge_within():
    full = np.random.default_rng(0).integers(20, 200, SHAPE).astype(np.uint8)
    assert len(find_sector(full).offsets) == 0


def test_fluid_and_shadow_at_the_rim_are_no_edges():
    pixels = np.random.default_rng(0).integers(20, 200, SHAPE).astype(np.uint8)
    pixels[150:450, :250] = 0  # a dark lake on the left
    pixels[:, 380:440] = 0  # a shadow from top to bottom
    points = np.array([(300.0, 20.0), (300.0, 240.0), (10.0, 400.0), (590.0, 400.0)])
    assert find_sector(pixels).beyond(points).max() < 0


@pytest.mark.parametrize("pixels", [np.zeros(SHAPE, np.uint8), np.zeros((1, 1), np.uint8)])
def test_a_black_picture_has_no_sector_and_nothing_lies_beyond_it(pixels):
    sector = find_sector(pixels)
    assert len(sector.offsets) == 0
    assert sector.beyond(np.array([(5.0, 5.0)])).tolist() == [-np.inf]


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_the_size_of_the_picture_does_not_matter(scale):
    size = (round(SHAPE[1] * scale), round(SHAPE[0] * scale))
    scaled = np.asarray(cv2.resize(fan(), size, interpolation=cv2.INTER_AREA))
    points = np.array([(150.0, edge_col(150) - 25), (150.0, edge_col(150) + 25)])
    assert (find_sector(scaled).beyond(points * scale) > 0).tolist() == [False, True]
