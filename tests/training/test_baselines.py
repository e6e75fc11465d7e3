from pathlib import Path

import pytest

from fetometry.errors import DataError, RecipeError
from fetometry.geometry import Ellipse
from fetometry.training import baselines
from fetometry.training.cases import read_cases, write_cases
from fetometry.training.data import Row


def row(name, circumference_px, mm_per_px, plane="head"):
    """A round head so many pixels round."""
    radius = circumference_px / (2 * 3.141592653589793)
    ellipse = Ellipse((50.0, 50.0), (radius, radius), 0.0)
    spacing = None if mm_per_px is None else (mm_per_px, mm_per_px)
    return Row("toy", Path(f"{name}.png"), name, plane, spacing, ellipse)


#: 100 and 200 mm; 1000 and 1000 px.
TRAIN = [row("a", 1000.0, 0.1), row("b", 1000.0, 0.2)]


def hc(case):
    return case.sizes["HC"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("mean-mm", 150.0),  # whatever the image
        ("mean-px", 300.0),  # 1000 px of 0.3 mm
    ],
)
def test_a_baseline_tells_the_mean_of_the_training_side(kind, told):
    (case,) = baselines.judge(kind, TRAIN, [row("c", 900.0, 0.3)], "the mean")
    assert hc(case).truth_mm == pytest.approx(270.0)
    assert hc(case).measured_mm == pytest.approx(told)
    assert (case.model, case.image, case.group, case.failure) == ("the mean", "c.png", "c", "")


def test_pixels_that_differ_in_size_cost_the_mean_of_pixels_nothing():
    # all heads fill the picture alike: the pixel size tells everything
    images = [row("c", 1000.0, 0.15), row("d", 1000.0, 0.25)]
    errors = [hc(case).difference_mm for case in baselines.judge("mean-px", TRAIN, images, "px")]
    assert errors == pytest.approx([0.0, 0.0], abs=1e-9)


def test_planes_have_means_of_their_own():
    train = [*TRAIN, row("e", 3000.0, 0.1, plane="abdomen")]
    (case,) = baselines.judge("mean-mm", train, [row("f", 2000.0, 0.1, plane="abdomen")], "mean")
    assert case.sizes["AC"].measured_mm == pytest.approx(300.0)


def test_only_the_main_measurement_is_told():
    (case,) = baselines.judge("mean-mm", TRAIN, [row("c", 900.0, 0.3)], "mean")
    assert set(case.sizes) == {"HC"}
    assert (case.dice, case.hausdorff_mm) == (None, None)


def test_an_image_without_a_truth_has_no_number():
    (case,) = baselines.judge("mean-mm", TRAIN, [row("c", 900.0, None)], "mean")
    assert case.sizes == {}


def test_the_results_are_those_of_any_model(tmp_path):
    cases = baselines.judge("mean-px", TRAIN, [row("c", 900.0, 0.3)], "mean")
    write_cases(cases, tmp_path / "cases.csv")
    (back,) = read_cases(tmp_path / "cases.csv")
    assert hc(back).measured_mm == pytest.approx(300.0)


def test_a_training_side_without_the_measurement_is_refused():
    with pytest.raises(DataError, match="no HC to take the mean of"):
        baselines.judge("mean-mm", [], [row("c", 900.0, 0.3)], "mean")


def test_an_unknown_baseline_is_refused():
    with pytest.raises(RecipeError, match="one of mean-mm, mean-px, got 'median'"):
        baselines.judge("median", TRAIN, [], "median")
