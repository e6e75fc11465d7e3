"""A study of a DICOMweb server as what `measure` measures."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fetometry.cli.console import remark, watched
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.serve.dicomweb import Server

#: Where in the results' folder the images of a server are put.
RECEIVED = "received"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def server_of(paths: Sequence[str], kinds: Collection[str], *, stow: bool) -> Server | None:
    """Return the server that the one path names where it is a URL, asking nothing yet.

    `kinds` are what is to be written; with `stow` there must be something to store among them.

    Raises:
        UsageError: a URL is none of a study or is not the only path, the credentials cannot be
            used, or there would be nothing to store, or nowhere.
    """
    if not any(_URL.match(path) for path in paths):
        if stow:
            raise UsageError("--stow: stores on the server of a study: name dicomweb+https://…")
        return None
    # not before: whoever measures files need not wait for what speaks to servers
    from fetometry import report
    from fetometry.serve import dicomweb

    wanted = report.checked_kinds(kinds)
    if len(paths) > 1:
        raise UsageError("a study of a server is measured by itself: give one URL and no path")
    study = dicomweb.parse_study(paths[0], os.environ)
    if stow and not wanted & set(report.DICOM):
        raise UsageError(f"--stow: nothing to store: --write has none of {', '.join(report.DICOM)}")
    return dicomweb.Server(study, dicomweb.authorization(os.environ))


def received(server: Server, out: Path) -> list[Path]:
    """Fetch the ultrasound images of the study into OUT/received, and return them.

    Raises:
        FetometryError: they cannot be fetched or written.
    """
    from fetometry.serve import dicomweb

    files = dicomweb.fetch(server, out / RECEIVED, watch=lambda found: watched(found, "fetching"))
    remark(f"fetched from {server.study.host}: {_counted(len(files), 'ultrasound object')}")
    return files


def send_back(server: Server, written: Sequence[Path]) -> None:
    """Store what was written as DICOM, and say so.

    Raises:
        DicomwebError: something was not stored.
    """
    from fetometry.serve import dicomweb

    files = [path for path in written if path.suffix == ".dcm"]
    if not files:
        remark(f"nothing to store on {server.study.host}: no DICOM file was written")
        return
    for said in dicomweb.send(server, files):
        remark(said)
    remark(f"stored on {server.study.host}: {_counted(len(files), 'DICOM file')}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
