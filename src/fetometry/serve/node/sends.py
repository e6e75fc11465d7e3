"""The results that wait for the peer, in the tables of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from fetometry.serve.node.nouns import Result, Send

QUEUED, SENT, REFUSED = "queued", "sent", "refused"

#: Queued still, but the others of its study need not wait for it: the peer does not want it now.
ASIDE = "aside"

#: Of each study the first that is queued, and whatever stands aside.
_DUE = f"""
SELECT * FROM sends WHERE due <= ? AND (state = '{ASIDE}' OR id IN
    (SELECT min(id) FROM sends WHERE state = '{QUEUED}' GROUP BY study))
ORDER BY due, id
"""

#: A send that changes; one that is done with stays as it is.
CHANGE = f"""
UPDATE sends SET state = ?, reason = ?, attempts = attempts + 1, changed = ?, due = ?
WHERE id = ? AND state IN ('{QUEUED}', '{ASIDE}')
"""

#: All that waits is due.
ALL_DUE = f"UPDATE sends SET due = 0 WHERE state IN ('{QUEUED}', '{ASIDE}')"

_AGAIN = f"""
UPDATE sends SET state = '{QUEUED}', attempts = 0, reason = '', queued = ?, due = 0
WHERE state = '{REFUSED}'
"""


def due(connection: sqlite3.Connection, folder: Path, now: float) -> list[Send]:
    """Return what may be sent now; paths are whole."""
    return [
        Send(
            row["id"], row["study"], folder / row["path"], row["sop_uid"], row["sop_class"],
            row["attempts"], row["queued"],
        )
        for row in connection.execute(_DUE, (now,)).fetchall()
    ]  # fmt: skip


def queue(
    connection: sqlite3.Connection, study: str, results: Iterable[Result], now: float
) -> None:
    """Queue the results that have a UID, unless that instance was queued before."""
    connection.executemany(
        f"INSERT OR IGNORE INTO sends VALUES (NULL, ?, ?, ?, ?, '{QUEUED}', 0, '', ?, ?, ?)",
        [
            (study, one.sop_uid, one.sop_class, one.path.as_posix(), now, now, now)
            for one in results
            if one.sop_uid
        ],
    )


def again(connection: sqlite3.Connection, now: float) -> int:
    """Queue again what was refused, and make due what waits; return how many were refused."""
    connection.execute(ALL_DUE)
    return connection.execute(_AGAIN, (now,)).rowcount
