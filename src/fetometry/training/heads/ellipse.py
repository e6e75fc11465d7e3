"""The five parameters of an ellipse, told at once for the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fetometry.predict.ellipse import DEGREES, DOUBLE_ANGLE
from fetometry.training.augment import Ellipses
from fetometry.training.heads.head import Truth
from fetometry.training.nets import Output


@dataclass(frozen=True)
class EllipseHead:
    """An ellipse as one vector (B, 6); `predict.ellipse` says in which order, and reads it back.

    Lengths are shares of the input's longer side, and the direction is that of twice the angle,
    so that nothing wraps. The loss is the mean squared error.

    `printed` takes the paper's five numbers (B, 5) as they are: pixels and degrees. There an
    ellipse at 179 degrees, where 1 is right, costs 178^2 = 31,684 (a fifth of it in the mean).

    References:
        Sobhaninia Z et al. EMBC 2019, 6545-6548, equation 6.
    """

    weight: float = 1.0
    printed: bool = False
    planes: tuple[str, ...] = ("head",)

    @property
    def output(self) -> Output:
        """One number for each parameter."""
        return Output(5 if self.printed else 6, whole=True)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare parameters with those of the true ellipse."""
        known = truth.of(self.planes) & truth.has_ellipse
        error = (output.float() - self.target(truth)).square().mean(dim=1)
        return torch.where(known, error, 0.0).sum() / len(known)

    def target(self, truth: Truth) -> Tensor:
        """Return the parameters (B, 5 or 6) of the true ellipses."""
        diameters, double = _axes(truth.ellipses)
        if self.printed:
            turned = torch.rad2deg(torch.atan2(double[:, 0], double[:, 1]) / 2) % 180
            return torch.cat([truth.ellipses.center, diameters, turned[:, None]], dim=1)
        lengths = torch.cat([truth.ellipses.center, diameters], dim=1) / max(truth.size)
        return torch.cat([lengths, double], dim=1)

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is an ellipse of these planes, and in which numbers."""
        values = DEGREES if self.printed else DOUBLE_ANGLE
        return {"kind": "ellipse", "planes": list(self.planes), "values": values}


def _axes(ellipses: Ellipses) -> tuple[Tensor, Tensor]:
    """Return diameters (B, 2), long first, and sine and cosine (B, 2) of twice the long's angle.

    A circle has no direction: both are 0 there.
    """
    (rr, rc), (_, cc) = ellipses.shape.permute(1, 2, 0)
    middle, half = (rr + cc) / 2, (cc - rr) / 2
    spread = torch.hypot(half, rc)
    squared = torch.stack([middle + spread, middle - spread], dim=1).clamp(min=0)
    double = torch.stack([rc, half], dim=1) / spread.clamp(min=1e-6)[:, None]
    return 2 * squared.sqrt(), double
