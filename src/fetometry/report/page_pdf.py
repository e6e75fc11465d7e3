"""A report as a PDF of A4 pages, from the same content as the HTML. Text wraps, it is not cut."""

from __future__ import annotations

import io
from functools import lru_cache, singledispatch
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fetometry.errors import OutputError
from fetometry.report.page import Fact, Facts, Heading, Page, Picture, Pictures, Remarks, Table

#: Points; an inch has 72.
MARGIN, GAP, FOOT = 34.0, 7.0, 26.0

INK, PALE, RULE, HEED, HEED_BACK = "#1b1f24", "#4a525c", "#c9d0d8", "#8a5300", "#fff8ea"

#: How much of a page is empty below a heading over pictures, or over anything else; otherwise it
#: begins the next page.
PICTURES_ROOM, ROOM = 190.0, 60.0

#: A table of so many rows or fewer is not broken over two pages; so much room for each.
SHORT_TABLE, ROW_ROOM = 8, 14.0

FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"

#: Name → size, distance of lines, whether bold, colour.
TEXTS = {
    "title": (16.0, 19.0, True, INK),
    "subtitle": (7.0, 9.0, False, PALE),
    "notice": (8.0, 10.0, True, INK),
    "h1": (12.0, 15.0, True, INK),
    "h2": (9.0, 11.0, True, INK),
    "label": (6.4, 8.0, False, PALE),
    "value": (11.5, 14.0, True, INK),
    "small": (6.2, 7.8, False, INK),
    "cell": (6.6, 8.2, False, INK),
    "bold": (6.6, 8.2, True, INK),
    "head": (6.2, 7.8, False, PALE),
    "heeded": (7.4, 9.6, False, INK),
}


def page_pdf(page: Page) -> bytes:
    """Return a report as a PDF; the same report is the same file.

    Raises:
        OutputError: something in it is too large for a page.
    """
    from reportlab.platypus.doctemplate import LayoutError

    _fonts()
    try:
        count = _built(page, 0)[1]
        return _built(page, count)[0]
    except LayoutError:
        raise OutputError("report.pdf: a text is longer than a page; see report.html") from None


@lru_cache(maxsize=1)
def _fonts() -> None:
    """Make known the fonts that come with matplotlib: a PDF's own have no Greek and no Polish."""
    from matplotlib import get_data_path
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(get_data_path()) / "fonts" / "ttf"
    for name in (FONT, BOLD):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))


def _built(page: Page, sheets: int) -> tuple[bytes, int]:
    """Return the PDF and how many sheets it has; `sheets` is what its feet say."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    def foot(canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setStrokeColor(INK)
        canvas.line(MARGIN, FOOT + 9, A4[0] - MARGIN, FOOT + 9)
        canvas.setFont(BOLD, 7)
        canvas.drawString(MARGIN, FOOT, page.notice)
        canvas.setFont(FONT, 7)
        canvas.drawRightString(A4[0] - MARGIN, FOOT, f"page {document.page} of {sheets}")
        canvas.restoreState()

    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=MARGIN - 6,  # a frame has a padding of 6
        rightMargin=MARGIN - 6,
        topMargin=MARGIN - 20,
        bottomMargin=FOOT + 12,
        title=_sound(page.title),
        subject=page.notice,
        author=_sound(page.subtitle),
        lang="en",
        invariant=1,
    )
    document.build(_story(page), onFirstPage=foot, onLaterPages=foot)
    return file.getvalue(), int(document.page)


def _width() -> float:
    from reportlab.lib.pagesizes import A4

    return float(A4[0] - 2 * MARGIN)


def _text(text: str, style: str, **changes: Any) -> Any:
    """Return a paragraph; signs of markup in the text are only signs."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    size, leading, bold, colour = TEXTS[style]
    look = ParagraphStyle(
        style,
        fontName=BOLD if bold else FONT,
        fontSize=size,
        leading=leading,
        textColor=colour,
        splitLongWords=1,
        **changes,
    )
    return Paragraph(escape(_sound(text)), look)


