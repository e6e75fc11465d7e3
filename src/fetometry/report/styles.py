"""How everything that report draws looks: one style for each measurement, one set of greys."""

from __future__ import annotations

from fetometry.report.draw import Colour, Font, Style

NOTICE = "RESEARCH USE ONLY"

SKY: Colour = (255, 214, 92)
PINK: Colour = (203, 143, 255)
LIME: Colour = (120, 236, 158)

#: Within a plane no two look alike: sky blue, pink and lime stay apart for colour-blind eyes, and
#: the dashes do so without colour. Dots let the bone under the femur's line be seen.
STYLES = {
    "HC": Style(SKY),
    "BPD": Style(PINK, (9.0, 5.0)),
    "OFD": Style(LIME, (2.5, 4.5)),
    "AC": Style(SKY),
    "TAD": Style(PINK, (9.0, 5.0)),
    "APAD": Style(LIME, (2.5, 4.5)),
    "FL": Style(SKY, (2.0, 10.0)),
}
PLAIN = Style((235, 235, 235))

BACKGROUND: Colour = (32, 26, 22)
RULE: Colour = (74, 64, 56)
WHITE: Colour = (250, 248, 246)
GREY: Colour = (188, 178, 168)
AMBER: Colour = (40, 184, 255)

VALUE = Font(0.8, WHITE, bold=True)
NAME = Font(0.5, WHITE, bold=True)
DETAIL = Font(0.42, GREY)
FLAG = Font(0.45, AMBER)
SIGN = Font(0.44, BACKGROUND, bold=True)
SMALL_BOLD = Font(0.42, WHITE, bold=True)
TITLE = Font(0.6, WHITE, bold=True)
CELL = Font(0.45, WHITE)
CELL_VALUE = Font(0.5, WHITE, bold=True)

#: Sizes in pixels at `unit` 1: the border of a strip, the distance of its lines, a line's sample.
PAD, LINE, SWATCH = 14, 20, 37


def style_of(name: str) -> Style:
    """Return the style of a measurement, or a plain one for a name that has none."""
    return STYLES.get(name, PLAIN)
