"""A `fetometry serve` of its own, and the exams that the tests look at."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import httpx
import pydicom

from fetometry import phantom
from tests.serve.orthanc import free_port

HOST = "127.0.0.1"
PATIENCE_S = 60.0
API = "/api/v1"
COMMAND = [sys.executable, "-c", "from fetometry.cli import main; main()", "serve"]
#: What is true of the exam: the model proposes an HC that is more than 1 mm less.
HC_MM, AC_MM, FL_MM = 230.0, 208.0, 45.0


class Serve:
    """`fetometry serve` as a process, on a free port and a folder of its own."""

    def __init__(self, folder: Path, *words: str):
        port = free_port()
        self.address = f"http://{HOST}:{port}"
        self.log = folder / "log"
        said = ["--port", str(port), "--data", str(folder / "data"), "--no-open", *words]
        env = {name: value for name, value in os.environ.items() if name != "FETOMETRY_TOKEN"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*COMMAND, *said], stdout=log, stderr=log, env=env)

    def __enter__(self):
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        self.client = httpx.Client(
            base_url=self.address + API, headers={"X-Fetometry": "1"}, timeout=PATIENCE_S
        )
        return self

    def _answers(self):
        try:
            return httpx.get(f"{self.address}{API}/health").status_code == 200
        except httpx.HTTPError:
            return False

    def __exit__(self, *reason):
        self.client.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    def measured(self, paths, **said):
        """Upload files, and return the exam's document once it is measured."""
        given = [("files", (path.name, path.read_bytes())) for path in paths]
        made = self.client.post("/exams", files=given, data=said)
        assert made.status_code == 201, made.text
        end = time.monotonic() + PATIENCE_S
        while (document := self.exam(made.json()["id"]))["state"] == "measuring":
            assert time.monotonic() < end
            time.sleep(0.05)
        return document

    def exam(self, exam):
        return self.client.get(f"/exams/{exam}").json()

    def newest(self):
        """The document of the exam that was uploaded last."""
        items = self.client.get("/exams").json()["items"]
        return self.exam(max(items, key=lambda item: item["created"])["id"])

    def edits(self, exam):
        return self.client.get(f"/exams/{exam}/edits").json()["edits"]

    def sign(self, exam, reviewer):
        answer = self.client.post(f"/exams/{exam}/signature", json={"reviewer": reviewer})
        assert answer.status_code == 201, answer.text


def three_planes(folder: Path) -> list[Path]:
    """DICOM files of one exam's three planes, with their truth beside them."""
    made = (
        phantom.head(phantom.HeadSpec(hc_mm=HC_MM, seed=1)),
        phantom.abdomen(phantom.AbdomenSpec(ac_mm=AC_MM, seed=1)),
        phantom.femur(phantom.FemurSpec(fl_mm=FL_MM, seed=1)),
    )
    return [_written(one, folder / f"{one.plane}.dcm") for one in made]


def second_head(folder: Path) -> Path:
    """Another image of the same head: a repeat."""
    return _written(phantom.head(phantom.HeadSpec(hc_mm=HC_MM, seed=7)), folder / "head2.dcm")


def picture(folder: Path) -> Path:
    """The head as a picture without calibration, with the depth ruler at its side."""
    made = phantom.head(phantom.HeadSpec(hc_mm=HC_MM, seed=1))
    path = folder / "head.png"
    cv2.imwrite(str(path), made.pixels)
    return path


def loop(head: Path, folder: Path, frames: int = 3) -> Path:
    """The head as a cine loop that does not move."""
    still = pydicom.dcmread(head)
    still.NumberOfFrames = frames
    still.PixelData = still.PixelData[: still.Rows * still.Columns] * frames
    path = folder / "loop.dcm"
    still.save_as(path)
    return path


def _written(made, path: Path) -> Path:
    phantom.write_dicom(made, path, study="browser")
    return path


def truth_of(path: Path) -> dict:
    return json.loads(path.with_name(f"{path.stem}.truth.json").read_text(encoding="utf-8"))
