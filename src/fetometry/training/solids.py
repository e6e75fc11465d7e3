"""A side of a data set of volumes in memory: what the training loop asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fetometry.errors import DataError
from fetometry.geometry.solid import Mask, Shape3d, bounding_box
from fetometry.predict.solid import choose_ends
from fetometry.training import augment_3d
from fetometry.training.data import VolumeRow, volume_cache
from fetometry.training.heads import VolumeTruth
from fetometry.training.metrics import dice
from fetometry.training.metrics_3d import missed_ends, score_ends
from fetometry.training.recipe import Recipe
from fetometry.training.validate import Maps, Meanings, Seen


@dataclass(frozen=True)
class Solids:
    """A side of a data set, whole: volumes at training scale, and the box that is looked at.

    `boxes` (N, 2, 3) are first voxel and the one after the last of each: the femur's own box
    with the recipe's margin, or the whole volume where there is no region of interest.
    """

    cache: volume_cache.VolumeCache
    boxes: Tensor
    rows: Sequence[VolumeRow]

    @classmethod
    def load(cls, rows: Sequence[Any], recipe: Recipe, folder: Path) -> Solids:
        """Read the rows' volumes through the cache."""
        if not rows:
            raise DataError(f"{recipe.data.dataset}: a side of the split is empty")
        if not all(isinstance(row, VolumeRow) for row in rows):
            raise DataError(
                f"{recipe.data.dataset}: the recipe is of volumes, the data are pictures"
            )
        cache = volume_cache.load(rows, recipe.input.voxel_mm, folder)
        boxes = [_box(cache.volume(i)[1], recipe) for i in range(len(rows))]
        return cls(cache, torch.from_numpy(np.array(boxes)).float(), rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Solids:
        # averaging the weights copies the whole system; volumes never change, so they are shared
        return self

    def at_input(self, recipe: Recipe) -> VolumeTruth:
        """Return the ends (N, 2, 3) in their windows, as nothing changed them; no masks."""
        ends = torch.from_numpy(self.cache.ends).float()
        moved = [
            augment_3d.mapped(known, self._plain_map(i, recipe)) for i, known in enumerate(ends)
        ]
        return VolumeTruth(torch.zeros(len(moved), 1, 0, 0, 0), torch.stack(moved))

    def changed(
        self, position: Tensor, recipe: Recipe, seed: int, device: torch.device
    ) -> tuple[Tensor, VolumeTruth]:
        """Return windows (B, 1, d, h, w) of volumes (B,), changed at random, with their truth."""
        rng = torch.Generator().manual_seed(seed)
        maps = [
            augment_3d.random_map(self.boxes[i], recipe.input.shape, recipe.augment, rng)
            for i in position.tolist()
        ]
        off = recipe.input.box_error_mm / recipe.input.voxel_mm
        moved = off * (2 * torch.rand(len(position), 2, 3, generator=rng) - 1) if off else 0.0
        grey, truth = self._windows(position, maps, recipe, device, moved)
        return augment_3d.photometric(grey, recipe.augment, rng), truth

    def plain(self, position: Tensor, recipe: Recipe, device: torch.device) -> Tensor:
        """Return windows (B, 1, d, h, w) about the middle of the boxes of volumes (B,)."""
        maps = [self._plain_map(i, recipe) for i in position.tolist()]
        return self._windows(position, maps, recipe, device)[0]

    def _plain_map(self, position: int, recipe: Recipe) -> Tensor:
        box = self.boxes[position]
        return augment_3d.plain_map((box[0] + box[1] - 1) / 2, recipe.input.shape)

    def _windows(
        self,
        position: Tensor,
        maps: Sequence[Tensor],
        recipe: Recipe,
        device: torch.device,
        off: Tensor | float = 0.0,
    ) -> tuple[Tensor, VolumeTruth]:
        """Return windows of volumes under maps; `off` (B, 2, 3) moves the sides of their boxes."""
        size = recipe.input.shape
        grey, masks, ends = [], [], []
        boxes = self.boxes[position] + off
        for i, matrix, box in zip(position.tolist(), maps, boxes, strict=True):
            levels = np.stack(self.cache.volume(i))  # (2, D, H, W)
            if recipe.input.black_beyond:
                levels[0] = _only(levels[0], box)
            moved = augment_3d.warp(torch.from_numpy(levels).to(device), matrix.to(device), size)
            grey.append(moved[:1])
            masks.append((moved[1:] > 0.5).float())
            known = torch.from_numpy(self.cache.ends[i]).float()
            ends.append(augment_3d.mapped(known, matrix))
        truth = VolumeTruth(torch.stack(masks), torch.stack(ends).to(device))
        return torch.stack(grey), truth

    def seen(self, position: int, recipe: Recipe, outputs: Meanings, maps: Maps) -> Seen:
        """Measure one window about the true box, from the outputs of a network.

        The predictor's box is found, not known, and beyond it the predictor sees black, where this
        window shows what is there. What is missed: of the mask 1 less its Dice, of the ends their
        mean displacement as a share of the length.
        """
        size, voxel_mm = recipe.input.shape, recipe.input.voxel_mm
        index = torch.tensor([position])
        matrices = [self._plain_map(position, recipe)]
        truth = self._windows(index, matrices, recipe, torch.device("cpu"))[1]
        ends, spacing = truth.ends[0].numpy().astype(float), (voxel_mm,) * 3
        length = self.rows[position].truth_mm["FL"]
        misses, found_mm = {}, None
        for name, meaning in outputs.items():
            if meaning["kind"] == "solid":
                misses["mask"] = 1 - dice(maps[name][0] > 0, truth.mask[0, 0].numpy() > 0.5)
            if meaning["kind"] == "solid-ends":
                found = choose_ends(maps[name], voxel_mm)
                score = (
                    missed_ends(ends, size, spacing)
                    if found is None
                    else score_ends(found, ends, spacing)
                )
                misses["ends"] = float(np.mean(score.displacements_mm)) / length
                found_mm = length + score.length_error_mm
        return Seen("femur", length if found_mm is not None else None, found_mm, None, misses)


def _only(voxels: NDArray[np.uint8], box: Tensor) -> NDArray[np.uint8]:
    """Return a volume (D, H, W) with black beyond a box (2, 3)."""
    limits = zip(*box.round().int().tolist(), strict=True)
    inside = tuple(slice(max(0, low), max(0, high)) for low, high in limits)
    kept = np.zeros_like(voxels)
    kept[inside] = voxels[inside]
    return kept


def _box(mask: Mask, recipe: Recipe) -> NDArray[np.int64]:
    """Return what of a volume the network is shown: (2, 3), start and stop."""
    depth, rows, cols = mask.shape
    shape: Shape3d = (depth, rows, cols)
    if not recipe.input.roi:
        return np.array([(0, 0, 0), shape])
    margin = round(recipe.input.margin_mm / recipe.input.voxel_mm)
    box = bounding_box(mask).grown(margin, shape)
    return np.array([box.start, box.stop])
