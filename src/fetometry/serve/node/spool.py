"""Writes an object to the disk while it comes in, so that none is ever in memory whole."""

from __future__ import annotations

import contextlib
import hashlib
import weakref
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from fetometry.serve.node.disk import is_full

NO_ROOM, NOT_WRITTEN, TOO_LARGE = "no-room", "not-written", "too-large"
EMPTY, BROKEN_OFF = "empty", "broken-off"

#: The free space is asked for each time so much has come.
_LOOK_BYTES = 8_000_000


class Spool(BytesIO):
    """Stands where pynetdicom collects a data set: what is written to it goes to a file.

    After a fault everything that still comes is dropped, and no file is left. The file is the
    spool's own: it is removed with it, unless it was moved away before.
    """

    def __init__(
        self, path: Path, preamble: Callable[[], bytes], limit: int, room: Callable[[], bool]
    ) -> None:
        super().__init__()
        self.path = path
        self.fault = ""
        self.hopeless = False  # the association is being aborted for it
        self.size = 0  # of the data set, in bytes
        self.start = 0  # where the data set begins in the file
        self._preamble: Callable[[], bytes] | None = preamble
        self._limit = limit
        self._room = room
        self._looked = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._finalizer: weakref.finalize[..., Spool] | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of the data set."""
        return self._hash.hexdigest()

    @property
    def overflow(self) -> int:
        """How many bytes came beyond what an object may have."""
        return max(0, self.size - self._limit)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append a fragment of the data set."""
        self.size += len(data)
        if not self.fault and self.size > self._limit:
            self._drop(TOO_LARGE)
        if self.fault:
            return len(data)
        try:
            self._append(data)
        except OSError as error:
            self._drop(NO_ROOM if is_full(error) else NOT_WRITTEN)
        except ValueError:  # the association was broken off, and the file closed, meanwhile
            self._drop(NOT_WRITTEN)
        return len(data)

    def _append(self, data: bytes) -> None:
        if self._preamble is not None or self.size - self._looked >= _LOOK_BYTES:
            self._looked = self.size
            if not self._room():
                self._drop(NO_ROOM)
                return
        if self._preamble is not None:
            head, self._preamble = self._preamble(), None
            self.start = len(head)
            self._file = self.path.open("xb")
            self._finalizer = weakref.finalize(self, _discard, self._file, self.path)
            self._file.write(head)
        if self._file is not None:
            self._file.write(data)
            self._hash.update(data)

    def finish(self) -> bool:
        """Close the file; tell whether it is there, without a fault."""
        if not self.fault and self._file is None:
            self.fault = EMPTY
        if not self.fault and self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._drop(NO_ROOM if is_full(error) else NOT_WRITTEN)
            else:
                if not self._room():
                    self._drop(NO_ROOM)
        return not self.fault

    def break_off(self) -> bool:
        """Give up what is incomplete; tell whether there was anything to give up."""
        begun = self.size > 0 and not self.fault
        if begun:
            self._drop(BROKEN_OFF)
        return begun

    def _drop(self, fault: str) -> None:
        self.fault = fault
        self.discard()

    def discard(self) -> None:
        """Remove the file, where it was not moved away."""
        if self._finalizer is not None:
            self._finalizer()


def _discard(file: BinaryIO, path: Path) -> None:
    with contextlib.suppress(OSError):  # what is buffered does not fit on a full disk
        file.close()
    with contextlib.suppress(OSError):  # else it is cleared at the next start
        path.unlink(missing_ok=True)
