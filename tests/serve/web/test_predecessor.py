"""A report that is signed on the page names the one that the node made of the same study."""

import io
import shutil

import pydicom
import pytest

from fetometry.serve.node.measuring import Asked, Request
from fetometry.serve.node.schema import NAME
from fetometry.serve.node.store import Result, Store
from fetometry.serve.node.study import Studies
from tests.conftest import HEAD, dataset, painted, save_dicom
from tests.serve.node.studies import put
from tests.serve.web.conftest import API


@pytest.fixture
def files(tmp_path):
    shown = dataset(painted(HEAD), PatientName="Doe^Jane", PatientID="J1", Manufacturer="Scanner")
    return [("head.dcm", save_dicom(tmp_path / "head.dcm", shown))]


@pytest.fixture
def node(three_planes, files, tmp_path):
    """The folder of a node that has answered the study, and its report."""
    folder = tmp_path / "node"
    with Store.open(folder) as store:
        put(store, pydicom.dcmread(files[0][1]))
        (job,) = store.quiet_studies(0.0)
        work = tmp_path / "work"
        work.mkdir()
        Studies(Asked(("sr",))).measure(Request(str(work), tuple(map(str, job.files))))
        target = store.results_folder(job)
        shutil.move(work, target)
        path = target / "report.sr.dcm"
        report = pydicom.dcmread(path)
        told = (report.SOPInstanceUID, report.SOPClassUID, path.relative_to(folder), "0", "sr")
        store.finish(job, [Result(*told)], "answered")
    return folder, report


def report_of(page, exam):
    answer = page.get(f"{API}/exams/{exam}/outputs/report.sr.dcm")
    assert answer.status_code == 200, answer.text
    return pydicom.dcmread(io.BytesIO(answer.content))


def replaced(report):
    (before,) = report.PredecessorDocumentsSequence
    return before.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID


def sign(page, exam):
    answer = page.post(f"{API}/exams/{exam}/signature", json={"reviewer": "Dr. Early"})
    assert answer.status_code == 201, answer.text


def test_a_signed_report_of_the_worklist_names_the_report_of_the_node(open_page, node):
    folder, report = node
    page = open_page(store=folder)
    (item,) = page.get(f"{API}/worklist").json()["items"]
    exam = page.settled(page.post(f"{API}/worklist/{item['key']}").json()["id"])["id"]
    sign(page, exam)
    signed = report_of(page, exam)
    assert replaced(signed) == report.SOPInstanceUID != signed.SOPInstanceUID
    assert (signed.StudyInstanceUID, signed.InstanceNumber) == (report.StudyInstanceUID, 2)
    assert report_of(page, exam) == signed


def test_so_does_that_of_an_upload_of_the_same_study(open_page, node, files):
    folder, report = node
    page = open_page(store=folder)
    exam = page.measured(files)["id"]
    sign(page, exam)
    assert replaced(report_of(page, exam)) == report.SOPInstanceUID


def test_a_report_of_another_study_names_none(open_page, node, tmp_path):
    page = open_page(store=node[0])
    other = save_dicom(tmp_path / "other.dcm", dataset(StudyInstanceUID="1.2.3", PatientID="J1"))
    exam = page.measured([("other.dcm", other)])["id"]
    sign(page, exam)
    assert "PredecessorDocumentsSequence" not in report_of(page, exam)


def test_where_no_node_has_begun_there_is_none(open_page, files, tmp_path):
    (tmp_path / "empty").mkdir()
    page = open_page(store=tmp_path / "empty")
    exam = page.measured(files)["id"]
    sign(page, exam)
    assert "PredecessorDocumentsSequence" not in report_of(page, exam)


def test_a_store_that_cannot_be_read_is_told(open_page, node, files):
    folder, _ = node
    page = open_page(store=folder)
    exam = page.measured(files)["id"]
    (folder / NAME).write_bytes(b"no database" * 1000)
    answer = page.get(f"{API}/exams/{exam}/outputs/report.sr.dcm")
    assert answer.status_code == 409
    assert "node's store" in answer.json()["detail"]
    assert page.get(f"{API}/exams/{exam}/outputs/report.html").status_code == 200
