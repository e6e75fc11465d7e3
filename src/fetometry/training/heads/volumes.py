"""Losses of a mask and two end points in a volume, and the drawing of the latter.

Points are (slice, row, col) in voxels; the centre of the first voxel is (0, 0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.errors import RecipeError
from fetometry.training.heads.losses import squared_dice_loss
from fetometry.training.nets import Output


@dataclass(frozen=True)
class VolumeTruth:
    """What is known of a batch: masks (B, 1, d, h, w) of 0 and 1, ends (B, 2, 3) in voxels."""

    mask: Tensor
    ends: Tensor

    def to(self, device: torch.device) -> VolumeTruth:
        """Return the truth on a device."""
        return VolumeTruth(self.mask.to(device), self.ends.to(device))

    def within(self) -> Tensor:
        """Tell (B,) in which volumes both ends lie: a window may have cut one off."""
        last = torch.tensor(self.mask.shape[2:], device=self.ends.device) - 1
        return ((self.ends >= 0) & (self.ends <= last)).all(dim=2).all(dim=1)


def draw_heatmaps(ends: Tensor, sigma_voxels: float, shape: tuple[int, int, int]) -> Tensor:
    """Draw each of the points (B, N, 3) as a Gaussian with a peak of 1 on its map (B, N, d, h, w).

    A point need not lie within the shape: its Gaussian reaches in.
    """
    along = []
    for axis, length in enumerate(shape):
        steps = torch.arange(length, device=ends.device, dtype=ends.dtype)
        away = (steps - ends[..., axis, None]) / sigma_voxels  # (B, N, length)
        along.append(torch.exp(-away.square() / 2))
    return torch.einsum("bnd,bnh,bnw->bndhw", *along)


def soft_argmax_3d(heatmaps: Tensor, sharpness: float) -> Tensor:
    """Return where the maps (B, N, d, h, w) are highest, (B, N, 3) in voxels, with a gradient.

    It is the mean position under softmax(sharpness * map). All voxels of a large map together
    count exp(-sharpness) times the peak each, so that the sharpness must exceed the logarithm of
    their number, 14 for a million and a half; far more, and only the highest voxel is left.
    """
    shape = heatmaps.shape[2:]
    share = torch.softmax(sharpness * heatmaps.flatten(2), dim=2).view_as(heatmaps)
    axes = {2: (3, 4), 3: (2, 4), 4: (2, 3)}
    means = [
        share.sum(dim=others) @ torch.arange(shape[i], device=share.device, dtype=share.dtype)
        for i, others in enumerate(axes.values())
    ]
    return torch.stack(means, dim=2)


def hard_argmax_3d(heatmaps: Tensor) -> Tensor:
    """Return the highest voxel (B, N, 3) of maps (B, N, d, h, w): M of the paper, no gradient."""
    flat = heatmaps.flatten(2).argmax(dim=2)
    where = torch.stack(torch.unravel_index(flat, heatmaps.shape[2:]), dim=2)
    return where.to(heatmaps.dtype)


def weighted_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy (B,) of masks (B, 1, d, h, w), the rarer class counting more.

    A voxel's weight is 1 less the share that its class has of the volume; the mean is over all
    voxels.

    References:
        Yang X et al. Hybrid loss guided convolutional networks for whole heart parsing. STACOM
        2017, 215-223.
    """
    inside = target.mean(dim=(1, 2, 3, 4), keepdim=True)
    hit = (1 - inside) * target * functional.softplus(-logits)
    clear = inside * (1 - target) * functional.softplus(logits)
    return (hit + clear).mean(dim=(1, 2, 3, 4))


def hybrid_loss(logits: Tensor, target: Tensor, *, theta: float) -> Tensor:
    """Return weighted cross-entropy + theta * Dice loss (B,) of masks (B, 1, d, h, w).

    Dice is that of the structure alone: of two classes, the background's adds nothing.
    """
    soft = torch.sigmoid(logits)
    dice = squared_dice_loss(soft.flatten(3), target.flatten(3))  # (B, 1, d, h w)
    return weighted_cross_entropy(logits, target) + theta * dice


#: What the sum of squared differences of two heatmaps is divided by, from the target.
REDUCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda target: torch.ones_like(target[..., 0, 0, 0]),
    "mean": lambda target: torch.full_like(target[..., 0, 0, 0], math.prod(target.shape[2:])),
    # an empty map then costs 1, whatever sigma and the size of the volume are
    "energy": lambda target: target.square().sum(dim=(2, 3, 4)).clamp(min=1),
}


