"""The training loop: one for every recipe. It never asks which paper it is running."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fetometry.errors import DataError, MeasurementError, RecipeError
from fetometry.geometry import compose, fit_ellipse, letterbox
from fetometry.predict.decode import mask_outline, output_to_source
from fetometry.training import augment
from fetometry.training.augment import Ellipses
from fetometry.training.data import Row, cache
from fetometry.training.heads import Truth, build_heads
from fetometry.training.nets import build_network
from fetometry.training.recipe import Component, Recipe, from_json

RECIPE_FILE = "recipe.json"
LAST, BEST = "last.ckpt", "best.ckpt"


@dataclass(frozen=True)
class Pictures:
    """A side of a data set, whole, as tensors: pictures (N, H, W) and truth at cache scale."""

    pixels: Tensor
    truth: Ellipses
    rows: Sequence[Row]
    stored: cache.Cache

    @classmethod
    def load(cls, rows: Sequence[Row], recipe: Recipe, folder: Path) -> Pictures:
        """Read the rows' pictures through the cache."""
        if not rows:
            raise DataError(f"{recipe.data.dataset}: a side of the split is empty")
        stored = cache.load(rows, recipe.data.cache_size, folder)
        mapped = [
            row.ellipse.transformed(matrix)
            for row, matrix in zip(rows, stored.matrices, strict=True)
        ]
        truth = Ellipses(
            torch.tensor(np.array([e.center for e in mapped]), dtype=torch.float32),
            torch.tensor(np.array([e.shape for e in mapped]), dtype=torch.float32),
        )
        return cls(torch.from_numpy(stored.pixels), truth, rows, stored)


