"""Objects that were refused, kept for a person to look at; no more than a bounded number."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from fetometry.serve.node import disk, schema

MAX_FILES = 1000
MAX_BYTES = 2_000_000_000


class Quarantine:
    """A folder of numbered files, and a row with the reason for each."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection

    def add(self, file: Path | None, reason: str, calling: str, now: float) -> None:
        """Move a file in; without one, note the reason alone."""
        try:
            size = file.stat().st_size if file and file.is_file() else 0
            size = size if size <= MAX_BYTES else 0
            with schema.transaction(self._connection):
                row = self._connection.execute(
                    "INSERT INTO quarantine VALUES (NULL, ?, ?, ?, ?)", (reason, calling, size, now)
                )
                gone = self._drop_oldest()
            if file and size:
                disk.make_folder(self._folder)
                file.replace(self._folder / f"{row.lastrowid}.dcm")
            for number in gone:
                disk.remove(self._folder / f"{number}.dcm")
        finally:
            if file:
                file.unlink(missing_ok=True)

    def forget(self, before: float) -> int:
        """Remove what was put in before then; return how many."""
        with schema.transaction(self._connection):
            found = self._connection.execute("SELECT id FROM quarantine WHERE at < ?", (before,))
            gone = [row["id"] for row in found.fetchall()]
            self._connection.execute("DELETE FROM quarantine WHERE at < ?", (before,))
        for number in gone:
            with contextlib.suppress(OSError):  # its row is gone: it goes at the next start
                disk.remove(self._folder / f"{number}.dcm")
        return len(gone)

    def _drop_oldest(self) -> list[int]:
        rows = self._connection.execute("SELECT id, size FROM quarantine ORDER BY id DESC")
        gone: list[int] = []
        count, held = 0, 0
        for row in rows.fetchall():
            count, held = count + 1, held + row["size"]
            if count > MAX_FILES or held > MAX_BYTES:
                gone.append(row["id"])
        self._connection.executemany(
            "DELETE FROM quarantine WHERE id = ?", [(number,) for number in gone]
        )
        return gone
