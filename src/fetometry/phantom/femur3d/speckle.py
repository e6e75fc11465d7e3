"""From tissue to the envelope in three dimensions; grey comes from `phantom.speckle.compress`.

As in a picture, with a third axis across the planes. Nothing here knows what is being scanned.

References:
    Wagner RF, Smith SW, Sandrik JM, Lopez H. Statistics of speckle in ultrasound B-scans.
    IEEE Trans Sonics Ultrason 1983;30:156-163.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from fetometry.phantom.femur3d.probe import Shape3, SweptGrid
from fetometry.phantom.probe import Field
from fetometry.phantom.speckle import (
    DEEPEST_SHADOW_DB,
    FWHM_PER_SIGMA,
    Complex,
    Console,
    Medium,
    amplitude,
    with_echoes,
)

#: Samples along the beams that are filtered across the planes at a time, to bound the memory.
CHUNK = 32

#: No soft tissue loses more, there and back, in dB per mm and MHz.
SOFT_LOSS = 0.2

#: A shadow is blurred by so many degrees, for a beam has a width.
SHADOW_BLUR_DEG = 0.9


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def transmission_db(loss: Field, grid: SweptGrid, tgc: float) -> Field:
    """Return the level (P, R, B) at which each sample is heard, after attenuation and gain.

    `loss` is in dB there and back per mm and MHz, and `tgc` what the gain makes up for. Both are
    summed along each beam. What bone takes more than soft tissue could is a shadow: it has a
    floor, for sound goes round. A beam has a width, so levels are blurred across.
    """
    path = np.float32(grid.step_mm * grid.probe.array.frequency_mhz)
    floor, most = np.float32(DEEPEST_SHADOW_DB), np.float32(SOFT_LOSS)
    across, along = (float(np.radians(SHADOW_BLUR_DEG)) / step for step in grid.steps_rad)
    level = np.empty(grid.shape, np.float32)
    for plane, lost in enumerate(loss):
        soft = np.cumsum(np.minimum(lost, most) - np.float32(tgc), axis=0, dtype=np.float32)
        hard = np.cumsum(np.maximum(lost - most, 0), axis=0, dtype=np.float32)
        heard = floor * np.expm1(-path / floor * hard) - path * soft
        level[plane] = cv2.GaussianBlur(heard, (0, 0), along, sigmaY=0.1)
    for rows in _chunks(grid.shape[1]):
        flat = level[:, rows].reshape(grid.shape[0], -1)
        blurred = np.asarray(cv2.GaussianBlur(flat, (0, 0), 0.1, sigmaY=across), np.float32)
        level[:, rows] = blurred.reshape(level[:, rows].shape)
    return level


def sigmas(grid: SweptGrid) -> tuple[Field, float, Field]:
    """Standard deviations of the point-spread function: in planes (R,), samples and beams (R,)."""
    probe, depth = grid.probe, grid.depth_mm
    across, along = grid.steps_rad
    plane_mm = (probe.sweep_radius_mm + depth) * across
    beam_mm = (probe.array.radius_mm + depth) * along
    elevation = probe.elevation_fwhm_mm(depth) / FWHM_PER_SIGMA / plane_mm
    lateral = probe.array.lateral_fwhm_mm(depth) / FWHM_PER_SIGMA / beam_mm
    axial = probe.array.axial_fwhm_mm / FWHM_PER_SIGMA / grid.step_mm
    return elevation.astype(np.float32), axial, lateral.astype(np.float32)


def _transfer(sigma: Field, count: int) -> Field:
    """Return the transfer function (R, count) of Gaussians of these deviations (R,)."""
    frequency = np.fft.fftfreq(count).astype(np.float32)
    response = np.exp(-2 * np.square(np.pi * sigma[:, None] * frequency))
    return np.asarray(response, np.float32)


def _in_plane(echo: Complex, axial: float, transfer: Field) -> Complex:
    """Convolve a plane (R, B) along and across its beams."""
    parts = np.ascontiguousarray(echo).view(np.float32).reshape(*echo.shape, 2)
    blurred = cv2.GaussianBlur(parts, (0, 0), 0.1, sigmaY=axial, borderType=cv2.BORDER_CONSTANT)
    along = np.ascontiguousarray(blurred).view(np.complex64)[..., 0]
    return np.asarray(np.fft.ifft(np.fft.fft(along, axis=1) * transfer, axis=1), np.complex64)


def envelope(medium: Medium, grid: SweptGrid, console: Console, rng: np.random.Generator) -> Field:
    """Return the envelope (P, R, B) of the received echo, before compression.

    The arrays of the medium are (P, R, B). The echo of many scatterers is a circular complex
    Gaussian: where the tissue is uniform its modulus follows the Rayleigh distribution, with
    mean / standard deviation = 1.91, and its mean square is the square of `scatter` (Wagner et
    al. 1983). The point-spread function is Gaussian along each axis, of another width at every
    depth.
    """
    elevation, axial, lateral = sigmas(grid)
    # a Gaussian filter keeps 1 / (2 sqrt(pi) sigma) of the power of white noise, per axis
    power = (8 * np.pi**1.5 * axial * elevation * lateral)[:, None]
    strength = np.sqrt(power / 2, dtype=np.float32)
    heard = transmission_db(medium.loss, grid, console.tgc)
    heard += console.gain_db
    within, across = _transfer(lateral, grid.shape[2]), _transfer(elevation, grid.shape[0]).T
    total = np.zeros(grid.shape, np.float32)
    for _ in range(console.looks):
        echo = np.empty(grid.shape, np.complex64)
        for plane in range(grid.shape[0]):
            noise = rng.standard_normal((*grid.shape[1:], 2), dtype=np.float32)
            diffuse = noise.view(np.complex64)[..., 0] * medium.scatter[plane] * strength
            received = (diffuse + medium.mirror[plane]) * amplitude(heard[plane])
            echo[plane] = _in_plane(with_echoes(received, grid.step_mm, console), axial, within)
        for rows in _chunks(grid.shape[1]):
            spectrum = np.fft.fft(echo[:, rows], axis=0) * across[:, rows, None]
            received = np.fft.ifft(spectrum, axis=0)
            total[:, rows] += np.sqrt(np.square(received.real) + np.square(received.imag))
    total /= np.float32(console.looks)
    return total


def coarse_noise(shape: Shape3, rng: np.random.Generator) -> Field:
    """Return white noise of that many nodes, for `noise_plane` to spread over a grid."""
    return rng.standard_normal(shape, dtype=np.float32)


def noise_plane(coarse: Field, grid: SweptGrid, plane: int) -> Field:
    """Return one plane (R, B) of the smooth field whose nodes, evenly over the grid, are given."""
    at = plane / max(grid.shape[0] - 1, 1) * (len(coarse) - 1)
    first = min(int(at), len(coarse) - 2)
    share = np.float32(at - first)
    # linear blending between nodes would weaken the field half way; this keeps its variance
    weight = np.hypot(1 - share, share)
    nodes = ((1 - share) * coarse[first] + share * coarse[first + 1]) / weight
    size = (grid.shape[2], grid.shape[1])
    return np.asarray(cv2.resize(nodes, size, interpolation=cv2.INTER_CUBIC), np.float32)
