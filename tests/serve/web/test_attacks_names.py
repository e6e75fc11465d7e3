"""Names that are scripts, formulas or commands; and that nobody is named where it may not be."""

import contextlib
import io
import json
import logging
import os
import re
import sqlite3
import stat
import zipfile

import cv2
import numpy as np
import pydicom
import pytest

from fetometry.report import read_exam
from fetometry.serve.web import outputs
from fetometry.serve.web.app import STATIC
from tests.conftest import dataset, painted, save_dicom
from tests.serve.web.by_hand import INNER
from tests.serve.web.conftest import API

SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def scripted(page, tmp_path):
    """An exam whose every text is a script: file name, tags, reviewer, reason."""
    tags = dict.fromkeys(("PatientName", "SeriesDescription", "InstitutionName"), SCRIPT)
    made = dataset(**tags, PatientID=IMAGE, StudyDescription=IMAGE)
    exam = page.measured([(f"{IMAGE}.dcm", save_dicom(tmp_path / "a.dcm", made))], ga="23w4d")
    path = f"{API}/exams/{exam['id']}"
    edit = {"action": "reject", "image": 0, "frame": 1, "reviewer": IMAGE}
    for value in ({"rejected": True, "reason": SCRIPT}, {"rejected": False, "reason": SCRIPT}):
        answer = page.post(f"{path}/edits", json={"edit": {**edit, "value": value}})
        assert answer.status_code == 201, answer.text
    assert page.post(f"{path}/signature", json={"reviewer": SCRIPT}).status_code == 201
    return path


def test_a_script_in_any_text_is_text_in_the_report(page, scripted):
    report = page.get(f"{scripted}/outputs/report.html").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report
    assert "<script" not in report
    assert "<img src=x" not in report
    for name in outputs.OUTPUTS:
        answer = page.get(f"{scripted}/outputs/{name}")
        assert answer.status_code == 200, (name, answer.text)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_script_in_any_text_is_json_to_the_page(page, scripted):
    for path in (scripted, f"{scripted}/edits", f"{API}/exams", f"{API}/worklist"):
        answer = page.get(path)
        assert answer.headers["content-type"] == "application/json"
        json.loads(answer.text)


def test_no_module_of_the_page_makes_markup_out_of_text():
    scripts = [path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js")]
    assert scripts
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert not [found for text in scripts for found in re.findall(forbidden, text)]
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|javascript:|https?://", page)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@"])
def test_a_name_is_no_formula_in_a_table(page, tmp_path, sign):
    name = f"{sign}HYPERLINK(1).dcm"
    exam = page.measured([(name, save_dicom(tmp_path / "a.dcm"))])
    text = page.get(f"{API}/exams/{exam['id']}/outputs/measurements.csv").text
    assert f"'{name}" in text
    assert not re.search(rf'(^|,)"?{re.escape(sign)}HYPERLINK', text, re.MULTILINE)
    kept = tmp_path / "exam.json"
    kept.write_bytes(page.get(f"{API}/exams/{exam['id']}/outputs/exam.json").content)
    assert read_exam(kept).findings[0].source == name


def test_a_reviewer_named_like_a_command_of_the_database_is_a_name(page, exam, tmp_path):
    name = "Dr. O'Hara'); DROP TABLE edits; --"
    path = f"{API}/exams/{exam['id']}"
    edit = {"action": "criteria", "image": 0, "frame": 1, "value": {"cavum": True}}
    for _ in range(2):
        said = {"edit": {**edit, "reviewer": name}}
        assert page.post(f"{path}/edits", json=said).status_code == 201
    signed = page.post(f"{path}/signature", json={"reviewer": name}).json()
    assert signed["signed"]["reviewer"] == name
    audit = page.get(f"{path}/edits").json()
    assert [edit["reviewer"] for edit in audit["edits"]] == [name] * 2


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "a\0b", "\ud800", "x" * 101, " ", "\u200b"])
def test_a_reviewer_with_signs_that_steer_is_refused(page, exam, name):
    path = f"{API}/exams/{exam['id']}"
    body = json.dumps({"reviewer": name}).encode()
    kind = {"Content-Type": "application/json"}
    answer = page.post(f"{path}/signature", content=body, headers=kind)
    if name == "a\nb":  # white space is one space
        assert answer.json()["signed"]["reviewer"] == "a b"
    else:
        assert answer.status_code in (400, 422)
        assert page.exam(exam["id"])["signed"] is None


# ---- what is told, and what is kept


