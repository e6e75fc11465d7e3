"""What is removed from a store: leftovers of a node that was killed, and studies that are old."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from fetometry.errors import UsageError
from fetometry.serve.node import disk, schema
from fetometry.serve.node.nouns import ASIDE as IMAGE_ASIDE
from fetometry.serve.node.nouns import IMAGE, REPORT
from fetometry.serve.node.sends import ASIDE, QUEUED, REFUSED

_FOLDERS = ("incoming", "objects", "reports", "results", "earlier", "quarantine")


#: What may lie in the folder of a store that is begun: a lock, and what a new disk has.
_NOTHING = {disk.LOCK, "lost+found"}


def refuse_strange(folder: Path) -> None:
    """Refuse a folder that has something in it, and is no store: it would be cleared away.

    Raises:
        UsageError: there are files, and no database.
    """
    if not folder.is_dir() or (folder / schema.NAME).is_file():
        return
    if any(path.name not in _NOTHING for path in folder.iterdir()):
        raise UsageError(
            f"--store: {folder} is not empty, and has no {schema.NAME}; give an empty folder, or a "
            f"new one. If it is a node's, its {schema.NAME} was lost: put it back from a copy, or "
            "begin with an empty folder and send the studies again"
        )


def clear(folder: Path, connection: sqlite3.Connection) -> None:
    """Make the folders, and remove every file in them that the database does not know."""
    for name in _FOLDERS:
        disk.make_folder(folder / name)
    for path in disk.children(folder / "incoming"):
        disk.remove(path)
    for name, kinds in (("objects", (IMAGE, IMAGE_ASIDE)), ("reports", (REPORT, REPORT))):
        rows = connection.execute("SELECT study, sop_uid FROM objects WHERE kind IN (?, ?)", kinds)
        _keep(folder / name, {(row["study"], f"{row['sop_uid']}.dcm") for row in rows})
    rows = connection.execute("SELECT study, number FROM answers")
    _keep(folder / "results", {(row["study"], str(row["number"])) for row in rows})
    _keep_patients(folder, connection)
    known = {f"{row['id']}.dcm" for row in connection.execute("SELECT id FROM quarantine")}
    for path in disk.children(folder / "quarantine"):
        if path.name not in known:
            disk.remove(path)


def _keep(folder: Path, known: set[tuple[str, str]]) -> None:
    """Keep the known (folder, name) two levels down, and nothing else."""
    studies = {study for study, _ in known}
    for above in disk.children(folder):
        if above.name not in studies:
            disk.remove(above)
            continue
        for path in disk.children(above):
            if (above.name, path.name) not in known:
                disk.remove(path)


def _keep_patients(folder: Path, connection: sqlite3.Connection) -> None:
    known = {row["patient"] for row in connection.execute("SELECT patient FROM studies")}
    for path in disk.children(folder / "earlier"):
        if path.name not in known:
            disk.remove(path)


#: Wholly answered, or given up: nothing waits to be measured, nothing waits to be sent, and what
#: was refused has been so for as long: somebody had the time to see it.
_OLD = f"""
SELECT study FROM studies
WHERE state <> 'waiting' AND last_seen < :before
AND NOT EXISTS (SELECT 1 FROM sends WHERE sends.study = studies.study AND (
    state IN ('{QUEUED}', '{ASIDE}') OR (state = '{REFUSED}' AND changed >= :before)))
"""

_UNSENT = f"SELECT count(*) FROM sends WHERE study = ? AND state = '{REFUSED}'"


def forget(folder: Path, connection: sqlite3.Connection, before: float) -> dict[str, int]:
    """Remove old studies: their rows in one transaction, then their files.

    Returns their keys, and how many results of each the peer never took.
    """
    with schema.transaction(connection):
        rows = connection.execute(_OLD, {"before": before}).fetchall()
        studies = {
            row["study"]: connection.execute(_UNSENT, (row["study"],)).fetchone()[0] for row in rows
        }
        connection.executemany("DELETE FROM studies WHERE study = ?", [(key,) for key in studies])
    for study in studies:
        for name in ("objects", "reports", "results"):
            with contextlib.suppress(OSError):  # its row is gone: `clear` removes it at a start
                disk.remove(folder / name / study)
    if studies:
        _keep_patients(folder, connection)
    return studies
