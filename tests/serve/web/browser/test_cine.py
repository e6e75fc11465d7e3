"""What is said of a cine loop: of the whole file, or of one frame where a person says so."""

import pytest

from tests.serve.web.browser.person import Person

pytestmark = pytest.mark.slow


@pytest.fixture
def cine(open_page, server, loop):
    exam = server.measured([loop], ga="25w0d")["id"]
    page = open_page(exam, reviewer="Dr. Early")

    def findings():
        return server.exam(exam)["images"][0]["findings"]

    assert len(findings()) == 3
    return page, Person(page), findings, lambda: server.edits(exam)


def test_the_fetus_of_a_cine_loop_is_that_of_all_its_frames(cine):
    page, me, findings, edits = cine
    page.get_by_role("button", name="B", exact=True).click()
    me.until(lambda: [found["fetus"] for found in findings()] == ["B"] * 3)
    assert [edit["frame"] for edit in edits()] == [None]


def test_a_cine_loop_is_rejected_whole_with_a_reason_of_ones_own(cine):
    page, me, findings, edits = cine
    me.click(".reject summary")
    page.fill("#reject-reason", "the fetus moves")
    page.keyboard.press("Enter")
    me.until(lambda: all(found["rejected"] for found in findings()))
    assert {found["reason"] for found in findings()} == {"the fetus moves"}
    me.sees(".counting.rejected", "Rejected: the fetus moves")
    me.click(".counting button", "Take back")
    me.until(lambda: not any(found["rejected"] for found in findings()))
    assert [edit["frame"] for edit in edits()] == [None, None]


def test_of_a_cine_loop_one_frame_alone_can_be_rejected(cine):
    page, me, findings, edits = cine
    me.click(".reject summary")
    page.check("#reject-frame")
    me.click(".reject button", "Poor picture")
    me.sees(".counting.rejected", "This frame is rejected: poor picture")
    assert sum(found["rejected"] for found in findings()) == 1
    me.click(".counting button", "Take back")
    me.until(lambda: not any(found["rejected"] for found in findings()))
    assert len({edit["frame"] for edit in edits()}) == 1
    me.click(".reject summary")
    assert not page.is_checked("#reject-frame")  # the next rejection is of the whole again


def test_a_single_picture_has_no_choice_of_frames(open_page, server, measured):
    page = open_page(measured)
    Person(page).click(".reject summary")
    assert page.locator("#reject-reason").is_visible()
    assert page.locator("#reject-frame").count() == 0
