"""Every paper's smallest budget, from phantoms to table and figures, by the commands of a user."""

import csv
import json

import pytest

pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

from typer.testing import CliRunner

from fetometry.cli import app
from fetometry.training.sweep.spec import find_spec, plan, read_spec

PAPERS = {
    "qazi2023": ("setting-curve.png", "loss-curves.png", "panels.jpg"),
    "sobhaninia2019": ("loss-curves.png", "panels.jpg"),
    "zhang2020": ("bars.png", "loss-curves.png", "panels.jpg", "saliency.jpg"),
    "wang2019": ("bland-altman.png", "loss-curves.png", "panels.jpg"),
    "wang2023": ("parameter-accuracy.png", "loss-curves.png", "panels.jpg"),
}

pytestmark = [pytest.mark.train, pytest.mark.slow]


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module", params=PAPERS)
def reproduced(request, tmp_path_factory):
    """A paper, the folder of its runs, and that of its results."""
    folder = tmp_path_factory.mktemp(request.param)
    run(
        *("reproduce", request.param, "--budget", "smoke"),
        *("--runs", folder / "runs", "--out", folder / "results"),
    )
    return request.param, folder / "runs", folder / "results"


def written(out):
    files = sorted(path for path in out.rglob("*") if path.suffix in (".csv", ".md"))
    return {path: path.read_bytes() for path in files}


def test_every_cell_has_numbers_in_one_tidy_table(reproduced):
    paper, _, out = reproduced
    spec = read_spec(find_spec(paper))
    with (out / f"{paper}.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    measured = {line["row"] for line in lines if line["value"]}
    assert measured == {run.cell.table_row for run in plan(spec, "smoke")}
    assert {line["budget"] for line in lines if line["value"]} == {"smoke"}


def test_the_figures_of_the_paper_are_drawn(reproduced):
    paper, _, out = reproduced
    drawn = {path.name for path in (out / paper / "figures").iterdir()}
    assert drawn == set(PAPERS[paper])


def test_table_and_numbers_come_again_from_the_results_of_every_image(reproduced):
    paper, _, out = reproduced
    before = written(out)
    (out / f"{paper}.csv").unlink()
    (out / f"{paper}.md").unlink()
    run("collect", out / paper)
    assert written(out) == before


def test_the_exported_models_measure_through_the_ordinary_command(reproduced, tmp_path):
    _, runs, _ = reproduced
    model = next(runs.glob("*/f0-r0/model.onnx"))
    shown = next(runs.glob("volumes-*/p*[0-9].nii.gz"), None)
    how = ()
    if shown is None:
        shown, how = tmp_path / "head.png", ("--mm-per-px", "0.2", "--plane", "head")
        run("phantom", "head", "--out", shown)
    asked = ("measure", shown, "--model", model, *how, "--out", tmp_path / "out")
    result = CliRunner().invoke(app, [str(word) for word in asked])
    exam = json.loads((tmp_path / "out" / "exam.json").read_text(encoding="utf-8"))
    # trained for seconds: it measures, or it says why not
    assert result.exit_code in (0, 1), result.output
    assert len(exam["findings"]) + len(exam["volumes"]) + len(exam["problems"]) >= 1
