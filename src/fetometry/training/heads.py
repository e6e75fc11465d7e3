"""Heads: what one output of a network means, how wrong it is, and what it is called outside.

A head has `channels` (how many maps it asks of the network), `loss` and `meaning` (what the
predictor has to know to decode it). The training loop never asks which head it is running.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.errors import RecipeError
from fetometry.training.augment import Ellipses
from fetometry.training.recipe import Component, strict


@dataclass(frozen=True)
class Truth:
    """What is known of a batch, at the scale of the network's input `size`."""

    ellipses: Ellipses
    size: tuple[int, int]


class Head(Protocol):
    """What the training loop and the export ask of a head."""

    @property
    def channels(self) -> int:
        """How many maps it asks of the network."""

    @property
    def weight(self) -> float:
        """What its loss is multiplied by."""

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Return how wrong the output is, as one number."""

    def meaning(self) -> Mapping[str, Any]:
        """Return what travels in the model file for the predictor."""


@dataclass(frozen=True)
class MaskHead:
    """A filled outline as one map of logits (B, 1, h, w).

    The loss is `bce` times binary cross-entropy, `dice` times squared Dice, and `size` times
    the difference of the log semi-axes and log circumference of the mask from the truth's, by
    area moments. A soft edge adds to the moments (2.5 times its squared relative width), which
    would draw the outline inwards, so its logits are multiplied by `size_sharpness` first.
    """

    weight: float = 1.0
    bce: float = 1.0
    dice: float = 1.0
    size: float = 0.0
    size_sharpness: float = 4.0
    plane: str = "head"
    channels: ClassVar[int] = 1

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with the drawn ellipse."""
        stride = truth.size[0] // output.shape[-2]
        target = truth.ellipses.draw(truth.size, stride)
        logits = output.float()
        total = self.bce * functional.binary_cross_entropy_with_logits(logits, target)
        soft = torch.sigmoid(logits)
        if self.dice:
            total = total + self.dice * squared_dice_loss(soft, target)
        if self.size:
            sharp = torch.sigmoid(self.size_sharpness * logits)
            total = total + self.size * (log_size(sharp) - log_size(target)).abs().mean()
        return total

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is a mask of one plane, in logits."""
        return {"kind": "mask", "plane": self.plane, "values": "logits"}


def squared_dice_loss(soft: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Dice of soft masks (B, 1, h, w), image by image, with squared sums below.

    References:
        Milletari F, Navab N, Ahmadi SA. V-Net. 3DV 2016, 565-571.
    """
    overlap = (soft * target).sum(dim=(1, 2, 3))
    below = (soft.square() + target.square()).sum(dim=(1, 2, 3))
    return (1 - (2 * overlap + 1) / (below + 1)).mean()


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
    h = ((a - b) / (a + b)) ** 2
    around = math.pi * (a + b) * (1 + 3 * h / (10 + (4 - 3 * h).sqrt()))
    return torch.stack([a.log(), b.log(), around.log()], dim=1)


HEADS: Mapping[str, Callable[..., Head]] = {"mask": MaskHead}


def build_heads(components: Mapping[str, Component]) -> dict[str, Head]:
    """Build the heads of a recipe.

    Raises:
        RecipeError: a head is unknown, or one of its options is.
    """
    heads = {}
    for name, component in components.items():
        if component.name not in HEADS:
            raise RecipeError(
                f"[heads.{name}]: unknown head {component.name!r}; known: {', '.join(HEADS)}"
            )
        kind: Any = HEADS[component.name]
        heads[name] = strict(kind, component.options, f"[heads.{name}]")
    return heads
