"""The files of an exam that a person corrected and signed say so, and agree with it."""

import csv
import json
from dataclasses import replace

import pytest

from fetometry.errors import UsageError
from fetometry.geometry import Ellipse
from fetometry.pipeline import Settings, write_edited
from fetometry.pipeline.editing import edited
from fetometry.pipeline.writing_edited import renamed, shown_names
from fetometry.report import exam_findings, read_exam
from fetometry.review import Review
from fetometry.types import Exam, Problem
from tests.conftest import files_in
from tests.pipeline.review_examples import edit, outline, three

HEAD = Ellipse((135.0, 200.0), (100.0, 80.0), 10.0)


@pytest.fixture
def signed(three_planes, tmp_path):
    """An exam with a corrected head, its settings, and the names that were uploaded."""
    proposal, settings, frames, paths = three(tmp_path / "uploads")
    one = edit("ellipse", outline(HEAD), source=paths["head"])
    exam = edited(proposal, [one], settings, frames)
    review = Review("Dr A", "2026-05-21T10:05:00Z", exam.review.edits)
    return replace(exam, review=review), settings, {path: f"{k} 1.png" for k, path in paths.items()}


def test_tables_and_document_have_the_edited_numbers_and_the_uploaded_names(signed, tmp_path):
    exam, settings, names = signed
    told, written = write_edited(exam, tmp_path / "out", ["csv", "json"], settings, names)
    assert [path.name for path in written] == ["exam.json", "measurements.csv"]
    with (tmp_path / "out" / "measurements.csv").open(encoding="utf-8") as stream:
        hc = next(row for row in csv.DictReader(stream) if row["name"] == "HC")
    truth = HEAD.scaled(0.3, 0.3).circumference
    assert (hc["source"], hc["flags"], hc["low_mm"]) == ("head 1.png", "edited", "")
    assert float(hc["value_mm"]) == pytest.approx(truth, abs=0.005)
    document = json.loads((tmp_path / "out" / "exam.json").read_text(encoding="utf-8"))
    assert document["selected"][0]["value"] == pytest.approx(truth, abs=1e-4)
    assert document["review"]["reviewer"] == "Dr A"
    assert document["review"]["edits"][0]["source"] == "head 1.png"
    assert str(tmp_path) not in (tmp_path / "out" / "exam.json").read_text(encoding="utf-8")
    assert told.selected[0].source == "head 1.png"
    assert read_exam(written[0]).review == told.review


def test_reports_and_overlays_are_drawn_from_the_uploaded_files(signed, tmp_path):
    exam, settings, names = signed
    told, written = write_edited(exam, tmp_path, ["html", "overlay", "picture"], settings, names)
    assert [p.kind for p in told.problems] == ["other-plane"]
    assert {"report.html", "exam.png", "overlays/head 1_f1.png"} <= files_in(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    truth = HEAD.scaled(0.3, 0.3).circumference
    assert "Reviewed and signed by Dr A, 2026-05-21 10:05:00 UTC" in page
    assert f"{truth:.1f} mm" in page
    assert page.count("data:image/png") >= len(exam_findings(exam))
    assert str(tmp_path) not in page
    assert written[0] == tmp_path / "overlays"


def test_dicom_files_are_made_from_the_uploaded_files(signed, tmp_path):
    exam, settings, names = signed
    told, written = write_edited(exam, tmp_path, ["sr"], settings, names)
    assert written[-1] == tmp_path / "report.sr.dcm"
    assert written[-1].is_file()
    assert [p.kind for p in told.problems] == ["other-plane"]


def test_two_files_of_one_name_are_told_apart():
    problems = (Problem("/a/1.png", 1, "/a/1.png: dark"), Problem("/a/2.png", 1, "dark"))
    exam = Exam((), problems)
    names = shown_names(exam, {"/a/1.png": "us.png", "/a/2.png": "us.png"})
    assert names == {"/a/1.png": "us.png", "/a/2.png": "us.png (2)"}
    said = renamed(exam, names).problems
    assert [(p.source, p.reason) for p in said] == [
        ("us.png", "us.png: dark"),
        ("us.png (2)", "dark"),
    ]


def test_an_unknown_kind_is_refused_before_anything_is_written(signed, tmp_path):
    exam, settings, _ = signed
    with pytest.raises(UsageError, match="there is no output 'doc'"):
        write_edited(exam, tmp_path / "out", ["doc"], settings)
    assert not (tmp_path / "out").exists()
    assert Settings().saying(settings.dates).dates == settings.dates
