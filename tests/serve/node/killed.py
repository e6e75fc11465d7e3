"""Kills a process at every step of what a store does: `python -m tests.serve.node.killed DIR WHAT`.

For step 1, 2, 3 and so on a fresh store in DIR/1, DIR/2, DIR/3 ... is opened in a forked process,
which kills itself (SIGKILL) at that step, before a call that writes. It ends with the first one
that lives to the end. Prints how many were killed.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetometry.serve.node import disk
from fetometry.serve.node.nouns import Received, Result
from fetometry.serve.node.store import Store

CONTENT = b"an image"
OBJECT = Received("1.2.3", "1.2.3.4", "1.2.3.5", "ID\0issuer", "PACS", "digest", len(CONTENT))
RESULT_UID = "1.9.1"


class Clock:
    """Counts the steps, and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self.steps, self.last = 0, last

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **named: Any) -> Any:
            self.step()
            return call(*args, **named)

        return stepped


class Connection:
    """A connection whose statements are steps."""

    def __init__(self, real: Any, clock: Clock) -> None:
        self._real = real
        self.execute = clock.around(real.execute)
        self.executemany = clock.around(real.executemany)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def arm(store: Store, last: int) -> None:
    clock = Clock(last)
    store._db.connection = Connection(store._db.connection, clock)
    for name in ("sync", "remove", "make_folder"):
        setattr(disk, name, clock.around(getattr(disk, name)))
    for name in ("replace", "unlink"):
        setattr(Path, name, clock.around(getattr(Path, name)))


def put(store: Store) -> None:
    file = store.incoming()
    file.write_bytes(CONTENT)
    store.accept(OBJECT, file)


def answer(store: Store) -> None:
    [job] = store.quiet_studies(0)
    folder = store.results_folder(job)
    folder.mkdir()
    (folder / "report.sr.dcm").write_bytes(b"a report")
    path = (folder / "report.sr.dcm").relative_to(store.folder)
    store.finish(job, [Result(RESULT_UID, "1.8", path, "digest", "sr")], "measured")


def accept(folder: Path, last: int) -> None:
    store = Store.open(folder)
    arm(store, last)
    put(store)


def finish(folder: Path, last: int) -> None:
    store = Store.open(folder)
    put(store)
    arm(store, last)
    answer(store)


def forget(folder: Path, last: int) -> None:
    store = Store.open(folder)
    put(store)
    answer(store)
    store.sent(store.due_sends()[0])
    arm(store, last)
    store.forget(float("inf"))


def main() -> None:
    base, what = Path(sys.argv[1]), {"accept": accept, "finish": finish, "forget": forget}
    for last in range(1, 200):
        child = os.fork()
        if child == 0:
            what[sys.argv[2]](base / str(last), last)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            sys.stdout.write(f"{last - 1}\n")
            return
    raise SystemExit("it never lived to the end")


if __name__ == "__main__":
    main()
