from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fetometry.errors import OutputError
from fetometry.geometry import Ellipse, fit_ellipse
from fetometry.report import FLAG_TEXT, draw_overlay, marks, write_overlay
from fetometry.report.draw import Font, Style, ascii_text, dashed
from fetometry.report.flags import warning_sentences
from fetometry.report.marks import SHAFT_LEGEND
from fetometry.report.panel import draw_panel
from fetometry.report.styles import BACKGROUND, STYLES
from tests.report.examples import HEAD, abdomen, femur, head, shaft
from tests.report.looking import centers, coloured
from tests.support import data_dir, needs_data

GREY = np.full((540, 800), 90, np.uint8)


@pytest.mark.parametrize(
    ("shape", "factor"),
    [((540, 800), 1), ((270, 400), 2), ((60, 100), 8), ((4320, 6399), 1 / 3)],
)
def test_the_ellipse_lies_where_it_was_fitted_at_every_scale(shape, factor):
    scale = shape[0] / 540
    ellipse = HEAD.transformed(np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]]))
    picture = draw_overlay(head(ellipse), np.full(shape, 90, np.uint8))
    drawn = coloured(picture[: round(shape[0] * factor)], STYLES["HC"].colour)
    found = fit_ellipse(centers(drawn, factor)).ellipse
    assert found.center == pytest.approx(ellipse.center, abs=0.1 / factor)
    assert found.semi_axes == pytest.approx(ellipse.semi_axes, abs=0.25 / factor)


@pytest.mark.parametrize("name", ["BPD", "OFD"])
def test_each_diameter_ends_on_its_points_with_a_tick_across(name):
    finding = head(Ellipse((270.0, 400.0), (200.0, 150.0), 0.0))
    picture = draw_overlay(finding, GREY)[:540]
    spots = np.argwhere(coloured(picture, STYLES[name].colour, 60)).astype(float)
    for key in (f"{name}_1", f"{name}_2"):
        end = np.array(finding.points_px[key])
        line = 0 if name == "BPD" else 1  # BPD runs along the rows here, OFD along the columns
        near = spots[np.abs(spots[:, line] - end[line]) <= 1.5]
        across = near[np.abs(near[:, 1 - line] - end[1 - line]) <= 12][:, 1 - line]
        assert np.ptp(across) >= 12
        assert np.mean(across) == pytest.approx(end[1 - line], abs=1)


def test_an_abdomen_has_its_ellipse_and_both_diameters_each_in_its_own_colour():
    finding = abdomen()
    picture = draw_overlay(finding, GREY)[:540]
    ring = fit_ellipse(centers(coloured(picture, STYLES["AC"].colour))).ellipse
    assert ring.center == pytest.approx(finding.ellipse.center, abs=0.1)
    assert ring.semi_axes == pytest.approx(finding.ellipse.semi_axes, abs=0.25)
    for name in ("TAD", "APAD"):
        spots = np.argwhere(coloured(picture, STYLES[name].colour, 60))
        for key in (f"{name}_1", f"{name}_2"):
            gaps = np.linalg.norm(spots - np.array(finding.points_px[key]), axis=1)
            assert gaps.min() < 1.5


