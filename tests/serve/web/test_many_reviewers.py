"""Many people at one exam at once, and a page that is killed: nothing that was taken is lost."""

import contextlib
import json
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from fetometry.geometry import Ellipse
from tests.conftest import SPACING
from tests.serve.web import live
from tests.serve.web.conftest import API
from tests.serve.web.live import EDITS, edit_of

REVIEWERS = 20

#: A server and its clients are processes of their own.
pytestmark = pytest.mark.slow


@pytest.fixture
def opened(files, tmp_path):
    """A page in another process with a measured exam: its client, process, address, and exam."""
    with live.served(tmp_path / "served", tmp_path / "log") as (page, running, address):
        yield page, running, address, live.measured(page, files)


def _head_mm(document):
    return next(s["value"] for s in document["selected"] if s["name"] == "HC")


def _asked(data, query):
    with contextlib.closing(sqlite3.connect(data / "review.sqlite")) as connection:
        return connection.execute(query).fetchone()


def _ramanujan_mm(edit):
    center, axes = edit["value"]["center_px"], edit["value"]["semi_axes_px"]
    return Ellipse(tuple(center), tuple(axes), 20.0).scaled(*SPACING).circumference


def test_twenty_reviewers_in_two_programs_lose_no_edit(opened):
    page, _, address, exam = opened
    names = [f"Dr. {number}" for number in range(REVIEWERS)]
    programs = [
        live.program("review", address, exam["id"], *half, stdout=subprocess.PIPE)
        for half in (names[::2], names[1::2])
    ]
    acknowledged = {}
    for started in programs:
        acknowledged.update(json.loads(started.communicate(timeout=120)[0]))
        assert started.returncode == 0
    edits = page.get(f"{API}/exams/{exam['id']}/edits").json()["edits"]
    assert [edit["number"] for edit in edits] == list(range(1, REVIEWERS * EDITS + 1))
    for name in names:
        own = [edit["value"] for edit in edits if edit["reviewer"] == name]
        assert own == [edit_of(name, number)["value"] for number in range(EDITS)]
        # what was acknowledged already held the edit
        numbers = [edit["number"] for edit in edits if edit["reviewer"] == name]
        assert all(told >= n for told, n in zip(acknowledged[name], numbers, strict=True))
    document = page.get(f"{API}/exams/{exam['id']}").json()
    last = edits[-1]
    assert (
        document["images"][0]["findings"][0]["ellipse"]["semi_axes_px"]
        == (last["value"]["semi_axes_px"])
    )
    assert abs(_head_mm(document) - _ramanujan_mm(last)) < 0.1
    # each says what it changed as that was: the one before it
    shapes = [edit["value"]["semi_axes_px"] for edit in edits]
    assert [edit["before"]["semi_axes_px"] for edit in edits[1:]] == shapes[:-1]


def test_of_edits_at_one_revision_one_is_taken_and_the_others_are_told(opened):
    page, _, address, exam = opened
    barrier = threading.Barrier(8)

    def asked(number):
        with httpx.Client(base_url=address, headers=live.HEADERS, timeout=60) as client:
            barrier.wait()
            said = {"edit": edit_of(f"Dr. {number}", 0), "revision": 0}
            return client.post(f"{API}/exams/{exam['id']}/edits", json=said).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(asked, range(8)))
    assert statuses == [201] + [409] * 7
    assert len(page.get(f"{API}/exams/{exam['id']}/edits").json()["edits"]) == 1


