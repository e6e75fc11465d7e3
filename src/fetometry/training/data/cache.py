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

from fetometry.errors import DataError
from fetometry.geometry import Matrix, letterbox
from fetometry.training.data.manifest import Row


@dataclass(frozen=True)
class Cache:
    """Pictures (N, H, W), and for each its source's shape (N, 2) and the map (N, 2, 3) from it."""

    pixels: NDArray[np.uint8]
    matrices: Matrix
    shapes: NDArray[np.int64]


def _key(rows: Sequence[Row], size: tuple[int, int]) -> str:
    names = [(row.image.name, row.image.stat().st_size) for row in rows]
    return hashlib.sha256(json.dumps([names, size]).encode()).hexdigest()[:16]


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


def load(rows: Sequence[Row], size: tuple[int, int], folder: Path) -> Cache:
    """Return the cache of these rows at this size, building it in `folder` if need be.

    Raises:
        DataError: a packed cache has another number of pictures than the manifest.
    """
    path = folder / f"cache-{_key(rows, size)}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        made = build(rows, size)
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, pixels=made.pixels, matrices=made.matrices, shapes=made.shapes)
        part.replace(path)
    with np.load(path) as stored:
        cache = Cache(stored["pixels"], stored["matrices"], stored["shapes"])
    if len(cache.pixels) != len(rows):
        raise DataError(f"{path}: holds {len(cache.pixels)} pictures, the manifest {len(rows)}")
    return cache
