"""What every test of the node may ask for by name."""

import socketserver
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fetometry.serve.node.store import Store
from tests.serve.node.listening import Listen, Listening
from tests.serve.node.storing import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(tmp_path / "store", now=clock) as opened:
        yield opened


@pytest.fixture
def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Start nodes; each data set has to go straight to the disk, unless `in_memory`."""
    pytest.importorskip("pynetdicom", reason="needs the extra serve")
    from fetometry.serve.node.receive import Receiver

    started: list[Listening] = []
    # how often a server looks whether it is to end: half a second else
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.02,))

    def start(in_memory: bool = False, **given: Any) -> Listening:
        if not in_memory:
            monkeypatch.setattr(Receiver, "_spooled", None)
        started.append(Listening(tmp_path / str(len(started)), **given))
        return started[-1]

    yield start
    for one in started:
        one.close()
