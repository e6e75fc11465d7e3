"""Studies in a store, an archive in this process, and a log that can be asked."""

import functools
import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytest.importorskip("pynetdicom", reason="needs the extra serve")

from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from fetometry import phantom
from fetometry.phantom.write import dicom
from fetometry.serve.node.settings import NodeSettings, Peer
from fetometry.serve.node.store import Received, Store
from tests.serve.orthanc import HERE, free_port

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]


#: A pregnancy, and the days of it on which there is an exam: 20w0d and 26w0d.
LMP = date(2026, 1, 1)
FIRST, SECOND = 140, 182


@functools.cache
def head(hc_mm: float) -> phantom.HeadPhantom:
    """The same head for every test that wants one."""
    return phantom.head(phantom.HeadSpec(hc_mm=hc_mm))


def scan(path, days: int, *, lmp: date | None = LMP, patient: str = "P1", hc_mm: float = 200.0):
    """A head of a patient, on a day of her pregnancy."""
    made = dicom(head(hc_mm), study=f"{path} {days}")
    made.PatientID, made.PatientName = patient, "Someone^Else"
    made.Manufacturer = "Scanner"
    made.SOPInstanceUID = generate_uid(entropy_srcs=[str(path), str(days)])
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    began = lmp or LMP
    made.StudyDate = f"{date.fromordinal(began.toordinal() + days):%Y%m%d}"
    if lmp is not None:
        made.LastMenstrualDate = f"{lmp:%Y%m%d}"
    made.save_as(path, enforce_file_format=True)
    return path


@dataclass
class Events:
    """A log in memory: what was said, in order."""

    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.said if name == event]


def put(store: Store, dataset: pydicom.Dataset) -> str:
    """Have a store accept an image; return the key of its study."""
    file = store.incoming()
    dataset.save_as(file, enforce_file_format=True)
    content = file.read_bytes()
    received = Received(
        sop_class=str(dataset.SOPClassUID),
        sop_uid=str(dataset.SOPInstanceUID),
        study_uid=str(dataset.StudyInstanceUID),
        patient=f"{dataset.PatientID}\0{dataset.get('IssuerOfPatientID', '')}",
        calling="SENDER",
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    store.accept(received, file)
    return store.study_key(str(dataset.StudyInstanceUID))


def settings_of(folder: Path, port: int, **more: Any) -> NodeSettings:
    """A node that sends to an archive on this machine, in a hurry."""
    said = {"retry_s": (0.05, 0.2), "forward": Peer(HERE, port, "ARCHIVE"), **more}
    return NodeSettings(folder, **said)


@dataclass
class Archive:
    """Takes objects, each answered with the status that `answer` gives; keeps what it took."""

    port: int = field(default_factory=free_port)
    answer: Callable[[str], int] = field(default=lambda _uid: 0)
    classes: tuple[str, ...] = (SECONDARY_CAPTURE, SEGMENTATION, COMPREHENSIVE_SR)
    title: str = "ARCHIVE"
    tls: ssl.SSLContext | None = None
    asked: list[str] = field(default_factory=list)
    taken: list[pydicom.Dataset] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator["Archive"]:
        entity = AE(ae_title=self.title)
        entity.require_called_aet = True
        for one in self.classes:
            entity.add_supported_context(one, SYNTAXES)
        handlers = [(evt.EVT_C_STORE, self._store)]
        server = entity.start_server(
            (HERE, self.port), block=False, evt_handlers=handlers, ssl_context=self.tls
        )
        try:
            yield self
        finally:
            server.shutdown()

    def _store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.asked.append(uid)
        status = self.answer(uid)
        if status == 0:
            self.taken.append(event.dataset)
        return status


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test"
    names = ["-addext", f"subjectAltName=IP:{HERE}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *made.split(), *names], check=True, capture_output=True)
    return cert, key
