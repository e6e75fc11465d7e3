"""The command `report`."""

import pytest
from typer.testing import CliRunner

from fetometry import pipeline
from fetometry.cli import app
from fetometry.report import write
from tests.report.growth_examples import grown_exam


@pytest.fixture
def asked(monkeypatch):
    """What the pipeline is asked for."""
    calls = []

    def record(document, folder, **said):
        calls.append((document, folder, said))
        return grown_exam(), [folder / "report.html"]

    monkeypatch.setattr(pipeline, "report_again", record)
    return calls


def test_the_files_that_were_written_are_named(asked, tmp_path):
    write(grown_exam(), tmp_path, ["json"])
    document, out, before = tmp_path / "exam.json", tmp_path / "out", tmp_path / "before"
    done = CliRunner().invoke(
        app, ["report", str(document), "--out", str(out), "--previous", str(before)]
    )
    assert done.exit_code == 0
    assert "report.html" in done.output
    assert asked == [(document, out, {"kinds": ["html", "pdf"], "previous": before})]


def test_a_document_that_is_not_there_is_an_error_in_one_line(tmp_path):
    done = CliRunner().invoke(app, ["report", str(tmp_path / "exam.json")])
    assert done.exit_code != 0
    assert "cannot read" in done.output
