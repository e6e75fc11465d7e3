"""A node as a hospital runs it: a process of its own, started, killed and asked from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

from fetometry.serve.node.nouns import Status
from fetometry.serve.node.store import Store
from tests.serve.orthanc import HERE, PATIENCE_S, free_port
from tests.serve.peers import SENDER, Peer, listens

COMMAND = [sys.executable, "-c", "from fetometry.cli import main; main()", "node"]

#: Options of a node that is in a hurry.
QUICK = ("--quiet", "1", "--retry", "1,2", "--host", HERE)


class Node:
    """One node; its folder and its log outlive `kill`, and its port stays the same."""

    def __init__(self, folder: Path, forward: Peer, *options: str, allow: str = SENDER):
        pytest.importorskip("pynetdicom", reason="needs the extra serve")
        folder.mkdir(parents=True, exist_ok=True)
        self.store = folder / "store"
        self.log_file = folder / "node.log"
        self.aet = "FETOMETRY"
        self.host = HERE
        self.dicom_port = free_port()
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._options = [
            *("--port", str(self.dicom_port), "--aet", self.aet, "--store", str(self.store)),
            *("--forward", f"{forward.host}:{forward.dicom_port}:{forward.aet}"),
            *("--allow", allow, *options),
        ]

    @property
    def log(self) -> str:
        """Everything that it said since it was first started."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log that are about an event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def start(self) -> Self:
        """Start it, and return when it listens."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self.starts += 1
        until = time.monotonic() + PATIENCE_S
        while not listens(self.dicom_port):
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise RuntimeError(f"the node did not start:\n{self.log}")
            time.sleep(0.05)
        return self

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it at once, as a power failure does; nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE_S)
        finally:
            process.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.kill()

    def status(self) -> dict[str, Any]:
        """What ``fetometry node status --json`` says, whether or not the node runs."""
        done = subprocess.run(
            [*COMMAND, "status", "--store", str(self.store), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)

    def counts(self) -> Status:
        """The same without a process of its own, to be asked again and again."""
        with Store.look(self.store) as looked:
            return looked.status()

    def kept(self, folder: str, pattern: str = "*") -> list[Path]:
        """Files in a folder of the store; what vanishes meanwhile is left out."""
        with contextlib.suppress(OSError):
            return [path for path in (self.store / folder).rglob(pattern) if path.is_file()]
        return []


def wait_for(condition, *, within_s: float, what: str) -> None:
    """Wait until something holds, asking again and again."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {within_s:g} s"
        time.sleep(0.1)
