"""Fetches the reports of a patient's earlier exams from the peer: C-FIND, then C-MOVE to here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from pydicom import Dataset
from pynetdicom.association import Association

from fetometry.growth.nouns import MOST_DAYS
from fetometry.serve.node.peer import NOT_OFFERED, PeerError, association
from fetometry.serve.node.reported import Patient, patient_of
from fetometry.serve.node.settings import NodeSettings
from fetometry.serve.node.store import Job

#: Study Root Query/Retrieve Information Model, FIND and MOVE (PS3.4 C.6.2).
FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"

#: Earlier studies that are asked for, the newest ones.
MOST_STUDIES = 20

#: What a query would take for a pattern or for several values (PS3.4 C.2.2.2).
_PATTERN = set("*?\\")

#: How long may be fetched for one study: its report, and all other studies, do not wait for more.
FETCH_S = 20.0

#: How long of it the peer may take to answer the call.
CALL_S = 5.0

_PENDING = (0xFF00, 0xFF01)

NO_ANSWER, TOO_SLOW, ENDED = "no-answer", "time-limit", "stopped"

Log = Callable[..., None]


@dataclass
class Fetcher:
    """Has the peer send what it knows of earlier exams, until that went well once for a study."""

    settings: NodeSettings
    stop: threading.Event
    log: Log
    _done: set[str] = field(default_factory=set)

    def fetch(self, job: Job) -> None:
        """Have the reports of the patient's earlier studies sent here; without them it goes on."""
        if job.study in self._done or not job.files:
            return
        patient = patient_of(job.files[0])
        if not patient.id or _PATTERN & set(patient.id + patient.issuer):
            return
        until = time.monotonic() + FETCH_S
        try:
            with association(self.settings, [FIND, MOVE], CALL_S) as peer:
                moved = _Asking(peer, until, self.stop).moved(patient, self.settings.aet)
        except PeerError as error:
            if error.code == NOT_OFFERED:
                self._done.add(job.study)
            self.log("earlier-not-fetched", study=job.study, reason=error.code)
            return
        self._done.add(job.study)
        self.log("earlier-fetched", study=job.study, series=moved)


@dataclass
class _Asking:
    """One conversation with the peer, which ends at its time however the peer behaves."""

    peer: Association
    until: float
    stop: threading.Event

    def moved(self, patient: Patient, to: str) -> int:
        """Have all reports moved; return of how many series.

        Raises:
            PeerError: the peer did not tell or send all of them.
        """
        count, failed = 0, ""
        for study in _studies(patient, self):
            for series in self.found(_series_query(study)):
                if _said(series, "Modality") == "SR":
                    reason = self._move(study, _said(series, "SeriesInstanceUID"), to)
                    count, failed = count + (not reason), failed or reason
        if failed:  # the others were moved
            raise PeerError(failed)
        return count

    def found(self, query: Dataset) -> list[Dataset]:
        """Return what the peer has.

        Raises:
            PeerError: it says that it could not look, or not in time: that is not "nothing".
        """
        answers = []
        for status, found in self._asked(lambda: self.peer.send_c_find(query, FIND)):
            if status in _PENDING:
                answers.extend([found] if found is not None else [])
            elif status != 0:
                raise PeerError(_reason(status))
        return answers

    def _move(self, study: str, series: str, to: str) -> str:
        """Have a series moved; return why not all of it came, or nothing."""
        wanted = Dataset()
        wanted.QueryRetrieveLevel = "SERIES"
        wanted.StudyInstanceUID, wanted.SeriesInstanceUID = study, series
        last: int | None = None
        for last, _ in self._asked(lambda: self.peer.send_c_move(wanted, to, MOVE)):
            if last is None:
                raise PeerError(NO_ANSWER)
        return "" if last == 0 else _reason(last)

    def _asked(
        self, ask: Callable[[], Iterator[tuple[Dataset, Dataset | None]]]
    ) -> Iterator[tuple[int | None, Dataset | None]]:
        """Yield status and content of each answer, as long as there is time."""
        self._wait_no_longer()
        try:
            for told, found in ask():
                status = told.get("Status")
                yield None if status is None else int(status), found
                self._wait_no_longer()
        except RuntimeError:  # the peer has closed the association
            raise PeerError(NO_ANSWER) from None
        except ValueError:  # it does not offer the service
            raise PeerError(NOT_OFFERED) from None

    def _wait_no_longer(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0 or self.stop.is_set():
            raise PeerError(ENDED if self.stop.is_set() else TOO_SLOW)
        self.peer.dimse_timeout = left


def _reason(status: int | None) -> str:
    return NO_ANSWER if status is None else f"status-{status:04X}"


def _studies(patient: Patient, asking: _Asking) -> list[str]:
    """Return the patient's studies of the months before, the newest first."""
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.PatientID, query.StudyInstanceUID = patient.id, ""
    query.IssuerOfPatientID = patient.issuer
    query.StudyDate, query.ModalitiesInStudy = _months_before(patient.date), ""
    found = {}
    for one in asking.found(query):
        uid, issuer = _said(one, "StudyInstanceUID"), _said(one, "IssuerOfPatientID")
        same = _said(one, "PatientID") == patient.id and issuer in ("", patient.issuer)
        if uid and uid != patient.study and same:
            found[uid] = _said(one, "StudyDate")
    return sorted(found, key=lambda uid: (found[uid], uid), reverse=True)[:MOST_STUDIES]


def _months_before(day: str) -> str:
    """Return the dates of a pregnancy that goes on at a day; any date where that is none."""
    try:
        last = date.fromisoformat(day)
    except ValueError:
        return ""
    return f"{last - timedelta(days=MOST_DAYS):%Y%m%d}-{last:%Y%m%d}"


def _series_query(study: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "SERIES", study
    query.Modality, query.SeriesInstanceUID = "SR", ""
    return query


def _said(found: Dataset, keyword: str) -> str:
    return str(found.get(keyword) or "").strip()
