"""Reports of exams: written with pictures where they are, again without measuring."""

from dataclasses import replace

import pytest

from fetometry import report
from fetometry.errors import OutputError, UsageError
from fetometry.pipeline import Settings, measure_into, report_again, reporting
from fetometry.types import Spacing
from tests.conftest import files_in, save, save_exam
from tests.report.growth_examples import grown, grown_exam

MM = Spacing((0.3, 0.3), "given")


@pytest.fixture
def told(monkeypatch):
    """What reports were made of: exam, pictures, history, kinds; nothing is drawn."""
    made = []

    def record(exam, pictures, history, paths, kinds):
        made.append((exam, pictures, history, kinds))
        paths.html.parent.mkdir(parents=True, exist_ok=True)
        paths.html.write_text("made")
        return [paths.html]

    monkeypatch.setattr(report, "write_reports", record)
    return made


def test_measuring_writes_a_report_of_every_exam_with_its_pictures(three_planes, told, tmp_path):
    save_exam(tmp_path / "in")
    out = tmp_path / "out"
    (exam,), written = measure_into(
        out, [tmp_path / "in"], Settings(spacing=MM), kinds=["html", "json"]
    )
    assert files_in(out) == {"exam.json", "report.html"}
    assert out / "report.html" in written
    ((shown, pictures, _, kinds),) = told
    assert shown == exam
    assert len(pictures) == 3
    assert kinds == {"html", "json"}


def test_without_being_asked_for_there_is_no_report(bright, told, tmp_path):
    measure_into(tmp_path / "out", [save(tmp_path / "a.png")], Settings(spacing=MM), kinds=["json"])
    assert told == []


def test_a_report_is_written_again_from_the_document_alone(told, tmp_path):
    report.write(grown_exam(), tmp_path, ["json"])
    out = tmp_path / "again"
    exam, written = report_again(tmp_path / "exam.json", out, kinds=["html"])
    assert written == [out / "report.html"]
    ((_, pictures, _, _),) = told
    # the images of the document are not there: the report says so
    assert pictures == {}
    assert exam.growth[""].weights == grown_exam().growth[""].weights


def test_a_document_that_does_not_say_which_values_count_makes_no_report(told, tmp_path):
    report.write(replace(grown_exam(), selected=()), tmp_path, ["json"])
    with pytest.raises(UsageError, match="measure again"):
        report_again(tmp_path / "exam.json", tmp_path / "again", kinds=["html"])
    assert told == []


def test_the_numbers_are_written_before_the_report(bright, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a library that fails")

    monkeypatch.setattr(report, "write_reports", broken)
    with pytest.raises(RuntimeError):
        measure_into(
            tmp_path / "out",
            [save(tmp_path / "a.png")],
            Settings(spacing=MM),
            kinds=["json", "pdf"],
        )
    assert len(report.read_exam(tmp_path / "out" / "exam.json").findings) == 1


def test_earlier_exams_are_put_beside(told, tmp_path):
    report.write(grown_exam(grown(154, 1.1)), tmp_path, ["json"])
    report.write(grown_exam(grown(140)), tmp_path / "before", ["json"])
    report_again(tmp_path / "exam.json", tmp_path, kinds=["html"], previous=tmp_path / "before")
    assert told[0][2][""].sources == ("exam.json",)


def test_a_report_that_cannot_be_written_is_a_problem_and_the_numbers_stay(
    bright, monkeypatch, tmp_path
):
    def fail(*_):
        raise OutputError("cannot write report.html: disk full")

    monkeypatch.setattr(report, "write_reports", fail)
    out = tmp_path / "out"
    (exam,), written = measure_into(
        out, [save(tmp_path / "a.png")], Settings(spacing=MM), kinds=["html", "json"]
    )
    assert [p.reason for p in exam.problems] == ["cannot write report.html: disk full"]
    assert written == [out / "exam.json"]
    assert "disk full" in (out / "exam.json").read_text()


def test_what_is_no_report_is_not_written_again(tmp_path):
    with pytest.raises(UsageError, match="csv"):
        report_again(tmp_path / "exam.json", tmp_path, kinds=["html", "csv"])


@pytest.mark.parametrize(
    ("kinds", "exams", "reason"),
    [(["json"], 1, "add --write html"), (["html"], 2, "2 patients' exams")],
)
def test_earlier_exams_that_nothing_would_show_are_refused(kinds, exams, reason, tmp_path):
    with pytest.raises(UsageError, match=reason):
        reporting.earlier_exams(tmp_path, kinds, exams)
