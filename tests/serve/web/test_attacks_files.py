"""Paths that lead elsewhere, and files that are more than they seem."""

import asyncio
import logging
import re
import socket
import struct
import time
import tracemalloc
import zlib
from types import SimpleNamespace

import httpx
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from fetometry.image import inflating
from fetometry.serve.web import proposals
from fetometry.serve.web.app import make_app
from fetometry.serve.web.settings import Limits, WebSettings
from tests.conftest import cine, dataset, painted, save, save_dicom
from tests.serve.web.by_hand import INNER, KIND, head_of, listening, multipart, said_to
from tests.serve.web.conftest import API


def files_below(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


# ---- paths


@pytest.mark.parametrize("key", ["..%2f..%2fetc", "..", "0" * 15, "g" * 16, "%00" * 16, "'; --"])
@pytest.mark.parametrize("path", ["/worklist/{}", "/exams/{}/edits", "/exams/{}/undo"])
def test_a_key_that_is_none_leads_nowhere(page, path, key):
    answer = page.post(f"{API}{path.format(key)}", json={})
    assert answer.status_code in (404, 405, 422)
    assert not INNER.search(answer.text)


@pytest.mark.parametrize("image", ["-1", "0x0", "..%2f..%2freview.sqlite", "99", "1e0", "%30%2e"])
def test_an_image_that_is_none_is_no_file(page, exam, image):
    answer = page.get(f"{API}/exams/{exam['id']}/images/{image}/frames/1.png")
    assert answer.status_code in (404, 422)
    assert not INNER.search(answer.text)


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2freview.sqlite", "%2e%2e%2fproposal.json", "proposal.json", "0.dcm", "exam.json%00"],
)
def test_only_outputs_that_are_known_are_given(page, exam, name):
    answer = page.get(f"{API}/exams/{exam['id']}/outputs/{name}")
    assert answer.status_code == 404
    assert not INNER.search(answer.text)


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/%2e%2e/app.py", "/..%5capp.py", "//etc/passwd", "/%00", "/" + "a" * 4000],
)
def test_the_files_of_the_page_are_those_of_its_folder_alone(tmp_path, three_planes, path):
    with listening(tmp_path) as port:
        line = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        answer = said_to(port, line.encode())
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"make_app" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "name",
    [
        "../" * 8 + "etc/x.png",
        "..\\..\\x.png",
        "C:\\x.png",
        "/x.png",
        "x.png/..",
        ".",
        "....//x.png",
    ],
)
def test_an_upload_is_written_under_names_of_our_own_alone(page, tmp_path, name):
    whole = save(tmp_path / "head.png").read_bytes()
    before = files_below(tmp_path)
    answer = page.post(f"{API}/exams", files=[("files", (name, whole))])
    if answer.status_code == 201:
        page.settled(answer.json()["id"])
    own = re.compile(r"data/uploads/[0-9a-f]{16}/(0(\.png)?|proposal\.json)|data/review\.sqlite\S*")
    assert all(own.fullmatch(new) for new in files_below(tmp_path) - before)


def test_a_link_in_the_folder_of_the_worklist_leads_to_no_file_outside(open_page, tmp_path):
    secret = save_dicom(tmp_path / "elsewhere" / "secret.dcm", dataset(PatientID="9"))
    ward = tmp_path / "ward"
    save_dicom(ward / "a.dcm")
    (ward / "b.dcm").symlink_to(secret)
    (ward / "c").symlink_to(secret.parent, target_is_directory=True)
    (ward / "d.dcm").symlink_to("/etc/hostname")
    (ward / "round").symlink_to(ward, target_is_directory=True)
    page = open_page(folder=ward)
    (item,) = page.get(f"{API}/worklist").json()["items"]
    exam = page.settled(page.post(f"{API}/worklist/{item['key']}").json()["id"])
    assert [image["name"] for image in exam["images"]] == ["a.dcm"]


def test_what_is_on_the_desk_does_not_wait_even_through_a_link(open_page, tmp_path):
    ward = tmp_path / "ward"
    save_dicom(ward / "a.dcm")
    page = open_page(folder=ward, data=ward / "desk")
    (ward / "again").symlink_to(ward / "desk", target_is_directory=True)
    (item,) = page.get(f"{API}/worklist").json()["items"]
    page.settled(page.post(f"{API}/worklist/{item['key']}").json()["id"])
    (again,) = page.get(f"{API}/worklist").json()["items"]
    assert (again["key"], again["images"]) == (item["key"], 1)


# ---- too much


