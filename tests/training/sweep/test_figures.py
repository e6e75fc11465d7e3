"""The papers' figures: what stands where, and that nothing is drawn of what has not run."""

import itertools
import math

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from fetometry.errors import DataError, OutputError
from fetometry.training.plots import DPI
from fetometry.training.sweep import canvas
from fetometry.training.sweep.canvas import Drawn, printed
from fetometry.training.sweep.curves import GAP, loss_curves, setting_curve
from fetometry.training.sweep.figures import DRAW, bars, parameter_accuracy, write_figures
from fetometry.training.sweep.records import read_results
from fetometry.training.sweep.spec import Cell
from fetometry.training.sweep.table import tidy
from tests.training.judged import head, sure_of
from tests.training.sweep.finished import finish, gathered, spec


def heads(*differences, side="test", **changes):
    return [head(d, f"{i}.png", split=side, **changes) for i, d in enumerate(differences)]


def sides(*differences, **changes):
    return {side: heads(*differences, side=side, **changes) for side in ("validation", "test")}


def drawn(tmp_path, cells, **changes):
    results = read_results(gathered(tmp_path, spec(cells, **changes)))
    return Drawn(results, tidy(results))


def swept(tmp_path):
    """A setting of 0, 0.01 and 1, separate models beside it, and one setting that has not run."""
    cells = [
        Cell("w=1", x=1.0, paper={"HC ADF mm": "70.5 ± 3"}),
        Cell("w=0.1", x=0.1, paper={"HC ADF mm": "2"}),
        Cell("w=0.01", x=0.01),
        Cell("w=0", x=0.0),
        Cell("separate"),
    ]
    for cell, error in zip(cells, (40.0, None, 3.0, 20.0, 4.0), strict=True):
        if error is not None:
            files = sides(error, error, planes=sure_of("head"))
            files |= {
                f"{side}-true": [*heads(error / 2, side=side, routing="true")] for side in files
            }
            curves = [(0, "loss", 2.0), (1, "loss", 1.0), (0, "val_HC_mm", 9.0)]
            finish(tmp_path / "runs", cell, files, curves=curves)
    return drawn(tmp_path, cells, axis="weight w", routings=("predicted", "true"))


def points(line):
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def labelled(axes, label):
    """The points of all lines, or error bars, of a label."""
    found = [c.lines[0] for c in axes.containers if c.get_label() == label]
    found += [line for line in axes.lines if line.get_label() == label]
    return [point for line in found for point in points(line)]


def test_zero_stands_left_of_the_smallest_setting(tmp_path):
    axes = setting_curve(swept(tmp_path)).axes[0]
    assert axes.get_title(loc="left") == "HC ADF mm"
    zero = math.log10(0.01) - GAP
    assert labelled(axes, "test, predicted plane") == [(-2.0, 3.0), (0.0, 40.0), (zero, 20.0)]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert dict(zip(axes.get_xticks(), ticks, strict=True)) == {
        -2.0: "0.01", -1.0: "0.1", 0.0: "1", zero: "0",
    }  # fmt: skip
    assert axes.get_xlabel() == "weight w"


def test_both_sides_and_both_routings_are_drawn(tmp_path):
    axes = setting_curve(swept(tmp_path)).axes[0]
    found = {
        f"{side}, {routing} plane": [y for _, y in labelled(axes, f"{side}, {routing} plane")]
        for side in ("validation", "test")
        for routing in ("predicted", "true")
    }
    assert found == {
        "validation, predicted plane": [3.0, 40.0, 20.0],
        "test, predicted plane": [3.0, 40.0, 20.0],
        "validation, true plane": [1.5, 20.0, 10.0],
        "test, true plane": [1.5, 20.0, 10.0],
    }


def test_the_papers_numbers_are_there_of_settings_that_have_not_run_too(tmp_path):
    axes = setting_curve(swept(tmp_path)).axes[0]
    assert labelled(axes, "paper, its own images") == [(-1.0, 2.0), (0.0, 70.5)]


def test_separate_models_are_a_level_line(tmp_path):
    axes = setting_curve(swept(tmp_path)).axes[0]
    assert {y for _, y in labelled(axes, "separate, test")} == {4.0}


def test_the_found_plane_is_drawn_once(tmp_path):
    axes = setting_curve(swept(tmp_path)).axes[1]
    assert axes.get_title(loc="left") == "plane accuracy %"
    assert not labelled(axes, "test, true plane")
    assert {y for _, y in labelled(axes, "test, predicted plane")} == {100.0}


def test_a_sweep_without_a_setting_has_no_such_curve(tmp_path):
    finish(tmp_path / "runs", "a", sides(1.0))
    assert setting_curve(drawn(tmp_path, ["a"])) is None


def test_curves_are_the_mean_over_repeats_cell_by_cell(tmp_path):
    for repeat, start in enumerate((4.0, 2.0)):
        curves = [
            (0, "loss", start), (1, "loss", 1.0), (0, "loss_outline", 0.5),
            (0, "val_HC_mm", 9.0), (0, "val_HC_bias_mm", -9.0), (0, "val_error", 5.0),
        ]  # fmt: skip
        finish(tmp_path / "runs", "a", sides(1.0), repeat=repeat, curves=curves)
    finish(tmp_path / "runs", "b", sides(1.0), curves=[(0, "loss", 8.0)])
    axes = [a for a in loss_curves(drawn(tmp_path, ["a", "b"])).axes if a.get_visible()]
    assert [a.get_title(loc="left") for a in axes] == ["a", "b", "", ""]
    assert labelled(axes[0], "training loss") == [(1, 3.0), (2, 1.0)]
    assert labelled(axes[0], "loss outline") == [(1, 0.5)]
    assert labelled(axes[1], "training loss") == [(1, 8.0)]
    # the bias has a sign, and the error in % another unit
    assert [line.get_label() for line in axes[2].lines] == ["validation HC mm"]
    # cells are compared: one scale holds all of them
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_ylim()[0] < 0.5
    assert axes[0].get_ylim()[1] > 8


