"""Earlier exams of the same pregnancy, from a folder of their JSON documents.

Documents hold no name: that they are of the same woman is what the person says who gives the
folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetometry import report
from fetometry.errors import DataError, UsageError
from fetometry.growth import Growth, velocities
from fetometry.report.history import History
from fetometry.types import Exam

#: What the schema of an exam's document begins with, whatever its version.
SCHEMA = "fetometry-exam/"


@dataclass(frozen=True)
class Earlier:
    """One earlier exam: the document it was read from, and its growths by fetus."""

    source: str
    growth: Mapping[str, Growth]


def read_previous(folder: Path) -> tuple[Earlier, ...]:
    """Read every exam in a folder and the folders in it; other JSON files are passed over.

    Raises:
        UsageError: there is no exam.
        DataError: an exam cannot be read.
    """
    paths = [path for path in sorted(folder.rglob("*.json")) if _is_exam(path)]
    if not paths:
        raise UsageError(f"--previous: no exam.json in {folder}; it is the folder of earlier exams")
    return tuple(
        Earlier(path.relative_to(folder).as_posix(), report.read_exam(path).growth)
        for path in paths
    )


def _is_exam(path: Path) -> bool:
    try:
        text = path.read_bytes()
        document = json.loads(text)
    except OSError:
        return False
    except ValueError:
        if SCHEMA.encode() in text:
            raise DataError(f"--previous: {path}: an exam that was cut short, or changed") from None
        return False
    schema = document.get("schema") if isinstance(document, dict) else None
    return isinstance(schema, str) and schema.startswith(SCHEMA)


def histories(exam: Exam, earlier: Sequence[Earlier]) -> dict[str, History]:
    """Return by fetus the earlier exams that can be compared with an exam."""
    return {fetus: _history(growth, fetus, earlier) for fetus, growth in exam.growth.items()}


def _history(now: Growth, fetus: str, earlier: Sequence[Earlier]) -> History:
    taken: list[tuple[float, str, Growth]] = []
    left: list[tuple[str, str]] = []
    for exam in earlier:
        before = exam.growth.get(fetus)
        reason = _not_comparable(now, before)
        if reason:
            left.append((exam.source, reason))
        elif before is not None and before.age is not None:
            taken.append((before.age.days, exam.source, before))
    taken.sort(key=lambda item: item[:2])
    growths = tuple(growth for _, _, growth in taken)
    changes = velocities((*growths, now))
    return History(growths, tuple(source for _, source, _ in taken), changes, tuple(left))


def _not_comparable(now: Growth, before: Growth | None) -> str:
    """Return why an earlier exam cannot be compared, or nothing."""
    if now.age is None or now.age.estimated:
        return "the age at this exam is not known from dates"
    if before is None or before.age is None:
        return "it has no growth of this fetus, or no age"
    if before.age.estimated:
        return "its age was estimated from its measurements"
    if before.age.days >= now.age.days:
        return "its age is not below that of this exam"
    return ""