@pytest.mark.parametrize("factor", [1, 2])
def test_the_line_of_a_femur_runs_from_end_to_end_with_a_tick_across_each(factor):
    ends = ((240.0 / factor, 200.0 / factor), (240.0 / factor, 560.0 / factor))
    pixels = np.full((540 // factor, 800 // factor), 90, np.uint8)
    drawn = coloured(draw_overlay(femur(ends), pixels)[:540], STYLES["FL"].colour, 60)
    found = centers(drawn, factor)
    on_line = found[np.abs(found[:, 0] - ends[0][0]) < 1]
    assert on_line[:, 1].min() == pytest.approx(ends[0][1], abs=1.5)
    assert on_line[:, 1].max() == pytest.approx(ends[1][1], abs=1.5)
    for _, col in ends:
        tick = found[np.abs(found[:, 1] - col) < 1.5][:, 0]
        assert factor * np.ptp(tick) == pytest.approx(14, abs=2)
        assert np.mean(tick) == pytest.approx(ends[0][0], abs=0.5)


def test_between_the_dots_on_a_femur_the_bone_is_seen():
    ends = ((240.0, 200.0), (240.0, 560.0))
    pixels = np.full((540, 800), 230, np.uint8)
    picture = draw_overlay(femur(ends), pixels)
    untouched = np.all(picture[:540] == 230, axis=-1)
    assert 0.4 < np.mean(untouched[240, 212:549]) < 0.6
    assert np.all(untouched[[237, 243], 212:549])


def test_the_outline_of_a_shaft_is_a_faint_line_where_it_was_seen():
    ends = ((240.0, 200.0), (240.0, 560.0))
    picture = draw_overlay(femur(ends), GREY)[:540].astype(int)
    for row in (232, 248):  # eight pixels above and below the line
        side = picture[row - 1 : row + 2, 250:300].max(axis=(0, 2))
        assert np.all((side > 120) & (side < 240))
    assert np.all(picture[236, 250:300] == 90)


def test_the_two_sides_of_an_outline_that_the_edge_cuts_are_not_joined():
    points = shaft(((240.0, -60.0), (240.0, 300.0)))
    seen = points[points[:, 1] >= 0]  # the last two of them are 16 px apart, on the edge
    # across the cut the outline would run down the first columns
    cut, whole = (
        draw_overlay(femur(((240.0, left), (240.0, 300.0)), outline_px=outline), GREY)
        for left, outline in ((30.0, seen), (30.0, np.add(seen, (0, 4))))
    )
    assert np.all(cut[235:246, :5] == 90)
    assert np.all(np.any(whole[235:246, :8] != 90, axis=(1, 2)))


def label_of(monkeypatch, finding, pixels):
    """Where the labels are: what differs in the picture when they are not drawn."""
    with_labels = draw_overlay(finding, pixels)
    monkeypatch.setattr(marks, "put_label", lambda *_: None)
    without = draw_overlay(finding, pixels)
    monkeypatch.undo()
    return np.any(with_labels != without, axis=-1)


@pytest.mark.parametrize(
    "ends",
    [
        ((240.0, 200.0), (240.0, 560.0)),
        ((60.0, 400.0), (500.0, 400.0)),
        ((500.0, 100.0), (120.0, 700.0)),
        ((20.0, 20.0), (30.0, 300.0)),  # along the top edge
        ((520.0, 780.0), (200.0, 790.0)),  # in the lower right corner
        ((270.0, 4.0), (260.0, 796.0)),  # from side to side
        ((300.0, 400.0), (300.0, 430.0)),  # hardly longer than its name
    ],
)
def test_the_label_of_a_femur_hides_neither_its_ends_nor_its_shaft(monkeypatch, ends):
    finding = femur(ends)
    spots = np.argwhere(label_of(monkeypatch, finding, GREY))
    assert len(spots) > 100
    first, last = np.array(ends)
    along = (last - first) / np.linalg.norm(last - first)
    position = (spots - first) @ along
    across = np.abs((spots - first) @ (along[::-1] * (1, -1)))
    beside = (position > -20) & (position < np.linalg.norm(last - first) + 20)
    assert across[beside].min() > 8 + 4  # half the shaft's thickness, and some room
    for end in ends:
        assert np.linalg.norm(spots - np.array(end), axis=1).min() > 12
    assert np.linalg.norm(spots - spots.mean(axis=0), axis=1).max() < 30  # one label, whole


@pytest.mark.parametrize(
    "ellipse",
    [
        Ellipse((270.0, 400.0), (260.0, 255.0), 90.0),
        Ellipse((270.0, 400.0), (398.0, 268.0), 0.0),  # fills the picture
        Ellipse((200.0, 300.0), (150.0, 120.0), 40.0),
        Ellipse((40.0, 60.0), (30.0, 25.0), 20.0),
    ],
)
def test_no_label_of_an_abdomen_hides_an_end_of_a_diameter(monkeypatch, ellipse):
    finding = abdomen(ellipse)
    spots = np.argwhere(label_of(monkeypatch, finding, GREY))
    assert len(spots) > 200
    for end in finding.points_px.values():
        assert np.linalg.norm(spots - np.array(end), axis=1).min() > 4


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_outline_stands_out_on_black_grey_and_white(level):
    picture = draw_overlay(head(), np.full((540, 800), level, np.uint8))
    on = coloured(picture[:540], STYLES["HC"].colour)
    grey = cv2.cvtColor(picture[:540], cv2.COLOR_BGR2GRAY).astype(int)
    around = cv2.dilate(on.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert np.count_nonzero(on) > 700
    assert np.ptp(grey[around]) > 90


def test_the_lines_can_be_told_apart_without_colour():
    for finding in (head(), abdomen(), femur()):
        styles = [STYLES[m.name] for m in finding.measurements]
        assert len({style.dash for style in styles}) == len(styles)
        assert len({style.colour for style in styles}) == len(styles)
    ends = np.array([[0.0, 0.0], [0.0, 300.0]])
    share = {
        name: np.sum(np.linalg.norm(np.diff(dashed(ends, style, 1.0), axis=1), axis=-1)) / 300
        for name, style in STYLES.items()
    }
    assert share["HC"] == 1
    assert share["OFD"] + 0.2 < share["BPD"] < 0.8


def test_dashes_begin_whole_at_both_ends():
    pieces = dashed(np.array([[0.0, 0.0], [0.0, 100.0]]), Style((0, 0, 0), (9.0, 5.0)), 1.0)
    lengths = {float(piece[0, 1]): abs(float(piece[1, 1] - piece[0, 1])) for piece in pieces}
    assert lengths[0.0] == lengths[100.0] == 9.0


def test_a_finding_without_lines_is_shown_without_lines():
    bare = replace(femur(), points_px={}, outline_px=np.empty((0, 2)), measurements=())
    assert np.all(draw_overlay(bare, GREY)[:540] == 90)


def test_the_strip_is_below_and_the_rest_of_the_picture_is_untouched():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (540, 800), np.uint8)
    picture = draw_overlay(head(flags=("poor-fit", "cut-by-edge")), pixels)
    assert picture.shape[0] > 600
    assert picture.shape[1:] == (800, 3)
    level = HEAD.level(np.stack(np.mgrid[:540, :800], axis=-1))
    spans = np.abs(level - 1) * HEAD.semi_axes[1] > 50  # labels lie within 50 px of the outline
    axes = np.abs((np.stack(np.mgrid[:540, :800], axis=-1) - HEAD.center) @ HEAD.directions.T)
    away = spans & (np.min(axes, axis=-1) > 12)
    assert np.mean(away) > 0.4
    assert np.array_equal(picture[:540][away], np.repeat(pixels[away][:, None], 3, axis=1))


def test_a_head_beyond_the_edge_does_not_run_into_the_strip():
    inside, outside = (
        draw_overlay(head(Ellipse((row, 400.0), (200.0, 150.0), 80.0)), GREY)[540:]
        for row in (270.0, 480.0)
    )
    tinted = [np.count_nonzero(coloured(strip, STYLES["HC"].colour)) for strip in (inside, outside)]
    assert tinted[0] == tinted[1]  # the sample of the line beside "HC", nothing else


def test_white_marks_show_only_an_outline_that_strays():
    points = HEAD.points(300)
    points[:40] += 0.15 * (points[:40] - HEAD.center)
    plain = draw_overlay(head(), GREY)
    strayed = draw_overlay(head(outline_px=points), GREY)
    for row, col in points[5:35:10]:
        at = slice(round(row) - 1, round(row) + 2), slice(round(col) - 1, round(col) + 2)
        assert strayed[at].min(axis=2).max() > 150
        assert plain[at].min(axis=2).max() == 90


def test_small_narrow_and_single_pixel_pictures_get_a_readable_strip():
    for shape in ((64, 64), (1, 1), (900, 40), (5, 3000)):
        picture = draw_overlay(
            head(Ellipse((2.0, 2.0), (2.0, 1.0), 0.0)), np.zeros(shape, np.uint8)
        )
        assert picture.shape[1] >= 480
        strip = picture[-100:]
        assert np.count_nonzero(np.all(strip > 200, axis=-1)) > 100
        assert coloured(strip, BACKGROUND, 2).mean() > 0.5


def test_flags_are_said_in_words_and_unknown_ones_by_name():
    assert warning_sentences(head(flags=("cut-by-edge", "new-flag")).measurements) == [
        FLAG_TEXT["cut-by-edge"],
        "new-flag",
    ]


def test_what_is_in_pixels_is_said_before_the_flags():
    unknown = "The spacing is unknown: these are pixels of the image."
    assert warning_sentences(head(mm=None, flags=("poor-fit",)).measurements) == [
        unknown, FLAG_TEXT["poor-fit"],
    ]  # fmt: skip
    mixed = (*head(mm=None).measurements, *femur().measurements)
    assert warning_sentences(mixed) == [f"HC, BPD, OFD: {unknown}"]


def test_a_flag_of_one_measurement_names_it():
    hc, bpd, ofd = head().measurements
    flagged = (hc, replace(bpd, flags=("poor-fit",)), replace(ofd, flags=("poor-fit",)))
    assert warning_sentences(flagged) == [f"BPD, OFD: {FLAG_TEXT['poor-fit']}"]


def test_every_flag_is_in_the_documentation():
    text = (Path(__file__).resolve().parents[2] / "docs" / "outputs.md").read_text("utf-8")
    assert [flag for flag in FLAG_TEXT if f"| `{flag}` |" not in text] == []


def test_the_strip_says_values_conventions_interval_spacing_model_and_notice(written):
    draw_panel(head(interval=(80.04, 90.06)), 800, 1.0)
    said = "\n".join(text for text, _, _ in written)
    hc = head().measurements[0].value
    for words in (
        *("HC", f"{hc:.1f} mm", "outer-outer", "95 %: 80.0 to 90.1 mm", "RESEARCH USE ONLY"),
        *("010_HC.png", "frame 1", "plane head 99 %", "0.1 mm/px (csv)", "model head-test"),
    ):
        assert words in said
    assert "fetus" not in said


def test_the_strip_of_a_femur_says_its_length_its_twin_and_what_the_thin_line_is(written):
    draw_overlay(femur(flags=("bent",), fetus="B"), GREY)
    said = "\n".join(text for text, _, _ in written)
    length = femur().measurements[0].value
    for words in ("FL", f"{length:.1f} mm", "fetus B", "plane femur 97 %", SHAFT_LEGEND):
        assert words in said
    assert FLAG_TEXT["bent"] in said


def test_the_strip_says_unequal_spacings_and_unknown_ones(written):
    draw_panel(head(mm=(0.12, 0.24), spacing_source="dicom-region-1"), 800, 1.0)
    assert "0.12 x 0.24 mm/px (dicom-region-1, row x col)" in "\n".join(t for t, _, _ in written)
    written.clear()
    draw_panel(head(mm=None), 800, 1.0)
    said = [text for text, _, _ in written]
    assert "The spacing is unknown: these are pixels of the image." in said
    assert not [text for text in said if "mm" in text]


@pytest.mark.parametrize(("width", "unit"), [(480, 1.0), (800, 1.0), (2400, 2.5)])
def test_no_text_leaves_the_strip(written, width, unit):
    finding = head(
        flags=tuple(FLAG_TEXT),
        interval=(80.0, 90.0),
        source="a" * 200 + ".png",
        spacing_source="a-rather-long-name-of-a-spacing-source" * 2,
    )
    draw_panel(finding, width, unit)
    assert len(written) > 15
    assert [text for text, end, limit in written if end > limit] == []


def test_text_is_reduced_to_ascii():
    assert ascii_text("Zürich/Zu\u0308rich 中 ½\n\udc80.png") == "Zurich/Zurich ? 1?2??.png"
    assert ascii_text("plain.png") == "plain.png"


def test_a_long_name_loses_its_middle():
    font = Font(0.5, (255, 255, 255))
    short = font.cut("beginning" + "x" * 200 + "end.png", 150)
    assert font.width(short) <= 150
    assert short.startswith("begin") and short.endswith("end.png") and "..." in short
    assert font.cut("ab", 1) == "ab"


def test_a_written_overlay_is_the_drawn_one(tmp_path):
    path = tmp_path / "overlays" / "a" / "x_f1.png"
    assert write_overlay(head(), GREY, path) == path
    assert np.array_equal(cv2.imread(str(path)), draw_overlay(head(), GREY))
    assert [file.name for file in path.parent.iterdir()] == ["x_f1.png"]


def test_an_overlay_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "overlays").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_overlay(head(), GREY, tmp_path / "overlays" / "x_f1.png")


def test_drawing_leaves_the_source_pixels_alone():
    pixels = GREY.copy()
    draw_overlay(head(), pixels)
    assert np.array_equal(pixels, GREY)


@needs_data
def test_on_a_real_head_the_drawn_line_follows_the_annotation():
    folder = data_dir() / "hc18" / "training_set"
    pixels = cv2.imread(str(folder / "300_HC.webp"), cv2.IMREAD_GRAYSCALE)
    truth = np.argwhere(cv2.imread(str(folder / "300_HC_Annotation.png"), 0) > 127).astype(float)
    picture = draw_overlay(head(fit_ellipse(truth).ellipse), pixels)[: pixels.shape[0]]
    drawn = centers(coloured(picture, STYLES["HC"].colour))
    gaps = np.min(np.linalg.norm(drawn[:, None] - truth[None], axis=-1), axis=1)
    assert len(drawn) > 800
    assert np.quantile(gaps, 0.99) < 3
