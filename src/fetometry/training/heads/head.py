"""What every head has, and what it is told of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from fetometry.training.augment import Ellipses, mapped
from fetometry.training.nets import Output
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

    def at(self, position: Tensor) -> Truth:
        """Return the truth of the images at positions (B,)."""
        return Truth(
            Ellipses(self.ellipses.center[position], self.ellipses.shape[position]),
            self.has_ellipse[position],
            self.ends[position],
            self.has_ends[position],
            self.classes[position],
            self.size,
        )

    def to(self, device: torch.device) -> Truth:
        """Return the truth on a device."""
        return Truth(
            Ellipses(self.ellipses.center.to(device), self.ellipses.shape.to(device)),
            self.has_ellipse.to(device),
            self.ends.to(device),
            self.has_ends.to(device),
            self.classes.to(device),
            self.size,
        )

    def mapped(self, maps: Tensor, size: tuple[int, int]) -> Truth:
        """Return the truth under affine maps (B, 2, 3), at another size."""
        return Truth(
            self.ellipses.mapped(maps),
            self.has_ellipse,
            mapped(self.ends, maps),
            self.has_ends,
            self.classes,
            size,
        )

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

    def loss(self, output: Tensor, truth: Any) -> Tensor:
        """Return how wrong the output is, as one number; the truth is that of its kind of data."""

    def meaning(self) -> Mapping[str, Any]:
        """Return what travels in the model file for the predictor."""


def mask_meaning(planes: tuple[str, ...]) -> dict[str, Any]:
    """Return what a map of logits means in which the planes' structures are filled."""
    return {"kind": "mask", "planes": list(planes), "values": "logits"}


@runtime_checkable
class Learns(Protocol):
    """A head that needs numbers of the training side, such as the largest size in it.

    They are found once, before the first step, kept with the run, and come back as options.
    """

    def learned(self, truth: Any) -> Mapping[str, float]:
        """Return the options that the training side (N,), at the scale of the input, gives."""
