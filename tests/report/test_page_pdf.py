"""The PDF of a report: whole pages, text inside the margins, the same content as the HTML."""

import re
import zlib

import cv2
import numpy as np
import pytest

from fetometry.errors import OutputError
from fetometry.report.page import Fact, Facts, Heading, Page, Picture, Pictures, Remarks, Table
from fetometry.report.page_pdf import MARGIN, _built, _fonts, _text, _width, page_pdf


def page(*blocks):
    return Page("Fetal biometry", "Exam 1", "Research use only; not for diagnosis", blocks)


def picture(title=""):
    done, data = cv2.imencode(".png", np.full((54, 72), 90, np.uint8))
    assert done
    return Picture(data.tobytes(), (54, 72), "a head", title, "head.png")


ROW = ("HC", "<b>&", "Köln ≤ 5 \N{BLACK UP-POINTING TRIANGLE}")
BLOCKS = (
    Heading("Fetus A", 1), Facts((Fact("Age", "20w0d", "as given"), Fact("Images", "3"))),
    Remarks(("<i>heed</i> this",), heeded=True), Pictures((picture("Head"),) * 3), Heading("Table"),
    Table(("", "value", "why"), (ROW,) * 4, (1, 1, 2), bold=2), Pictures((picture(),), 1),
    Remarks(("said",)),
)  # fmt: skip


def sheets(data):
    return len(re.findall(rb"/Type /Page\b", data))


def test_the_same_page_is_the_same_file():
    first = page_pdf(page(*BLOCKS))
    assert first == page_pdf(page(*BLOCKS))
    assert first.startswith(b"%PDF-")
    assert sheets(first) == 1


def test_a_long_table_goes_over_several_pages():
    rows = tuple((str(k), "word " * 30) for k in range(150))
    data = page_pdf(page(Table(("", "why"), rows, (1, 3))))
    assert sheets(data) == _built(page(Table(("", "why"), rows, (1, 3))), 0)[1] >= 3


@pytest.mark.parametrize("text", ["a" * 300, "/a/long/path" * 30, "word " * 200, "漢字" * 90])
def test_text_wraps_inside_its_width_however_long_its_words(text):
    _fonts()
    width = 0.2 * _width()
    paragraph = _text(text, "cell")
    _, height = paragraph.wrap(width, 10_000)
    lines = paragraph.breakLines(width).lines
    assert height == pytest.approx(len(lines) * 8.2)
    # of every line: the room that is left in it, or the fragments with their room
    assert (
        min(
            getattr(line, "extraSpace", line[0] if isinstance(line, tuple) else 0) for line in lines
        )
        >= -0.01
    )


def test_every_fetus_begins_on_a_page_of_its_own():
    twins = page(Heading("Fetus A", 1), Remarks(("a",)), Heading("Fetus B", 1), Remarks(("b",)))
    assert sheets(page_pdf(twins)) == 2
    assert sheets(page_pdf(page(Heading("One"), Heading("Two")))) == 1


def test_pictures_fill_the_width_and_stay_inside_it():
    data = page_pdf(page(Pictures((picture("Head"),) * 3)))
    widths = [w for w in _drawn_widths(data) if w > 50]
    assert len(widths) == 3
    assert 3 * widths[0] == pytest.approx(_width(), rel=0.03)
    assert _width() + 2 * MARGIN == pytest.approx(595.28, abs=0.01)


def _drawn_widths(data):
    """The widths in points at which images are drawn: `w 0 0 h x y cm` before a `Do`."""
    import base64

    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.S):
        try:
            text = zlib.decompress(base64.a85decode(stream.strip().removesuffix(b"~>")))
        except (ValueError, zlib.error):
            continue
        found += re.findall(rb"([\d.]+) 0 0 [\d.]+ [\d.]+ [\d.]+ cm\s*/FormXob", text)
    return [float(width) for width in found]


def test_what_is_no_block_is_refused():
    with pytest.raises(NotImplementedError, match="no block str"):
        page_pdf(page("text"))


def test_a_text_longer_than_a_page_is_an_error_of_the_output():
    with pytest.raises(OutputError, match=r"longer than a page; see report\.html"):
        page_pdf(page(Table(("", "why"), (("x", "word " * 20_000),), (1, 1))))
