"""How large a pixel is: typed with a point or a comma, or laid as a line over the depth ruler."""

import pytest

from tests.serve.web.browser.person import HC, Person
from tests.serve.web.browser.running import HC_MM

pytestmark = pytest.mark.slow

READ = "async (text) => (await import('./words.js')).scaleOf(text)"
FIELD = "#mm-per-px"
#: Near enough for a hand that lays a line by whole pixels.
BY_HAND = 0.02


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("0.12", [0.12, 0.12]),
        ("0,12", [0.12, 0.12]),
        (" .5 ", [0.5, 0.5]),
        ("0,12 0,15", [0.12, 0.15]),
        ("0.12;0.15", [0.12, 0.15]),
        ("0,12 x 0,15", [0.12, 0.15]),
        ("0.12, 0.15", [0.12, 0.15]),
        ("0.12,0.15", [0.12, 0.15]),
        ("0,12,0,15", None),
        ("1.234,5", None),
        ("0.1 0.1 0.1", None),
        ("-0.1", None),
        ("0", None),
        ("1e3", None),
        ("", None),
        ("a", None),
    ],
)
def test_a_comma_in_a_scale_is_a_decimal_one_and_two_numbers_are_parted_otherwise(
    page, text, scale
):
    assert page.evaluate(READ, text) == scale


def test_a_scale_with_a_comma_is_read_the_same_at_upload_and_afterwards(page, picture):
    me = Person(page)
    me.click("#about summary")
    page.fill("#about-mm_per_px", "0,1704")
    me.choose([picture])
    me.sees("table.values")
    at_upload = me.value(HC)
    assert "mm" in me.text(HC)
    me.choose([picture])
    me.until(lambda: "px" in me.text(HC))
    page.fill(FIELD, "0,1704")
    page.keyboard.press("Enter")
    me.sees("dialog[open]")
    me.type("Dr. Early")
    me.press("Enter")
    me.until(lambda: "mm" in me.text(HC))
    assert me.value(HC) == at_upload
    assert me.value(HC) == pytest.approx(HC_MM, rel=BY_HAND)


def test_a_scale_that_is_none_is_refused_in_words_and_nothing_is_sent(page, picture):
    me = Person(page)
    me.click("#about summary")
    page.fill("#about-mm_per_px", "0,1,2")
    me.choose([picture])
    me.sees("#message .error")
    assert "0,1,2" in me.text("#message")
    assert page.input_value("#about-mm_per_px") == "0,1,2"
    assert not [one for one in page.heard.asked if one.endswith("/exams") and "POST" in one]
    assert page.locator(".thumb").count() == 0


def shown_at(page, row, col):
    """Where a point of the picture is on the screen."""
    return page.evaluate(
        """([row, col]) => {
        const box = document.getElementById("picture").getBoundingClientRect();
        const k = box.width / document.getElementById("picture").naturalWidth;
        return [box.x + (col + 0.5) * k, box.y + (row + 0.5) * k];
    }""",
        [row, col],
    )


def test_a_line_drawn_over_a_known_distance_sets_the_scale(open_page, server, picture):
    exam = server.measured([picture])["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    me.click("#known-distance")
    me.sees("#handle-end-1")
    assert me.text(HC).endswith("px")
    page.mouse.move(*shown_at(page, 100, 60))
    page.mouse.down()
    page.mouse.move(*shown_at(page, 300, 60), steps=4)
    page.mouse.up()
    me.until(lambda: "200.0 pixels" in me.text(".ruler-form"))
    page.fill("#ruler-mm", "34,08")
    assert "0.1704 mm per pixel" in me.text(".ruler-form")
    page.keyboard.press("Enter")
    me.until(lambda: me.text(HC).endswith("mm"))
    assert me.value(HC) == pytest.approx(HC_MM, rel=BY_HAND)
    assert page.locator(".thumb .mark.edited").count() == 0
    (edit,) = server.edits(exam)
    assert (edit["action"], edit["frame"]) == ("spacing", None)
    row, col = edit["value"]["mm_per_px"]
    assert row == col == pytest.approx(0.1704, rel=1e-3)


def test_a_known_distance_is_laid_with_keys_alone(open_page, server, picture):
    exam = server.measured([picture])["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    page.focus("#known-distance")
    page.keyboard.press("Enter")
    me.until(lambda: page.evaluate("document.activeElement.id") == "handle-end-0")
    before = me.value(".ruler-form p")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowUp")
    me.until(lambda: me.value(".ruler-form p") == pytest.approx(before + 11))
    assert f"{before + 11:.1f} pixels" in page.locator("#live").text_content()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "handle-end-1"
    while page.evaluate("document.activeElement.id") != "ruler-mm":
        page.keyboard.press("Tab")
    page.keyboard.type("nothing")
    page.keyboard.press("Enter")
    me.sees("#message .error", "nothing")
    page.keyboard.press("Escape")
    me.until(lambda: page.evaluate("document.activeElement.id") == "known-distance")
    assert page.locator("#handle-end-0").count() == 0
    assert server.edits(exam) == []
