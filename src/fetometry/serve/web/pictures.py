"""Frames of images as they are read, and as the page shows them; read once and kept a while."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry.errors import ImageError
from fetometry.types import Image

#: Bytes of frames that are kept in memory.
MOST_BYTES = 256 * 2**20

#: PNG's own scale; the first is the fastest, and frames are looked at once.
PNG_LEVEL = 1

Key = tuple[str, int]


class Frames:
    """Reads frames by source and number; any thread may ask. No file is read twice at once.

    A cine is read from its start: all frames on the way are kept, as far as there is room.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[Key, Image] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._reading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def __call__(self, source: str, frame: int) -> Image:
        """Return one frame, which counts from 1.

        Raises:
            ImageError: the file cannot be read, or has no such frame.
        """
        with self._lock:
            found = self._found((source, frame))
            if found is not None:
                return found
            of_this_file = self._reading[source]
        with of_this_file:
            with self._lock:
                found = self._found((source, frame))
            return found if found is not None else self._read(source, frame)

    def _found(self, key: Key) -> Image | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _read(self, source: str, frame: int) -> Image:
        for image in reading.read(Path(source)):
            with self._lock:
                self._keep(image)
            if image.frame == frame:
                return image
        raise ImageError(f"{source}: there is no frame {frame}")

    def _keep(self, image: Image) -> None:
        key = (image.source, image.frame)
        if key not in self._kept:
            self._kept[key] = image
            self._bytes += image.pixels.nbytes
        while self._bytes > self._most and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.pixels.nbytes

    def forget(self, sources: set[str]) -> None:
        """Let go of the frames of files that are no more."""
        with self._lock:
            for key in [key for key in self._kept if key[0] in sources]:
                self._bytes -= self._kept.pop(key).pixels.nbytes
            for source in sources:
                self._reading.pop(source, None)


def shown(image: Image) -> NDArray[np.uint8]:
    """Return the pixels, black outside the calibrated regions where names may be burned in.

    Without any region nobody knows where the picture ends, and a person has to see it to measure
    in it: then all is shown.
    """
    if not (image.may_show_name and image.regions):
        return image.pixels
    pixels = np.zeros_like(image.pixels)
    for region in image.regions:
        (top, bottom), (left, right) = region.rows, region.cols
        inside = (slice(top, bottom + 1), slice(left, right + 1))
        pixels[inside] = image.pixels[inside]
    return pixels


def png(image: Image, width: int | None = None) -> bytes:
    """Return a frame as a grey PNG, as wide as it is or narrower.

    Raises:
        ImageError: it cannot be encoded.
    """
    pixels = shown(image)
    rows, cols = pixels.shape
    if width is not None and width < cols:
        size = (width, max(1, round(rows * width / cols)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])
    if not done:
        raise ImageError(f"frame {image.frame} cannot be encoded as PNG")
    return data.tobytes()
