"""Someone before the page, whose actions are counted."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 20_000
#: How often something that changes is looked at again.
LOOK_S = 0.03
#: As near as what is shown tells, and how often a hand looks before it gives up.
NEAR, MOST_LOOKS = 0.05, 12
HC = ".reading[data-key=HC] .value"
EFW = "tr[data-key=EFW] .value"


def number(text: str) -> float:
    """The first number of a text."""
    found = re.search(r"-?\d+(\.\d+)?", text)
    assert found, text
    return float(found[0])


class Person:
    """Every click, drag, turn of the wheel, typed field, key and choice of files is one action."""

    def __init__(self, page: Page):
        self.page = page
        self.actions: list[str] = []

    # ---- acting

    def choose(self, paths):
        self.actions.append("choose files")
        self.page.set_input_files("#choose-files", [str(path) for path in paths])

    def click(self, selector, text=None):
        self.actions.append(f"click {text or selector}")
        self.page.locator(selector, has_text=text).first.click()

    def type(self, text):
        self.actions.append(f"type {text}")
        self.page.keyboard.type(text)

    def press(self, key, times=1):
        self.actions.append(f"press {key}")
        for _ in range(times):
            self.page.keyboard.press(key)

    def zoom_at(self, selector, turns):
        self.actions.append("turn the wheel")
        self.page.mouse.move(*self.middle(selector))
        self.page.mouse.wheel(0, -turns)

    def download(self, text, folder):
        self.actions.append(f"click {text}")
        with self.page.expect_download() as begun:
            self.page.locator("#review .downloads a", has_text=text).click()
        path = folder / begun.value.suggested_filename
        begun.value.save_as(path)
        return path

    def drag_until(self, selector, look, wanted, *, along=(1, 0)):
        """Drag a handle until what is looked at is as wanted to a tenth.

        The way is that of a hand: some pixels, a look, as many more as seem to be missing.
        """
        self.actions.append(f"drag {selector}")
        x, y = self.middle(selector)
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        far, before = 0, look()
        step = 12
        for _ in range(MOST_LOOKS):
            far += step
            with self.previewed():
                mouse.move(x + far * along[0], y + far * along[1])
            now = look()
            if abs(now - wanted) < NEAR or now == before:
                break
            step = round((wanted - now) / (now - before) * step) or 1
            before = now
        mouse.up()

    # ---- looking

    def middle(self, selector):
        box = self.page.locator(selector).bounding_box()
        assert box, selector
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def text(self, selector):
        return self.page.locator(selector).first.inner_text()

    def value(self, selector):
        return number(self.text(selector))

    def sees(self, selector, text=None):
        self.page.locator(selector, has_text=text).first.wait_for(timeout=PATIENCE_MS)

    @contextmanager
    def previewed(self):
        """Wait until the page shows the numbers of what is done meanwhile."""
        with self.page.expect_response("**/preview"):
            yield
        self.page.wait_for_timeout(3000 * LOOK_S)

    def until(self, happened, within_s=10.0):
        end = time.monotonic() + within_s
        while not happened():
            assert time.monotonic() < end, "it did not happen"
            self.page.wait_for_timeout(1000 * LOOK_S)
