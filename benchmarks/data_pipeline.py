"""Whether loading and augmenting keep up with the step, and how long a training takes to get good.

    python benchmarks/data_pipeline.py [--recipe recipes/hc18_head.toml] [--set input.size=[64,96]]
    python benchmarks/data_pipeline.py --run runs/NAME --adf 3.0

The first prints samples a second of reading the pictures (once, into the cache), of reading the
cache (once a run), of augmentation with its truth, and of the step: network, losses, backward,
optimiser; on the CPU, and on a GPU where there is one. Pictures are phantoms. Machines are noisy,
so compare only numbers of one run: the last column is the share of the step's time. The second
reads a run's logs: after how many minutes, validations included, the mean absolute difference on
the validation side, measured at the cache's scale, was first so low.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fetometry.training import augment
from fetometry.training.data import Row, cache, phantoms
from fetometry.training.heads import build_heads, learned_by
from fetometry.training.pictures import Pictures
from fetometry.training.recipe import Component, Recipe, read_recipe
from fetometry.training.system import System

ROOT = Path(__file__).resolve().parents[1]


def seconds(work: Callable[[], object], times: int, device: str = "cpu") -> float:
    """Return the median time of a piece of work, in seconds; a GPU is waited for."""
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def without_weights(recipe: Recipe) -> Recipe:
    """Return a recipe that starts from nothing: only its speed is asked."""
    options = {**recipe.network.options}
    if "encoder_weights" in options:
        options["encoder_weights"] = "none"
    return dataclasses.replace(recipe, network=Component(recipe.network.name, options))


def drawn(recipe: Recipe, folder: Path, count: int) -> list[Row]:
    """Draw so many phantoms or a few more, of the planes that the recipe trains on."""
    planes = recipe.data.planes or tuple(phantoms.DRAWN)
    patients = max(phantoms.FEWEST, -(-count // len(planes)))
    return phantoms.write(folder, patients, recipe.fit.seed, planes=planes)


def system_of(recipe: Recipe, pictures: Pictures) -> System:
    """Build network and heads of a recipe, with the pictures to train on."""
    maps = augment.identity(len(pictures.rows), recipe.data.cache_size, recipe.input.size)
    truth = pictures.truth.mapped(maps, recipe.input.size)
    learned = learned_by(build_heads(recipe.heads), truth)
    system = System(recipe, {"train": pictures}, build_heads(recipe.heads, learned))
    system.network.to(memory_format=torch.channels_last)
    return system.train()


def half(recipe: Recipe, device: str) -> AbstractContextManager[object]:
    """Return the precision that the network runs in."""
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    kind = kinds.get(recipe.fit.precision)
    return nullcontext() if kind is None else torch.autocast(device, kind)


def measured(recipe: Recipe, pictures: Pictures, device: str, times: int) -> tuple[float, float]:
    """Return the seconds of augmenting a batch and of a step on it."""
    system = system_of(recipe, pictures).to(device)
    weights = [weight for weight in system.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, recipe.fit.learning_rate)
    index = torch.arange(recipe.fit.batch_size) % len(pictures.rows)

    def augmented() -> object:
        return system.augmented(index, 0)

    image, truth = system.augmented(index, 0)

    def step() -> None:
        optimiser.zero_grad()
        with half(recipe, device):
            outputs = system(image)
        losses = [
            head.weight * head.loss(outputs[name], truth) for name, head in system.heads.items()
        ]
        torch.stack(losses).sum().backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()

    return seconds(augmented, times, device), seconds(step, times, device)


def line(device: str, what: str, rate: float, step: float) -> str:
    """Return a line of the table: samples a second, and the share of the step's time."""
    return f"| {device} | {what} | {rate:.1f} | {step / rate:.2f} |"


def rates(recipe: Recipe, rows: list[Row], folder: Path, times: int) -> list[str]:
    """Return the lines of the table."""
    count, batch, size = len(rows), recipe.fit.batch_size, recipe.data.cache_size
    began = time.perf_counter()
    cache.load(rows, size, folder)
    built = time.perf_counter() - began
    read = seconds(lambda: cache.load(rows, size, folder), times)
    pictures = Pictures.load(rows, recipe, folder)
    lines = []
    for device in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
        changed, stepped = measured(recipe, pictures, device, times)
        step = batch / stepped
        lines += [
            line(device, "reading pictures into the cache, once", count / built, step),
            line(device, "reading the cache, once a run", count / read, step),
            line(device, "augmentation, every step", batch / changed, step),
            line(device, "the step", step, step),
        ]
    return lines


def minutes_to(run: Path, name: str, limit: float) -> str:
    """Return after how many minutes a logged number was first at or below a limit, in words.

    Each start of a run has its own event file; the pause between two of them is not counted.
    """
    files = sorted((run / "logs" / "tensorboard").glob("events.out.tfevents.*"))
    if not files:
        raise SystemExit(f"{run}: holds no logs/tensorboard; is it the folder of a run?")
    before, best, epochs = 0.0, float("inf"), 0
    for path in files:
        events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        known = events.Tags()["scalars"]
        found = events.Scalars(name) if name in known else []
        start = events.FirstEventTimestamp()
        for event in found:
            epochs += 1
            best = min(best, event.value)
            if event.value <= limit:
                minutes = (before + event.wall_time - start) / 60
                return f"{name} {event.value:.2f} in epoch {epochs}, after {minutes:.1f} minutes"
        last = max((events.Scalars(tag)[-1].wall_time for tag in known), default=start)
        before += last - start
    return f"{name} never fell to {limit:g}: {best:.2f} at best in {epochs} epochs"


def main() -> None:
    """Print the table, or the time to a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "hc18_head.toml")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--adf", type=float, default=3.0)
    parser.add_argument("--name", default="val_HC_mm", help="as logged, such as val_AC_mm")
    asked = parser.parse_args()
    if asked.run is not None:
        print(minutes_to(asked.run, asked.name, asked.adf))
        return
    recipe = without_weights(read_recipe(asked.recipe, asked.set))
    with tempfile.TemporaryDirectory() as name:
        rows = drawn(recipe, Path(name) / "phantoms", asked.images)
        height, width = recipe.input.size
        print(
            f"{recipe.name}: {height} x {width}, batches of {recipe.fit.batch_size}, "
            f"{recipe.fit.precision}, {torch.get_num_threads()} threads\n"
        )
        print("| device | what | samples/s | share of the step's time |\n|---|---|---|---|")
        print("\n".join(rates(recipe, rows, Path(name) / "cache", asked.times)))


if __name__ == "__main__":
    main()
