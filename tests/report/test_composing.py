"""What a report says, and in which order."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fetometry.growth import velocities
from fetometry.report import composing
from fetometry.report.composing import MEASURED, compose
from fetometry.report.history import History
from fetometry.report.page import Facts, Heading, Pictures, Remarks, Table
from fetometry.report.styles import STYLES
from fetometry.types import Problem
from tests.report.examples import abdomen, exam, femur, full_exam, head, selected
from tests.report.growth_examples import all_grey, grown, grown_exam
from tests.report.looking import coloured
from tests.report.volume_examples import NOTICE, found


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Charts are not turned into pixels: they have tests of their own."""
    monkeypatch.setattr(composing, "as_png", lambda figure, dpi: b"")


def words(page):
    """All text of a page, a line each."""
    lines = [page.title, page.subtitle, page.notice]
    for block in page.blocks:
        match block:
            case Heading():
                lines.append(block.text)
            case Facts():
                lines += [f"{f.label} | {f.value} | {f.detail}" for f in block.items]
            case Remarks():
                lines += block.items
            case Table():
                lines += [" | ".join(row) for row in (block.heading, *block.rows)]
            case Pictures():
                lines += [f"{p.title} | {p.detail} | {p.words}" for p in block.items]
    return lines


def after(page, heading):
    """The blocks between a heading and the next."""
    blocks = list(page.blocks)
    start = next(k for k, b in enumerate(blocks) if isinstance(b, Heading) and b.text == heading)
    rest = blocks[start + 1 :]
    end = next((k for k, b in enumerate(rest) if isinstance(b, Heading)), len(rest))
    return rest[:end]


def report(shown=None, history=None):
    shown = shown or grown_exam()
    return compose(shown, all_grey(shown), history)


def rows(page, heading="Measurements"):
    (table,) = after(page, heading)
    return {row[0]: row for row in table.rows}


def test_the_parts_come_in_the_order_in_which_they_are_read():
    headings = [block.text for block in report().blocks if isinstance(block, Heading)]
    assert headings == [
        "Measurements", "Growth charts", "Ratios", "How to read the numbers",
        "Where it comes from",
    ]  # fmt: skip


def test_a_report_says_what_it_is_not_for_and_never_names_a_disease():
    for growth in (grown(), grown(196), grown(None)):
        page = report(grown_exam(growth))
        assert page.notice == "Research use only; not for diagnosis"
        said = " ".join(words(page)).lower()
        assert not any(word in said for word in ("restrict", "fgr", "sga", "microceph", "macros"))


def test_a_centile_stands_with_its_range_its_z_and_its_chart():
    growth = grown()
    row = rows(report(grown_exam(growth)))["EFW"]
    placed = growth.placements[-1]
    cells = dict(zip(MEASURED, row, strict=True))
    assert cells["centile (range)"].startswith(f"{placed.centile_text} (")
    assert " to " in cells["centile (range)"]
    assert cells["z"] == f"{placed.z:+.2f}"
    assert cells["chart"] == placed.title
    assert cells["convention"] == "hadlock1985_efw_hc_ac_fl"
    assert cells["taken from"] == "HC, AC, FL"


def test_a_value_stands_with_its_interval_convention_and_file():
    shown = exam(head(interval=(80.0, 90.0)), selected=selected(head(interval=(80.0, 90.0))))
    hc = rows(report(shown))["HC"]
    assert hc[1:3] == (f"{shown.selected[0].value:.1f} mm", "80.0 to 90.0")
    assert hc[3:6] == ("\N{EN DASH}",) * 3
    assert hc[6:] == ("ellipse", "010_HC.png")


def test_several_charts_of_one_value_have_a_row_each():
    growth = grown()
    other = replace(growth.placements[0], chart="house_hc", title="The house's own")
    page = report(grown_exam(replace(growth, placements=(*growth.placements, other))))
    (table,) = after(page, "Measurements")
    first = next(k for k, row in enumerate(table.rows) if row[0] == "HC")
    assert table.rows[first + 1][:3] == ("", "", "")
    assert table.rows[first + 1][5] == "The house's own"


def test_repeats_are_told_with_their_rule_count_range_and_spread():
    shown = exam(femur(), selected=selected(femur(), count=3, how="median"))
    fl = shown.selected[0]
    said = f"median of 3 ({fl.smallest:.1f} to {fl.largest:.1f}, SD {fl.sd:.1f}): femur.png"
    assert rows(report(shown))["FL"][-1] == said


def test_flags_are_heeded_in_words_and_marked_in_the_table():
    flagged = head(flags=("poor-fit",))
    page = report(exam(flagged, selected=selected(flagged)))
    (heeded,) = [b for b in page.blocks if isinstance(b, Remarks) and b.heeded]
    assert heeded.items == ("The outline deviates from an ellipse; check it against the picture.",)
    assert [row[0] for row in after(page, "Measurements")[0].rows][:1] == [
        "HC \N{BLACK UP-POINTING TRIANGLE}"
    ]


def test_a_small_value_is_below_a_centile_of_a_chart():
    page = report(grown_exam(grown(160)))
    assert any(
        line.startswith("AC is below the 10th centile of intergrowth21_ac") for line in words(page)
    )


def test_without_an_age_the_centile_of_the_weight_is_called_circular():
    facts = next(b for b in report(grown_exam(grown(None))).blocks if isinstance(b, Facts))
    said = {fact.label: fact for fact in facts.items}
    assert said["Weight on its chart"].value.endswith(" circular")
    assert "circular" not in said["Weight on its chart"].detail
    assert "estimated from HC, AC, FL" in said["Gestational age"].detail


