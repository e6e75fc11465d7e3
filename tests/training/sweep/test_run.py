import csv
import dataclasses
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from fetometry.errors import DataError, RecipeError
from fetometry.training import data, export
from fetometry.training.cases import read_cases
from fetometry.training.data import phantoms, phantoms3d
from fetometry.training.sweep import run as running
from fetometry.training.sweep.reproduce import Places, jobs_of, perform
from fetometry.training.sweep.run import Timer, load_rows, read_curves, run_one
from fetometry.training.sweep.spec import Budget, Cell, Run, read_spec
from fetometry.training.system import System
from tests.conftest import files_in
from tests.training import toy
from tests.training.sweep import toy_sweep

pytestmark = [
    pytest.mark.train,
    # a run's folder holds its recipe and its cache before the first checkpoint is written
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # between Lightning and a newer torch
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make(tmp_path_factory.mktemp("data") / "toy", train=4, validation=2, test=2)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_spec(toy_sweep.write(tmp_path_factory.mktemp("recipes")))


@pytest.fixture(scope="module")
def swept(spec, rows, tmp_path_factory):
    """The small budget, done: one cell of three fails."""
    places = Places(rows[0].image.parents[1], tmp_path_factory.mktemp("runs"), Path("unused"))
    return places, list(perform(spec, "small", places))


def facts_of(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def stamps(folder):
    return {name: (folder / name).stat().st_mtime_ns for name in files_in(folder)}


def one_job(spec, runs, *settings, name="one", **changes):
    run = Run(Cell(name, **changes), 0, 0, 0, settings, ("heads.plane",))
    return running.Job("toy2024", "small", run, spec.recipe_path, ("predicted",), runs)


def test_a_failing_cell_does_not_lose_the_others(swept):
    told = {outcome.job.run.cell.name: outcome.facts["status"] for outcome in swept[1]}
    assert told == {"rate=0.02": "done", "broken": "failed", "rate=0.01": "done"}
    failed = facts_of(swept[0].runs / "broken" / "f0-r0")
    assert failed["reason"].startswith("[network]: unknown network 'nosuch'")
    assert failed["parameters"] is None


def test_a_run_leaves_a_model_the_result_of_every_image_and_what_it_cost(swept, rows):
    folder = swept[0].runs / "rate=0.01" / "f0-r0"
    for side in ("validation", "test"):
        cases = read_cases(folder / f"{side}.csv")
        assert {case.image for case in cases} == {r.image.name for r in rows if r.split == side}
        assert {case.split for case in cases} == {side}
    facts = facts_of(folder)
    assert facts["schema"] == "fetometry-run/1"
    assert (facts["cell"], facts["row"], facts["budget"]) == ("rate=0.01", "rate=0.01", "small")
    assert (facts["seed"], facts["fold"], facts["folds"], facts["repeat"]) == (3, 0, 0, 0)
    assert facts["settings"] == ["drop heads.plane", "fit.learning_rate=0.01"]
    assert facts["images"] == {"train": 4, "validation": 2}
    # 8 x 25 + 8, two a channel for the batch norm, 8 x 25 + 1
    assert (facts["parameters"], facts["trainable"]) == (425, 425)
    assert facts["size"] == [64, 96]
    assert facts["sha256"] == (folder / "model.onnx.sha256").read_text(encoding="utf-8").split()[0]
    assert facts["ms_per_image"] > 0
    assert facts["minutes"] > 0


def test_the_loss_curves_are_those_of_the_logs(swept):
    folder = swept[0].runs / "rate=0.01" / "f0-r0"
    with (folder / "curves.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {"loss", "loss_outline", "val_error", "val_HC_mm"} <= {line["name"] for line in lines}
    assert {line["epoch"] for line in lines} == {"0"}
    error = next(float(line["value"]) for line in lines if line["name"] == "val_error")
    assert error == pytest.approx(facts_of(folder)["val_error"], rel=1e-4)


def test_the_runs_of_a_sweep_share_the_pictures_that_they_read(swept):
    assert len(list((swept[0].runs / "cache").glob("cache-*.npz"))) == 2


def test_done_runs_are_kept_and_the_failed_one_is_tried_again(spec, swept):
    places = swept[0]
    folders = {name: places.runs / name / "f0-r0" for name in ("rate=0.02", "rate=0.01", "broken")}
    before = {name: stamps(folder) for name, folder in folders.items()}
    again = list(perform(spec, "small", places))
    assert [outcome.kept for outcome in again] == [True, False, True]
    after = {name: stamps(folder) for name, folder in folders.items()}
    assert after["rate=0.02"] == before["rate=0.02"]
    assert after["rate=0.01"] == before["rate=0.01"]
    assert after["broken"]["run.json"] > before["broken"]["run.json"]


def test_the_same_seed_gives_the_same_error_and_the_same_results_twice(spec, swept, rows, tmp_path):
    (job,) = [j for j in jobs_of(spec, "small", tmp_path) if j.run.cell.name == "rate=0.02"]
    facts = run_one(job, rows).facts
    first = swept[0].runs / "rate=0.02" / "f0-r0"
    assert facts["val_error"] == facts_of(first)["val_error"]
    mine, other = (read_cases(folder / "test.csv") for folder in (job.folder, first))
    assert [case.sizes for case in mine] == [case.sizes for case in other]


def test_a_killed_run_goes_on_where_it_was_and_ends_as_if_nothing_had_been(
    spec, rows, tmp_path, monkeypatch
):
    whole = one_job(spec, tmp_path / "whole", "fit.epochs=3")
    expected = run_one(whole, rows).facts
    job = one_job(spec, tmp_path / "killed", "fit.epochs=3")
    seen, step = [], System.training_step

    def counted(self, index, number):
        if self.current_epoch == 2 and not seen.count("killed"):
            seen.append("killed")
            raise Killed
        seen.append(self.current_epoch)
        return step(self, index, number)

    monkeypatch.setattr(System, "training_step", counted)
    with pytest.raises(Killed):
        run_one(job, rows)
    assert not (job.folder / "run.json").exists()
    seen[:] = ["killed"]
    facts = run_one(job, rows).facts
    assert set(seen) == {"killed", 2}
    assert facts["val_error"] == expected["val_error"]
    assert [epoch for epoch, name, _ in read_curves(job.folder) if name == "loss"] == [0, 1, 2]
    mine, other = (read_cases(j.folder / "test.csv") for j in (job, whole))
    assert [case.sizes for case in mine] == [case.sizes for case in other]


def test_what_fails_after_the_training_is_not_trained_again(spec, rows, tmp_path, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("no room")

    job = one_job(spec, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(export, "export", full)
        assert run_one(job, rows).facts["reason"] == "RuntimeError: no room"
    assert "no room" in (job.folder / "failure.txt").read_text(encoding="utf-8")
    trained = (job.folder / "best.ckpt").stat().st_mtime_ns
    assert run_one(job, rows).facts["status"] == "done"
    assert (job.folder / "best.ckpt").stat().st_mtime_ns == trained


def test_a_folder_with_a_run_of_another_recipe_is_refused_before_anything_trains(spec, swept):
    before = stamps(swept[0].runs)
    changed = [dataclasses.replace(cell, set=("fit.epochs=9",)) for cell in spec.cells]
    other = dataclasses.replace(spec, cells=tuple(changed))
    with pytest.raises(RecipeError, match=r"rate=0.02.*holds a run of another recipe"):
        perform(other, "small", swept[0])
    assert stamps(swept[0].runs) == before


def test_a_run_that_failed_before_it_trained_may_be_put_right(spec, rows, tmp_path):
    wrong = one_job(spec, tmp_path, "heads.outline.size=-1", "network.name=nosuch")
    assert run_one(wrong, rows).facts["status"] == "failed"
    assert run_one(one_job(spec, tmp_path), rows).facts["status"] == "done"


def test_a_baseline_is_judged_without_training(spec, rows, tmp_path):
    job = one_job(spec, tmp_path, "data.fold=0", "data.folds=2", baseline="mean-mm")
    facts = run_one(job, rows).facts
    train = [row.truth_mm["HC"] for row in rows if row.split_in_fold(0, 2) == "train"]
    assert (facts["status"], facts["epochs"], facts["parameters"]) == ("done", 0, None)
    assert facts["images"]["train"] == len(train)
    cases = read_cases(job.folder / "test.csv")
    assert len(cases) == 2
    for case in cases:
        assert case.sizes["HC"].measured_mm == pytest.approx(sum(train) / len(train), abs=1e-4)
    validation = read_cases(job.folder / "validation.csv")
    assert {case.split for case in validation} == {"validation"}
    assert len(validation) == sum(row.split_in_fold(0, 2) == "validation" for row in rows)
    assert run_one(job, rows).kept


def test_data_is_found_in_its_own_folder_and_in_the_folder_that_holds_it(rows):
    own = rows[0].image.parent
    assert load_rows("toy", own) == load_rows("toy", own.parent) == rows


def test_a_clock_adds_up_the_starts_and_counts_a_killed_one_to_its_last_checkpoint(
    tmp_path, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(running.time, "time", lambda: now[0])
    with Timer(tmp_path):
        now[0] += 120
    assert Timer(tmp_path).minutes == pytest.approx(2)
    with pytest.raises(Killed), Timer(tmp_path):
        now[0] += 60
        raise Killed
    assert Timer(tmp_path).minutes == pytest.approx(3)
    Timer(tmp_path).__enter__()  # killed outright
    assert Timer(tmp_path).minutes == pytest.approx(3)
    last = tmp_path / "last.ckpt"
    last.write_text("", encoding="utf-8")
    os.utime(last, (now[0] + 30, now[0] + 30))
    assert Timer(tmp_path).minutes == pytest.approx(3.5)


def test_phantoms_take_the_place_of_the_data(spec, tmp_path, monkeypatch):
    drawn = []
    write = phantoms.write

    def counted(folder, patients, seed, *, planes):
        drawn.append((patients, planes))
        return write(folder, patients, seed, planes=planes)

    monkeypatch.setattr(phantoms, "write", counted)
    places = Places(None, tmp_path, tmp_path)
    (outcome,) = list(perform(spec.only(["rate=0.02"]), "smoke", places))
    assert outcome.facts["status"] == "done"
    assert drawn == [(3, ("head",))]
    perform(spec.only(["rate=0.02"]), "smoke", places)
    assert len(drawn) == 1
    (folder,) = tmp_path.glob("phantoms-*")
    assert len(data.load("phantom", folder)) == 3


def test_volumes_take_the_place_of_the_data_and_are_drawn_once(spec, tmp_path, monkeypatch):
    drawn = []

    def write(folder, series):
        drawn.append((folder.name, series.count, series.size))
        folder.mkdir(parents=True)
        (folder / data.VOLUMES).touch()

    monkeypatch.setattr(phantoms3d, "write", write)
    asked = dataclasses.replace(spec, budgets={"smoke": Budget(volumes=12, size="tiny")})
    places = Places(None, tmp_path, tmp_path)
    for _ in range(2):
        with pytest.raises(DataError):  # the table that was drawn here is empty
            perform(asked.only(["rate=0.02"]), "smoke", places)
    assert drawn == [("volumes-12-clinical-tiny", 12, "tiny")]
