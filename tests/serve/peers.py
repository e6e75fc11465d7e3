"""The programs of others at the far end: dcmtk's senders and receivers, and Orthanc."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import pytest

from tests.serve.orthanc import HERE, PATIENCE_S, Orthanc, free_port

#: The AE title that `send` calls itself, unless told otherwise.
SENDER = "SENDER"


def dcmtk(program: str) -> str:
    """The program of dcmtk; skip the test, with the reason, where it is not installed.

    pynetdicom puts programs of the same names beside Python, and these are not meant.
    """
    beside = Path(sys.executable).parent
    folders = os.get_exec_path()
    others = (folder for folder in folders if Path(folder).absolute() != beside.absolute())
    found = shutil.which(program, path=os.pathsep.join(others))
    return found or pytest.skip(f"needs {program}: apt install dcmtk")


def needs(*programs: str) -> None:
    """Skip the test, with the reason, where a program of dcmtk is not installed."""
    for program in programs:
        dcmtk(program)


class Peer(Protocol):
    """Where something is sent to."""

    host: str
    aet: str
    dicom_port: int


@dataclass(frozen=True)
class At:
    """A peer on this machine, by its title and port."""

    aet: str
    dicom_port: int
    host: str = HERE


@dataclass(frozen=True)
class Sent:
    """What storescu was told: a status for each file that was answered, and everything it said."""

    statuses: dict[Path, str]
    output: str
    code: int

    @property
    def accepted(self) -> list[Path]:
        return [path for path, status in self.statuses.items() if status == "Success"]


def send(
    files: Sequence[Path], peer: Peer, *, calling: str = SENDER, options: Sequence[str] = ("-R",)
) -> Sent:
    """Send files by storescu, on one association, to the end or as far as the peer lives."""
    where = ["-aet", calling, "-aec", peer.aet, peer.host, str(peer.dicom_port)]
    output, code = _said(
        [dcmtk("storescu"), "-v", "-td", "60", "-ta", "20", *options, *where, *map(str, files)]
    )
    return Sent(_statuses(output), output, code)


def _said(command: Sequence[str]) -> tuple[str, int]:
    """Everything that a program said, on either channel, and how it ended."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout, done.returncode


def _statuses(output: str) -> dict[Path, str]:
    told: dict[Path, str] = {}
    current: Path | None = None
    for line in output.splitlines():
        _, opening, rest = line.partition("Sending file: ")
        if opening:
            current = Path(rest.strip())
        _, answered, status = line.partition("Received Store Response (")
        if answered and current is not None:
            told[current] = status.strip().rstrip(")")
    return told


def echo(peer: Peer, *, calling: str = SENDER) -> str:
    """Ask for a sign of life by echoscu; what it said."""
    where = ["-aet", calling, "-aec", peer.aet, peer.host, str(peer.dicom_port)]
    return _said([dcmtk("echoscu"), "-v", "-to", "5", "-ta", "10", *where])[0]


def move(peer: Peer, receiver: Peer, study: str, *, calling: str = SENDER) -> str:
    """Have a study sent to a receiver that the peer knows, by movescu; what movescu said."""
    who = ["-aet", calling, "-aec", peer.aet, "-aem", receiver.aet, "+P", str(free_port())]
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
    output, code = _said(
        [dcmtk("movescu"), "-v", "-S", *who, *keys, peer.host, str(peer.dicom_port)]
    )
    assert code == 0, output
    return output


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((HERE, port), timeout=1):
        return True
    return False


class StoreScp:
    """dcmtk's storescp: each object that comes is a file of its own, the same one twice is two.

    What it received outlives `kill`, and its port stays the same.
    """

    def __init__(self, folder: Path, *, aet: str = "ARCHIVE"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.aet = aet
        self.host = HERE
        self.dicom_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and return when it listens."""
        command = [dcmtk("storescp"), "-aet", self.aet, "-od", str(self.folder), "+uf"]
        self._process = subprocess.Popen(
            [*command, str(self.dicom_port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_S
        while not listens(self.dicom_port):
            assert time.monotonic() < until and self._process.poll() is None, "storescp is not up"
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """End it at once; nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.kill()

    def received(self) -> list[Path]:
        """The files that came, in no order."""
        return [path for path in self.folder.iterdir() if path.is_file()]


@pytest.fixture
def storescp(tmp_path) -> Iterator[StoreScp]:
    """A receiver that runs; it keeps whatever comes."""
    with StoreScp(tmp_path / "storescp") as running:
        yield running


@pytest.fixture
def orthanc(tmp_path) -> Iterator[Orthanc]:
    """An archive that runs, with DICOMweb."""
    with Orthanc(tmp_path / "orthanc") as running:
        yield running
