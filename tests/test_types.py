import dataclasses

import numpy as np
import pytest

from fetometry.errors import ImageError, MeasurementError, SpacingError
from fetometry.types import Image, Measurement, Region, Spacing, checked_spacing, source_stem

GREY = np.zeros((480, 640), np.uint8)


def square(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, left], [bottom, right]], float)


def region(rows=(0, 479), cols=(0, 639), mm=(0.2, 0.2), high=False, number=1):
    return Region(rows, cols, mm, high, number)


def image(*regions, **changes):
    return Image(GREY, "a.dcm", regions=regions, **changes)


INSIDE = square(100, 100, 300, 400)


@pytest.mark.parametrize(
    "mm", [(0.1, 0.0), (-0.1, 0.1), (np.nan, 0.1), (0.1, np.inf), (0.009, 0.1)]
)
def test_an_unbelievable_spacing_cannot_be_built(mm):
    with pytest.raises(SpacingError, match=r"spacing must be 0\.01 to 1\.0 mm per pixel, got"):
        checked_spacing(*mm)
    with pytest.raises(SpacingError):
        Spacing(mm, "given")
    with pytest.raises(SpacingError):
        region(mm=mm)


def test_the_limits_of_a_spacing_are_believed():
    assert checked_spacing(0.01, 1.0) == (0.01, 1.0)


def test_a_spacing_names_its_source():
    with pytest.raises(SpacingError, match="source"):
        Spacing((0.1, 0.1), "")


@pytest.mark.parametrize("rows, cols", [((10, 9), (0, 5)), ((0, 5), (10, 9))])
def test_a_region_has_its_bounds_in_order(rows, cols):
    with pytest.raises(SpacingError, match="region 1 has its bounds the wrong way round"):
        region(rows=rows, cols=cols)


@pytest.mark.parametrize(
    "pixels", [np.zeros((3, 4, 5), np.uint8), np.zeros((3, 4)), np.zeros((0, 4), np.uint8)]
)
def test_an_image_is_grey_uint8_with_pixels(pixels):
    with pytest.raises(ImageError, match=r"a\.png: "):
        Image(pixels, "a.png")


def test_an_image_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        image().frame = 2


@pytest.mark.parametrize(
    "point, inside",
    [
        ((10.0, 20.0), True),
        ((9.5, 19.5), True),
        ((30.5, 40.5), True),
        ((9.4, 20.0), False),
        ((10.0, 40.6), False),
        ((30.6, 30.0), False),
        ((20.0, 10.0), False),
        ((np.nan, 30.0), False),
    ],
)
def test_a_region_ends_half_a_pixel_beyond_its_last_pixel(point, inside):
    assert region(rows=(10, 30), cols=(20, 40)).contains(np.array([point])) is inside


def test_a_region_contains_an_outline_only_as_a_whole():
    assert region(rows=(0, 200)).contains(square(10, 10, 190, 190))
    assert not region(rows=(0, 200)).contains(square(10, 10, 201, 190))


def test_a_spacing_given_for_the_whole_image_holds_where_no_region_does():
    given = Spacing((0.1, 0.12), "given")
    assert image(spacing=given).spacing_at(INSIDE) is given
    assert image(region(rows=(0, 99)), spacing=given).spacing_at(INSIDE) is given


def test_a_given_spacing_that_agrees_with_the_region_within_2_percent_wins():
    given = Spacing((0.203, 0.197), "given")
    assert image(region(), spacing=given).spacing_at(INSIDE) is given


@pytest.mark.parametrize("mm", [(0.1, 0.2), (0.2, 0.21)])
def test_a_given_spacing_that_contradicts_the_region_is_refused(mm):
    with pytest.raises(SpacingError, match=r"two spacings: .* given, but .* 0\.2 x 0\.2 mm per"):
        image(region(), spacing=Spacing(mm, "given")).spacing_at(INSIDE)


def test_the_region_around_the_outline_gives_its_spacing_per_axis():
    spacing = image(region(mm=(0.2, 0.25), number=3)).spacing_at(INSIDE)
    assert spacing == Spacing((0.2, 0.25), "dicom-region-3")


def test_without_a_spacing_the_reason_and_the_three_ways_are_given():
    with pytest.raises(SpacingError) as caught:
        image(spacing_problem="the tape was torn").spacing_at(INSIDE)
    message = str(caught.value)
    assert message.startswith("no millimetres: the tape was torn; give it with --mm-per-px X")
    assert "--spacing FILE.csv" in message
    assert "calibrated DICOM" in message
    with pytest.raises(SpacingError, match="does not say how large a pixel is"):
        image().spacing_at(INSIDE)


