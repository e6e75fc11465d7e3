"""A report as one HTML file: no script, no link, nothing fetched; pictures are inside it."""

from __future__ import annotations

import base64
from functools import singledispatch
from html import escape

from fetometry.report.page import Fact, Facts, Heading, Page, Picture, Pictures, Remarks, Table

#: Nothing but what is inside the file may be loaded, whatever its text says.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 28px; max-width: 1120px; background: #fff; color: #1b1f24;
  font: 14px/1.4 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: baseline;
  justify-content: space-between; border-bottom: 3px solid #1b1f24; padding-bottom: 8px; }
h1 { font-size: 24px; margin: 0; }
header p { margin: 2px 0 0; color: #4a525c; }
.notice { border: 2px solid #1b1f24; padding: 3px 10px; font-weight: 700; }
h2 { font-size: 20px; margin: 30px 0 0; border-bottom: 2px solid #1b1f24; }
h3 { font-size: 15px; margin: 22px 0 6px; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr));
  gap: 0; margin: 14px 0; padding: 0; }
.facts div { border-left: 3px solid #c3cad2; padding: 2px 14px; }
.facts dt { color: #4a525c; font-size: 12px; }
.facts dd { margin: 0; font-size: 21px; font-weight: 700; }
.facts dd + dd { font-size: 12px; font-weight: 400; color: #3a424b; }
ul { margin: 8px 0; padding: 0 0 0 20px; font-size: 13px; }
ul.heeded { list-style: none; padding: 8px 12px; border: 1px solid #8a5300;
  border-left: 6px solid #8a5300; background: #fff8ea; font-size: 14px; }
ul.heeded li::before { content: "\\25B2"; color: #8a5300; padding-right: 8px; }
.pictures { display: grid; gap: 10px; margin: 12px 0; }
.pictures.of3 { grid-template-columns: repeat(3, 1fr); }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: 12px; color: #3a424b; padding-top: 3px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; table-layout: fixed;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 4px 8px 4px 0;
  border-bottom: 1px solid #d5dae0; }
thead th { font-size: 12px; color: #4a525c; font-weight: 400; border-bottom: 1.5px solid #4a525c; }
tbody th, td.bold { font-weight: 700; }
tr { break-inside: avoid; }
h2, h3 { break-after: avoid; }
footer { margin-top: 26px; border-top: 3px solid #1b1f24; padding-top: 8px; font-weight: 700; }
@media (max-width: 760px) { .pictures.of3 { grid-template-columns: 1fr; }
  table { table-layout: auto; font-size: 12px; } }
@page { size: A4; margin: 12mm; }
@media print { body { padding: 0; max-width: none; font-size: 11px; } table { font-size: 10px; } }
"""


def page_html(page: Page) -> str:
    """Return a report as a document of HTML, whole in itself."""
    blocks = "\n".join(_block(block) for block in page.blocks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(page.title)} - {escape(page.subtitle)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><div><h1>{escape(page.title)}</h1><p>{escape(page.subtitle)}</p></div>
<div class="notice">{escape(page.notice)}</div></header>
<main>
{blocks}
</main>
<footer>{escape(page.notice)}</footer>
</body>
</html>
"""


@singledispatch
def _block(block: object) -> str:
    raise NotImplementedError(f"a report has no block {type(block).__name__}")


@_block.register
def _(block: Heading) -> str:
    tag = f"h{block.level + 1}"
    return f"<{tag}>{escape(block.text)}</{tag}>"


@_block.register
def _(block: Facts) -> str:
    return f'<dl class="facts">{"".join(map(_fact, block.items))}</dl>'


def _fact(fact: Fact) -> str:
    detail = f"<dd>{escape(fact.detail)}</dd>" if fact.detail else ""
    return f"<div><dt>{escape(fact.label)}</dt><dd>{escape(fact.value)}</dd>{detail}</div>"


@_block.register
def _(block: Remarks) -> str:
    kind = ' class="heeded"' if block.heeded else ""
    return f"<ul{kind}>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>"


@_block.register
def _(block: Pictures) -> str:
    pictures = "\n".join(map(_picture, block.items))
    return f'<div class="pictures of{block.columns}">\n{pictures}\n</div>'


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    rows, cols = picture.size
    caption = f"<strong>{escape(picture.title)}</strong> {escape(picture.detail)}".strip()
    below = f"<figcaption>{caption}</figcaption>" if picture.title else ""
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{cols}" height="{rows}" '
        f'alt="{escape(picture.words)}">{below}</figure>'
    )


@_block.register
def _(block: Table) -> str:
    whole = sum(block.shares)
    widths = "".join(f'<col style="width:{100 * share / whole:.1f}%">' for share in block.shares)
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in block.heading)
    head = f"<thead><tr>{titles}</tr></thead>" if any(block.heading) else ""
    rows = "\n".join(_row(row, block.bold) for row in block.rows)
    return f"<table><colgroup>{widths}</colgroup>{head}<tbody>\n{rows}\n</tbody></table>"


def _row(row: tuple[str, ...], bold: int) -> str:
    name = f'<th scope="row">{escape(row[0])}</th>'
    cells = (
        f'<td class="bold">{escape(cell)}</td>' if k < bold else f"<td>{escape(cell)}</td>"
        for k, cell in enumerate(row[1:], start=1)
    )
    return f"<tr>{name}{''.join(cells)}</tr>"
