"""The training loop: one for every recipe. It never asks which paper it is running."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor

from fetometry.errors import OutputError, RecipeError
from fetometry.geometry import compose, letterbox
from fetometry.training import augment
from fetometry.training.augment import Ellipses
from fetometry.training.data import Row
from fetometry.training.heads import Truth, build_heads
from fetometry.training.nets import build_network
from fetometry.training.pictures import Batches, Pictures, drawn, mixed_seed, shuffled
from fetometry.training.recipe import Component, Recipe, from_json
from fetometry.training.validate import Reader, Seen, summary

RECIPE_FILE, FACTS_FILE = "recipe.json", "facts.json"
LAST, BEST = "last.ckpt", "best.ckpt"

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class System(lightning.LightningModule):
    """Network and heads of a recipe, its pictures, its optimiser, and its validation."""

    def __init__(self, recipe: Recipe, sides: Mapping[str, Pictures]) -> None:
        super().__init__()
        self.recipe, self.sides = recipe, sides
        self.heads = build_heads(recipe.heads)
        self.network = build_network(
            recipe.network, {name: head.output for name, head in self.heads.items()}
        )
        self._reader = Reader(
            {name: head.meaning() for name, head in self.heads.items()}, recipe.input.size
        )
        self._seen: list[Seen] = []

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
        image = augment.warp(side.pixels[position].to(self.device), maps, size)
        image = augment.photometric(image, recipe.augment, rng)
        truth = side.truth
        ellipses = Ellipses(truth.ellipses.center[position], truth.ellipses.shape[position])
        there = Ellipses(ellipses.center.to(self.device), ellipses.shape.to(self.device))
        moved = Truth(
            there.mapped(maps),
            truth.has_ellipse[position].to(self.device),
            augment.mapped(truth.ends[position].to(self.device), maps),
            truth.has_ends[position].to(self.device),
            truth.classes[position].to(self.device),
            size,
        )
        return self.inputs(image), moved

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


def start(recipe: Recipe, rows: Sequence[Row], run: Path, *, quiet: bool = False) -> Path:
    """Train a recipe in the folder `run`, or go on where a killed run stopped.

    Returns the checkpoint with the lowest mean absolute difference on the validation side.

    Raises:
        RecipeError: the folder holds a run of another recipe, or the recipe does not build.
        DataError: a side of the split is empty.
        OutputError: the folder cannot be written to.
    """
    if recipe.fit.precision not in PRECISIONS:
        raise RecipeError(f"[fit]: precision must be one of {', '.join(PRECISIONS)}")
    try:
        run.mkdir(parents=True, exist_ok=True)
        _claim(run, recipe)
    except OSError as error:
        raise OutputError(f"{run}: cannot be written ({error.strerror})") from None
    sides = {
        side: Pictures.load(side_rows(recipe, rows, side), recipe, run / "cache")
        for side in ("train", "validation")
    }
    _write(run / FACTS_FILE, json.dumps({"data": _counts(recipe, sides)}, sort_keys=True))
    # the caller's random numbers are left as they were
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(mixed_seed(recipe.fit.seed))
        system = _build(recipe, sides, run)
        trainer = _trainer(system, run, quiet)
        # before the weights are averaged: their copy stays where the network is at that time
        system.to(trainer.strategy.root_device)
        last = run / LAST
        trainer.fit(system, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
    return run / BEST


def _build(recipe: Recipe, sides: Mapping[str, Pictures], run: Path) -> System:
    """Build the system with the weights it starts from; a resumed run brings its own."""
    resumed, start_from = (run / LAST).is_file(), recipe.fit.start_from
    system = System(_without_weights(recipe) if resumed or start_from else recipe, sides)
    if start_from and not resumed:
        _fill(system, Path(start_from).expanduser(), new_outputs=True)
    system.network.to(memory_format=torch.channels_last)
    return system


def _trainer(system: System, run: Path, quiet: bool) -> lightning.Trainer:
    recipe = system.recipe
    return lightning.Trainer(
        max_epochs=recipe.fit.epochs,
        precision=recipe.fit.precision,  # type: ignore[arg-type]
        devices=1,  # more would share out the batches, and each would measure a part
        callbacks=_callbacks(recipe, run),
        logger=_loggers(run),
        enable_progress_bar=not quiet,
        enable_model_summary=not quiet,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=min(10, len(system.train_dataloader())),
        gradient_clip_val=1.0,
        default_root_dir=run,
    )


def side_rows(recipe: Recipe, rows: Sequence[Row], side: str) -> list[Row]:
    """Return the rows of one side, by the fixed split or by the recipe's fold."""
    data = recipe.data
    if data.fold < 0:
        chosen = [row for row in rows if row.split == side]
    else:
        chosen = [row for row in rows if row.split_in_fold(data.fold, data.folds) == side]
    if data.without_machine:
        chosen = [row for row in chosen if row.machine != data.without_machine]
    return chosen[: data.limit] if data.limit and side == "train" else chosen


