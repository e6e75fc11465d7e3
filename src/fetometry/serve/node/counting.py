"""The status of a store: counts, and reasons in words that name no patient."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from fetometry.serve.node.nouns import REPORT, Status, Stranger
from fetometry.serve.node.sends import ASIDE, QUEUED, REFUSED, SENT

#: So many of the last reasons, and of the last refused callers, are told.
_LAST = 5

_REASONS = """
SELECT reason, max(at) AS at FROM (
    SELECT 'study: ' || reason AS reason, last_attempt AS at FROM studies
        WHERE state IN ('failed', 'waiting') AND reason <> ''
    UNION ALL SELECT 'send: ' || reason, changed FROM sends WHERE reason <> ''
    UNION ALL SELECT 'quarantine: ' || reason, at FROM quarantine
) GROUP BY reason ORDER BY at DESC, reason LIMIT ?
"""


def status(folder: Path, connection: sqlite3.Connection, now: float) -> Status:
    """Count everything at one moment."""
    connection.execute("BEGIN")
    try:
        objects = _counts(connection, "SELECT kind, count(*) FROM objects GROUP BY kind")
        studies = _counts(connection, "SELECT state, count(*) FROM studies GROUP BY state")
        sends = _counts(connection, "SELECT state, count(*) FROM sends GROUP BY state")
        oldest = connection.execute(
            "SELECT min(queued) FROM sends WHERE state IN (?, ?)", (QUEUED, ASIDE)
        )
        first = oldest.fetchone()[0]
        last = connection.execute("SELECT max(received) FROM objects").fetchone()[0]
        put_aside = connection.execute("SELECT count(*) FROM quarantine").fetchone()[0]
        reasons = connection.execute(_REASONS, (_LAST,)).fetchall()
        strangers = _strangers(connection)
    finally:
        connection.execute("COMMIT")
    return Status(
        objects=sum(objects.values()) - objects.get(REPORT, 0),
        reports=objects.get(REPORT, 0),
        waiting=studies.get("waiting", 0),
        answered=studies.get("answered", 0),
        nothing=studies.get("nothing", 0),
        failed=studies.get("failed", 0),
        queued=sends.get(QUEUED, 0) + sends.get(ASIDE, 0),
        sent=sends.get(SENT, 0),
        refused=sends.get(REFUSED, 0),
        oldest_queued_s=None if first is None else max(0.0, now - first),
        errors=tuple(row["reason"] for row in reasons),
        quarantined=put_aside,
        free_bytes=shutil.disk_usage(folder).free,
        last_receipt=last,
        strangers=strangers,
    )


def _strangers(connection: sqlite3.Connection) -> tuple[Stranger, ...]:
    """Return the callers that were refused last; a store of before has no table of them."""
    table = "SELECT 1 FROM sqlite_master WHERE name = 'strangers'"
    if connection.execute(table).fetchone() is None:
        return ()
    rows = connection.execute(
        "SELECT calling, count, last FROM strangers ORDER BY last DESC, calling LIMIT ?", (_LAST,)
    )
    return tuple(Stranger(row["calling"], row["count"], row["last"]) for row in rows)


def _counts(connection: sqlite3.Connection, statement: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}
