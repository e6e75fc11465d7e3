"""A signed report that goes to the PACS, and what is said where it does not."""

import contextlib
import io

import pydicom
import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import ComprehensiveSRStorage

from fetometry.serve.web import sending
from tests.serve.web.conftest import API


@contextlib.contextmanager
def _pacs(status=0x0000, silent=0):
    """A peer that answers every object with one status; yields its port and what came.

    The first answers do not come: it hangs up, but has the object.
    """
    came = []

    def store(event):
        came.append(event.request.DataSet.getvalue())
        if len(came) <= silent:
            event.assoc.abort()
        return status

    entity = AE(ae_title="PACS")
    entity.add_supported_context(ComprehensiveSRStorage)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    try:
        yield server.server_address[1], came
    finally:
        server.shutdown()


def read(content):
    return pydicom.dcmread(io.BytesIO(content), force=True)


def _signed(page, files):
    exam = page.measured(files, ga="23w4d")
    path = f"{API}/exams/{exam['id']}"
    page.post(f"{path}/signature", json={"reviewer": "Dr. Early"})
    return path


def test_a_signed_report_arrives_in_the_pacs(open_page, files):
    with _pacs() as (port, came):
        page = open_page(forward=f"127.0.0.1:{port}:PACS")
        answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 200, answer.text
    assert answer.json()["sent"]
    (report,) = (read(content) for content in came)
    assert report.Modality == "SR"
    assert report.PatientID == "J1"


def test_what_nobody_signed_is_not_sent(open_page, files):
    page = open_page(forward="127.0.0.1:1:PACS")
    exam = page.measured(files)
    answer = page.post(f"{API}/exams/{exam['id']}/send")
    assert answer.status_code == 409
    assert "not signed" in answer.json()["detail"]


@pytest.mark.parametrize("status", [0x0111, 0xB000, 0xB007])
def test_a_report_that_the_pacs_has_already_or_remarks_on_is_taken(open_page, files, status):
    with _pacs(status) as (port, came):
        page = open_page(forward=f"127.0.0.1:{port}:PACS")
        answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == f"{status:04X}"
    assert len(came) == 1


def test_where_an_answer_is_lost_the_same_bytes_are_sent_again(open_page, files, monkeypatch):
    monkeypatch.setattr(sending, "PAUSES_S", (0.0, 0.0))
    with _pacs(0x0111, silent=2) as (port, came):
        page = open_page(forward=f"127.0.0.1:{port}:PACS")
        answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 200, answer.text
    assert len(came) == 3
    assert len(set(came)) == 1


def test_a_pacs_that_never_answers_is_told_after_three_times(open_page, files, monkeypatch):
    monkeypatch.setattr(sending, "PAUSES_S", (0.0, 0.0))
    with _pacs(silent=9) as (port, came):
        page = open_page(forward=f"127.0.0.1:{port}:PACS")
        answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 502
    assert "did not answer" in answer.json()["detail"]
    assert len(came) == 3


@pytest.mark.parametrize("status", [0xA700, 0x0122])
def test_a_refusal_of_the_pacs_is_told(open_page, files, status):
    with _pacs(status) as (port, _):
        page = open_page(forward=f"127.0.0.1:{port}:PACS")
        answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 502
    assert f"{status:04X}" in answer.json()["detail"]


# pynetdicom leaves a socket to be collected where nobody answers
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pacs_that_is_away_is_told(open_page, files):
    with _pacs() as (port, _):
        pass
    page = open_page(forward=f"127.0.0.1:{port}:PACS")
    answer = page.post(f"{_signed(page, files)}/send")
    assert answer.status_code == 502
    assert "not reached" in answer.json()["detail"]
