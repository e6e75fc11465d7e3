import threading
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from fetometry.errors import OutputError
from fetometry.serve.node import work
from fetometry.serve.node.measuring import Answer, Asked, NotMeasured, Request
from fetometry.serve.node.store import Received, Store
from fetometry.serve.node.study import Studies
from fetometry.serve.node.work import Worker
from tests.serve.node.objects import image
from tests.serve.node.studies import (
    COMPREHENSIVE_SR,
    FIRST,
    SECONDARY_CAPTURE,
    Events,
    put,
    scan,
)


def result(path: Path, sop_class: str, seed: str) -> None:
    """A file that says what it is and nothing else."""
    made = pydicom.Dataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, generate_uid(entropy_srcs=[seed])
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)


class Fake:
    """In the place of the child: does what it is told, and keeps what it was asked."""

    def __init__(self, measure: Callable[[Request], None]):
        self._measure, self.asked, self.seen = measure, [], []

    def start(self, limit_s: float) -> None:
        pass

    def end(self) -> None:
        pass

    def measure(self, request: Request, limit_s: float) -> Answer:
        self.asked.append(request)
        folder = Path(request.folder)
        self.seen.append(sorted(path.name for path in folder.rglob("*") if path.is_file()))
        self._measure(request)
        return Answer("answered", len(request.files))


def answered(request: Request) -> None:
    """A report whose content is the number of images, and a capture of each image."""
    folder = Path(request.folder)
    result(folder / "report.sr.dcm", COMPREHENSIVE_SR, f"sr{len(request.files)}")
    for file in map(Path, request.files):
        result(folder / "dicom" / f"{file.stem}.sc.dcm", SECONDARY_CAPTURE, file.stem)
    (folder / "exam.json").write_text("{}")


def failing(code: str) -> Callable[[Request], None]:
    def measure(request: Request) -> None:
        raise NotMeasured(code)

    return measure


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def make(store):
    def made(measure=answered) -> tuple[Worker, Fake, Events]:
        fake, log = Fake(measure), Events()
        worker = Worker(store, store.folder, fake, 0.0, 10.0, threading.Event(), log)
        return worker, fake, log

    return made


def test_a_quiet_study_is_measured_and_its_results_are_queued_the_report_last(store, make):
    put(store, image(1))
    put(store, image(2))
    worker, fake, _ = make()
    worker.step()
    assert len(fake.asked[0].files) == 2
    sent = []
    while due := store.due_sends():
        sent.append(due[0].sop_class)
        assert due[0].path.is_file()
        store.sent(due[0])
    assert sent == [SECONDARY_CAPTURE, SECONDARY_CAPTURE, COMPREHENSIVE_SR]
    assert store.status().answered == 1


@pytest.mark.parametrize(("code", "events"), [("stopped", []), ("time-limit", ["time-limit"])])
def test_a_child_that_does_not_start_is_logged_unless_the_node_ends(make, code, events):
    worker, fake, log = make()
    fake.start = lambda limit_s: failing(code)(None)
    worker.stop.set()
    worker.run()
    assert [one["reason"] for one in log.of("measurer-not-started")] == events


def test_late_images_are_measured_beside_the_report_that_was_committed(store, make):
    put(store, image(1))
    worker, fake, _ = make()
    worker.step()
    put(store, image(2))
    worker.step()
    assert fake.seen == [[], ["report.sr.dcm"]]
    assert store.status().queued == 4  # two reports, a capture of each image once


def test_a_measurement_report_of_late_images_names_the_one_before(store, make, tmp_path):
    studies = Studies(Asked(("sr1500",)))
    worker, _, _ = make(studies.measure)
    for k in (1, 2):
        made = pydicom.dcmread(scan(tmp_path / f"{k}.dcm", FIRST))
        made.StudyInstanceUID = "1.2.3"
        put(store, made)
        worker.step()
    first, second = (pydicom.dcmread(path) for path in sorted(store.folder.rglob("*.sr1500.dcm")))
    (replaced,) = second.PredecessorDocumentsSequence
    named = replaced.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID


