import threading
import time
from contextlib import contextmanager
from datetime import date

import pydicom
import pytest
from pydicom import Dataset

from fetometry import report
from fetometry.growth import Profile
from fetometry.pipeline.previous import read_previous
from fetometry.report.exam_json import exam_json
from fetometry.serve.node import earlier
from fetometry.serve.node.earlier import FIND, MOVE, Fetcher
from fetometry.serve.node.measuring import Asked, Request
from fetometry.serve.node.nouns import Job
from fetometry.serve.node.reported import exam_of_report, patient_of
from fetometry.serve.node.study import Studies
from tests.serve.node.objects import image
from tests.serve.node.studies import (
    COMPREHENSIVE_SR,
    FIRST,
    LMP,
    SECOND,
    SYNTAXES,
    Archive,
    Events,
    scan,
    settings_of,
)

from pynetdicom import AE, build_context, evt  # isort: skip


@pytest.fixture(scope="module")
def studies():
    return Studies(Asked(("sr", "sc")))


@pytest.fixture(scope="module")
def first(tmp_path_factory, studies):
    """The folder of an exam at 20w0d: its document, its report, the day of its pregnancy."""
    folder = tmp_path_factory.mktemp("first")
    out = folder / "out"
    out.mkdir()
    studies.measure(Request(str(out), (str(scan(folder / "a.dcm", FIRST)),)))
    return out


def measured(studies, tmp_path, file, *, exams=(), reports=()):
    """Measure a file beside earlier exams; return the answer and the charts that were captured."""
    out = tmp_path / "out"
    out.mkdir()
    asked = Request(str(out), (str(file),), tuple(map(str, exams)), tuple(map(str, reports)))
    return studies.measure(asked), sorted(out.glob("dicom/report_chart*.sc.dcm"))


def test_a_chart_with_the_earlier_exam_is_captured(studies, first, tmp_path):
    file = scan(tmp_path / "b.dcm", SECOND, hc_mm=250.0)
    answer, charts = measured(studies, tmp_path, file, exams=[first / "exam.json"])
    assert answer.earlier == 1
    shown = [pydicom.dcmread(path) for path in charts]
    names = " ".join(one.DerivationDescription for one in shown)
    assert "HC_intergrowth21_hc with 1 earlier exams" in names
    assert "z_scores" in names
    assert {one.PatientID for one in shown} == {"P1"}
    assert {one.StudyInstanceUID for one in shown} == {pydicom.dcmread(file).StudyInstanceUID}
    assert {one.pixel_array.shape[2] for one in shown} == {3}


def test_the_same_chart_is_the_same_file(studies, first, tmp_path):
    file, written = scan(tmp_path / "b.dcm", SECOND), []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, charts = measured(studies, tmp_path / name, file, exams=[first / "exam.json"])
        written.append([path.read_bytes() for path in charts])
    assert written[0] == written[1]
    assert written[0]


@pytest.mark.parametrize(
    "change",
    [
        {"lmp": date(2024, 9, 1)},  # another pregnancy
        {"lmp": None},  # nobody knows the age
        {"days": FIRST - 10},  # an exam that came before
        {"patient": ""},  # nobody in particular
    ],
    ids=["another pregnancy", "no age", "not earlier", "no patient"],
)
def test_what_is_no_earlier_exam_of_the_pregnancy_is_not_shown(studies, first, tmp_path, change):
    file = scan(tmp_path / "b.dcm", **{"days": SECOND, **change})
    answer, charts = measured(studies, tmp_path, file, exams=[first / "exam.json"])
    assert (answer.earlier, charts) == (0, [])
    assert answer.outcome == "answered"


def test_a_redated_pregnancy_is_the_same_one(studies, first, tmp_path):
    file = scan(tmp_path / "b.dcm", SECOND, lmp=date(2026, 1, 15))
    answer, _ = measured(studies, tmp_path, file, exams=[first / "exam.json"])
    assert answer.earlier == 1


