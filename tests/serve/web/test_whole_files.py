"""What the page says of whole files and exams: whose they are, their scale, what cannot be read."""

import sqlite3

import pydicom
import pytest

from fetometry.serve.web.schema import open_database
from fetometry.types import SizeInterval
from tests.conftest import SPACING, cine, dataset, painted, save, save_dicom
from tests.serve.web.conftest import API


@pytest.fixture
def loop(page, tmp_path):
    """The document of a cine of two frames of a head and one of no plane."""
    frames = [painted(), painted(plane="none"), painted()]
    return page.measured([("loop.dcm", save_dicom(tmp_path / "loop.dcm", cine(frames)))])


def test_a_fetus_is_of_the_whole_file_in_the_document_and_in_the_audit(page, loop):
    document = page.edit(loop["id"], "fetus", {"fetus": "B"}, frame=3).json()
    (image,) = document["images"]
    assert image["fetus"] == "B"
    assert [found["fetus"] for found in image["findings"]] == ["B", "B"]
    assert {entry["fetus"] for entry in document["selected"]} == {"B"}
    (kept,) = page.get(f"{API}/exams/{loop['id']}/edits").json()["edits"]
    assert (kept["frame"], kept["before"]) == (None, {"fetus": ""})
    again = page.edit(loop["id"], "fetus", {"fetus": "A"}, frame=None).json()
    assert again["images"][0]["fetus"] == "A"
    last = page.get(f"{API}/exams/{loop['id']}/edits").json()["edits"][-1]
    assert last["before"] == {"fetus": "B"}
    page.post(f"{API}/exams/{loop['id']}/undo", json={})
    page.post(f"{API}/exams/{loop['id']}/undo", json={})
    assert page.exam(loop["id"])["selected"] == loop["selected"]


def test_a_rejected_file_is_rejected_in_all_frames_until_it_is_undone(page, loop):
    said = {"rejected": True, "reason": "shadow"}
    document = page.edit(loop["id"], "reject", said, frame=None).json()
    (image,) = document["images"]
    assert image["rejected"]
    assert [found["rejected"] for found in image["findings"]] == [True, True]
    assert document["selected"] == []
    assert [(p["frame"], p["kind"]) for p in document["problems"]] == [(None, "rejected")]
    back = page.edit(loop["id"], "reject", {"rejected": False}, frame=None).json()
    assert back["selected"] == loop["selected"]
    kept = page.get(f"{API}/exams/{loop['id']}/edits").json()["edits"]
    assert [(edit["frame"], edit["before"]["rejected"]) for edit in kept] == [
        (None, False),
        (None, True),
    ]
    page.post(f"{API}/exams/{loop['id']}/undo", json={})
    assert page.exam(loop["id"])["images"][0]["rejected"]


def test_one_frame_is_rejected_alone_where_it_is_named(page, loop):
    (image,) = page.edit(loop["id"], "reject", {"rejected": True}, frame=1).json()["images"]
    assert not image["rejected"]
    assert [found["rejected"] for found in image["findings"]] == [True, False]


def test_a_scale_is_of_the_files_that_do_not_say_theirs(page, files, tmp_path):
    given = [files[0], ("abdomen.png", save(tmp_path / "a.png", painted(plane="abdomen")))]
    exam = page.measured(given, mm_per_px="0.25")
    assert exam["problems"] == []
    head, abdomen = exam["images"]
    assert (head["spacing_mm"], head["spacing_source"]) == (list(SPACING), "dicom-region-1")
    assert abdomen["spacing_mm"] == [0.25, 0.25]
    moved = {**head["findings"][0]["ellipse"], "angle_deg": 5}
    (again, _) = page.edit(exam["id"], "ellipse", moved).json()["images"]
    assert again["spacing_mm"] == list(SPACING)


def test_an_interval_is_the_same_however_the_scale_was_given(page, tmp_path, monkeypatch):
    known = page.app.desk.house.predictor.info.intervals
    monkeypatch.setitem(known, "HC", SizeInterval((150.0,), (0.09, 0.02)))
    given = [("head.png", save(tmp_path / "head.png"))]
    first = page.measured(given, mm_per_px=str(SPACING[0]))
    second = page.measured(given)
    edited = page.edit(second["id"], "spacing", {"mm_per_px": [SPACING[0]] * 2}).json()
    one, other = (
        {m["name"]: (m["low"], m["high"]) for m in d["images"][0]["findings"][0]["measurements"]}
        for d in (first, edited)
    )
    assert one["HC"][0] > 0
    for name, ends in one.items():
        assert other[name] == pytest.approx(ends, abs=1e-3)


def test_a_scale_alone_does_not_mark_an_image_as_edited(page, tmp_path):
    exam = page.measured([("head.png", save(tmp_path / "head.png"))])
    document = page.edit(exam["id"], "spacing", {"mm_per_px": list(SPACING)}).json()
    (found,) = document["images"][0]["findings"]
    assert (found["edited"], found["placed"], found["plane_chosen"]) == (False, False, False)


