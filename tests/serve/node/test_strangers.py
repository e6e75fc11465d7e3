"""Refused callers: counted with bounds, in a store that may be older than their table."""

import sqlite3

import pytest

from fetometry.errors import OutputError
from fetometry.serve.node import recording, schema
from fetometry.serve.node.store import Store
from fetometry.serve.node.strangers import MOST, Strangers


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with Store.open(tmp_path / "store", now=clock) as opened:
        yield opened


def counts(store):
    return {one.calling: one.count for one in store.status().strangers}


def test_the_first_refusal_is_written_at_once_and_a_storm_once_a_second(store, clock):
    strangers = Strangers(store, now=clock)
    for _ in range(5):
        strangers.note("A")
    assert counts(store) == {"A": 1}
    clock.s = 2.0
    strangers.note("B")
    assert counts(store) == {"A": 5, "B": 1}
    strangers.note("B")
    strangers.flush()
    assert counts(store) == {"A": 5, "B": 2}


def test_a_storm_of_titles_is_bounded(store, clock, monkeypatch):
    monkeypatch.setattr(recording, "MOST_STRANGERS", 3)
    strangers = Strangers(store, now=clock)
    for number in range(3 * MOST):
        strangers.note(f"T{number}")
    strangers.flush()
    db = store._db.connection
    assert db.execute("SELECT count(*) FROM strangers").fetchone()[0] == 3
    assert len(store.status().strangers) <= 5


def test_who_was_refused_long_ago_is_forgotten(store, clock):
    store.note_strangers({"OLD": 7})
    clock.s = 31 * 86400.0
    store.note_strangers({"NEW": 1})
    assert counts(store) == {"NEW": 1}


def test_a_title_that_is_none_is_withheld(store, clock):
    strangers = Strangers(store, now=clock)
    strangers.note("\x1b[2J")
    assert counts(store) == {"withheld": 1}


def test_a_full_disk_keeps_the_counts_until_there_is_room(store, clock, monkeypatch):
    def full(_counts):
        raise OutputError("full")

    strangers = Strangers(store, now=clock)
    with monkeypatch.context() as patch:
        patch.setattr(store, "note_strangers", full)
        strangers.note("A")
    strangers.flush()
    assert counts(store) == {"A": 1}


def test_a_store_of_before_can_be_looked_at_and_opened(tmp_path):
    folder = tmp_path / "store"
    Store.open(folder).close()
    with sqlite3.connect(folder / schema.NAME) as db:
        db.execute("DROP TABLE strangers")
    db.close()
    with Store.look(folder) as looked:
        assert looked.status().strangers == ()
    with Store.open(folder) as opened:
        opened.note_strangers({"A": 1})
        assert counts(opened) == {"A": 1}
