"""What a report says of a person's changes, ticks and signature."""

from dataclasses import replace

import pytest

from fetometry.report import reviewed
from fetometry.report.composing import compose
from fetometry.report.page import Facts, Heading, Table
from fetometry.report.page_html import page_html
from fetometry.report.page_pdf import page_pdf
from fetometry.report.reviewed import UNSEEN, review_blocks, signature
from fetometry.review import CRITERIA, Review
from fetometry.types import Problem
from tests.pipeline.review_examples import edit, numbered
from tests.report.examples import exam, femur, head, selected

BEFORE = {"center_px": [200, 300], "semi_axes_px": [100, 100], "angle_deg": 0}
SIGNED = "2026-05-21T10:05:00Z"


def looked_at(*edits, signed=SIGNED, **more):
    shown = [head(source="a/h.png", flags=("edited",)), femur(source="a/f.png")]
    review = Review("Dr A" if signed else "", signed, tuple(numbered(*edits)))
    return replace(exam(*shown, selected=selected(*shown), **more), review=review)


def changes(shown):
    blocks = review_blocks(shown)
    return [
        row for b in blocks if isinstance(b, Table) and b.heading[0] == "changed" for row in b.rows
    ]


def test_an_exam_that_nobody_looked_at_says_so_at_its_end():
    page = compose(exam(femur(), selected=selected(femur())), {})
    assert ("review", UNSEEN) in page.blocks[-1].rows
    assert not any(isinstance(b, Heading) and b.text == "Review" for b in page.blocks)


def test_a_signature_names_who_and_when_in_utc():
    assert signature(looked_at()) == "Reviewed and signed by Dr A, 2026-05-21 10:05:00 UTC"
    assert signature(looked_at(signed="")) == "not signed; 0 changes by a person"


def test_who_signed_is_among_what_is_read_first():
    facts = next(b for b in compose(looked_at(), {}).blocks if isinstance(b, Facts))
    assert [(f.value, f.detail) for f in facts.items if f.label == "Review"] == [
        ("signed", "by Dr A, 2026-05-21 10:05:00 UTC")
    ]


def test_an_ellipse_is_told_by_the_circumference_before_and_after():
    middle = {**BEFORE, "semi_axes_px": [120, 110]}
    after = {**BEFORE, "semi_axes_px": [110, 110]}
    shown = looked_at(
        edit("ellipse", middle, source="a/h.png", before=BEFORE),
        edit("ellipse", after, source="a/h.png", before=middle, reviewer="Dr B"),
    )
    # 2 pi r at 0.1 mm per pixel, of the first and of the last
    assert changes(shown) == [("HC", "h.png", "62.8 mm", "69.1 mm", "Dr A, Dr B")]


def test_a_line_is_told_by_its_length_and_of_nothing_before_there_is_a_dash():
    ends = {"FL": [[300, 200], [300, 560]]}
    shown = looked_at(edit("points", ends, source="a/f.png"))
    assert changes(shown) == [("FL", "f.png", reviewed.NOTHING, "36.0 mm", "Dr A")]


def test_what_was_undone_or_reset_is_no_change():
    shown = looked_at(
        edit("ellipse", BEFORE, source="a/h.png", before=BEFORE),
        edit("reset", {}, source="a/h.png"),
        edit("fetus", {"fetus": "A"}, source="a/f.png", undone=True),
    )
    assert changes(shown) == []


@pytest.mark.parametrize(
    ("action", "before", "after", "row"),
    [
        ("plane", {"plane": "head"}, {"plane": "none"}, ("plane", "head", "none")),
        ("fetus", {"fetus": ""}, {"fetus": "B"}, ("fetus", "a single one", "B")),
        (
            "reject",
            {"rejected": False},
            {"rejected": True, "reason": "shadow"},
            ("image", "counts", "rejected: shadow"),
        ),
        (
            "spacing",
            {},
            {"mm_per_px": [0.1, 0.12]},
            ("pixel size", reviewed.NOTHING, "0.1 x 0.12 mm per pixel"),
        ),
        ("choose", {}, {"plane": "head"}, ("image", reviewed.NOTHING, "this one counts")),
    ],
)
def test_a_change_is_told_from_what_to_what(action, before, after, row):
    (told,) = changes(looked_at(edit(action, after, source="a/h.png", before=before)))
    assert (told[0], told[2], told[3]) == row


def test_dates_are_said_to_be_given_and_not_which():
    said = {"ga": "23w4d", "lmp": "2026-01-01", "exam_date": "2026-05-21"}
    shown = looked_at(edit("dates", said, frame=None))
    assert changes(shown)[0][3] == "23w4d, LMP given, date of the exam given"
    assert "2026-01-01" not in page_html(compose(shown, {}))


def test_criteria_are_listed_as_ticked_and_not_ticked():
    shown = looked_at(edit("criteria", {"both-ends": True, "angle": False}, source="a/f.png"))
    table = review_blocks(shown)[-1]
    words = dict(CRITERIA["femur"])
    ((plane, image, yes, no),) = table.rows
    assert (plane, image, yes) == ("femur", "f.png", words["both-ends"])
    assert words["angle"] in no


def test_a_corrected_value_is_marked_and_not_doubted():
    page = compose(looked_at(), {})
    table = next(b for b in page.blocks if isinstance(b, Table) and "value" in b.heading)
    assert [row[0] for row in table.rows[:3]] == ["HC", "BPD", "OFD"]
    assert {row[2] for row in table.rows[:3]} == {"corrected by hand"}
    assert "A person placed it" not in page_html(page)


def test_rejected_images_are_counted():
    gone = Problem("a/x.png", 1, "a reviewer rejected it: shadow", "rejected")
    page = compose(looked_at(problems=(gone,)), {})
    facts = next(b for b in page.blocks if isinstance(b, Facts))
    assert "1 rejected by a reviewer" in {f.label: f.detail for f in facts.items}["Images"]


def test_a_name_with_markup_is_only_a_name():
    sly = Review("<script>alert(1)</script>", SIGNED, ())
    page = compose(replace(looked_at(), review=sly), {})
    assert "<script>" not in page_html(page)
    assert page_pdf(page).startswith(b"%PDF")
