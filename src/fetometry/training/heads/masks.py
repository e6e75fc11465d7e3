"""Filled structures as maps of logits: ellipses of heads and abdomens, bars of femurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from fetometry.training.augment import draw_bars
from fetometry.training.exchange.masks import BAR_LEAST_PX, BAR_WIDTH
from fetometry.training.heads.head import Truth, mask_meaning
from fetometry.training.heads.losses import log_size, rows_bce, squared_dice_loss
from fetometry.training.nets import Output


def _mask_loss(
    logits: Tensor, target: Tensor, weights: tuple[float, float, float], sharpness: float
) -> Tensor:
    """Return loss (B,) of masks: weights of cross-entropy, of squared Dice, of size."""
    bce, dice, size = weights
    total = bce * rows_bce(logits, target)
    if dice:
        total = total + dice * squared_dice_loss(torch.sigmoid(logits), target)
    if size:
        sharp = torch.sigmoid(sharpness * logits)
        total = total + size * (log_size(sharp) - log_size(target)).abs().mean(dim=1)
    return total


def _summed(logits: Tensor, known: Tensor, losses: Tensor, absent: tuple[Tensor, float]) -> Tensor:
    """Add up the losses of the images known (B,), and of those without the structure."""
    without, weight = absent
    total = torch.where(known, losses, 0.0)
    if weight:
        empty = rows_bce(logits, torch.zeros_like(logits))
        total = total + weight * torch.where(without, empty, 0.0)
    return total.sum() / len(known)


@dataclass(frozen=True)
class MaskHead:
    """A filled ellipse as one map of logits (B, 1, h, w).

    The loss is `bce` times binary cross-entropy, `dice` times squared Dice, and `size` times
    the difference of the log semi-axes and log circumference of the mask from the truth's, by
    area moments. A soft edge adds to the moments (2.5 times its squared relative width), which
    would draw the outline inwards, so its logits are multiplied by `size_sharpness` first.
    Images of other planes should give an empty mask, at `empty` times the cross-entropy.
    """

    weight: float = 1.0
    bce: float = 1.0
    dice: float = 1.0
    size: float = 0.0
    size_sharpness: float = 4.0
    empty: float = 0.0
    planes: tuple[str, ...] = ("head",)
    output: ClassVar[Output] = Output(1)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with the drawn ellipse."""
        logits, here = output.float(), truth.of(self.planes)
        known = here & truth.has_ellipse
        target = truth.ellipses.draw(truth.size, truth.size[0] // output.shape[-2])
        weights = (self.bce, self.dice, self.size)
        losses = _mask_loss(logits, target, weights, self.size_sharpness)
        return _summed(logits, known, losses, (~here, self.empty))

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is a mask of these planes, in logits."""
        return mask_meaning(self.planes)


@dataclass(frozen=True)
class ShaftHead:
    """The ossified shaft as a bar between its ends, one map of logits (B, 1, h, w).

    The bar is `width` times its length wide, and at least `least_px` of the input. Dice is taken
    image by image: summed over a batch, a thin bar among large areas is worth nothing.
    """

    weight: float = 1.0
    bce: float = 1.0
    dice: float = 1.0
    empty: float = 0.0
    width: float = BAR_WIDTH
    least_px: float = BAR_LEAST_PX
    planes: tuple[str, ...] = ("femur",)
    output: ClassVar[Output] = Output(1)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with the drawn bar."""
        logits, here = output.float(), truth.of(self.planes)
        known = here & truth.has_ends
        length = (truth.ends[:, 1] - truth.ends[:, 0]).norm(dim=-1)
        width = (self.width * length).clamp(min=self.least_px)
        target = draw_bars(truth.ends, width, truth.size, truth.size[0] // output.shape[-2])
        losses = _mask_loss(logits, target, (self.bce, self.dice, 0.0), 1.0)
        return _summed(logits, known, losses, (~here, self.empty))

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is a mask of these planes, in logits."""
        return mask_meaning(self.planes)
