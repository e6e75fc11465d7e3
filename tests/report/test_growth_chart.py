"""Growth charts: what is drawn lies where it was measured, and is not told by colour alone."""

import numpy as np
import pytest

from fetometry.growth import Dates, Profile, assess
from fetometry.report import draw_growth, draw_scores, growth_figures
from fetometry.report.growth_chart import (
    SMALL,
    _apart,
    as_png,
    as_svg,
    chart_words,
    charted,
    scores,
)
from tests.report.growth_examples import SIZES, grown


def only_axes(figure):
    (axes,) = figure.axes
    return axes


def the_bar(axes):
    """The lines of the interval of the last point drawn: horizontal, vertical."""
    across, down = axes.containers[-1].lines[2]
    return across.get_segments()[0], down.get_segments()[0]


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_every_placed_value_has_its_figure():
    figures = growth_figures(grown())
    assert list(figures) == [
        "HC_intergrowth21_hc", "AC_intergrowth21_ac", "FL_intergrowth21_fl",
        "EFW_intergrowth21_efw_2020",
    ]  # fmt: skip


def test_the_point_lies_at_its_age_and_value_with_its_interval():
    placed, curves = charted(grown())[0]
    axes = only_axes(draw_growth(placed, curves, age_days=(133.0, 147.0)))
    across, down = the_bar(axes)
    assert across.tolist() == [[19.0, 175.0], [21.0, 175.0]]
    assert down.tolist() == [[20.0, 170.0], [20.0, 180.0]]


def test_the_curves_are_those_of_the_growth_and_carry_their_centiles():
    placed, curves = charted(grown())[0]
    axes = only_axes(draw_growth(placed, curves))
    drawn = [line for line in axes.lines if len(line.get_xdata()) == len(curves.ga_days)]
    assert [line.get_ydata().tolist() for line in drawn] == [list(row) for row in curves.values]
    # without colour: the median is solid, and every pair has dashes of its own
    dashes = [line._unscaled_dash_pattern[1] for line in drawn]
    assert dashes[2] is None
    assert dashes[0] == dashes[4] != dashes[1] == dashes[3]
    assert [text.get_text() for text in axes.texts] == ["3", "10", "50", "90", "97"]


def test_earlier_exams_are_drawn_on_the_same_chart_oldest_first():
    figures = growth_figures(grown(168, 1.2), [grown(154, 1.1), grown(140)])
    axes = only_axes(figures["HC_intergrowth21_hc"])
    path = axes.lines[5]
    assert path.get_xdata().tolist() == [20.0, 22.0, 24.0]
    assert path.get_ydata().tolist() == pytest.approx([175.0, 192.5, 210.0])
    assert labels(axes) == ["earlier exams", "this exam, 95 % interval"]


def test_a_circular_value_is_hollow_and_says_so():
    axes = only_axes(growth_figures(grown(None))["HC_intergrowth21_hc"])
    assert "circular: age from this value" in labels(axes)
    assert axes.containers[-1].lines[0].get_markerfacecolor() == "#ffffff"
    known = only_axes(growth_figures(grown())["HC_intergrowth21_hc"])
    assert not any("circular" in label for label in labels(known))


def test_a_figure_alone_says_what_it_is_not_for():
    figure = growth_figures(grown())["HC_intergrowth21_hc"]
    assert figure.get_supxlabel() == "research use only; not for diagnosis"


def test_scores_of_one_exam_alone_make_no_line():
    assert scores([grown()]) == {}


def test_scores_are_in_the_order_of_age_and_leave_out_circular_ones():
    found = scores([grown(154, 1.1), grown(140), grown(None)])
    z = {growth.age.days: growth.placements[0].z for growth in (grown(140), grown(154, 1.1))}
    assert found["HC", "intergrowth21_hc"].tolist() == [[140.0, z[140]], [154.0, z[154]]]


def test_lines_of_scores_differ_in_shape_and_dash():
    axes = only_axes(draw_scores([grown(140), grown(154, 1.1)]))
    lines = [line for line in axes.lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["HC", "AC", "FL", "EFW"]
    assert len({line.get_marker() for line in lines}) == 4


@pytest.mark.parametrize(
    ("heights", "moved"),
    [
        ([0.0, 10.0, 20.0], [0.0, 10.0, 20.0]),
        ([10.0, 11.0], [8.0, 13.0]),
        ([0.0, 10.0, 10.0], [0.0, 7.5, 12.5]),
        ([1.0, 1.0, 1.0], [-4.0, 1.0, 6.0]),
    ],
)
def test_labels_that_would_overlap_are_moved_apart_about_their_middle(heights, moved):
    assert _apart(heights, 5.0) == pytest.approx(moved)


def test_labels_keep_their_order_and_distance_whatever_their_heights():
    rng = np.random.default_rng(5)
    for _ in range(50):
        heights = np.sort(rng.uniform(0, 30, 7))
        assert np.diff(_apart(list(heights), 5.0)).min() >= 5.0 - 1e-9


def test_the_same_figure_is_the_same_file():
    placed, curves = charted(grown())[0]
    for saved in (lambda figure: as_png(figure, 40), as_svg):
        first, second = (saved(draw_growth(placed, curves, sheet=SMALL)) for _ in range(2))
        assert first == second
    assert as_png(draw_scores([], SMALL), 40).startswith(b"\x89PNG")


def test_a_chart_is_told_in_words_with_its_range():
    growth = grown()
    said = chart_words(growth.placements[0], growth)
    assert said.startswith("Head circumference 175.0 mm (170.0 to 180.0) on INTERGROWTH-21st")
    assert growth.placements[0].centile_text in said.partition(": centile ")[2]


def test_a_chart_of_a_median_alone_has_one_line():
    house = Profile().with_charts("hadlock1984")
    growth = assess(SIZES, Dates(ga_days=140), house)
    pairs = [(p, c) for p, c in charted(growth) if p.centile is None]
    assert pairs
    axes = only_axes(draw_growth(*pairs[0]))
    assert [text.get_text() for text in axes.texts] == ["50"]
