"""Which files are one patient's visit: by what DICOM says, else one folder is one patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetometry import image as reading
from fetometry.errors import ImageError
from fetometry.types import Problem

#: Digits of a study's pseudonym that are enough to tell the exams of one call apart by name.
NAME_DIGITS = 8


@dataclass(frozen=True)
class Visit:
    """The files of one patient's visit; `name` is that of no other visit of the same call."""

    name: str
    files: tuple[Path, ...]


def find_all(paths: Iterable[Path]) -> tuple[list[Path], tuple[Problem, ...]]:
    """Return the images that paths stand for, each once, and a problem for each path without any.

    Raises:
        ImageError: none of the paths stands for an image.
    """
    files: dict[Path, None] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            files |= dict.fromkeys(reading.find(path))
        except ImageError as error:
            problems.append(Problem(str(path), None, str(error)))
        except OSError as error:  # a name that the file system does not take
            reason = f"{path}: cannot be looked up: {error.strerror}"
            problems.append(Problem(str(path), None, reason))
    if not files:
        raise ImageError("; ".join(problem.reason for problem in problems) or "no path was given")
    return list(files), tuple(problems)


def visits_of(files: Sequence[Path]) -> list[Visit]:
    """Part files by patient and study, in the order of their first files.

    DICOM files belong together by patient, issuer and study, in whatever folders they lie. All
    other files of a folder are one patient's: that of the folder's DICOM files, if these are one
    patient's too.
    """
    folders = [file.parent.resolve() for file in files]
    keys = [reading.exam_key(file) for file in files]
    studies: dict[Path, set[str]] = {}
    for folder, key in zip(folders, keys, strict=True):
        if key:
            studies.setdefault(folder, set()).add(key)
    parts: dict[str | Path, list[Path]] = {}
    for file, folder, key in zip(files, folders, keys, strict=True):
        here = studies.get(folder, set())
        own = key or (next(iter(here)) if len(here) == 1 else folder)
        parts.setdefault(own, []).append(file)
    names = _unique([_name(own) for own in parts])
    return [Visit(name, tuple(part)) for name, part in zip(names, parts.values(), strict=True)]


def _name(own: str | Path) -> str:
    if isinstance(own, Path):
        return own.name or "exam"  # the root folder has no name
    return f"study-{own[:NAME_DIGITS]}"


def _unique(names: Sequence[str]) -> list[str]:
    """Number the names that are not the only one; some systems do not tell upper from lower case.

    A number that would make another name is passed over.
    """
    taken = Counter(name.casefold() for name in names)
    given: set[str] = set()
    unique = []
    for name in names:
        number, new = 1, name
        while new.casefold() in given or (number > 1 and new.casefold() in taken):
            number += 1
            new = f"{name}-{number}"
        given.add(new.casefold())
        unique.append(new)
    return unique
