"""An exam that somebody looks at: what of it does not change, read once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from fetometry import image as reading
from fetometry.pipeline import Settings, Visit
from fetometry.pipeline.previous import Earlier
from fetometry.serve.web.proposals import Seen
from fetometry.serve.web.store import Kept
from fetometry.serve.web.uploads import Files, plain
from fetometry.serve.web.words import page_words
from fetometry.types import Exam

Json = dict[str, Any]

#: Exams, and files of each, that a refusal names.
MOST_EXAMS, MOST_FILES = 5, 3


@dataclass
class Opened:
    """An exam that somebody looks at: what does not change, and what was made of it last."""

    settings: Settings
    paths: tuple[str, ...]
    said: Mapping[str, str]
    seen: dict[str, Seen] = field(default_factory=dict)
    proposal: Exam | None = None
    earlier: tuple[Earlier, ...] = ()
    done: int = 0
    latest: tuple[int, Exam] | None = None
    signed: tuple[int, Earlier] | None = None


@dataclass(frozen=True)
class Reviewed:
    """An exam with its review, and what is needed to write it; `names` are those people know."""

    exam: Exam
    settings: Settings
    names: Mapping[str, str]
    earlier: tuple[Earlier, ...]

    def plain(self, text: str) -> str:
        """Return a text in the page's words, with the names of files that people know."""
        for path, name in self.names.items():
            text = text.replace(path, name)
        return page_words(text)


def names_of(kept: Kept) -> list[str]:
    """Return the names of an exam's files on disk."""
    return [name for _, name in kept.files]


def without_paths(text: str, paths: Sequence[str]) -> str:
    """Return a reason in the page's words, without the places on disk that it mentions."""
    for path in paths:
        text = text.replace(f"{path}: ", "").replace(path, "the image")
    return page_words(text)


def who(paths: Sequence[Path]) -> str:
    """Return the patient's id with its issuer, as the first DICOM file says."""
    for path in paths:
        header = reading.read_header(path)
        if header is not None and header.get("PatientID"):
            return f"{header.get('PatientID')}\0{header.get('IssuerOfPatientID', '')}"
    return ""


def several(visits: Sequence[Visit], files: Files) -> str:
    """Return why files are not one exam, with the names of those of each patient."""
    given = {name: shown for shown, name in files}
    parts = []
    for visit in visits[:MOST_EXAMS]:
        names = [given[path.name] for path in visit.files]
        more = len(names) - MOST_FILES
        listed = ", ".join(names[:MOST_FILES])
        parts.append(f"{listed} and {more} more" if more > 0 else listed)
    if len(visits) > MOST_EXAMS:
        parts.append(f"and {len(visits) - MOST_EXAMS} more exams")
    said = "; ".join(parts)
    return f"these are {len(visits)} patients' exams ({said}): upload each by itself"


def unreadable(seen: Sequence[Seen], kept: Kept, paths: Sequence[str]) -> str:
    """Return why nothing of an exam can be looked at, file by file."""
    shown = [name for name, _ in kept.files]
    said = [
        f"{name}: {without_paths(one.reason, paths)}" for name, one in zip(shown, seen, strict=True)
    ]
    left = len(said) - MOST_FILES
    more = [f"and {left} more files"] if left > 0 else []
    return "; ".join(["no image of this exam can be read", *said[:MOST_FILES], *more])


def studies_of(paths: Sequence[Path]) -> Iterator[str]:
    """Yield what says that two exams are of one study: its UID in a header, or a file's content."""
    for path in paths:
        yield f"file\0{hashlib.sha256(path.read_bytes()).hexdigest()}"
        header = reading.read_header(path)
        if header is not None and header.get("StudyInstanceUID"):
            yield f"study\0{header.get('StudyInstanceUID')}"


def patient_of(paths: Sequence[str]) -> Json | None:
    """Return whose exam it is, as the first DICOM file says; it is kept in memory alone."""
    for path in paths:
        try:
            changed = Path(path).stat().st_mtime_ns
        except OSError:
            continue
        found = _patient(path, changed)
        if found is not None:
            return dict(found)
    return None


@lru_cache(maxsize=4096)
def _patient(path: str, changed: int) -> Json | None:
    header = reading.read_header(Path(path))
    if header is None:
        return None
    return {
        "name": plain(str(header.get("PatientName", "")).replace("^", " ").strip()),
        "id": plain(str(header.get("PatientID", ""))),
        "birth_date": plain(str(header.get("PatientBirthDate", ""))),
    }
