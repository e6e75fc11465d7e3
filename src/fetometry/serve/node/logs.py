"""One line of JSON for each event, with nothing in it that says who the patient is.

Values are numbers, keys of the store, AE titles and codes. A text that looks like anything else
(a UID, a path, a name with other letters) is replaced before it is written.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

#: What stands for a text that may say too much.
WITHHELD = "withheld"

_CODE = re.compile(r"[A-Za-z0-9_.:+-]{0,80}")
_AET = re.compile(r"[\x20-\x5b\x5d-\x7e]{0,16}")  # of the calling AE: spaces and signs too
_UID = re.compile(r"[0-9]+(\.[0-9]+){4,}")


class Log:
    """Writes events; may be called from any thread, and never raises."""

    def __init__(
        self, to: Path | TextIO | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        """Write to a file (appended, opened anew for each line, so that it can be rotated).

        Without one, write to stderr.
        """
        self._to = to
        self._now = now
        self._mutex = threading.Lock()

    def __call__(self, event: str, **fields: object) -> None:
        """Write one event; a field that is None is left out."""
        moment = datetime.fromtimestamp(self._now(), UTC)
        told: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "event": event,
        }
        told |= {name: harmless(name, value) for name, value in fields.items() if value is not None}
        line = json.dumps(told) + "\n"
        with self._mutex:
            try:
                self._write(line)
            except (OSError, ValueError):
                return  # a full disk or a closed terminal: the node goes on without its log

    def _write(self, line: str) -> None:
        if isinstance(self._to, Path):
            opened = os.open(self._to, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(opened, "a", encoding="utf-8") as file:
                file.write(line)
            return
        stream = self._to or sys.stderr
        stream.write(line)
        stream.flush()


def harmless(name: str, value: object) -> object:
    """Return what may be written of a value: numbers, and texts that are codes."""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    allowed = _AET if name in ("calling", "aet") else _CODE
    if allowed.fullmatch(text) is None or _UID.fullmatch(text) is not None:
        return WITHHELD
    return text
