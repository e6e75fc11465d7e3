"""Keep other libraries from writing to the terminal while a file is read.

A log level and the list of warning filters belong to the whole process, so they are changed only
while something is being read, and put back by the last of the threads that read.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

import cv2

#: LOG_LEVEL_SILENT, which OpenCV 4 does not name in Python.
_SILENT = 0


@contextmanager
def _opencv_silent() -> Iterator[None]:
    # OpenCV 4 has the two functions in cv2 itself, OpenCV 5 in cv2.utils.logging
    log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = log.getLogLevel()
    log.setLogLevel(_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Shared:
    """A context that threads may enter while others are in it: the last one out undoes it."""

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._inside = 0
        self._context: AbstractContextManager[None] = make()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._context = self._make()
                self._context.__enter__()
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._context.__exit__(None, None, None)


#: OpenCV logs each oddity of a file to stderr; the reader checks files itself.
opencv = _Shared(_opencv_silent)

#: pydicom warns of every departure from the standard, and few ultrasound files have none: a
#: malformed character set says nothing about pixels or their size.
pydicom = _Shared(_warnings_ignored)