def test_signatures_at_once_are_all_recorded_and_an_edit_takes_them_back(opened):
    page, _, address, exam = opened
    path, barrier = f"{API}/exams/{exam['id']}", threading.Barrier(9)

    def asked(number):
        with httpx.Client(base_url=address, headers=live.HEADERS, timeout=60) as client:
            barrier.wait()
            if number == 0:
                return client.post(f"{path}/edits", json={"edit": edit_of("Dr. 0", 0)})
            return client.post(f"{path}/signature", json={"reviewer": f"Dr. {number}"})

    with ThreadPoolExecutor(9) as pool:
        assert {answer.status_code for answer in pool.map(asked, range(9))} == {201}
    audit = page.get(f"{path}/edits").json()
    signatures = audit["signatures"]
    assert sorted(s["reviewer"] for s in signatures) == [f"Dr. {n}" for n in range(1, 9)]
    # a signature is of what was there: none of revision 0 comes after one of revision 1
    revisions = [s["revision"] for s in signatures]
    assert revisions == sorted(revisions)
    now = page.get(path).json()
    holds = bool(revisions) and revisions[-1] == 1
    assert (now["state"] == "signed") == holds
    page.post(f"{path}/signature", json={"reviewer": "Dr. 9"}).raise_for_status()
    assert page.get(path).json()["signed"]["reviewer"] == "Dr. 9"
    after = page.post(f"{path}/edits", json={"edit": edit_of("Dr. 1", 1)}).json()
    assert (after["state"], after["signed"]) == ("ready", None)


def test_a_signature_at_a_revision_that_was_left_is_refused(opened):
    page, _, _, exam = opened
    path = f"{API}/exams/{exam['id']}"
    page.post(f"{path}/edits", json={"edit": edit_of("Dr. 0", 0)}).raise_for_status()
    late = page.post(f"{path}/signature", json={"reviewer": "Dr. 1", "revision": 0})
    assert late.status_code == 409
    assert page.get(path).json()["signed"] is None


def test_what_was_acknowledged_is_there_after_the_page_was_killed(files, tmp_path):
    data, log = tmp_path / "served", tmp_path / "log"
    kept, asked = [], []
    with live.served(data, log) as (page, running, address):
        exam = live.measured(page, files)["id"]

        def goes_on(who):
            with httpx.Client(base_url=address, headers=live.HEADERS, timeout=60) as client:
                for number in range(1000):
                    edit = edit_of(f"Dr. {who}", number % 100)
                    asked.append(edit["value"])
                    try:
                        answer = client.post(f"{API}/exams/{exam}/edits", json={"edit": edit})
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 201
                    kept.append(edit["value"])

        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(goes_on, who) for who in range(4)]
            while len(kept) < 40:
                assert not any(one.done() for one in done)
                time.sleep(0.001)
            running.kill()
            for one in done:
                one.result()
    with live.served(data, log) as (page, _, _):
        audit = page.get(f"{API}/exams/{exam}/edits").json()
        values = [edit["value"] for edit in audit["edits"]]
        document = page.get(f"{API}/exams/{exam}").json()
    assert [edit["number"] for edit in audit["edits"]] == list(range(1, len(values) + 1))
    assert all(values.count(value) >= kept.count(value) for value in kept)
    assert all(value in asked for value in values)
    assert document["state"] == "ready"
    assert abs(_head_mm(document) - _ramanujan_mm(audit["edits"][-1])) < 0.1
    assert _asked(data, "PRAGMA integrity_check") == ("ok",)


def test_an_exam_whose_measuring_was_killed_is_measured_at_the_next_start(files, tmp_path):
    data, log = tmp_path / "served", tmp_path / "log"
    given = [("files", (name, path.read_bytes())) for name, path in files * 10]
    with live.served(data, log) as (page, running, _):
        exam = page.post(f"{API}/exams", files=given, data={"ga": "23w4d"}).json()["id"]
        running.kill()
        running.wait()
    assert _asked(data, "SELECT state FROM exams") == ("measuring",)
    with live.served(data, log) as (page, _, _):
        document = live.settled(page, exam)
    assert document["state"] == "ready"
    assert sum(len(image["findings"]) for image in document["images"]) == 30


def test_a_second_page_on_the_same_folder_is_refused(opened, tmp_path):
    page, _, _, exam = opened
    other = live.program(
        "serve", tmp_path / "served", live.free_port(), stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = other.communicate(timeout=60)
    finally:
        other.kill()
    assert other.returncode != 0
    assert "another page is open on it" in said
    assert page.get(f"{API}/exams/{exam['id']}").status_code == 200
