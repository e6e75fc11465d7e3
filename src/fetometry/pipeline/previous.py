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

#: Why an exam is no earlier one.
ITSELF = "its images are of the visit of this exam itself"


@dataclass(frozen=True)
class Earlier:
    """One earlier exam: the document it was read from, and its growths by fetus.

    `visits` are the pseudonyms of the visits that its images are of, where they say so; `when` is
    its date, ISO 8601, where it is known: a document does not hold it.
    """

    source: str
    growth: Mapping[str, Growth]
    visits: frozenset[str] = frozenset()
    when: str = ""


def read_previous(folder: Path) -> tuple[Earlier, ...]:
    """Read every exam in a folder and the folders in it; other JSON files are passed over.

    Raises:
        UsageError: there is no exam.
        DataError: an exam cannot be read.
    """
    paths = [path for path in sorted(folder.rglob("*.json")) if _is_exam(path)]
    if not paths:
        raise UsageError(f"--previous: no exam.json in {folder}; it is the folder of earlier exams")
    found = []
    for path in paths:
        exam = report.read_exam(path)
        name = path.relative_to(folder).as_posix()
        found.append(Earlier(name, exam.growth, visits_in(exam)))
    return tuple(found)


def visits_in(exam: Exam) -> frozenset[str]:
    """Return the pseudonyms of the visits that the images of an exam say they are of."""
    said = [finding.exam for finding in exam.findings]
    said += [volume.exam for volume in exam.volumes] + [problem.exam for problem in exam.problems]
    return frozenset(filter(None, said))


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
    own = visits_in(exam)
    others = [one for one in earlier if not one.visits & own]
    itself = [(one.source, ITSELF) for one in earlier if one.visits & own]
    return {fetus: _history(growth, fetus, others, itself) for fetus, growth in exam.growth.items()}


def _history(
    now: Growth, fetus: str, earlier: Sequence[Earlier], itself: Sequence[tuple[str, str]]
) -> History:
    taken: list[tuple[float, str, Growth, str]] = []
    left = list(itself)
    for exam in earlier:
        before = exam.growth.get(fetus)
        reason = _not_comparable(now, before)
        if reason:
            left.append((exam.source, reason))
        elif before is not None and before.age is not None:
            taken.append((before.age.days, exam.source, before, exam.when))
    taken.sort(key=lambda item: item[:2])
    growths = tuple(growth for _, _, growth, _ in taken)
    changes = velocities((*growths, now))
    sources, whens = (tuple(str(item[k]) for item in taken) for k in (1, 3))
    return History(growths, sources, changes, tuple(left), whens)


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