def test_an_outline_that_leaves_its_region_has_no_spacing():
    with pytest.raises(SpacingError, match="no calibrated region contains the whole outline"):
        image(region(cols=(0, 399))).spacing_at(INSIDE)


def test_an_outline_across_two_regions_has_no_spacing_even_if_they_agree():
    both = image(region(cols=(0, 249)), region(cols=(250, 639), number=2))
    with pytest.raises(SpacingError, match="no calibrated region contains the whole outline"):
        both.spacing_at(INSIDE)


def test_the_region_is_chosen_by_the_outline_and_not_by_its_place_in_the_file():
    other = region(rows=(0, 99), mm=(0.5, 0.5))
    spacing = image(other, region(rows=(100, 479), number=2)).spacing_at(INSIDE)
    assert spacing == Spacing((0.2, 0.2), "dicom-region-2")


@pytest.mark.parametrize("first", [True, False])
def test_high_priority_wins_in_either_order(first):
    low = region(mm=(0.5, 0.5), number=2 if first else 1)
    high = region(mm=(0.2, 0.2), high=True, number=1 if first else 2)
    pair = (high, low) if first else (low, high)
    assert image(*pair).spacing_at(INSIDE).mm == (0.2, 0.2)


@pytest.mark.parametrize("high", [True, False])
def test_two_regions_of_one_priority_that_disagree_are_refused(high):
    pair = (region(high=high), region(mm=(0.2, 0.21), high=high, number=2))
    with pytest.raises(
        SpacingError, match="regions 1 and 2 overlap and disagree on the pixel size"
    ):
        image(*pair).spacing_at(INSIDE)


def test_two_regions_that_agree_within_2_percent_are_one():
    pair = (region(), region(mm=(0.203, 0.197), number=2))
    assert image(*pair).spacing_at(INSIDE) == Spacing((0.2, 0.2), "dicom-region-1")


def test_the_region_itself_is_found_by_the_outline():
    first, second = region(cols=(0, 299)), region(cols=(300, 639), number=2)
    assert image(first, second).region_at(square(1, 301, 2, 302)) is second
    assert image(first, second).region_at(INSIDE) is None
    assert image().region_at(INSIDE) is None


def test_a_disagreeing_region_elsewhere_does_not_matter():
    pair = (region(), region(rows=(400, 479), mm=(0.9, 0.9), number=2))
    assert image(*pair).spacing_at(INSIDE).mm == (0.2, 0.2)


def test_a_region_of_high_priority_over_a_part_of_the_outline_is_not_passed_over():
    below = Region((0, 99), (0, 99), (0.1, 0.1), False, 1)
    above = Region((0, 99), (50, 99), (0.2, 0.2), True, 2)
    outline = np.array([[10.0, 10.0], [10.0, 90.0], [90.0, 50.0]])
    image = Image(np.zeros((100, 100), np.uint8), "two.dcm", regions=(below, above))
    with pytest.raises(SpacingError, match="regions 1 and 2 overlap and disagree"):
        image.spacing_at(outline)


def test_no_points_lie_in_no_region():
    assert not Region((0, 9), (0, 9), (0.1, 0.1), True, 1).contains(np.empty((0, 2)))


@pytest.mark.parametrize(
    "source, stem",
    [("a/b/010_HC.png", "010_HC"), ("1.2.840.113", "1.2.840.113"), ("1.2.840.dcm", "1.2.840")],
)
def test_a_name_of_numbers_is_kept_whole(source, stem):
    assert source_stem(source) == stem


@pytest.mark.parametrize(
    ("source", "stem"),
    [("a/leg.nii.gz", "leg"), ("leg.mask.nii.gz", "leg.mask"), ("leg.nii", "leg"), ("b.gz", "b")],
)
def test_a_compressed_volume_has_two_suffixes(source, stem):
    assert source_stem(source) == stem


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, -1.0])
@pytest.mark.parametrize("name", ["value", "value_px", "low", "high"])
def test_a_measurement_is_a_positive_number(name, number):
    numbers = {"value": 250.0, "value_px": 1000.0, "low": 245.0, "high": 255.0, name: number}
    with pytest.raises(MeasurementError, match="HC must be a positive number"):
        Measurement("HC", unit="mm", convention="ellipse", **numbers)


def test_a_measurement_is_in_mm_or_px():
    with pytest.raises(MeasurementError, match="must be mm or px, got 'cm'"):
        Measurement("HC", 25.0, "cm", 1000.0, "ellipse")
