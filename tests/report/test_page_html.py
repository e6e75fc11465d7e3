"""The HTML of a report: whole in itself, and its text only text."""

import re
from html.parser import HTMLParser

import pytest

from fetometry.report.page import Fact, Facts, Heading, Page, Picture, Pictures, Remarks, Table
from fetometry.report.page_html import page_html

EVIL = '<script>alert("1")</script> & <a href="https://example.org">x</a>'
VOID = {"meta", "img", "col", "br"}


def page(*blocks, title="Fetal biometry", subtitle="Exam 1"):
    return Page(title, subtitle, "Research use only; not for diagnosis", blocks)


def everything(text):
    picture = Picture(b"\x89PNG", (540, 720), text, text, text)
    return (
        Heading(text, 1), Heading(text), Facts((Fact(text, text, text),)), Remarks((text,)),
        Remarks((text,), heeded=True), Pictures((picture, picture)), Pictures((picture,), 1),
        Table((text, text), ((text, text),), (1, 3), bold=2),
    )  # fmt: skip


class Reader(HTMLParser):
    """Checks that every element is closed, and keeps what it sees."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_text_is_never_markup():
    read = Reader(page_html(page(*everything(EVIL), title=EVIL, subtitle=EVIL)))
    assert not {"script", "a", "link", "iframe", "object"} & set(read.tags)
    assert "".join(read.text).count(EVIL) >= 12


def test_nothing_is_fetched_from_anywhere():
    text = page_html(page(*everything("HC")))
    read = Reader(text)
    addresses = [a for a in read.attributes if a[1] in ("src", "href", "srcset", "action")]
    assert {a[0] for a in addresses} == {"img"}
    assert all(a[2].startswith("data:image/png;base64,") for a in addresses)
    assert not re.search(r"https?://|url\(|@import", text)
    policy = next(a[2] for a in read.attributes if a[1] == "content" and "default-src" in a[2])
    assert policy.startswith("default-src 'none'")


def test_every_picture_says_in_words_what_it_shows():
    read = Reader(page_html(page(*everything("head with callipers"))))
    assert [a[2] for a in read.attributes if a[1] == "alt"] == ["head with callipers"] * 3


def test_the_notice_stands_at_the_head_and_at_the_foot():
    text = page_html(page())
    assert text.count("Research use only; not for diagnosis") == 2


def test_the_widths_of_a_table_are_its_shares():
    text = page_html(page(Table(("", "why"), (("a", "b"),), (1, 3))))
    assert re.findall(r"width:([\d.]+)%", text)[-2:] == ["25.0", "75.0"]


def test_what_is_no_block_is_refused():
    with pytest.raises(NotImplementedError, match="no block str"):
        page_html(page("text"))
