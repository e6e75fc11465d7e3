"""Which plane an image shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fetometry.errors import RecipeError
from fetometry.training.heads.head import Truth
from fetometry.training.nets import Output
from fetometry.types import PLANE_CLASSES

#: What the cross-entropy passes over.
_NOT_ASKED = -100


@dataclass(frozen=True)
class PlaneHead:
    """Which plane an image shows, as logits (B, classes) in the order of `classes`.

    A view that is not among the classes counts as its plane. Images of a plane that is not
    among them add nothing to the loss.
    """

    weight: float = 1.0
    smoothing: float = 0.0
    classes: tuple[str, ...] = PLANE_CLASSES

    def __post_init__(self) -> None:
        unknown = [name for name in self.classes if name not in PLANE_CLASSES]
        if unknown or len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise RecipeError(
                f"classes must be two or more of {', '.join(PLANE_CLASSES)}, each once; "
                f"got {list(self.classes)}"
            )

    @property
    def output(self) -> Output:
        """One number a class."""
        return Output(len(self.classes), whole=True)

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Return the cross-entropy of logits, with the labels smoothed."""
        wanted = torch.tensor([self._place(name) for name in PLANE_CLASSES])
        total = functional.cross_entropy(
            output.float(),
            wanted.to(truth.classes.device)[truth.classes],
            ignore_index=_NOT_ASKED,
            label_smoothing=self.smoothing,
            reduction="sum",
        )
        return total / len(truth.classes)

    def _place(self, name: str) -> int:
        """Return where a class or else its plane stands among the classes."""
        for known in (name, name.partition(":")[0]):
            if known in self.classes:
                return self.classes.index(known)
        return _NOT_ASKED

    def meaning(self) -> Mapping[str, Any]:
        """Say that the output tells planes apart, in logits."""
        return {"kind": "planes", "classes": list(self.classes), "values": "logits"}
