from pathlib import Path

import numpy as np
import pydicom
import pytest

from fetometry.errors import SpacingError
from fetometry.image import read
from tests.image.synthetic import dataset, picture, region, save
from tests.support import data_dir, needs_data

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


def image_with(tmp_path, *items, **changes):
    sequence = {"SequenceOfUltrasoundRegions": list(items)} if items else {}
    path = save(dataset(picture(), **(sequence | changes)), tmp_path / "a.dcm")
    (image,) = read(path)
    return image


def square(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, left], [bottom, right]], float)


def test_centimetres_become_millimetres(tmp_path):
    image = image_with(tmp_path, region())
    (found,) = image.regions
    assert found.spacing_mm == pytest.approx((0.2, 0.2))
    assert (found.rows, found.cols, found.number, found.high_priority) == (
        (0, 47),
        (0, 63),
        1,
        True,
    )
    assert image.spacing is None
    assert image.spacing_problem == ""
    assert image.spacing_at(square(2, 3, 40, 60)).source == "dicom-region-1"


def test_x_is_columns_and_y_is_rows(tmp_path):
    bounds = {"RegionLocationMinX0": 10, "RegionLocationMaxX1": 50}
    bounds |= {"RegionLocationMinY0": 5, "RegionLocationMaxY1": 30}
    item = region(PhysicalDeltaX=0.03, PhysicalDeltaY=0.02, **bounds)
    (found,) = image_with(tmp_path, item).regions
    assert (found.rows, found.cols) == ((5, 30), (10, 50))
    assert found.spacing_mm == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("axis", ["X", "Y"])
def test_the_sign_of_a_delta_is_harmless(tmp_path, axis):
    (found,) = image_with(tmp_path, region(**{f"PhysicalDelta{axis}": -0.02})).regions
    assert found.spacing_mm == pytest.approx((0.2, 0.2))


def test_bounds_one_pixel_too_far_are_clipped(tmp_path):
    item = region(RegionLocationMaxX1=64, RegionLocationMaxY1=48)
    (found,) = image_with(tmp_path, item).regions
    assert (found.rows, found.cols) == ((0, 47), (0, 63))


@pytest.mark.parametrize(
    "bounds, reach",
    [
        ({"RegionLocationMaxX1": 65}, r"\(65, 47\)"),
        ({"RegionLocationMaxY1": 49}, r"\(63, 49\)"),
        ({"RegionLocationMaxX1": 595, "RegionLocationMaxY1": 414}, r"\(595, 414\)"),
        ({"RegionLocationMinX0": 70, "RegionLocationMaxX1": 60}, r"\(70, 47\)"),
    ],
)
def test_bounds_further_outside_are_a_stale_calibration(tmp_path, bounds, reach):
    image = image_with(tmp_path, region(**bounds))
    assert image.regions == ()
    with pytest.raises(
        SpacingError,
        match=rf"the calibration is stale: region 1 reaches to {reach} in a 64 x 48 image; give it",
    ):
        image.spacing_at(square(2, 3, 40, 60))


def test_one_stale_region_makes_all_of_them_untrusted(tmp_path):
    image = image_with(tmp_path, region(), region(RegionLocationMaxX1=200))
    assert image.regions == ()
    assert image.spacing_problem.startswith("the calibration is stale: region 2 reaches to")


def test_a_region_outside_that_is_not_in_cm_is_not_stale(tmp_path):
    ruler = region(RegionLocationMaxX1=200, PhysicalUnitsXDirection=4)
    (found,) = image_with(tmp_path, region(), ruler).regions
    assert found.number == 1


@pytest.mark.parametrize("delta", [0.00099, 0.1001, 0.0, 0.229])
def test_an_implausible_delta_is_refused_with_its_size(tmp_path, delta):
    image = image_with(tmp_path, region(PhysicalDeltaY=delta))
    assert image.regions == ()
    assert "region 1 has pixels of" in image.spacing_problem
    assert "outside 0.01 to 1 mm" in image.spacing_problem


