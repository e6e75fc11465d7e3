"""The child process that measures: a bad file may crash it, and the node goes on.

It is asked in JSON lines on stdin and answers on stdout, one study after another, with the model
loaded once. What it says holds no name, no ID and no path. Before it opens a file it says which one
of those it was given that is: the file that it died of is known.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fetometry.errors import FetometryError, OutputError

#: Outcomes of a study.
ANSWERED, NOTHING = "answered", "nothing-measured"

#: Why a study has no outcome, besides the names of errors.
TIME_LIMIT, CRASHED, STOPPED, NOT_WRITTEN = "time-limit", "crashed", "stopped", "not-written"

#: How often the node looks whether it is to end while it waits for an answer.
LOOK_S = 0.1

#: What the child runs: not `-m`, which would make this module twice.
_CHILD = "from fetometry.serve.node.measuring import main; main()"

#: The log of what libraries print is begun anew above this.
MOST_LOG_BYTES = 1 << 20

_AT_ONCE = 1 << 16

#: The child says: the file of this number is opened now. It is no answer.
OPENS = "opens"


@dataclass(frozen=True)
class Asked:
    """What holds for every study: kinds of output, model and profile (None: the default ones)."""

    kinds: tuple[str, ...]
    model: str | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Request:
    """One study to measure: its files, and the folder for the results, which is there.

    `exams` are the documents of earlier exams of the patient, `reports` structured reports.
    """

    folder: str
    files: tuple[str, ...]
    exams: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came out: how many images were measured and refused, how many exams are in the chart."""

    outcome: str
    measured: int = 0
    refused: int = 0
    earlier: int = 0


class NotMeasured(FetometryError):
    """A study has no outcome; `code` says why in a word, `file` of what the child died."""

    def __init__(self, code: str, file: str | None = None) -> None:
        super().__init__(f"the study was not measured: {code}")
        self.code, self.file = code, file


class Measurer:
    """The node's side: starts the child, asks it, and ends it where it takes too long."""

    def __init__(self, asked: Asked, log: Path, stop: threading.Event) -> None:
        self._asked, self._log, self._stop = asked, log, stop
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._opened: int | None = None

    def start(self, limit_s: float) -> None:
        """Start the child with its model loaded, unless it runs.

        Raises:
            NotMeasured: it did not start within the limit, or the node is to end.
            FetometryError: the model or the profile cannot be used.
        """
        if self._child is not None and self._child.poll() is None:
            return
        self.end()
        self._child = child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the node's to answer
        )
        self._lines = queue.Queue()
        assert child.stdout is not None and child.stderr is not None  # noqa: S101 - pipes
        for target, *given in (
            (_pass_on, child.stdout, self._lines),
            (_write_down, child.stderr, self._log),
        ):
            threading.Thread(target=target, args=given, daemon=True).start()
        ready = self._ask(asdict(self._asked), time.monotonic() + limit_s)
        if "error" in ready:
            self.end()
            raise FetometryError(str(ready["error"]))

    def measure(self, request: Request, limit_s: float) -> Answer:
        """Measure one study.

        Raises:
            NotMeasured: it was refused, took too long, crashed the child, or the node is to end.
        """
        until = time.monotonic() + limit_s
        self.start(limit_s)
        self._opened = None
        try:
            answer = self._ask(asdict(request), until)
        except NotMeasured as error:
            if error.code == CRASHED and self._opened is not None:
                raise NotMeasured(CRASHED, request.files[self._opened]) from None
            raise
        if "code" in answer:
            raise NotMeasured(str(answer["code"]))
        return Answer(**answer)

    def end(self) -> None:
        """End the child at once; what it was about is measured again later."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()  # the other pipes are closed by who reads them

    def _ask(self, question: Mapping[str, Any], until: float) -> dict[str, Any]:
        child = self._child
        if child is None or child.stdin is None:
            raise NotMeasured(CRASHED)
        try:
            child.stdin.write(json.dumps(question).encode() + b"\n")
            child.stdin.flush()
        except OSError:
            self.end()
            raise NotMeasured(CRASHED) from None
        return self._answer(until)

    def _answer(self, until: float) -> dict[str, Any]:
        while True:
            try:
                line = self._lines.get(timeout=LOOK_S)
            except queue.Empty:
                why = STOPPED if self._stop.is_set() else TIME_LIMIT
                if why == TIME_LIMIT and time.monotonic() < until:
                    continue
                self.end()
                raise NotMeasured(why) from None
            if line is None:
                self.end()
                raise NotMeasured(CRASHED)
            answer: dict[str, Any] = json.loads(line)
            if OPENS not in answer:
                return answer
            self._opened = int(answer[OPENS])


def _pass_on(pipe: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(None)


def _write_down(pipe: IO[bytes], path: Path) -> None:
    """Keep the newest of what a child prints; it is read on where it cannot be kept."""
    with pipe:
        while some := pipe.read1(_AT_ONCE):  # type: ignore[attr-defined]  # it is buffered
            with contextlib.suppress(OSError):
                full = path.is_file() and path.stat().st_size + len(some) > MOST_LOG_BYTES
                how = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if full else os.O_APPEND)
                with os.fdopen(os.open(path, how, 0o600), "wb") as file:
                    file.write(some)


def main() -> None:
    """Measure what stdin asks for until it ends."""
    faulthandler.enable()
    sys.excepthook = _told
    # libraries print what they like: the answers have a way of their own
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    questions: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()

    def say(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()

    files = _tell_what_is_opened(say)
    try:
        measure = _prepared(json.loads(questions.get()))
    except FetometryError as error:
        say({"error": str(error)})
        return
    say({})
    while True:
        request = Request(**json.loads(questions.get()))
        files.clear()
        files.update({file: number for number, file in enumerate(request.files)})
        try:
            say(asdict(measure(request)))
        except NotMeasured as error:
            say({"code": error.code})
        except (OutputError, OSError):
            say({"code": NOT_WRITTEN})
        except FetometryError as error:
            say({"code": type(error).__name__})


def _told(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
    """Print the kind and the place of a fault: its words may tell what stands in a file."""
    steps = traceback.extract_tb(trace)
    place = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "unknown"
    sys.stderr.write(f"{kind.__name__} at {place}\n")


def _tell_what_is_opened(say: Callable[[Mapping[str, Any]], None]) -> dict[str, int]:
    """Have the number of each file that is opened said; return the numbers, to be filled in."""
    numbers: dict[str, int] = {}
    main_thread = threading.get_ident()

    def opened(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not numbers or threading.get_ident() != main_thread:
            return
        number = numbers.get(str(args[0]), -1)
        if number >= 0:
            say({OPENS: number})

    sys.addaudithook(opened)
    return numbers


def _listen(questions: queue.Queue[bytes]) -> None:
    for line in sys.stdin.buffer:
        questions.put(line)
    # the node is gone: nobody waits for what is being measured
    os._exit(0)


def _prepared(asked: Mapping[str, Any]) -> Callable[[Request], Answer]:
    from fetometry.serve.node.study import Studies

    return Studies(Asked(tuple(asked["kinds"]), asked["model"], asked["profile"])).measure
