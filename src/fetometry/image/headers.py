"""What the first bytes of a PNG, JPEG, BMP, TIFF or WebP file say, without decoding it.

OpenCV decodes first and asks later: it would make room for any size, and some of its versions
fill the missing part of a truncated file with grey and call it a success.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from fetometry.errors import ImageError

Shape = tuple[int, int]


class Format(NamedTuple):
    """How to look into one kind of file.

    `shapes` gives the (rows, cols) of every page; `fault` says what is wrong with the rest of
    the file, or nothing. Both raise `struct.error` where the file ends too soon.
    """

    name: str
    magic: tuple[tuple[int, bytes], ...]  # (offset, bytes), all of which are there
    shapes: Callable[[BinaryIO], list[Shape]]
    fault: Callable[[BinaryIO], str]


TRUNCATED = "the file is truncated"
ANIMATED = "the file is an animation: save its frames as separate images"


def file_size(file: BinaryIO) -> int:
    """Return the number of bytes in the file."""
    return file.seek(0, os.SEEK_END)


def _unpack(file: BinaryIO, offset: int, layout: str) -> tuple[Any, ...]:
    file.seek(offset)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


# ---- PNG: a signature, then chunks of (length, type, body, CRC)


class Chunk(NamedTuple):
    """One PNG chunk with its length, type and CRC."""

    kind: bytes
    raw: bytes
    sound: bool

    @property
    def critical(self) -> bool:
        """Whether the pixels cannot be decoded without it (its first letter is a capital)."""
        return not self.kind[0] & 0x20


def png_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks up to the last whole one, or up to IEND."""
    file.seek(8)
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        body = file.read(length + 4)
        if len(body) < length + 4:
            return
        checksum = zlib.crc32(kind + body[:-4])
        yield Chunk(kind, head + body, checksum == int.from_bytes(body[-4:], "big"))


def _png_shapes(file: BinaryIO) -> list[Shape]:
    cols, rows = _unpack(file, 16, ">II")
    return [(rows, cols)]


def _png_fault(file: BinaryIO) -> str:
    last = b""
    for chunk in png_chunks(file):
        last = chunk.kind
        if last == b"acTL":
            return ANIMATED
        if chunk.critical and not chunk.sound:
            return f"the file is damaged (bad checksum of {last.decode('latin-1')!r})"
    return "" if last == b"IEND" else TRUNCATED


