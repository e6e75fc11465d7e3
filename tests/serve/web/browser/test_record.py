"""What is taken away and what is kept: downloads that say why not, and the record in words."""

import json

import pytest

from tests.serve.web.browser.person import HC, Person
from tests.serve.web.browser.running import truth_of

pytestmark = pytest.mark.slow

FIRST = "#review .record li"


def edited(server, exam, action, value, image=0, frame=1):
    edit = {"action": action, "image": image, "frame": frame, "value": value}
    edit["reviewer"] = "Dr. Early"
    made = server.client.post(f"/exams/{exam}/edits", json={"edit": edit})
    assert made.status_code == 201, made.text
    return made.json()


def recorded(page):
    """Every entry of the record, as text."""
    Person(page).click("#review .record summary")
    Person(page).sees(FIRST)
    return [text.replace("\xa0", " ") for text in page.locator(FIRST).all_inner_texts()]


def test_a_download_that_is_refused_says_why_and_saves_nothing(open_page, measured):
    page = open_page(measured)
    saved = []
    page.on("download", lambda download: saved.append(download.url))
    why = {"title": "Conflict", "status": 409, "detail": "the head was measured twice"}
    page.route("**/outputs/report.pdf", lambda route: route.fulfill(status=409, json=why))
    me = Person(page)
    me.click("#review .downloads summary")
    me.click("#review .downloads a", "Report (PDF)")
    me.sees("#message .error", "The head was measured twice")
    assert saved == []
    page.route("**/outputs/report.html", lambda route: route.abort())
    me.click("#review .downloads a", "Report (HTML)")
    me.sees("#message .error", "does not answer")
    assert saved == []
    page.heard.faults.clear()  # the browser notes every answer of 4xx


def test_a_large_file_is_saved_whole(open_page, measured, tmp_path):
    page = open_page(measured)
    large = b"0123456789abcdef" * 2**20
    page.route("**/outputs/overlays.zip", lambda route: route.fulfill(body=large))
    me = Person(page)
    me.click("#review .downloads summary")
    assert me.download("Pictures (ZIP)", tmp_path).read_bytes() == large


def test_without_millimetres_the_sr_cannot_be_pressed_and_says_why(open_page, server, picture):
    exam = server.measured([picture])["id"]
    refused = server.client.get(f"/exams/{exam}/outputs/report.sr.dcm")
    assert refused.status_code == 409
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    me.click("#review .downloads summary")
    sr = page.get_by_role("link", name="DICOM SR")
    assert sr.get_attribute("aria-disabled") == "true"
    assert sr.get_attribute("href") is None
    assert "millimetres" in me.text(f"#{sr.get_attribute('aria-describedby')}")
    page.fill("#mm-per-px", "0.1704")
    page.keyboard.press("Enter")
    me.until(lambda: sr.get_attribute("href") is not None)


def test_the_record_says_from_what_to_what_who_and_when(open_page, server, files):
    document = server.measured(files, ga="25w0d")
    exam = document["id"]
    page = open_page(exam)
    proposed = Person(page).text(HC).replace("\xa0", " ").removesuffix(" mm")
    edited(server, exam, "ellipse", truth_of(files[0])["ellipse"])
    edited(server, exam, "criteria", {"thalami": True})
    (ends,) = document["images"][2]["findings"][0]["points_px"].values()
    edited(server, exam, "points", {"FL": [ends[0], [ends[1][0], ends[1][1] - 20]]}, 2)
    edited(server, exam, "fetus", {"fetus": "A"}, 0, None)
    edited(server, exam, "reject", {"rejected": True, "reason": "the ribs are cut"}, 1, None)
    edited(server, exam, "dates", {"exam_date": "2026-05-04", "ga": "24w3d"}, None, None)
    edited(server, exam, "plane", {"plane": "none"}, 2)
    server.client.post(f"/exams/{exam}/undo", json={})
    server.sign(exam, "Dr. Late")
    page.reload()
    Person(page).sees("table.values")
    said = recorded(page)
    shown = Person(page).text(HC).replace("\xa0", " ")
    lengths = [
        one["value"]
        for found in (document, server.exam(exam))
        for one in found["images"][2]["findings"][0]["measurements"]
    ]
    whole = [
        f"HC outline: {proposed} \u2192 {shown}",
        "Ticked: The thalami are seen.",
        "FL: {:.1f} \u2192 {:.1f} mm".format(*lengths),
        "Fetus: not said \u2192 A",
        "Rejected: the ribs are cut",
        "Date of the exam: not said \u2192 2026-05-04",
        "Plane: Femur \u2192 No plane",
        "Signed off",
    ]
    assert len(said) == len(whole)
    for entry, wanted in zip(said, whole, strict=True):
        assert wanted in entry
    assert "not said \u2192 24w3d" in said[5] or "25w0d \u2192 24w3d" in said[5]
    assert all("Dr. Early" in entry for entry in said[:-1])
    assert all("20" in entry.rpartition("Dr. ")[2] for entry in said)  # a year
    assert "head.dcm" in said[0]
    assert "undone" in said[6]
    assert "Dr. Late" in said[-1]


def test_the_record_that_is_open_follows_what_is_done(open_page, server, files):
    exam = server.measured(files[:1])["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    me.click("#review .record summary")
    page.locator(".criteria input").first.click()
    me.sees(FIRST, "Ticked")
    page.keyboard.press("Control+z")
    me.sees(FIRST, "undone")


def test_what_others_wrote_is_text_in_the_record(open_page, server, files):
    exam = server.measured(files[:1])["id"]
    markup = "<img src=x onerror=alert(1)>"
    edited(server, exam, "reject", {"rejected": True, "reason": markup}, 0, None)
    page = open_page()
    page.goto(f"{server.address}/#{exam}")
    page.reload()
    Person(page).sees(".counting.rejected", markup)
    assert markup in json.dumps(recorded(page))
    assert page.locator("[onerror]").count() == 0
