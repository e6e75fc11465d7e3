"""The database of the page: exams that may change state, and what people did, which never does."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetometry.errors import OutputError

VERSION = 2

#: Of what people did, nothing is changed or taken back: what undoes it is added.
APPEND_ONLY = ("edits", "undone", "signatures")

TABLES = """
CREATE TABLE exams (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('measuring', 'ready', 'failed', 'deleted')),
    reason TEXT NOT NULL DEFAULT '',
    origin TEXT NOT NULL DEFAULT '',
    patient TEXT NOT NULL DEFAULT '',
    study TEXT NOT NULL DEFAULT '',
    asked TEXT NOT NULL,
    files TEXT NOT NULL
);
CREATE TABLE edits (
    exam TEXT NOT NULL REFERENCES exams (id),
    number INTEGER NOT NULL,
    action TEXT NOT NULL,
    image INTEGER,
    frame INTEGER,
    value TEXT NOT NULL,
    before TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    at TEXT NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (exam, number)
);
CREATE TABLE undone (
    exam TEXT NOT NULL,
    edit INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (exam, edit),
    FOREIGN KEY (exam, edit) REFERENCES edits (exam, number)
);
CREATE TABLE signatures (
    exam TEXT NOT NULL REFERENCES exams (id),
    number INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (exam, number)
);
CREATE TABLE secret (salt BLOB NOT NULL);
"""

TRIGGER = """
CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'what was done is kept: {table} only grows'); END;
"""


def open_database(folder: Path) -> sqlite3.Connection:
    """Open the database of a folder, and make both where there are none.

    Raises:
        OutputError: it cannot be opened, or a later version made it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        connection = sqlite3.connect(
            folder / "review.sqlite", isolation_level=None, check_same_thread=False, timeout=30
        )
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # else INSERT OR REPLACE would go round the triggers
        connection.execute("PRAGMA recursive_triggers=ON")
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            _make(connection)
        elif version == 1:
            _know_studies(connection)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"cannot keep anything in {folder}: {error}") from error
    if version > VERSION:
        raise OutputError(
            f"{folder}: a later version of fetometry made its database; use that one, or another "
            "--data"
        )
    return connection


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in TABLES.strip().split(";\n"):
            connection.execute(statement)
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                connection.execute(TRIGGER.format(table=table, verb=verb))
        connection.execute("INSERT INTO secret VALUES (?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA user_version={VERSION}")


def _know_studies(connection: sqlite3.Connection) -> None:
    """Add what the first version of the database did not know of an exam."""
    with transaction(connection):
        connection.execute("ALTER TABLE exams ADD COLUMN study TEXT NOT NULL DEFAULT ''")
        connection.execute("PRAGMA user_version=2")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing; no other process writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
