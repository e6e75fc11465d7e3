"""Secondary Captures: the pixels, whose they are, what they were made of."""

from dataclasses import replace

import numpy as np
import pydicom

from fetometry.report import draw_overlay
from fetometry.report.capture import write_captures
from tests.report import examples
from tests.report.sr.made import (
    SHAPE,
    faults,
    header,
    needs_dciodvfy,
    one_plane,
    pictures,
    task,
    three_planes,
)


def test_the_overlay_of_each_picture_is_captured_in_colour(tmp_path):
    exam = three_planes()
    done = write_captures(task(exam, tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in done.paths] == [
        "dicom/scans/010_HC_f1.sc.dcm", "dicom/abdomen_f1.sc.dcm", "dicom/femur_f1.sc.dcm",
    ]  # fmt: skip
    made = pydicom.dcmread(done.paths[0])
    ((finding, pixels),) = pictures(exam.findings[:1])
    assert np.array_equal(made.pixel_array, draw_overlay(finding, pixels)[..., ::-1])
    assert len({pydicom.dcmread(path).SOPInstanceUID for path in done.paths}) == 3


def test_an_overlay_names_its_patient_its_study_and_its_source(tmp_path):
    exam = one_plane(frame=4)
    told = header(PatientName="Doe^Jane", PatientID="0815", NumberOfFrames=9)
    done = write_captures(task(exam, tmp_path, headers={exam.findings[0].source: told}))
    made = pydicom.dcmread(done.paths[0])
    assert (made.PatientName, made.PatientID) == ("Doe^Jane", "0815")
    assert made.StudyInstanceUID == told.StudyInstanceUID
    assert made.SeriesInstanceUID != told.SeriesInstanceUID
    (source,) = made.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == told.SOPInstanceUID
    assert source.ReferencedFrameNumber == 4
    assert done.paths[0].name == "femur_f4.sc.dcm"


def test_a_source_that_is_no_dicom_file_is_captured_as_it_is(tmp_path):
    exam = one_plane()
    done = write_captures(task(exam, tmp_path, digests={exam.findings[0].source: "ab"}))
    assert [path.name for path in done.paths] == ["femur_f1.source.sc.dcm", "femur_f1.sc.dcm"]
    source, overlay = (pydicom.dcmread(path) for path in done.paths)
    assert np.array_equal(source.pixel_array, np.full(SHAPE, len(exam.findings[0].source)))
    assert overlay.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID


def test_a_dicom_file_without_its_own_uids_is_captured_too(tmp_path):
    exam = one_plane()
    name = exam.findings[0].source
    told = header(PatientID="0815", StudyInstanceUID="", SOPInstanceUID="")
    told.StudyInstanceUID = told.SOPInstanceUID = ""
    done = write_captures(task(exam, tmp_path, headers={name: told}, digests={name: "ab"}))
    made = pydicom.dcmread(done.paths[0])
    assert done.paths[0].name == "femur_f1.source.sc.dcm"
    assert made.PatientID == "0815"
    assert made.StudyInstanceUID.startswith("2.25.")


def test_the_same_exam_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        exam = one_plane()
        write_captures(task(exam, tmp_path / name, digests={exam.findings[0].source: "ab"}))
    one, two = (sorted((tmp_path / name).rglob("*.dcm")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_captured_source_stays_the_same_whatever_else_is_measured(tmp_path):
    whole = three_planes()
    alone = examples.exam(whole.findings[2])
    names = [finding.source for finding in whole.findings]
    told = []
    for k, exam in enumerate((whole, alone, replace(alone, software="fetometry 10"))):
        # the study's own UID comes from all of its pictures
        headers = dict.fromkeys(names, patient_alone())
        done = write_captures(task(exam, tmp_path / str(k), headers=headers, digests={}))
        (path,) = (p for p in done.paths if p.name == "femur_f1.source.sc.dcm")
        told.append(path.read_bytes())
    assert told[0] == told[1] == told[2]


def patient_alone():
    made = header(PatientID="0815")
    made.SOPInstanceUID = ""
    return made


def test_one_picture_under_two_names_is_one_instance(tmp_path):
    found = [examples.femur(source=f"{name}.png") for name in "ab"]
    done = write_captures(
        task(examples.exam(*found), tmp_path, digests={"a.png": "x", "b.png": "x"})
    )
    sources = [path for path in done.paths if ".source." in path.name]
    assert len(sources) == 2
    assert sources[0].read_bytes() == sources[1].read_bytes()


def test_other_pixels_and_other_numbers_are_other_instances(tmp_path):
    uids = []
    for k, exam in enumerate((one_plane(), one_plane(source="other.png", plane_probability=0.5))):
        done = write_captures(task(exam, tmp_path / str(k)))
        uids.append(pydicom.dcmread(done.paths[0]).SOPInstanceUID)
    assert uids[0] != uids[1]


@needs_dciodvfy
def test_dciodvfy_finds_no_error(tmp_path):
    exam = three_planes()
    odd = examples.exam(exam.findings[0])
    done = write_captures(task(exam, tmp_path)).paths
    done += write_captures(task(odd, tmp_path / "b", digests={odd.findings[0].source: "a"})).paths
    assert [faults(path) for path in done] == [[]] * 5


def test_an_exam_in_which_nothing_was_found_has_no_capture(tmp_path):
    assert write_captures(task(examples.exam(), tmp_path)).paths == ()