def test_an_upload_without_a_length_is_left_when_it_is_too_long(three_planes, tmp_path):
    taken = []

    async def receive():
        taken.append(len(body := next(pieces, b"")))
        return {"type": "http.request", "body": body, "more_body": bool(body)}

    async def send(message):
        answers.append(message)

    pieces, answers = multipart(10_000), []
    limits = Limits(upload_bytes=300_000)
    app = make_app(WebSettings(data=tmp_path / "data", limits=limits))
    kind = KIND.partition(": ")[2].encode()
    headers = [(b"host", b"127.0.0.1:8765"), (b"x-fetometry", b"1"), (b"content-type", kind)]
    scope = {
        "type": "http", "method": "POST", "path": f"{API}/exams", "raw_path": b"",
        "query_string": b"", "headers": headers, "scheme": "http", "http_version": "1.1",
        "server": ("127.0.0.1", 8765), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    app.desk.close()
    assert answers[0]["status"] == 413
    assert sum(taken) < 320_000  # of a hundred million
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_a_length_that_is_too_long_is_refused_before_anything_comes(three_planes, tmp_path):
    with listening(tmp_path, limits=Limits(upload_bytes=300_000)) as port:
        answer = said_to(port, head_of(port, KIND, "Content-Length: 300001", "Connection: close"))
        assert answer.startswith(b"HTTP/1.1 413")
        huge = f"Content-Length: {10**30}"
        assert said_to(port, head_of(port, KIND, huge))[9:12] in (b"400", b"413")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 10", "Content-Length: 500000"],
        ["Content-Length: 10", "Transfer-Encoding: chunked"],
        ["Content-Length: -1"],
        ["Content-Length: +10"],
        ["Content-Length: 1_0"],
        ["Content-Length: \u0661"],
        ["Transfer-Encoding: chunked, identity"],
    ],
)
def test_a_length_that_lies_smuggles_nothing(three_planes, tmp_path, lines):
    """Whatever the first one gets: what follows in its body is no request of its own."""
    with listening(tmp_path) as port:
        hidden = head_of(port, "Content-Length: 0", path="/worklist", method="GET")
        answer = said_to(port, head_of(port, KIND, *lines, "Connection: close"), hidden)
        assert answer.count(b"HTTP/1.1 ") <= 1
        assert b'{"items"' not in answer
        assert answer[9:10] == b"4"


def test_a_body_longer_than_its_length_is_cut_there(three_planes, tmp_path):
    body = b"".join(multipart(100))
    with listening(tmp_path, limits=Limits(upload_bytes=300_000)) as port:
        lying = head_of(port, KIND, "Content-Length: 1000", "Connection: close")
        answer = said_to(port, lying, body)
        page = httpx.get(f"http://127.0.0.1:{port}{API}/exams")
        assert page.json() == {"items": []}
    assert answer[9:12] in (b"400", b"")  # or the line was closed while it was still sent
    assert not list((tmp_path / "live" / "uploads").iterdir())


def test_who_goes_away_in_an_upload_makes_no_fault(three_planes, tmp_path, caplog):
    caplog.set_level(logging.INFO, "fetometry.serve")
    with listening(tmp_path) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(head_of(port, KIND, "Content-Length: 100000"))
            line.sendall(b"".join(multipart(1)))
        end = time.monotonic() + 10
        while "/exams" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)
    assert '"status": 400' in caplog.text
    assert "Traceback" not in caplog.text
    assert not list((tmp_path / "live" / "uploads").iterdir())


