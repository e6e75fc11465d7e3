"""A person without a mouse: everything but the choice of files is done with keys."""

import pytest

from tests.serve.web.browser.person import EFW, HC, NEAR, Person
from tests.serve.web.browser.running import truth_of

pytestmark = pytest.mark.slow

#: More than there are things to stop at.
MOST_TABS = 150
MOST_STEPS = 30
STOP = """() => {
  const now = document.activeElement;
  const style = getComputedStyle(now);
  // what lies in a drawing has no outline
  const halo = now.matches(".handle") ? now.querySelector(".halo") : null;
  const over = getComputedStyle(now, "::after");
  const box = now.getBoundingClientRect();
  return {
    tag: now.tagName, id: now.id,
    text: (now.innerText || now.getAttribute("aria-label") || "").trim(),
    line: halo ? getComputedStyle(halo).stroke !== "none"
      : style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
        || over.content !== "none" && parseFloat(over.borderTopWidth) >= 2,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""
REACHABLE = """() => [...document.querySelectorAll(
  "button:not(:disabled), input:not(:disabled), summary, a[href], [tabindex='0']")]
  .filter((one) => one.checkVisibility() && one.getClientRects().length)
  .map((one) => one.id || one.innerText.trim())"""


def stop(page):
    return page.evaluate(STOP)


def tab_to(page, wanted, *, key="Tab"):
    """Press Tab until what is wanted has the focus; return how many times."""
    for times in range(1, MOST_TABS):
        page.keyboard.press(key)
        now = stop(page)
        if wanted in (now["id"], now["text"]):
            return times
    raise AssertionError(f"Tab does not come to {wanted}")


def test_correcting_signing_and_the_report_need_no_mouse(page, files, tmp_path):
    truth = truth_of(files[0])["hc_mm"]
    me = Person(page)
    me.choose(files)
    me.sees("table.values")
    weight = me.text(EFW)
    tab_to(page, "handle-axis-0-1")
    at, centre = me.middle("#handle-axis-0-1"), me.middle("#handle-centre")
    longer = "ArrowLeft" if at[0] < centre[0] else "ArrowRight"
    page.keyboard.press(longer)
    me.sees("dialog[open]")  # the first change asks who makes it
    page.keyboard.type("Dr. Early")
    page.keyboard.press("Enter")
    me.until(lambda: stop(page)["id"] == "handle-axis-0-1")
    for _ in range(MOST_STEPS):
        missing = truth - me.value(HC)
        if missing < NEAR:
            break
        with me.previewed():
            page.keyboard.press(longer if missing > 0.4 else f"Alt+{longer}")
    assert me.value(HC) == pytest.approx(truth, abs=NEAR)
    me.until(lambda: me.text(EFW) != weight)
    assert stop(page)["id"] == "handle-axis-0-1"  # the focus stays where the hands are
    while not page.evaluate("document.activeElement.matches('.criteria input')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    me.until(lambda: "1 of" in me.text(".criteria legend"))
    page.keyboard.press("s")
    me.until(lambda: stop(page)["id"] == "sign-name")
    page.keyboard.press("Enter")
    me.sees("#review .signed", "Dr. Early")
    tab_to(page, "Download")
    page.keyboard.press("Enter")
    tab_to(page, "Report (HTML)")
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    path = tmp_path / "report.html"
    begun.value.save_as(path)
    assert "Dr. Early" in path.read_text(encoding="utf-8")


def test_every_control_is_a_stop_of_tab_and_shows_the_focus(open_page, measured):
    page = open_page(measured, reviewer="Dr. Early")
    wanted = page.evaluate(REACHABLE)
    met = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        now = stop(page)
        if now["tag"] == "BODY" and met:
            break
        met.append(now)
    # the label round a chooser of files has its line
    assert [now for now in met if not now["line"] and not now["id"].startswith("choose-")] == []
    assert [now for now in met if not now["seen"]] == []
    names = {now["id"] for now in met} | {now["text"] for now in met}
    assert [name for name in wanted if name not in names] == []
    assert {f"handle-{name}" for name in ("centre", "turn", "axis-0-1", "axis-1--1")} <= names


def test_an_outline_can_be_given_in_numbers(open_page, server, files):
    exam = server.measured(files[:1])["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    page.focus(".by-numbers summary")
    page.keyboard.press("Enter")
    ellipse = truth_of(files[0])["ellipse"]
    row, col = ellipse["center_px"]
    long, short = (2 * axis for axis in ellipse["semi_axes_px"])
    for name, given in {"row": row, "col": col, "long": long, "short": short, "angle": 0}.items():
        page.focus(f"#by-{name}")
        page.keyboard.press("Control+a")
        page.keyboard.type(f"{given:.3f}")
    page.keyboard.press("Enter")
    me.until(lambda: abs(me.value(HC) - truth_of(files[0])["hc_mm"]) < NEAR)


def test_shortcuts_change_image_plane_and_what_counts(open_page, server, files):
    exam = server.measured(files, ga="25w0d")["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)

    def pressed():
        return me.text("#controls [aria-pressed=true]")

    page.keyboard.press("]")
    me.until(lambda: pressed() == "Abdomen")
    page.keyboard.press("[")
    me.until(lambda: pressed() == "Head")
    page.keyboard.press("x")
    me.sees(".counting.rejected")
    me.until(lambda: page.locator("tr[data-key=HC]").count() == 0)
    page.keyboard.press("x")
    me.until(lambda: page.locator("tr[data-key=HC]").count() == 1)
    page.keyboard.press("2")
    me.until(lambda: pressed() == "Abdomen")
    page.keyboard.press("Control+z")
    me.until(lambda: pressed() == "Head")
    page.keyboard.press("h")
    me.until(lambda: page.locator("#handle-centre").count() == 0)
    page.keyboard.press("h")
    page.keyboard.press("?")
    me.sees("#help[open]")
    page.keyboard.press("Escape")
    me.until(lambda: page.locator("dialog[open]").count() == 0)
    names = [edit["action"] for edit in server.edits(exam)]
    assert names == ["reject", "reject", "plane"]


def test_single_letters_can_be_switched_off(open_page, measured, server):
    page = open_page(measured, reviewer="Dr. Early")
    me = Person(page)
    page.keyboard.press("?")
    me.sees("#help[open]")
    page.locator("#help input").uncheck()
    page.keyboard.press("Escape")
    me.until(lambda: page.locator("dialog[open]").count() == 0)
    page.keyboard.press("x")
    page.keyboard.press("h")
    page.wait_for_timeout(200)
    assert page.locator("#handle-centre").count() == 1
    assert server.exam(measured)["edits"] == 0


def test_the_numbers_of_a_change_are_said_to_who_does_not_see_them(open_page, server, files):
    exam = server.measured(files[:1])["id"]
    page = open_page(exam, reviewer="Dr. Early")
    me = Person(page)
    page.focus("#handle-axis-1-1")
    page.keyboard.press("Shift+ArrowUp")
    me.until(lambda: me.text(HC) in page.locator("#live").text_content())
    handle = page.locator("#handle-axis-1-1")
    assert handle.get_attribute("role") == "slider"
    assert "short axis" in handle.get_attribute("aria-label")
