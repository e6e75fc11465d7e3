"""The durable queue: what is received, answered, sent, forgotten."""

import threading
from pathlib import Path

import pytest

from fetometry.errors import DataError
from fetometry.serve.node.nouns import REPORT
from fetometry.serve.node.store import Accepted, Received, Result, Store
from tests.serve.node.storing import Clock, answer, files, put, received


def test_an_accepted_object_is_in_the_folder_of_its_study_and_in_its_job(store: Store) -> None:
    assert put(store, received(1)) is Accepted.NEW
    assert put(store, received(2)) is Accepted.NEW
    [job] = store.quiet_studies(0)
    assert [path.name for path in job.files] == ["1.7.1.dcm", "1.7.2.dcm"]
    assert job.files[0].read_bytes() == b"content digest 1"
    assert (job.generation, job.attempts, job.folder.name) == (2, 0, job.study)
    assert files(store.folder / "incoming") == []


def test_the_same_object_again_changes_nothing(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1")
    assert put(store, received(1)) is Accepted.SAME
    assert store.quiet_studies(0) == []
    assert store.status().objects == 1
    assert files(store.folder / "incoming") == []


def test_other_bytes_under_a_known_uid_are_not_kept(store: Store) -> None:
    put(store, received(1))
    assert put(store, received(1, digest="other")) is Accepted.DIFFERS
    [job] = store.quiet_studies(0)
    assert job.files[0].read_bytes() == b"content digest 1"
    assert job.generation == 1
    assert files(store.folder / "incoming") == []


def test_an_object_whose_file_was_removed_by_hand_is_taken_again(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    job.files[0].unlink()
    assert put(store, received(1)) is Accepted.SAME
    assert job.files[0].read_bytes() == b"content digest 1"


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "", "1..2", "1.2/3", "9" * 65, "1.2\n"])
def test_what_is_no_uid_never_becomes_a_file_name(store: Store, uid: str) -> None:
    file = store.incoming()
    file.write_bytes(b"x")
    with pytest.raises(DataError, match="SOP Instance UID"):
        store.accept(Received("1.2", uid, "1.7", "ID\0", "PACS", "d", 1), file)
    assert store.status().objects == 0


def test_a_study_is_quiet_since_its_last_image(store: Store, clock: Clock) -> None:
    put(store, received(1))
    clock.now += 20
    put(store, received(2))
    clock.now += 29
    assert store.quiet_studies(30) == []
    clock.now += 1
    assert len(store.quiet_studies(30)) == 1


def test_a_study_that_came_before_a_restart_is_quiet_since_the_restart(
    tmp_path: Path, clock: Clock
) -> None:
    with Store.open(tmp_path / "store", now=clock) as before:
        put(before, received(1))
    clock.now += 100
    with Store.open(tmp_path / "store", now=clock) as after:
        assert after.quiet_studies(30) == []
        clock.now += 30
        assert len(after.quiet_studies(30)) == 1


def test_a_clock_that_was_set_back_does_not_hold_a_study(store: Store, clock: Clock) -> None:
    clock.now += 86400
    put(store, received(1))
    clock.now -= 86400
    assert len(store.quiet_studies(30)) == 1


