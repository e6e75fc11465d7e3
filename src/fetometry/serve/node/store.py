"""The durable queue: what was received, what was answered, what is still to be sent.

    DIR/node.sqlite            the truth; a file without its row is not there
    DIR/incoming/              while an object comes in
    DIR/objects/STUDY/UID.dcm  images, to be measured
    DIR/reports/STUDY/UID.dcm  reports that were fetched for the patient
    DIR/results/STUDY/N/       the N-th answer
    DIR/earlier/PATIENT/       what others keep of a patient; forgotten with her
    DIR/quarantine/N.dcm       what was refused, for a person to look at

STUDY and PATIENT are keyed hashes with a salt that every store makes for itself. Order of each
receipt: the file is on the disk, then its name, then its row, then the sender hears Success. So a
power cut at any moment leaves files without rows at worst, which `Store.open` removes.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fetometry.errors import DataError
from fetometry.serve.node import clearing, counting, disk, recording, schema, sends
from fetometry.serve.node.disk import NoRoom, explained
from fetometry.serve.node.keys import Keys, is_uid
from fetometry.serve.node.nouns import (
    ASIDE,
    IMAGE,
    REPORT,
    Accepted,
    Again,
    Forgotten,
    Job,
    Received,
    Result,
    Send,
    Status,
)
from fetometry.serve.node.quarantine import Quarantine

__all__ = ["Accepted", "Job", "NoRoom", "Received", "Result", "Send", "Status", "Store"]

#: After so many failures a study rests until new images come.
MAX_ATTEMPTS = 3


class Store:
    """The queue of one folder; all methods may be called from any thread."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, now: Callable[[], float]
    ) -> None:
        """Use `Store.open` or `Store.look`."""
        self.folder = folder
        self._now = now
        self._process_lock: disk.Lock | None = None
        self._forward = True
        self._opened = now()
        self._db = schema.Database(connection)
        row = self._db.all("SELECT value FROM meta WHERE key = 'salt'")[0]
        self._keys = Keys(bytes(row["value"]))
        self._quarantine = Quarantine(folder / "quarantine", connection)

    @classmethod
    def open(
        cls, folder: Path, *, now: Callable[[], float] = time.time, forward: bool = True
    ) -> Store:
        """Open a store for the node, and clear away what a killed one left half done.

        Without `forward` results are kept, and none is queued to be sent.

        Raises:
            UsageError: another node runs on it, it is of a later fetometry, or it has files and is
                no store; nothing was changed then.
            OutputError: the folder cannot be made or written.
        """
        with explained(f"--store: {folder} cannot be used"):
            clearing.refuse_strange(folder)
            disk.private_folder(folder)
            lock = disk.Lock(folder / disk.LOCK)
        try:
            connection = schema.open_database(folder)
            try:
                store = cls(folder, connection, now)
                with explained(f"--store: {folder} cannot be used"):
                    clearing.clear(folder, connection)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        store._process_lock, store._forward = lock, forward
        with contextlib.suppress(NoRoom):  # on a full disk the node has to say so, and not to end
            store._db.write("what waits cannot be noted", sends.ALL_DUE)
        return store

    @classmethod
    def look(cls, folder: Path) -> Store:
        """Open a store to read its status, while a node may be running on it.

        Raises:
            UsageError: there is none, or it is of a later fetometry.
            OutputError: it cannot be read.
        """
        return cls(folder, schema.open_readonly(folder), time.time)

    @classmethod
    def join(cls, folder: Path) -> Store:
        """Open a store to change what waits in it, while a node may be running on it.

        Raises:
            UsageError: there is none, or it is of a later fetometry.
            OutputError: it cannot be written.
        """
        schema.open_readonly(folder).close()  # there is one, and it is whole
        return cls(folder, schema.open_database(folder), time.time)

    def close(self) -> None:
        """Close the database, and let another node have the folder."""
        with self._db.mutex:
            self._db.connection.close()
            if self._process_lock:
                self._process_lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def study_key(self, study_uid: str) -> str:
        """Return what stands for a study in names, rows and logs."""
        return self._keys.study(study_uid)

    def patient_key(self, patient: str) -> str:
        """Return what stands for a patient, given as id + NUL + issuer, in `Job.patient`."""
        return self._keys.patient(patient, "")

    # --- receiving

    def incoming(self) -> Path:
        """Return a new name in DIR/incoming; the file is the caller's until it is accepted."""
        folder = self.folder / "incoming"
        folder.mkdir(exist_ok=True)
        return folder / f"{uuid.uuid4().hex}.dcm"

    def accept(self, received: Received, file: Path) -> Accepted:
        """Take an object over: when this returns it is on the disk, and may be answered for.

        The file is moved, or removed where it is here already.

        Raises:
            DataError: a UID that is none.
            NoRoom: the disk is full. Nothing was taken.
            OutputError: it cannot be written. Nothing was taken.
        """
        if not (is_uid(received.sop_uid) and received.study_uid):
            raise DataError("an object without a valid SOP Instance UID and Study Instance UID")
        with explained("an object cannot be stored"):
            disk.sync(file)
            with self._db.mutex:
                return self._take(received, file)

    def _take(self, received: Received, file: Path) -> Accepted:
        study = self.study_key(received.study_uid)
        target = self._object_path(study, received.sop_uid, received.kind)
        known = self._db.one("SELECT digest FROM objects WHERE sop_uid = ?", received.sop_uid)
        if known and known["digest"] != received.digest:
            file.unlink()
            return Accepted.DIFFERS
        if known and target.is_file():
            file.unlink()
            return Accepted.SAME
        disk.make_folder(target.parent.parent)
        disk.place(file, target)
        if known:  # somebody removed the file by hand
            return Accepted.SAME
        try:
            with schema.transaction(self._db.connection):
                patient = self._keys.patient(received.patient, received.study_uid)
                recording.receipt(self._db.connection, received, study, patient, self._now())
        except BaseException:
            # where the commit did reach the disk, the row says so, and the file has to stay
            if not self._db.one("SELECT 1 FROM objects WHERE sop_uid = ?", received.sop_uid):
                target.unlink(missing_ok=True)
            raise
        return Accepted.NEW

    def _object_path(self, study: str, sop_uid: str, kind: str) -> Path:
        folder = "reports" if kind == REPORT else "objects"
        return self.folder / folder / study / f"{sop_uid}.dcm"

    def quarantine(self, file: Path | None, reason: str, calling: str) -> None:
        """Put a bad object aside with its reason, and the oldest ones out where there are many.

        Without room for it, its file is removed.
        """
        with self._db.mutex, explained("a refused object cannot be kept"):
            self._quarantine.add(file, reason, calling, self._now())

    def put_aside(self, job: Job, file: Path, reason: str) -> None:
        """Measure an image of a study no more; a copy of it is put into quarantine.

        The object itself stays, so that the same one again is known.
        """
        with self._db.mutex, explained("an image cannot be put aside"):
            row = self._db.one("SELECT calling FROM objects WHERE sop_uid = ?", file.stem)
            self._db.write(
                "an image cannot be put aside",
                "UPDATE objects SET kind = ? WHERE sop_uid = ? AND study = ?",
                ASIDE, file.stem, job.study,
            )  # fmt: skip
            copy = self.incoming()
            shutil.copyfile(file, copy)
            self._quarantine.add(copy, reason, row["calling"] if row else "", self._now())

    # --- measuring

    def quiet_studies(self, quiet_s: float) -> list[Job]:
        """Return the studies that have images to be measured, and got none for so long.

        A study is quiet since its last image, its last attempt, or the opening of the store.
        """
        with self._db.mutex, explained("the store cannot be read"):
            rows = self._db.all(
                "SELECT *, max(last_image, last_attempt, ?) AS since FROM studies "
                "WHERE state = 'waiting' ORDER BY since, rowid",
                self._opened,
            )
            now = self._now()
            # a clock that was set back must not hold a study for days
            return [self._job(row) for row in rows if abs(now - row["since"]) >= quiet_s]

    def _job(self, row: sqlite3.Row) -> Job:
        study = row["study"]
        uids = self._db.all(
            "SELECT sop_uid FROM objects WHERE study = ? AND kind = ? ORDER BY rowid",
            study, IMAGE,
        )  # fmt: skip
        return Job(
            study=study,
            folder=self.folder / "objects" / study,
            generation=row["generation"],
            attempts=row["attempts"],
            patient=row["patient"],
            files=tuple(self._object_path(study, uid["sop_uid"], IMAGE) for uid in uids),
        )

    def results_folder(self, job: Job) -> Path:
        """Return the folder that the next answer is renamed to; the folder above it is there."""
        with self._db.mutex, explained("the folder of a result cannot be made"):
            folder = self._next_folder(job)
            disk.make_folder(self.folder / "results")
            disk.make_folder(folder.parent)
            disk.remove(folder)  # of an attempt that was never committed
            return folder

    def _next_folder(self, job: Job) -> Path:
        number = recording.next_number(self._db.connection, job.study)
        return self.folder / "results" / job.study / str(number)

    def finish(self, job: Job, results: Sequence[Result], outcome: str) -> None:
        """Commit the answer to a study, and queue what was not queued before: all or nothing.

        A study without results has "nothing measured". Images that came since the job was taken
        leave the study waiting.

        Raises:
            DataError: a result that is not in the folder of results, or a study that is gone.
            NoRoom: the disk is full. Nothing was committed.
            OutputError: it cannot be written. Nothing was committed.
        """
        with self._db.mutex, explained("an answer cannot be stored"):
            folder = self._next_folder(job)
            placed = recording.placed(self.folder, folder, results)
            if folder.is_dir():
                disk.sync_tree(folder)
            with schema.transaction(self._db.connection):
                recording.answer(self._db.connection, job, placed, outcome, self._now())
                if self._forward:
                    sends.queue(self._db.connection, job.study, placed, self._now())

    def fail(self, job: Job, reason: str) -> None:
        """Count a failure; the third one ends the attempts until new images come."""
        self._db.write(
            "a failure cannot be noted",
            "UPDATE studies SET attempts = attempts + 1, reason = ?, last_attempt = ?, "
            "state = iif(attempts + 1 >= ?, 'failed', state) "
            "WHERE study = ? AND generation = ? AND state = 'waiting'",
            reason, self._now(), MAX_ATTEMPTS, job.study, job.generation,
        )  # fmt: skip

    def last_result(self, study: str, kind: str = "sr") -> Path | None:
        """Return the last file of a kind that was committed for a study."""
        row = self._db.one(
            "SELECT path FROM results WHERE study = ? AND kind = ? ORDER BY id DESC LIMIT 1",
            study, kind,
        )  # fmt: skip
        return self.folder / row["path"] if row else None

    def earlier_exams(self, patient: str, study: str) -> list[Path]:
        """Return the exam.json of the last answers to the patient's other studies."""
        rows = self._db.all(
            "SELECT study, max(number) AS number FROM answers JOIN studies USING (study) "
            "WHERE patient = ? AND study <> ? GROUP BY study ORDER BY max(answers.rowid)",
            patient, study,
        )  # fmt: skip
        folders = [self.folder / "results" / row["study"] / str(row["number"]) for row in rows]
        return [path for folder in folders for path in sorted(folder.rglob("exam.json"))]

    def reports_of(self, patient: str) -> list[Path]:
        """Return the reports that were fetched for a patient, the first received first.

        The folder of each has the key of its study as its name.
        """
        rows = self._db.all(
            "SELECT study, sop_uid, kind FROM objects WHERE patient = ? AND kind = ? "
            "ORDER BY rowid",
            patient, REPORT,
        )  # fmt: skip
        return [self._object_path(row["study"], row["sop_uid"], row["kind"]) for row in rows]

    # --- sending

    def due_sends(self) -> list[Send]:
        """Return what may be sent now: of each study the first that is still queued.

        So a later result overtakes an earlier one of its study only where that stands aside. Ask
        again when it is sent.
        """
        with self._db.mutex, explained("the store cannot be read"):
            return sends.due(self._db.connection, self.folder, self._now())

    def sent(self, send: Send) -> None:
        """Note that the receiver has it."""
        self._change(send, sends.SENT, "", 0)

    def retry(self, send: Send, reason: str, after_s: float, *, aside: bool = False) -> None:
        """Note that it did not arrive, and is to be tried again after so many seconds.

        The others of its study wait for it, unless it stands `aside`.
        """
        self._change(send, sends.ASIDE if aside else sends.QUEUED, reason, after_s)

    def refused(self, send: Send, reason: str) -> None:
        """Note that the receiver will never take it; it is not tried again by itself."""
        self._change(send, sends.REFUSED, reason, 0)

    def _change(self, send: Send, state: str, reason: str, after_s: float) -> None:
        now = self._now()
        self._db.write(
            "the state of a result cannot be noted", sends.CHANGE,
            state, reason, now, now + after_s, send.id,
        )  # fmt: skip

    def requeue(self) -> Again:
        """Send refused results again, and measure failed studies again."""
        with self._db.mutex, explained("what was given up cannot be taken up again"):
            connection = self._db.connection
            with schema.transaction(connection):
                results = sends.again(connection, self._now())
                studies = connection.execute(
                    "UPDATE studies SET state = 'waiting', attempts = 0, reason = '', "
                    "last_attempt = 0 WHERE state = 'failed'"
                ).rowcount
            return Again(results, studies)

    # --- forgetting, counting

    def forget(self, before: float) -> Forgotten:
        """Remove the studies that nothing came for since then and that are wholly answered.

        Out of quarantine goes what is as old. What was refused keeps its study for as long again.
        Rows go first: files without rows are cleared when the store is opened.
        """
        with self._db.mutex, explained("old studies cannot be removed"):
            gone = clearing.forget(self.folder, self._db.connection, before)
            unsent = {study: count for study, count in gone.items() if count}
            return Forgotten(len(gone), self._quarantine.forget(before), unsent)

    def note_strangers(self, counts: Mapping[str, int]) -> None:
        """Add to how often callers were refused, by their titles."""
        db = self._db.connection
        with self._db.mutex, explained("callers cannot be noted"), schema.transaction(db):
            recording.strangers(db, counts, self._now())

    def status(self) -> Status:
        """Count everything."""
        with self._db.mutex, explained("the store cannot be read"):
            return counting.status(self.folder, self._db.connection, self._now())