@pytest.mark.parametrize("delta", [0.001, 0.1])
def test_the_limits_of_a_delta_are_believed(tmp_path, delta):
    (found,) = image_with(tmp_path, region(PhysicalDeltaX=delta)).regions
    assert found.spacing_mm == pytest.approx((0.2, delta * 10))


def test_a_nan_is_refused(tmp_path):
    assert image_with(tmp_path, region(PhysicalDeltaX=float("nan"))).regions == ()


def test_an_implausible_region_does_not_spoil_a_good_one(tmp_path):
    (found,) = image_with(tmp_path, region(PhysicalDeltaX=2.0), region()).regions
    assert found.number == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"RegionSpatialFormat": 2},
        {"RegionSpatialFormat": 0},
        {"PhysicalUnitsXDirection": 4},
        {"PhysicalUnitsYDirection": 0},
        {"RegionSpatialFormat": None},
        {"PhysicalUnitsYDirection": None},
    ],
)
def test_only_2d_regions_in_cm_count(tmp_path, changes):
    image = image_with(tmp_path, region(**changes))
    assert image.regions == ()
    assert image.spacing_problem == (
        "no ultrasound region is calibrated: region 1 is not a 2D region in cm"
    )


@pytest.mark.parametrize("lacking", ["PhysicalDeltaY", "RegionLocationMaxX1"])
def test_a_region_without_a_number_is_refused_by_its_name(tmp_path, lacking):
    image = image_with(tmp_path, region(**{lacking: None}))
    assert image.spacing_problem.endswith(f"region 1 has no number in {lacking}")


def test_bounds_the_wrong_way_round_are_refused(tmp_path):
    image = image_with(tmp_path, region(RegionLocationMinX0=40, RegionLocationMaxX1=20))
    assert image.spacing_problem.endswith("region 1 has its bounds the wrong way round")


def test_high_priority_wins_where_regions_overlap(tmp_path):
    low = region(RegionFlags=3, PhysicalDeltaX=0.05, PhysicalDeltaY=0.05)
    image = image_with(tmp_path, low, region(RegionFlags=2))
    spacing = image.spacing_at(square(2, 3, 40, 60))
    assert spacing.mm == pytest.approx((0.2, 0.2))
    assert spacing.source == "dicom-region-2"


def test_regions_of_one_priority_that_disagree_are_refused(tmp_path):
    image = image_with(tmp_path, region(), region(PhysicalDeltaX=0.021))
    with pytest.raises(SpacingError, match="regions 1 and 2 overlap and disagree"):
        image.spacing_at(square(2, 3, 40, 60))


def test_dual_screens_each_have_their_own_size(tmp_path):
    left = region(RegionLocationMaxX1=31)
    right = region(RegionLocationMinX0=32, PhysicalDeltaX=0.03, PhysicalDeltaY=0.03)
    image = image_with(tmp_path, left, right)
    assert image.spacing_at(square(2, 3, 40, 30)).mm == pytest.approx((0.2, 0.2))
    assert image.spacing_at(square(2, 33, 40, 60)).mm == pytest.approx((0.3, 0.3))
    with pytest.raises(SpacingError, match="no calibrated region contains the whole outline"):
        image.spacing_at(square(2, 20, 40, 60))


def test_the_frames_of_a_cine_share_the_regions(tmp_path):
    frames = np.stack([picture(seed=seed) for seed in range(3)])
    made = dataset(frames, NumberOfFrames=3, SequenceOfUltrasoundRegions=[region()])
    found = [image.regions for image in read(save(made, tmp_path / "a.dcm"))]
    assert len(found) == 3
    assert found[0] == found[1] == found[2] != ()


def test_without_regions_the_reason_says_so(tmp_path):
    image = image_with(tmp_path)
    assert image.spacing_problem == "the DICOM file has no ultrasound region calibration"


