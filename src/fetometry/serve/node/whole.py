"""Is a data set whole? Its elements are walked from head to head; no value is read."""

from __future__ import annotations

import struct
from typing import BinaryIO

from pydicom.uid import UID

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = 0x7FE00010
_UNDEFINED = 0xFFFFFFFF
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")

#: Sequences lie in each other a few levels deep; a file made to exhaust the stack, thousands.
_MAX_DEPTH = 32


class _CutShort(Exception):
    pass


def is_whole(file: BinaryIO, start: int, syntax: UID) -> bool:
    """Tell whether every element from `start` on ends where its length says, within the file.

    Not for the deflated transfer syntax. Zeros after the pixels are padding.

    References:
        DICOM PS3.5, 7.1 and 7.5, A.4.
    """
    size = file.seek(0, 2)
    file.seek(start)
    order = "<" if syntax.is_little_endian else ">"
    try:
        _Walk(file, size, order).elements(not syntax.is_implicit_VR, 0, None)
    except _CutShort:
        return False
    return True


class _Walk:
    def __init__(self, file: BinaryIO, size: int, order: str) -> None:
        self._file = file
        self._size = size
        self._order = order

    def elements(self, explicit: bool, depth: int, last: int | None) -> None:
        """Walk elements until the one that ends them; at the top, until the file ends."""
        if depth > _MAX_DEPTH:
            raise _CutShort
        tag = 0
        while True:
            head = self._file.read(8)
            if last is None and (not head or (tag >= _PIXELS and not head.strip(b"\0"))):
                return
            if len(head) < 8:
                raise _CutShort
            tag, length, vr = self._head(head, explicit)
            if tag == last:
                return
            if length == _UNDEFINED:
                # the content of UN is implicit, whatever the rest is (PS3.5 6.2.2)
                self._items(explicit and vr != b"UN", depth + 1, open_end=tag == _PIXELS)
            else:
                self._skip(length)

    def _items(self, explicit: bool, depth: int, open_end: bool = False) -> None:
        while True:
            head = self._file.read(8)
            # at the very end some writers leave out the delimiter, and nothing is lost
            if not head and open_end:
                return
            if len(head) < 8:
                raise _CutShort
            tag, length, _ = self._head(head, explicit=False)
            if tag == _SEQUENCE_END:
                return
            if tag != _ITEM:
                raise _CutShort
            if length == _UNDEFINED:
                self.elements(explicit, depth + 1, _ITEM_END)
            else:
                self._skip(length)

    def _head(self, head: bytes, explicit: bool) -> tuple[int, int, bytes]:
        group, element, length = struct.unpack(f"{self._order}HHL", head)
        tag, vr = group << 16 | element, head[4:6]
        # delimiters have no VR; nor have elements of some writers, in files that are else explicit
        if not explicit or group == 0xFFFE or not (vr.isalpha() and vr.isupper()):
            return tag, length, b""
        if vr in _LONG:
            more = self._file.read(4)
            if len(more) < 4:
                raise _CutShort
            return tag, struct.unpack(f"{self._order}L", more)[0], vr
        return tag, struct.unpack(f"{self._order}H", head[6:])[0], vr

    def _skip(self, length: int) -> None:
        if self._file.tell() + length > self._size:
            raise _CutShort
        self._file.seek(length, 1)