def test_a_plane_that_was_named_is_not_placed_by_hand(page, exam, tmp_path):
    document = page.edit(exam["id"], "plane", {"plane": "abdomen"}).json()
    found = document["images"][0]["findings"][0]
    assert (found["edited"], found["placed"], found["plane_chosen"]) == (True, False, True)
    assert "plane-chosen" in {flag["id"] for flag in found["flags"]}
    assert found["measurements"][0]["low"] is None
    value = {**found["ellipse"], "angle_deg": 10}
    found = page.edit(exam["id"], "ellipse", value).json()["images"][0]["findings"][0]
    assert (found["placed"], found["plane_chosen"]) == (True, False)


def test_an_exam_without_a_readable_image_has_failed_and_cannot_be_signed(page, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    exam = page.measured([("scan.png", bad)])
    assert exam["state"] == "failed"
    assert exam["reason"].startswith("no image of this exam can be read; scan.png: ")
    assert str(tmp_path) not in exam["reason"]
    answer = page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
    assert answer.status_code == 409
    assert "nothing to correct or to sign" in answer.json()["detail"]


def test_an_exam_in_which_nothing_is_measured_is_ready(page, tmp_path):
    exam = page.measured([("none.png", save(tmp_path / "none.png", painted(plane="none")))])
    assert (exam["state"], exam["selected"]) == ("ready", [])


def test_a_scale_of_a_file_that_cannot_be_read_is_refused(page, files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    exam = page.measured([*files, ("bad.png", bad)])
    answer = page.edit(exam["id"], "spacing", {"mm_per_px": 0.2}, image=3)
    assert answer.status_code == 422
    assert "cannot be read" in answer.json()["detail"]


def test_files_of_several_patients_are_named(page, tmp_path):
    given = []
    for number in range(5):
        shown = dataset(PatientID=f"J{number // 4}", StudyInstanceUID=f"1.{number // 4}")
        given.append((f"n{number}.dcm", save_dicom(tmp_path / f"{number}.dcm", shown)))
    answer = page.upload(given)
    assert answer.status_code == 422
    said = "2 patients' exams (n0.dcm, n1.dcm, n2.dcm and 1 more; n4.dcm): upload each by itself"
    assert said in answer.json()["detail"]


def test_the_same_picture_beside_another_header_is_no_earlier_exam(page, tmp_path):
    save(tmp_path / "head.png")
    for number, ga in enumerate(("20w0d", "24w0d")):
        shown = dataset(PatientID="J1", StudyInstanceUID=f"1.{number}")
        path = save_dicom(tmp_path / f"{number}.dcm", shown)
        exam = page.measured([("a.dcm", path), ("head.png", tmp_path / "head.png")], ga=ga)
        page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
        assert exam["previous"] == []


def test_a_database_of_the_first_version_still_opens(open_page, files, tmp_path):
    first = open_page()
    exam = first.measured(files, ga="20w0d")
    first.app.desk.close()
    connection = sqlite3.connect(tmp_path / "data" / "review.sqlite")
    connection.execute("ALTER TABLE exams DROP COLUMN study")
    connection.execute("PRAGMA user_version=1")
    connection.close()
    page = open_page()
    assert page.exam(exam["id"])["selected"] == exam["selected"]
    page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
    assert page.measured(files, ga="24w0d")["previous"] == []  # its images say whose visit it is
    page.app.desk.close()
    again = open_database(tmp_path / "data")
    assert again.execute("PRAGMA user_version").fetchone()[0] == 2
    again.close()


def test_what_the_model_drew_keeps_the_model_in_the_report(page, exam, tmp_path):
    page.edit(exam["id"], "plane", {"plane": "abdomen"}, image=0)
    page.edit(exam["id"], "reject", {"rejected": True, "reason": "twice"}, image=1, frame=None)
    shown = page.edit(exam["id"], "fetus", {"fetus": "A"}, image=0, frame=None).json()
    assert {entry["name"] for entry in shown["selected"]} == {"AC", "TAD", "APAD", "FL"}
    contents = {
        name: page.get(f"{API}/exams/{exam['id']}/outputs/{name}")
        for name in ("report.html", "measurements.csv", "exam.json", "report.sr.dcm")
    }
    assert {answer.status_code for answer in contents.values()} == {200}
    path = tmp_path / "report.sr.dcm"
    path.write_bytes(contents["report.sr.dcm"].content)
    text = str(pydicom.dcmread(path))
    assert text.count("Algorithm Name") == 4  # of each value: none of them was placed
    assert b"plane-chosen: A person said which plane it is" in path.read_bytes()
    assert "rejected: twice" in contents["report.html"].text
    assert "corrected by hand" not in contents["report.html"].text
