"""Masks as others write and read them: label images out, label, binary or soft masks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError
from fetometry.geometry import Outline
from fetometry.training.data import Row
from fetometry.training.data.manifest import Ends
from fetometry.types import PLANES

#: The value of each plane's structure in a label image; 0 is the background.
LABELS: Mapping[str, int] = {plane: number for number, plane in enumerate(PLANES, start=1)}

#: The bar that stands for a femur: so many times its length wide, and at least so many pixels,
#: as `ShaftHead` draws it.
BAR_WIDTH, BAR_LEAST_PX = 0.09, 7.0

#: Logits of a pixel that is surely inside. A hard mask is this or its negative, so that its
#: outline runs half way between pixel centres, where a mask of pixel centres has its edge on
#: average.
SURE = 8.0

#: A femur's ends are the extremes of its outline, which the steps of a hard mask carry outwards,
#: by 0.8 pixels of length on bars of any direction; smoothed by so many pixels, by 0.4. More would
#: eat up masks that are three pixels wide.
FEMUR_SMOOTHING_PX = 1.0

Level = NDArray[np.float32]


def bar(ends: Ends, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (H, W) mask of a femur: a bar between its ends, cut off square."""
    one, other = np.array(ends)
    length = float(np.linalg.norm(other - one))
    along = (other - one) / length
    across = np.array([-along[1], along[0]])
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    grid = np.stack([rows, cols], axis=-1) - (one + other) / 2
    width = max(BAR_WIDTH * length, BAR_LEAST_PX)
    return np.asarray((np.abs(grid @ along) <= length / 2) & (np.abs(grid @ across) <= width / 2))


def label_image(row: Row, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the truth of an image of a shape (H, W) as labels: its ellipse filled, or its bar.

    Raises:
        DataError: there is no truth to draw.
    """
    if row.plane == "femur" and row.ends is not None:
        inside = bar(row.ends, shape)
    elif row.ellipse is not None:
        inside = row.ellipse.mask(shape)
    else:
        raise DataError(f"{row.image}: only its plane is known, there is nothing to draw")
    return np.where(inside, LABELS[row.plane], 0).astype(np.uint8)


def read_mask(path: Path) -> NDArray[Any]:
    """Read a mask as it is stored, one channel (H, W).

    Raises:
        DataError: it is no image, or in colour.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"{path}: the mask cannot be read; write it as an 8-bit PNG")
    if pixels.ndim == 3:
        colours = pixels[..., :3]
        if np.any(colours != colours[..., :1]):
            raise DataError(
                f"{path}: the mask is in colour; write one channel: 0 and 255, probabilities "
                "from 0 to 255, or labels"
            )
        pixels = colours[..., 0]
    return np.asarray(pixels)


def are_labels(values: NDArray[Any]) -> bool:
    """Tell whether values of masks are labels of planes; 0 and 1 alone are a binary mask."""
    largest = max(LABELS.values())
    return values.dtype.kind in "iu" and 1 < values.max(initial=0) <= largest


def level_of(values: NDArray[Any], plane: str) -> Level:
    """Return a binary or a soft mask (H, W) of a plane's structure as logits (1, H, W).

    Of two values the larger one is inside. More than two are probabilities: from 0 to the largest
    number that the file's type holds, or from 0 to 1 in a file of fractions; half is the edge.
    """
    if len(np.unique(values)) <= 2:
        inside = (values > 0).astype(np.float32)
        if plane == "femur":
            size = (0, 0)  # as large as the smoothing needs
            inside = cv2.GaussianBlur(
                inside, size, FEMUR_SMOOTHING_PX, borderType=cv2.BORDER_REPLICATE
            ).astype(np.float32)
        return SURE * (2 * inside - 1)[None]
    full = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    share = np.clip(values / full, 1e-6, 1 - 1e-6)
    return np.clip(np.log(share / (1 - share)), -SURE, SURE).astype(np.float32)[None]


def label_levels(values: NDArray[Any]) -> dict[str, Level]:
    """Return labels (H, W) as logits (1, H, W) of each plane's structure."""
    return {plane: level_of(values == number, plane) for plane, number in LABELS.items()}


def label_plane(values: NDArray[Any]) -> str | None:
    """Return the plane whose label most pixels have; None where there are none."""
    counts = {plane: int(np.count_nonzero(values == n)) for plane, n in LABELS.items()}
    largest = max(counts, key=lambda plane: counts[plane])
    return largest if counts[largest] else None


def drawn_line(values: NDArray[Any]) -> Outline | None:
    """Return the outline of a mask that is a drawn line, as HC18's annotations are, else None.

    A line of at most two pixels' width nowhere covers three by three of them. It runs through the
    centres of its pixels: the edge of the filled line would be 0.7 mm too large in HC18.
    """
    inside = (values > 0).astype(np.uint8)
    if not inside.any() or cv2.erode(inside, np.ones((3, 3), np.uint8)).any():
        return None
    points = np.argwhere(inside).astype(np.float64)
    away = points - points.mean(axis=0)
    return Outline(points[np.argsort(np.arctan2(away[:, 0], away[:, 1]))], 1)


@dataclass(frozen=True)
class Drawing:
    """A mask file of an image of a shape (H, W): its values, and whether they are labels."""

    values: NDArray[Any]
    labelled: bool

    @classmethod
    def read(cls, path: Path, shape: tuple[int, int], *, labelled: bool) -> Drawing:
        """Read a mask of an image.

        Raises:
            DataError: it cannot be read, or is not of the image's size.
        """
        values = read_mask(path)
        if values.shape != shape:
            raise DataError(
                f"{path}: the mask is {values.shape[1]} x {values.shape[0]} pixels, its image "
                f"{shape[1]} x {shape[0]}; bring masks back to the size of the images"
            )
        return cls(values, labelled)

    @property
    def line(self) -> Outline | None:
        """The outline, where one is drawn instead of a mask."""
        return None if self.labelled else drawn_line(self.values)
