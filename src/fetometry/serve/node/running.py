"""The node as a whole: receives, measures, sends and forgets side by side until it is to end."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from fetometry.errors import FetometryError, OutputError
from fetometry.image import quiet
from fetometry.serve.node.earlier import Fetcher
from fetometry.serve.node.logs import Log
from fetometry.serve.node.measuring import Asked, Measurer
from fetometry.serve.node.receive import Receiver
from fetometry.serve.node.retention import Retention
from fetometry.serve.node.send import Sender
from fetometry.serve.node.settings import NodeSettings
from fetometry.serve.node.store import Store
from fetometry.serve.node.work import Worker

#: How often the main thread looks round.
LOOK_S = 0.2

#: How long the threads may take to end; what they leave undone is done after the next start.
END_S = 15.0

#: What the measuring child and its libraries print.
CHILD_LOG = "measuring.log"


def run(settings: NodeSettings, log_file: Path | None = None) -> None:
    """Run a node until SIGTERM or SIGINT.

    Raises:
        UsageError: another node runs on the folder.
        FetometryError: the port is taken, the model or the profile cannot be used, a part broke.
    """
    stop, log = threading.Event(), Log(log_file)
    with (
        quiet.pydicom,  # a warning may tell what stands in a file
        _ended_by_signals(stop),
        _told_of_faults(log),
        Store.open(settings.folder, forward=settings.forward is not None) as store,
    ):
        parts = Parts(stop, log)
        for name, part in _parts(settings, store, log, stop).items():
            parts.start(name, part)
        receiver = Receiver(store, settings, log)
        try:
            receiver.start()
            log("started", port=settings.port, aet=settings.aet)
            while not stop.wait(LOOK_S):
                pass
        finally:
            stop.set()
            receiver.stop()
            parts.join()
        log("stopped", reason="broken" if parts.broken else "asked")
    if parts.broken:
        raise parts.broken[0]


def _parts(
    settings: NodeSettings, store: Store, log: Log, stop: threading.Event
) -> dict[str, Callable[[], None]]:
    """Return what runs side by side, by name."""
    asked = Asked(
        settings.kinds, settings.model, str(settings.profile) if settings.profile else None
    )
    worker = Worker(
        store,
        settings.folder,
        Measurer(asked, settings.folder / CHILD_LOG, stop),
        settings.quiet_s,
        settings.measure_s,
        stop,
        log,
        Fetcher(settings, stop, log).fetch if settings.earlier else None,
    )
    retention = Retention(store, settings.keep_days, log)
    parts: dict[str, Callable[[], None]] = {
        "measuring": worker.run,
        "retention": lambda: retention.run(stop),
    }
    if settings.forward is not None:
        parts["sending"] = Sender(store, settings, stop, log).run
    return parts


class Parts:
    """Threads of which each ends the node where it breaks: half a node is none."""

    def __init__(self, stop: threading.Event, log: Log) -> None:
        self._stop, self._log = stop, log
        self._threads: list[threading.Thread] = []
        self.broken: list[FetometryError] = []

    def start(self, name: str, part: Callable[[], None]) -> None:
        """Run a part in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(name, part), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def join(self) -> None:
        """Wait for all parts to end, but not for ever."""
        for thread in self._threads:
            thread.join(END_S)

    def _run(self, name: str, part: Callable[[], None]) -> None:
        try:
            part()
        except FetometryError as error:
            self.broken.append(error)
            self._log("part-broken", part=name, reason=type(error).__name__)
        finally:
            error_class = sys.exc_info()[0]
            if error_class is not None:  # a fault in this program
                self.broken.append(OutputError(f"the part {name} broke: {error_class.__name__}"))
            self._stop.set()


@contextlib.contextmanager
def _told_of_faults(log: Log) -> Iterator[None]:
    """Log a fault of any thread by its kind and place: its words may tell what stands in a file."""

    def told(fault: threading.ExceptHookArgs) -> None:
        steps = traceback.extract_tb(fault.exc_traceback)
        place = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "unknown"
        log("fault", reason=fault.exc_type.__name__, place=place)

    before, threading.excepthook = threading.excepthook, told
    try:
        yield
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """Have SIGTERM and SIGINT end the node, where the main thread runs it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
