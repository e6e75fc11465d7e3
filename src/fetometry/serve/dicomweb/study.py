"""The images of a study fetched into a folder, and files of results stored beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydicom.errors import InvalidDicomError

from fetometry.errors import ImageError
from fetometry.image import inflating, quiet
from fetometry.image.dicom import PYDICOM_RAISES
from fetometry.report.write import atomic
from fetometry.serve.dicomweb.address import is_uid
from fetometry.serve.dicomweb.calls import (
    ACCEPTED,
    CONFLICT,
    EMPTY,
    JSON,
    OK,
    DicomwebError,
    Server,
)
from fetometry.serve.dicomweb.multipart import BrokenBodyError, copy_all, copy_first_part, wrapped

#: US, multi-frame US, the retired form of each, Enhanced US Volume.
ULTRASOUND = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("6.1", "3.1", "6", "3", "6.2")
)

#: As it is stored, whatever the compression.
_FILE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PAGE = 1000

_SOP_CLASS, _SOP_UID, _SERIES_UID = "00080016", "00080018", "0020000E"
_FAILED, _STORED, _REASON, _WARNING = "00081198", "00081199", "00081197", "00081196"

#: The same UID is there already: ours are made of what they hold, so it is the same object.
_DUPLICATE = 0x0111

#: Why an instance was not stored (PS3.18 10.5.3).
_REASONS = {
    0x0110: "the server failed to process it",
    0x0122: "the server does not store this class of object",
    0x0124: "not allowed",
    0x0131: "duplicate transaction",
    0x0106: "an attribute has an invalid value",
    0xA700: "the server is out of room",
    0xA900: "it does not fit the class of object that it claims to be, or the study",
    0xC000: "the server cannot understand it",
    0xC122: "the server does not store this transfer syntax",
}


@dataclass(frozen=True)
class Limits:
    """How much of a study is fetched at the most."""

    objects: int = 2000
    object_mb: int = 512
    total_mb: int = 8192


@dataclass(frozen=True)
class Instance:
    """One object of the study."""

    series: str
    uid: str
    sop_class: str


def _value(item: Any, tag: str) -> str:
    """Return the first value of an attribute in DICOM JSON; empty where there is none."""
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _page(server: Server, offset: int) -> list[Instance]:
    query = f"/instances?includefield={_SOP_CLASS}&limit={_PAGE}&offset={offset}"
    with server.asked(query, JSON) as answer:
        if answer.status == EMPTY:
            return []
        if answer.status != OK:
            raise server.refusal(answer)
        listed = server.json(answer)
    try:
        found = [
            Instance(_value(i, _SERIES_UID), _value(i, _SOP_UID), _value(i, _SOP_CLASS))
            for i in listed
        ]
    except (AttributeError, TypeError, LookupError):
        found = [Instance("", "", "")]
    if not all(is_uid(one.uid) and is_uid(one.series) for one in found):
        raise server.failure("does not answer as DICOMweb does: no list of instances with UIDs")
    return found


def instances(server: Server, limits: Limits) -> list[Instance]:
    """Return every object of the study, of any class, in the order of their UIDs.

    Raises:
        DicomwebError: the server cannot be asked, has no such study, or too much of it.
    """
    found: dict[str, Instance] = {}
    while page := _page(server, len(found)):
        # a server that knows no pages gives the same one again
        new = {one.uid: one for one in page if one.uid not in found}
        if not new:
            break
        found |= new
        if len(found) > limits.objects:
            raise server.failure(f"has more than {limits.objects} objects in this study")
    if not found:
        raise server.failure("has no such study, or it is empty")
    return sorted(found.values(), key=lambda one: one.uid)


def fetch(
    server: Server,
    folder: Path,
    *,
    limits: Limits | None = None,
    watch: Callable[[Sequence[Instance]], Iterable[Instance]] = iter,
) -> list[Path]:
    """Save the ultrasound images of the study as `folder/STUDY/INSTANCE.dcm`, and return them.

    Bytes go to the disk as they come, compressed as they are stored; a file has its name only
    when it is whole and is what was asked for. Nothing but ultrasound is fetched.

    Raises:
        DicomwebError: the server cannot be asked, or has no such study, no ultrasound in it, too
            much of it, or gave something else.
        OutputError: a file cannot be written.
    """
    limits = limits or Limits()
    found = instances(server, limits)
    wanted = [one for one in found if one.sop_class in ULTRASOUND]
    if not wanted:
        raise server.failure(f"has no ultrasound images in this study, of {len(found)} objects")
    room = limits.total_mb * 1_000_000
    files = []
    for instance in watch(wanted):
        target = folder / server.study.uid / f"{instance.uid}.dcm"
        room -= _fetch(server, instance, target, min(room, limits.object_mb * 1_000_000))
        files.append(target)
    return files


def _fetch(server: Server, instance: Instance, target: Path, most: int) -> int:
    """Save one object; return how many bytes it has."""
    size = 0

    with server.asked(f"/series/{instance.series}/instances/{instance.uid}", _FILE) as answer:
        if answer.status != OK:
            raise server.refusal(answer)
        with atomic(target) as file:

            def write(data: bytes) -> None:
                nonlocal size
                size += len(data)
                if size > most:
                    raise server.failure("sends more than the limit of one object or of a study")
                file.write(data)

            _copy(server, answer, write)
    _check(server, instance, target)
    return size


def _copy(server: Server, answer: HTTPResponse, write: Callable[[bytes], None]) -> None:
    """Copy the file that an answer holds: in a part of its own, or as it is."""

    def read(most: int) -> bytes:
        return server.read(answer, most)

    kind, boundary = answer.headers.get_content_type(), answer.headers.get_boundary()
    try:
        if kind == "multipart/related" and boundary:
            copy_first_part(read, boundary, write)
        elif kind == "application/dicom":
            copy_all(read, answer.length, write)
        else:
            raise BrokenBodyError(f"the answer is {kind}, not a DICOM file")
    except BrokenBodyError as error:
        raise server.failure(f"does not give the file that was asked for: {error}") from None


def _check(server: Server, instance: Instance, file: Path) -> None:
    """Take a file away again that is not the object that was asked for."""
    asked = (server.study.uid, instance.series, instance.uid)
    keywords = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    try:
        with quiet.pydicom:
            header = inflating.read(file, stop_before_pixels=True, specific_tags=list(keywords))
            if tuple(str(header.get(keyword, "")) for keyword in keywords) == asked:
                return
        what = "another object"
    except (ImageError, InvalidDicomError, *PYDICOM_RAISES):
        what = "no DICOM file"
    file.unlink()
    raise server.failure(f"does not give the file that was asked for: it gives {what}")


def send(server: Server, files: Sequence[Path]) -> list[str]:
    """Store DICOM files in the study, one request each; return remarks of the server.

    Every file is tried. One that the server has already, by its UID, counts as stored.

    Raises:
        DicomwebError: the server cannot be asked, or did not store some; it says which and why.
    """
    remarks, refused = [], []
    for file in files:
        reason, remark = _store(server, file)
        if reason:
            refused.append(f"{file.name}: {reason}")
        elif remark:
            remarks.append(f"{file.name}: {remark}")
    if refused:
        stored = len(files) - len(refused)
        raise server.failure(f"stored {stored} of {len(files)} files; not {'; '.join(refused)}")
    return remarks


def _store(server: Server, file: Path) -> tuple[str, str]:
    """Return why a file was not stored, and what else the server says of it."""
    boundary = uuid4().hex
    try:
        length, body = wrapped(file, boundary)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}", ""
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    headers = {"Content-Type": kind, "Content-Length": str(length)}
    with server.asked("", JSON, body=body, headers=headers) as answer:
        if answer.status not in (OK, ACCEPTED, CONFLICT):
            raise server.refusal(answer)
        try:
            said = server.json(answer)
            reasons = [_number(item, _REASON) for item in _items(said, _FAILED)]
            warned = [_number(item, _WARNING) for item in _items(said, _STORED)]
        except (DicomwebError, AttributeError, TypeError, LookupError, ValueError):
            reasons, warned = [], []  # some servers answer in XML, or nothing: the status says it
        return _outcome(answer.status, reasons, [code for code in warned if code])


def _outcome(status: int, reasons: Sequence[int], warned: Sequence[int]) -> tuple[str, str]:
    """Return why a file was not stored, and what else there is to say of it."""
    if status != OK and not reasons and not warned:
        return f"the server answers with status {status}", ""
    failed = [reason for reason in reasons if reason != _DUPLICATE]
    if failed:
        return "; ".join(_REASONS.get(r, f"reason {r:04X}") for r in failed), ""
    if reasons:
        return "", "the server has it already"
    return "", f"stored with warning {', '.join(f'{w:04X}' for w in warned)}" if warned else ""


def _items(said: Any, tag: str) -> list[Any]:
    return list(said.get(tag, {}).get("Value") or [])


def _number(item: Any, tag: str) -> int:
    values = item.get(tag, {}).get("Value") or [0]
    return int(values[0])
