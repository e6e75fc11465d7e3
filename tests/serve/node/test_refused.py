"""What the node does not take: said to the sender, written in the log, and it goes on."""

import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage

from tests.serve.node.nodes import QUICK, Node, wait_for
from tests.serve.node.patients import ROOT, blank, save_study, tells_nobody, templates
from tests.serve.orthanc import free_port
from tests.serve.peers import SENDER, At, dcmtk, echo, needs, send

pytestmark = pytest.mark.slow

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A node that takes objects of at most 1 MB, and whose archive is away."""
    needs("storescu", "echoscu")
    folder = tmp_path_factory.mktemp("guarded")
    with Node(folder, At("ARCHIVE", free_port()), *QUICK, "--max-object-mb", "1") as node:
        yield node


@pytest.fixture
def image(tmp_path) -> Path:
    """One sound image."""
    return save_study(tmp_path / "in", 1, 1, made=templates()[:1]).images[0]


def lives(node: Node, image: Path) -> None:
    """It still answers, and takes a sound image."""
    assert node.runs
    assert "Received Echo Response (Success)" in echo(node)
    assert send([image], node).accepted == [image]


def test_an_unknown_caller_is_turned_away_and_the_log_says_so(guarded, image):
    before = len(guarded.events("association-refused"))
    sent = send([image], guarded, calling="STRANGER")
    assert sent.code != 0
    assert sent.statuses == {}
    assert "Calling AE Title Not Recognized" in sent.output
    told = guarded.events("association-refused")[before:]
    assert [(one["calling"], one["reason"]) for one in told] == [
        ("STRANGER", "unknown-calling-aet")
    ]
    lives(guarded, image)


@pytest.mark.parametrize(
    ("rows", "event"),
    [(600, "refused"), (1500, "association-aborted")],  # of 2000 bytes: a little too much, and much
)
def test_an_object_that_is_too_large_is_refused_and_the_log_says_so(
    guarded, image, tmp_path, rows, event
):
    made = [blank(templates()[0], (rows, 2000))]
    (large,) = save_study(tmp_path / "large", 2, 1, made=made).images
    before, told = guarded.kept("objects"), len(guarded.events(event))
    sent = send([large], guarded)
    assert (sent.accepted, sent.code != 0) == ([], True)
    (line,) = guarded.events(event)[told:]
    assert line["reason"] == "too-large"
    assert guarded.kept("objects") == before
    wait_for(lambda: guarded.kept("incoming") == [], within_s=10, what="nothing is left")
    lives(guarded, image)


def test_a_kind_of_object_that_was_not_offered_is_refused(guarded, image, tmp_path):
    made = pydicom.dcmread(image)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = CT
    made.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    sent = send([tmp_path / "ct.dcm"], guarded)
    assert sent.accepted == []
    assert "No Acceptable Presentation Contexts" in sent.output
    assert guarded.events("contexts-refused")[-1]["calling"] == SENDER
    lives(guarded, image)


def broken(image: Path, path: Path, how: str) -> Path:
    """The image with its data set spoilt; the part 10 header stays as it is."""
    raw = image.read_bytes()
    start = 144 + int(pydicom.dcmread(image).file_meta.FileMetaInformationGroupLength)
    data = raw[start:]
    spoilt = {
        "noise": np.random.default_rng(0).bytes(len(data)),
        "cut off": data[: len(data) // 2],
        "cut off early": data[:100],
        "nothing": b"",
        "text": b"GET / HTTP/1.1\r\n\r\n" * 200,
        "another instance": data.replace(f"{ROOT}.1.1.1".encode(), f"{ROOT}.1.1.9".encode(), 1),
    }[how]
    path.write_bytes(raw[:start] + spoilt)
    return path


@pytest.mark.parametrize(
    "how", ["noise", "cut off", "cut off early", "nothing", "text", "another instance"]
)
def test_a_broken_object_is_put_in_quarantine_with_a_reason(
    guarded, image, tmp_path, monkeypatch, how
):
    pynetdicom = pytest.importorskip("pynetdicom", reason="needs the extra serve")
    monkeypatch.setattr(pynetdicom._config, "STORE_SEND_CHUNKED_DATASET", True)
    held, kept = guarded.counts().quarantined, set(guarded.kept("objects"))
    caller = pynetdicom.AE(SENDER)
    caller.add_requested_context(UltrasoundImageStorage, ExplicitVRLittleEndian)
    line = caller.associate(guarded.host, guarded.dicom_port, ae_title=guarded.aet)
    assert line.is_established
    status = line.send_c_store(broken(image, tmp_path / "broken.dcm", how))
    line.release()
    assert status.get("Status") == 0xC000
    assert set(guarded.kept("objects")) == kept
    assert guarded.counts().quarantined == held + 1
    told = guarded.events("refused")[-1]
    assert (told["status"], told["calling"], bool(told["reason"])) == ("C000", SENDER, True)
    lives(guarded, image)


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 64])
def test_noise_on_the_line_harms_nobody(guarded, image, noise):
    with socket.create_connection((guarded.host, guarded.dicom_port), timeout=5) as line:
        line.sendall(noise)
    lives(guarded, image)


def test_a_caller_that_hangs_up_in_the_middle_leaves_nothing(guarded, image, tmp_path):
    (other,) = save_study(tmp_path / "other", 3, 1, made=templates()[1:2]).images
    before = len(guarded.kept("objects"))
    for _ in range(3):
        sender = subprocess.Popen(
            [dcmtk("storescu"), "-R", "-aet", SENDER, "-aec", guarded.aet, "-pdu", "4096"]
            + [guarded.host, str(guarded.dicom_port), str(other)] * 1,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.02)
        sender.kill()
        sender.wait()
    wait_for(lambda: guarded.kept("incoming") == [], within_s=30, what="nothing is left")
    assert len(guarded.kept("objects")) - before in (0, 1)
    lives(guarded, image)


def test_after_all_that_the_log_tells_nobody_of_a_patient(guarded, image):
    lives(guarded, image)
    tells_nobody(guarded)
