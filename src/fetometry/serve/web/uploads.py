"""What is uploaded: files under names of our own, and what was said about them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from fetometry.image.files import DICOM_SUFFIX, RASTER_SUFFIXES
from fetometry.image.inflating import is_bomb
from fetometry.image.volume_headers import FORMATS
from fetometry.serve.web.problems import Refusal
from fetometry.serve.web.settings import MEGABYTE, Limits

#: What may be said with an upload; each at most once, and an empty one says nothing.
FIELDS = ("mm_per_px", "ga", "lmp", "edd", "exam_date", "plane", "fetus")

#: The longest text of a field, and the longest name that is shown.
MOST_LETTERS, MOST_NAME = 64, 200

#: Earlier exams lie in this folder; they are the documents that `measure` writes.
PREVIOUS, DOCUMENT = "previous", ".json"

#: Suffixes that a file on disk keeps: readers ask for some of them.
SUFFIXES = (*sorted(FORMATS, key=len, reverse=True), *sorted(RASTER_SUFFIXES), DICOM_SUFFIX)

BROKEN_OFF = "the upload broke off; send it again"

#: Files of other programs that come with a folder.
PASSED_OVER = frozenset({"DICOMDIR", "Thumbs.db", "desktop.ini"})

Files = list[tuple[str, str]]
Given = tuple[str, BinaryIO]


@dataclass(frozen=True)
class Upload:
    """Files with the names that they came by, and what was said about them."""

    given: Sequence[Given]
    said: Mapping[str, str]


class TooLong(MultiPartException):
    """More came than is taken; the parser lets go of what it had."""


class Parser(MultiPartParser):
    """Reads a form while it comes; lets go of its files where it is too long, or cut short."""

    def __init__(self, request: Request, limits: Limits) -> None:
        stream = self._counted(request, limits.upload_bytes)
        most = 2 * len(FIELDS)
        super().__init__(request.headers, stream, max_files=limits.files, max_fields=most)
        self._ended = False

    def on_end(self) -> None:
        """Note that the last boundary came."""
        self._ended = True

    async def _counted(self, request: Request, most: int) -> AsyncGenerator[bytes, None]:
        came = 0
        try:
            async for piece in request.stream():
                came += len(piece)
                if came > most:
                    raise TooLong(f"an upload has up to {most // MEGABYTE} MB")
                yield piece
        except ClientDisconnect:  # no fault of ours
            raise MultiPartException(BROKEN_OFF) from None
        if came and not self._ended:  # else the files before the cut would be taken
            raise MultiPartException(BROKEN_OFF)


@asynccontextmanager
async def received(request: Request, limits: Limits) -> AsyncIterator[Upload]:
    """Give the files of an upload with their names, and what was said about them.

    Raises:
        Refusal: it is no upload, holds no file or too many, or says what is not known.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refusal(415, "an upload is multipart/form-data")
    form = await _form(request, limits)
    try:
        yield _read(form)
    finally:
        await form.close()


async def _form(request: Request, limits: Limits) -> FormData:
    try:
        return await Parser(request, limits).parse()
    except TooLong as error:
        raise Refusal(413, error.message) from None
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise Refusal(413, f"an upload has up to {limits.files} files") from None
        raise Refusal(400, error.message) from None
    except KeyError:
        raise Refusal(400, "the upload does not say its boundary") from None


def _read(form: FormData) -> Upload:
    files: list[Given] = []
    said: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name == "files":
            files.append((shown_name(value.filename or ""), value.file))
        elif isinstance(value, UploadFile) or name not in FIELDS:
            allowed = ", ".join(("files", *FIELDS))
            raise Refusal(422, f"there is no such field; allowed: {allowed}", "form")
        elif value.strip():
            said[name] = _checked(name, value.strip(), said)
    if not files:
        raise Refusal(422, "there is no file: choose images or DICOM files", "files")
    return Upload(files, said)


def _checked(name: str, text: str, said: Mapping[str, str]) -> str:
    if name in said:
        raise Refusal(422, f"{name} is given twice", name)
    if len(text) > MOST_LETTERS or not text.isprintable():
        raise Refusal(422, f"{name}: up to {MOST_LETTERS} plain letters", name)
    return text


def shown_name(name: str) -> str:
    """Return the name that people know a file by: without folders and signs that steer."""
    return plain(PurePosixPath(name.replace("\\", "/")).name) or "file"


def plain(text: str) -> str:
    """Return a text of others without signs that steer or that are none."""
    kept = (sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return "".join(kept)[:MOST_NAME]


def _suffix(name: str) -> str:
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def keep(folder: Path, given: Iterable[Given]) -> Files:
    """Put files into a folder under names of our own; return both names of each image.

    Documents of earlier exams go into their own folder and are no images.

    Raises:
        Refusal: there is no room, or nothing in it could be an image.
    """
    files: Files = []
    documents = 0
    try:
        for name, content in given:
            if name.startswith(".") or name in PASSED_OVER:
                continue
            if name.lower().endswith(DOCUMENT):
                target = folder / PREVIOUS / f"{documents}{DOCUMENT}"
                target.parent.mkdir(exist_ok=True)
                documents += 1
            else:
                target = folder / f"{len(files)}{_suffix(name)}"
                files.append((name, target.name))
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)
            if is_bomb(target):
                raise Refusal(413, "a file holds far more than it is long: send it uncompressed")
    except OSError as error:
        raise Refusal(507, f"the files cannot be kept: {error.strerror}") from error
    if not files:
        raise Refusal(422, "there is no image among the files", "files")
    return files
