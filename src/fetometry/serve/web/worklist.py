"""Exams that wait: those of a folder, and those that a node has received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fetometry.errors import FetometryError, ImageError
from fetometry.pipeline import Visit, find_all, visits_of
from fetometry.serve.node.store import Store as NodeStore
from fetometry.serve.web import uploads
from fetometry.serve.web.desk import Desk
from fetometry.serve.web.opened import patient_of, who
from fetometry.serve.web.problems import Refusal
from fetometry.serve.web.store import Kept

FOLDER, NODE = "folder", "node"

#: Where a node keeps the images of each study.
OBJECTS = "objects"

NEW, OPENED, SIGNED = "new", "open", "signed"


@dataclass(frozen=True)
class Item:
    """An exam that waits: its key, what it is called, its files, and where they lie.

    `study` is what a node calls its study.
    """

    key: str
    label: str
    files: tuple[Path, ...]
    origin: str
    study: str = ""


def items(desk: Desk) -> Iterator[Item]:
    """Yield the exams that wait, those of the folder first."""
    settings = desk.settings
    if settings.folder is not None:
        yield from _visits(desk, settings.folder, FOLDER)
    if settings.store is not None and (settings.store / OBJECTS).is_dir():
        for folder in sorted((settings.store / OBJECTS).iterdir()):
            yield from _visits(desk, folder, NODE)


def _visits(desk: Desk, folder: Path, origin: str) -> Iterator[Item]:
    try:
        found, _ = find_all([folder])
    except ImageError:
        return
    files = [file for file in found if _is_inside(file, folder, desk.store.folder)]
    for visit in _parted(tuple((file, _changed(file)) for file in files)):
        first = str(visit.files[0].absolute())
        key = desk.store.pseudonym(f"{origin}\0{visit.name}\0{first}")
        study = folder.name if origin == NODE else ""
        yield Item(key, uploads.plain(visit.name), visit.files, origin, study)


def _is_inside(file: Path, folder: Path, own: Path) -> bool:
    """Tell whether a file lies in the folder itself, and not on the desk already.

    A link in it may lead to any file of this machine; only what was put there is offered.
    """
    place = file.resolve()
    return place.is_relative_to(folder.resolve()) and not place.is_relative_to(own.resolve())


@lru_cache(maxsize=1024)
def _parted(files: tuple[tuple[Path, int], ...]) -> tuple[Visit, ...]:
    """Part files by patient; their headers are read once, as long as they are the same files."""
    return tuple(visits_of([file for file, _ in files]))


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def listed(desk: Desk) -> list[dict[str, Any]]:
    """Return the exams that wait as JSON has them, with what became of each."""
    opened: dict[str, Kept] = {}
    for kept in reversed(desk.store.exams()):
        if kept.origin:
            opened[kept.origin] = kept
    return [_listed(desk, item, opened.get(item.key)) for item in items(desk)]


def _listed(desk: Desk, item: Item, kept: Kept | None) -> dict[str, Any]:
    state = NEW
    if kept is not None:
        state = SIGNED if desk.store.trail(kept.id).signed else OPENED
    return {
        "key": item.key,
        "label": item.label,
        "patient": patient_of([str(file) for file in item.files]),
        "images": len(item.files),
        "when": _when(item.files),
        "state": state,
        "from": item.origin,
        "exam": kept.id if kept else None,
    }


def _when(files: Sequence[Path]) -> str:
    try:
        latest = max(file.stat().st_mtime for file in files)
    except OSError:
        return ""
    return datetime.fromtimestamp(latest, UTC).replace(microsecond=0).isoformat()


def begin(desk: Desk, key: str) -> Kept:
    """Take an exam of the worklist onto the desk: its files are copied, and measured.

    Raises:
        Refusal: it does not wait there any more, has too many files, or cannot be read.
    """
    item = next((item for item in items(desk) if item.key == key), None)
    if item is None:
        raise Refusal(404, "there is no such exam on the worklist any more")
    limits = desk.settings.limits
    if len(item.files) > limits.files:
        raise Refusal(413, f"an exam has up to {limits.files} files; this has {len(item.files)}")
    try:
        size = sum(file.stat().st_size for file in item.files)
        if size > limits.upload_bytes:
            raise Refusal(413, f"an exam has up to {limits.upload_bytes // 2**20} MB")
        return _copied(desk, item)
    except OSError as error:
        raise Refusal(409, f"the files cannot be read: {error.strerror}") from None


def _earlier(desk: Desk, item: Item) -> list[Path]:
    """Return the documents of what the node answered to the patient's earlier studies."""
    if desk.settings.store is None or not item.study:
        return []
    try:
        with NodeStore.look(desk.settings.store) as node:
            return node.earlier_exams(node.patient_key(who(item.files)), item.study)
    except FetometryError:  # the images are there all the same
        return []


def _copied(desk: Desk, item: Item) -> Kept:
    def put(folder: Path) -> uploads.Files:
        with ExitStack() as stack:
            given = [
                (uploads.shown_name(file.name), stack.enter_context(file.open("rb")))
                for file in item.files
            ]
            earlier = ((file.name, stack.enter_context(file.open("rb"))) for file in before)
            return uploads.keep(folder, (*given, *earlier))

    before = _earlier(desk, item)

    return desk.begin(put, {}, label=item.label, origin=item.key)