def test_an_upload_that_is_cut_short_is_not_taken_in_part(page, files, tmp_path):
    content = files[0][1].read_bytes()
    part = 'Content-Disposition: form-data; name="files"; filename="{}.dcm"\r\n\r\n'
    whole = b"".join(b"--b\r\n" + part.format(name).encode() + content + b"\r\n" for name in "ab")
    kind = dict([KIND.split(": ")])
    for cut in (whole, whole[:-1000], whole[: len(whole) // 2 + 20], b"--b\r\n", b"--b"):
        answer = page.post(f"{API}/exams", content=cut, headers=kind)
        assert answer.status_code == 400, answer.text
    assert not list((tmp_path / "data" / "uploads").iterdir())
    assert page.post(f"{API}/exams", content=whole + b"--b--\r\n", headers=kind).status_code == 201


def test_too_many_files_and_fields_are_refused(open_page, tmp_path):
    page = open_page(limits=Limits(files=3))
    given = [("files", (f"{k}.png", b"x")) for k in range(4)]
    assert page.post(f"{API}/exams", files=given).status_code == 413
    many = [("files", ("a.png", b"x")), *[(f"f{k}", (None, b"x")) for k in range(3000)]]
    assert page.post(f"{API}/exams", files=many).status_code in (400, 413, 422)
    assert not list((tmp_path / "data" / "uploads").iterdir())


def _png(rows, cols):
    def chunk(kind, data):
        sealed = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + sealed

    head = struct.pack(">IIBBBBB", cols, rows, 8, 0, 0, 0, 0)
    inside = zlib.compress(b"\0" * 10_000_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", inside) + chunk(b"IEND", b"")
    )


def _inflated(path, megabytes):
    """Save a DICOM file of some kB whose elements take so many MB."""
    made = dataset(PatientName="Doe^Jane", PatientID="J1")
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.add_new(0x00091001, "OB", bytes(megabytes * 2**20))
    made.add_new(0x00090010, "LO", "much")
    return save_dicom(path, made)


def _bombs(folder):
    same = {"PatientName": "Doe^Jane", "PatientID": "J1"}  # or it is another's exam
    one = dataset(**same)
    one.Rows = one.Columns = 60_000
    save_dicom(folder / "large.dcm", one)
    save_dicom(folder / "long.dcm", dataset(**same, NumberOfFrames=2**31 - 1))
    made = dataset(**same, NumberOfFrames=1000)
    made.Rows, made.Columns = 8000, 8000
    save_dicom(folder / "both.dcm", made)
    (folder / "wide.png").write_bytes(_png(60_000, 60_000))
    (folder / "tall.png").write_bytes(_png(2**31 - 1, 2**31 - 1))
    (folder / "much.nii.gz").write_bytes(zlib.compress(bytes(200 * 2**20), 9))
    return sorted(folder.iterdir())


def test_files_that_are_far_larger_than_they_are_long_are_refused_unread(page, files, tmp_path):
    (tmp_path / "bombs").mkdir()
    bombs = _bombs(tmp_path / "bombs")
    assert all(path.stat().st_size < 2**20 for path in bombs)
    tracemalloc.start()
    try:
        exam = page.measured([*files, *[(path.name, path) for path in bombs]])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150 * 2**20
    assert exam["state"] == "ready"
    assert len(exam["selected"]) == 7
    for image in exam["images"][3:]:
        assert image["problems"], image["name"]
        assert image["frames"] == 0
        frame = f"{API}/exams/{exam['id']}/images/{image['image']}/frames/1.png"
        assert page.get(frame).status_code == 404


def test_a_deflated_file_that_holds_too_much_is_refused(page, files, tmp_path, monkeypatch):
    monkeypatch.setattr(inflating, "MOST_BYTES", 16 * 2**20)
    bomb = _inflated(tmp_path / "bomb.dcm", 32)
    assert bomb.stat().st_size < 100_000
    tracemalloc.start()
    try:
        answer = page.upload([*files, ("bomb.dcm", bomb)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert "uncompressed" in answer.json()["detail"]
    assert peak < 16 * 2**20
    assert not list((tmp_path / "data" / "uploads").iterdir())
    exam = page.measured([("a.dcm", _inflated(tmp_path / "a.dcm", 8))])
    assert exam["images"][0]["findings"]  # deflated is no fault


def test_a_cine_without_end_is_left_when_the_time_is_over(page, tmp_path, monkeypatch):
    path = save_dicom(tmp_path / "long.dcm", cine([painted()] * 3))
    told = iter([0.0, 0.0, 0.0])  # at the start, before the file, and before its second frame
    clock = SimpleNamespace(monotonic=lambda: next(told, 999.0))
    monkeypatch.setattr(proposals, "time", clock)
    exam = proposals.measured([path, path], page.app.desk.house, 600, lambda count: None)
    assert [finding.frame for finding in exam.findings] == [1, 2]
    assert [(problem.frame, problem.reason.partition(":")[0]) for problem in exam.problems] == [
        (3, "not measured from this frame on"),
        (None, "not measured"),
    ]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "1" * 100_000, "NaN", "\0"])
def test_a_document_that_is_no_json_stops_no_measuring(page, files, tmp_path, text):
    path = tmp_path / "earlier.json"
    path.write_text(text, encoding="utf-8")
    exam = page.measured([*files, ("earlier.json", path)])
    assert exam["state"] == "ready"
    assert len(exam["selected"]) == 7
    assert "earlier exams" in [problem["source"] for problem in exam["problems"]]
