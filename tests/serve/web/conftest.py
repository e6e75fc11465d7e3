"""A page on a folder of its own, whose model cannot miss three painted planes."""

import time

import pytest
from fastapi.testclient import TestClient

from fetometry.serve.web.app import make_app
from fetometry.serve.web.settings import WebSettings
from tests.conftest import ABDOMEN, HEAD, SHAFT, dataset, painted, save_dicom

ADDRESS = "http://127.0.0.1:8765"
API = "/api/v1"
SHOWN = {"head": HEAD, "abdomen": ABDOMEN, "femur": SHAFT}


class Browser(TestClient):
    """A client that says what a page of ours says, and waits for what is measured."""

    def upload(self, files, **said):
        """Upload files, a name and a path each, and return the answer."""
        given = [("files", (name, path.read_bytes())) for name, path in files]
        return self.post(f"{API}/exams", files=given, data=said)

    def measured(self, files, **said):
        """Upload files, and return the exam's document once it is measured."""
        made = self.upload(files, **said)
        assert made.status_code == 201, made.text
        return self.settled(made.json()["id"])

    def settled(self, exam):
        """Return the document of an exam that is no longer being measured."""
        end = time.monotonic() + 20
        while (document := self.exam(exam))["state"] == "measuring":
            assert time.monotonic() < end
            time.sleep(0.01)
        return document

    def exam(self, exam):
        answer = self.get(f"{API}/exams/{exam}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def edit(self, exam, action, value, image=0, frame=1, **more):
        """Keep an edit, and return the answer."""
        edit = {"action": action, "image": image, "frame": frame, "value": value}
        edit["reviewer"] = "Dr. Early"
        return self.post(f"{API}/exams/{exam}/edits", json={"edit": edit, **more})


@pytest.fixture
def open_page(three_planes, tmp_path):
    """Open a page; the arguments are those of its settings."""
    opened = []

    def make(**settings):
        app = make_app(WebSettings(**{"data": tmp_path / "data", **settings}))
        opened.append(app)
        return Browser(app, base_url=ADDRESS, headers={"X-Fetometry": "1"})

    yield make
    for app in opened:
        app.desk.close()


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def files(tmp_path):
    """The name and the path of a DICOM file of each plane, of one study."""
    made = []
    for plane, ellipse in SHOWN.items():
        pixels = painted(ellipse, plane=plane)
        shown = dataset(pixels, PatientName="Doe^Jane", PatientID="J1")
        made.append((f"{plane}.dcm", save_dicom(tmp_path / f"{plane}.dcm", shown)))
    return made


@pytest.fixture
def exam(page, files):
    """The document of a measured exam of three planes."""
    return page.measured(files, ga="23w4d")
