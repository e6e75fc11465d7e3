import itertools
import ssl
import threading
import time
from pathlib import Path

import pydicom
import pytest

from fetometry.serve.node import send
from fetometry.serve.node.nouns import Result
from fetometry.serve.node.send import Sender
from fetometry.serve.node.settings import Tls
from fetometry.serve.node.store import Store
from tests.serve.node.objects import image
from tests.serve.node.studies import (
    COMPREHENSIVE_SR,
    SECONDARY_CAPTURE,
    Archive,
    Events,
    certificate,
    put,
    settings_of,
)

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setattr(send, "LOOK_S", 0.02)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        yield opened


def answer(store: Store, study: str, *kinds: str) -> list[str]:
    """Commit an answer to a study with a result of each class; return the UIDs."""
    put(store, image(1, study))
    (job,) = [j for j in store.quiet_studies(0.0) if j.study == store.study_key(uid_of(study))]
    folder = store.results_folder(job)
    folder.mkdir()
    results = []
    for k, sop_class in enumerate(kinds):
        made = image(100 + k, study, SOPClassUID=sop_class)
        made.save_as(folder / f"{k}.dcm", enforce_file_format=True)
        path = (folder / f"{k}.dcm").relative_to(store.folder)
        results.append(Result(str(made.SOPInstanceUID), sop_class, path, str(k), "sc"))
    store.finish(job, results, "answered")
    return [result.sop_uid for result in results]


def uid_of(study: str) -> str:
    return str(image(1, study).StudyInstanceUID)


def sender(
    store: Store, archive: Archive, *, hours_each: float = 0.0, **more: object
) -> tuple[Sender, Events]:
    """A sender for which so many hours go by each time it looks at the clock."""
    log, looks = Events(), itertools.count()
    settings = settings_of(store.folder, archive.port, **more)

    def now() -> float:
        return time.time() + next(looks) * hours_each * 3600.0

    return Sender(store, settings, threading.Event(), log, now), log


def run_until(made: Sender, condition) -> None:
    thread = threading.Thread(target=made.run)
    thread.start()
    until = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    made.stop.set()
    thread.join()
    assert condition()


