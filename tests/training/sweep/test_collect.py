"""From the folder of the runs to what is kept, and from that to the table, as often as wanted."""

import csv
import json

import pytest

from fetometry.errors import DataError, OutputError
from fetometry.training.cases import read_cases
from fetometry.training.sweep.collect import gather, write
from fetometry.training.sweep.records import read_results, read_runs
from fetometry.training.sweep.spec import Cell
from tests.training.judged import head
from tests.training.sweep.finished import finish, gathered, spec

SIDES = {"validation": [head(1.0, "1.png")], "test": [head(2.0, "2.png", split="test")]}


def runs_of(folder):
    return {run.key: run for run in read_runs(folder / "runs.csv")}


def test_per_image_results_are_copied_under_the_name_of_their_run(tmp_path):
    cell = Cell("CNN 1M + MSE")
    finish(tmp_path / "runs", cell, {**SIDES, "test-true": SIDES["test"]}, fold=2, repeat=1)
    folder = gathered(tmp_path, spec([cell]))
    assert sorted(path.name for path in (folder / "cases").iterdir()) == [
        "CNN-1M-+-MSE~f2-r1~test.csv",
        "CNN-1M-+-MSE~f2-r1~test~true.csv",
        "CNN-1M-+-MSE~f2-r1~validation.csv",
    ]
    kept = read_cases(folder / "cases" / "CNN-1M-+-MSE~f2-r1~test.csv")
    assert kept[0].sizes["HC"].difference_mm == 2.0


def test_a_run_is_one_line_of_numbers_and_words(tmp_path):
    finish(tmp_path / "runs", "a", SIDES)
    (run,) = read_runs(gathered(tmp_path, spec(["a"])) / "runs.csv")
    assert (run.cell, run.row, run.fold, run.repeat, run.budget) == ("a", "a", 0, 0, "small")
    assert (run.train_images, run.validation_images, run.size) == (30, 4, "64 x 96")
    assert (run.parameters, run.minutes, run.val_error) == (1000, 1.5, 3.0)
    assert json.loads(run.settings) == ["fit.epochs=2"]


def test_a_failed_run_is_kept_with_its_reason_and_without_results(tmp_path):
    finish(tmp_path / "runs", "a", SIDES)
    reason = 'RuntimeError: out of memory, "really"\nsecond line'
    facts = {"status": "failed", "reason": reason, "parameters": None, "val_error": None}
    finish(tmp_path / "runs", "b", {"test": SIDES["test"]}, **facts)
    folder = gathered(tmp_path, spec(["a", "b"]))
    failed = runs_of(folder)["b", 0, 0]
    assert (failed.done, failed.reason, failed.parameters) == (False, reason, None)
    assert [path.name[0] for path in (folder / "cases").iterdir()] == ["a", "a"]
    assert "RuntimeError: out of memory" in write(folder)[1].read_text(encoding="utf-8")


def test_curves_say_whose_they_are(tmp_path):
    finish(tmp_path / "runs", "a", SIDES, repeat=1, curves=[(0, "loss", 1.5), (1, "loss", 0.5)])
    folder = gathered(tmp_path, spec(["a"]))
    with (folder / "curves.csv").open(encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["cell", "fold", "repeat", "epoch", "name", "value"],
            ["a", "0", "1", "0", "loss", "1.5"],
            ["a", "0", "1", "1", "loss", "0.5"],
        ]


def test_a_sweep_can_be_finished_in_several_goes(tmp_path):
    first, second = Cell("a", paper={"HC ADF mm": "1.1"}), Cell("b")
    sweep = spec([first, second])
    finish(tmp_path / "one", first, SIDES, curves=[(0, "loss", 1.0)])
    finish(tmp_path / "two", second, SIDES, curves=[(0, "loss", 2.0)])
    gather(sweep, "small", tmp_path / "one", tmp_path)
    gather(sweep.only(["b"]), "small", tmp_path / "two", tmp_path)
    found = read_results(tmp_path / "someone2020")
    assert [run.cell for run in found.records] == ["a", "b"]
    assert [row.name for row in found.sheet.rows] == ["a", "b"]
    assert found.sheet.rows[0].paper == {"HC ADF mm": "1.1"}
    assert [point.value for point in found.curves] == [1.0, 2.0]


