"""What is trained: network and heads of a recipe, its pictures, its optimiser, its validation.

It never asks which paper it is running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor

from fetometry.errors import RecipeError
from fetometry.geometry import compose, letterbox
from fetometry.training import augment
from fetometry.training.heads import Head, Truth, build_heads
from fetometry.training.nets import build_network
from fetometry.training.pictures import Batches, Pictures, drawn, mixed_seed, shuffled
from fetometry.training.recipe import Recipe
from fetometry.training.validate import Reader, Seen, summary


def freeze(network: torch.nn.Module, trainable: Sequence[str]) -> None:
    """Freeze all parameters but those whose name begins with one of the prefixes; none: all train.

    Raises:
        RecipeError: a prefix names no part of the network.
    """
    names = [name for name, _ in network.named_parameters()]
    for prefix in trainable:
        if not any(name.startswith(prefix) for name in names):
            parts = ", ".join(sorted({name.partition(".")[0] for name in names}))
            raise RecipeError(f"[fit]: trainable {prefix!r} is no part of the network ({parts})")
    if trainable:
        for name, weight in network.named_parameters():
            weight.requires_grad_(name.startswith(tuple(trainable)))


class System(lightning.LightningModule):
    """Network and heads of a recipe, its pictures, its optimiser, and its validation."""

    def __init__(
        self,
        recipe: Recipe,
        sides: Mapping[str, Pictures],
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        super().__init__()
        self.recipe, self.sides = recipe, sides
        self.heads = build_heads(recipe.heads) if heads is None else heads
        self.network = build_network(
            recipe.network,
            {name: head.output for name, head in self.heads.items()},
            recipe.input.size,
        )
        freeze(self.network, recipe.fit.trainable)
        self._reader = Reader(
            {name: head.meaning() for name, head in self.heads.items()}, recipe.input.size
        )
        self._seen: list[Seen] = []

    def train(self, mode: bool = True) -> System:
        """Switch between training and judging; what is frozen keeps its statistics in both."""
        super().train(mode)
        for module in self.network.modules():
            own = list(module.parameters())
            if own and not any(weight.requires_grad for weight in own):
                module.eval()
        return self

    def on_train_epoch_start(self) -> None:
        """Set the modes: the trainer keeps those that it finds, and a new network trains whole."""
        self.train()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map normalised inputs (B, 1, h, w) to named outputs."""
        return dict(self.network(image))

    def inputs(self, image: Tensor) -> Tensor:
        """Normalise grey values 0 to 255 as the recipe says."""
        normal = (image - self.recipe.input.mean) / self.recipe.input.std
        return normal.contiguous(memory_format=torch.channels_last)

    def exactly(self) -> torch.autocast:
        """Return the context of everything but the network: half precision cannot count pixels."""
        return torch.autocast(self.device.type, enabled=False)

    def training_step(self, index: Tensor, step: int) -> Tensor:
        """Augment a batch on the device, run it, and add up the heads' weighted losses."""
        seed = mixed_seed(self.recipe.fit.seed, self.current_epoch, step)
        # layers that draw numbers, such as dropout, draw the same ones after a resume
        torch.manual_seed(seed)
        with self.exactly():
            image, truth = self.augmented(index, seed)
        outputs = self(image)
        with self.exactly():
            total = torch.zeros((), device=self.device)
            for name, head in self.heads.items():
                loss = head.loss(outputs[name], truth)
                self.log(f"loss_{name}", loss, on_step=False, on_epoch=True, batch_size=len(index))
                total = total + head.weight * loss
        self.log("loss", total, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(index))
        return total

    def augmented(self, index: Tensor, seed: int) -> tuple[Tensor, Truth]:
        """Return training inputs (B, 1, h, w) at positions (B,), changed at random, with truth."""
        side, recipe = self.sides["train"], self.recipe
        rng = torch.Generator().manual_seed(seed)
        size, position = recipe.input.size, index.cpu()
        maps = augment.random_maps(
            len(index), recipe.data.cache_size, (recipe.input, recipe.augment), rng
        ).to(self.device)
        known = side.truth.at(position).to(self.device)
        if recipe.augment.keep_whole:
            maps = self._unless_cut(maps, known)
        image = augment.warp(side.pixels[position].to(self.device), maps, size)
        image = augment.photometric(image, recipe.augment, rng)
        moved = known.mapped(maps, size)
        return self.inputs(image), moved

    def _unless_cut(self, maps: Tensor, known: Truth) -> Tensor:
        """Return the maps (B, 2, 3), but the plain ones where an ellipse would be cut by them."""
        size = self.recipe.input.size
        ellipses = known.ellipses.mapped(maps)
        cut = known.has_ellipse & ~augment.whole(ellipses, size)
        plain = augment.identity(len(maps), self.recipe.data.cache_size, size).to(maps.device)
        return torch.where(cut[:, None, None], plain, maps)

    def validation_step(self, index: Tensor, step: int) -> None:
        """Measure a batch as the predictor would, each image in its own plane."""
        side, size = self.sides["validation"], self.recipe.input.size
        with self.exactly():
            maps = augment.identity(len(index), self.recipe.data.cache_size, size).to(self.device)
            image = augment.warp(side.pixels[index.cpu()].to(self.device), maps, size)
        outputs = {name: o.float().cpu().numpy() for name, o in self(self.inputs(image)).items()}
        for k, position in enumerate(index.tolist()):
            maps_of = {name: output[k] for name, output in outputs.items()}
            row, stored = side.rows[position], side.stored
            to_input = compose(
                letterbox(self.recipe.data.cache_size, size), stored.matrices[position]
            )
            place = to_input, stored.shapes[position]
            self._seen.append(self._reader.compare(row, maps_of, place))

    def on_validation_epoch_end(self) -> None:
        """Log, for each plane, the mean absolute difference and bias in mm; failures count.

        `val_error` is the mean over the planes of the mean absolute difference in percent.
        """
        seen, self._seen = self._seen, []
        told = summary(seen)
        for name, value in told.items():
            self.log(name, value, prog_bar=name == "val_error")

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule by name."""
        fit = self.recipe.fit
        makers: dict[str, Any] = {
            "adamw": torch.optim.AdamW, "adam": torch.optim.Adam,
            "adamax": torch.optim.Adamax, "sgd": torch.optim.SGD,
        }  # fmt: skip
        if fit.optimiser not in makers:
            raise RecipeError(f"[fit]: optimiser must be one of {', '.join(makers)}")
        extra = {"momentum": 0.9} if fit.optimiser == "sgd" else {}
        optimiser = makers[fit.optimiser](
            [weight for weight in self.parameters() if weight.requires_grad],
            lr=fit.learning_rate,
            weight_decay=fit.weight_decay,
            **extra,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedules: dict[str, Any] = {
            "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimiser, 1.0),
            "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps),
            "onecycle": lambda: torch.optim.lr_scheduler.OneCycleLR(
                optimiser, fit.learning_rate, total_steps=steps + 1, pct_start=0.15
            ),
        }
        if fit.schedule not in schedules:
            raise RecipeError(f"[fit]: schedule must be one of {', '.join(schedules)}")
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedules[fit.schedule](), "interval": "step"},
        }

    def train_dataloader(self) -> Batches:
        """Positions in the training side, in an order of this epoch; a resumed run repeats it."""
        fit = self.recipe.fit
        rng = torch.Generator().manual_seed(mixed_seed(fit.seed, self.current_epoch))
        kinds = [row.kind for row in self.sides["train"].rows]
        return shuffled(drawn(kinds, self.recipe.data, rng), fit.batch_size, rng)

    def val_dataloader(self) -> Batches:
        """Positions in the validation side."""
        count = len(self.sides["validation"].rows)
        return Batches(torch.arange(count), self.recipe.fit.batch_size)
