"""What the outputs of a source or of an exam are called."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fetometry.errors import OutputError
from fetometry.types import Exam, source_stem

OVERLAYS = "overlays"

#: The stem of the files of one exam, and the folder for those of several.
EXAM, EXAMS = "exam", "exams"

#: Longest name of an exam on disk: a file name holds 255 bytes, and a letter takes up to four.
MOST_LETTERS = 48

#: Signs that a file name may hold besides letters and digits.
PLAIN_SIGNS = frozenset("-_. ")

#: Names that Windows keeps for itself, with or without a suffix.
RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


def overlay_names(sources: Iterable[str], root: Path) -> dict[str, Path]:
    """Return for each source its place among the overlays, without frame and suffix.

    Folders below `root` are kept. Files of one folder that differ only in their suffix keep it,
    so that no overlay replaces another.

    Raises:
        OutputError: a source does not lie below `root`.
    """
    full = {source: _below(source, root) for source in sources}
    short = {source: path.with_name(source_stem(source)) for source, path in full.items()}
    # some file systems do not tell upper from lower case
    taken = Counter(str(path).casefold() for path in short.values())
    return {
        source: path if taken[str(path).casefold()] == 1 else full[source]
        for source, path in short.items()
    }


def overlay_path(folder: Path, name: Path, frame: int) -> Path:
    """Return the file of one overlay in the output folder; `name` is from `overlay_names`."""
    return folder / OVERLAYS / name.parent / f"{name.name}_f{frame}.png"


def volume_overlay_path(folder: Path, name: Path) -> Path:
    """Return the file of a volume's overlay in the output folder; `name` is as above."""
    return folder / OVERLAYS / name.parent / f"{name.name}_volume.png"


def exam_paths(exams: Sequence[Exam], folder: Path, suffix: str) -> list[Path]:
    """Return for each exam the file that is its own, in the output folder.

    One alone is exam.SUFFIX; several are exams/NAME.SUFFIX, no two of them the same.
    """
    if len(exams) == 1:
        return [folder / f"{EXAM}{suffix}"]
    return [folder / EXAMS / f"{name}{suffix}" for name in file_names(exam.name for exam in exams)]


def file_names(names: Iterable[str]) -> list[str]:
    """Return a name for a file, without its suffix, for each name: safe everywhere, no two alike.

    Those after the first of a name are numbered from 2.
    """
    given: set[str] = set()
    found = []
    for name in names:
        plain = _safe(name)
        number, new = 1, plain
        # some file systems do not tell upper from lower case
        while new.casefold() in given:
            number += 1
            new = f"{plain}-{number}"
        given.add(new.casefold())
        found.append(new)
    return found


def _safe(name: str) -> str:
    # some file systems do not tell a letter with its accent from the two of them
    letters = unicodedata.normalize("NFC", name)[:MOST_LETTERS]
    kept = "".join(sign if sign.isalnum() or sign in PLAIN_SIGNS else "_" for sign in letters)
    # a dot in front hides a file; dots and spaces at an end are lost on Windows
    plain = kept.strip(". ")
    return f"{EXAM}-{plain}" if plain.split(".")[0].casefold() in RESERVED else plain or EXAM


def _below(source: str, root: Path) -> Path:
    path, top = _plain(source), _plain(root)
    if not path.is_relative_to(top) or path == top:
        raise OutputError(f"no place for the overlay of {source}: it does not lie below {root}")
    return path.relative_to(top)


def _plain(path: str | Path) -> Path:
    # not `resolve`: a link keeps the name that the person gave
    return Path(os.path.normpath(Path(path).absolute()))
