"""The two ends of a line as spots on a map."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.training.augment import draw_spots
from fetometry.training.heads.head import Truth
from fetometry.training.nets import Output


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
