"""Pixels of any kind → grey uint8, and the pictures that hold nothing to measure."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fetometry.errors import ImageError
from fetometry.types import Image

#: More pixels than any ultrasound machine makes; what is larger is refused before it is decoded.
MAX_PIXELS = 64_000_000

#: An 8-bit picture with fewer grey levels than this from darkest to brightest is empty.
BLANK_LEVELS = 4

#: ITU-R BT.601 luma of R, G, B: the weights of OpenCV's RGB2GRAY, for types that it does not take.
LUMA = np.array([0.299, 0.587, 0.114])

#: A pixel is coloured when its channels differ by more than this (of 255).
COLOURED = 20

#: A photograph is coloured over more than this share. A Doppler box was seen to reach 0.18.
PHOTO_SHARE = 1 / 3

#: Pixels that are looked at for colour.
PHOTO_SAMPLE = 20_000

#: Mean resultant length of the hues of the coloured pixels: 1 is one hue. One-tint maps lie above
#: 0.97 however much they colour, photographs below 0.9.
PHOTO_HUES = 0.9


def check_size(shape: tuple[int, int], source: str) -> None:
    """Refuse an image (rows, cols) without pixels, or with more than `MAX_PIXELS`.

    Raises:
        ImageError: it is too small or too large.
    """
    rows, cols = shape
    if rows < 1 or cols < 1:
        raise ImageError(f"{source}: the image is {rows} rows x {cols} columns: it has no pixels")
    if rows * cols > MAX_PIXELS:
        raise ImageError(
            f"{source}: the image is {rows} rows x {cols} columns; at most "
            f"{MAX_PIXELS // 1_000_000} megapixels are read: crop it"
        )


def _luma(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.ndim == 2:
        return pixels
    rgb = pixels[..., :3]
    if rgb.dtype in (np.uint8, np.uint16):
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY))
    return np.asarray(rgb.astype(np.float64) @ LUMA)


def to_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return (H, W) uint8 of grey (H, W) or RGB (H, W, 3) pixels; a fourth channel is dropped.

    8-bit values are kept. Any other type is scaled linearly so that the image's own darkest
    value becomes 0 and its brightest 255: how many of its bits are in use is seldom recorded.
    """
    plane = _luma(pixels)
    if plane.dtype == np.uint8:
        return np.ascontiguousarray(plane)
    low, high = float(plane.min()), float(plane.max())
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((plane.astype(np.float64) - low) * scale).astype(np.uint8)


def refuse_blank(grey: NDArray[np.uint8], source: str) -> None:
    """Refuse an image that is black, or one shade, all over.

    Raises:
        ImageError: there is nothing in it to measure.
    """
    if int(grey.max()) - int(grey.min()) < BLANK_LEVELS:
        raise ImageError(f"{source}: the image is black or one shade all over: nothing to measure")


def refuse_photograph(pixels: NDArray[Any], source: str) -> None:
    """Refuse RGB pixels (H, W, 3) whose colours are many and cover much of the image.

    Ultrasound is grey or of one tint, with callipers, text and perhaps a Doppler box in colour.

    Raises:
        ImageError: it looks like a colour photograph.
    """
    if pixels.ndim == 2:
        return
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // PHOTO_SAMPLE))
    sample = pixels[::step, ::step, :3]
    if pixels.dtype != np.uint8:
        sample = sample * (255 / max(float(sample.max()), 1e-12))
    red, green, blue = (np.ascontiguousarray(sample[..., k], np.float32) for k in range(3))
    chroma = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    coloured = chroma > COLOURED
    share = float(coloured.mean())
    if share <= PHOTO_SHARE:
        return
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    hue = (red - luma + 1j * (blue - luma))[coloured]  # (N,), an angle in the plane of (Cr, Cb)
    if abs(np.mean(hue / abs(hue))) < PHOTO_HUES:
        raise ImageError(
            f"{source}: it looks like a colour photograph ({share:.0%} of it is coloured, "
            "in many hues), not ultrasound"
        )


def measurable(pixels: NDArray[Any], source: str) -> NDArray[np.uint8]:
    """Return the grey of an image that stands alone.

    Raises:
        ImageError: it is empty or a colour photograph.
    """
    grey = to_grey(pixels)
    refuse_blank(grey, source)
    refuse_photograph(pixels, source)
    return grey


def from_array(pixels: ArrayLike, *, source: str = "array") -> Image:
    """Build an image from grey (H, W) or RGB (H, W, 3), RGBA (H, W, 4) pixels.

    They are uint8, uint16 or float; `to_grey` says how they become 8 bits. Alpha is dropped.

    Raises:
        ImageError: another shape or type, a value that is not finite, nothing to measure.
    """
    array = np.asarray(pixels)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(
            f"{source}: pixels must be (H, W), (H, W, 3) or (H, W, 4), got {array.shape}"
        )
    floating = np.issubdtype(array.dtype, np.floating)
    if not floating and array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{source}: pixels must be uint8, uint16 or float, got {array.dtype}")
    check_size((array.shape[0], array.shape[1]), source)
    if floating and not np.isfinite(array).all():
        raise ImageError(f"{source}: pixels hold NaN or infinity: replace them before measuring")
    grey = measurable(array, source)
    # a noun is frozen: later changes to the caller's array must not reach it
    own = grey.copy() if np.shares_memory(grey, array) else grey
    return Image(own, source, spacing_problem="an array does not say how large a pixel is")