@pytest.mark.parametrize(
    ("issuer", "found"), [("", True), ("Hospital", True), ("Elsewhere", False)]
)
def test_a_report_without_an_issuer_is_of_the_patient_as_the_archive_says(
    store, make, issuer, found
):
    file = store.incoming()
    file.write_bytes(b"a report")
    patient = f"ID-4711\0{issuer}"
    store.accept(Received("1.2", "1.5.1", "1.5", patient, "PACS", "x", 8, "report"), file)
    put(store, image(1, IssuerOfPatientID="Hospital"))
    worker, fake, _ = make()
    worker.step()
    assert len(fake.asked[0].reports) == found


def test_a_report_of_an_issuer_is_of_nobody_whose_image_names_none(store, make):
    file = store.incoming()
    file.write_bytes(b"a report")
    store.accept(
        Received("1.2", "1.5.1", "1.5", "ID-4711\0Hospital", "PACS", "x", 8, "report"), file
    )
    put(store, image(1))
    worker, fake, _ = make()
    worker.step()
    assert fake.asked[0].reports == ()


def dies_of(*numbers: int) -> Callable[[Request], None]:
    """Measures, unless an image is there of which the child dies."""
    fatal = [str(image(number).SOPInstanceUID) for number in numbers]

    def measure(request: Request) -> None:
        for file in request.files:
            if Path(file).stem in fatal:
                raise NotMeasured("crashed", file)
        answered(request)

    return measure


def test_an_image_that_the_child_dies_of_is_put_aside_and_the_rest_is_answered(store, make):
    for number in (1, 2, 3):
        put(store, image(number))
    worker, fake, log = make(dies_of(2))
    for _ in range(4):
        worker.step()
    assert [len(asked.files) for asked in fake.asked] == [3, 3, 3, 2]
    assert log.of("image-put-aside") == [
        {"study": store.study_key(str(image(1).StudyInstanceUID)), "reason": "crashes-measuring"}
    ]
    now = store.status()
    assert (now.answered, now.failed, now.objects, now.quarantined) == (1, 0, 3, 1)
    (kept,) = (store.folder / "quarantine").iterdir()
    assert pydicom.dcmread(kept).SOPInstanceUID == image(2).SOPInstanceUID


def test_an_image_that_was_put_aside_is_known_and_measured_no_more(store, make):
    for number in (1, 2):
        put(store, image(number))
    worker, fake, _ = make(dies_of(2))
    for _ in range(3):
        worker.step()
    put(store, image(2))
    worker.step()
    assert len(fake.asked) == 4
    put(store, image(3))
    worker.step()
    assert len(fake.asked[-1].files) == 2
    folder = store.folder
    store.close()
    with Store.open(folder) as again:
        assert len(list((folder / "objects").rglob("*.dcm"))) == 3
        assert again.status().quarantined == 1


@pytest.mark.parametrize("fatal", [(1, 2), (1, 2, 3, 4, 5)])
def test_a_study_of_which_nothing_or_too_little_is_left_fails(store, make, fatal):
    for number in fatal:
        put(store, image(number))
    worker, _, _ = make(dies_of(*fatal))
    for _ in range(5):
        worker.step()
    now = store.status()
    assert (now.failed, now.quarantined) == (1, 0)
    assert now.errors == ("study: crashed",)


def test_a_study_that_failed_is_measured_again_when_somebody_asks_for_it(store, make):
    put(store, image(1))
    worker, fake, _ = make(failing("crashed"))
    for _ in range(3):
        worker.step()
    assert store.requeue().studies == 1
    worker.step()
    assert len(fake.asked) == 4
    assert store.status().failed == 0


