"""Which DICOM files are written, where, and what becomes of one that cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest

from fetometry.cli.show import show_exams
from fetometry.errors import OutputError
from fetometry.report import DICOM, KINDS, Sources, checked_kinds, dicom_out, write_dicom
from fetometry.report.dicom_out import SKIPPED, Done, Task
from fetometry.types import Problem
from tests.report import examples

NO_SOURCES = Sources({}, {}, {}, iter)


def test_every_dicom_kind_can_be_asked_for():
    assert set(DICOM) < set(KINDS)
    assert checked_kinds(["sr", "sc"]) == {"sr", "sc"}


@pytest.fixture
def writers(monkeypatch):
    """One that writes, one that cannot, one that leaves something out."""

    def written(task):
        return Done((task.exam_file("sr"),))

    def broken(task):
        raise OutputError("the disk is full")

    def skipped(task):
        return Done(problems=(Problem("a.png", 1, "no segmentation of this", SKIPPED),))

    made = {"sc": broken, "sr": written, "seg": skipped}
    monkeypatch.setattr(dicom_out, "_writers", lambda: made)


def test_one_that_fails_does_not_keep_the_others_from_being_written(writers, tmp_path):
    exams, files = write_dicom([examples.exam()], NO_SOURCES, tmp_path, {"sr", "sc", "seg", "csv"})
    assert files == [tmp_path / "report.sr.dcm"]
    (exam,) = exams
    assert [(p.kind, p.reason) for p in exam.problems] == [
        ("refused", "the disk is full"),
        ("skipped", "no segmentation of this"),
    ]


def test_only_what_was_asked_for_is_written(writers, tmp_path):
    exam = examples.exam()
    assert write_dicom([exam], NO_SOURCES, tmp_path, {"csv", "json"}) == ([exam], [])
    assert write_dicom([exam], NO_SOURCES, tmp_path, {"sr"})[0] == [exam]


def test_several_exams_have_a_file_each(writers, tmp_path):
    exams = [examples.exam(name=name) for name in ("ward 3", "Ward 3")]
    _, files = write_dicom(exams, NO_SOURCES, tmp_path, {"sr"})
    assert [f.relative_to(tmp_path).as_posix() for f in files] == [
        "exams/ward 3.sr.dcm", "exams/Ward 3-2.sr.dcm",
    ]  # fmt: skip


def test_files_of_a_picture_keep_its_folder_and_name_its_frame(tmp_path):
    finding = replace(examples.femur(), frame=12)
    sources = Sources({}, {}, {finding.source: Path("ward.3/leg.left")}, iter)
    task = Task(examples.exam(finding), sources, tmp_path, tmp_path / "report")
    assert task.picture_file(finding, "seg") == tmp_path / "dicom/ward.3/leg.left_f12.seg.dcm"


def test_what_was_left_out_is_shown_and_is_no_refusal(capsys):
    left = Problem("a.png", 1, "a cine has no segmentation", SKIPPED)
    show_exams([examples.exam(examples.femur(), problems=[left])])
    told = capsys.readouterr()
    assert "not written: a.png: a cine has no segmentation" in told.out + told.err
    assert "refused" not in told.out + told.err
