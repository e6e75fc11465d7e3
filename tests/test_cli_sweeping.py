"""`sweep`, `reproduce` and `collect` on the command line; the runs are tested in
`tests/training/sweep`."""

import csv
from importlib.util import find_spec

import cv2
import pytest

from tests.training import toy
from tests.training.sweep import toy_sweep


def training(test):
    """Mark a test that trains."""
    missing = find_spec("lightning") is None
    return pytest.mark.train(pytest.mark.skipif(missing, reason="needs the train extra")(test))


@pytest.fixture
def paper(tmp_path):
    return toy_sweep.write(tmp_path / "recipes")


@pytest.fixture
def data(tmp_path):
    toy.make(tmp_path / "data", train=4, validation=2, test=2)
    return tmp_path / "data"


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@training
def test_a_sweep_trains_every_setting_and_ends_in_a_table(paper, data, run, tmp_path):
    out = tmp_path / "out"
    arguments = ("sweep", tmp_path / "recipes" / "toy.toml", "--data", data, "--out", out)
    over = ("--over", "fit.learning_rate=0.02,0.01", "--set", "heads.plane.weight=0.1")
    code, printed = run(*arguments, *over)
    assert code == 0
    assert "fit.learning_rate=0.02 f0-r0: done in" in printed
    assert "Checkpoint directory" not in printed
    assert str(out / "toy.csv") in printed.replace("\n", "")
    rows = {line["row"] for line in lines_of(out / "toy.csv") if line["metric"] == "HC ADF mm"}
    assert rows == {"fit.learning_rate=0.02", "fit.learning_rate=0.01"}
    table = (out / "toy.csv").read_bytes()
    code, printed = run(*arguments, *over)
    assert code == 0
    assert printed.count("(kept)") == 2
    assert (out / "toy.csv").read_bytes() == table


@training
def test_a_failed_run_is_said_and_is_the_exit_code_but_the_rest_is_collected(
    paper, data, run, tmp_path
):
    places = ("--runs", tmp_path / "runs", "--out", tmp_path / "results")
    cells = ("--cell", "broken", "--cell", "rate=0.01")
    code, printed = run("reproduce", paper, "--budget", "small", "--data", data, *places, *cells)
    assert code == 1
    assert "broken f0-r0: failed: [network]: unknown network 'nosuch'" in printed
    assert "rate=0.01 f0-r0: done in" in printed
    assert "1 failed" in printed
    panels = tmp_path / "results" / "toy2024" / "figures" / "panels.jpg"
    assert cv2.imread(str(panels)).mean() > 0
    assert str(panels) in printed.replace("\n", "")
    table = tmp_path / "results" / "toy2024.csv"
    known = {line["row"] for line in lines_of(table) if line["value"]}
    assert "rate=0.01" in known
    assert "broken" not in known
    text = table.read_bytes()
    table.unlink()
    code, printed = run("collect", tmp_path / "results" / "toy2024")
    assert code == 0
    assert table.read_bytes() == text


@training
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--budget", "huge"), "toy2024 has no budget 'huge'; it has: small, folded, smoke"),
        (("--budget", "small", "--cell", "none"), "no cell 'none'; it has: rate=0.02, broken"),
        (("--budget", "small"), "toy2024 small: say with --data where the images are"),
        (("--budget", "small", "--engine", "slurm"), "--engine slurm: unknown; allowed: serial"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(paper, run, tmp_path, arguments, said):
    runs = tmp_path / "runs"
    code, printed = run("reproduce", paper, "--runs", runs, *arguments)
    assert code == 2
    assert said in printed.replace("\n", " ")
    assert not runs.exists()


@training
def test_an_unknown_paper_is_refused_with_the_known_ones(run):
    code, printed = run("reproduce", "nobody1999")
    assert code == 2
    assert "no paper 'nobody1999' to reproduce; known: " in printed


@training
def test_an_option_that_is_no_list_is_refused(paper, data, run, tmp_path):
    recipe = tmp_path / "recipes" / "toy.toml"
    code, printed = run("sweep", recipe, "--data", data, "--over", "fit.epochs")
    assert code == 2
    assert "--over needs key=a,b" in printed


def test_results_that_are_not_there_are_refused(run, tmp_path):
    code, printed = run("collect", tmp_path / "nothing")
    assert code == 1
    assert "there is no such folder" in printed.replace("\n", " ")
