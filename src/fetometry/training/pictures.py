"""A side of a data set in memory, and in which order its images are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fetometry.errors import DataError, RecipeError
from fetometry.geometry import Matrix, apply
from fetometry.training.augment import Ellipses
from fetometry.training.data import Row, cache
from fetometry.training.heads import Truth
from fetometry.training.recipe import Data, Recipe
from fetometry.types import PLANE_CLASSES


@dataclass(frozen=True)
class Pictures:
    """A side of a data set, whole, as tensors: pictures (N, H, W) and truth at cache scale."""

    pixels: Tensor
    truth: Truth
    rows: Sequence[Row]
    stored: cache.Cache

    @classmethod
    def load(cls, rows: Sequence[Row], recipe: Recipe, folder: Path) -> Pictures:
        """Read the rows' pictures through the cache."""
        if not rows:
            raise DataError(f"{recipe.data.dataset}: a side of the split is empty")
        stored = cache.load(rows, recipe.data.cache_size, folder)
        truth = known_truth(rows, stored.matrices, recipe.data.cache_size)
        return cls(torch.from_numpy(stored.pixels), truth, rows, stored)

    def __deepcopy__(self, memo: dict[int, Any]) -> Pictures:
        # averaging the weights copies the whole system; pictures never change, so they are shared
        return self


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


def mixed_seed(*parts: int) -> int:
    """Mix numbers into one seed; torch's generator on a CPU reads no more than 32 bits of one."""
    mixed = np.random.SeedSequence([part % 2**64 for part in parts])
    return int(mixed.generate_state(1)[0])


@dataclass(frozen=True)
class Batches:
    """Positions of pictures (N,), handed out in batches (B,)."""

    order: Tensor
    batch_size: int

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        starts = range(0, len(self.order), self.batch_size)
        return (self.order[start : start + self.batch_size] for start in starts)


def shuffled(positions: Tensor, batch_size: int, rng: torch.Generator) -> Batches:
    """Shuffle positions, and leave out the last, smaller batch."""
    count = len(positions)
    size = min(batch_size, count)
    return Batches(positions[torch.randperm(count, generator=rng)[: count // size * size]], size)


def drawn(kinds: Sequence[str], data: Data, rng: torch.Generator) -> Tensor:
    """Draw positions for an epoch: each once, or as many of each kind as its share says.

    Of a kind, no image is drawn again before all of them were.

    Raises:
        RecipeError: a kind has no share, or a share no image, or nothing would be drawn.
    """
    if not data.draws:
        return torch.arange(len(kinds))
    if set(kinds) != set(data.shares):
        raise RecipeError(
            f"[data]: shares must be of {', '.join(sorted(set(kinds)))}; "
            f"got {', '.join(sorted(data.shares))}"
        )
    total = sum(data.shares.values())
    chosen = []
    for kind, share in data.shares.items():
        of_kind = torch.tensor([i for i, name in enumerate(kinds) if name == kind])
        wanted = round(data.draws * share / total)
        rounds = -(-wanted // len(of_kind))
        orders = [torch.randperm(len(of_kind), generator=rng) for _ in range(rounds)]
        chosen += [of_kind[torch.cat(orders)[:wanted]]] if orders else []
    if not chosen:
        raise RecipeError(f"[data]: {data.draws} draws are too few for these shares")
    return torch.cat(chosen)
