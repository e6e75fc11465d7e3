"""The letterbox: a source image on a network's canvas, and nothing else knows how."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.geometry import compose, letterbox


def to_canvas(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw grey pixels (H, W) on a canvas of another size, aspect ratio kept, black around.

    Pixels land where `geometry.letterbox` says. Shrinking averages over areas, so that fine
    speckle does not alias.
    """
    shape = (pixels.shape[0], pixels.shape[1])
    matrix = letterbox(shape, size)
    scale = float(matrix[0, 0])
    blurred = pixels
    if scale < 1:
        # area-average to the nearest whole size first; the remaining shift is below a pixel
        inner = (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))
        blurred = np.asarray(
            cv2.resize(pixels, (inner[1], inner[0]), interpolation=cv2.INTER_AREA), np.uint8
        )
        rows, cols = inner[0] / shape[0], inner[1] / shape[1]
        # source -> shrunk: r' = rows * (r + 0.5) - 0.5; compose its inverse with the letterbox
        back = np.array([[1 / rows, 0, 0.5 / rows - 0.5], [0, 1 / cols, 0.5 / cols - 0.5]])
        matrix = compose(matrix, back)
    # OpenCV's maps are (x, y)
    flipped = matrix[::-1][:, [1, 0, 2]]
    return np.asarray(
        cv2.warpAffine(blurred, flipped, (size[1], size[0]), flags=cv2.INTER_LINEAR), np.uint8
    )