def test_results_arrive_in_the_order_in_which_they_were_committed(store):
    uids = answer(store, "one", SECONDARY_CAPTURE, SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    with Archive().running() as archive:
        made, _ = sender(store, archive)
        run_until(made, lambda: store.status().sent == 3)
    assert archive.asked == uids
    (first,) = Path(store.folder, "results").rglob("0.dcm")
    assert archive.taken[0] == pydicom.dcmread(first)


# pynetdicom leaves a socket that was refused to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_archive_that_was_away_gets_everything_once(store):
    uids = answer(store, "one", SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    uids += answer(store, "two", COMPREHENSIVE_SR)
    archive = Archive()
    made, log = sender(store, archive)
    thread = threading.Thread(target=made.run)
    thread.start()
    while len(log.of("peer-away")) < 2:
        time.sleep(0.02)
    assert store.status().queued == 3
    with archive.running():
        while store.status().queued:
            time.sleep(0.02)
        made.stop.set()
        thread.join()
    assert sorted(archive.asked) == sorted(uids)
    assert {told["reason"] for told in log.of("peer-away")} == {"peer-unreachable"}


def test_an_archive_without_room_is_asked_until_it_has_some(store):
    (uid,) = answer(store, "one", COMPREHENSIVE_SR)
    answers = iter([0xA700] * 5)
    with Archive(answer=lambda _: next(answers, 0)).running() as archive:
        made, _ = sender(store, archive)
        run_until(made, lambda: store.status().sent == 1)
    assert archive.asked == [uid] * 6
    assert store.status().refused == 0


@pytest.mark.parametrize("status", [0xA900, 0x0122])
def test_a_result_that_can_never_be_taken_is_given_up_and_lets_the_next_one_pass(store, status):
    bad, good = answer(store, "one", SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    archive = Archive(answer=lambda uid: status if uid == bad else 0)
    with archive.running():
        made, log = sender(store, archive)
        run_until(made, lambda: store.status().queued == 0)
    assert archive.asked == [bad, bad, bad, good]
    assert (store.status().sent, store.status().refused) == (1, 1)
    assert [told["reason"] for told in log.of("result-refused")] == [f"status-{status:04X}"]


@pytest.mark.parametrize("status", [0xC000, 0x0110, 0x0124])
def test_an_archive_in_trouble_gets_every_result_when_it_is_well_again(store, status):
    bad, good = answer(store, "one", SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    trouble = itertools.count()
    archive = Archive(answer=lambda uid: status if uid == bad and next(trouble) < 7 else 0)
    with archive.running():
        made, _ = sender(store, archive, hours_each=2.0)
        run_until(made, lambda: store.status().sent == 2)
    assert archive.asked[:4] == [bad, bad, bad, good]  # the others do not wait for it
    assert (archive.asked.count(bad), archive.asked.count(good)) == (8, 1)
    assert store.status().refused == 0


def test_a_result_that_is_not_taken_in_all_the_days_that_it_is_kept_is_given_up(store):
    answer(store, "one", COMPREHENSIVE_SR)
    with Archive(answer=lambda _: 0xC000).running() as archive:
        made, log = sender(store, archive, hours_each=48.0, keep_days=30)
        run_until(made, lambda: store.status().refused == 1)
    assert 5 <= len(archive.asked) <= 20
    assert [told["reason"] for told in log.of("result-refused")] == ["status-C000"]


def test_what_was_refused_is_sent_again_when_somebody_asks_for_it(store):
    answer(store, "one", COMPREHENSIVE_SR)
    never = [0xA900]
    with Archive(answer=lambda _: never[0]).running() as archive:
        made, _ = sender(store, archive)
        thread = threading.Thread(target=made.run)
        thread.start()
        while not store.status().refused:
            time.sleep(0.02)
        never[0] = 0
        with Store.join(store.folder) as beside:  # as another process does, while the node runs
            assert beside.requeue().results == 1
        while not store.status().sent:
            time.sleep(0.02)
        made.stop.set()
        thread.join()
    assert store.status().refused == 0


@pytest.mark.parametrize("status", [0x0111, 0xB007])
def test_what_the_archive_has_already_or_takes_with_a_remark_is_sent(store, status):
    answer(store, "one", COMPREHENSIVE_SR)
    with Archive(answer=lambda _: status).running() as archive:
        made, _ = sender(store, archive)
        run_until(made, lambda: store.status().sent == 1)
    assert len(archive.asked) == 1


def test_a_class_that_the_archive_does_not_take_is_refused_and_the_others_arrive(store):
    answer(store, "one", SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    with Archive(classes=(COMPREHENSIVE_SR,)).running() as archive:
        made, log = sender(store, archive)
        run_until(made, lambda: len(log.of("result-not-sent")) == 5)
        assert len(archive.taken) == 1
        assert (store.status().queued, store.status().refused) == (1, 0)  # it may be allowed still
        made, log = sender(store, archive, hours_each=0.5)
        run_until(made, lambda: store.status().queued == 0)
    assert len(archive.taken) == 1
    assert [told["reason"] for told in log.of("result-refused")] == ["class-not-accepted"]


def test_a_result_that_somebody_removed_holds_up_no_other(store):
    answer(store, "one", SECONDARY_CAPTURE, COMPREHENSIVE_SR)
    store.due_sends()[0].path.unlink()
    with Archive().running() as archive:
        made, log = sender(store, archive)
        run_until(made, lambda: store.status().queued == 0)
    assert [told["reason"] for told in log.of("result-refused")] == ["result-unreadable"]
    assert len(archive.taken) == 1


def test_an_archive_that_does_not_know_us_is_tried_again_and_named(store):
    answer(store, "one", COMPREHENSIVE_SR)
    with Archive(title="OTHER").running() as archive:
        made, log = sender(store, archive)
        run_until(made, lambda: len(log.of("peer-away")) == 2)
    assert {told["reason"] for told in log.of("peer-away")} == {"peer-refuses-association"}
    assert store.status().queued == 1


def test_results_go_by_tls_to_an_archive_that_the_authority_knows(store, tmp_path):
    answer(store, "one", COMPREHENSIVE_SR)
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cert)
    context.verify_mode = ssl.CERT_REQUIRED  # the node shows its certificate, too
    context.load_cert_chain(cert, key)
    with Archive(tls=context).running() as archive:
        made, _ = sender(store, archive, tls=Tls(cert, key, cert), forward_tls=True)
        run_until(made, lambda: store.status().sent == 1)
    assert len(archive.taken) == 1


# pynetdicom leaves a socket that was refused to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_goes_to_an_archive_whose_certificate_nobody_signed(store, tmp_path):
    answer(store, "one", COMPREHENSIVE_SR)
    (tmp_path / "ours").mkdir()
    cert, key = certificate(tmp_path)
    ours = certificate(tmp_path / "ours")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    with Archive(tls=context).running() as archive:
        made, log = sender(store, archive, tls=Tls(*ours, ours[0]), forward_tls=True)
        run_until(made, lambda: log.of("peer-away") != [])
    assert archive.asked == []
    assert store.status().queued == 1


def test_the_wait_doubles_up_to_the_longest(store):
    made, _ = sender(store, Archive(), retry_s=(5.0, 900.0))
    waits = []
    for failures in range(1, 12):
        made._failures = failures
        waits.append(made._pause_s())
    assert all(0.8 * 5 * 2**k <= wait <= 5 * 2**k for k, wait in enumerate(waits[:7]))
    assert all(0.8 * 900 <= wait <= 900 for wait in waits[8:])
