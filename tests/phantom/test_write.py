"""Files of a phantom read back with the calibration and the truth that went in."""

import json

import cv2
import numpy as np
import pydicom
import pytest

from fetometry.errors import OutputError
from fetometry.phantom import (
    AbdomenSpec,
    FemurSpec,
    HeadSpec,
    abdomen,
    femur,
    head,
    write_dicom,
    write_png,
)

SMALL = {"hc_mm": 200.0, "shape": (301, 401), "mm_per_px": (0.30, 0.36)}


@pytest.fixture(scope="module")
def phantom():
    return head(HeadSpec(**SMALL))


@pytest.fixture(scope="module")
def planes(phantom):
    view = {"shape": (301, 401)}
    return {
        "head": phantom,
        "abdomen": abdomen(AbdomenSpec(ac_mm=180.0, spine_deg=180.0, **view)),
        "femur": femur(FemurSpec(fl_mm=40.0, mm_per_px=(0.2, 0.25), **view)),
    }


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
    assert str(dataset.PatientName) == "Phantom"


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
    assert truth["plane"] == "head"
    assert truth["hc_mm"] == pytest.approx(200.0, abs=1e-6)
    assert truth["bpd_mm"] == pytest.approx(0.79 * truth["ofd_mm"])
    assert truth["spacing_mm"] == [0.30, 0.36]
    assert truth["seed"] == 0
    assert truth["ellipse"]["center_px"] == pytest.approx([150.0, 200.0])
    assert truth["ellipse"]["semi_axes_px"] == pytest.approx(list(phantom.truth.semi_axes))
    assert truth["ellipse"]["angle_deg"] == pytest.approx(phantom.truth.angle_deg)


@pytest.mark.parametrize("plane", ["head", "abdomen", "femur"])
def test_every_plane_has_pixels_calibration_and_truth_in_its_dicom(planes, plane, tmp_path):
    phantom = planes[plane]
    write_dicom(phantom, tmp_path / "x.dcm")
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    (region,) = dataset.SequenceOfUltrasoundRegions
    assert np.array_equal(dataset.pixel_array, phantom.pixels)
    assert 10 * region.PhysicalDeltaY == pytest.approx(phantom.spacing_mm[0], abs=1e-12)
    assert 10 * region.PhysicalDeltaX == pytest.approx(phantom.spacing_mm[1], abs=1e-12)
    truth = json.loads((tmp_path / "x.truth.json").read_text())
    assert (truth["schema"], truth["plane"]) == ("fetometry-phantom/1", plane)
    assert truth["spacing_mm"] == list(phantom.spacing_mm)


def test_truth_of_an_abdomen_has_its_diameters_by_name(planes, tmp_path):
    write_png(planes["abdomen"], tmp_path / "x.png")
    truth = json.loads((tmp_path / "x.truth.json").read_text())
    assert truth["ac_mm"] == pytest.approx(180.0, abs=1e-6)
    assert truth["tad_mm"] == pytest.approx(0.97 * truth["apad_mm"])
    left, right = truth["apad_px"]  # the spine is on the left
    assert left[1] < truth["ellipse"]["center_px"][1] < right[1]
    assert 2 * truth["ellipse"]["semi_axes_px"][0] == pytest.approx(right[1] - left[1])
    top, bottom = sorted(truth["tad_px"])
    assert bottom[0] - top[0] == pytest.approx(2 * truth["ellipse"]["semi_axes_px"][1])


def test_truth_of_a_femur_has_its_ends(planes, tmp_path):
    write_png(planes["femur"], tmp_path / "x.png")
    truth = json.loads((tmp_path / "x.truth.json").read_text())
    run_mm = (np.array(truth["ends_px"][1]) - truth["ends_px"][0]) * truth["spacing_mm"]
    assert np.hypot(*run_mm) == pytest.approx(40.0)
    assert truth["fl_mm"] == pytest.approx(40.0)
    assert truth["width_mm"] == pytest.approx(1.5)


def test_phantoms_of_one_study_are_one_exam_and_others_are_not(planes, tmp_path):
    for plane, phantom in planes.items():
        write_dicom(phantom, tmp_path / f"{plane}.dcm", study="demo")
        write_dicom(phantom, tmp_path / f"{plane}-alone.dcm")
    read = {path.stem: pydicom.dcmread(path) for path in tmp_path.glob("*.dcm")}
    together = {read[plane].StudyInstanceUID for plane in planes}
    alone = {read[f"{plane}-alone"].StudyInstanceUID for plane in planes}
    assert (len(together), len(alone | together)) == (1, 4)
    assert len({read[plane].SOPInstanceUID for plane in planes}) == 3
    assert {(d.PatientID, str(d.PatientName)) for d in read.values()} == {("PHANTOM", "Phantom")}


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
