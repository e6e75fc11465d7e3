from dataclasses import replace

import cv2
import numpy as np
import pytest

from fetometry.errors import OutputError
from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.report import FLAG_TEXT, draw_exam, exam_findings, write_exam_picture
from fetometry.report.exam_picture import GAP_PX, LEAST_WIDTH_PX, PANEL_PX
from fetometry.report.styles import BACKGROUND, STYLES
from fetometry.types import Problem
from tests.report.examples import abdomen, exam, femur, head, selected
from tests.report.looking import centers, coloured

GREY = np.full((540, 800), 90, np.uint8)
#: How much of its size a picture of 540 x 800 keeps, and the width of its panel.
SCALE = PANEL_PX / 540
PANEL_WIDTH_PX = round(800 * SCALE)


def three(**changes):
    findings = (head(), abdomen(), femur())
    return exam(*findings, **{"selected": selected(*findings, count=3), **changes})


def all_grey(shown):
    return {(finding.source, finding.frame): GREY for finding in shown.findings}


def panels(picture):
    """The columns and the rows of the panels: where the grey of the pictures lies."""
    grey = np.all(picture == 90, axis=-1)
    rows = np.flatnonzero(grey.sum(axis=1) > 100)
    cols = np.flatnonzero(grey[rows[0] : rows[-1] + 1].sum(axis=0) > 100)
    return rows, np.split(cols, np.flatnonzero(np.diff(cols) > 3) + 1)


def test_three_planes_stand_side_by_side_at_equal_height_in_their_order():
    shown = exam(femur(), head(), abdomen(), selected=selected(femur(), abdomen(), head()))
    picture = draw_exam(shown, all_grey(shown))
    rows, parts = panels(picture)
    assert rows[-1] - rows[0] + 1 == PANEL_PX
    assert [len(cols) for cols in parts] == [PANEL_WIDTH_PX] * 3
    assert picture.shape[1] == 3 * PANEL_WIDTH_PX + 2 * GAP_PX
    strips = [picture[rows[0] : rows[-1], cols[0] : cols[-1]] for cols in parts]
    ring = [np.count_nonzero(coloured(strip, STYLES["HC"].colour)) for strip in strips]
    dashes = [np.count_nonzero(coloured(strip, STYLES["BPD"].colour)) for strip in strips]
    assert min(ring[:2]) > 3 * ring[2] > 0
    assert min(dashes[:2]) > 50
    assert dashes[2] == 0


