"""What the page looks like, to eyes, to axe-core, and to who sees no colours.

With FETOMETRY_PICTURES=docs/images the pictures of the documentation are made anew.
"""

import os
from pathlib import Path

import pytest

from tests.serve.web.browser.conftest import NARROW, WIDE
from tests.serve.web.browser.person import Person

pytestmark = pytest.mark.slow

MOST_BYTES = 200_000
#: A window of 1440 x 900 at 200 %.
HALF = {"width": 720, "height": 450}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What can be pressed and lies outside the window, to its right.
OUTSIDE = """() => [...document.querySelectorAll("button, input, summary, a[href]")]
  .filter((one) => one.checkVisibility() && !one.matches(".unseen, .skip"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML)"""
SEVERE = ("serious", "critical")


def still(page):
    """Wait until the pictures on the page are there."""
    me = Person(page)
    me.until(
        lambda: page.evaluate(
            "[...document.images].filter((one) => one.checkVisibility())"
            ".every((one) => one.complete && one.naturalWidth > 0)"
        )
    )


def picture(page, name, folder, *, full=False):
    still(page)
    kept = os.environ.get("FETOMETRY_PICTURES")
    path = (Path(kept) if kept else folder) / name
    page.screenshot(path=path, type="jpeg", quality=72, full_page=full)
    return path.stat().st_size


@pytest.mark.parametrize(
    ("name", "viewport"), [("page.jpg", WIDE), ("page-narrow.jpg", NARROW)], ids=["wide", "narrow"]
)
def test_a_picture_of_the_page_is_kept_and_nothing_scrolls_sideways(
    open_page, signed, tmp_path, name, viewport
):
    page = open_page(signed, viewport=viewport, reviewer="Dr. Early")
    assert 10_000 < picture(page, name, tmp_path, full=viewport is NARROW) < MOST_BYTES
    assert page.evaluate(SIDEWAYS) <= 0


@pytest.mark.parametrize("state", ["measured", "laid", "cine", "many"])
def test_wide_narrow_and_at_200_percent_nothing_has_to_be_scrolled_sideways(
    open_page, request, state
):
    name, do = STATES[state]
    page = open_page(request.getfixturevalue(name) if name else "")
    do(page)
    for viewport in (WIDE, NARROW, HALF):
        page.set_viewport_size(viewport)
        page.wait_for_timeout(100)
        assert page.evaluate(SIDEWAYS) <= 0, viewport
        assert page.evaluate(OUTSIDE) == [], viewport


def asked_who(page):
    page.locator(".criteria input").first.click()
    page.locator("dialog[open]").wait_for()


def asked_help(page):
    page.keyboard.press("?")
    page.locator("#help[open]").wait_for()


def opened_all(page):
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def laid(page):
    opened_all(page)
    page.locator("#known-distance").click()
    page.locator("#ruler-mm").fill("34,08")


def many(page):
    item = {"images": 3, "when": "2026-05-04T10:00:00+00:00", "from": "node", "exam": None}
    items = [
        {**item, "key": str(k), "label": f"exam {k}", "state": state, "patient": patient}
        for k, (state, patient) in enumerate(
            3 * [("new", None), ("open", {"name": "Doe^Jane", "id": "A" * 60}), ("signed", None)]
        )
    ]
    page.route("**/api/v1/worklist", lambda route: route.fulfill(json={"items": items}))
    page.reload()
    page.locator("#find-worklist").fill("exam")


STATES = {
    "empty": ("", None),
    "measured": ("measured", opened_all),
    "signed": ("signed", opened_all),
    "who": ("measured", asked_who),
    "help": ("measured", asked_help),
    "laid": ("uncalibrated", laid),
    "cine": ("looped", opened_all),
    "many": ("", many),
}


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_serious_fault_in_light_and_dark(open_page, request, state):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    name, do = STATES[state]
    page = open_page(request.getfixturevalue(name) if name else "")
    if do:
        do(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = axe.Axe().run(page).response["violations"]
        severe = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SEVERE]
        assert severe == [], scheme


def test_axe_does_find_a_fault_that_is_there(open_page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    page = open_page()
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    found = axe.Axe().run(page).response["violations"]
    assert "button-name" in {one["id"] for one in found}


def test_every_sign_has_a_word_and_every_line_its_own_dashes(open_page, signed):
    page = open_page(signed)
    me = Person(page)
    marks = page.locator(".thumb[aria-current] .mark")
    assert [text[1:] for text in marks.all_inner_texts()] == ["counts", "edited"]
    assert len({text[0] for text in marks.all_inner_texts()}) == 2
    assert me.text(".state.signed") == "Signed off"
    dashes = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#readout .reading")].map(
        (one) => [one.dataset.key, getComputedStyle(one.querySelector("line")).strokeDasharray]))"""
    )
    assert len(dashes) == 3
    assert len(set(dashes.values())) == 3


def test_what_is_pressed_is_underlined_and_not_only_coloured(open_page, measured):
    page = open_page(measured)
    lines = page.evaluate(
        """() => [...document.querySelectorAll("#controls .group button")].map((one) =>
        [one.ariaPressed, getComputedStyle(one).textDecorationLine])"""
    )
    assert {line for pressed, line in lines if pressed == "true"} == {"underline"}
    assert {line for pressed, line in lines if pressed == "false"} == {"none"}


def test_a_page_asks_its_server_alone_and_a_script_cannot_ask_another(open_page, measured, server):
    page = open_page(measured)
    assert len(page.heard.asked) > 10
    assert {one.split("/")[2] for one in page.heard.asked if one.startswith("http")} == {
        server.address.partition("//")[2]
    }
    refused = page.evaluate("fetch('https://example.org/').then(() => 'answered', () => 'refused')")
    assert refused == "refused"
    assert any("Content Security Policy" in fault for fault in page.heard.faults)
    page.heard.faults.clear()
