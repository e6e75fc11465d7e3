"""The worklist, the outputs, health, the OpenAPI document, and the command."""

import io
import json
import zipfile

import pytest

from fetometry.report import read_exam
from fetometry.serve.node.store import Store
from fetometry.serve.web.settings import Limits
from fetometry.structured import read
from fetometry.training.data import load
from tests.conftest import dataset, save_dicom
from tests.serve.node.storing import answer, put, received
from tests.serve.web.conftest import API


def test_health_says_what_it_works_with(page):
    said = page.get(f"{API}/health").json()
    assert said["status"] == "ok"
    assert said["models"] == ["three-planes"]
    assert said["software"].startswith("fetometry ")


def test_the_api_says_what_it_is(page):
    document = page.get(f"{API}/openapi.json").json()
    assert f"{API}/exams/{{exam}}/preview" in document["paths"]
    for methods in document["paths"].values():
        for route in methods.values():
            assert route["description"]
            refused = [code for code in route["responses"] if code.startswith("4")]
            kinds = {kind for code in refused for kind in route["responses"][code]["content"]}
            assert kinds == {"application/problem+json"}


def test_an_exam_of_the_folder_is_taken_copied_and_marked(open_page, tmp_path):
    folder = tmp_path / "ward"
    save_dicom(folder / "a.dcm", dataset())
    save_dicom(folder / "b.dcm", dataset(PatientID="2", StudyInstanceUID="1.2.3"))
    page = open_page(folder=folder)
    items = page.get(f"{API}/worklist").json()["items"]
    assert [(item["images"], item["state"], item["from"]) for item in items] == [
        (1, "new", "folder")
    ] * 2
    key = items[0]["key"]
    begun = page.post(f"{API}/worklist/{key}")
    assert begun.status_code == 201
    exam = page.settled(begun.json()["id"])
    assert exam["images"][0]["name"] == "a.dcm"
    page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
    states = [item["state"] for item in page.get(f"{API}/worklist").json()["items"]]
    assert states == ["signed", "new"]
    assert page.post(f"{API}/worklist/0123456789abcdef").status_code == 404


def test_a_study_that_a_node_received_is_on_the_worklist(open_page, tmp_path):
    store = tmp_path / "node"
    save_dicom(store / "objects" / "0123456789abcdef" / "1.2.dcm", dataset(PatientName="Doe^Ann"))
    page = open_page(store=store)
    (item,) = page.get(f"{API}/worklist").json()["items"]
    assert (item["from"], item["images"], item["patient"]["name"]) == ("node", 1, "Doe Ann")
    assert page.post(f"{API}/worklist/{item['key']}").status_code == 201


def test_what_a_node_answered_before_is_an_earlier_exam(open_page, tmp_path, files):
    first = open_page()
    before = first.measured(files, ga="20w0d")
    document = first.get(f"{API}/exams/{before['id']}/outputs/exam.json").content
    with Store.open(tmp_path / "node") as node:
        for number, study in enumerate(("1.7", "1.8")):
            path = save_dicom(tmp_path / "o.dcm", dataset(StudyInstanceUID=study, PatientID="J1"))
            put(node, received(number, study, "J1\0"), path.read_bytes())
        (job,) = [job for job in node.quiet_studies(0) if job.study == node.study_key("1.7")]
        answer(node, job, content=document)
    page = open_page(store=tmp_path / "node", data=tmp_path / "other")
    items = page.get(f"{API}/worklist").json()["items"]
    exams = [page.settled(page.post(f"{API}/worklist/{i['key']}").json()["id"]) for i in items]
    aged = [
        page.edit(exam["id"], "dates", {"ga": "24w0d"}, image=None, frame=None).json()
        for exam in exams
    ]
    earlier = [[item["age"] for item in exam["previous"]] for exam in aged]
    assert sorted(earlier) == [[], ["20w0d"]]


@pytest.mark.parametrize("forward", ["", "127.0.0.1:104:PACS"])
def test_health_says_whether_there_is_an_archive_to_send_to(open_page, forward):
    page = open_page(forward=forward)
    assert page.get(f"{API}/health").json()["forward"] is bool(forward)


def test_what_takes_too_long_is_not_measured_and_says_so(open_page, files):
    exam = open_page(limits=Limits(measure_s=0)).measured(files)
    assert exam["selected"] == []
    assert ["took longer" in problem["reason"] for problem in exam["problems"]] == [True] * 3