def test_the_ellipse_lies_where_it_was_measured():
    shown = exam(head(), selected=selected(head()))
    picture = draw_exam(shown, all_grey(shown))
    rows, (cols,) = panels(picture)
    panel = picture[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    found = fit_ellipse(centers(coloured(panel, STYLES["HC"].colour), SCALE)).ellipse
    assert found.center == pytest.approx(head().ellipse.center, abs=0.5)
    assert found.semi_axes == pytest.approx(head().ellipse.semi_axes, abs=0.5)


def test_a_plane_that_is_missing_is_left_out_and_the_rest_stands_in_the_middle():
    shown = exam(head(), femur(), selected=selected(head(), femur()))
    _, parts = panels(draw_exam(shown, all_grey(shown)))
    assert [len(cols) for cols in parts] == [PANEL_WIDTH_PX] * 2
    shown = exam(femur(), selected=selected(femur()))
    picture = draw_exam(shown, all_grey(shown))
    _, (cols,) = panels(picture)
    assert picture.shape[1] == LEAST_WIDTH_PX
    assert (cols[0] + cols[-1] + 1) / 2 == pytest.approx(LEAST_WIDTH_PX / 2, abs=1)


def test_values_without_a_picture_are_in_the_table_all_the_same(written):
    picture = draw_exam(three(), {})
    assert not np.any(np.all(picture == 90, axis=-1))
    said = [text for text, _, _ in written]
    for measurement in (m for finding in three().findings for m in finding.measurements):
        assert measurement.name in said
        assert f"{measurement.value:.1f} mm" in said


def test_an_exam_without_values_says_so(written):
    problem = Problem("thorax.png", 1, "no plane that is measured", "other-plane")
    picture = draw_exam(exam(problems=(problem,)), {})
    said = [text for text, _, _ in written]
    assert "Nothing was measured." in said
    assert any("1 image of other planes" in text for text in said)
    assert coloured(picture, BACKGROUND, 2).mean() > 0.8


def test_pictures_of_any_shape_get_a_panel_of_the_same_height():
    shapes = {"head": (40, 900), "abdomen": (900, 40), "femur": (1, 1)}
    shown = three()
    pictures = {(f.source, f.frame): np.full(shapes[f.plane], 90, np.uint8) for f in shown.findings}
    picture = draw_exam(shown, pictures)
    assert picture.shape == draw_exam(three(), pictures).shape
    assert picture.shape[0] > PANEL_PX


def test_the_table_says_value_interval_repeats_and_flags(written):
    finding = femur(flags=("bent",))
    (entry,) = selected(finding, count=4, low=30.04, high=45.06)
    draw_exam(exam(finding, selected=(entry,), name="ward 3"), {})
    said = [text for text, _, _ in written]
    value = finding.measurements[0].value
    for words in (
        *("Exam ward 3", "FL", f"{value:.1f} mm", "30.0 to 45.1", "best of 4", "1.2"),
        *(f"{0.98 * value:.1f} to {1.01 * value:.1f}", "bent", FLAG_TEXT["bent"]),
        "RESEARCH USE ONLY",
    ):
        assert words in said


def test_one_image_alone_has_no_spread(written):
    draw_exam(exam(femur(), selected=selected(femur())), {})
    said = [text for text, _, _ in written]
    assert "one image" in said
    assert not [text for text in said if " of 1" in text]
    assert len([text for text in said if " to " in text]) == 1  # the title of the column


def test_the_footer_counts_what_was_measured_and_what_was_not(written):
    problems = (
        *(Problem(f"{n}.png", 1, "no plane", "other-plane") for n in range(3)),
        Problem("broken.png", None, "not an image"),
        Problem("broken.png", 1, "not an image"),  # the same image
    )
    shown = three(problems=problems)
    draw_exam(shown, {})
    said = "\n".join(text for text, _, _ in written)
    for words in (
        *("3 images measured", "3 images of other planes", "1 image with a problem"),
        *("spacing: csv", "model head-test", "fetometry 9.8.7"),
    ):
        assert words in said


def test_a_caption_says_the_plane_its_probability_and_the_image(written):
    finding = replace(abdomen(source="scans/cine.dcm"), frame=12)
    shown = exam(finding, selected=selected(finding))
    draw_exam(shown, all_grey(shown))
    said = [text for text, _, _ in written]
    assert "abdomen 99 %" in said
    assert "cine.dcm  frame 12" in said


def test_twins_have_their_own_panels_and_tables(written):
    twins = (head(fetus="A"), femur(fetus="A"), femur(source="b.png", fetus="B"))
    shown = exam(*twins, selected=selected(*twins))
    picture = draw_exam(shown, all_grey(shown))
    grey = np.all(picture == 90, axis=-1).sum(axis=1) > 100
    assert np.count_nonzero(np.diff(grey.astype(int)) == 1) == 2  # two rows of panels
    said = [text for text, _, limit in written if limit == picture.shape[1]]  # not on the panels
    assert [text for text in said if text in STYLES] == ["HC", "BPD", "OFD", "FL", "FL"]
    assert [text for text in said if text.startswith("fetus")] == ["fetus A", "fetus B"]


@pytest.mark.parametrize("count", [1, 3])
def test_no_text_leaves_the_picture_of_an_exam(written, count):
    many = tuple(FLAG_TEXT)
    findings = (head(flags=many, source="a" * 200), abdomen(flags=many), femur(flags=many))[:count]
    entries = selected(*findings, count=999, how="median", low=1234.5, high=2345.6)
    shown = exam(*findings, selected=entries, name="n" * 300)
    draw_exam(shown, all_grey(shown))
    assert len(written) > 20
    assert [text for text, end, limit in written if end > limit] == []


def test_the_findings_that_are_shown_are_those_that_the_values_came_from():
    ours = [head(source=f"{n}.png") for n in range(3)]
    shown = exam(*ours, femur(), selected=selected(ours[1], femur(), count=3))
    assert [finding.source for finding in exam_findings(shown)] == ["1.png", "femur.png"]


def test_of_a_mean_the_image_of_best_quality_is_shown():
    ours = [abdomen(source=f"{q}.png", quality=q) for q in (0.3, 0.9, 0.5)]
    shown = exam(*ours, selected=selected(ours[0], count=3, how="mean"))
    assert [finding.source for finding in exam_findings(shown)] == ["0.9.png"]


def test_the_frame_of_a_cine_and_the_twin_decide_which_finding_is_shown():
    frames = [replace(femur(), frame=n) for n in (1, 2, 3)]
    assert exam_findings(exam(*frames, selected=selected(frames[1])))[0].frame == 2
    twins = (femur(fetus="A"), femur(fetus="B"))
    assert [f.fetus for f in exam_findings(exam(*twins, selected=selected(*twins)))] == ["A", "B"]


def test_an_exam_without_selected_values_shows_nothing():
    assert exam_findings(exam(head())) == ()


def test_a_written_picture_is_the_drawn_one(tmp_path):
    shown = three()
    path = tmp_path / "exams" / "a.png"
    assert write_exam_picture(shown, all_grey(shown), path) == path
    assert np.array_equal(cv2.imread(str(path)), draw_exam(shown, all_grey(shown)))


def test_a_picture_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "exams").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_exam_picture(three(), {}, tmp_path / "exams" / "a.png")


def test_drawing_an_exam_leaves_the_pixels_alone():
    pixels, shown = GREY.copy(), three()
    draw_exam(shown, dict.fromkeys(all_grey(shown), pixels))
    assert np.array_equal(pixels, GREY)


def test_a_circle_stays_round_in_its_panel():
    round_one = head(Ellipse((270.0, 400.0), (200.0, 200.0), 0.0))
    shown = exam(round_one, selected=selected(round_one))
    drawn = coloured(draw_exam(shown, all_grey(shown))[:PANEL_PX], STYLES["HC"].colour)
    spots = np.argwhere(drawn)
    assert np.ptp(spots[:, 0]) == pytest.approx(np.ptp(spots[:, 1]), abs=2)
