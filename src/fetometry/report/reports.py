"""The report of one exam as files: HTML, PDF, and its growth charts by themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetometry.report.composing import compose
from fetometry.report.exam_picture import Pictures
from fetometry.report.growth_chart import as_png, as_svg, figures_with
from fetometry.report.history import History
from fetometry.report.names import exam_paths, file_names
from fetometry.report.page_html import page_html
from fetometry.report.page_pdf import page_pdf
from fetometry.report.write import atomic
from fetometry.types import Exam

#: The kinds of output that show what an exam means.
HTML, PDF, CHART = "html", "pdf", "chart"
REPORTS = (HTML, PDF, CHART)

#: What the files of one exam alone are called.
REPORT, CHARTS = "report", "charts"


@dataclass(frozen=True)
class ReportPaths:
    """Where the report of one exam goes: two files, and a folder for its charts."""

    html: Path
    pdf: Path
    charts: Path


def report_paths(exams: Sequence[Exam], folder: Path) -> list[ReportPaths]:
    """Return for each exam where its report goes; no two of them the same.

    One alone is report.html, report.pdf and charts/; several are exams/NAME.html and so on.
    """
    if len(exams) == 1:
        return [ReportPaths(folder / f"{REPORT}.html", folder / f"{REPORT}.pdf", folder / CHARTS)]
    several = (exam_paths(exams, folder, suffix) for suffix in (".html", ".pdf", f"-{CHARTS}"))
    return [ReportPaths(*paths) for paths in zip(*several, strict=True)]


def write_reports(
    exam: Exam,
    pictures: Pictures,
    history: Mapping[str, History],
    paths: ReportPaths,
    kinds: Collection[str],
) -> list[Path]:
    """Write the kinds of `REPORTS` that are asked for, and return the files.

    `pictures` holds the pixels (H, W) of the findings that `exam_findings` names; `history` the
    earlier exams by fetus.

    Raises:
        OutputError: a file cannot be written; the ones before it are whole.
    """
    written = []
    if HTML in kinds or PDF in kinds:
        page = compose(exam, pictures, history)
        if HTML in kinds:
            # names that are not UTF-8 on disk come as lone surrogates
            written.append(_save(page_html(page).encode("utf-8", "backslashreplace"), paths.html))
        if PDF in kinds:
            written.append(_save(page_pdf(page), paths.pdf))
    if CHART in kinds:
        written += _write_charts(exam, history, paths.charts)
    return written


def _write_charts(exam: Exam, history: Mapping[str, History], folder: Path) -> list[Path]:
    """Save every chart of every fetus as a PNG and an SVG, named after what it shows."""
    written = []
    for fetus, growth in exam.growth.items():
        earlier = history.get(fetus, History()).growths
        figures = figures_with(growth, earlier)
        # a site's own charts have names that it chose
        names = file_names(f"{fetus}_{name}" if fetus else name for name in figures)
        for name, figure in zip(names, figures.values(), strict=True):
            written.append(_save(as_png(figure), folder / f"{name}.png"))
            written.append(_save(as_svg(figure), folder / f"{name}.svg"))
    return written


def _save(data: bytes, path: Path) -> Path:
    with atomic(path) as file:
        file.write(data)
    return path