def test_gathering_again_replaces_a_run_and_adds_none(tmp_path):
    finish(tmp_path / "runs", "a", {**SIDES, "test-true": SIDES["test"]}, curves=[(0, "loss", 1.0)])
    gathered(tmp_path, spec(["a"]))
    better = {"test": [head(0.5, "2.png", split="test")]}
    finish(tmp_path / "again", "a", better, minutes=9.0, curves=[(0, "loss", 3.0)])
    gather(spec(["a"]), "small", tmp_path / "again", tmp_path / "results")
    found = read_results(tmp_path / "results" / "someone2020")
    assert [run.minutes for run in found.records] == [9.0]
    assert [point.value for point in found.curves] == [3.0]
    # what the new run was not judged on is not left over from the old one
    assert [path.name for path in (found.folder / "cases").iterdir()] == ["a~f0-r0~test.csv"]


@pytest.mark.parametrize(
    ("then", "kept"),
    [
        ({"budget": "smoke"}, "full"),
        ({"budget": "small"}, "full"),
        ({"budget": "full", "status": "failed"}, "full"),
    ],
)
def test_a_smaller_or_failed_run_does_not_take_the_place_of_a_result(tmp_path, then, kept):
    finish(tmp_path / "runs", "a", SIDES, budget="full")
    gathered(tmp_path, spec(["a"]), "full")
    finish(tmp_path / "later", "a", SIDES, **then)
    gather(spec(["a"]), then["budget"], tmp_path / "later", tmp_path / "results")
    (run,) = read_runs(tmp_path / "results" / "someone2020" / "runs.csv")
    assert (run.budget, run.done) == (kept, True)


def test_a_larger_budget_takes_the_place_of_a_smaller_one(tmp_path):
    finish(tmp_path / "runs", "a", SIDES)
    gathered(tmp_path, spec(["a"]))
    finish(tmp_path / "later", "a", SIDES, budget="full")
    gather(spec(["a"]), "full", tmp_path / "later", tmp_path / "results")
    results = read_results(tmp_path / "results" / "someone2020")
    assert [run.budget for run in results.records] == ["full"]
    assert list(results.sheet.budgets) == ["full"]


def test_table_and_figures_are_made_again_from_what_is_kept(tmp_path):
    finish(tmp_path / "runs", "a", SIDES, curves=[(0, "loss", 1.0), (1, "loss", 0.5)])
    folder = gathered(tmp_path, spec(["a"], figures=("loss-curves", "panels")))
    written = write(folder)
    assert [path.relative_to(tmp_path / "results").as_posix() for path in written] == [
        "someone2020.csv", "someone2020.md", "someone2020/figures/loss-curves.png",
    ]  # fmt: skip
    before = [path.read_bytes() for path in written]
    for path in written:
        path.unlink()
    assert [path.read_bytes() for path in write(folder)] == before
    page = written[1].read_text(encoding="utf-8")
    assert "![loss-curves](someone2020/figures/loss-curves.png)" in page


def test_nothing_to_gather_is_told(tmp_path):
    finish(tmp_path / "runs", "a", SIDES)
    for sweep, budget in ((spec(["a"]), "full"), (spec(["b"]), "small")):
        with pytest.raises(DataError, match="holds no run of someone2020"):
            gathered(tmp_path, sweep, budget)


def test_a_run_that_cannot_be_read_is_named(tmp_path):
    run = finish(tmp_path / "runs", "a", SIDES) / "run.json"
    run.write_text('{"cell": "a"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"run\.json: not the account of a run"):
        gathered(tmp_path, spec(["a"]))


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("runs.csv", "cell,row\n", "columns are missing: budget"),
        ("spec.json", "{}", "not the account of a sweep"),
        ("curves.csv", "cell,fold,repeat,epoch,name,value\na,0,0,x,loss,1\n", "invalid literal"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, text, reason):
    finish(tmp_path / "runs", "a", SIDES)
    folder = gathered(tmp_path, spec(["a"]))
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"{file}.*{reason}"):
        write(folder)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        write(tmp_path / "someone2020")


def test_results_that_cannot_be_written_are_an_output_error(tmp_path):
    finish(tmp_path / "runs", "a", SIDES)
    (tmp_path / "results").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        gathered(tmp_path, spec(["a"]))
