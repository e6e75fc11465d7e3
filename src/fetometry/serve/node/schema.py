"""The tables of the store, and how its database is opened."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetometry.errors import UsageError
from fetometry.serve.node.disk import explained

NAME = "node.sqlite"
#: Counts up when the tables change; a store with a higher number is of a later fetometry.
VERSION = 1

#: How long a reader waits while the other process commits.
_BUSY_S = 30.0

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE studies (
    study TEXT PRIMARY KEY,            -- a key, not the UID
    patient TEXT NOT NULL,             -- a key
    state TEXT NOT NULL,               -- waiting, answered, nothing, failed; report: no images
    generation INTEGER NOT NULL,       -- how many images have come
    measured INTEGER NOT NULL,         -- the generation of the last answer
    attempts INTEGER NOT NULL,         -- at this generation
    reason TEXT NOT NULL,              -- why it failed; how it was answered
    last_image REAL,
    last_attempt REAL NOT NULL,
    last_seen REAL NOT NULL            -- image or report
) STRICT;
CREATE TABLE objects (
    sop_uid TEXT PRIMARY KEY,
    study TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    patient TEXT NOT NULL,
    kind TEXT NOT NULL,                -- image, report; aside: an image that is measured no more
    sop_class TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    calling TEXT NOT NULL,
    received REAL NOT NULL
) STRICT;
CREATE INDEX objects_of_study ON objects (study);
CREATE INDEX objects_of_patient ON objects (patient, kind);
CREATE TABLE answers (
    study TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    made REAL NOT NULL,
    PRIMARY KEY (study, number)
) STRICT;
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    study TEXT NOT NULL,
    number INTEGER NOT NULL,
    sop_uid TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    FOREIGN KEY (study, number) REFERENCES answers ON DELETE CASCADE
) STRICT;
CREATE INDEX results_of_study ON results (study, number);
CREATE TABLE sends (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    study TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    sop_uid TEXT NOT NULL UNIQUE,
    sop_class TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,               -- queued, aside (others may pass), sent, refused
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    queued REAL NOT NULL,
    due REAL NOT NULL,
    changed REAL NOT NULL
) STRICT;
CREATE INDEX sends_by_state ON sends (state, study);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reason TEXT NOT NULL,
    calling TEXT NOT NULL,
    size INTEGER NOT NULL,             -- 0: nothing was kept
    at REAL NOT NULL
) STRICT;
"""

#: Later than the others, and so made where it is missing.
_STRANGERS = """
CREATE TABLE IF NOT EXISTS strangers (
    calling TEXT PRIMARY KEY,          -- AE title of a caller that was refused
    count INTEGER NOT NULL,
    last REAL NOT NULL
) STRICT
"""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing; when it is left, it is on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk makes SQLite roll back by itself
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_database(folder: Path) -> sqlite3.Connection:
    """Open the database of a store for writing, and make it where there is none.

    Raises:
        UsageError: it is of a later fetometry.
        OutputError: it cannot be opened, or is none.
    """
    with explained(f"--store: the database of {folder} cannot be opened"):
        connection = _connect(f"{(folder / NAME).resolve().as_uri()}?mode=rwc")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if _version(connection, folder) == 0:
                _make(connection)
            connection.execute(_STRANGERS)
        except BaseException:
            connection.close()
            raise
    return connection


def open_readonly(folder: Path) -> sqlite3.Connection:
    """Open the database of a store that a node may be using, for reading alone.

    Raises:
        UsageError: there is none, or it is of a later fetometry.
        OutputError: it cannot be opened, or is none.
    """
    if not (folder / NAME).is_file():
        raise UsageError(f"--store: no node has used {folder}; give the folder that the node has")
    with explained(f"--store: the database of {folder} cannot be read"):
        connection = _connect(f"{(folder / NAME).resolve().as_uri()}?mode=ro")
        try:
            if _version(connection, folder) == 0:
                raise UsageError(f"--store: the node on {folder} has not begun; try again")
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection, folder: Path) -> int:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise UsageError(
            f"--store: {folder} is of a later fetometry (its tables have version {found}, this one "
            f"knows {VERSION}); install that one, or give another folder"
        )
    return found


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        salt = secrets.token_bytes(32)
        connection.execute("INSERT INTO meta VALUES ('salt', ?)", (salt,))
        connection.execute(f"PRAGMA user_version = {VERSION}")


class Database:
    """One connection for all threads, one statement or transaction at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.mutex = threading.RLock()

    def all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows that a statement finds."""
        with self.mutex, explained("the store cannot be read"):
            return self.connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> sqlite3.Row | None:
        """Return the first row that a statement finds."""
        found = self.all(statement, *values)
        return found[0] if found else None

    def write(self, what: str, statement: str, *values: object) -> None:
        """Run one statement as a transaction; `what` begins the message where it fails."""
        with self.mutex, explained(what), transaction(self.connection):
            self.connection.execute(statement, values)
