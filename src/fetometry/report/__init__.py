"""Stage 5, Exam → files: tables, JSON, and the pictures that show where numbers came from.

`write` makes the files that need the whole exam. Pictures need the pixels, and a folder of a
thousand images is not held in memory: `write_overlay` saves one at a time, as it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from fetometry.errors import UsageError
from fetometry.report.exam_json import exam_json, read_exam
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.names import overlay_names, overlay_path
from fetometry.report.overlay import draw_overlay, write_overlay
from fetometry.report.table import hc18_csv, measurements_csv
from fetometry.report.write import atomic, prepare_folder
from fetometry.types import Exam

__all__ = [
    "FILES",
    "FLAG_TEXT",
    "KINDS",
    "OVERLAY",
    "atomic",
    "checked_kinds",
    "draw_overlay",
    "overlay_names",
    "overlay_path",
    "prepare_folder",
    "read_exam",
    "write",
    "write_overlay",
]

OVERLAY = "overlay"

#: Kind → file name, and the text that it holds.
FILES: Mapping[str, tuple[str, Callable[[Exam], str]]] = MappingProxyType(
    {
        "json": ("exam.json", exam_json),
        "csv": ("measurements.csv", measurements_csv),
        "hc18": ("hc18.csv", hc18_csv),
    }
)

#: Everything that can be asked for.
KINDS = (OVERLAY, *FILES)


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


def write(exam: Exam, folder: Path, kinds: Collection[str]) -> list[Path]:
    """Write the files that hold the whole exam, and return them in the order of `KINDS`.

    `kinds` may hold "overlay"; those pictures are the business of `write_overlay`.

    Raises:
        UsageError: there is no such kind.
        OutputError: a file cannot be written; the ones before it are whole.
    """
    wanted = checked_kinds(kinds)
    paths = []
    for kind, (name, text) in FILES.items():
        if kind in wanted:
            # names that are not UTF-8 on disk come as lone surrogates; \udc80 is their JSON escape
            data = text(exam).encode("utf-8", "backslashreplace")
            with atomic(folder / name) as file:
                file.write(data)
            paths.append(folder / name)
    return paths
