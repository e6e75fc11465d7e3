"""DICOM files that others made: pydicom's own, and real ultrasound."""

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from fetometry.image import read
from tests.support import data_dir, needs_data

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.mark.parametrize(
    "name, shape, frames",
    [
        ("examples_rgb_color.dcm", (240, 320), 1),
        ("examples_palette.dcm", (350, 800), 1),
        ("examples_jpeg2k.dcm", (480, 640), 1),
        ("examples_ybr_color.dcm", (240, 320), 30),
        ("SC_jpeg_no_color_transform.dcm", (256, 256), 1),
        ("SC_rgb_jpeg.dcm", (256, 256), 1),
        ("ExplVR_BigEnd.dcm", (60, 80), 1),
        ("image_dfl.dcm", (512, 512), 1),
    ],
)
def test_pydicom_s_own_examples_are_read(name, shape, frames):
    images = list(read(SHIPPED / name))
    assert [image.pixels.shape for image in images] == [shape] * frames
    assert [image.frame for image in images] == list(range(1, frames + 1))


@pytest.mark.parametrize(
    "name, tolerance", [("examples_ybr_color.dcm", 4), ("examples_jpeg2k.dcm", 0)]
)
def test_another_decoder_finds_the_same_grey(name, tolerance):
    made = pydicom.dcmread(SHIPPED / name)
    count = int(made.get("NumberOfFrames", 1))
    frame = next(generate_frames(made.PixelData, number_of_frames=count))
    expected = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    if expected is None:
        pytest.skip("this OpenCV has no JPEG 2000")
    grey = cv2.cvtColor(expected, cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(next(read(SHIPPED / name)).pixels - grey).max() <= tolerance


@needs_data
@pytest.mark.parametrize(
    "name, shape, frames",
    [
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", (768, 1024), 1),
        ("OBXXXX1A.dcm", (600, 800), 1),
        ("OBXXXX1A_rle_2frame.dcm", (600, 800), 2),
        ("US1_J2KR.dcm", (480, 640), 1),
        ("gdcm-US-ALOKA-16.dcm", (480, 640), 1),
        ("us_negative_delta_8frames.dcm", (240, 320), 8),
        ("us_rle_three_regions.dcm", (600, 800), 1),
    ],
)
def test_real_ultrasound_is_read(name, shape, frames):
    images = list(read(data_dir() / "dicom" / name))
    assert [image.frame for image in images] == list(range(1, frames + 1))
    for image in images:
        assert image.pixels.shape == shape
        assert image.pixels.min() < 10
        assert image.pixels.max() > 200
