"""The training loop: one for every recipe. It never asks which paper it is running."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor

from fetometry.errors import OutputError, RecipeError
from fetometry.training.data import AnyRow
from fetometry.training.heads import Head, build_heads, check_heads, learned_by
from fetometry.training.order import mixed_seed
from fetometry.training.recipe import Component, Recipe, from_json
from fetometry.training.side import Side, load_side
from fetometry.training.system import System

RECIPE_FILE, FACTS_FILE = "recipe.json", "facts.json"
LAST, BEST = "last.ckpt", "best.ckpt"

AnyRowT = TypeVar("AnyRowT", bound=AnyRow)

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def start(
    recipe: Recipe,
    rows: Sequence[AnyRow],
    run: Path,
    *,
    quiet: bool = False,
    cache: Path | None = None,
) -> Path:
    """Train a recipe in the folder `run`, or go on where a killed run stopped.

    `cache` is a folder of pictures at training scale that several runs share; without one the
    run keeps its own.

    Returns the checkpoint with the lowest mean absolute difference on the validation side.

    Raises:
        RecipeError: the folder holds a run of another recipe, or the recipe does not build.
        DataError: a side of the split is empty.
        OutputError: the folder cannot be written to.
    """
    if recipe.fit.precision not in PRECISIONS:
        raise RecipeError(f"[fit]: precision must be one of {', '.join(PRECISIONS)}")
    check_heads(recipe)
    try:
        run.mkdir(parents=True, exist_ok=True)
        _claim(run, recipe)
    except OSError as error:
        raise OutputError(f"{run}: cannot be written ({error.strerror})") from None
    sides = {
        side: load_side(side_rows(recipe, rows, side), recipe, cache or run / "cache")
        for side in ("train", "validation")
    }
    learned = learned_by(build_heads(recipe.heads), sides["train"].at_input(recipe))
    facts = {"data": _counts(recipe, sides), **({"learned": learned} if learned else {})}
    _write(run / FACTS_FILE, json.dumps(facts, sort_keys=True))
    # the caller's random numbers are left as they were
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(mixed_seed(recipe.fit.seed))
        system = _build(recipe, sides, run, build_heads(recipe.heads, learned))
        trainer = _trainer(system, run, quiet)
        # before the weights are averaged: their copy stays where the network is at that time
        system.to(trainer.strategy.root_device)
        last = run / LAST
        trainer.fit(system, ckpt_path=str(last) if last.is_file() else None, weights_only=True)
    return run / BEST


def _build(
    recipe: Recipe, sides: Mapping[str, Side], run: Path, heads: Mapping[str, Head]
) -> System:
    """Build the system with the weights it starts from; a resumed run brings its own."""
    resumed, start_from = (run / LAST).is_file(), recipe.fit.start_from
    system = System(_without_weights(recipe) if resumed or start_from else recipe, sides, heads)
    if start_from and not resumed:
        _fill(system, Path(start_from).expanduser(), new_outputs=True)
    _lay_out(system.network)
    return system


def _lay_out(network: torch.nn.Module) -> None:
    """Lay the weights of convolutions out with their channels last, as the inputs are."""
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in network.parameters():
        if weight.dim() in layouts:
            weight.data = weight.data.contiguous(memory_format=layouts[weight.dim()])


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


def side_rows(recipe: Recipe, rows: Sequence[AnyRowT], side: str) -> list[AnyRowT]:
    """Return the rows of one side, by the fixed split or by the recipe's fold."""
    data = recipe.data
    if data.fold < 0:
        chosen = [row for row in rows if row.split == side]
    else:
        chosen = [row for row in rows if row.split_in_fold(data.fold, data.folds) == side]
    if data.planes:
        chosen = [row for row in chosen if row.plane in data.planes]
    if data.measured_only:
        chosen = [row for row in chosen if row.truth_mm]
    if data.without_machine:
        chosen = [row for row in chosen if row.machine != data.without_machine]
    return spread(chosen, data.limit) if data.limit and side == "train" else chosen


def spread(rows: Sequence[AnyRowT], count: int) -> list[AnyRowT]:
    """Return so many of the rows, evenly from first to last: data sets may be sorted by size."""
    step = max(1.0, len(rows) / count)
    return [rows[int(i * step)] for i in range(min(count, len(rows)))]


def _counts(recipe: Recipe, sides: Mapping[str, Side]) -> dict[str, Any]:
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
    elif from_json(path.read_text(encoding="utf-8"), str(path)) != recipe:
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
    system = System(_without_weights(recipe), {}, heads_of(run, recipe))
    _fill(system, run / checkpoint)
    return recipe, system.network.eval()


def heads_of(run: Path, recipe: Recipe) -> dict[str, Head]:
    """Return the heads of a run, with what they learned of its training side."""
    return build_heads(recipe.heads, run_facts(run).get("learned"))


def run_facts(run: Path) -> dict[str, Any]:
    """Return what a run wrote about itself."""
    path = run / FACTS_FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


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


#: What a run that starts from another's weights may have anew: outputs, and who judges them.
_REPLACEABLE = ("network.outputs.", "opponent.")


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
        others = [name for name in names if not name.startswith(_REPLACEABLE)]
        if others:
            raise RecipeError(f"{path}: not a checkpoint of this network (it {verb} {others[0]})")


def _without_weights(recipe: Recipe) -> Recipe:
    """The checkpoint holds every weight: nothing is to be fetched for it again."""
    options = {**recipe.network.options}
    if "encoder_weights" in options:
        options["encoder_weights"] = "none"
    return dataclasses.replace(recipe, network=Component(recipe.network.name, options))
