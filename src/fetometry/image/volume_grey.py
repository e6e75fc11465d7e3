"""Voxels of any kind → grey uint8, and the volumes that are not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError

#: More voxels than any ultrasound machine makes; what is larger is refused before it is read.
MAX_VOXELS = 300_000_000


def check_voxels(shape: tuple[int, int, int], source: str) -> None:
    """Refuse a volume (slices, rows, cols) that is one picture, or has more than `MAX_VOXELS`.

    Raises:
        ImageError: it is too thin or too large.
    """
    slices, rows, cols = shape
    if min(shape) < 2:
        raise ImageError(
            f"{source}: {slices} slices x {rows} rows x {cols} columns: a picture, not a volume: "
            "save it as PNG or DICOM and measure it as an image"
        )
    if slices * rows * cols > MAX_VOXELS:
        raise ImageError(
            f"{source}: {slices} slices x {rows} rows x {cols} columns; at most "
            f"{MAX_VOXELS // 1_000_000} million voxels are read: crop it"
        )


def to_grey_voxels(voxels: NDArray[Any], source: str) -> NDArray[np.uint8]:
    """Return a new (D, H, W) uint8 array of voxels (D, H, W) of any type of number.

    uint8 is kept. Any other type is scaled linearly so that the volume's own lowest value becomes
    0 and its highest 255, as `grey.to_grey` does for pictures: how many of its bits are in use is
    seldom recorded. One slice at a time, so that no copy of the volume is ever in floats.

    Raises:
        ImageError: a value is not finite, or all values are the same.
    """
    low, high = float(voxels.min()), float(voxels.max())
    if not np.isfinite([low, high]).all():
        raise ImageError(f"{source}: voxels hold NaN or infinity: replace them before measuring")
    if low == high:
        raise ImageError(f"{source}: the volume is one shade all over: nothing to measure")
    if voxels.dtype == np.uint8:
        return np.array(voxels, order="C")
    grey = np.empty(voxels.shape, np.uint8)
    for number, plane in enumerate(voxels):
        grey[number] = np.rint((plane.astype(np.float64) - low) * (255 / (high - low)))
    return grey