# ---- JPEG: markers 0xFF.., most with a length; the frame header SOFn carries the size

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # the last is JPEG-LS
_SOS, _EOI = 0xDA, 0xD9
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield (marker, offset of its length) up to the first scan."""
    offset, marker = 2, 0
    while marker not in (_SOS, _EOI):
        prefix, marker = _unpack(file, offset, "BB")
        if prefix != 0xFF:
            return
        if marker == 0xFF:  # fill byte
            offset += 1
            continue
        yield marker, offset + 2
        offset += 2
        if marker not in _BARE and marker != _EOI:
            offset += _unpack(file, offset, ">H")[0]


def jpeg_frame_header(file: BinaryIO) -> tuple[int, int, int, int]:
    """Return bits, rows, columns and components of a JPEG or JPEG-LS codestream.

    Raises:
        struct.error: it ends too soon, or has no frame header before its first scan.
    """
    for marker, offset in _jpeg_segments(file):
        if marker in _SOF:
            bits, rows, cols, samples = _unpack(file, offset + 2, ">BHHB")
            return bits, rows, cols, samples
    raise struct.error("no frame header")


def _jpeg_shapes(file: BinaryIO) -> list[Shape]:
    _, rows, cols, _ = jpeg_frame_header(file)
    return [(rows, cols)]


def _jpeg_fault(file: BinaryIO) -> str:
    for marker, offset in _jpeg_segments(file):
        if marker == _SOS:
            # a thumbnail's end-of-image lies before the scan; within it 0xFF is always stuffed
            file.seek(offset)
            return "" if b"\xff\xd9" in file.read() else TRUNCATED
    return TRUNCATED


# ---- BMP: two fixed headers; rows are padded to 4 bytes


def _bmp_shapes(file: BinaryIO) -> list[Shape]:
    old = _unpack(file, 14, "<I")[0] == 12
    cols, rows = _unpack(file, 18, "<HH" if old else "<ii")
    return [(abs(rows), cols)]  # negative: stored from the top


def _bmp_fault(file: BinaryIO) -> str:
    ((rows, cols),) = _bmp_shapes(file)
    start, header = _unpack(file, 10, "<II")
    bits, packing, packed = 0, 0, 0
    if header == 12:
        bits = _unpack(file, 24, "<H")[0]
    else:
        bits, packing, packed = _unpack(file, 28, "<HII")
    run_length = packing in (1, 2)
    needed = packed if run_length else (cols * bits + 31) // 32 * 4 * rows
    return TRUNCATED if file_size(file) < start + needed else ""


# ---- WebP: RIFF; the first chunk tells which of three headers follows


def _webp_shapes(file: BinaryIO) -> list[Shape]:
    kind = _unpack(file, 12, "4s")[0]
    if kind == b"VP8 ":
        cols, rows = (side & 0x3FFF for side in _unpack(file, 26, "<HH"))
    elif kind == b"VP8L":
        bits = _unpack(file, 21, "<I")[0]
        cols, rows = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        sides = _unpack(file, 24, "6s")[0]
        cols, rows = (int.from_bytes(side, "little") + 1 for side in (sides[:3], sides[3:]))
    else:
        return []
    return [(rows, cols)]


def _webp_fault(file: BinaryIO) -> str:
    size, kind, flags = _unpack(file, 4, "<I4x4s4xB")
    if file_size(file) < size + 8:
        return TRUNCATED
    return ANIMATED if kind == b"VP8X" and flags & 0x02 else ""


# ---- TIFF: a chain of directories, one a page, of (tag, type, count, value or its offset)

_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_PIECES = ((273, 279), (324, 325))  # (offsets, byte counts) of strips, of tiles
_TAGS = frozenset({_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, *_PIECES[0], *_PIECES[1]})
_WHITE_IS_ZERO = 0


class _Tiff:
    """The numbers in the directories of a TIFF or BigTIFF file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file_size(file)
        self._order = "<" if _unpack(file, 0, "2s")[0] == b"II" else ">"
        big = _unpack(file, 2, self._order + "H")[0] == 43
        self._first = 8 if big else 4
        self._count, self._offset = ("Q", "Q") if big else ("H", "I")

    def _number(self, offset: int, letter: str) -> int:
        return int(_unpack(self._file, offset, self._order + letter)[0])

    def pages(self) -> Iterator[dict[int, tuple[int, ...]]]:
        """Yield the tags of each page that describe its size and where its pixels lie."""
        wide = struct.calcsize(self._offset)
        offset = self._number(self._first, self._offset)
        seen: set[int] = set()
        while offset and offset not in seen:  # a damaged chain may run in a circle
            seen.add(offset)
            count = self._number(offset, self._count)
            start, entry = offset + struct.calcsize(self._count), 4 + 2 * wide
            yield dict(self._entry(start + entry * index) for index in range(count))
            offset = self._number(start + entry * count, self._offset)

    def _entry(self, offset: int) -> tuple[int, tuple[int, ...]]:
        layout = f"{self._order}HH{self._offset}"
        tag, kind, count = _unpack(self._file, offset, layout)
        if kind not in _TIFF_TYPES or tag not in _TAGS:
            return tag, ()
        if count > self._size:
            raise struct.error("more values than the file has bytes")
        values = f"{self._order}{count}{_TIFF_TYPES[kind]}"
        place = offset + struct.calcsize(layout)
        if struct.calcsize(values) > struct.calcsize(self._offset):
            place = self._number(place, self._offset)
        return tag, _unpack(self._file, place, values)


def _tiff_shapes(file: BinaryIO) -> list[Shape]:
    return [(sum(page.get(_HEIGHT, ())), sum(page.get(_WIDTH, ()))) for page in _Tiff(file).pages()]


def _tiff_fault(file: BinaryIO) -> str:
    size = file_size(file)
    for page in _Tiff(file).pages():
        pieces = [
            (offset, length)
            for offsets, lengths in _PIECES
            for offset, length in zip(page.get(offsets, ()), page.get(lengths, ()), strict=False)
        ]
        if not pieces or any(offset + length > size for offset, length in pieces):
            return TRUNCATED
        inverted = page.get(_PHOTOMETRIC, ()) == (_WHITE_IS_ZERO,)
        if inverted and max(page.get(_BITS, (1,))) > 8:  # OpenCV inverts 8 bits, but not 16
            return "white is stored as 0: save it with black as 0, or in 8 bits"
    return ""


FORMATS = (
    Format("PNG", ((0, b"\x89PNG\r\n\x1a\n"),), _png_shapes, _png_fault),
    Format("JPEG", ((0, b"\xff\xd8\xff"),), _jpeg_shapes, _jpeg_fault),
    Format("BMP", ((0, b"BM"),), _bmp_shapes, _bmp_fault),
    Format("WebP", ((0, b"RIFF"), (8, b"WEBP")), _webp_shapes, _webp_fault),
    Format("TIFF", ((0, b"II*\0"),), _tiff_shapes, _tiff_fault),
    Format("TIFF", ((0, b"MM\0*"),), _tiff_shapes, _tiff_fault),
    Format("TIFF", ((0, b"II+\0"),), _tiff_shapes, _tiff_fault),
    Format("TIFF", ((0, b"MM\0+"),), _tiff_shapes, _tiff_fault),
)


def identify(file: BinaryIO, source: str) -> Format:
    """Return the format that the file's first bytes announce; its name is not asked.

    Raises:
        ImageError: none that can be read.
    """
    file.seek(0)
    start = file.read(16)
    for known in FORMATS:
        if all(start[at:].startswith(magic) for at, magic in known.magic):
            return known
    names = ", ".join(dict.fromkeys(known.name for known in FORMATS))
    raise ImageError(f"{source}: not an image; give {names} or DICOM")
