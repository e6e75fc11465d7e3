"""What a JPEG or JPEG 2000 frame inside a DICOM file says of itself.

A decoder believes the DICOM tags. Where they contradict the frame, it returns a scrambled picture,
or ends the whole process (GDCM does, for JPEG 2000 and JPEG-LS with the wrong samples per pixel).

References:
    ITU-T T.81 B.2.2 (JPEG), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 and A.6.1 (JPEG 2000).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

from fetometry.image.headers import jpeg_frame_header

_JPEG_START = b"\xff\xd8"
_J2K_START = b"\xff\x4f\xff\x51"  # start of codestream, then SIZ
_JP2_START = b"\x00\x00\x00\x0cjP  "  # the boxes of a .jp2 file round the codestream
_COD, _SOT = 0xFF52, 0xFF90


@dataclass(frozen=True)
class Codestream:
    """Size (rows, cols), components and bits of one frame.

    `to_rgb` tells that decoding it turns YCbCr into RGB by itself (JPEG 2000).
    """

    shape: tuple[int, int]
    samples: int
    bits: int
    to_rgb: bool = False


def _jpeg(start: bytes) -> Codestream:
    bits, rows, cols, samples = jpeg_frame_header(io.BytesIO(start))
    return Codestream((rows, cols), samples, bits)


def _jpeg2000(start: bytes) -> Codestream:
    at = start.index(_J2K_START) + 2
    length, right, bottom, left, top = struct.unpack_from(">H2x4L", start, at + 2)
    samples, depth = struct.unpack_from(">HB", start, at + 38)
    to_rgb = False
    at += 2 + length
    marker = 0
    while marker not in (_COD, _SOT):
        marker, length = struct.unpack_from(">HH", start, at)
        if marker == _COD:
            to_rgb = bool(start[at + 8])
        at += 2 + length
    return Codestream((bottom - top, right - left), samples, (depth & 0x7F) + 1, to_rgb)


def describe(start: bytes, *, jpeg2000: bool) -> Codestream | None:
    """Read the header of a frame from its first bytes; None where they do not begin a frame.

    Raises:
        ValueError: it begins like one, but its header is damaged.
    """
    try:
        if jpeg2000 and start.startswith((_J2K_START, _JP2_START)):
            return _jpeg2000(start)
        if not jpeg2000 and start.startswith(_JPEG_START):
            return _jpeg(start)
    except (struct.error, ValueError, IndexError):
        raise ValueError("the header of a compressed frame is damaged") from None
    return None
