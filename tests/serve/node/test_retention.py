"""How long studies are kept, and how much room is left."""

import io
import json
import shutil
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from fetometry.serve.node import retention
from fetometry.serve.node.logs import Log
from fetometry.serve.node.retention import Retention, Room
from fetometry.serve.node.store import Received, Store
from tests.serve.node.storing import answer, put, received

DAY = 86400.0


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def _with_one_answered_study(folder: Path) -> Store:
    store = Store.open(folder, now=lambda: 100 * DAY)
    file = store.incoming()
    file.write_bytes(b"x")
    store.accept(Received("1.2", "1.2.3", "1.2", "ID", "PACS", "digest", 1), file)
    store.finish(store.quiet_studies(0)[0], [], "nothing")
    return store


def test_a_study_is_kept_for_its_days_and_then_forgotten(tmp_path: Path) -> None:
    stream = io.StringIO()
    moment = 130 * DAY
    with _with_one_answered_study(tmp_path / "store") as store:
        keeper = Retention(store, 30, Log(stream), now=lambda: moment)
        assert keeper.step() == 0
        assert store.status().objects == 1
        moment += 1
        assert keeper.step() == 1
        assert store.status().objects == 0
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["studies"] == 1


def test_results_that_were_never_taken_are_told_of_when_they_are_dropped(tmp_path: Path) -> None:
    stream = io.StringIO()
    with _with_one_answered_study(tmp_path / "store") as store:
        put(store, received(1, study="1.9"))
        [job] = store.quiet_studies(0)
        answer(store, job, "9.1", "9.2")
        for _ in range(2):
            store.refused(store.due_sends()[0], "status-A900")
        Retention(store, 30, Log(stream), now=lambda: 131 * DAY).step()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    [dropped] = [line for line in lines if line["event"] == "refused-results-dropped"]
    assert (dropped["study"], dropped["count"]) == (job.study, 2)


def test_old_studies_are_forgotten_at_the_start_and_it_ends_when_it_is_to(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with _with_one_answered_study(tmp_path / "store") as store:
        Retention(store, 30, Log(io.StringIO()), now=lambda: 200 * DAY).run(stop)
        assert store.status().objects == 0


def test_a_store_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    stream = io.StringIO()
    store = _with_one_answered_study(tmp_path / "store")
    store.close()
    assert Retention(store, 30, Log(stream)).step() == 0
    assert json.loads(stream.getvalue())["reason"] == "store-not-written"


def test_room_leaves_the_reserve_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention.shutil, "disk_usage", lambda _: Usage(0, 0, 510_000_000))
    room = Room(tmp_path, 500)
    assert room.free() == 10_000_000
    assert room()
    assert room(10_000_000)
    assert not room(10_000_001)
    assert shutil.disk_usage is retention.shutil.disk_usage


def test_there_is_no_room_where_the_reserve_is_touched(tmp_path: Path) -> None:
    assert Room(tmp_path, 0)()
    assert not Room(tmp_path, 10**12)()
