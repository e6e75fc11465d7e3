"""A store is opened, looked at, cleared; and what its folder holds."""

import os
import sqlite3
from pathlib import Path

import pytest

from fetometry.errors import OutputError, UsageError
from fetometry.serve.node import quarantine, schema
from fetometry.serve.node.nouns import Again
from fetometry.serve.node.store import Store
from tests.serve.node.storing import answer, files, put, received

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL and no fork")


def test_neither_database_nor_names_hold_a_patient_or_a_study_uid(store: Store) -> None:
    put(store, received(1, study="1.77777", patient="MUSTERFRAU\0ISSUER"))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1")
    store.quarantine(None, "unreadable", "PACS")
    everything = b"".join(path.read_bytes() for path in store.folder.glob("node.sqlite*"))
    assert b"MUSTERFRAU" not in everything
    assert b"ISSUER" not in everything
    row = store._db.one("SELECT * FROM studies")
    assert row is not None and "1.77777" not in [str(value) for value in row]


def test_two_stores_give_one_study_two_keys(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a") as one, Store.open(tmp_path / "b") as other:
        assert one.study_key("1.7") != other.study_key("1.7")


@posix
def test_only_the_owner_can_look_into_the_folder(store: Store) -> None:
    assert store.folder.stat().st_mode & 0o777 == 0o700


def test_a_second_node_on_the_same_folder_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="another node is running"):
        Store.open(store.folder)


def test_the_folder_is_free_again_after_close(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").close()
    Store.open(tmp_path / "store").close()


def test_a_store_can_be_looked_at_while_a_node_uses_it_and_not_written(store: Store) -> None:
    put(store, received(1))
    with Store.look(store.folder) as looked:
        assert looked.status().waiting == 1
        with pytest.raises(OutputError):
            looked.quarantine(None, "unreadable", "PACS")


def test_looking_at_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no node has used"):
        Store.look(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["results/trial/thesis.csv", "reports/r.pdf", "notes.txt"])
def test_a_folder_of_somebody_else_is_refused_and_nothing_in_it_changes(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("years of work")
    tmp_path.chmod(0o755)
    with pytest.raises(UsageError, match="is not empty, and has no node"):
        Store.open(tmp_path)
    assert files(tmp_path) == [name]
    assert os.name == "nt" or tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_store_whose_database_was_lost_is_refused_and_keeps_its_objects(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, received(1))
    (tmp_path / schema.NAME).unlink()
    with pytest.raises(UsageError, match="put it back from a copy"):
        Store.open(tmp_path)
    assert len(files(tmp_path / "objects")) == 1


def test_a_new_disk_or_a_node_that_was_killed_at_its_first_step_is_an_empty_folder(
    tmp_path: Path,
) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "node.lock").write_bytes(b"")
    with Store.open(tmp_path) as store:
        assert store.status().objects == 0


def test_a_store_can_be_changed_beside_the_node_that_runs_on_it(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1", "9.2")
    store.refused(store.due_sends()[0], "status-A900")
    put(store, received(1, study="1.8"))
    for _ in range(3):
        [job] = store.quiet_studies(0)
        store.fail(job, "crashed")
    with Store.join(store.folder) as beside:
        again = beside.requeue()
    assert (again.results, again.studies) == (1, 1)
    assert [send.sop_uid for send in store.due_sends()] == ["9.1"]
    assert [job.attempts for job in store.quiet_studies(0)] == [0]
    assert store.requeue() == Again(0, 0)


def test_joining_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no node has used"):
        Store.join(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").close()
    with sqlite3.connect(tmp_path / "store" / schema.NAME) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    for opened in (Store.open, Store.look):
        with pytest.raises(UsageError, match="later fetometry"):
            opened(tmp_path / "store")


def test_a_database_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / schema.NAME).write_bytes(b"no database, but long enough to be read as one" * 99)
    with pytest.raises(OutputError, match="not a database"):
        Store.open(tmp_path)


def test_commits_are_written_through_to_the_disk(store: Store) -> None:
    # 2 is FULL: each commit ends with an fsync; NORMAL would lose the last ones in a power cut
    assert store._db.connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._db.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_leftovers_of_a_killed_node_are_cleared(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        put(store, received(1))
        [job] = store.quiet_studies(0)
        answer(store, job, "9.1")
    kept = {*files(tmp_path / "objects"), *files(tmp_path / "results")}
    for name in (
        "incoming/half.dcm", f"objects/{job.study}/1.9.dcm", "objects/0123/1.9.dcm",
        f"results/{job.study}/2/report.sr.dcm", f"results/{job.study}/.work-1/x",
        "results/0123/1/x",
        "earlier/0123/exam.json", "quarantine/7.dcm", "reports/0123/1.2.dcm",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"left")
    with Store.open(tmp_path):
        pass
    assert {*files(tmp_path / "objects"), *files(tmp_path / "results")} == kept
    for name in ("incoming", "earlier", "quarantine", "reports"):
        assert files(tmp_path / name) == []


def test_quarantine_keeps_the_file_and_says_why(store: Store) -> None:
    file = store.incoming()
    file.write_bytes(b"garbage")
    store.quarantine(file, "unreadable", "PACS")
    assert (store.folder / "quarantine" / "1.dcm").read_bytes() == b"garbage"
    assert not file.exists()
    assert store.status().quarantined == 1
    assert store.status().errors == ("quarantine: unreadable",)


def test_quarantine_drops_the_oldest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_FILES", 3)
    monkeypatch.setattr(quarantine, "MAX_BYTES", 20)
    for content in (b"1", b"2", b"3", b"4", b"5" * 18, b"6" * 21):
        file = store.incoming()
        file.write_bytes(content)
        store.quarantine(file, "unreadable", "PACS")
    # the sixth alone is too large to be kept: its reason is, and the fourth and fifth still fit
    assert files(store.folder / "quarantine") == ["4.dcm", "5.dcm"]
    assert store.status().quarantined == 3
