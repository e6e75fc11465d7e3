"""The status of a node in words: counts and reasons, without anything of a patient."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

from fetometry.serve.node.nouns import Status

SCHEMA = "fetometry-node/1"

_MB = 1_000_000


def as_json(status: Status) -> dict[str, Any]:
    """Return everything as JSON has it; times are seconds since 1970."""
    return {"schema": SCHEMA, **dataclasses.asdict(status), "errors": list(status.errors)}


def lines(status: Status) -> list[str]:
    """Return the status as lines for a person."""
    last = status.last_receipt
    received = "never" if last is None else _moment(last)
    oldest = status.oldest_queued_s
    waits = "" if oldest is None else f", the oldest for {_duration(oldest)}"
    return [
        f"received   {number(status.objects, 'image')}, {number(status.reports, 'report')}; "
        f"the last {received}",
        f"studies    {status.waiting} waiting, {status.answered} answered, "
        f"{status.nothing} with nothing measured, {status.failed} failed",
        f"results    {status.queued} queued{waits}; {status.sent} sent, {status.refused} refused",
        f"quarantine {number(status.quarantined, 'object')}",
        f"disk       {status.free_bytes // _MB} MB free",
        *(
            f"refused    {one.calling or 'a caller without a title'}: "
            f"{number(one.count, 'call')}, the last {_moment(one.last)}"
            for one in status.strangers
        ),
        *(f"last: {reason}" for reason in status.errors),
    ]


def number(count: int, one: str, several: str = "") -> str:
    """Return how many there are of something."""
    return f"{count} {one}" if count == 1 else f"{count} {several or f'{one}s'}"


def is_well(status: Status) -> bool:
    """Tell whether nothing waits for a person: no study failed, no result was refused."""
    return not status.failed and not status.refused


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%SZ}"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
