"""The listening half of a node, with its store and what it said."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fetometry.serve.node.logs import Log
from fetometry.serve.node.settings import NodeSettings
from fetometry.serve.node.store import Store
from tests.serve.orthanc import HERE, free_port


class Listening:
    """A node that listens, its store, and what it said."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.port = free_port()
        self._said = io.StringIO()
        allowed = {"allow": frozenset({"PACS"}), "reserve_mb": 0, "host": HERE} | given
        settings = NodeSettings(folder / "store", port=self.port, **allowed)
        self.store = Store.open(settings.folder)
        from fetometry.serve.node.receive import Receiver  # needs the extra

        self.receiver = Receiver(self.store, settings, Log(self._said))
        try:
            self.receiver.start()
        except BaseException:
            self.store.close()
            raise

    def close(self) -> None:
        self.receiver.stop()
        self.store.close()

    @property
    def said(self) -> str:
        return self._said.getvalue()

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.said.splitlines()]
        return [line for line in lines if line["event"] == name]

    def reasons(self) -> list[str]:
        return [line["reason"] for line in self.events("refused")]

    def files(self, name: str) -> list[Path]:
        return sorted(path for path in (self.store.folder / name).rglob("*") if path.is_file())


Listen = Callable[..., Listening]


def soon(true: Callable[[], object]) -> bool:
    for _ in range(100):
        if true():
            return True
        time.sleep(0.05)
    return False
