"""What the training loop asks of a side of a data set, be it pictures or volumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from fetometry.training.data import AnyRow
from fetometry.training.pictures import Pictures
from fetometry.training.recipe import Recipe
from fetometry.training.solids import Solids
from fetometry.training.validate import Maps, Meanings, Seen


class Side(Protocol):
    """One side of a data set, whole, in memory; the truth is what the heads know of a batch."""

    @property
    def rows(self) -> Sequence[AnyRow]:
        """What it holds (N,)."""

    def at_input(self, recipe: Recipe) -> Any:
        """Return the truth (N,) at the scale of the network's input, as nothing changed it."""

    def changed(
        self, position: Tensor, recipe: Recipe, seed: int, device: torch.device
    ) -> tuple[Tensor, Any]:
        """Return grey values (B, 1, ...) at positions (B,), changed at random, and their truth."""

    def plain(self, position: Tensor, recipe: Recipe, device: torch.device) -> Tensor:
        """Return grey values (B, 1, ...) at positions (B,), as nothing changed them."""

    def seen(self, position: int, recipe: Recipe, outputs: Meanings, maps: Maps) -> Seen:
        """Measure one of them as the predictor would, from the outputs of a network."""


def load_side(rows: Sequence[AnyRow], recipe: Recipe, folder: Path) -> Side:
    """Read the rows' pictures or volumes through the cache in a folder.

    Raises:
        DataError: there are none, or they are of the other kind.
        ImageError: one of them cannot be read.
    """
    if recipe.input.of_volumes:
        return Solids.load(rows, recipe, folder)
    return Pictures.load(rows, recipe, folder)
