"""Callers that may not call: counted, so that a wrong AE title is found without reading the log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from fetometry.errors import OutputError
from fetometry.serve.node.logs import harmless
from fetometry.serve.node.store import Store

#: Between two times that the counts are written: a caller may ring as often as it likes.
WRITE_S = 1.0

#: Titles that wait to be written; of more, the rest is not counted.
MOST = 100


class Strangers:
    """Counts refused callers by their titles, in the store."""

    def __init__(self, store: Store, *, now: Callable[[], float] = time.monotonic) -> None:
        self._store, self._now = store, now
        self._waiting: Counter[str] = Counter()
        self._written = float("-inf")
        self._mutex = threading.Lock()

    def note(self, calling: str) -> None:
        """Count one refusal; it is written down at once, unless one just was."""
        title = str(harmless("calling", calling))
        with self._mutex:
            if title in self._waiting or len(self._waiting) < MOST:
                self._waiting[title] += 1
            if self._now() - self._written >= WRITE_S:
                self._write()

    def flush(self) -> None:
        """Write down what waits."""
        with self._mutex:
            if self._waiting:
                self._write()

    def _write(self) -> None:
        self._written = self._now()
        try:
            self._store.note_strangers(self._waiting)
        except OutputError:  # a full disk: they are told when there is room
            return
        self._waiting.clear()