def _counts(recipe: Recipe, sides: Mapping[str, Pictures]) -> dict[str, Any]:
    """Return what the run was trained on, for the model's metadata."""
    numbers = {
        side: {"images": len(of.rows), "groups": len({row.group for row in of.rows})}
        for side, of in sides.items()
    }
    return {"dataset": recipe.data.dataset, **numbers}


def _claim(run: Path, recipe: Recipe) -> None:
    path, text = run / RECIPE_FILE, recipe.as_json() + "\n"
    if not path.is_file():
        _write(path, text)
    elif path.read_text(encoding="utf-8") != text:
        raise RecipeError(f"{run} holds a run of another recipe; choose another --out")


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _callbacks(recipe: Recipe, run: Path) -> list[Callback]:
    callbacks: list[Callback] = []
    if recipe.fit.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=recipe.fit.ema_decay))
    # "save_last" of one callback writes only when the best improves: a killed run would lose more
    last = ModelCheckpoint(dirpath=run, filename="last", enable_version_counter=False)
    best = ModelCheckpoint(
        dirpath=run,
        filename="best",
        monitor="val_error",
        mode="min",
        enable_version_counter=False,
    )
    return [*callbacks, best, last]


def _loggers(run: Path) -> list[Logger]:
    # the CSV logger deletes what it finds in its folder, so each start of a run has its own
    return [
        CSVLogger(run, name="logs/csv"),
        TensorBoardLogger(run, name="logs", version="tensorboard"),
    ]


def load(run: Path, checkpoint: str = BEST) -> tuple[Recipe, torch.nn.Module]:
    """Return the recipe of a run and its network with the checkpoint's weights, ready to export.

    Raises:
        RecipeError: the folder holds no such run.
    """
    for name in (RECIPE_FILE, checkpoint):
        if not (run / name).is_file():
            raise RecipeError(f"{run}: holds no {name}; has the training run?")
    recipe = from_json((run / RECIPE_FILE).read_text(encoding="utf-8"), str(run))
    system = System(_without_weights(recipe), {})
    _fill(system, run / checkpoint)
    return recipe, system.network.eval()


def _state(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint's weights.

    Raises:
        RecipeError: it is not a checkpoint.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        return dict(stored["state_dict"])
    except (OSError, EOFError, KeyError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise RecipeError(f"{path}: not a checkpoint of this network ({reason})") from None


def _fill(system: System, path: Path, *, new_outputs: bool = False) -> None:
    """Load a checkpoint's weights into a system; of its outputs either may have more.

    Raises:
        RecipeError: it is not a checkpoint, or not one of this recipe's network.
    """
    state = _state(path)
    try:
        result = system.load_state_dict(state, strict=not new_outputs)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(f"{path}: not a checkpoint of this network ({reason})") from None
    for verb, names in (("lacks", result.missing_keys), ("has", result.unexpected_keys)):
        others = [name for name in names if not name.startswith("network.outputs.")]
        if others:
            raise RecipeError(f"{path}: not a checkpoint of this network (it {verb} {others[0]})")


def _without_weights(recipe: Recipe) -> Recipe:
    """The checkpoint holds every weight: nothing is to be fetched for it again."""
    options = {**recipe.network.options}
    if "encoder_weights" in options:
        options["encoder_weights"] = "none"
    return dataclasses.replace(recipe, network=Component(recipe.network.name, options))
