"""How long studies are kept, and how much room on the disk is left to others."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fetometry.errors import OutputError
from fetometry.serve.node.logs import Log
from fetometry.serve.node.store import Store

_MB = 1_000_000
_DAY_S = 86400.0

#: How often old studies are looked for.
LOOK_S = 900.0


class Room:
    """Is there room on the disk of a folder, beside the reserve that is left free?"""

    def __init__(self, folder: Path, reserve_mb: float) -> None:
        self._folder = folder
        self._reserve = int(reserve_mb * _MB)

    def free(self) -> int:
        """Return the bytes that may still be used; less than 0 where the reserve is touched."""
        return shutil.disk_usage(self._folder).free - self._reserve

    def __call__(self, size: int = 0) -> bool:
        """Tell whether so many bytes fit."""
        return self.free() >= size


class Retention:
    """Forgets the studies that nothing came for in so many days and that are wholly answered."""

    def __init__(
        self, store: Store, keep_days: float, log: Log, *, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._keep_s = keep_days * _DAY_S
        self._log = log
        self._now = now

    def step(self) -> int:
        """Forget what is old now; return how many studies."""
        try:
            gone = self._store.forget(self._now() - self._keep_s)
        except OutputError:
            self._log("retention", reason="store-not-written")
            return 0
        if gone.studies or gone.quarantined:
            self._log("retention", studies=gone.studies, quarantined=gone.quarantined)
        for study, count in gone.unsent.items():
            self._log("refused-results-dropped", study=study, count=count)
        return gone.studies

    def run(self, stop: threading.Event) -> None:
        """Forget again and again, until `stop`."""
        self.step()
        while not stop.wait(LOOK_S):
            self.step()