@pytest.mark.parametrize("name", ["report.html", "measurements.csv", "exam.json", "overlays.zip"])
def test_an_output_is_a_file_to_keep(page, exam, name):
    answer = page.get(f"{API}/exams/{exam['id']}/outputs/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert len(answer.content) > 100


def test_page_and_document_agree_after_an_edit(page, exam, tmp_path):
    ellipse = exam["images"][0]["findings"][0]["ellipse"]
    a, b = ellipse["semi_axes_px"]
    value = {**ellipse, "semi_axes_px": [a + 4, b + 4]}
    shown = page.edit(exam["id"], "ellipse", value).json()
    page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
    path = tmp_path / "exam.json"
    path.write_bytes(page.get(f"{API}/exams/{exam['id']}/outputs/exam.json").content)
    kept = read_exam(path)
    assert kept.review.reviewer == "Dr. Early"
    for one, other in zip(shown["selected"], kept.selected, strict=True):
        assert one["name"] == other.name
        assert abs(one["value"] - other.value) < 0.1
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    report = tmp_path / "report.sr.dcm"
    report.write_bytes(page.get(f"{API}/exams/{exam['id']}/outputs/report.sr.dcm").content)
    (fetus,) = read(report).fetuses
    for one in shown["selected"]:
        assert abs(fetus.chosen(one["name"]).value.value - one["value"]) < 0.1


def test_overlays_come_in_one_archive(page, exam):
    content = page.get(f"{API}/exams/{exam['id']}/outputs/overlays.zip").content
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert sorted(names) == [f"overlays/{name}_f1.png" for name in ("abdomen", "femur", "head")]


def test_signed_corrections_become_a_data_set(page, exam, tmp_path):
    assert page.get(f"{API}/corrections.zip").status_code == 409
    ellipse = exam["images"][0]["findings"][0]["ellipse"]
    page.edit(exam["id"], "ellipse", ellipse)
    page.post(f"{API}/exams/{exam['id']}/signature", json={"reviewer": "Dr. Early"})
    answer = page.get(f"{API}/corrections.zip")
    assert answer.status_code == 200, answer.text
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "corrections")
    (row,) = load("corrections", tmp_path / "corrections")
    assert (row.plane, row.ellipse.center) == ("head", pytest.approx(ellipse["center_px"]))


def test_an_unknown_output_and_an_exam_without_a_pacs_are_refused(page, exam):
    path = f"{API}/exams/{exam['id']}"
    assert page.get(f"{path}/outputs/passwords.txt").status_code == 404
    answer = page.post(f"{path}/send")
    assert answer.status_code == 409
    assert "--forward" in answer.json()["detail"]


def test_the_exam_json_of_an_earlier_exam_can_be_uploaded_beside(page, files, tmp_path):
    first = page.measured(files, ga="20w0d")
    path = tmp_path / "earlier.json"
    path.write_bytes(page.get(f"{API}/exams/{first['id']}/outputs/exam.json").content)
    assert json.loads(path.read_bytes())["schema"].startswith("fetometry-exam/")
    again = page.measured([*files, ("earlier.json", path)], ga="24w0d")
    assert again["previous"] == []  # it is of this study itself
    later = dataset(PatientID="J1", StudyInstanceUID="1.2.3")
    head = ("head.dcm", save_dicom(tmp_path / "later.dcm", later))
    second = page.measured([head, ("earlier.json", path)], ga="24w0d")
    assert [(item["age"], item["when"]) for item in second["previous"]] == [("20w0d", "")]
    assert len(second["images"]) == 1


def test_a_document_that_is_none_of_an_exam_stops_nothing(page, files, tmp_path):
    path = tmp_path / "notes.json"
    path.write_text("{}", encoding="utf-8")
    exam = page.measured([*files, ("notes.json", path)])
    assert len(exam["selected"]) == 7
    assert [problem["source"] for problem in exam["problems"]] == ["earlier exams"]


@pytest.fixture
def served(monkeypatch):
    """The settings that the command serves with; here the page answers at once."""
    kept = []

    def serve(settings, ready):
        kept.append(settings)
        ready()

    monkeypatch.setattr("fetometry.serve.web.running.run", serve)
    return kept


def test_the_command_says_where_the_page_is_and_needs_no_token_here(run, served, tmp_path):
    code, output = run("serve", "--no-open", "--data", tmp_path / "data", "--port", 9001)
    assert code == 0
    assert "http://127.0.0.1:9001/" in output
    assert served[0].token == ""


def test_the_command_makes_a_token_where_others_can_reach_the_page(
    run, served, monkeypatch, tmp_path
):
    monkeypatch.delenv("FETOMETRY_TOKEN", raising=False)
    _, output = run("serve", "--no-open", "--host", "0.0.0.0", "--data", tmp_path / "data")
    assert len(served[0].token) > 30
    assert output.count(served[0].token) == 1
