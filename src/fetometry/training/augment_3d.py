"""Augmentation of volumes: one affine map a window, applied once, on the training device.

A window (d, h, w) of a cached volume (D, H, W) is sampled under a map; mask and ends follow it.
Points are (slice, row, col) in voxels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.training import augment
from fetometry.training.recipe import Augment


def plain_map(center: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return the map (3, 4) from a volume to a window about a centre (3,), nothing changed."""
    middle = (torch.tensor(size, dtype=torch.float32) - 1) / 2
    return torch.cat([torch.eye(3), (middle - center)[:, None]], dim=1)


def random_map(
    box: Tensor, size: tuple[int, ...], changes: Augment, rng: torch.Generator
) -> Tensor:
    """Return a random map (3, 4) from a volume to a window that lies somewhere on a box (2, 3).

    It is turned about any axis, scaled, mirrored across the slices and columns (`flip`) or the
    columns (`mirror`), but never along the rows, which the sound goes down, and moved: as far as
    the box is larger than the window, and by `shift` of the window.
    """

    def uniform(count: int) -> Tensor:
        return 2 * torch.rand(count, generator=rng) - 1

    axis = torch.randn(3, generator=rng)
    angle = math.radians(changes.rotate_deg) * float(uniform(1))
    low, high = (math.log(factor) for factor in changes.scale)
    zoom = math.exp((low + high) / 2 + (high - low) / 2 * float(uniform(1)))
    linear = zoom * _rotation(axis / axis.norm().clamp(min=1e-6), angle)
    sides = torch.randint(0, 2, (3,), generator=rng)
    mirrored = torch.ones(3)
    if changes.flip:
        mirrored[0] -= 2.0 * sides[0]
    if changes.flip or changes.mirror:
        mirrored[2] -= 2.0 * sides[2]
    linear = linear * mirrored
    extent = torch.tensor(size, dtype=torch.float32)
    slack = (zoom * (box[1] - box[0]) - extent).clamp(min=0) / 2 + changes.shift * extent
    middle = (extent - 1) / 2 + slack * uniform(3)
    center = (box[0] + box[1] - 1) / 2
    return torch.cat([linear, (middle - linear @ center)[:, None]], dim=1)


def _rotation(axis: Tensor, angle: float) -> Tensor:
    """Return the rotation (3, 3) about an axis of length 1 (Rodrigues' formula)."""
    x, y, z = axis.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)


def mapped(points: Tensor, matrix: Tensor) -> Tensor:
    """Return points (N, 3) under a map (3, 4)."""
    moved: Tensor = points @ matrix[:, :3].T + matrix[:, 3]
    return moved


def warp(volume: Tensor, matrix: Tensor, size: tuple[int, ...]) -> Tensor:
    """Sample a volume (C, D, H, W) under a map (3, 4) into (C, d, h, w), linearly; 0 outside."""
    inverse = torch.linalg.inv(matrix[:, :3])
    along = [torch.arange(n, dtype=matrix.dtype, device=matrix.device) for n in size]
    window = torch.stack(torch.meshgrid(*along, indexing="ij"), dim=-1)  # (d, h, w, 3)
    source = (window - matrix[:, 3]) @ inverse.T
    extent = torch.tensor(volume.shape[1:], dtype=matrix.dtype, device=matrix.device)
    # grid_sample takes (x, y, z) in -1..1 from edge to edge of the volume
    normal = ((2 * source + 1) / extent - 1).flip(-1)
    sampled = functional.grid_sample(
        volume[None].to(matrix.dtype), normal[None], mode="bilinear", align_corners=False
    )
    return sampled[0]


def photometric(grey: Tensor, changes: Augment, rng: torch.Generator) -> Tensor:
    """Change gamma, gain and noise of windows (B, 1, d, h, w) in 0 to 255."""
    flat = grey.flatten(3)  # gamma, gain and noise do not know of neighbours
    return augment.photometric(flat, changes, rng).view_as(grey)
