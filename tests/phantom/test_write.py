"""Files of a phantom read back with the calibration and the truth that went in."""

import json

import cv2
import numpy as np
import pydicom
import pytest

from fetometry.errors import OutputError
from fetometry.phantom import HeadSpec, head, write_dicom, write_png

SMALL = {"hc_mm": 200.0, "shape": (301, 401), "mm_per_px": (0.30, 0.36)}


@pytest.fixture(scope="module")
def phantom():
    return head(HeadSpec(**SMALL))


@pytest.fixture
def dataset(phantom, tmp_path):
    write_dicom(phantom, tmp_path / "head.dcm")
    return pydicom.dcmread(tmp_path / "head.dcm")


def test_png_holds_the_pixels(phantom, tmp_path):
    write_png(phantom, tmp_path / "head.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "head.png"), -1), phantom.pixels)


def test_dicom_holds_the_pixels_of_an_odd_number_too(phantom, dataset):
    assert phantom.pixels.size % 2 == 1
    assert np.array_equal(dataset.pixel_array, phantom.pixels)


def test_dicom_region_calibrates_each_axis_in_cm_per_pixel(dataset):
    (region,) = dataset.SequenceOfUltrasoundRegions
    assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    assert region.PhysicalDeltaX == pytest.approx(0.036, abs=1e-12)
    assert region.PhysicalDeltaY == pytest.approx(0.030, abs=1e-12)
    assert (region.RegionLocationMinX0, region.RegionLocationMinY0) == (0, 0)
    assert (region.RegionLocationMaxX1, region.RegionLocationMaxY1) == (400, 300)
    assert region.RegionFlags & 1 == 0  # high priority


def test_dicom_is_an_uncompressed_grey_ultrasound_image(dataset):
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.6.1"
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.PhotometricInterpretation == "MONOCHROME2"
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (8, 8, 7)
    assert dataset.Modality == "US"
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "OBSTETRICAL"]
    assert str(dataset.PatientName) == "Phantom^Head"


@pytest.mark.parametrize(
    "keyword",
    [
        "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
        "ReferringPhysicianName", "Laterality", "PatientOrientation",
    ],
)  # fmt: skip
def test_dicom_has_what_the_standard_wants_even_where_it_is_empty(dataset, keyword):
    assert keyword in dataset
    assert not dataset[keyword].value


def test_same_phantom_gives_the_same_dicom_bytes(phantom, tmp_path):
    write_dicom(phantom, tmp_path / "one.dcm")
    write_dicom(head(HeadSpec(**SMALL)), tmp_path / "two.dcm")
    assert (tmp_path / "one.dcm").read_bytes() == (tmp_path / "two.dcm").read_bytes()


def test_another_phantom_has_other_valid_uids(dataset, tmp_path):
    write_dicom(head(HeadSpec(**SMALL, seed=1)), tmp_path / "other.dcm")
    other = pydicom.dcmread(tmp_path / "other.dcm")
    uids = [
        uid
        for data in (dataset, other)
        for uid in (data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID)
    ]
    assert len(set(uids)) == 6
    assert all(uid.is_valid for uid in uids)


@pytest.mark.parametrize(("write", "name"), [(write_png, "a.png"), (write_dicom, "a.dcm")])
def test_truth_stands_beside_the_picture(phantom, tmp_path, write, name):
    write(phantom, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "a.truth.json"])
    truth = json.loads((tmp_path / "a.truth.json").read_text())
    assert truth["schema"] == "fetometry-phantom/1"
    assert truth["hc_mm"] == pytest.approx(200.0, abs=1e-6)
    assert truth["bpd_mm"] == pytest.approx(0.79 * truth["ofd_mm"])
    assert truth["spacing_mm"] == [0.30, 0.36]
    assert truth["seed"] == 0
    assert truth["ellipse"]["center_px"] == pytest.approx([150.0, 200.0])
    assert truth["ellipse"]["semi_axes_px"] == pytest.approx(list(phantom.truth.semi_axes))
    assert truth["ellipse"]["angle_deg"] == pytest.approx(phantom.truth.angle_deg)


@pytest.mark.parametrize("write", [write_png, write_dicom])
def test_missing_folder_is_refused(phantom, tmp_path, write):
    with pytest.raises(OutputError, match=r"cannot be written .*folder that exists"):
        write(phantom, tmp_path / "nowhere" / "head.out")


def test_folder_in_place_of_the_file_is_refused_and_nothing_is_left(phantom, tmp_path):
    (tmp_path / "head.dcm").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_dicom(phantom, tmp_path / "head.dcm")
    assert [p.name for p in tmp_path.iterdir()] == ["head.dcm"]


def test_file_that_was_there_is_replaced(phantom, tmp_path):
    (tmp_path / "head.png").write_text("old")
    write_png(phantom, tmp_path / "head.png")
    assert (tmp_path / "head.png").read_bytes().startswith(b"\x89PNG")
