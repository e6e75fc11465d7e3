"""The file: the same for the same exam, a new instance that names the old one for another."""

from dataclasses import replace

import pydicom
import pytest

from fetometry import image as reading
from fetometry.errors import OutputError
from fetometry.geometry import Ellipse
from fetometry.pipeline.dicom import write_dicom
from fetometry.report import DICOM, overlay_names
from fetometry.report.dicom_out import Done
from fetometry.report.sr.write import write_report
from fetometry.structured import check
from tests.report import examples, volume_examples
from tests.report.sr.made import (
    faults,
    grown,
    header,
    items,
    needs_dciodvfy,
    one_plane,
    task,
    three_planes,
    value,
    written,
)
from tests.support import data_dir, needs_data

REPORT = "report.sr.dcm"


def test_the_same_exam_gives_the_same_bytes(tmp_path):
    exam = three_planes()
    for name in ("one", "two"):
        written(exam, tmp_path / name)
    one, two = ((tmp_path / name / REPORT).read_bytes() for name in ("one", "two"))
    assert one == two


def test_writing_again_changes_nothing(tmp_path):
    exam = one_plane()
    written(exam, tmp_path)
    before = (tmp_path / REPORT).read_bytes()
    written(exam, tmp_path)
    assert (tmp_path / REPORT).read_bytes() == before


def test_other_content_is_a_new_instance_that_names_the_old_one(tmp_path):
    first = written(one_plane(), tmp_path)
    second = written(one_plane(model=replace(examples.MODEL, sha256="f" * 64)), tmp_path)
    assert "PredecessorDocumentsSequence" not in first
    (study,) = second.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == first.StudyInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID == second.SeriesInstanceUID
    assert instance.ReferencedSOPInstanceUID == first.SOPInstanceUID != second.SOPInstanceUID
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)
    again = (tmp_path / REPORT).read_bytes()
    written(one_plane(model=replace(examples.MODEL, sha256="f" * 64)), tmp_path)
    assert (tmp_path / REPORT).read_bytes() == again


def test_going_back_to_the_old_content_is_a_third_instance(tmp_path):
    other = one_plane(model=replace(examples.MODEL, sha256="f" * 64))
    uids = [written(e, tmp_path).SOPInstanceUID for e in (one_plane(), other, one_plane())]
    assert len(set(uids)) == 3


@pytest.mark.parametrize("old", ["another study", "damaged", "another's report"])
def test_what_is_no_earlier_report_of_the_study_is_not_named(tmp_path, old):
    study = {"StudyInstanceUID": "1.9.9"} if old == "another study" else {}
    exam = one_plane()
    written(exam, tmp_path, headers={exam.findings[0].source: header(**study)})
    if old == "damaged":
        (tmp_path / REPORT).write_bytes((tmp_path / REPORT).read_bytes()[:200])
    if old == "another's report":
        kept = pydicom.dcmread(tmp_path / REPORT)
        kept.Manufacturer = "somebody"
        kept.save_as(tmp_path / REPORT)
    made = written(one_plane(quality=0.5, plane_probability=0.5), tmp_path)
    assert "PredecessorDocumentsSequence" not in made


def test_the_report_is_of_the_time_of_its_last_image(tmp_path):
    exam = repeat_of_two()
    times = {"a.dcm": "101500", "b.dcm": "101730.25"}
    headers = {
        name: header(k, StudyDate="20260521", ContentDate="20260521", ContentTime=time)
        for k, (name, time) in enumerate(times.items())
    }
    made = written(exam, tmp_path, headers=headers)
    assert (made.ContentDate, made.ContentTime) == ("20260521", "101730.25")
    assert made.StudyDate == "20260521"
    assert "InstanceCreationDate" not in made


def repeat_of_two():
    found = [examples.femur(source="a.dcm"), examples.abdomen(source="b.dcm")]
    return examples.exam(*found, selected=examples.selected(*found))


def test_patient_and_study_are_those_of_the_images(tmp_path):
    told = {
        "PatientName": "Doe^Jane", "PatientID": "0815", "IssuerOfPatientID": "WARD",
        "AccessionNumber": "A-17", "StudyID": "S5", "PatientSex": "F",
        "ReferringPhysicianName": "Who^Dr", "StudyDescription": "2nd trimester",
    }  # fmt: skip
    exam = one_plane()
    made = written(exam, tmp_path, headers={exam.findings[0].source: header(**told)})
    assert {keyword: made[keyword].value for keyword in told} == told
    assert made.Modality == "SR"
    assert made.SeriesInstanceUID != header().SeriesInstanceUID


def test_a_picture_is_captured_first_and_referred_to(tmp_path):
    exam = three_planes()
    digests = {finding.source: finding.source for finding in exam.findings}
    done = write_report(task(exam, tmp_path, digests=digests))
    *captures, report = done.paths
    made = pydicom.dcmread(report)
    uids = {pydicom.dcmread(path).SOPInstanceUID for path in captures}
    assert len(uids) == 3
    assert uids == {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(made, type="IMAGE")
    }
    assert (made.PatientName, made.PatientID) == ("", "")
    assert {pydicom.dcmread(path).StudyInstanceUID for path in captures} == {made.StudyInstanceUID}
    assert made.ContentDate == "19000101"


