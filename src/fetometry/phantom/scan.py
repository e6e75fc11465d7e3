"""An ultrasound machine: from tissue to the picture on its screen."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.phantom.anatomy.tissue import TISSUE_LOSS
from fetometry.phantom.probe import Field, Grid, Probe, Screen
from fetometry.phantom.speckle import Console, Medium, compress, envelope


def _probe(screen: Screen, rng: np.random.Generator) -> Probe:
    """Put an abdominal probe above the picture, as wide and as deep as the picture asks."""
    height, width = screen.size_mm
    radius, face_row = 60.0, rng.uniform(0.02, 0.05) * height
    # the sides of the sector leave the picture at 0.5 to 0.65 of its height
    leave = radius + rng.uniform(0.5, 0.65) * height
    return Probe(
        face_mm=(face_row, screen.center_mm[1] + rng.normal(0, 0.02) * width),
        radius_mm=radius,
        half_angle_deg=float(np.degrees(np.arctan2(width / 2, leave))),
        depth_mm=1.08 * height,
        focus_mm=0.55 * height,
        focal_zone_mm=0.6 * height,
        frequency_mhz=float(np.clip(3.5 * (100 / height) ** 0.9, 1.5, 10.0)),
    )


def _console(grid: Grid, rng: np.random.Generator) -> Console:
    """Set the machine like a sonographer in a hurry."""
    depth = grid.depth_mm / grid.depth_mm[-1]
    sliders = np.interp(depth, np.linspace(0, 1, 6), rng.normal(0, 1.2, 6))
    side = grid.angle_rad / np.radians(grid.probe.half_angle_deg)
    contact = np.interp(side, np.linspace(-1, 1, 12), rng.normal(0, 1.0, 12)) - 6 * side**4
    paths = rng.uniform(0.04, 0.45, 9) * grid.depth_mm[-1]
    strengths = 10 ** (rng.uniform(-37, -28, 9) / 20) * np.exp(2j * np.pi * rng.random(9))
    return Console(
        tgc=0.9 * TISSUE_LOSS,
        gain_db=(sliders[:, None] + contact).astype(np.float32),
        echoes=tuple(zip(paths.tolist(), strengths.tolist(), strict=True)),
        looks=3,
        gamma=1.8,
    )


def _ruler(picture: Field, screen: Screen, face_row_mm: float) -> None:
    """Draw the depth ruler at the left edge: a tick every 10 mm, a longer one every 50 mm.

    A tick is as bright in two neighbouring rows as it is close to each: its centroid is exact.
    """
    unit = max(2, screen.shape[1] // 130)
    for number in range(int((screen.size_mm[0] - face_row_mm) // 10) + 1):
        row = (face_row_mm + 10 * number) / screen.spacing_mm[0]
        first = int(row)
        length = 2 * unit if number % 5 == 0 else unit
        for line, share in ((first, first + 1 - row), (first + 1, row - first)):
            if line < screen.shape[0]:
                tick = picture[line, unit : unit + length]
                np.maximum(tick, np.float32(220 * share), out=tick)


def _label(pixels: NDArray[np.uint8]) -> None:
    """Write on it what it is, in the corner that no beam reaches."""
    size = pixels.shape[1] / 1800
    place = (round(44 * size), round(40 * size))
    cv2.putText(pixels, "PHANTOM", place, cv2.FONT_HERSHEY_SIMPLEX, size, 140, 1, cv2.LINE_AA)


def scan(
    screen: Screen, seed: int, medium: Callable[[Grid, np.random.Generator], Medium]
) -> NDArray[np.uint8]:
    """Lay the tissue, receive its echoes, draw the picture (H, W) with its ruler and its label.

    `medium` lays the tissue in the sector that is scanned. The same seed gives the same bytes.
    """
    rng = np.random.default_rng(seed)
    grid = _probe(screen, rng).grid()
    console = _console(grid, rng)
    grey = compress(envelope(medium(grid, rng), grid, console, rng), console)
    picture = grid.scan_convert(grey, screen) * grid.sector(screen)
    _ruler(picture, screen, grid.probe.face_mm[0])
    pixels = np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.uint8)
    _label(pixels)
    return pixels
