"""Bodies of several parts (multipart/related), as DICOMweb wraps files: read and written.

References:
    RFC 2046 5.1; DICOM PS3.18 8.6.1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 18
#: Headers of a part, or what stands before the first one, that are longer are none.
_MOST_HEADER_BYTES = 1 << 16


class BrokenBodyError(Exception):
    """The body is not what its header says, or ends too soon."""


class _Window:
    """What was read of a stream and not yet passed on."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._held = b"\r\n"  # so that a boundary at the very start looks as every other one

    def pass_on(self, mark: bytes, write: Callable[[bytes], object]) -> None:
        """Write all that stands before a mark, and step over it."""
        while (at := self._held.find(mark)) < 0:
            sure = max(0, len(self._held) - len(mark) + 1)  # the rest may begin the mark
            write(self._held[:sure])
            more = self._read(CHUNK_BYTES)
            if not more:
                raise BrokenBodyError("the answer ends in the middle")
            self._held = self._held[sure:] + more
        write(self._held[:at])
        self._held = self._held[at + len(mark) :]


def _short(collected: bytearray) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        collected.extend(data)
        if len(collected) > _MOST_HEADER_BYTES:
            raise BrokenBodyError("the answer has no part with a file")

    return write


def copy_first_part(
    read: Callable[[int], bytes], boundary: str, write: Callable[[bytes], object]
) -> None:
    """Copy the first part of a body, without its headers, as it comes.

    Raises:
        BrokenBodyError: there is no part, or its end did not come.
    """
    window, mark = _Window(read), b"\r\n--" + boundary.encode("latin-1")
    window.pass_on(mark, _short(bytearray()))
    headers = bytearray()
    window.pass_on(b"\r\n\r\n", _short(headers))
    if headers.startswith(b"--"):
        raise BrokenBodyError("the answer holds no file")
    window.pass_on(mark, write)


def copy_all(
    read: Callable[[int], bytes], length: int | None, write: Callable[[bytes], object]
) -> None:
    """Copy a body that is a file itself, of `length` bytes where that is known.

    Raises:
        BrokenBodyError: it ends too soon.
    """
    size = 0
    while data := read(CHUNK_BYTES):
        size += len(data)
        write(data)
    if length is not None and size < length:
        raise BrokenBodyError("the answer ends in the middle")


def wrapped(file: Path, boundary: str) -> tuple[int, Iterator[bytes]]:
    """Return the body with one DICOM file as its only part: how many bytes, and the bytes."""
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield head
        with file.open("rb") as stream:
            while data := stream.read(CHUNK_BYTES):
                yield data
        yield tail

    return len(head) + file.stat().st_size + len(tail), body()
