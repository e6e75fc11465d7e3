"""From tissue to grey: scatterers, point-spread function, envelope, log compression.

Nothing here knows what is being scanned: a `Medium` is any tissue sampled along the beams.

References:
    Wagner RF, Smith SW, Sandrik JM, Lopez H. Statistics of speckle in ultrasound B-scans.
    IEEE Trans Sonics Ultrason 1983;30:156-163.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.phantom.probe import Field, Grid

#: A Gaussian falls to half its height this many standard deviations from the middle.
FWHM_PER_SIGMA = float(2 * np.sqrt(2 * np.log(2)))

#: Shadows deeper than this are filled by sound that goes round the obstacle.
DEEPEST_SHADOW_DB = 24.0

Complex = NDArray[np.complex64]


@dataclass(frozen=True)
class Medium:
    """Tissue along the beams; every array is (R, B).

    `scatter` is the amplitude of the diffuse echo, `mirror` that of the coherent echo of a
    smooth surface (1 is white on the screen), and `loss` the attenuation there and back, in dB
    per mm and MHz.
    """

    scatter: Field
    mirror: Field
    loss: Field


@dataclass(frozen=True)
class Console:
    """How the operator set the machine.

    `tgc` is the attenuation that the gain makes up for, in dB per mm and MHz. It is never quite
    that of the tissue, so depth stays visible in the picture; `gain_db` (R, B) is what the
    sliders add and poor contact takes away. `echoes` holds reverberations: extra path in mm and
    amplitude of each. `looks` pictures with independent speckle are averaged (frequency
    compounding). `gamma` is the exponent of the grey map.
    """

    tgc: float
    gain_db: Field
    echoes: tuple[tuple[float, complex], ...] = ()
    looks: int = 1
    dynamic_range_db: float = 60.0
    gamma: float = 1.0


def amplitude(level_db: Field) -> Field:
    """Return the amplitude of an echo level in dB."""
    return np.asarray(np.power(np.float32(10.0), level_db / np.float32(20.0)))


def transmission_db(medium: Medium, grid: Grid, tgc: float) -> Field:
    """Return the level (R, B) at which each sample is heard, after attenuation and gain.

    The loss is summed along each beam. A beam has a width, and sound passes an obstacle on both
    sides: shadows are blurred across the beams and have a floor.
    """
    path = np.float32(grid.step_mm * grid.probe.frequency_mhz)
    level = -np.cumsum((medium.loss - np.float32(tgc)) * path, axis=0, dtype=np.float32)
    beams_per_degree = (len(grid.angle_rad) - 1) / float(np.degrees(np.ptp(grid.angle_rad)))
    blurred = np.asarray(cv2.GaussianBlur(level, (0, 0), 0.9 * beams_per_degree, sigmaY=0.1))
    floor = np.float32(DEEPEST_SHADOW_DB)
    return np.where(blurred < 0, floor * np.expm1(blurred / floor), blurred).astype(np.float32)


def _sigmas(grid: Grid) -> tuple[float, NDArray[np.float32]]:
    """Standard deviations of the point-spread function in samples, and in beams (R,)."""
    probe = grid.probe
    axial = probe.axial_fwhm_mm / FWHM_PER_SIGMA / grid.step_mm
    beam_mm = (probe.radius_mm + grid.depth_mm) * float(grid.angle_rad[1] - grid.angle_rad[0])
    lateral = probe.lateral_fwhm_mm(grid.depth_mm) / FWHM_PER_SIGMA / beam_mm
    return axial, lateral.astype(np.float32)


def _spread(echo: Complex, axial: float, lateral: NDArray[np.float32]) -> Complex:
    """Convolve with the point-spread function: Gaussian, of another width at every depth."""
    parts = echo.view(np.float32).reshape(*echo.shape, 2)
    blurred = cv2.GaussianBlur(parts, (0, 0), 0.1, sigmaY=axial, borderType=cv2.BORDER_CONSTANT)
    along = np.ascontiguousarray(blurred).view(np.complex64)[..., 0]  # (R, B)
    frequency = np.fft.fftfreq(echo.shape[1]).astype(np.float32)
    transfer = np.exp(-2 * np.square(np.pi * lateral[:, None] * frequency))
    spectrum = np.fft.fft(along, axis=1) * transfer
    return np.fft.ifft(spectrum, axis=1).astype(np.complex64)


def with_echoes(echo: Complex, step_mm: float, console: Console) -> Complex:
    """Add the reverberations: the same echoes again, weaker and deeper."""
    total = echo.copy()
    for path_mm, strength in console.echoes:
        shift = round(path_mm / step_mm)
        if 0 < shift < len(echo):
            total[shift:] += np.complex64(strength) * echo[:-shift]
    return total


def envelope(
    medium: Medium, grid: Grid, console: Console, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the envelope (R, B) of the received echo, before compression.

    Each sample holds many scatterers of random strength and phase, so its sum is a circular
    complex Gaussian; smoothed by the point-spread function, its modulus follows the Rayleigh
    distribution where the tissue is uniform, with mean / standard deviation = 1.91, and the
    Rician one where a smooth surface adds a constant (Wagner et al. 1983). The mean square of
    the speckle is the square of `scatter`, whatever the grid.
    """
    heard = amplitude(transmission_db(medium, grid, console.tgc) + console.gain_db)
    axial, lateral = _sigmas(grid)
    # a Gaussian filter keeps 1 / (2 sqrt(pi) sigma) of the power of white noise, per axis
    power = 4 * np.pi * axial * lateral[:, None]
    diffuse = medium.scatter * heard * np.sqrt(power / 2, dtype=np.float32)
    mirror = medium.mirror * heard
    total = np.zeros(grid.shape, np.float32)
    for _ in range(console.looks):
        noise = rng.standard_normal((*grid.shape, 2), dtype=np.float32)
        echo = noise.view(np.complex64)[..., 0] * diffuse + mirror
        total += np.abs(_spread(with_echoes(echo, grid.step_mm, console), axial, lateral))
    return total / np.float32(console.looks)


def compress(received: NDArray[np.float32], console: Console) -> Field:
    """Turn an envelope into grey, 0 to 255, by the logarithm and the machine's grey map.

    An echo of 1 is white, and one that is weaker by the dynamic range is black.
    """
    level = 1 + 20 * np.log10(np.maximum(received, 1e-9)) / console.dynamic_range_db
    return np.asarray(255 * np.clip(level, 0, 1) ** console.gamma, dtype=np.float32)


def smooth_noise(
    grid: Grid, cell: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return a random field (R, B) of mean 0 and deviation about 1, for tissue that varies.

    `cell` is the size of its lumps: mm along the beams, degrees across.
    """
    span_deg = float(np.degrees(np.ptp(grid.angle_rad)))
    rows = max(4, round(float(grid.depth_mm[-1]) / cell[0]))
    cols = max(4, round(span_deg / cell[1]))
    coarse = rng.standard_normal((rows, cols), dtype=np.float32)
    return np.asarray(
        cv2.resize(coarse, grid.shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )
