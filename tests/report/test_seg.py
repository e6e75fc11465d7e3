"""Segmentations: the pixels of the mask, whose it is, which image and frame it lies on."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread

from fetometry.report.dicom_out import SKIPPED
from fetometry.report.seg import mask_of, write_segmentations
from fetometry.report.sr1500 import write_measurements
from tests.report import examples, volume_examples
from tests.report.sr.made import (
    SHAPE,
    faults,
    header,
    needs_dciodvfy,
    one_plane,
    task,
    three_planes,
)

ULTRASOUND_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
BARE = {"ellipse": None, "outline_px": np.empty((0, 2)), "points_px": {}}


def test_each_picture_has_a_segmentation(tmp_path):
    done = write_segmentations(task(three_planes(), tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in done.paths] == [
        "dicom/scans/010_HC_f1.seg.dcm", "dicom/abdomen_f1.seg.dcm", "dicom/femur_f1.seg.dcm",
    ]  # fmt: skip
    assert done.problems == ()
    assert len({pydicom.dcmread(path).SOPInstanceUID for path in done.paths}) == 3


def test_the_pixels_are_those_whose_centre_lies_in_the_ellipse(tmp_path):
    ellipse = examples.Ellipse((270.0, 400.0), (150.0, 120.0), 90.0)
    exam = examples.exam(examples.head(ellipse, mm=(0.3, 0.3)))
    made = segread(write_segmentations(task(exam, tmp_path)).paths[0])
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    truth = ((rows - 270) / 150) ** 2 + ((cols - 400) / 120) ** 2 <= 1
    assert np.array_equal(made.pixel_array.squeeze() > 0, truth)


def test_the_pixels_of_a_shaft_are_those_that_its_outline_encloses():
    corners = np.array([(10.0, 20.0), (10.0, 40.0), (30.0, 40.0), (30.0, 20.0)])
    truth = np.zeros(SHAPE, bool)
    truth[10:31, 20:41] = True
    assert np.array_equal(mask_of(examples.femur(outline_px=corners), SHAPE), truth)


def test_what_lies_outside_the_image_is_cut_off():
    ellipse = examples.Ellipse((0.0, 400.0), (150.0, 120.0), 0.0)
    assert mask_of(examples.head(ellipse), SHAPE).sum() == pytest.approx(ellipse.area / 2, rel=0.01)


@pytest.mark.parametrize(
    ("number", "code", "label"),
    [(0, "69536005", "Head"), (1, "818981001", "Abdomen"), (2, "71341001", "Femur")],
)
def test_a_segment_says_what_it_shows_and_what_found_it(tmp_path, number, code, label):
    exam = three_planes()
    made = segread(write_segmentations(task(exam, tmp_path)).paths[number])
    (segment,) = made.SegmentSequence
    assert segment.segmented_property_type.value == code
    assert segment.segment_label == label
    assert segment.algorithm_type.value == "AUTOMATIC"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == examples.MODEL.name
    assert examples.MODEL.sha256 in algorithm.AlgorithmParameters


def test_it_names_its_patient_its_study_and_its_source(tmp_path):
    exam = one_plane()
    told = header(
        PatientName="Doe^Jane", PatientID="0815", ContentDate="20260521", ContentTime="101500"
    )
    done = write_segmentations(task(exam, tmp_path, headers={exam.findings[0].source: told}))
    made = pydicom.dcmread(done.paths[0])
    assert (made.PatientName, made.PatientID) == ("Doe^Jane", "0815")
    assert made.StudyInstanceUID == told.StudyInstanceUID
    assert made.SeriesInstanceUID != told.SeriesInstanceUID
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == told.SOPInstanceUID
    assert (made.ContentDate, made.ContentTime) == ("20260521", "101500")
    assert "InstanceCreationDate" not in made


def test_a_frame_of_a_cine_is_named(tmp_path):
    exam = one_plane(frame=4)
    told = header(NumberOfFrames=9, SOPClassUID=ULTRASOUND_MULTI_FRAME)
    done = write_segmentations(task(exam, tmp_path, headers={exam.findings[0].source: told}))
    made = pydicom.dcmread(done.paths[0])
    derived = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert derived.SourceImageSequence[0].ReferencedFrameNumber == 4
    assert made.SourceImageSequence[0].ReferencedFrameNumber == 4
    named = made.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    for item in (named, *made.SourceImageSequence, *derived.SourceImageSequence):
        assert item.ReferencedSOPClassUID == ULTRASOUND_MULTI_FRAME
    assert made.NumberOfFrames == 1
    assert segread(done.paths[0]).pixel_array.any()
    assert done.paths[0].name == "femur_f4.seg.dcm"


def test_a_mask_of_an_image_that_was_compressed_with_loss_says_so(tmp_path):
    exam = one_plane()
    told = header(LossyImageCompression="01", LossyImageCompressionRatio="10")
    done = write_segmentations(task(exam, tmp_path, headers={exam.findings[0].source: told}))
    made = pydicom.dcmread(done.paths[0])
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 10)


def test_a_picture_is_captured_first_and_referred_to(tmp_path):
    exam = one_plane()
    done = write_segmentations(task(exam, tmp_path, digests={exam.findings[0].source: "ab"}))
    assert [path.name for path in done.paths] == ["femur_f1.source.sc.dcm", "femur_f1.seg.dcm"]
    source, made = (pydicom.dcmread(path) for path in done.paths)
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert made.StudyInstanceUID == source.StudyInstanceUID


def test_the_same_exam_gives_the_same_bytes_and_another_outline_another_instance(tmp_path):
    exams = {"one": one_plane(), "two": one_plane(), "other": one_plane(quality=0.5)}
    moved = examples.femur(ends=((200.0, 210.0), (320.0, 560.0)))
    exams["moved"] = examples.exam(moved, selected=examples.selected(moved))
    made = {}
    for name, exam in exams.items():
        (path,) = write_segmentations(task(exam, tmp_path / name)).paths
        made[name] = path.read_bytes()
    assert made["one"] == made["two"] == made["other"]  # how good it is changes no mask
    assert made["one"] != made["moved"]


def test_what_has_no_area_is_left_out_with_the_reason(tmp_path):
    number = replace(examples.head(source="told.png"), **BARE)
    beyond = replace(
        examples.femur(source="far.png"), outline_px=np.array([(-9, 1), (-9, 9), (-5, 5.0)])
    )
    done = write_segmentations(task(examples.exam(number, beyond, examples.femur()), tmp_path))
    assert [path.name for path in done.paths] == ["femur_f1.seg.dcm"]
    assert [(p.source, p.kind) for p in done.problems] == [
        ("told.png", SKIPPED),
        ("far.png", SKIPPED),
    ]
    assert "no outline" in done.problems[0].reason


@pytest.mark.parametrize("write", [write_segmentations, write_measurements])
def test_a_volume_is_left_out_with_the_reason(tmp_path, write):
    exam = replace(one_plane(), volumes=(volume_examples.found(),))
    done = write(task(exam, tmp_path))
    assert len(done.paths) == 1
    (left,) = done.problems
    assert (left.source, left.kind) == (volume_examples.found().source, SKIPPED)
    assert "volume" in left.reason


def test_an_exam_in_which_nothing_was_found_has_no_segmentation(tmp_path):
    assert write_segmentations(task(examples.exam(), tmp_path)).paths == ()


@needs_dciodvfy
def test_dciodvfy_finds_no_error(tmp_path):
    exam = three_planes()
    paths = write_segmentations(task(exam, tmp_path)).paths
    odd = one_plane()
    paths += write_segmentations(task(odd, tmp_path / "b", digests={"femur.png": "a"})).paths
    cine = header(NumberOfFrames=9, SOPClassUID=ULTRASOUND_MULTI_FRAME)
    headers = {"femur.png": cine}
    paths += write_segmentations(task(one_plane(frame=4), tmp_path / "c", headers=headers)).paths
    assert [faults(path) for path in paths] == [[]] * 6
