"""From files to DICOM files: whose, under which names, of what time, and once only."""

from dataclasses import replace

import pydicom
import pytest

from fetometry.errors import ImageError
from fetometry.image import find
from fetometry.pipeline import Settings, measure_into
from fetometry.pipeline.dicom import pictures_in_order, write_dicom
from fetometry.pipeline.frames import measure_files
from fetometry.types import Spacing
from tests.conftest import (
    cine,
    dataset,
    exam_of,
    files_in,
    nothing_new_in,
    painted,
    save,
    save_dicom,
    save_exam,
)
from tests.report.sr.made import faults, items, needs_dciodvfy, value

MM = Spacing((0.3, 0.3), "given")


def measured(out, *paths, kinds=("sr", "sc", "json"), **settings):
    return measure_into(out, list(paths), Settings(**settings), kinds=kinds)


def test_pictures_are_captured_and_reported(three_planes, tmp_path):
    save_exam(tmp_path / "in")
    out = tmp_path / "out"
    (exam,), written = measured(out, tmp_path / "in", spacing=MM)
    names = {f"dicom/{plane}_f1{kind}" for plane in ("head", "abdomen", "femur")
             for kind in (".sc.dcm", ".source.sc.dcm")}  # fmt: skip
    assert files_in(out) == {"exam.json", "report.sr.dcm", *names}
    assert len(written) == len(set(written)) == 8
    assert out / "report.sr.dcm" in written
    made = pydicom.dcmread(out / "report.sr.dcm")
    for chosen in exam.selected:
        told = [value(item)[0] for item in items(made, type="NUM")]
        assert any(abs(number - chosen.value) < 0.001 for number in told)
    assert [p.kind for p in exam.problems] == ["other-plane"]
    assert len(exam_of(out)["problems"]) == 1


def test_measuring_again_into_the_folder_gives_the_same_bytes(three_planes, tmp_path):
    save_exam(tmp_path)
    measured(tmp_path, tmp_path, spacing=MM)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.dcm")}
    with nothing_new_in(tmp_path):
        measured(tmp_path, tmp_path, spacing=MM)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.dcm")} == before
    assert len(before) == 7


def test_segmentations_and_measurements_of_pictures_are_written_the_same_twice(
    three_planes, tmp_path
):
    save_exam(tmp_path / "in")
    out = tmp_path / "out"
    _, written = measured(out, tmp_path / "in", spacing=MM, kinds=("seg", "sr1500"))
    names = {f"dicom/{plane}_f1{kind}" for plane in ("head", "abdomen", "femur")
             for kind in (".seg.dcm", ".source.sc.dcm")}  # fmt: skip
    assert files_in(out) == {"report.sr1500.dcm", *names}
    assert len(written) == len(set(written)) == 7
    before = {path: path.read_bytes() for path in written}
    measured(out, tmp_path / "in", spacing=MM, kinds=("seg", "sr1500"))
    assert {path: path.read_bytes() for path in written} == before


def test_the_same_files_elsewhere_give_the_same_report(three_planes, tmp_path):
    reports = []
    for name in ("one", "two"):
        save_exam(tmp_path / name / "in")
        measured(tmp_path / name / "out", tmp_path / name / "in", spacing=MM)
        reports.append((tmp_path / name / "out" / "report.sr.dcm").read_bytes())
    assert reports[0] == reports[1]


def test_a_late_image_makes_a_new_report_that_names_the_old_one(bright, tmp_path):
    path, out = save_dicom(tmp_path / "in" / "a.dcm"), tmp_path / "out"
    measured(out, path)
    first = pydicom.dcmread(out / "report.sr.dcm")
    late = save_dicom(tmp_path / "in" / "b.dcm", dataset(SOPInstanceUID="1.2.3.4"))
    measured(out, path, late)
    second = pydicom.dcmread(out / "report.sr.dcm")
    series = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    named = series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == first.SOPInstanceUID != second.SOPInstanceUID
    assert len(items(second, code="11984-2")) == 2


def test_each_patient_has_a_report_of_her_own(bright, tmp_path):
    for name in "ab":
        made = dataset(
            PatientID=name, PatientName=f"Doe^{name}", StudyInstanceUID=f"1.2.{ord(name)}"
        )
        save_dicom(tmp_path / "in" / f"{name}.dcm", made)
    exams, _ = measured(tmp_path / "out", tmp_path / "in", kinds=["sr"])
    found = {p: pydicom.dcmread(p).PatientID for p in (tmp_path / "out").rglob("*.sr.dcm")}
    assert sorted(found.values()) == ["a", "b"]
    assert {p.parent.name for p in found} == {"exams"}
    assert {p.name.removesuffix(".sr.dcm") for p in found} == {exam.name for exam in exams}


@needs_dciodvfy
def test_a_cine_is_reported_by_its_frames_without_error(bright, tmp_path):
    frames = [painted() // 4, painted(), painted()]
    made = cine(frames, SOPClassUID="1.2.840.10008.5.1.4.1.1.3.1", FrameTime="33")
    path = save_dicom(tmp_path / "a.dcm", made)
    measured(tmp_path / "out", path)
    report = pydicom.dcmread(tmp_path / "out" / "report.sr.dcm")
    image = items(report, type="IMAGE", relation="SELECTED FROM")[0].ReferencedSOPSequence[0]
    assert image.ReferencedFrameNumber == 2
    assert faults(tmp_path / "out" / "report.sr.dcm") == []
    assert faults(tmp_path / "out" / "dicom" / "a_f2.sc.dcm") == []


def test_what_an_earlier_run_wrote_is_no_image(tmp_path):
    for name in ("report.sr.dcm", "a_f1.sc.dcm", "a_f1.seg.dcm", "b.sr1500.dcm", "a.dcm"):
        (tmp_path / name).touch()
    assert find(tmp_path) == [tmp_path / "a.dcm"]


def test_a_file_that_is_gone_is_a_problem_of_the_exam_and_the_others_are_written(bright, tmp_path):
    paths = [save(tmp_path / name / "x.png") for name in "ab"]
    exams, _ = measured(tmp_path / "out", *paths, spacing=MM, kinds=["json"])
    paths[0].unlink()
    places = {str(path): path.relative_to(tmp_path).with_suffix("") for path in paths}
    told, written = write_dicom(exams, tmp_path / "again", {"sr"}, places)
    assert "x.png" in told[0].problems[-1].reason
    assert told[1].problems == exams[1].problems
    assert [path.name for path in written] == ["x_f1.source.sc.dcm", "b.sr.dcm"]


def test_pictures_come_back_in_order_with_their_own_finding(bright, tmp_path):
    path = save_dicom(tmp_path / "a.dcm", cine([painted(), painted() // 2 * 2, painted()]))
    found = [result.finding for result in measure_files([path], Settings())]
    again = list(pictures_in_order([found[2], found[0]]))
    assert [finding.frame for finding, _ in again] == [1, 3]
    assert all(pixels.shape == (270, 400) for _, pixels in again)
    with pytest.raises(ImageError):
        list(pictures_in_order([replace(found[0], source=str(tmp_path / "gone.dcm"))]))