@pytest.mark.parametrize(
    "tag, text", [([0.2, 0.2], "0.2"), ([0.2, 0.25], "0.2,0.25"), (["0.200", "0.2"], "0.2")]
)
def test_pixel_spacing_is_mentioned_but_not_used(tmp_path, tag, text):
    image = image_with(tmp_path, PixelSpacing=tag)
    assert image.spacing is None
    assert image.regions == ()
    assert image.spacing_problem == (
        "the DICOM file has no ultrasound region calibration; it has a Pixel Spacing of "
        f"{text} mm, which in ultrasound is often stale: pass --mm-per-px {text} if you trust it"
    )


@pytest.mark.parametrize("tag", [[1, 0.0], [10, 10], []])
def test_an_unbelievable_pixel_spacing_is_not_mentioned(tmp_path, tag):
    assert "Pixel Spacing" not in image_with(tmp_path, PixelSpacing=tag).spacing_problem


@pytest.mark.parametrize(
    "name, reach",
    [
        ("examples_ybr_color.dcm", "(595, 414) in a 320 x 240 image"),
        ("examples_palette.dcm", "(800, 518) in a 800 x 350 image"),
    ],
)
def test_pydicom_s_resized_example_is_refused_as_stale(name, reach):
    for image in read(SHIPPED / name):
        assert image.regions == ()
        assert image.spacing_problem == f"the calibration is stale: region 1 reaches to {reach}"


# ---- real files, as the README of the data describes them


def real(name):
    return next(read(data_dir() / "dicom" / name))


@needs_data
@pytest.mark.parametrize("name", ["OBXXXX1A.dcm", "OBXXXX1A_rle_2frame.dcm"])
def test_a_bound_at_800_of_800_columns_is_clipped_and_the_waveform_left_out(name):
    for image in read(data_dir() / "dicom" / name):
        (found,) = image.regions
        assert (found.rows, found.cols) == ((60, 518), (120, 799))
        assert found.spacing_mm == pytest.approx((0.262288, 0.262288), abs=1e-6)
        # the calliper burned into the picture reads 1.06 cm; its crosses are 40.5 px apart
        assert 40.5 * found.spacing_mm[0] == pytest.approx(10.6, abs=0.05)


@needs_data
def test_of_three_regions_the_2d_one_is_kept():
    (found,) = real("us_rle_three_regions.dcm").regions
    assert (found.number, found.cols) == (1, (120, 799))
    assert found.spacing_mm == pytest.approx((0.330542, 0.330542), abs=1e-6)


@needs_data
def test_side_by_side_regions_are_both_kept_and_type_13_is_not():
    image = real("gdcm-US-ALOKA-16.dcm")
    assert [(found.number, found.cols) for found in image.regions] == [
        (1, (32, 335)),
        (2, (336, 639)),
    ]
    assert image.spacing_at(square(50, 340, 400, 630)).source == "dicom-region-2"
    with pytest.raises(SpacingError, match="no calibrated region contains the whole outline"):
        image.spacing_at(square(50, 200, 400, 500))


@needs_data
def test_pixels_of_2_mm_are_refused_whatever_the_sign():
    for image in read(data_dir() / "dicom" / "us_negative_delta_8frames.dcm"):
        assert image.regions == ()
        assert image.spacing_problem == (
            "no ultrasound region is calibrated: region 1 is not a 2D region in cm, "
            "region 2 has pixels of 2.29 x 2.29 mm, outside 0.01 to 1 mm"
        )


@needs_data
def test_the_jpeg_lossless_file_is_calibrated():
    (found,) = real("JPGLosslessP14SV1_1s_1f_8b.dcm").regions
    assert found.spacing_mm == pytest.approx((0.254767, 0.254767), abs=1e-6)


@needs_data
def test_without_regions_millimetres_are_refused_with_the_three_ways_to_give_them():
    with pytest.raises(SpacingError) as caught:
        real("US1_J2KR.dcm").spacing_at(square(10, 10, 20, 20))
    assert "the DICOM file has no ultrasound region calibration" in str(caught.value)
    for way in ("--mm-per-px X", "--spacing FILE.csv", "calibrated DICOM"):
        assert way in str(caught.value)
