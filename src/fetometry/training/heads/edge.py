"""A filled ellipse, learned with a weight that is largest on its edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.errors import RecipeError
from fetometry.training.heads.head import Truth, mask_meaning
from fetometry.training.nets import Output

#: The printed weight grows with the distance; its exponent is held here, so that it is finite.
MOST_EXPONENT = 10.0


@dataclass(frozen=True)
class EdgeMaskHead:
    """A filled ellipse as one map of logits (B, 1, h, w), magnified near its edge.

    The weight of a pixel is w = 1 + edge exp(-d^2 / (2 sigma^2)), d being its distance from the
    true edge in pixels of the input. The loss is the mean of w times the binary cross-entropy,
    plus Dice with w inside its sums: 1 - (2 sum w g s + 1) / (sum w g + sum w s + 1).

    `printed` takes the paper's equations word for word: w = 1 + edge exp(d / (2 sigma^2)), which
    grows away from the edge, and the mean of w (E + Dice), where Dice is one number of the
    whole image.

    References:
        Sobhaninia Z et al. EMBC 2019, 6545-6548, equations 2 to 5.
    """

    weight: float = 1.0
    edge: float = 30.0
    sigma_px: float = 10.0
    printed: bool = False
    planes: tuple[str, ...] = ("head",)
    output: ClassVar[Output] = Output(1)

    def __post_init__(self) -> None:
        if self.edge < 0 or not self.sigma_px > 0:
            raise RecipeError("edge must not be negative, and sigma_px must be positive")

    def weights(self, distance: Tensor) -> Tensor:
        """Return what pixels at distances from the true edge, in input pixels, count."""
        if self.printed:
            exponent = (distance.abs() / (2 * self.sigma_px**2)).clamp(max=MOST_EXPONENT)
        else:
            exponent = -distance.square() / (2 * self.sigma_px**2)
        return 1 + self.edge * torch.exp(exponent)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with the drawn ellipse."""
        logits, known = output.float(), truth.of(self.planes) & truth.has_ellipse
        stride = truth.size[0] // output.shape[-2]
        distance = truth.ellipses.distance(truth.size, stride)[:, None]
        target = (0.5 - distance / stride).clamp(0, 1)
        losses = self._losses(logits, target, self.weights(distance))
        return torch.where(known, losses, 0.0).sum() / len(known)

    def _losses(self, logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """Return the loss (B,) of maps (B, 1, h, w)."""
        bce = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        entropy = (weights * bce).mean(dim=(1, 2, 3))
        if self.printed:
            plain = _dice_loss(torch.sigmoid(logits), target, torch.ones_like(weights))
            return entropy + weights.mean(dim=(1, 2, 3)) * plain
        return entropy + _dice_loss(torch.sigmoid(logits), target, weights)

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is a mask of these planes, in logits."""
        return mask_meaning(self.planes)


def _dice_loss(soft: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - Dice (B,) of soft masks (B, 1, h, w), every pixel counting by its weight."""
    overlap = (weights * soft * target).sum(dim=(1, 2, 3))
    below = (weights * (soft + target)).sum(dim=(1, 2, 3))
    return 1 - (2 * overlap + 1) / (below + 1)