def test_an_earlier_exam_that_is_damaged_is_passed_over(studies, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "exam.json").write_text('{"schema": "fetometry-exam/1", ')
    (bad / "pregnancy.json").write_text('{"started": "2026-01-01"}')
    (tmp_path / "bad.dcm").write_bytes(b"no report")
    answer, charts = measured(
        studies,
        tmp_path,
        scan(tmp_path / "b.dcm", SECOND),
        exams=[bad / "exam.json", tmp_path / "gone.json"],
        reports=[tmp_path / "bad.dcm"],
    )
    assert (answer.outcome, answer.earlier, charts) == ("answered", 0, [])


def test_a_report_of_the_same_exam_is_not_shown_twice(studies, first, tmp_path):
    file = scan(tmp_path / "b.dcm", SECOND)
    answer, _ = measured(
        studies,
        tmp_path,
        file,
        exams=[first / "exam.json"],
        reports=[first / "report.sr.dcm"],
    )
    assert answer.earlier == 1


def test_a_report_says_its_sizes_and_the_day_on_which_the_pregnancy_began(first):
    exam, started = exam_of_report(first / "report.sr.dcm", Profile())
    assert started == LMP
    own = report.read_exam(first / "exam.json").growth[""]
    (told,) = [p for p in exam.growth[""].placements if p.name == "HC"]
    (known,) = [p for p in own.placements if p.name == "HC"]
    assert told.value == pytest.approx(known.value, abs=0.01)
    assert told.centile == pytest.approx(known.centile, abs=0.1)
    assert exam.growth[""].age.days == FIRST


def test_an_exam_of_a_report_is_read_as_an_earlier_one(first, tmp_path):
    exam, _ = exam_of_report(first / "report.sr.dcm", Profile())
    folder = tmp_path / "previous"
    folder.mkdir()
    (folder / "exam.json").write_text(exam_json(exam), encoding="utf-8")
    assert read_previous(folder)[0].growth[""].age.days == FIRST


