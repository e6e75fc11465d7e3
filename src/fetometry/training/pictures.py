"""A side of a data set of pictures in memory: what the training loop asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fetometry.errors import DataError
from fetometry.geometry import Matrix, apply, compose, letterbox
from fetometry.training import augment
from fetometry.training.augment import Ellipses
from fetometry.training.data import Row, cache
from fetometry.training.heads import Truth
from fetometry.training.recipe import Recipe
from fetometry.training.validate import Maps, Meanings, Reader, Seen
from fetometry.types import PLANE_CLASSES


@dataclass(frozen=True)
class Pictures:
    """A side of a data set, whole, as tensors: pictures (N, H, W) and truth at cache scale."""

    pixels: Tensor
    truth: Truth
    rows: Sequence[Row]
    stored: cache.Cache

    @classmethod
    def load(cls, rows: Sequence[Any], recipe: Recipe, folder: Path) -> Pictures:
        """Read the rows' pictures through the cache."""
        if not rows:
            raise DataError(f"{recipe.data.dataset}: a side of the split is empty")
        if not all(isinstance(row, Row) for row in rows):
            raise DataError(
                f"{recipe.data.dataset}: the recipe is of pictures, the data are volumes"
            )
        stored = cache.load(rows, recipe.data.cache_size, folder)
        truth = known_truth(rows, stored.matrices, recipe.data.cache_size)
        return cls(torch.from_numpy(stored.pixels), truth, rows, stored)

    def at_input(self, recipe: Recipe) -> Truth:
        """Return the truth (N,) at the scale of the network's input, as nothing changed it."""
        maps = augment.identity(len(self.rows), recipe.data.cache_size, recipe.input.size)
        return self.truth.mapped(maps, recipe.input.size)

    def changed(
        self, position: Tensor, recipe: Recipe, seed: int, device: torch.device
    ) -> tuple[Tensor, Truth]:
        """Return pictures (B, 1, h, w) at positions (B,), changed at random, with their truth."""
        rng = torch.Generator().manual_seed(seed)
        size = recipe.input.size
        maps = augment.random_maps(
            len(position), recipe.data.cache_size, (recipe.input, recipe.augment), rng
        ).to(device)
        known = self.truth.at(position).to(device)
        if recipe.augment.keep_whole:
            maps = _unless_cut(maps, known, recipe)
        image = augment.warp(self.pixels[position].to(device), maps, size)
        image = augment.photometric(image, recipe.augment, rng)
        return image, known.mapped(maps, size)

    def plain(self, position: Tensor, recipe: Recipe, device: torch.device) -> Tensor:
        """Return pictures (B, 1, h, w) at positions (B,), as nothing changed them."""
        maps = augment.identity(len(position), recipe.data.cache_size, recipe.input.size)
        return augment.warp(self.pixels[position].to(device), maps.to(device), recipe.input.size)

    def seen(self, position: int, recipe: Recipe, outputs: Meanings, maps: Maps) -> Seen:
        """Measure one picture as the predictor would, from the outputs of a network."""
        to_input = compose(
            letterbox(recipe.data.cache_size, recipe.input.size), self.stored.matrices[position]
        )
        place = to_input, self.stored.shapes[position]
        return Reader(outputs, recipe.input.size).compare(self.rows[position], maps, place)

    def __deepcopy__(self, memo: dict[int, Any]) -> Pictures:
        # averaging the weights copies the whole system; pictures never change, so they are shared
        return self


def _unless_cut(maps: Tensor, known: Truth, recipe: Recipe) -> Tensor:
    """Return the maps (B, 2, 3), but the plain ones where an ellipse would be cut by them."""
    size = recipe.input.size
    cut = known.has_ellipse & ~augment.whole(known.ellipses.mapped(maps), size)
    plain = augment.identity(len(maps), recipe.data.cache_size, size).to(maps.device)
    return torch.where(cut[:, None, None], plain, maps)


def known_truth(rows: Sequence[Row], matrices: Matrix, size: tuple[int, int]) -> Truth:
    """Return what is known of the rows, mapped (N, 2, 3) to cache scale; ones where nothing is."""
    count = len(rows)
    center, ends = np.zeros((count, 2)), np.ones((count, 2, 2))
    shape = np.tile(np.eye(2), (count, 1, 1))
    for i, (row, matrix) in enumerate(zip(rows, matrices, strict=True)):
        if row.ellipse is not None:
            ellipse = row.ellipse.transformed(matrix)
            center[i], shape[i] = ellipse.center, ellipse.shape
        if row.ends is not None:
            ends[i] = apply(matrix, np.array(row.ends))
    return Truth(
        Ellipses(torch.from_numpy(center).float(), torch.from_numpy(shape).float()),
        torch.tensor([row.ellipse is not None for row in rows]),
        torch.from_numpy(ends).float(),
        torch.tensor([row.ends is not None for row in rows]),
        torch.tensor([PLANE_CLASSES.index(row.plane_class) for row in rows]),
        size,
    )
