"""A store on a full disk, and killed at every step."""

import errno
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from fetometry.serve.node import disk
from fetometry.serve.node.store import Accepted, NoRoom, Store
from tests.serve.node import killed
from tests.serve.node.storing import answer, files, put, received

ROOT = Path(__file__).resolve().parents[3]
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL and no fork")


@pytest.mark.parametrize("number", range(6))
def test_a_full_disk_at_any_step_of_a_receipt_leaves_nothing_and_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    steps = 0

    def full(_: Path) -> None:
        nonlocal steps
        steps += 1
        if steps == number + 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "sync", full)
    try:
        assert put(store, received(1)) is Accepted.NEW
    except NoRoom as error:
        assert "No space left" in str(error)
        assert store.status().objects == 0
    else:
        assert steps <= number  # all of it was done before the fault's turn came
        assert number >= 3
    monkeypatch.undo()
    assert put(store, received(1)) in (Accepted.NEW, Accepted.SAME)
    assert store.quiet_studies(0)[0].files[0].read_bytes() == b"content digest 1"


def test_a_full_database_leaves_nothing_of_a_receipt_and_of_an_answer(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    pages = store._db.connection.execute("PRAGMA page_count").fetchone()[0]
    store._db.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NoRoom):
        for number in range(2, 200):
            put(store, received(number))
    taken = store.status().objects
    assert len(files(job.folder)) == taken
    with pytest.raises(NoRoom):
        answer(store, job, *(f"9.{number}" for number in range(200)))
    assert store.due_sends() == []
    store._db.connection.execute("PRAGMA max_page_count = 1000000")
    answer(store, store.quiet_studies(0)[0], "9.1")
    assert len(store.due_sends()) == 1


def _killed(folder: Path, what: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.serve.node.killed", str(folder), what],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


@posix
@pytest.mark.slow
def test_killed_at_any_step_of_a_receipt_the_object_is_wholly_there_or_not_at_all(
    tmp_path: Path,
) -> None:
    steps = _killed(tmp_path, "accept")
    assert steps > 10
    for step in range(1, steps + 1):
        with Store.open(tmp_path / str(step)) as store:
            there = store.status().objects
            assert len(files(store.folder / "objects")) == there
            killed.put(store)
            [job] = store.quiet_studies(0)
            assert [path.read_bytes() for path in job.files] == [killed.CONTENT]
            assert job.generation == 1


@posix
@pytest.mark.slow
def test_killed_at_any_step_of_an_answer_the_study_is_answered_once(tmp_path: Path) -> None:
    steps = _killed(tmp_path, "finish")
    assert steps > 10
    for step in range(1, steps + 1):
        with Store.open(tmp_path / str(step)) as store:
            if store.quiet_studies(0):
                assert files(store.folder / "results") == []
                killed.answer(store)
            [send] = store.due_sends()
            assert (send.sop_uid, send.path.read_bytes()) == (killed.RESULT_UID, b"a report")
            assert store.quiet_studies(0) == []


@posix
@pytest.mark.slow
def test_killed_at_any_step_of_forgetting_a_study_is_whole_or_gone(tmp_path: Path) -> None:
    steps = _killed(tmp_path, "forget")
    for step in range(1, steps + 1):
        with Store.open(tmp_path / str(step)) as store:
            there = store.status().objects
            assert len(files(store.folder / "objects")) == there
            assert len(files(store.folder / "results")) == there


_ACCEPTS = """
import sys
from hashlib import sha256
from pathlib import Path
from fetometry.serve.node.store import Received, Store
store = Store.open(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 1_000_000):
    content = str(number).encode() * 999
    file = store.incoming()
    file.write_bytes(content)
    digest = sha256(content).hexdigest()
    store.accept(Received("1.2", f"1.2.{number}", f"1.{number % 3}", "ID", "PACS", digest, 9), file)
    print(number, flush=True)
"""


@posix
@pytest.mark.slow
def test_whatever_was_answered_for_is_there_after_sigkill(tmp_path: Path) -> None:
    answered: list[int] = []
    for lines in (3, 17, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", _ACCEPTS, str(tmp_path), str(len(answered) + 1000 * lines)],
            stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert child.stdout is not None
        answered += [int(child.stdout.readline()) for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        answered += [int(line) for line in child.stdout.read().split()]
        child.stdout.close()
        child.wait()
    with Store.open(tmp_path) as store:
        held = {path.stem: path for job in store.quiet_studies(0) for path in job.files}
        assert {f"1.2.{number}" for number in answered} <= set(held)
        # at most the one that was under way when each was killed
        assert len(held) <= len(answered) + 3
        rows = {row["sop_uid"]: row["digest"] for row in store._db.all("SELECT * FROM objects")}
        for uid, path in held.items():
            assert sha256(path.read_bytes()).hexdigest() == rows[uid]