def test_an_answer_queues_each_result_once(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1", "9.2")
    assert store.quiet_studies(0) == []
    first = store.due_sends()
    assert [(send.sop_uid, send.path.read_bytes()) for send in first] == [("9.1", b"report 9.1")]
    store.sent(first[0])
    assert [send.sop_uid for send in store.due_sends()] == ["9.2"]
    status = store.status()
    assert (status.answered, status.queued, status.sent) == (1, 1, 1)


def test_a_result_that_was_queued_before_is_not_sent_again(store: Store) -> None:
    put(store, received(1))
    answer(store, store.quiet_studies(0)[0], "9.1")
    store.sent(store.due_sends()[0])
    put(store, received(2))
    answer(store, store.quiet_studies(0)[0], "9.1")
    assert store.due_sends() == []
    assert store.status().sent == 1


def test_a_late_image_makes_a_second_answer_after_the_first(store: Store) -> None:
    put(store, received(1))
    [first] = store.quiet_studies(0)
    answer(store, first, "9.1")
    put(store, received(2))
    [late] = store.quiet_studies(0)
    assert late.generation == 2
    assert store.last_result(late.study) == store.folder / "results" / late.study / "1/9.1.sr.dcm"
    answer(store, late, "9.2")
    assert store.last_result(late.study) == store.folder / "results" / late.study / "2/9.2.sr.dcm"
    assert [send.sop_uid for send in store.due_sends()] == ["9.1"]


def test_images_that_come_while_a_study_is_measured_leave_it_waiting(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    put(store, received(2))
    answer(store, job, "9.1")
    [again] = store.quiet_studies(0)
    assert (again.generation, len(again.files)) == (2, 2)


def test_a_later_result_waits_for_an_earlier_one_of_its_study(store: Store, clock: Clock) -> None:
    put(store, received(1))
    put(store, received(1, study="1.8"))
    for job in store.quiet_studies(0):
        answer(store, job, f"9.{job.files[0].name[2]}.1", f"9.{job.files[0].name[2]}.2")
    first = store.due_sends()
    assert {send.sop_uid for send in first} == {"9.7.1", "9.8.1"}
    store.retry(first[0], "peer-away", 60)
    assert [send.sop_uid for send in store.due_sends()] == [first[1].sop_uid]
    clock.now += 60
    [again] = [send for send in store.due_sends() if send.id == first[0].id]
    assert again.attempts == 1
    store.refused(again, "status-C000")
    assert first[0].sop_uid[:-1] + "2" in {send.sop_uid for send in store.due_sends()}
    assert store.status().refused == 1


def test_what_waits_for_the_peer_is_tried_at_once_after_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    with Store.open(tmp_path / "store", now=clock) as before:
        put(before, received(1))
        answer(before, before.quiet_studies(0)[0], "9.1")
        before.retry(before.due_sends()[0], "peer-away", 900)
        assert before.due_sends() == []
    with Store.open(tmp_path / "store", now=clock) as after:
        assert len(after.due_sends()) == 1


def test_without_somebody_to_forward_to_results_are_kept_and_not_queued(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store", forward=False) as store:
        put(store, received(1))
        [job] = store.quiet_studies(0)
        answer(store, job, "9.1")
        assert store.due_sends() == []
        assert store.last_result(job.study) is not None


def test_a_study_without_results_has_nothing_measured(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    store.finish(job, [], "nothing")
    assert store.quiet_studies(0) == []
    assert (store.status().nothing, store.status().answered) == (1, 0)


def test_the_third_failure_ends_the_attempts_until_an_image_comes(store: Store) -> None:
    put(store, received(1))
    for attempt in range(3):
        [job] = store.quiet_studies(0)
        assert job.attempts == attempt
        store.fail(job, "time-limit")
    assert store.quiet_studies(0) == []
    assert store.status().failed == 1
    assert store.status().errors == ("study: time-limit",)
    put(store, received(2))
    [job] = store.quiet_studies(0)
    assert job.attempts == 0


def test_the_next_attempt_waits_as_an_image_does(store: Store, clock: Clock) -> None:
    put(store, received(1))
    clock.now += 30
    store.fail(store.quiet_studies(30)[0], "crash")
    assert store.quiet_studies(30) == []
    clock.now += 30
    assert len(store.quiet_studies(30)) == 1


def test_a_failure_counts_only_for_the_images_that_were_measured(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    put(store, received(2))
    store.fail(job, "crash")
    assert store.quiet_studies(0)[0].attempts == 0


def test_a_result_outside_the_folder_of_its_answer_is_not_committed(store: Store) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    lost = Result("9.1", "1.8", Path("results") / job.study / "1" / "no.sr.dcm", "d", "sr")
    with pytest.raises(DataError, match="not in the folder of its answer"):
        store.finish(job, [lost], "measured")
    assert len(store.quiet_studies(0)) == 1
    assert store.due_sends() == []


def test_earlier_exams_are_those_of_the_same_patient_and_issuer(store: Store) -> None:
    people = {"1.1": "ID\0X", "1.2": "ID\0X", "1.3": "ID\0Y", "1.4": "OTHER\0X"}
    for study, patient in people.items():
        put(store, received(1, study=study, patient=patient))
        [job] = store.quiet_studies(0)
        answer(store, job, f"9.{study}", content=study.encode())
    put(store, received(1, study="1.5", patient="ID\0X"))
    [job] = store.quiet_studies(0)
    exams = store.earlier_exams(job.patient, job.study)
    assert [path.read_text() for path in exams] == ["1.1", "1.2"]


def test_patients_without_an_id_are_never_the_same(store: Store) -> None:
    for study in ("1.1", "1.2"):
        put(store, received(1, study=study, patient="\0X"))
    one, other = store.quiet_studies(0)
    assert one.patient != other.patient


def test_a_report_is_kept_for_the_patient_and_never_measured(store: Store) -> None:
    put(store, received(1, study="1.1", kind=REPORT))
    assert store.quiet_studies(0) == []
    put(store, received(1, study="1.2"))
    [job] = store.quiet_studies(0)
    [report] = store.reports_of(job.patient)
    assert report.read_bytes() == b"content digest 1"
    assert report.parent.name == store.study_key("1.1")
    assert (store.status().objects, store.status().reports) == (1, 1)


def test_a_report_of_a_study_that_has_images_is_not_among_them(store: Store) -> None:
    put(store, received(1))
    put(store, received(2, kind=REPORT))
    [job] = store.quiet_studies(0)
    assert (job.generation, len(job.files), files(job.folder)) == (1, 1, ["1.7.1.dcm"])


def test_only_old_studies_that_are_wholly_answered_are_forgotten(
    store: Store, clock: Clock
) -> None:
    for study in ("1.1", "1.2", "1.3"):
        put(store, received(1, study=study))
    done, queued, _ = store.quiet_studies(0)
    answer(store, done, "9.1")
    answer(store, queued, "9.2")
    store.sent(store.due_sends()[0])
    assert store.forget(clock.now).studies == 0  # not older
    assert store.forget(clock.now + 1).studies == 1
    left = {path.name for path in (store.folder / "objects").iterdir()}
    assert left == {store.study_key("1.2"), store.study_key("1.3")}
    assert not (store.folder / "results" / done.study).exists()
    assert store.status().objects == 2


def test_a_study_whose_result_was_refused_is_kept_for_as_long_again(
    store: Store, clock: Clock
) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1")
    clock.now += 100
    store.refused(store.due_sends()[0], "status-A900")
    assert store.forget(clock.now).studies == 0
    clock.now += 1
    gone = store.forget(clock.now)
    assert (gone.studies, gone.unsent) == (1, {job.study: 1})


def test_what_stands_aside_lets_others_pass_and_keeps_its_study(store: Store, clock: Clock) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    answer(store, job, "9.1", "9.2")
    store.retry(store.due_sends()[0], "class-not-accepted", 60, aside=True)
    store.sent(store.due_sends()[0])
    clock.now += 60
    assert [send.sop_uid for send in store.due_sends()] == ["9.1"]
    assert (store.status().queued, store.status().sent) == (1, 1)
    assert store.status().oldest_queued_s == 60
    assert store.forget(clock.now + 1).studies == 0


def test_what_lies_in_quarantine_goes_with_the_studies_of_its_time(
    store: Store, clock: Clock
) -> None:
    for k in range(2):
        file = store.incoming()
        file.write_bytes(b"garbage")
        store.quarantine(file, "unreadable", "PACS")
        clock.now += 10 * k
    assert store.forget(clock.now).quarantined == 2
    assert files(store.folder / "quarantine") == []
    assert store.status().quarantined == 0


def test_what_others_keep_of_a_patient_goes_with_the_last_study(store: Store, clock: Clock) -> None:
    put(store, received(1))
    [job] = store.quiet_studies(0)
    kept = store.folder / "earlier" / job.patient / "exam.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    store.finish(job, [], "nothing")
    assert store.forget(clock.now + 1).studies == 1
    assert not kept.parent.exists()


def test_all_threads_may_use_it(store: Store) -> None:
    def work(number: int) -> None:
        for image in range(10):
            put(store, received(image, study=f"1.{number}"))
            store.status()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.generation for job in store.quiet_studies(0)) == [10] * 4


def test_the_same_object_from_two_threads_is_new_once(store: Store) -> None:
    answers: list[Accepted] = []
    threads = [
        threading.Thread(target=lambda: answers.append(put(store, received(1)))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(Accepted.NEW) == 1
    assert answers.count(Accepted.SAME) == 7
