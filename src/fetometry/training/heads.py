"""Heads: what one output of a network means, how wrong it is, and what it is called outside.

A head has `output` (what it asks of the network), `loss` and `meaning` (what the predictor has
to know to decode it). The training loop never asks which head it is running.

Of an image, a head may know the truth, know that there is none of its structure, or know
nothing (only the plane was labelled): the last kind adds nothing to its loss. Losses are sums
over the images that do, divided by all images of the batch.
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
from fetometry.training.augment import Ellipses, draw_bars, draw_spots
from fetometry.training.nets import Output
from fetometry.training.recipe import Component, strict
from fetometry.types import PLANE_CLASSES


@dataclass(frozen=True)
class Truth:
    """What is known of a batch, at the scale of the network's input `size`.

    `ellipses` and `ends` (B, 2, 2) hold where `has_ellipse` and `has_ends` (B,) say so;
    `classes` (B,) are positions in `PLANE_CLASSES`.
    """

    ellipses: Ellipses
    has_ellipse: Tensor
    ends: Tensor
    has_ends: Tensor
    classes: Tensor
    size: tuple[int, int]

    def of(self, planes: tuple[str, ...]) -> Tensor:
        """Tell (B,) which images show one of the planes."""
        wanted = [i for i, name in enumerate(PLANE_CLASSES) if name.partition(":")[0] in planes]
        among = torch.tensor(wanted, device=self.classes.device)
        return torch.isin(self.classes, among)


class Head(Protocol):
    """What the training loop and the export ask of a head."""

    @property
    def output(self) -> Output:
        """What it asks of the network."""

    @property
    def weight(self) -> float:
        """What its loss is multiplied by."""

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Return how wrong the output is, as one number."""

    def meaning(self) -> Mapping[str, Any]:
        """Return what travels in the model file for the predictor."""


def _rows_bce(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross-entropy (B,) of maps (B, 1, h, w)."""
    bce = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return bce.mean(dim=(1, 2, 3))


def _mask_loss(
    logits: Tensor, target: Tensor, weights: tuple[float, float, float], sharpness: float
) -> Tensor:
    """Return loss (B,) of masks: weights of cross-entropy, of squared Dice, of size."""
    bce, dice, size = weights
    total = bce * _rows_bce(logits, target)
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
        empty = _rows_bce(logits, torch.zeros_like(logits))
        total = total + weight * torch.where(without, empty, 0.0)
    return total.sum() / len(known)


def _mask_meaning(planes: tuple[str, ...]) -> Mapping[str, Any]:
    return {"kind": "mask", "planes": list(planes), "values": "logits"}


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
        return _mask_meaning(self.planes)


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
    width: float = 0.09
    least_px: float = 7.0
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
        return _mask_meaning(self.planes)


@dataclass(frozen=True)
class EndsHead:
    """Both ends of a line as spots on one map of logits (B, 1, h, w): their order is not asked.

    They tell the `length` of what the plane is measured by, or the `direction` of a diameter.

    A spot is a Gaussian of `sigma_px` of the input. The loss is the cross-entropy times the
    squared distance from the truth, so that the empty rest of the map does not drown two spots.

    References:
        Li X et al. Generalized Focal Loss. NeurIPS 2020 (quality focal loss, beta = 2).
    """

    weight: float = 1.0
    sigma_px: float = 5.0
    empty: float = 1.0
    planes: tuple[str, ...] = ("femur",)
    along: str = ""  # the mask that the line between them should lie on
    tells: str = "length"
    output: ClassVar[Output] = Output(1, bias=-4.0)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with spots at the ends."""
        logits, here = output.float(), truth.of(self.planes)
        known = here & truth.has_ends
        stride = truth.size[0] // output.shape[-2]
        target = draw_spots(truth.ends, self.sigma_px, truth.size, stride)
        target = target * known[:, None, None, None]
        bce = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        focal = (torch.sigmoid(logits) - target).square() * bce
        area = 2 * 2 * math.pi * (self.sigma_px / stride) ** 2  # of two spots
        counted = known.float() + self.empty * (~here).float()
        return (focal.sum(dim=(1, 2, 3)) / area * counted).sum() / len(known)

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output has two spots, and on which mask the line between them lies."""
        return {
            "kind": "ends",
            "planes": list(self.planes),
            "values": "logits",
            "along": self.along,
            "tells": self.tells,
        }


@dataclass(frozen=True)
class PlaneHead:
    """Which plane an image shows, as logits (B, classes) in the order of `PLANE_CLASSES`."""

    weight: float = 1.0
    smoothing: float = 0.0
    output: ClassVar[Output] = Output(len(PLANE_CLASSES), whole=True)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Return the cross-entropy, with the labels smoothed."""
        return functional.cross_entropy(
            output.float(), truth.classes, label_smoothing=self.smoothing
        )

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output tells planes apart, in logits."""
        return {"kind": "planes", "classes": list(PLANE_CLASSES), "values": "logits"}


def squared_dice_loss(soft: Tensor, target: Tensor) -> Tensor:
    """Return 1 - Dice (B,) of soft masks (B, 1, h, w), with squared sums below.

    References:
        Milletari F, Navab N, Ahmadi SA. V-Net. 3DV 2016, 565-571.
    """
    overlap = (soft * target).sum(dim=(1, 2, 3))
    below = (soft.square() + target.square()).sum(dim=(1, 2, 3))
    return 1 - (2 * overlap + 1) / (below + 1)


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


HEADS: Mapping[str, Callable[..., Head]] = {
    "mask": MaskHead,
    "shaft": ShaftHead,
    "ends": EndsHead,
    "plane": PlaneHead,
}


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
