"""A person with a mouse: upload, correct, sign off, take the report; and what cannot be read."""

import base64
import re

import pytest

from fetometry.report import read_exam
from fetometry.structured import read
from tests.serve.web.browser.person import EFW, HC, Person
from tests.serve.web.browser.running import truth_of

pytestmark = pytest.mark.slow

TENTH = 0.1
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""
MOST_ACTIONS = 12


def hc_of_report(text: str) -> float:
    found = re.search(r"HC\b.*?(\d+\.\d)\s*(?:&nbsp;|\s)*mm", text, re.S)
    assert found
    return float(found[1])


def test_hc_is_dragged_to_the_truth_and_signed_off_in_twelve_actions(page, server, files, tmp_path):
    truth = truth_of(files[0])["hc_mm"]
    me = Person(page)
    me.choose(files)
    me.sees("table.values")
    proposed, weight = me.value(HC), me.value(EFW)
    assert abs(proposed - truth) > 1  # or there would be nothing to correct
    me.zoom_at("#handle-axis-0-1", 700)  # a pixel of the screen is less than a tenth of a mm
    me.drag_until("#handle-axis-0-1", lambda: me.value(HC), truth)
    me.sees("dialog[open]")
    me.type("Dr. Early")
    me.press("Enter")
    me.sees("#controls .counting")
    me.until(lambda: me.text("#review .record summary") == "Record: 1 change")
    assert me.value(HC) == pytest.approx(truth, abs=TENTH / 2)
    assert me.value(EFW) != weight
    me.click("#review button", "Sign off")
    me.sees("#review .signed", "Dr. Early")
    me.click("#review .downloads summary")
    report = me.download("Report (HTML)", tmp_path)
    document = me.download("Exam (JSON)", tmp_path)
    sr = me.download("DICOM SR", tmp_path)
    assert len(me.actions) <= MOST_ACTIONS, me.actions

    seen = me.value(HC)
    text = report.read_text(encoding="utf-8")
    assert "Dr. Early" in text
    assert hc_of_report(text) == pytest.approx(seen, abs=TENTH)
    (chosen,) = [one for one in read_exam(document).selected if one.name == "HC"]
    assert chosen.value == pytest.approx(seen, abs=TENTH)
    (fetus,) = read(sr).fetuses
    assert fetus.chosen("HC").value.value == pytest.approx(seen, abs=TENTH)
    (edit,) = server.edits(server.newest()["id"])
    assert (edit["action"], edit["reviewer"]) == ("ellipse", "Dr. Early")


def test_numbers_follow_while_the_handle_is_held(open_page, measured, server):
    page = open_page(measured, reviewer="Dr. Early")
    me = Person(page)
    before = me.value(HC), me.value(EFW)
    page.mouse.move(*me.middle("#handle-axis-0-1"))
    page.mouse.down()
    x, y = me.middle("#handle-axis-0-1")
    page.mouse.move(x - 60, y, steps=4)
    me.until(lambda: abs(me.value(HC) - before[0]) > 5 and me.value(EFW) != before[1])
    page.keyboard.press("Escape")
    page.mouse.up()
    me.until(lambda: (me.value(HC), me.value(EFW)) == before)
    assert server.exam(measured)["edits"] == 0


def test_a_broken_file_says_why_beside_those_that_are_fine(page, files, tmp_path):
    broken = tmp_path / "notes.dcm"
    broken.write_bytes(b"no picture")
    me = Person(page)
    me.choose([files[2], broken])
    me.sees("table.values")
    me.click(".thumb", "notes.dcm")
    me.sees("#no-picture:not(:empty)")
    said = me.text("#no-picture")
    assert "DICOM" in said
    assert "Traceback" not in said
    assert str(tmp_path) not in page.content()
    assert "see why" in me.text(".thumb[aria-current]")


def test_an_exam_of_a_broken_file_alone_says_why(page, tmp_path):
    broken = tmp_path / "a.png"
    broken.write_bytes(b"no picture")
    me = Person(page)
    me.choose([broken])
    me.sees("#no-picture:not(:empty)")
    me.until(lambda: "see why" in me.text(".thumb"))
    assert me.text("#no-picture").strip()


def test_a_measuring_that_failed_says_so_and_cannot_be_signed(open_page, measured):
    page = open_page()

    def failed(route):
        answer = route.fetch()
        document = {**answer.json(), "state": "failed", "reason": "the model's file is broken"}
        document |= {"selected": [], "growth": {}}
        for image in document["images"]:
            image["findings"] = []
        route.fulfill(response=answer, json=document)

    page.route(f"**/exams/{measured}", failed)
    page.goto(page.url.partition("#")[0] + f"#{measured}")
    page.reload()
    me = Person(page)
    me.sees(".state.failed")
    assert "model's file is broken" in me.text("#numbers")
    assert page.locator("button", has_text="Sign off").count() == 0
    assert page.locator("#controls button").count() == 0
    me.click("#review summary")
    assert page.locator("button", has_text="Remove this exam").is_visible()


def test_a_name_that_is_markup_is_shown_as_it_is(page):
    name = "<img src=x onerror=alert(1)>.png"
    page.set_input_files(
        "#choose-files", [{"name": name, "mimeType": "image/png", "buffer": b"no picture"}]
    )
    me = Person(page)
    me.sees("#no-picture:not(:empty)")
    assert name in me.text("#controls .file")
    assert page.locator("[onerror]").count() == 0


def test_files_that_are_dropped_are_measured(page, files):
    content = base64.b64encode(files[0].read_bytes()).decode()
    page.evaluate(DROP, [files[0].name, content])
    me = Person(page)
    me.sees("table.values")
    assert me.value(HC) > 0


def test_of_two_images_of_a_head_the_one_that_a_person_chose_counts(open_page, server, repeats):
    exam = server.measured(repeats, ga="25w0d")["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    heads = page.locator(".thumb", has_text="Head")
    assert heads.count() == 2
    before = me.text("tr[data-key=HC] .value")
    page.locator(".thumb", has_text="does not count").click()
    me.click("#controls button", "Let this count")
    me.until(lambda: "chosen by hand" in me.text("tr[data-key=HC] .value"))
    assert me.text("tr[data-key=HC] .value") != before
    assert me.value("tr[data-key=HC] .value") == me.value(HC)
    assert "counts" in me.text(".thumb[aria-current]")
    page.keyboard.press("Control+z")
    me.until(lambda: me.text("tr[data-key=HC] .value") == before)


def test_dates_said_at_upload_are_those_of_the_exam_and_of_no_other(page, server, files):
    me = Person(page)
    me.click("#about summary")
    page.fill("#about-ga", "24w3d")
    me.choose(files[:1])
    me.sees("table.values")
    assert "24w3d" in me.text(".facts")
    assert page.input_value("#about-ga") == ""
    me.choose(files[:1])
    me.until(lambda: "24w3d" not in me.text(".facts"))


def test_a_date_that_cannot_be_is_refused_in_words_and_stays_to_be_mended(page, files):
    me = Person(page)
    me.click("#about summary")
    page.fill("#about-ga", "90w0d")
    me.choose(files[:1])
    me.sees("#message .error")
    assert "90w0d" in me.text("#message")
    assert page.input_value("#about-ga") == "90w0d"
    page.heard.faults.clear()  # the browser notes every answer of 4xx
