"""Head, abdomen and femur as one binary mask, whichever of them an image shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from fetometry.errors import RecipeError
from fetometry.training.augment import draw_bars
from fetometry.training.heads.head import Truth, mask_meaning
from fetometry.training.heads.losses import squared_dice_loss
from fetometry.training.nets import Output

#: The planes whose structure is a line between two ends; the others' are ellipses.
LINES = ("femur",)


@dataclass(frozen=True)
class StructureHead:
    """One map of logits (B, 1, h, w): a filled ellipse, or a line of a fixed width for a femur.

    The line is `line_px` of the input wide and runs `cap_px` beyond either end: 0 stops at the
    ends, half the width is what line-drawing libraries add. The reader takes the cap off again.

    The loss is squared Dice, image by image. Images without a known truth add nothing.
    """

    weight: float = 1.0
    line_px: float = 8.0
    cap_px: float = 0.0
    planes: tuple[str, ...] = ("head", "abdomen", "femur")
    output: ClassVar[Output] = Output(1)

    def __post_init__(self) -> None:
        if self.line_px <= 0 or self.cap_px < 0:
            raise RecipeError(
                "line_px must be positive and cap_px not negative, "
                f"got {self.line_px:g} and {self.cap_px:g}"
            )

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare logits with the drawn structure."""
        is_line = truth.of(LINES)
        known = truth.of(self.planes) & torch.where(is_line, truth.has_ends, truth.has_ellipse)
        target = self.target(truth, truth.size[0] // output.shape[-2])
        losses = squared_dice_loss(torch.sigmoid(output.float()), target)
        return torch.where(known, losses, 0.0).sum() / len(known)

    def target(self, truth: Truth, stride: int) -> Tensor:
        """Draw the structures (B, 1, h, w) for an output of a stride."""
        width = torch.full_like(truth.ends[:, 0, 0], self.line_px)
        line = truth.ends[:, 1] - truth.ends[:, 0]
        beyond = self.cap_px * line / line.norm(dim=-1, keepdim=True).clamp(min=1e-3)
        ends = truth.ends + torch.stack([-beyond, beyond], dim=1)
        bars = draw_bars(ends, width, truth.size, stride)
        ellipses = truth.ellipses.draw(truth.size, stride)
        return torch.where(truth.of(LINES)[:, None, None, None], bars, ellipses)

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is a mask of these planes, in logits, and how lines were drawn."""
        return mask_meaning(self.planes) | {"line_px": self.line_px, "cap_px": self.cap_px}
