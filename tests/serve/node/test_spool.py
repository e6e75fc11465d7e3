"""An object goes to the disk while it comes in."""

import errno
import gc
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fetometry.serve.node import spool as module
from fetometry.serve.node.spool import EMPTY, NO_ROOM, NOT_WRITTEN, TOO_LARGE, Spool


def _spool(path: Path, limit: int = 1000, **given: Any) -> Spool:
    return Spool(path, lambda: b"head", limit, given.get("room", lambda: True))


def test_what_is_written_stands_in_the_file_after_its_head_and_not_in_memory(
    tmp_path: Path,
) -> None:
    spool = _spool(tmp_path / "x")
    for data in (b"one", b"two"):
        spool.write(data)
    assert spool.finish()
    assert (tmp_path / "x").read_bytes() == b"headonetwo"
    assert spool.getvalue() == b""
    assert (spool.start, spool.size) == (4, 6)
    assert spool.digest == sha256(b"onetwo").hexdigest()
    spool.discard()


def test_no_file_is_made_before_something_comes(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert not spool.finish()
    assert spool.fault == EMPTY


def test_more_than_the_limit_is_dropped_as_soon_as_it_is_passed(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x", limit=10)
    spool.write(b"0123456789")
    assert spool.fault == ""
    spool.write(b"0")
    assert spool.fault == TOO_LARGE
    assert not (tmp_path / "x").exists()
    spool.write(b"0" * 9)
    assert spool.overflow == 10
    assert not spool.finish()


def test_without_room_nothing_is_begun(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x", room=lambda: False)
    spool.write(b"one")
    assert spool.fault == NO_ROOM
    assert list(tmp_path.iterdir()) == []


def test_room_that_runs_out_on_the_way_removes_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_BYTES", 10)
    answers = iter([True, True, False])
    spool = _spool(tmp_path / "x", room=lambda: next(answers))
    for _ in range(5):
        spool.write(b"12345")
    assert spool.fault == NO_ROOM
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("code", "fault"), [(errno.ENOSPC, NO_ROOM), (errno.EDQUOT, NO_ROOM), (errno.EIO, NOT_WRITTEN)]
)
def test_a_disk_that_fails_is_a_fault_and_no_exception(
    tmp_path: Path, code: int, fault: str
) -> None:
    spool = _spool(tmp_path / "x")

    def head() -> bytes:
        raise OSError(code, "")

    spool._preamble = head
    assert spool.write(b"one") == 3
    assert spool.fault == fault


def test_a_file_that_nobody_took_goes_with_its_spool(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x")
    spool.write(b"one")
    assert (tmp_path / "x").exists()
    del spool
    gc.collect()
    assert not (tmp_path / "x").exists()


def test_a_file_that_was_moved_away_stays(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x")
    spool.write(b"one")
    spool.finish()
    (tmp_path / "x").replace(tmp_path / "y")
    spool.discard()
    assert (tmp_path / "y").read_bytes() == b"headone"


def test_what_comes_after_the_association_was_broken_off_is_dropped(tmp_path: Path) -> None:
    spool = _spool(tmp_path / "x")
    assert not spool.break_off()  # nothing had begun
    spool.write(b"one")
    assert spool.break_off()
    assert not spool.break_off()
    spool.write(b"two")
    assert list(tmp_path.iterdir()) == []