class _Positions(Dataset[int]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index


class _Shuffled(Sampler[list[int]]):
    """Batches in an order that depends on the seed and the epoch alone: a resumed run repeats."""

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed = count, min(batch_size, count), seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        rng = torch.Generator().manual_seed(1_000_003 * self.seed + self.epoch)
        order = torch.randperm(self.count, generator=rng).tolist()
        for step in range(len(self)):
            yield order[step * self.batch_size : (step + 1) * self.batch_size]


class System(lightning.LightningModule):
    """Network and heads of a recipe, its pictures, its optimiser, and its validation."""

    def __init__(self, recipe: Recipe, sides: Mapping[str, Pictures]) -> None:
        super().__init__()
        self.recipe, self.sides = recipe, sides
        self.heads = build_heads(recipe.heads)
        self.network = build_network(
            recipe.network, {name: head.channels for name, head in self.heads.items()}
        )
        self._errors: list[float] = []

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Map normalised inputs (B, 1, h, w) to named outputs."""
        return dict(self.network(image))

    def inputs(self, image: Tensor) -> Tensor:
        """Normalise grey values 0 to 255 as the recipe says."""
        normal = (image - self.recipe.input.mean) / self.recipe.input.std
        return normal.contiguous(memory_format=torch.channels_last)

    def training_step(self, index: Tensor, step: int) -> Tensor:
        """Augment a batch on the device, run it, and add up the heads' weighted losses."""
        side, recipe = self.sides["train"], self.recipe
        seed = (recipe.fit.seed * 1_000_003 + self.current_epoch) * 100_003 + step
        rng = torch.Generator().manual_seed(seed)
        size, position = recipe.input.size, index.cpu()
        maps = augment.random_maps(
            len(index), recipe.data.cache_size, (recipe.input, recipe.augment), rng
        ).to(self.device)
        image = augment.warp(side.pixels[position].to(self.device), maps, size)
        image = augment.photometric(image, recipe.augment, rng)
        here = Ellipses(side.truth.center[position], side.truth.shape[position])
        moved = Ellipses(here.center.to(self.device), here.shape.to(self.device)).mapped(maps)
        truth = Truth(moved, size)
        outputs = self(self.inputs(image))
        total = torch.zeros((), device=self.device)
        for name, head in self.heads.items():
            loss = head.loss(outputs[name], truth)
            self.log(f"loss_{name}", loss, on_step=False, on_epoch=True, batch_size=len(index))
            total = total + head.weight * loss
        self.log("loss", total, prog_bar=True, on_step=True, on_epoch=True, batch_size=len(index))
        return total

    def validation_step(self, index: Tensor, step: int) -> None:
        """Measure a batch as the predictor would, and keep the errors in mm."""
        side, size = self.sides["validation"], self.recipe.input.size
        maps = augment.identity(len(index), self.recipe.data.cache_size, size).to(self.device)
        image = augment.warp(side.pixels[index.cpu()].to(self.device), maps, size)
        outputs = self(self.inputs(image))
        for name, head in self.heads.items():
            if head.meaning()["kind"] == "mask":
                for position, logits in zip(index.tolist(), outputs[name].float(), strict=True):
                    level = logits[0].cpu().numpy()
                    self._errors.append(_difference_mm(level, side, position, size))

    def on_validation_epoch_end(self) -> None:
        """Log the mean absolute difference in mm (ADF) and its bias; failures count in full."""
        if self._errors:
            errors = torch.tensor(self._errors)
            self.log("val_adf_mm", errors.abs().mean(), prog_bar=True)
            self.log("val_bias_mm", errors.mean())
        self._errors = []

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
            self.parameters(), lr=fit.learning_rate, weight_decay=fit.weight_decay, **extra
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

    def train_dataloader(self) -> DataLoader[int]:
        """Positions in the training side; the pictures are already on the device's doorstep."""
        count, fit = len(self.sides["train"].rows), self.recipe.fit
        sampler = _Shuffled(count, fit.batch_size, fit.seed)
        sampler.set_epoch(self.current_epoch)
        return DataLoader(_Positions(count), batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[int]:
        """Positions in the validation side."""
        count = len(self.sides["validation"].rows)
        return DataLoader(_Positions(count), batch_size=self.recipe.fit.batch_size)


def _difference_mm(logits: Any, side: Pictures, position: int, size: tuple[int, int]) -> float:
    """Return measured minus true circumference; a failure has the whole truth as its error."""
    row, stored = side.rows[position], side.stored
    truth = row.ellipse.scaled(*row.spacing_mm).circumference
    canvas = (stored.pixels.shape[1], stored.pixels.shape[2])
    to_input = compose(letterbox(canvas, size), stored.matrices[position])
    to_source = output_to_source(to_input, size[0] / logits.shape[0])
    shape = (int(stored.shapes[position, 0]), int(stored.shapes[position, 1]))
    try:
        ellipse = fit_ellipse(mask_outline(logits, to_source, shape).points).ellipse
    except MeasurementError:
        return -truth
    return ellipse.scaled(*row.spacing_mm).circumference - truth


def start(recipe: Recipe, rows: Sequence[Row], run: Path, *, quiet: bool = False) -> Path:
    """Train a recipe in the folder `run`, or go on where a killed run stopped.

    Returns the checkpoint with the lowest validation ADF in mm.

    Raises:
        RecipeError: the folder holds a run of another recipe, or the recipe does not build.
        DataError: a side of the split is empty.
    """
    run.mkdir(parents=True, exist_ok=True)
    _claim(run, recipe)
    lightning.seed_everything(recipe.fit.seed, verbose=False)
    sides = {
        side: Pictures.load(chosen, recipe, run / "cache")
        for side in ("train", "validation")
        if (chosen := side_rows(recipe, rows, side)) is not None
    }
    system = System(recipe, sides)
    if recipe.fit.start_from:
        state = torch.load(recipe.fit.start_from, map_location="cpu", weights_only=False)
        system.load_state_dict(state["state_dict"])
    system.network.to(memory_format=torch.channels_last)
    trainer = lightning.Trainer(
        max_epochs=recipe.fit.epochs,
        precision=recipe.fit.precision,  # type: ignore[arg-type]
        callbacks=_callbacks(recipe, run),
        logger=_loggers(run),
        enable_progress_bar=not quiet,
        enable_model_summary=not quiet,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=10,
        gradient_clip_val=1.0,
        default_root_dir=run,
    )
    last = run / LAST
    trainer.fit(system, ckpt_path=str(last) if last.is_file() else None, weights_only=False)
    return run / BEST


def side_rows(recipe: Recipe, rows: Sequence[Row], side: str) -> list[Row]:
    """Return the rows of one side, by the fixed split or by the recipe's fold."""
    data = recipe.data
    if data.fold < 0:
        chosen = [row for row in rows if row.split == side]
    else:
        chosen = [row for row in rows if row.split_in_fold(data.fold, data.folds) == side]
    return chosen[: data.limit] if data.limit and side == "train" else chosen


def _claim(run: Path, recipe: Recipe) -> None:
    path = run / RECIPE_FILE
    if path.is_file() and json.loads(path.read_text()) != json.loads(recipe.as_json()):
        raise RecipeError(f"{run} holds a run of another recipe; choose another --out")
    path.write_text(recipe.as_json() + "\n")


def _callbacks(recipe: Recipe, run: Path) -> list[Callback]:
    callbacks: list[Callback] = []
    if recipe.fit.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=recipe.fit.ema_decay))
    # "save_last" of one callback writes only when the best improves: a killed run would lose more
    last = ModelCheckpoint(dirpath=run, filename="last", enable_version_counter=False)
    best = ModelCheckpoint(
        dirpath=run,
        filename="best",
        monitor="val_adf_mm",
        mode="min",
        enable_version_counter=False,
    )
    return [*callbacks, best, last]


def _loggers(run: Path) -> list[Logger]:
    # one version a run, so that a resumed run goes on in the same files
    return [
        CSVLogger(run, name="logs", version="csv"),
        TensorBoardLogger(run, name="logs", version="tensorboard"),
    ]


def load(run: Path, checkpoint: str = BEST) -> tuple[Recipe, torch.nn.Module]:
    """Return the recipe of a run and its network with the checkpoint's weights, ready to export.

    Raises:
        RecipeError: the folder holds no such run.
    """
    path = run / checkpoint
    if not path.is_file():
        raise RecipeError(f"{run}: holds no {checkpoint}; has the training run?")
    recipe = from_json((run / RECIPE_FILE).read_text(), str(run))
    system = System(_without_weights(recipe), {})
    state = torch.load(path, map_location="cpu", weights_only=False)
    system.load_state_dict(state["state_dict"])
    return recipe, system.network.eval()


def _without_weights(recipe: Recipe) -> Recipe:
    """The checkpoint holds every weight: nothing is to be fetched for it again."""
    options = {**recipe.network.options}
    if "encoder_weights" in options:
        options["encoder_weights"] = "none"
    return dataclasses.replace(recipe, network=Component(recipe.network.name, options))
