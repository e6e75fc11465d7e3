"""PNG, JPEG, BMP, TIFF and WebP → Image.

Such a file carries no spacing. A PNG's pHYs, a JPEG's density and a TIFF's resolution say how
large the picture is on paper, not how large a pixel is in the body: they are not read.
An EXIF orientation is not applied either: pixels stay as stored, and so do (row, col).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError
from fetometry.image import headers, quiet
from fetometry.image.grey import check_size, measurable, to_grey
from fetometry.types import Image


def _pages(file: BinaryIO, found: headers.Format, source: str) -> list[headers.Shape]:
    """Return the (rows, cols) of every page of a whole file of a bearable size."""
    try:
        shapes = found.shapes(file)
        for shape in shapes:
            check_size(shape, source)
        fault = found.fault(file)
    except struct.error:
        fault = headers.TRUNCATED
    if fault:
        raise ImageError(f"{source}: {fault} ({found.name}); copy or export it again")
    if not shapes:
        raise ImageError(f"{source}: the {found.name} file holds no picture; export it again")
    return shapes


def _content(file: BinaryIO, found: headers.Format) -> NDArray[np.uint8]:
    file.seek(0)
    if found.name != "PNG":
        return np.frombuffer(file.read(), np.uint8)
    # libpng writes to stderr about odd colour profiles and other chunks that change no grey
    signature = file.read(8)
    chunks = [chunk.raw for chunk in headers.png_chunks(file) if chunk.critical]
    return np.frombuffer(b"".join([signature, *chunks]), np.uint8)


#: OpenCV stores colours as B, G, R (, alpha).
_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}


def _decode(content: NDArray[np.uint8], page: int | None) -> NDArray[Any] | None:
    """Return a page as grey (H, W) or RGB (H, W, 3), or None where OpenCV gives up."""
    try:
        with quiet.opencv:
            pixels: Any
            if page is None:
                pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
            else:
                one = (page, page + 1)
                _, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=one)
                pixels = pages[0]
            if pixels.ndim == 3:
                pixels = cv2.cvtColor(pixels, _TO_RGB[pixels.shape[2]])
            return np.asarray(pixels)
    except (cv2.error, AttributeError, LookupError, MemoryError):
        # imdecode returns None, imdecodemulti an empty tuple, where there is nothing to return
        return None


def read(path: Path) -> Iterator[Image]:
    """Yield the image, or the pages of a TIFF one by one.

    A page of several that is empty is passed on, so that it does not hide those after it.

    Raises:
        ImageError: not an image, truncated, damaged, too large, or nothing in it to measure.
    """
    source = str(path)
    with path.open("rb") as file:
        found = headers.identify(file, source)
        shapes = _pages(file, found, source)
        content = _content(file, found)
    alone = len(shapes) == 1
    problem = f"a {found.name} file does not say how large a pixel is in the body"
    for page, shape in enumerate(shapes):
        pixels = _decode(content, None if alone else page)
        if pixels is None or pixels.shape[:2] != shape or not np.isfinite(pixels).all():
            place = "" if alone else f" in page {page + 1}"
            raise ImageError(
                f"{source}: the {found.name} file is damaged{place}, or of a kind that "
                "cannot be decoded; export it again as 8-bit PNG"
            )
        grey = measurable(pixels, source) if alone else to_grey(pixels)
        yield Image(grey, source, page + 1, spacing_problem=problem)
