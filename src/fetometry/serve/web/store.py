"""What is kept: exams with their files, and every edit, undoing and signature of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fetometry.errors import UsageError
from fetometry.serve.node.disk import Lock
from fetometry.serve.web.problems import Refusal
from fetometry.serve.web.schema import open_database, transaction

MEASURING, READY, FAILED, DELETED = "measuring", "ready", "failed", "deleted"

UNREAD = "no image of this exam could be measured"

#: The model's proposal of an exam, beside its files.
PROPOSAL = "proposal.json"

#: Digits of the pseudonym of a patient and of an exam.
DIGITS = 16


@dataclass(frozen=True)
class Kept:
    """An exam as it is kept: its state, what was asked for, and its files.

    `files` are pairs of the name that a person gave and the name on disk; `origin` is the key of
    the worklist's item that it came from; `patient` a pseudonym, `study` those of its study and of
    its files, parted by spaces.
    """

    id: str
    number: int
    created: str
    label: str
    state: str
    reason: str
    origin: str
    patient: str
    study: str
    asked: Mapping[str, Any]
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class New:
    """An exam that is to be kept."""

    files: tuple[tuple[str, str], ...]
    asked: Mapping[str, Any]
    label: str = ""
    origin: str = ""
    patient: str = ""
    study: str = ""


@dataclass(frozen=True)
class Entry:
    """One edit as it is kept; `image` counts from 0 and is None of what is said of all."""

    number: int
    action: str
    image: int | None
    frame: int | None
    value: Mapping[str, Any]
    before: Mapping[str, Any]
    reviewer: str
    at: str
    model: str
    undone: str = ""


@dataclass(frozen=True)
class Signature:
    """Who signed which revision of an exam off, and when."""

    reviewer: str
    at: str
    revision: int


@dataclass(frozen=True)
class Trail:
    """All that was done to an exam; its `revision` grows with every edit and every undoing."""

    entries: tuple[Entry, ...] = ()
    signatures: tuple[Signature, ...] = ()

    @property
    def revision(self) -> int:
        """How much was done."""
        return len(self.entries) + sum(1 for entry in self.entries if entry.undone)

    @property
    def signed(self) -> Signature | None:
        """The signature that holds: nothing was done after it."""
        last = self.signatures[-1] if self.signatures else None
        return last if last and last.revision == self.revision else None


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


class Store:
    """The folder of a page: its database and the files of exams. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._connection = open_database(self.folder)
        self._held = _held(self.folder)
        self._lock = threading.RLock()
        self._uploads.mkdir(mode=0o700, exist_ok=True)
        self._salt = bytes(self._connection.execute("SELECT salt FROM secret").fetchone()[0])
        known = {row["id"] for row in self._rows("SELECT id FROM exams")}
        for left in self._uploads.iterdir():  # an upload that was never kept
            if left.name not in known:
                shutil.rmtree(left, ignore_errors=True)

    @property
    def _uploads(self) -> Path:
        return self.folder / "uploads"

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._connection.close()
            self._held.release()

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return list(self._connection.execute(query, values))

    def pseudonym(self, text: str) -> str:
        """Return a name that stands for a text in this store alone; of nothing it is empty."""
        if not text:
            return ""
        return hmac.new(self._salt, text.encode(errors="replace"), hashlib.sha256).hexdigest()[
            :DIGITS
        ]

    # ---- exams

    def new_folder(self) -> tuple[str, Path]:
        """Return the id of an exam that is not kept yet, and its folder."""
        exam = secrets.token_hex(DIGITS // 2)
        folder = self._uploads / exam
        folder.mkdir(mode=0o700)
        return exam, folder

    def folder_of(self, exam: str) -> Path:
        """Return the folder of an exam's files."""
        return self._uploads / exam

    def drop(self, exam: str) -> None:
        """Remove the files of an exam."""
        shutil.rmtree(self.folder_of(exam), ignore_errors=True)

    def add(self, exam: str, new: New, most: int) -> Kept:
        """Keep a new exam, which is to be measured.

        Raises:
            Refusal: there are as many as there may be.
        """
        with self._lock, transaction(self._connection):
            count = self._rows("SELECT count(*) FROM exams WHERE state <> ?", DELETED)[0][0]
            if count >= most:
                raise Refusal(409, f"there are {count} exams already; delete some of them first")
            number = self._rows("SELECT coalesce(max(number), 0) + 1 FROM exams")[0][0]
            self._rows(
                "INSERT INTO exams (number, id, created, label, state, origin, patient, study,"
                " asked, files) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                number, exam, now(), new.label or f"Exam {number}", MEASURING, new.origin,
                new.patient, new.study, json.dumps(dict(new.asked)), json.dumps(new.files),
            )  # fmt: skip
        return self.exam(exam)

    def exam(self, exam: str) -> Kept:
        """Return an exam.

        Raises:
            Refusal: there is none, or it was deleted.
        """
        rows = self._rows("SELECT * FROM exams WHERE id = ?", exam)
        if not rows or rows[0]["state"] == DELETED:
            raise Refusal(404, "there is no such exam; it may have been deleted")
        return _kept(rows[0])

    def exams(self) -> list[Kept]:
        """Return all exams that were not deleted, the newest first."""
        query = "SELECT * FROM exams WHERE state <> ? ORDER BY number DESC"
        return [_kept(row) for row in self._rows(query, DELETED)]

    def before(self, kept: Kept) -> list[Kept]:
        """Return the earlier exams of the same patient, the oldest first; not of the same study."""
        query = "SELECT * FROM exams WHERE patient = ? AND patient <> '' AND number < ?"
        rows = self._rows(
            f"{query} AND state = ? ORDER BY number", kept.patient, kept.number, READY
        )
        found = [_kept(row) for row in rows]
        return [one for one in found if not set(one.study.split()) & set(kept.study.split())]

    def measured(self, exam: str, state: str, reason: str = "") -> None:
        """Say what became of the measuring of an exam, unless it was deleted meanwhile."""
        query = "UPDATE exams SET state = ?, reason = ? WHERE id = ? AND state = ?"
        self._rows(query, state, reason, exam, MEASURING)

    def delete(self, exam: str) -> None:
        """Remove an exam's files and names; what was done to it stays.

        Raises:
            Refusal: there is no such exam.
        """
        self.exam(exam)
        query = (
            "UPDATE exams SET state = ?, label = '', reason = '', patient = '', study = '',"
            " origin = '', files = '[]', asked = '{}' WHERE id = ?"
        )
        self._rows(query, DELETED, exam)
        self.drop(exam)

    # ---- what people did

    def trail(self, exam: str) -> Trail:
        """Return all that was done to an exam, even to one that was deleted.

        Raises:
            Refusal: there never was such an exam.
        """
        with self._lock:
            if not self._rows("SELECT 1 FROM exams WHERE id = ?", exam):
                raise Refusal(404, "there is no such exam")
            entries = self._rows(
                "SELECT edits.*, coalesce(undone.at, '') AS undone FROM edits LEFT JOIN undone"
                " ON undone.exam = edits.exam AND undone.edit = edits.number"
                " WHERE edits.exam = ? ORDER BY edits.number",
                exam,
            )
            query = "SELECT * FROM signatures WHERE exam = ? ORDER BY number"
            signatures = self._rows(query, exam)
        return Trail(
            tuple(_entry(row) for row in entries),
            tuple(Signature(row["reviewer"], row["at"], row["revision"]) for row in signatures),
        )

    def _checked(self, exam: str, revision: int | None) -> Trail:
        kept, trail = self.exam(exam), self.trail(exam)
        if kept.state == FAILED:
            raise Refusal(409, f"{UNREAD}: there is nothing to correct or to sign")
        if kept.state != READY:
            raise Refusal(409, "the exam is not measured yet: wait until it is")
        if revision is not None and revision != trail.revision:
            raise Refusal(
                409,
                f"somebody else changed the exam: it is at revision {trail.revision}, not "
                f"{revision}; look at it again",
                "revision",
            )
        return trail

    def add_edit(self, exam: str, entry: Entry, revision: int | None) -> Entry:
        """Keep an edit; its number and time are given here.

        Raises:
            Refusal: the exam is at another revision, or there is nothing to edit.
        """
        with self._lock, transaction(self._connection):
            trail = self._checked(exam, revision)
            number, at = len(trail.entries) + 1, now()
            self._rows(
                "INSERT INTO edits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                exam, number, entry.action, entry.image, entry.frame,
                json.dumps(dict(entry.value)), json.dumps(dict(entry.before)),
                entry.reviewer, at, entry.model,
            )  # fmt: skip
        return self.trail(exam).entries[number - 1]

    def undo(self, exam: str, revision: int | None) -> None:
        """Take back the last edit that holds.

        Raises:
            Refusal: the exam is at another revision, or no edit holds.
        """
        with self._lock, transaction(self._connection):
            trail = self._checked(exam, revision)
            holding = [entry.number for entry in trail.entries if not entry.undone]
            if not holding:
                raise Refusal(409, "there is nothing to undo: all is as the model proposed it")
            self._rows("INSERT INTO undone VALUES (?, ?, ?)", exam, holding[-1], now())

    def sign(self, exam: str, reviewer: str, revision: int | None) -> Signature:
        """Keep a signature under an exam as it is now.

        Raises:
            Refusal: the exam is at another revision, or is not measured.
        """
        with self._lock, transaction(self._connection):
            trail = self._checked(exam, revision)
            signature = Signature(reviewer, now(), trail.revision)
            self._rows(
                "INSERT INTO signatures VALUES (?, ?, ?, ?, ?)",
                exam, len(trail.signatures) + 1, trail.revision, reviewer, signature.at,
            )  # fmt: skip
        return signature


def _held(folder: Path) -> Lock:
    """Hold the folder: what another page has not kept yet would be taken for a left-over."""
    try:
        return Lock(folder / "page.lock")
    except UsageError:
        raise UsageError(
            f"--data {folder}: another page is open on it; end that one, or give another folder"
        ) from None


def _kept(row: Any) -> Kept:
    fields = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row iterates its values
    asked, files = json.loads(fields.pop("asked")), json.loads(fields.pop("files"))
    return Kept(**fields, asked=asked, files=tuple((shown, name) for shown, name in files))


def _entry(row: Any) -> Entry:
    fields = {name: row[name] for name in row.keys() if name != "exam"}  # noqa: SIM118
    value, before = json.loads(fields.pop("value")), json.loads(fields.pop("before"))
    return Entry(**fields, value=value, before=before)
