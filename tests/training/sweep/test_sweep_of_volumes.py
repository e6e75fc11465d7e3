"""A sweep that judges volumes: its budget, its numbers, its words and its figures. No torch."""

import dataclasses
from pathlib import Path

import pytest

from fetometry.errors import RecipeError
from fetometry.training import baselines
from fetometry.training.sweep.canvas import Drawn
from fetometry.training.sweep.collect import CREDITS_OF_PHANTOMS, write
from fetometry.training.sweep.figures import bars, bland_altman
from fetometry.training.sweep.page import short_table
from fetometry.training.sweep.records import read_results
from fetometry.training.sweep.spec import Budget, Cell
from fetometry.training.sweep.table import METRICS, tidy
from fetometry.training.volume_scores import PHANTOMS_ONLY
from tests.training.judged import head
from tests.training.judged_volumes import ENDS, NO_ENDS, solid, volume_row
from tests.training.sweep.finished import finish, gathered, spec

MASKS, WHOLE = (
    Cell("Unet-S", paper={"DSC %": "89.41 ± 4.6", "volume ADF mL": "3.04 ± 1.7"}),
    Cell("BRNDC-D", paper={"p1 mm": "3.70 ± 1.93", "FL ADF mm": "0.87 ± 0.91"}),
)


def sides(**changes):
    return {
        side: [solid(i, split=side, error_mm=i, **changes) for i in (1, 2, 3)]
        for side in ("validation", "test")
    }


@pytest.fixture
def folder(tmp_path):
    figures = ("bland-altman", "bars")
    finish(tmp_path / "runs", MASKS, sides(**NO_ENDS), size=[48, 40, 48])
    finish(tmp_path / "runs", WHOLE, sides(), size=[48, 40, 48])
    return gathered(tmp_path, spec([MASKS, WHOLE], figures=figures, paper="wang2019"))


def test_a_budget_of_volumes_is_a_series_of_phantoms():
    series = Budget(volumes=12, difficulty="clean", size="small").series
    assert (series.count, series.difficulty, series.size) == (12, 0.0, "small")
    assert Budget().series is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"volumes": -1}, "volumes must be 0 or more"),
        ({"volumes": 10, "phantoms": 10}, "not beside phantoms"),
        ({"volumes": 10, "difficulty": "hard"}, "difficulty must be one of clean, clinical"),
        ({"volumes": 10, "size": "huge"}, "size must be one of full, small"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(settings, reason):
    with pytest.raises(RecipeError, match=reason):
        Budget(**settings)


def test_every_number_of_a_volume_is_a_metric():
    found = {name: of(solid(error_mm=-2.0, error_ml=-0.5)) for name, of in METRICS.items()}
    assert {name: value for name, value in found.items() if value is not None} == {
        "FL ADF mm": 2.0,
        "FL bias mm": -2.0,
        "FL ADF %": 4.0,
        "DSC %": 90.0,
        "Jaccard %": 80.0,
        "Adb mm": 0.5,
        "Hdb mm": 4.0,
        "volume ADF mL": 0.5,
        "volume bias mL": -0.5,
        "volume ADF %": 25.0,
        "p1 mm": 2.0,
        "p2 mm": 3.0,
        "failed %": 0.0,
    }


def test_a_volume_in_which_nothing_was_found_failed_with_or_without_a_length():
    assert METRICS["failed %"](solid(failed=True)) == 100.0
    assert METRICS["failed %"](solid(failed=True, **NO_ENDS)) == 100.0


def test_the_page_says_phantoms_in_its_first_words_and_in_the_heads_of_its_tables(folder):
    write(folder)
    text = folder.with_name("wang2019.md").read_text(encoding="utf-8")
    title, claim, *_ = text.split("\n\n")
    assert (title, claim) == ("# Someone et al. 2020", PHANTOMS_ONLY)
    assert "| paper (patients) | ours, validation (phantoms, not patients) |" in text
    assert "test: 3 volumes of 3 groups" in text
    assert "30 training volumes" in text
    assert "A volume in which nothing was measured counts with its full error" in text
    assert "image" not in text
    assert "FL ADF 2.00 (1.00 to 3.00) mm" in text
    assert "DSC 89.41 ± 4.6 %" in text
    assert "48 x 40 x 48" in text
    results = read_results(folder)
    short = short_table(results, tidy(results))
    assert "ours, test (phantoms, not patients); our split: by phantom, bucket 0 of 10" in short


def test_the_pictures_are_not_credited_to_data_sets_of_pictures(folder):
    (folder / "figures").mkdir()
    (folder / "figures" / "panels.jpg").write_bytes(b"")
    write(folder)
    text = folder.with_name("wang2019.md").read_text(encoding="utf-8")
    assert CREDITS_OF_PHANTOMS in text
    assert "HC18" not in text


def test_a_page_of_pictures_says_nothing_of_phantoms(tmp_path):
    finish(tmp_path / "runs", "a", {"validation": [head(1.0)], "test": [head(1.0)]})
    results = read_results(gathered(tmp_path, spec(["a"])))
    assert (results.of_volumes, results.on_phantoms) == (False, False)
    assert "phantom" not in short_table(results, tidy(results))


def test_the_page_is_written_alike_again(folder):
    first = [path.read_bytes() for path in write(folder)]
    assert [path.read_bytes() for path in write(folder)] == first


def drawn(folder):
    results = read_results(folder)
    return Drawn(results, tidy(results))


def test_bland_altman_is_of_the_last_row_that_tells_length_and_volume(folder):
    figure = bland_altman(drawn(folder))
    assert "phantoms, not patients); BRNDC-D, test" in figure.get_suptitle()
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "mean of truth and model, mm",
        "mean of truth and model, mL",
    ]


def test_bars_compare_with_the_patients_of_the_paper(folder):
    names = [axes.get_xlabel() for axes in bars(drawn(folder)).axes]
    assert names == ["FL ADF mm", "volume ADF mL"]


def test_the_mean_length_is_a_baseline_of_volumes(tmp_path):
    far = ((9.5, 11.5, 5.0), (9.5, 11.5, 55.0))
    train = [volume_row(tmp_path, "a"), volume_row(tmp_path, "b", ends=far)]
    row = dataclasses.replace(train[0], ends=ENDS, volume_ml=None)
    (case,) = baselines.judge("mean-mm", train, [row], "the mean")
    assert case.sizes["FL"].measured_mm == pytest.approx(45.0)
    assert (case.of_volume, case.found_ml, case.mm_per_px) == (True, None, None)
    assert METRICS["FL ADF px"](case) is None
    assert Path(case.image).name == "a.mha"
