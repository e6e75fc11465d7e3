"""In which order the images of a side are shown, and seeds that tell one draw from another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fetometry.errors import RecipeError
from fetometry.training.recipe import Data


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
