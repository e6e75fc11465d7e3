"""What a receipt and an answer write into the tables of the store, each within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fetometry.errors import DataError
from fetometry.serve.node.nouns import IMAGE, Job, Received, Result

#: Refused callers that are remembered: the last ones, and for so long.
MOST_STRANGERS, STRANGERS_S = 100, 30 * 86400.0


def strangers(connection: sqlite3.Connection, counts: Mapping[str, int], now: float) -> None:
    """Add to how often callers were refused; old ones and too many are forgotten."""
    connection.executemany(
        "INSERT INTO strangers VALUES (?, ?, ?) ON CONFLICT (calling) DO UPDATE SET "
        "count = count + excluded.count, last = excluded.last",
        [(calling, count, now) for calling, count in counts.items()],
    )
    connection.execute(
        "DELETE FROM strangers WHERE last < ? OR calling NOT IN "
        "(SELECT calling FROM strangers ORDER BY last DESC LIMIT ?)",
        (now - STRANGERS_S, MOST_STRANGERS),
    )


def receipt(
    connection: sqlite3.Connection, received: Received, study: str, patient: str, now: float
) -> None:
    """Write down an object by the keys of its study and its patient; an image is to be measured."""
    connection.execute(
        "INSERT INTO studies VALUES (?, ?, 'report', 0, 0, 0, '', NULL, 0, ?) "
        "ON CONFLICT (study) DO UPDATE SET patient = excluded.patient, "
        "last_seen = excluded.last_seen",
        (study, patient, now),
    )
    if received.kind == IMAGE:
        connection.execute(
            "UPDATE studies SET generation = generation + 1, state = 'waiting', attempts = 0, "
            "reason = '', last_image = ? WHERE study = ?",
            (now, study),
        )
    connection.execute(
        "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (received.sop_uid, study, patient, received.kind, received.sop_class, received.digest,
         received.size, received.calling, now),
    )  # fmt: skip


def next_number(connection: sqlite3.Connection, study: str) -> int:
    """Return the number of a study's next answer."""
    row = connection.execute("SELECT max(number) AS last FROM answers WHERE study = ?", (study,))
    return 1 + (row.fetchone()["last"] or 0)


def answer(
    connection: sqlite3.Connection, job: Job, results: Sequence[Result], outcome: str, now: float
) -> None:
    """Write down the answer to a study; images that came since leave the study waiting.

    Raises:
        DataError: the study is gone.
    """
    number = next_number(connection, job.study)
    done = connection.execute(
        "UPDATE studies SET measured = ?, attempts = 0, reason = ?, "
        "state = iif(generation = ?, ?, 'waiting') WHERE study = ?",
        (job.generation, outcome, job.generation, "answered" if results else "nothing", job.study),
    )
    if done.rowcount != 1:
        raise DataError("the study of an answer is not in the store")
    connection.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
        (job.study, number, job.generation, outcome, now),
    )
    connection.executemany(
        "INSERT INTO results VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
        [
            (job.study, number, one.sop_uid, one.sop_class, one.path.as_posix(), one.digest,
             one.kind)
            for one in results
        ],
    )  # fmt: skip


def placed(store: Path, folder: Path, results: Sequence[Result]) -> list[Result]:
    """Return results with their places relative to the store; all lie in the answer's folder.

    Raises:
        DataError: one does not.
    """
    for result in results:
        path = store / result.path
        if not (path.is_relative_to(folder) and path.is_file()):
            raise DataError(
                f"a result ({result.kind}) is not in the folder of its answer; move the work there "
                "first"
            )
    return [replace(one, path=(store / one.path).relative_to(store)) for one in results]
