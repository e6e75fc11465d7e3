"""The files of a report."""

import re
from dataclasses import replace

import pytest

from fetometry.errors import OutputError
from fetometry.report import (
    KINDS,
    REPORTS,
    ReportPaths,
    composing,
    report_paths,
    reports,
    write_reports,
)
from tests.conftest import files_in
from tests.report.growth_examples import all_grey, grown, grown_exam


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Charts in few pixels."""
    drawn = reports.as_png
    monkeypatch.setattr(reports, "as_png", lambda figure: drawn(figure, 20))
    monkeypatch.setattr(composing, "as_png", lambda figure, dpi: drawn(figure, 20))


def test_reports_are_kinds_of_output():
    assert REPORTS == ("html", "pdf", "chart")
    assert set(REPORTS) < set(KINDS)


def test_one_exam_has_its_report_in_the_folder_and_several_by_their_names(tmp_path):
    one = grown_exam()
    assert report_paths([one], tmp_path) == [
        ReportPaths(tmp_path / "report.html", tmp_path / "report.pdf", tmp_path / "charts")
    ]
    exams = tmp_path / "exams"
    assert report_paths([one, replace(one, name="b/c")], tmp_path) == [
        ReportPaths(exams / "ward 3.html", exams / "ward 3.pdf", exams / "ward 3-charts"),
        ReportPaths(exams / "b_c.html", exams / "b_c.pdf", exams / "b_c-charts"),
    ]


def test_html_and_pdf_say_the_same_and_hold_no_link(tmp_path):
    shown = grown_exam(grown(names=("HC",)), name="w\udcffrd & 3")
    (paths,) = report_paths([shown], tmp_path)
    written = write_reports(shown, all_grey(shown), {}, paths, ["html", "pdf"])
    assert written == [tmp_path / "report.html", tmp_path / "report.pdf"]
    text = written[0].read_text(encoding="utf-8")
    assert "w\\udcffrd &amp; 3" in text
    assert not re.search(r"https?://", text)
    assert written[1].read_bytes().startswith(b"%PDF-")


def test_charts_have_a_picture_and_a_drawing_each_and_twins_their_own(tmp_path):
    small = grown(names=("HC",))
    shown = replace(grown_exam(), growth={"A": small, "B": small})
    (paths,) = report_paths([shown], tmp_path)
    write_reports(shown, {}, {}, paths, ["chart"])
    assert files_in(tmp_path) == {
        f"charts/{fetus}_HC_intergrowth21_hc.{kind}" for fetus in "AB" for kind in ("png", "svg")
    }


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    shown = replace(grown_exam(), growth={"": grown(names=("HC",))})
    (tmp_path / "charts").write_text("in the way")
    (paths,) = report_paths([shown], tmp_path)
    with pytest.raises(OutputError, match="charts"):
        write_reports(shown, {}, {}, paths, ["chart"])
