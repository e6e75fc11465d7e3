"""Losses of maps that several heads share, image by image."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def rows_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross-entropy (B,) of maps (B, 1, h, w)."""
    bce = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return bce.mean(dim=(1, 2, 3))


def squared_dice_loss(soft: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Dice (B,) of soft masks (B, 1, h, w), with squared sums below.

    References:
        Milletari F, Navab N, Ahmadi SA. V-Net. 3DV 2016, 565-571.
    """
    overlap = (soft * target).sum(dim=(1, 2, 3))
    below = (soft.square() + target.square()).sum(dim=(1, 2, 3))
    return 1 - (2 * overlap + 1) / (below + 1)


def circumference(a: Tensor, b: Tensor) -> Tensor:
    """Return the circumferences (B,) of ellipses of semi-axes (B,).

    References:
        Ramanujan S. Modular equations and approximations to pi. Quart J Math 1914;45:350-372
        (his second formula; off by less than 1e-6 for every head).
    """
    h = ((a - b) / (a + b)).square()
    around: Tensor = math.pi * (a + b) * (1 + 3 * h / (10 + (4 - 3 * h).sqrt()))
    return around


def log_size(soft: Tensor) -> Tensor:
    """Return log semi-axes and log circumference (B, 3) of soft masks, by their area moments.

    A filled ellipse has the second moments a^2 / 4 and b^2 / 4 along its axes.
    """
    rows = torch.arange(soft.shape[-2], device=soft.device, dtype=soft.dtype)[:, None]
    cols = torch.arange(soft.shape[-1], device=soft.device, dtype=soft.dtype)[None, :]
    mass = soft[:, 0] / soft[:, 0].sum(dim=(1, 2), keepdim=True).clamp(min=1e-3)  # (B, h, w)

    def mean(values: Tensor) -> Tensor:
        return (mass * values).sum(dim=(1, 2))

    row, col = mean(rows), mean(cols)
    rr = mean((rows - row[:, None, None]) ** 2)
    cc = mean((cols - col[:, None, None]) ** 2)
    rc = mean((rows - row[:, None, None]) * (cols - col[:, None, None]))
    middle, spread = (rr + cc) / 2, (((rr - cc) / 2) ** 2 + rc**2 + 1e-6).sqrt()
    a, b = (2 * value.clamp(min=1e-2).sqrt() for value in (middle + spread, middle - spread))
    around = circumference(a, b)
    return torch.stack([a.log(), b.log(), around.log()], dim=1)
