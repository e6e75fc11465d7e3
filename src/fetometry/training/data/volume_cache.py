"""Volumes at training scale, all in one file: resampled once, trained on many times.

Volumes differ in shape, so their voxels follow each other in one long row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError
from fetometry.training.data.cache import cache_path, keep, kept
from fetometry.training.data.volumes import VolumeRow


@dataclass(frozen=True)
class VolumeCache:
    """Grey voxels and masks (M,) of all volumes in a row, each volume's shape (N, 3).

    `ends` (N, 2, 3) are (slice, row, col) in cached voxels.
    """

    voxels: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    shapes: NDArray[np.int64]
    ends: NDArray[np.float64]

    def volume(self, position: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return grey voxels and mask (D, H, W) of one volume; no copies."""
        first = int(self.shapes[:position].prod(axis=1).sum())
        shape = tuple(int(length) for length in self.shapes[position])
        part = slice(first, first + int(np.prod(shape)))
        return self.voxels[part].reshape(shape), self.masks[part].reshape(shape)


def build(rows: Sequence[VolumeRow], voxel_mm: float) -> VolumeCache:
    """Read and resample every volume with its mask.

    Raises:
        DataError: a mask has another shape than its volume, or is empty.
        ImageError: a file cannot be read.
    """
    from fetometry.geometry.solid import Box
    from fetometry.image import read_volume
    from fetometry.predict.resample import grid_over, resample

    grey, masks, shapes = [], [], []
    for row in rows:
        volume, mask = read_volume(row.image), read_volume(row.mask)
        if mask.shape != volume.shape:
            raise DataError(f"{row.mask}: its shape {mask.shape} is not the volume's")
        whole = Box((0, 0, 0), volume.shape)
        grid = grid_over(whole, row.spacing_mm, voxel_mm)
        grey.append(resample(volume.voxels, row.spacing_mm, voxel_mm, whole))
        filled = (mask.voxels > 0).astype(np.uint8) * np.uint8(255)
        masks.append(resample(filled, row.spacing_mm, voxel_mm, whole) > 127)
        if not masks[-1].any():
            raise DataError(f"{row.mask}: the mask is empty in voxels of {voxel_mm:g} mm")
        shapes.append(grid.shape)
    return VolumeCache(
        np.concatenate([g.ravel() for g in grey]),
        np.concatenate([m.ravel() for m in masks]),
        np.array(shapes, np.int64),
        _ends(rows, voxel_mm),
    )


def _ends(rows: Sequence[VolumeRow], voxel_mm: float) -> NDArray[np.float64]:
    """Return the ends (N, 2, 3) in cached voxels; a table that was put right is believed at once.

    Voxels of both sizes begin at the outer corner of the first.
    """
    spacing = np.array([row.spacing_mm for row in rows])[:, None]
    return np.asarray((np.array([row.ends for row in rows]) + 0.5) * spacing / voxel_mm - 0.5)


def load(rows: Sequence[VolumeRow], voxel_mm: float, folder: Path) -> VolumeCache:
    """Return the cache of these rows in voxels of this size, building it in `folder` if need be.

    Raises:
        DataError: a mask does not fit its volume.
        ImageError: a file cannot be read.
    """
    path = cache_path("volumes", rows, voxel_mm, folder)
    stored = kept(path, rows)
    if stored is not None:
        known = stored["voxels"], stored["masks"], stored["shapes"]
        return VolumeCache(*known, _ends(rows, voxel_mm))
    folder.mkdir(parents=True, exist_ok=True)
    cache = build(rows, voxel_mm)
    keep(path, rows, voxels=cache.voxels, masks=cache.masks, shapes=cache.shapes)
    return cache