def test_a_study_that_does_not_change_is_not_measured_again(store, make):
    put(store, image(1))
    worker, fake, _ = make()
    worker.step()
    put(store, image(1))
    worker.step()
    assert len(fake.asked) == 1


def test_the_same_results_are_not_queued_twice(store, make):
    put(store, image(1))
    worker, _, _ = make(lambda r: result(Path(r.folder) / "report.sr.dcm", COMPREHENSIVE_SR, "x"))
    worker.step()
    put(store, image(2))
    worker.step()
    assert store.status().queued == 1


def test_a_study_that_fails_three_times_rests_until_an_image_comes(store, make):
    put(store, image(1))
    worker, fake, log = make(failing("crashed"))
    for _ in range(5):
        worker.step()
    assert len(fake.asked) == 3
    assert [told["attempt"] for told in log.of("study-not-measured")] == [1, 2, 3]
    assert store.status().failed == 1
    put(store, image(2))
    worker.step()
    assert len(fake.asked) == 4


def test_a_full_disk_is_no_failure_of_the_study(store, make, monkeypatch):
    monkeypatch.setattr(work, "FULL_S", 0.0)
    put(store, image(1))
    worker, fake, log = make(failing("not-written"))
    for _ in range(5):
        worker.step()
    assert len(fake.asked) == 5
    assert store.status().failed == 0
    assert {told["reason"] for told in log.of("study-waits")} == {"OutputError"}


def test_a_study_waits_a_while_after_the_disk_was_full(store, make):
    put(store, image(1))
    worker, fake, _ = make(failing("not-written"))
    worker.step()
    worker.step()
    assert len(fake.asked) == 1


def test_a_node_that_is_to_end_counts_no_failure(store, make):
    put(store, image(1))
    worker, _, log = make(failing("stopped"))
    for _ in range(5):
        worker.step()
    assert log.said == []
    assert store.status().waiting == 1


@pytest.mark.parametrize("code", ["crashed", "time-limit", "stopped"])
def test_nothing_is_left_of_an_attempt_that_failed(store, make, code):
    put(store, image(1))

    def half(request: Request) -> None:
        answered(request)
        raise NotMeasured(code)

    worker, _, _ = make(half)
    worker.step()
    assert [path for path in (store.folder / "results").rglob("*") if path.is_file()] == []


def test_an_answer_that_cannot_be_committed_is_worked_out_again(store, make, monkeypatch):
    monkeypatch.setattr(work, "FULL_S", 0.0)
    put(store, image(1))
    worker, fake, log = make()

    def broken(*_: object) -> None:
        raise OutputError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "finish", broken)
        worker.step()
    assert store.status().queued == 0
    assert [told["reason"] for told in log.of("study-waits")] == ["OutputError"]
    worker.step()
    assert len(fake.asked) == 2
    assert store.status().queued == 2


def test_images_that_come_while_a_study_is_measured_are_measured_next(store, make):
    put(store, image(1))

    def slow(request: Request) -> None:
        if len(request.files) == 1:
            put(store, image(2))
        answered(request)

    worker, fake, _ = make(slow)
    worker.step()
    worker.step()
    assert [len(asked.files) for asked in fake.asked] == [1, 2]
    assert store.status().answered == 1


def test_a_study_that_gets_an_image_while_another_is_measured_waits_for_the_rest(make, store):
    put(store, image(1, "one"))
    put(store, image(1, "two"))

    def slow(request: Request) -> None:
        put(store, image(2, "one"))
        put(store, image(2, "two"))
        answered(request)

    worker, fake, _ = make(slow)
    worker.step()
    assert [len(asked.files) for asked in fake.asked] == [1, 2]


def test_the_log_tells_counts_and_no_names(store, make):
    put(store, image(1))
    worker, _, log = make()
    worker.step()
    ((event, told),) = log.said
    assert event == "study-answered"
    assert (told["images"], told["measured"], told["results"]) == (1, 1, 2)