def test_an_exam_without_growth_says_that_no_age_is_known():
    shown = grown_exam()
    facts = next(b for b in report(replace(shown, growth={})).blocks if isinstance(b, Facts))
    assert [(f.label, f.value) for f in facts.items] == [
        ("Gestational age", "not known"),
        ("Images", "3 measured"),
    ]


def test_a_weight_that_cannot_be_given_says_why():
    facts = next(
        b for b in report(grown_exam(grown(names=("HC", "FL")))).blocks if isinstance(b, Facts)
    )
    weight = next(f for f in facts.items if f.label == "Estimated fetal weight")
    assert (weight.value, weight.detail) == (
        "not known",
        "no formula of the house has all of its sizes",
    )


def test_the_callipers_are_on_the_pictures():
    pictures = next(b for b in report().blocks if isinstance(b, Pictures))
    assert [p.title for p in pictures.items] == ["Head 99 %", "Abdomen 99 %", "Femur 97 %"]
    drawn = [cv2.imdecode(np.frombuffer(p.png, np.uint8), cv2.IMREAD_COLOR) for p in pictures.items]
    assert {picture.shape for picture in drawn} == {(540, 720, 3)}
    for picture, name in zip(drawn, ("HC", "AC", "FL"), strict=True):
        assert np.count_nonzero(coloured(picture, STYLES[name].colour)) > 100
    assert pictures.items[0].words.startswith("head with callipers: HC ")


def test_a_picture_that_is_gone_is_said_to_be_and_its_values_stay():
    shown = grown_exam()
    page = compose(shown, {})
    assert "The picture of the femur is not shown: femur.png cannot be read" in words(page)
    assert "FL" in rows(page)


def test_twins_have_a_part_each():
    findings = (head(fetus="A"), abdomen(fetus="A"), head(fetus="B", source="b.png"))
    shown = exam(*findings, selected=selected(*findings))
    page = report(replace(shown, growth={"A": grown(), "B": grown(names=("HC",))}))
    fetuses = [b.text for b in page.blocks if isinstance(b, Heading) and b.level == 1]
    assert fetuses == ["Fetus A", "Fetus B"]
    pictures = [b for b in page.blocks if isinstance(b, Pictures)]
    assert [len(b.items) for b in pictures] == [2, 4, 1, 1]
    assert "Ratios of fetus A" in words(page)
    said = " ".join(words(page))
    assert "abdomen of fetus B (AC)" in said
    assert "abdomen of fetus A (AC)" not in said


def test_earlier_exams_have_their_scores_and_their_changes():
    before, now = grown(140), grown(154, 1.1)
    left = (("old.json", "it has no growth of this fetus, or no age"),)
    past = History((before,), ("first.json",), velocities((before, now)), left)
    page = report(grown_exam(now), {"": past})
    pictures, table, remarks = after(page, "Since earlier exams")
    assert pictures.columns == 1
    assert table.rows[0][:4] == ("HC", "20w0d", "22w0d", "+8.8 mm")
    assert remarks.items == ("old.json is left out: it has no growth of this fetus, or no age",)
    assert "earlier exam | first.json" in words(page)


def test_nothing_measured_is_said():
    page = compose(exam(problems=(Problem("a.png", None, "not an image"),)), {})
    assert "Nothing was measured in pictures." in words(page)
    assert "a.png | not an image" in words(page)


@pytest.mark.parametrize("name", ["model", "pixel size", "software"])
def test_where_it_comes_from_is_said(name):
    shown = full_exam()
    (table,) = after(report(shown), "Where it comes from")
    said = [row[1] for row in table.rows if row[0] == name]
    wanted = {
        "model": shown.findings[0].model.sha256,
        "pixel size": "0.1235 x 0.2 mm per pixel, by dicom-region-2 (two.dcm)",
        "software": "fetometry 9.8.7",
    }
    assert any(wanted[name] in text for text in said)


def test_every_chart_and_formula_has_its_source():
    (table,) = after(report(), "Where it comes from")
    charts = [row[1] for row in table.rows if row[0] == "chart"]
    assert any("Papageorghiou AT et al. Lancet 2014" in text for text in charts)
    assert [row[1] for row in table.rows if row[0] == "weight formula"] == [
        "hadlock1985_efw_hc_ac_fl: Hadlock FP et al. Am J Obstet Gynecol 1985;151:333-337"
    ]


def test_a_femur_in_a_volume_stands_by_itself_with_what_its_model_says_of_itself():
    page = compose(replace(exam(), volumes=(found(),)), {})
    table, said = after(page, "Femur in a volume (by itself: on no chart)")
    assert table.rows[0][1] == "36.0 mm"
    assert said.heeded
    assert NOTICE in said.items


def test_a_fetus_that_shrank_makes_one_ask_whose_the_earlier_exam_is():
    before, now = grown(140), grown(168, 0.9)
    past = History((before,), ("first.json",), velocities((before, now)))
    shown = words(compose(grown_exam(now), {}, {"": past}))
    assert any(
        "smaller than at an earlier exam" in line and line.startswith("HC") for line in shown
    )
    larger = grown(168, 1.3)
    past = History((before,), ("first.json",), velocities((before, larger)))
    assert not any(
        "smaller than" in line for line in words(compose(grown_exam(larger), {}, {"": past}))
    )
