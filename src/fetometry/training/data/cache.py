"""Pictures at training scale, all in one array: read once, trained on many times.

A picture is shrunk once, with its aspect ratio kept, into a canvas of the cache's size
(the predictor's own letterbox); the truth is mapped by the same matrix.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Matrix, letterbox
from fetometry.training.data.manifest import Row


@dataclass(frozen=True)
class Cache:
    """Pictures (N, H, W), and for each its source's shape (N, 2) and the map (N, 2, 3) from it."""

    pixels: NDArray[np.uint8]
    matrices: Matrix
    shapes: NDArray[np.int64]


def _path(rows: Sequence[Row], size: tuple[int, int], folder: Path) -> Path:
    names = [(row.dataset, row.image.name) for row in rows]
    key = hashlib.sha256(json.dumps([names, size]).encode()).hexdigest()[:16]
    return folder / f"cache-{key}.npz"


def _bytes(rows: Sequence[Row]) -> NDArray[np.int64]:
    """Return how large each picture's file is; -1 where it is not there."""
    there = [row.image.stat().st_size if row.image.is_file() else -1 for row in rows]
    return np.array(there, np.int64)


def build(rows: Sequence[Row], size: tuple[int, int]) -> Cache:
    """Read and shrink every picture."""
    # here, not above: a packed cache trains on a machine without OpenCV's readers
    from fetometry.image import read
    from fetometry.predict.canvas import to_canvas

    pixels = np.zeros((len(rows), *size), np.uint8)
    matrices = np.zeros((len(rows), 2, 3))
    shapes = np.zeros((len(rows), 2), np.int64)
    for i, row in enumerate(rows):
        source = next(iter(read(row.image))).pixels
        shapes[i] = source.shape
        matrices[i] = letterbox((source.shape[0], source.shape[1]), size)
        pixels[i] = to_canvas(source, size)
    return Cache(pixels, matrices, shapes)


def _stored(path: Path, rows: Sequence[Row]) -> Cache | None:
    """Read a cache, unless one of its pictures has been replaced by a file of another size.

    A picture that is not there is taken from the cache: a packed cache travels without them.
    """
    if not path.is_file():
        return None
    with np.load(path) as stored:
        now, then = _bytes(rows), stored["bytes"]
        if np.any((now >= 0) & (now != then)):
            return None
        return Cache(stored["pixels"], stored["matrices"], stored["shapes"])


def load(rows: Sequence[Row], size: tuple[int, int], folder: Path) -> Cache:
    """Return the cache of these rows at this size, building it in `folder` if need be.

    Raises:
        ImageError: a picture cannot be read.
    """
    path = _path(rows, size, folder)
    cache = _stored(path, rows)
    if cache is None:
        folder.mkdir(parents=True, exist_ok=True)
        cache = build(rows, size)
        part = path.with_suffix(".part.npz")
        np.savez_compressed(
            part,
            pixels=cache.pixels,
            matrices=cache.matrices,
            shapes=cache.shapes,
            bytes=_bytes(rows),
        )
        part.replace(path)
    return cache
