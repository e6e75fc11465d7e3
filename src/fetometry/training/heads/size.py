"""The size of a structure as one number of the whole image, without an outline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.errors import DataError, RecipeError
from fetometry.training.augment import Ellipses
from fetometry.training.heads.head import Truth
from fetometry.training.heads.losses import circumference
from fetometry.training.nets import Output
from fetometry.types import MAIN


def circumferences(ellipses: Ellipses) -> Tensor:
    """Return the circumferences (B,) of ellipses, in the unit of their shapes."""
    shape = ellipses.shape
    rr, cc, rc = shape[:, 0, 0], shape[:, 1, 1], shape[:, 0, 1]
    # the eigenvalues of the shape are the squared semi-axes
    middle, spread = (rr + cc) / 2, (((rr - cc) / 2).square() + rc.square()).sqrt()
    return circumference((middle + spread).sqrt(), (middle - spread).clamp(min=0).sqrt())


#: What compares predictions (B,) with targets (B,), one by one; delta is Huber's alone.
ERRORS: Mapping[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "mse": lambda found, true, _: functional.mse_loss(found, true, reduction="none"),
    "mae": lambda found, true, _: functional.l1_loss(found, true, reduction="none"),
    "huber": lambda found, true, delta: functional.huber_loss(
        found, true, reduction="none", delta=delta
    ),
}


@dataclass(frozen=True)
class SizeHead:
    """HC in pixels of the input as a share of `scale_px`: one number (B, 1) of the whole image.

    `scale_px` is the largest HC of the training side; 0: it is found there. `error` is mse, mae
    or huber. All targets lie between 0.2 and 1: a huber of `delta` 0.5 is half of mse, and only
    one well below that, such as 0.02, does what it is for.
    """

    weight: float = 1.0
    error: str = "mse"
    delta: float = 0.5
    scale_px: float = 0.0
    planes: ClassVar[tuple[str, ...]] = ("head",)
    output: ClassVar[Output] = Output(1, whole=True)

    def __post_init__(self) -> None:
        if self.error not in ERRORS:
            raise RecipeError(f"error must be one of {', '.join(ERRORS)}, got {self.error!r}")
        if self.delta <= 0 or self.scale_px < 0:
            raise RecipeError(
                f"delta must be above 0 and scale_px not below; got {self.delta}, {self.scale_px}"
            )

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Compare with the circumference of the true ellipse, in closed form."""
        if not self.scale_px:
            raise RecipeError("a size head needs scale_px: the largest HC of the training side")
        known = truth.of(self.planes) & truth.has_ellipse
        target = circumferences(truth.ellipses) / self.scale_px
        errors = ERRORS[self.error](output.float()[:, 0], target, self.delta)
        return torch.where(known, errors, 0.0).sum() / len(known)

    def learned(self, truth: Truth) -> Mapping[str, float]:
        """Return the largest HC of the training side, in pixels of the input."""
        if self.scale_px:
            return {"scale_px": self.scale_px}
        known = truth.of(self.planes) & truth.has_ellipse
        if not bool(known.any()):
            raise DataError("the training side has no head whose outline is known")
        return {"scale_px": float(circumferences(truth.ellipses)[known].max())}

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output is HC, and by which number of pixels it was divided."""
        return {
            "kind": "size",
            "planes": list(self.planes),
            "measures": MAIN[self.planes[0]],
            "scale_px": self.scale_px,
        }
