"""From an upload to a signature: what the page shows, and what is kept."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from tests.conftest import HEAD, SPACING, cine, dataset, painted, save, save_dicom
from tests.serve.web.conftest import API

RAMANUJAN_MM = HEAD.scaled(*SPACING).circumference


def _finding(document, image=0):
    return document["images"][image]["findings"][0]


def _value(document, name):
    return next(s["value"] for s in document["selected"] if s["name"] == name)


def _moved(ellipse, by):
    a, b = ellipse["semi_axes_px"]
    return {**ellipse, "semi_axes_px": [a + by, b + by]}


def test_an_upload_of_three_planes_is_measured_and_shown(exam):
    assert exam["state"] == "ready"
    assert [_finding(exam, k)["plane"] for k in range(3)] == ["head", "abdomen", "femur"]
    assert [image["name"] for image in exam["images"]] == ["head.dcm", "abdomen.dcm", "femur.dcm"]
    assert abs(_value(exam, "HC") - RAMANUJAN_MM) < 1
    assert all(_finding(exam, k)["counts"] for k in range(3))
    assert exam["progress"] == {"done": 3, "total": 3}


def test_the_patient_comes_from_the_header_and_is_in_no_file_of_ours(exam, tmp_path):
    assert exam["patient"]["name"] == "Doe Jane"
    data = tmp_path / "data"
    kept = [p for p in data.rglob("*") if p.is_file() and p.suffix != ".dcm"]
    assert any(p.name.startswith("review.sqlite") for p in kept)
    assert not [p for p in kept if b"Doe" in p.read_bytes() or b"Jane" in p.read_bytes()]


def test_age_weight_centiles_and_charts_are_there(exam):
    growth = exam["growth"][""]
    assert growth["age"]["text"] == "23w4d"
    assert growth["weight"]["grams"] > 0
    assert growth["missing"] == []
    assert {"HC", "AC", "FL", "EFW"} <= {chart["name"] for chart in growth["charts"]}
    assert all(chart["points"][-1]["now"] for chart in growth["charts"])


def test_what_is_missing_for_a_weight_is_said_in_words(page, files):
    growth = page.measured(files[:1])["growth"][""]
    assert growth["weight"] is None
    assert "No abdomen was measured: AC is missing." in growth["missing"]


def test_a_preview_changes_the_numbers_and_keeps_nothing(page, exam):
    value = _moved(_finding(exam)["ellipse"], 10)
    edit = {"action": "ellipse", "image": 0, "frame": 1, "value": value}
    shown = page.post(f"{API}/exams/{exam['id']}/preview", json={"edit": edit}).json()
    assert _value(shown, "HC") > _value(exam, "HC") + 10
    assert shown["growth"][""]["weight"]["grams"] > exam["growth"][""]["weight"]["grams"]
    assert page.exam(exam["id"]) == exam


def test_an_edit_is_kept_with_who_when_from_to_and_model(page, exam):
    before = _finding(exam)["ellipse"]
    answer = page.edit(exam["id"], "ellipse", _moved(before, 5), revision=0)
    assert answer.status_code == 201
    document = answer.json()
    assert document["revision"] == 1
    assert _finding(document)["edited"]
    assert _finding(document)["proposal"]["ellipse"] == before
    (kept,) = page.get(f"{API}/exams/{exam['id']}/edits").json()["edits"]
    assert kept["reviewer"] == "Dr. Early"
    assert kept["before"] == before
    assert kept["value"] == _moved(before, 5)
    assert kept["model"].startswith("three-planes cdcd")
    assert kept["at"].endswith("+00:00")


def test_undoing_brings_the_numbers_back_and_stays_in_the_audit(page, exam):
    page.edit(exam["id"], "ellipse", _moved(_finding(exam)["ellipse"], 5))
    document = page.post(f"{API}/exams/{exam['id']}/undo", json={}).json()
    assert document["selected"] == exam["selected"]
    audit = page.get(f"{API}/exams/{exam['id']}/edits").json()
    assert [bool(edit["undone"]) for edit in audit["edits"]] == [True]
    assert page.post(f"{API}/exams/{exam['id']}/undo", json={}).status_code == 409


def test_a_rejected_image_does_not_count_and_can_be_taken_back(page, exam):
    document = page.edit(exam["id"], "reject", {"rejected": True, "reason": "shadow"}).json()
    assert _finding(document)["rejected"]
    assert not _finding(document)["counts"]
    assert "HC" not in {entry["name"] for entry in document["selected"]}
    document = page.edit(exam["id"], "reject", {"rejected": False}).json()
    assert document["selected"] == exam["selected"]


def test_what_was_said_of_dates_is_known_and_stands_before_the_first_edit_of_them(page, exam):
    assert exam["dates"] == {"ga": "23w4d"}
    said = {"ga": "24w0d", "exam_date": "2026-05-04"}
    changed = page.edit(exam["id"], "dates", said, image=None, frame=None).json()
    assert changed["dates"] == said
    (edit,) = page.get(f"{API}/exams/{exam['id']}/edits").json()["edits"]
    assert (edit["before"], edit["value"]) == ({"ga": "23w4d"}, said)
    assert page.post(f"{API}/exams/{exam['id']}/undo", json={}).json()["dates"] == {"ga": "23w4d"}


def test_another_age_moves_the_centiles(page, exam):
    document = page.edit(exam["id"], "dates", {"ga": "25w0d"}, image=None, frame=None).json()
    assert document["growth"][""]["age"]["text"] == "25w0d"


@pytest.mark.parametrize(
    ("action", "value", "said"),
    [
        ("ellipse", {"center_px": [1, 1]}, "axes"),
        ("ellipse", {"center_px": [-99, 0], "semi_axes_px": [9, 8], "angle_deg": 0}, "outside"),
        ("plane", {"plane": "knee"}, "plane"),
        ("points", {"FL": [[1, 1], [9, 9]]}, "not measured in the plane head"),
        ("spacing", {"mm_per_px": 0.1}, "the file says itself"),
        ("jump", {}, "no edit"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_plain_words(page, exam, action, value, said):
    answer = page.edit(exam["id"], action, value)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert page.exam(exam["id"])["revision"] == 0


def test_a_signature_holds_until_the_next_edit(page, exam):
    path = f"{API}/exams/{exam['id']}"
    signed = page.post(f"{path}/signature", json={"reviewer": " Dr. Early "})
    assert signed.status_code == 201
    assert signed.json()["state"] == "signed"
    assert signed.json()["signed"]["reviewer"] == "Dr. Early"
    after = page.edit(exam["id"], "criteria", {"cavum": True}).json()
    assert (after["state"], after["signed"]) == ("ready", None)
    assert len(page.get(f"{path}/edits").json()["signatures"]) == 1


def test_a_signature_needs_a_name(page, exam):
    path = f"{API}/exams/{exam['id']}/signature"
    assert page.post(path, json={"reviewer": "  "}).status_code == 422


def test_who_comes_second_to_one_revision_is_told(page, exam):
    value = _moved(_finding(exam)["ellipse"], 3)
    assert page.edit(exam["id"], "ellipse", value, revision=0).status_code == 201
    late = page.edit(exam["id"], "ellipse", value, revision=0)
    assert late.status_code == 409
    assert "revision 1" in late.json()["detail"]


def test_twenty_reviewers_at_once_lose_no_edit(page, exam):
    ellipse = _finding(exam)["ellipse"]

    def one(number):
        return page.edit(exam["id"], "ellipse", _moved(ellipse, number / 10)).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(one, range(20))) == {201}
    edits = page.get(f"{API}/exams/{exam['id']}/edits").json()["edits"]
    assert [edit["number"] for edit in edits] == list(range(1, 21))
    axes = {round(edit["value"]["semi_axes_px"][0], 4) for edit in edits}
    assert len(axes) == 20


def test_what_was_done_cannot_be_changed_even_in_the_database(page, exam, tmp_path):
    page.edit(exam["id"], "criteria", {"cavum": True})
    connection = sqlite3.connect(tmp_path / "data" / "review.sqlite")
    for statement in ("UPDATE edits SET reviewer = 'x'", "DELETE FROM edits"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            connection.execute(statement)
    connection.close()


def test_a_page_that_is_opened_again_shows_the_same(open_page, files):
    first = open_page()
    exam = first.measured(files, ga="23w4d")
    before = first.edit(exam["id"], "ellipse", _moved(_finding(exam)["ellipse"], 4)).json()
    first.app.desk.close()
    assert open_page().exam(exam["id"]) == before


def test_a_deleted_exam_leaves_its_audit_alone(page, exam, tmp_path):
    page.edit(exam["id"], "criteria", {"cavum": True})
    path = f"{API}/exams/{exam['id']}"
    assert page.delete(path).status_code == 200
    assert page.get(path).status_code == 404
    assert not list((tmp_path / "data" / "uploads").iterdir())
    assert len(page.get(f"{path}/edits").json()["edits"]) == 1


def test_a_bad_file_says_why_and_stops_no_other(page, files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    exam = page.measured([*files, ("bad.png", bad)])
    (problem,) = exam["images"][3]["problems"]
    assert problem["source"] == "bad.png"
    assert str(tmp_path) not in problem["reason"]
    assert len(exam["selected"]) == 7


def test_a_frame_is_a_grey_png_black_outside_the_region(page, exam, tmp_path):
    path = f"{API}/exams/{exam['id']}/images/0/frames/1.png"
    answer = page.get(path)
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(shown, painted())
    assert "immutable" in answer.headers["cache-control"]
    again = page.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    small = page.get(path, params={"width": 100}).content
    assert cv2.imdecode(np.frombuffer(small, np.uint8), 0).shape == (68, 100)
    assert page.get(path.replace("/1.png", "/2.png")).status_code == 404


def test_every_frame_of_a_cine_is_shown_and_the_best_is_named(page, tmp_path):
    frames = [painted(plane="none"), painted(), painted(plane="none")]
    exam = page.measured([("cine.dcm", save_dicom(tmp_path / "cine.dcm", cine(frames)))])
    (image,) = exam["images"]
    assert (image["frames"], image["best_frame"]) == (3, 2)
    for k, frame in enumerate(frames):
        answer = page.get(f"{API}/exams/{exam['id']}/images/0/frames/{k + 1}.png")
        shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(shown, frame)


def test_a_picture_without_a_scale_may_be_given_one(page, tmp_path):
    exam = page.measured([("head.png", save(tmp_path / "head.png"))])
    (image,) = exam["images"]
    assert image["may_calibrate"]
    assert image["spacing_mm"] is None
    assert "below the picture" in image["problems"][0]["reason"]
    assert "--" not in image["problems"][0]["reason"]
    document = page.edit(exam["id"], "spacing", {"mm_per_px": list(SPACING)}).json()
    assert abs(_value(document, "HC") - RAMANUJAN_MM) < 1


def test_a_signed_exam_of_the_same_patient_is_the_earlier_one(page, files, tmp_path):
    first = page.measured(files, ga="20w0d", exam_date="2026-04-23")
    page.post(f"{API}/exams/{first['id']}/signature", json={"reviewer": "Dr. Early"})
    again = page.measured(files[:1], ga="24w0d")
    assert again["previous"] == []  # no exam is an earlier one of itself
    shown = dataset(painted(), PatientID="J1", StudyInstanceUID="1.2.3")
    later = [("head.dcm", save_dicom(tmp_path / "later.dcm", shown))]
    second = page.measured(later, ga="24w0d")
    (before,) = second["previous"]
    assert (before["age"], before["when"]) == ("20w0d", "2026-04-23")
    hc = next(c for c in second["growth"][""]["charts"] if c["name"] == "HC")
    assert [point["now"] for point in hc["points"]] == [False, True]