def heatmap_loss(heatmaps: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    """Return the squared L2 distance (B,) of maps (B, N, d, h, w), added up over the N.

    The paper does not print what it is divided by; `REDUCTIONS` has the choices.
    """
    squares = (heatmaps - target).square().sum(dim=(2, 3, 4))  # (B, N)
    return (squares / REDUCTIONS[reduction](target)).sum(dim=1)


def matched(heatmaps: Tensor, target: Tensor) -> Tensor:
    """Return the target maps (B, 2, d, h, w) in that order of the two ends that fits better."""
    turned = target.flip(1)
    with torch.no_grad():
        straight, crossed = (
            (heatmaps - t).square().sum(dim=(1, 2, 3, 4)) for t in (target, turned)
        )
    return torch.where((crossed < straight)[:, None, None, None, None], turned, target)


def printed_distance_loss(found: Tensor, truth: Tensor) -> Tensor:
    """Return 1 / |p1 - p2|^2 (B,) of found ends (B, 2, 3) in voxels: Eq. 1 of the paper.

    At 85 voxels, which is 50 mm of 0.585 mm, it is 1.4e-4, and with the paper's weights 1.4e-5:
    next to nothing. At 0 it is infinite.
    """
    return 1 / (found[:, 0] - found[:, 1]).square().sum(dim=1)


def hinge_distance_loss(found: Tensor, truth: Tensor) -> Tensor:
    """Return by what share of the true distance the found ends are too near, 0 to 1, (B,)."""
    # the slope of a root is infinite at 0, where both peaks of an untrained network may be
    near = ((found[:, 0] - found[:, 1]).square().sum(dim=1) + 1e-6).sqrt()
    true = (truth[:, 0] - truth[:, 1]).norm(dim=1)
    return functional.relu(1 - near / true.clamp(min=1))


DISTANCES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "printed": printed_distance_loss,
    "hinge": hinge_distance_loss,
}


def left_first(ends: Tensor) -> Tensor:
    """Return ends (B, 2, 3) so that the one in the smaller column is the first.

    A network sees near an end to which side the shaft leads away from it; whether that end is the
    hip's, it would have to see from what lies about the femur.
    """
    turned = ends[:, 0, 2] > ends[:, 1, 2]
    return torch.where(turned[:, None, None], ends.flip(1), ends)


#: Which end each of the two maps is asked for: as the truth has them (the hip's first), the left
#: one first, or as fits the maps better.
ORDERS = ("given", "columns", "matched")


@dataclass(frozen=True)
class SolidHead:
    """A filled structure as one map of logits (B, 1, d, h, w): alpha * (wCE + theta * Dice).

    `weight` is alpha of the paper's Eq. 2.

    References:
        Wang X et al. BHI 2019.
    """

    weight: float = 1.0
    theta: float = 100.0
    output: ClassVar[Output] = Output(1)

    def __post_init__(self) -> None:
        if self.theta < 0:
            raise RecipeError(f"theta must not be negative, got {self.theta:g}")

    def loss(self, output: Tensor, truth: VolumeTruth) -> Tensor:
        """Compare logits with the mask."""
        return hybrid_loss(output.float(), truth.mask, theta=self.theta).mean()

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is the femur's shaft, in logits."""
        return {"kind": "solid", "planes": ["femur"], "values": "logits"}


@dataclass(frozen=True)
class SolidEndsHead:
    """The two ends as heatmaps (B, 2, d, h, w): beta * (squared L2 + gamma * centre distance).

    `weight` is beta of the paper's Eq. 2. `gamma` 0 leaves the centre distance out (BRN); it
    counts only where both ends are in the volume.

    References:
        Wang X et al. BHI 2019.
    """

    weight: float = 0.2
    gamma: float = 0.5
    sigma_voxels: float = 3.0
    sharpness: float = 30.0
    distance: str = "hinge"
    reduction: str = "sum"
    order: str = "given"
    output: ClassVar[Output] = Output(2)

    def __post_init__(self) -> None:
        for name, table in (
            ("distance", DISTANCES), ("reduction", REDUCTIONS), ("order", ORDERS),
        ):  # fmt: skip
            if getattr(self, name) not in table:
                raise RecipeError(
                    f"unknown {name} {getattr(self, name)!r}; known: {', '.join(table)}"
                )
        if self.gamma < 0:
            raise RecipeError(f"gamma must not be negative, got {self.gamma:g}")
        if min(self.sigma_voxels, self.sharpness) <= 0:
            raise RecipeError("sigma_voxels and sharpness must be positive")

    def loss(self, output: Tensor, truth: VolumeTruth) -> Tensor:
        """Compare heatmaps with the drawn ends, and ask that their peaks be apart."""
        heatmaps = output.float()
        found = self.ends_loss(heatmaps, truth)
        return found + self.gamma * self.distance_loss(heatmaps, truth) if self.gamma else found

    def targets(self, heatmaps: Tensor, truth: VolumeTruth) -> Tensor:
        """Draw the ends (B, 2, d, h, w) in the order that the heatmaps are compared with."""
        depth, rows, cols = heatmaps.shape[2:]
        ends = left_first(truth.ends) if self.order == "columns" else truth.ends
        drawn = draw_heatmaps(ends, self.sigma_voxels, (depth, rows, cols))
        return matched(heatmaps, drawn) if self.order == "matched" else drawn

    def ends_loss(self, heatmaps: Tensor, truth: VolumeTruth) -> Tensor:
        """Compare heatmaps with the drawn ends."""
        target = self.targets(heatmaps, truth)
        return heatmap_loss(heatmaps, target, reduction=self.reduction).mean()

    def distance_loss(self, heatmaps: Tensor, truth: VolumeTruth) -> Tensor:
        """Return the centre distance loss of the peaks of the heatmaps."""
        known = truth.within()
        peaks = soft_argmax_3d(heatmaps[known], self.sharpness)
        return DISTANCES[self.distance](peaks, truth.ends[known]).sum() / len(known)

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is two maps with a peak at an end each."""
        return {"kind": "solid-ends", "planes": ["femur"], "sigma_voxels": self.sigma_voxels}
