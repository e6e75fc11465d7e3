"""What is trained: network and heads of a recipe, its data, its optimiser, its validation.

It never asks which paper it is running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor

from fetometry.errors import RecipeError
from fetometry.training.adversary import Opponent, build_opponent
from fetometry.training.heads import Head, build_heads, check_heads
from fetometry.training.nets import build_network
from fetometry.training.order import Batches, drawn, mixed_seed, shuffled
from fetometry.training.recipe import Recipe
from fetometry.training.side import Side
from fetometry.training.validate import Seen, summary


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
    """Network and heads of a recipe, its data, its optimiser, and its validation."""

    def __init__(
        self,
        recipe: Recipe,
        sides: Mapping[str, Side],
        heads: Mapping[str, Head] | None = None,
    ) -> None:
        super().__init__()
        self.recipe, self.sides = recipe, sides
        check_heads(recipe)
        self.heads = build_heads(recipe.heads) if heads is None else heads
        self.network = build_network(
            recipe.network,
            {name: head.output for name, head in self.heads.items()},
            recipe.input.shape,
        )
        freeze(self.network, recipe.fit.trainable)
        self.opponent = build_opponent(recipe.adversary, self.heads)
        self._meanings = {name: head.meaning() for name, head in self.heads.items()}
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
        volumes = normal.dim() == 5
        layout = torch.channels_last_3d if volumes else torch.channels_last
        return normal.contiguous(memory_format=layout)

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
            if self.opponent is not None and self.current_epoch >= self.opponent.from_epoch:
                total = total + self._found_out(self.opponent, outputs, truth)
        self.log("loss", total, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(index))
        return total

    def _found_out(self, opponent: Opponent, outputs: Mapping[str, Tensor], truth: Any) -> Tensor:
        """Teach the opponent this batch, and return what being found out costs the network."""
        lesson, loss = opponent.play(outputs, truth)
        count = len(outputs["mask"])
        for name, value in (("loss_opponent", lesson), ("loss_adversarial", loss.detach())):
            self.log(name, value, on_step=False, on_epoch=True, batch_size=count)
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how the opponent learns beside its weights."""
        if self.opponent is not None:
            checkpoint["opponent"] = self.opponent.optimiser.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on teaching the opponent where it was."""
        if self.opponent is not None and "opponent" in checkpoint:
            self.opponent.optimiser.load_state_dict(checkpoint["opponent"])

    def augmented(self, index: Tensor, seed: int) -> tuple[Tensor, Any]:
        """Return training inputs (B, 1, ...) at positions (B,), changed at random, with truth."""
        grey, truth = self.sides["train"].changed(index.cpu(), self.recipe, seed, self.device)
        return self.inputs(grey), truth

    def validation_step(self, index: Tensor, step: int) -> None:
        """Measure a batch as the predictor would, each image in its own plane."""
        side = self.sides["validation"]
        with self.exactly():
            grey = side.plain(index.cpu(), self.recipe, self.device)
        outputs = {name: o.float().cpu().numpy() for name, o in self(self.inputs(grey)).items()}
        for k, position in enumerate(index.tolist()):
            maps_of = {name: output[k] for name, output in outputs.items()}
            self._seen.append(side.seen(position, self.recipe, self._meanings, maps_of))

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
            [weight for weight in self.network.parameters() if weight.requires_grad],
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
