"""An Orthanc of one's own: in a temporary folder, on free ports, with DICOMweb, gone afterwards."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest

#: Debian puts the program where a user's PATH does not look.
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
#: Seconds within which Orthanc answers or has ended, on a slow machine too.
PATIENCE_S = 90.0
HERE = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def needs_orthanc() -> None:
    """Skip the test, with the reason, where Orthanc or its DICOMweb plug-in is not installed."""
    if PROGRAM is None:
        pytest.skip("needs Orthanc: apt install orthanc orthanc-dicomweb")
    if not PLUGIN.is_file():
        pytest.skip(f"needs {PLUGIN}: apt install orthanc-dicomweb")


class Orthanc:
    """One server; what it stores outlives `stop` and `kill`, and its ports stay the same.

    `modalities` are the peers that it may send to: name -> (AET, host, port). `users` turns on
    passwords. `config` overrules any key of Orthanc's configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        aet: str = "ORTHANC",
        modalities: Mapping[str, tuple[str, str, int]] | None = None,
        users: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
    ):
        needs_orthanc()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.aet = aet
        self.host = HERE
        self.rest_port = free_port()
        self.dicom_port = free_port()
        self.users = dict(users or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._config = {
            "Name": "fetometry tests",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": bool(self.users),
            "RegisteredUsers": self.users,
            "HttpPort": self.rest_port,
            "DicomPort": self.dicom_port,
            "DicomAet": aet,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {name: list(peer) for name, peer in (modalities or {}).items()},
            "OverwriteInstances": False,
            "StableAge": 1,
            "ConcurrentJobs": 2,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True},
            **(config or {}),
        }

    @property
    def url(self) -> str:
        """Of the REST interface, without a slash at the end."""
        return f"http://{self.host}:{self.rest_port}"

    @property
    def dicomweb(self) -> str:
        """Of DICOMweb, without a slash at the end."""
        return f"{self.url}/dicom-web"

    @property
    def log(self) -> str:
        """What it said since it was first started."""
        return (self.folder / "orthanc.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> Self:
        """Start it, and return when it answers."""
        settings = self.folder / "orthanc.json"
        settings.write_text(json.dumps(self._config), encoding="utf-8")
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), str(settings)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/system")
                with socket.create_connection((self.host, self.dicom_port), timeout=1):
                    return self
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"Orthanc did not start:\n{self.log}")

    def stop(self) -> None:
        """End it in peace; nothing happens where it does not run."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """End it at once, as a power failure does."""
        self._end(lambda process: process.kill())

    def _end(self, how) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.kill()  # to stop takes Orthanc 3 s

    def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Ask the REST interface, such as ``GET /instances``; an error status is an OSError."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        for name, password in self.users.items():
            secret = base64.b64encode(f"{name}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {secret}")
            break
        # an environment's proxy has no business between a test and its own server
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_S) as answer:
            return answer.read()

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return json.loads(self.call("GET", path))

    def post(self, path: str, document: Any) -> Any:
        """The JSON of a POST of JSON."""
        return json.loads(self.call("POST", path, json.dumps(document).encode()))

    def know(self, name: str, aet: str, port: int) -> None:
        """Make a peer on this machine known, to be sent to, while Orthanc runs."""
        peer = {"AET": aet, "Host": self.host, "Port": port}
        self.call("PUT", f"/modalities/{name}", json.dumps(peer).encode())

    def upload(self, file: Path) -> str:
        """Store a file by the REST interface, and return Orthanc's own id of it."""
        return json.loads(self.call("POST", "/instances", file.read_bytes()))["ID"]

    def instances(self) -> list[str]:
        """Orthanc's own ids of everything stored."""
        return self.get("/instances")

    def file(self, instance: str) -> bytes:
        """The DICOM file of an instance, as Orthanc keeps it."""
        return self.call("GET", f"/instances/{instance}/file")

    def tag(self, instance: str, name: str) -> str:
        """The text of one tag, such as ``0008-0018``."""
        return self.call("GET", f"/instances/{instance}/content/{name}").decode().strip("\0 ")

    def by_uid(self) -> dict[str, str]:
        """SOP Instance UID -> Orthanc's own id, of everything stored."""
        found = self.get("/instances?expand")
        return {one["MainDicomTags"]["SOPInstanceUID"]: one["ID"] for one in found}
