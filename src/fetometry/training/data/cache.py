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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import Matrix, letterbox
from fetometry.training.data.manifest import Row
from fetometry.training.data.volumes import AnyRow


@dataclass(frozen=True)
class Cache:
    """Pictures (N, H, W), and for each its source's shape (N, 2) and the map (N, 2, 3) from it."""

    pixels: NDArray[np.uint8]
    matrices: Matrix
    shapes: NDArray[np.int64]


def cache_path(kind: str, rows: Sequence[AnyRow], scale: object, folder: Path) -> Path:
    """Return where the cache of these rows at a scale is kept."""
    names = [(row.dataset, row.image.name) for row in rows]
    key = hashlib.sha256(json.dumps([names, scale]).encode()).hexdigest()[:16]
    return folder / f"{kind}-{key}.npz"


def _bytes(rows: Sequence[AnyRow]) -> NDArray[np.int64]:
    """Return how large each row's file is; -1 where it is not there."""
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


def kept(path: Path, rows: Sequence[AnyRow]) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of a cache, unless a row's file was replaced by one of another size.

    A file that is not there is taken from the cache: a packed cache travels without them.
    """
    if not path.is_file():
        return None
    with np.load(path) as stored:
        now, then = _bytes(rows), stored["bytes"]
        if np.any((now >= 0) & (now != then)):
            return None
        return {name: stored[name] for name in stored.files}


def keep(path: Path, rows: Sequence[AnyRow], **arrays: NDArray[Any]) -> None:
    """Write arrays as the cache of these rows; a cache that is there is whole."""
    part = path.with_suffix(".part.npz")
    everything: dict[str, Any] = {**arrays, "bytes": _bytes(rows)}
    np.savez_compressed(part, **everything)
    part.replace(path)


def load(rows: Sequence[Row], size: tuple[int, int], folder: Path) -> Cache:
    """Return the cache of these rows at this size, building it in `folder` if need be.

    Raises:
        ImageError: a picture cannot be read.
    """
    path = cache_path("cache", rows, size, folder)
    stored = kept(path, rows)
    if stored is not None:
        return Cache(stored["pixels"], stored["matrices"], stored["shapes"])
    folder.mkdir(parents=True, exist_ok=True)
    cache = build(rows, size)
    keep(path, rows, pixels=cache.pixels, matrices=cache.matrices, shapes=cache.shapes)
    return cache