def test_without_millimetres_there_is_no_report_and_it_is_said_why(tmp_path):
    found = examples.head(mm=None)
    exam = examples.exam(found, selected=examples.selected(found))
    done = write_report(task(exam, tmp_path))
    assert done.paths == ()
    ((source, kind, reason),) = [(p.source, p.kind, p.reason) for p in done.problems]
    assert (source, kind) == (found.source, "skipped")
    assert "the size of a pixel is not known" in reason
    assert "--mm-per-px" in reason


def test_of_an_exam_in_which_nothing_was_measured_nothing_is_left_out(tmp_path):
    assert write_report(task(examples.exam(), tmp_path)) == Done()


def test_a_file_in_pixels_beside_one_in_mm_is_told_apart(tmp_path):
    found = [examples.head(mm=None, source="a.png"), examples.femur(source="b.png")]
    done = write_report(task(examples.exam(*found, selected=examples.selected(*found)), tmp_path))
    assert done.paths[-1].name == REPORT
    assert [problem.source for problem in done.problems] == ["a.png"]


def test_a_femur_measured_in_a_volume_is_said_not_to_be_in_the_report(tmp_path):
    exam = replace(one_plane(), volumes=(volume_examples.found(),))
    done = write_report(task(exam, tmp_path))
    assert done.paths[-1].name == REPORT
    (problem,) = done.problems
    assert (problem.source, problem.kind) == ("scans/leg.nii.gz", "skipped")
    assert "volume" in problem.reason
    alone = write_report(task(replace(exam, findings=(), selected=()), tmp_path))
    assert (alone.paths, len(alone.problems)) == ((), 1)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        written(one_plane(), tmp_path / "file")


def twins():
    found = [make(fetus=f, source=f"{f}{k}.dcm") for f in "AB" for k, make in enumerate(MAKERS)]
    return grown(examples.exam(*found, selected=examples.selected(*found)))


MAKERS = (examples.abdomen, examples.femur, lambda **k: examples.head(mm=(0.3, 0.3), **k))

EXAMS = {
    "three planes": three_planes,
    "no age": lambda: three_planes(ga_days=None),
    "twins": twins,
    "everything": examples.full_exam,
}


@pytest.mark.parametrize("name", EXAMS)
def test_the_checker_finds_no_fault(tmp_path, name):
    done = write_report(task(EXAMS[name](), tmp_path))
    assert check(done.paths[-1]).faults == ()


@needs_dciodvfy
@pytest.mark.parametrize("name", EXAMS)
def test_dciodvfy_finds_no_error(tmp_path, name):
    done = write_report(task(EXAMS[name](), tmp_path))
    assert faults(done.paths[-1]) == []
    second = write_report(task(one_plane(), tmp_path))
    assert faults(second.paths[-1]) == []


@needs_dciodvfy
def test_dciodvfy_finds_no_error_in_the_report_of_pictures(tmp_path):
    exam = one_plane()
    done = write_report(task(exam, tmp_path, digests={exam.findings[0].source: "aa"}))
    assert [faults(path) for path in done.paths] == [[], []]


CALIBRATED = [
    "OBXXXX1A.dcm", "OBXXXX1A_rle_2frame.dcm", "us_rle_three_regions.dcm", "gdcm-US-ALOKA-16.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm", "us_negative_delta_8frames.dcm",
]  # fmt: skip


@needs_data
@needs_dciodvfy
@pytest.mark.parametrize("name", CALIBRATED)
def test_a_head_placed_in_a_real_file_is_reported_without_error(tmp_path, name):
    path = data_dir() / "dicom" / name
    shown = next(reading.read(path))
    (top, bottom), (left, right) = (
        (shown.regions[0].rows, shown.regions[0].cols)
        if shown.regions
        else ((0, shown.shape[0] - 1), (0, shown.shape[1] - 1))
    )
    middle = ((top + bottom) / 2, (left + right) / 2)
    size = 0.3 * min(bottom - top, right - left)
    mm = shown.regions[0].spacing_mm if shown.regions else (0.3, 0.3)
    found = examples.head(Ellipse(middle, (size, 0.8 * size), 20.0), source=str(path), mm=mm)
    exam = examples.exam(found, selected=examples.selected(found))
    places = overlay_names([str(path)], path.parent)
    (told,), files = write_dicom([exam], tmp_path, DICOM, places)
    assert told.problems == ()
    pictures = {f"{path.stem}_f1.{kind}.dcm" for kind in ("sc", "seg")}
    assert {file.name for file in files} >= {"report.sr.dcm", "report.sr1500.dcm", *pictures}
    assert [faults(file) for file in files] == [[]] * len(files)
    source = reading.read_header(path)
    made = pydicom.dcmread(tmp_path / "report.sr.dcm")
    assert made.StudyInstanceUID == source.StudyInstanceUID
    assert value(items(made, code="11984-2")[0])[1] == "mm"
