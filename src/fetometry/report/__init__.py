"""Stage 5, Exam → files: tables, JSON, and the pictures that show where numbers came from.

`write` makes the files that need the whole exam. Pictures need the pixels, and a folder of a
thousand images is not held in memory: `write_overlay` saves one at a time, as it is measured, and
`write_exam_picture` and `write_reports` need only those of the few findings that `exam_findings`
names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from fetometry.errors import UsageError
from fetometry.report.dicom_out import DICOM, Days, Sources, write_dicom
from fetometry.report.exam_json import exam_json, read_exam
from fetometry.report.exam_picture import draw_exam, exam_findings, write_exam_picture
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.growth_chart import draw_growth, draw_scores, growth_figures
from fetometry.report.history import History
from fetometry.report.names import exam_paths, overlay_names, overlay_path, volume_overlay_path
from fetometry.report.overlay import draw_overlay, write_overlay
from fetometry.report.reports import REPORTS, ReportPaths, report_paths, write_reports
from fetometry.report.table import hc18_csv, measurements_csv, summary_csv
from fetometry.report.volume_overlay import draw_volume_overlay, write_volume_overlay
from fetometry.report.write import atomic, prepare_folder
from fetometry.types import Exam

__all__ = [
    "DICOM",
    "FLAG_TEXT",
    "KINDS",
    "OVERLAY",
    "PICTURE",
    "REPORTS",
    "TABLES",
    "Days",
    "History",
    "ReportPaths",
    "Sources",
    "atomic",
    "checked_kinds",
    "draw_exam",
    "draw_growth",
    "draw_overlay",
    "draw_scores",
    "draw_volume_overlay",
    "exam_findings",
    "exam_paths",
    "growth_figures",
    "overlay_names",
    "overlay_path",
    "prepare_folder",
    "read_exam",
    "report_paths",
    "volume_overlay_path",
    "write",
    "write_dicom",
    "write_exam_picture",
    "write_overlay",
    "write_reports",
    "write_volume_overlay",
]

#: Kinds that need the pixels: one picture for each image measured, one for each exam.
OVERLAY, PICTURE = "overlay", "picture"

#: The kind that has a file for each exam.
JSON = "json"

#: Kind → the name of the file that holds all exams, and what writes its text.
TABLES: Mapping[str, tuple[str, Callable[..., str]]] = MappingProxyType(
    {
        "csv": ("measurements.csv", measurements_csv),
        "summary": ("summary.csv", summary_csv),
        "hc18": ("hc18.csv", hc18_csv),
    }
)

#: Everything that can be asked for.
KINDS = (OVERLAY, PICTURE, JSON, *TABLES, *REPORTS, *DICOM)


def checked_kinds(names: Iterable[str]) -> frozenset[str]:
    """Return the kinds of output asked for.

    Raises:
        UsageError: there is no such kind.
    """
    kinds = frozenset(name.strip() for name in names)
    unknown = sorted(kinds - frozenset(KINDS))
    if unknown:
        raise UsageError(
            f"there is no output {', '.join(unknown)!r}; choose from {', '.join(KINDS)}"
        )
    return kinds


def write(exams: Exam | Sequence[Exam], folder: Path, kinds: Collection[str]) -> list[Path]:
    """Write the files that hold whole exams, and return them in the order of `KINDS`.

    Tables hold all exams; each exam's JSON document is where `exam_paths` says. `kinds` may hold
    "overlay", "picture" and those of `REPORTS` and `DICOM`; they are the business of
    `write_overlay`, `write_exam_picture`, `write_reports` and `write_dicom`.

    Raises:
        UsageError: there is no such kind.
        OutputError: a file cannot be written; the ones before it are whole.
    """
    wanted = checked_kinds(kinds)
    several = (exams,) if isinstance(exams, Exam) else tuple(exams)
    paths = []
    if JSON in wanted:
        paths = exam_paths(several, folder, ".json")
        for exam, path in zip(several, paths, strict=True):
            _write_text(path, exam_json(exam))
    for kind, (name, text) in TABLES.items():
        if kind in wanted:
            _write_text(folder / name, text(*several))
            paths.append(folder / name)
    return paths


def _write_text(path: Path, text: str) -> None:
    # names that are not UTF-8 on disk come as lone surrogates; \udc80 is their JSON escape
    data = text.encode("utf-8", "backslashreplace")
    with atomic(path) as file:
        file.write(data)