def test_a_sweep_without_training_has_no_curves(tmp_path):
    finish(tmp_path / "runs", "a", sides(1.0))
    assert loss_curves(drawn(tmp_path, ["a"])) is None


def strategies(tmp_path, count=10):
    """So many strategies with the same overlap, whose labels would all lie on one another."""
    cells = [Cell(f"decoder layers {i} of many", paper={"DSC %": "96.2"}) for i in range(count)]
    for i, cell in enumerate(cells):
        files = sides(1.0, 2.0, dice=0.97 + i / 1e5)
        finish(tmp_path / "runs", cell, files, trainable=10 ** (3 + i % 4))
    return drawn(tmp_path, cells)


def test_labels_of_points_that_lie_together_do_not_overlap(tmp_path):
    figure = parameter_accuracy(strategies(tmp_path))
    figure.savefig(tmp_path / "x.png")  # the layout is made when it is drawn
    for axes in figure.axes:
        # the words alone: an annotation's own extent has its line in it
        boxes = [Text.get_window_extent(t).get_points() for t in axes.texts]
        assert len(boxes) == 10
        spans = sorted((box[0][1], box[1][1]) for box in boxes)
        assert all(top <= bottom for (_, top), (bottom, _) in itertools.pairwise(spans))
        right = figure.get_window_extent().x1
        assert max(box[1][0] for box in boxes) <= right
        assert min(box[0][0] for box in boxes) >= axes.get_window_extent().x1


def test_points_stand_at_what_trains_and_what_it_reaches(tmp_path):
    found = parameter_accuracy(strategies(tmp_path, 3)).axes[0]
    assert found.get_ylabel() == "DSC %"
    at = [point for c in found.containers for point in points(c.lines[0])]
    assert at == [(1000, 97.0), (10000, pytest.approx(97.001)), (100000, pytest.approx(97.002))]
    paper = labelled(found, "paper, its own split, at our count")
    assert paper == [(1000, 96.2), (10000, 96.2), (100000, 96.2)]


def test_bars_are_the_errors_in_the_order_of_the_rows(tmp_path):
    cells = [
        Cell("always the mean", baseline="mean-mm"),
        Cell("net", paper={"HC ADF mm": "4.5 ± 4"}),
        Cell("not run", paper={"HC ADF mm": "9"}),
    ]
    finish(tmp_path / "runs", cells[0], sides(40.0, 44.0), parameters=None, trainable=None)
    finish(tmp_path / "runs", cells[1], sides(4.0, 6.0))
    axes = bars(drawn(tmp_path, cells)).axes[0]
    widths = {
        c.get_label(): [p.get_width() for p in c] for c in axes.containers if hasattr(c, "patches")
    }
    assert widths == {
        "test": [5.0], "validation": [5.0],
        "baseline, test": [42.0], "baseline, validation": [42.0],
    }  # fmt: skip
    assert [t.get_text() for t in axes.get_yticklabels()] == ["always the mean", "net"]
    assert labelled(axes, "paper, its own images") == [(4.5, 1)]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.08 ± 0.97", 1.08), ("99.91", 99.91), ("4,405,073", 4405073), ("-0.2", -0.2), ("", None)],
)
def test_the_number_of_what_a_paper_prints(text, number):
    assert printed(text) == number


def test_every_figure_is_a_legible_picture(tmp_path):
    sweep = swept(tmp_path)
    results = read_results(gathered(tmp_path, spec([Cell("w=1", x=1.0)], figures=tuple(DRAW))))
    written = write_figures(results, sweep.lines, tmp_path / "new")
    assert [path.stem for path in written] == [name for name in DRAW if name != "bland-altman"]
    for path in written:
        picture = cv2.imread(str(path))
        assert picture.shape[1] == round(canvas.WIDTH * DPI)
        assert np.mean(picture == 255) > 0.3
        assert picture.min() < 80
        assert np.ptp(picture.astype(int), axis=2).max() > 80


def test_the_title_says_the_budget(tmp_path):
    finish(tmp_path / "runs", "a", sides(1.0))
    assert drawn(tmp_path, ["a"]).title == "Someone et al. 2020; ours: reduced (small)"


def test_a_figure_that_is_not_known_is_refused(tmp_path):
    finish(tmp_path / "runs", "a", sides(1.0))
    found = drawn(tmp_path, ["a"], figures=("pie",))
    with pytest.raises(DataError, match="unknown figure 'pie'; known: setting-curve"):
        write_figures(found.results, found.lines, tmp_path)


def test_drawing_changes_nothing_outside_the_picture(tmp_path):
    before = dict(matplotlib.rcParams)
    setting_curve(swept(tmp_path))
    assert dict(matplotlib.rcParams) == before


def test_figures_that_cannot_be_written_are_an_output_error(tmp_path):
    finish(tmp_path / "runs", "a", sides(1.0))
    found = drawn(tmp_path, ["a"], figures=("bars",))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_figures(found.results, found.lines, tmp_path / "file")