def test_an_age_that_came_from_the_sizes_is_none(studies, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    studies.measure(Request(str(folder), (str(scan(tmp_path / "a.dcm", FIRST, lmp=None)),)))
    assert exam_of_report(folder / "report.sr.dcm", Profile()) is None


def test_a_report_without_a_date_is_none(first, tmp_path):
    made = pydicom.dcmread(first / "report.sr.dcm")
    made.StudyDate = made.ContentDate = ""
    made.save_as(tmp_path / "undated.dcm")
    assert exam_of_report(tmp_path / "undated.dcm", Profile()) is None


def test_who_a_file_is_of_is_read_and_nobody_is_made_up(tmp_path):
    made = image(1, IssuerOfPatientID="Hospital", StudyDate="20260101")
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    found = patient_of(tmp_path / "a.dcm")
    assert (found.id, found.issuer, found.date) == ("ID-4711", "Hospital", "20260101")
    (tmp_path / "b.dcm").write_bytes(b"nothing")
    assert patient_of(tmp_path / "b.dcm").id == ""


class Queried(Archive):
    """An archive that answers queries from a table and notes what it is to move."""

    def __init__(self, studies, **more):
        super().__init__(**more)
        self.studies, self.queries, self.moved = studies, [], []
        self.find_status, self.silent_s, self.move_known = 0x0000, 0.0, True

    @contextmanager
    def running(self):
        entity = AE(ae_title=self.title)
        for one in (FIND, MOVE):
            entity.add_supported_context(one, SYNTAXES)
        handlers = [(evt.EVT_C_FIND, self._find), (evt.EVT_C_MOVE, self._move)]
        server = entity.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        try:
            yield self
        finally:
            server.shutdown()

    def _find(self, event):
        asked = event.identifier
        self.queries.append(asked)
        if self.silent_s:
            time.sleep(self.silent_s)
        if self.find_status:
            yield self.find_status, None
            return
        for uid, (patient, day) in self.studies.items():
            found = Dataset()
            found.QueryRetrieveLevel = asked.QueryRetrieveLevel
            found.StudyInstanceUID = uid
            if asked.QueryRetrieveLevel == "STUDY":
                found.PatientID, found.StudyDate = patient, day
            elif asked.StudyInstanceUID != uid:
                continue
            else:
                found.Modality, found.SeriesInstanceUID = "SR", f"{uid}.1"
            yield 0xFF00, found

    def _move(self, event):
        self.moved.append((event.move_destination, event.identifier.SeriesInstanceUID))
        if not self.move_known:
            yield None, None  # the destination
            return
        yield "127.0.0.1", self.port, {"contexts": [build_context(COMPREHENSIVE_SR)]}
        yield 0  # so many objects go there


def fetched(tmp_path, archive, times: int = 1, **more) -> Events:
    file = tmp_path / "now.dcm"
    made = image(1, **{"PatientID": "P1", "StudyInstanceUID": "1.2.3", **more})
    made.StudyDate = "20260601"
    made.save_as(file, enforce_file_format=True)
    log = Events()
    settings = settings_of(tmp_path / "store", archive.port, earlier=True)
    fetcher = Fetcher(settings, threading.Event(), log)
    for _ in range(times):
        fetcher.fetch(Job("key", tmp_path, 1, 0, "p", (file,)))
    return log


def test_reports_of_the_patients_earlier_studies_are_moved_here_the_newest_first(tmp_path):
    known = {"1.2.1": ("P1", "20260301"), "1.2.2": ("P1", "20260401")}
    others = {"1.2.3": ("P1", "20260601"), "1.2.4": ("P11", "20260401")}
    with Queried({**known, **others}).running() as archive:
        log = fetched(tmp_path, archive)
    assert archive.moved == [("FETOMETRY", "1.2.2.1"), ("FETOMETRY", "1.2.1.1")]
    query = archive.queries[0]
    assert (query.PatientID, query.StudyDate) == ("P1", "20250728-20260601")
    assert [name for name, _ in log.said] == ["earlier-fetched"]


def test_a_study_that_was_fetched_for_is_not_fetched_for_again(tmp_path):
    with Queried({"1.2.1": ("P1", "20260301")}).running() as archive:
        log = fetched(tmp_path, archive, times=2)
    assert log.said == [("earlier-fetched", {"study": "key", "series": 1})]


def test_a_query_that_failed_is_no_answer_and_is_asked_again(tmp_path):
    archive = Queried({"1.2.1": ("P1", "20260301")})
    archive.find_status = 0xC000
    with archive.running():
        log = fetched(tmp_path, archive, times=2)
    assert len(archive.queries) == 2
    assert log.said == [("earlier-not-fetched", {"study": "key", "reason": "status-C000"})] * 2


def test_a_move_that_failed_is_told_and_tried_again(tmp_path):
    archive = Queried({"1.2.1": ("P1", "20260301"), "1.2.2": ("P1", "20260401")})
    archive.move_known = False
    with archive.running():
        log = fetched(tmp_path, archive, times=2)
    assert len(archive.moved) == 4
    assert {told["reason"] for told in log.of("earlier-not-fetched")} == {"status-A801"}


def test_a_silent_archive_holds_the_measuring_for_no_longer_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(earlier, "FETCH_S", 0.5)
    archive = Queried({"1.2.1": ("P1", "20260301")})
    archive.silent_s = 3.0
    with archive.running():
        begun = time.monotonic()
        log = fetched(tmp_path, archive)
        took_s = time.monotonic() - begun
    assert took_s < 2.5
    assert log.said == [("earlier-not-fetched", {"study": "key", "reason": "no-answer"})]


@pytest.mark.parametrize("patient", ["", "*", "P?", "P1\\P2"])
def test_a_patient_id_that_a_query_would_take_for_many_is_not_asked_for(tmp_path, patient):
    with Queried({"1.2.1": ("P1", "20260301")}).running() as archive:
        fetched(tmp_path, archive, PatientID=patient)
    assert archive.queries == []


def test_an_archive_without_queries_is_no_reason_to_stop(tmp_path):
    with Archive().running() as archive:
        log = fetched(tmp_path, archive)
    assert log.said == [("earlier-not-fetched", {"study": "key", "reason": "not-offered"})]


# pynetdicom leaves a socket that was refused to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_archive_that_is_away_is_no_reason_to_stop(tmp_path):
    log = fetched(tmp_path, Archive())
    assert log.said == [("earlier-not-fetched", {"study": "key", "reason": "peer-unreachable"})]