def test_no_refusal_tells_of_the_inside(page, exam, tmp_path):
    path = f"{API}/exams/{exam['id']}"
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 300)
    refused = page.measured([("bad.dcm", bad)])
    told = [json.dumps(refused["problems"]), refused["reason"]]
    asked = [
        page.get(f"{path}/images/9/frames/1.png"),
        page.get(f"{path}/images/0/frames/9.png"),
        page.get(f"{path}/images/0/frames/1.png", params={"width": "wide"}),
        page.get(f"{API}/exams/{refused['id']}/outputs/report.pdf"),
        page.get(f"{API}/exams/{refused['id']}/outputs/report.sr.dcm"),
        page.get(f"{API}/exams/{refused['id']}/images/0/frames/1.png"),
        page.post(f"{API}/exams/{refused['id']}/signature", json={"reviewer": 1}),
        page.post(f"{API}/exams", files={"files": ("a.png", b"")}, data={"mm_per_px": "x"}),
        page.post(f"{API}/exams", data={"ga": "1w"}),
        page.edit(exam["id"], "plane", {"plane": "femur"}, frame=7),
        page.edit(exam["id"], "spacing", {"mm_per_px": [1, 1]}),
        page.post(f"{path}/send"),
    ]
    told += [answer.text for answer in asked if answer.status_code >= 400]
    assert len(told) > 8
    assert not [text for text in told if INNER.search(text) or str(tmp_path) in text]


def test_nobody_is_named_in_log_or_database(page, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    tags = {"PatientName": "Zweig^Ada", "PatientID": "Q77Q", "PatientBirthDate": "19991231"}
    bad = dataset(**tags)
    bad.Rows = 7
    files = [("a.dcm", save_dicom(tmp_path / "a.dcm", dataset(**tags))),
             ("b.dcm", save_dicom(tmp_path / "b.dcm", bad))]  # fmt: skip
    exam = page.measured(files, ga="23w4d")
    path = f"{API}/exams/{exam['id']}"
    page.edit(exam["id"], "criteria", {"cavum": True})
    page.edit(exam["id"], "plane", {"plane": "femur"}, image=1)
    page.post(f"{path}/signature", json={"reviewer": "Dr. Early"})
    for name in outputs.OUTPUTS:
        page.get(f"{path}/outputs/{name}")
    page.get(f"{API}/corrections.zip")
    page.post(f"{path}/send")
    secrets = (b"Zweig", b"Ada", b"Q77Q", b"19991231", b"1999-12-31")
    kept = [p for p in (tmp_path / "data").rglob("*") if p.is_file() and p.suffix != ".dcm"]
    assert {"review.sqlite", "review.sqlite-wal", "proposal.json"} <= {p.name for p in kept}
    assert not [(p.name, text) for p in kept for text in secrets if text in p.read_bytes()]
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("fetometry"))
    said = ours + "".join(capfd.readouterr())
    assert "/exams/{exam}/edits" in ours
    assert not [text for text in secrets if text.decode() in said]


def test_what_is_kept_is_of_its_owner_alone(page, exam, tmp_path):
    uploads = tmp_path / "data" / "uploads"
    for folder in (tmp_path / "data", uploads, uploads / exam["id"]):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept = [p for p in uploads.rglob("*") if p.is_file()]
    assert kept
    assert not [p for p in kept if p.stat().st_mode & 0o111]  # nothing can be run


@pytest.mark.parametrize("table", ["edits", "undone", "signatures"])
def test_the_database_itself_refuses_to_change_what_was_done(page, exam, tmp_path, table):
    path = f"{API}/exams/{exam['id']}"
    page.edit(exam["id"], "criteria", {"cavum": True})
    page.post(f"{path}/undo", json={})
    page.post(f"{path}/signature", json={"reviewer": "Dr. Early"})
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "review.sqlite")) as connection:
        before = list(connection.execute(f"SELECT * FROM {table}"))
        assert len(before) == 1
        for statement in (f"UPDATE {table} SET at = 'never'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                connection.execute(statement)
        # a connection that does not let REPLACE delete unseen, as the page's own
        connection.execute("PRAGMA recursive_triggers=ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"REPLACE INTO {table} SELECT * FROM {table}")
        assert list(connection.execute(f"SELECT * FROM {table}")) == before


def test_a_name_that_is_burned_into_the_picture_leaves_with_no_correction(page, tmp_path):
    pixels = painted()
    pixels[:20, :] = 255  # where a name stands, outside the region
    made = dataset(pixels)
    made.SequenceOfUltrasoundRegions[0].RegionLocationMinY0 = 24
    exam = page.measured([("a.dcm", save_dicom(tmp_path / "a.dcm", made))], ga="23w4d")
    path = f"{API}/exams/{exam['id']}"
    page.edit(exam["id"], "ellipse", exam["images"][0]["findings"][0]["ellipse"])
    page.post(f"{path}/signature", json={"reviewer": "Dr. Early"})
    shown = page.get(f"{path}/images/0/frames/1.png").content
    picture = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_UNCHANGED)
    assert int(picture[:24].max()) == 0
    assert int(picture[24:].max()) > 0
    given = _images(page.get(f"{API}/corrections.zip").content)
    assert given
    assert [int(one[:24].max()) for one in given] == [0]


def _images(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        raw = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    return [cv2.imdecode(one, cv2.IMREAD_GRAYSCALE) for one in raw]


def test_the_report_that_is_sent_names_no_file_of_the_disk(page, exam, tmp_path):
    for name in ("exam.json", "report.html", "measurements.csv", "report.sr.dcm"):
        content = page.get(f"{API}/exams/{exam['id']}/outputs/{name}").content
        assert os.fsencode(tmp_path) not in content
        assert exam["id"].encode() not in content
    assert pydicom.dcmread(io.BytesIO(content)).Modality == "SR"