def _sound(text: str) -> str:
    """Return text without the lone surrogates of names that are not UTF-8 on disk."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _grid(rows: list[list[Any]], widths: list[float], *look: tuple[Any, ...], **more: Any) -> Any:
    from reportlab.platypus import Table as Grid
    from reportlab.platypus import TableStyle

    plain = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.2),
    ]
    return Grid(rows, colWidths=widths, style=TableStyle([*plain, *look]), **more)


def _story(page: Page) -> list[Any]:
    from reportlab.platypus import CondPageBreak, PageBreak

    story: list[Any] = [_head(page)]
    for block, follows in zip(page.blocks, [*page.blocks[1:], None], strict=True):
        if isinstance(block, Heading):
            # a heading stays with the beginning of what follows; twins have pages of their own
            room = _room(follows)
            twin = block.level == 1 and len(story) > 1
            story.append(PageBreak() if twin else CondPageBreak(room))
        story += _block(block)
    return story


def _room(follows: object) -> float:
    """Return how much of a page must be left for a heading and the beginning of what follows."""
    if isinstance(follows, Pictures):
        return PICTURES_ROOM
    if isinstance(follows, Table) and len(follows.rows) <= SHORT_TABLE:
        return ROOM + ROW_ROOM * len(follows.rows)
    return ROOM


def _head(page: Page) -> Any:
    width = _width()
    left = [_text(page.title, "title"), _text(page.subtitle, "subtitle")]
    notice = _text(page.notice, "notice", alignment=1)
    right = _grid([[notice]], [0.36 * width], ("BOX", (0, 0), (-1, -1), 1.2, INK))
    look = (
        ("LINEBELOW", (0, 0), (-1, -1), 1.6, INK),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    )
    return _grid([[left, right]], [0.64 * width, 0.36 * width], *look)


def _space(points: float) -> Any:
    from reportlab.platypus import Spacer

    return Spacer(1, points)


@singledispatch
def _block(block: object) -> list[Any]:
    raise NotImplementedError(f"a report has no block {type(block).__name__}")


@_block.register
def _(block: Heading) -> list[Any]:
    before = 12 if block.level == 1 else 7
    return [_space(before), _text(block.text, f"h{block.level}"), _space(2)]


@_block.register
def _(block: Facts) -> list[Any]:
    def cell(fact: Fact) -> list[Any]:
        texts = [_text(fact.label, "label"), _text(fact.value, "value")]
        return [*texts, *([_text(fact.detail, "small")] if fact.detail else [])]

    count = len(block.items)
    bars = [("LINEBEFORE", (k, 0), (k, 0), 1.4, RULE) for k in range(count)]
    room = ("LEFTPADDING", (0, 0), (-1, -1), 6)
    row = [[cell(fact) for fact in block.items]]
    return [_space(4), _grid(row, [_width() / count] * count, *bars, room), _space(2)]


@_block.register
def _(block: Remarks) -> list[Any]:
    if not block.heeded:
        look = {"leftIndent": 8.0, "bulletIndent": 0.0, "spaceAfter": 1.5}
        return [_bullet(item, **look) for item in block.items]
    rows = [
        [_text("\N{BLACK UP-POINTING TRIANGLE}", "heeded"), _text(t, "heeded")] for t in block.items
    ]
    look_of = (
        ("LINEBEFORE", (0, 0), (0, -1), 4, HEED, "butt"),
        ("BOX", (0, 0), (-1, -1), 0.5, HEED),
        ("BACKGROUND", (0, 0), (-1, -1), HEED_BACK),
        ("LEFTPADDING", (0, 0), (0, -1), 8),
        ("TOPPADDING", (0, 1), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -2), 1),
    )
    return [_space(2), _grid(rows, [22, _width() - 22], *look_of), _space(4)]


def _bullet(item: str, **look: float) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    size, leading, _, colour = TEXTS["cell"]
    style = ParagraphStyle(
        "item",
        fontName=FONT,
        bulletFontName=FONT,
        fontSize=size,
        leading=leading,
        textColor=colour,
        **look,
    )
    return Paragraph(escape(_sound(item)), style, bulletText="\N{BULLET}")


@_block.register
def _(block: Pictures) -> list[Any]:
    width = (_width() - GAP * (block.columns - 1)) / block.columns
    rows = []
    for start in range(0, len(block.items), block.columns):
        cells: list[Any] = [_picture(p, width) for p in block.items[start : start + block.columns]]
        rows.append(cells + [""] * (block.columns - len(cells)))
    widths = [width + GAP] * (block.columns - 1) + [width]
    gaps = ("RIGHTPADDING", (0, 0), (-2, -1), GAP)
    return [_grid(rows, widths, gaps, ("RIGHTPADDING", (-1, 0), (-1, -1), 0))]


def _picture(picture: Picture, width: float) -> list[Any]:
    from reportlab.platypus import Image

    rows, cols = picture.size
    shown = Image(io.BytesIO(picture.png), width=width, height=width * rows / cols, hAlign="LEFT")
    if not picture.title:
        return [shown]
    return [shown, _text(f"{picture.title}, {picture.detail}", "small", spaceBefore=1)]


@_block.register
def _(block: Table) -> list[Any]:
    whole = sum(block.shares)
    rows = [
        [_text(cell, "bold" if k < block.bold else "cell") for k, cell in enumerate(row)]
        for row in block.rows
    ]
    look: list[tuple[Any, ...]] = [("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE)]
    titled = any(block.heading)
    if titled:
        rows.insert(0, [_text(title, "head") for title in block.heading])
        look.append(("LINEBELOW", (0, 0), (-1, 0), 0.8, PALE))
    widths = [_width() * share / whole for share in block.shares]
    return [_grid(rows, widths, *look, repeatRows=int(titled))]
