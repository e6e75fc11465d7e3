"""One run of a sweep: train, export, judge, and say what it cost. Done once, it stays done.

A run's folder holds what `fit.start` writes, then `model.onnx`, then the results of every image,
then `curves.csv`, and last `run.json`, which says that all of it is there.
"""

from __future__ import annotations

import csv
import json
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from fetometry import predict
from fetometry.errors import FetometryError, MeasurementError, OutputError, RecipeError
from fetometry.image import read, read_volume
from fetometry.predict.catalogue import ModelInfo
from fetometry.training import baselines, data, evaluate, export, fit
from fetometry.training.cases import Case, write_cases
from fetometry.training.data import AnyRow
from fetometry.training.evaluate import AnyRowT
from fetometry.training.evaluate_volumes import evaluate_volumes, picture_rows, volume_rows
from fetometry.training.recipe import Recipe, from_json, read_recipe
from fetometry.training.sweep.records import CURVES, DONE, SIDES, run_file, write_text
from fetometry.training.sweep.spec import Run

Given = TypeVar("Given")

SCHEMA = "fetometry-run/1"
RUN_FILE, MODEL_FILE = "run.json", "model.onnx"
TIMER_FILE, TRACE_FILE = "timer.json", "failure.txt"
FAILED = "failed"
#: How many images, or volumes, tell how long one takes.
TIMED_IMAGES, TIMED_VOLUMES = 20, 3

#: What a run can fail with, from a wrong setting to a network from outside that does not work
#: or a full memory: the sweep goes on. An interruption is none of these.
FAILURES = (
    ArithmeticError, AttributeError, FetometryError, ImportError, LookupError, MemoryError,
    OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One run, and all that is needed to do it anywhere: it travels to other machines.

    `runs` is the folder of the sweep's runs. With `shares_cache` its runs read one cache of
    pictures, which is safe only one after another.
    """

    sweep: str
    budget: str
    run: Run
    recipe_path: Path
    routings: tuple[str, ...]
    runs: Path
    shares_cache: bool = True

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return self.runs / self.run.folder

    @property
    def cache(self) -> Path:
        """Where its pictures are kept at training scale."""
        return (self.runs if self.shares_cache else self.folder) / "cache"

    @cached_property
    def recipe(self) -> Recipe:
        """The resolved recipe, as its file was when it was first asked for."""
        return read_recipe(self.recipe_path, self.run.overrides, self.run.drop)

    @property
    def results(self) -> dict[tuple[str, str], Path]:
        """The file of the results of every image, by side and routing."""
        return {
            (side, routing): self.folder / run_file(side, routing)
            for side in SIDES
            for routing in self.routings
        }


@dataclass(frozen=True)
class Outcome:
    """What became of a run: the facts of its `run.json`, and whether it had been done before."""

    job: Job
    facts: dict[str, Any]
    kept: bool = False

    @property
    def failed(self) -> bool:
        """Tell whether it failed."""
        return bool(self.facts["status"] == FAILED)


def load_rows(dataset: str, folder: Path) -> list[AnyRow]:
    """Return the rows of a data set; `folder` is its own, or holds one of its name.

    Raises:
        DataError: the data set is unknown, or the folder does not hold it.
    """
    inside = folder / dataset
    return data.load(dataset, inside if inside.is_dir() else folder)


def finished(job: Job) -> dict[str, Any] | None:
    """Return the facts of a run that is done with the same recipe and has all its results.

    Raises:
        RecipeError: another recipe was trained in its folder; nothing of that is thrown away.
    """
    if not _is_of_this_recipe(job):
        if (job.folder / fit.LAST).is_file():
            raise RecipeError(
                f"{job.folder}: holds a run of another recipe; choose another folder for the "
                "runs, or remove this one"
            )
        return None
    path = job.folder / RUN_FILE
    if not path.is_file() or not all(result.is_file() for result in job.results.values()):
        return None
    facts = dict(json.loads(path.read_text(encoding="utf-8")))
    return facts if facts.get("status") == DONE else None


def _is_of_this_recipe(job: Job) -> bool:
    stored = job.folder / fit.RECIPE_FILE
    if not stored.is_file():
        return False
    return from_json(stored.read_text(encoding="utf-8"), str(stored)) == job.recipe


def run_one(job: Job, rows: Sequence[AnyRow]) -> Outcome:
    """Do one run, or go on with it where it was killed; what is done is not repeated.

    A failure is written down with its reason, and is tried again the next time.

    Raises:
        RecipeError: the folder holds a run of another recipe.
        OutputError: the folder cannot be written to.
    """
    facts = finished(job)
    if facts is not None:
        return Outcome(job, facts, kept=True)
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if not _is_of_this_recipe(job):  # of one that failed before it had a checkpoint
            (job.folder / fit.RECIPE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{job.folder}: cannot be written ({error.strerror})") from None
    try:
        found = _judged_baseline(job, rows) if job.run.cell.baseline else _trained(job, rows)
    except FAILURES as error:
        write_text(traceback.format_exc(), job.folder / TRACE_FILE)
        return failure(job, error)
    return _told(job, _facts(job, DONE) | found)


def failure(job: Job, error: BaseException) -> Outcome:
    """Write down that a run failed, and why."""
    return _told(job, _facts(job, FAILED) | {"reason": _reason(error)})


def _told(job: Job, facts: dict[str, Any]) -> Outcome:
    facts["minutes"] = round(Timer(job.folder).minutes, 3)
    write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", job.folder / RUN_FILE)
    return Outcome(job, facts)


def _reason(error: BaseException) -> str:
    line = next((line for line in str(error).splitlines() if line.strip()), "")
    return line if isinstance(error, FetometryError) else f"{type(error).__name__}: {line}"


def device_name() -> str:
    """Return what trains here: the GPU's name, or how many threads of the CPU."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads"


def _facts(job: Job, status: str) -> dict[str, Any]:
    """Return what is known of every run; a run that is done says more."""
    run, recipe = job.run, job.recipe
    return {
        "schema": SCHEMA,
        "sweep": job.sweep,
        "cell": run.cell.name,
        "row": run.cell.table_row,
        "settings": [*(f"drop {key}" for key in run.drop), *run.overrides],
        "fold": run.fold,
        "folds": run.folds,
        "repeat": run.repeat,
        "seed": recipe.fit.seed,
        "budget": job.budget,
        "status": status,
        "reason": "",
        "device": device_name(),
        "torch": torch.__version__,
        "minutes": 0.0,
        "epochs": recipe.fit.epochs,
        "images": {"train": None, "validation": None},
        "parameters": None,
        "trainable": None,
        "size": [*([recipe.input.depth] if recipe.input.of_volumes else []), *recipe.input.size],
        "ms_per_image": None,
        "val_error": None,
        "sha256": "",
        "commit": "",
    }


def _trained(job: Job, rows: Sequence[AnyRow]) -> dict[str, Any]:
    """Train, export and judge; return what only a trained run can say."""
    recipe, folder = job.recipe, job.folder
    with Timer(folder):
        fit.start(recipe, rows, folder, quiet=True, cache=job.cache)
    export.export(folder, folder / MODEL_FILE, checkpoint=job.run.cell.checkpoint)
    found = _judged_volumes(job, rows) if recipe.input.of_volumes else _judged_images(job, rows)
    curves = write_curves(folder)
    network = fit.load(folder)[1]
    sizes = [(weight.numel(), weight.requires_grad) for weight in network.parameters()]
    counts = fit.run_facts(folder)["data"]
    return {
        "images": {side: counts[side]["images"] for side in ("train", "validation")},
        "parameters": sum(size for size, _ in sizes),
        "trainable": sum(size for size, trains in sizes if trains),
        "val_error": min((v for _, name, v in curves if name == "val_error"), default=None),
        **found,
    }


def _judged_images(job: Job, rows: Sequence[AnyRow]) -> dict[str, Any]:
    """Judge the model of a run on pictures; return its identity, and how long it takes."""
    predictor = predict.load(str(job.folder / MODEL_FILE), device="cpu")
    sides = {side: _side(job.recipe, picture_rows(rows), side, predictor.info) for side in SIDES}
    for (side, routing), path in job.results.items():
        write_cases(evaluate.evaluate(sides[side], predictor, routing), path)
    images = [next(iter(read(row.image))) for row in sides["validation"][:TIMED_IMAGES]]
    return {
        "ms_per_image": _milliseconds(images, predictor.predict),
        "sha256": predictor.info.ref.sha256,
    }


def _judged_volumes(job: Job, rows: Sequence[AnyRow]) -> dict[str, Any]:
    """Judge the model of a run on volumes; it has but one plane, whatever the routing."""
    predictor = predict.load_volumes(str(job.folder / MODEL_FILE), device="cpu")
    sides = {side: _side(job.recipe, volume_rows(rows), side, predictor.info) for side in SIDES}
    for side in SIDES:
        cases = list(evaluate_volumes(sides[side], predictor))
        for routing in job.routings:
            judged = [replace(case, routing=routing) for case in cases]
            write_cases(judged, job.results[side, routing])
    volumes = [read_volume(row.image) for row in sides["validation"][:TIMED_VOLUMES]]
    return {
        "ms_per_image": _milliseconds(volumes, predictor.predict),
        "sha256": predictor.info.ref.sha256,
    }


def _side(recipe: Recipe, rows: Sequence[AnyRowT], side: str, info: ModelInfo) -> list[AnyRowT]:
    """Return the images or volumes of a side that the recipe is about."""
    return _about(recipe, evaluate.rows_for(rows, side, info.details))


def _about(recipe: Recipe, rows: Iterable[AnyRowT]) -> list[AnyRowT]:
    planes, measured = recipe.data.planes, recipe.data.measured_only
    return [
        row
        for row in rows
        if (not planes or row.plane in planes) and (not measured or row.truth_mm)
    ]


def _judged_baseline(job: Job, rows: Sequence[AnyRow]) -> dict[str, Any]:
    """Judge what is known without looking at an image, such as the mean of the training side."""
    recipe, cell = job.recipe, job.run.cell
    write_text(recipe.as_json() + "\n", job.folder / fit.RECIPE_FILE)
    train = fit.side_rows(recipe, rows, "train")
    details = {"recipe": json.loads(recipe.as_json())}
    for (side, routing), path in job.results.items():
        judged = _about(recipe, evaluate.rows_for(rows, side, details))
        cases: list[Case] = baselines.judge(cell.baseline, train, judged, cell.name)
        write_cases([replace(case, routing=routing, split=side) for case in cases], path)
    validation = len(fit.side_rows(recipe, rows, "validation"))
    return {"images": {"train": len(train), "validation": validation}, "epochs": 0}


def _milliseconds(given: Sequence[Given], predict_one: Callable[[Given], object]) -> float:
    """Return the median time from grey values to what was seen, on the CPU, after a warm-up."""
    taken = []
    for one in (*given[:2], *given):
        start = time.perf_counter()
        # what cannot be measured takes its time too
        with suppress(MeasurementError):
            predict_one(one)
        taken.append(1000 * (time.perf_counter() - start))
    return round(float(np.median(taken[min(2, len(given)) :])), 2)


def read_curves(folder: Path) -> list[tuple[int, str, float]]:
    """Return what was logged at the end of every epoch: (epoch, name, value), in order.

    A run that was killed has logs of every start; an epoch that was repeated counts once.
    """
    logs = sorted(
        (folder / "logs" / "csv").glob("version_*/metrics.csv"),
        key=lambda path: int(path.parent.name.removeprefix("version_")),
    )
    found: dict[tuple[int, str], float] = {}
    for log in logs:
        with log.open(newline="", encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                for name, text in line.items():
                    told = name.removesuffix("_epoch")
                    if text and told.startswith(("loss", "val_")) and not told.endswith("_step"):
                        found[int(line["epoch"]), told] = float(text)
    return [(epoch, name, value) for (epoch, name), value in sorted(found.items())]


def write_curves(folder: Path) -> list[tuple[int, str, float]]:
    """Write `curves.csv` of a run's logs, and return what is in it."""
    curves = read_curves(folder)
    with (folder / CURVES).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("epoch", "name", "value"))
        writer.writerows((epoch, name, f"{value:.6g}") for epoch, name, value in curves)
    return curves


class Timer:
    """How long a run has trained, over all its starts; what a killed start did not keep is lost.

    The file holds the minutes of earlier starts, and when the present one began: a killed start
    ends with its last checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.last = folder / TIMER_FILE, folder / fit.LAST

    def _stored(self) -> dict[str, float]:
        if not self.path.is_file():
            return {"minutes": 0.0, "started": 0.0}
        return dict(json.loads(self.path.read_text(encoding="utf-8")))

    @property
    def minutes(self) -> float:
        """The minutes of all starts up to now."""
        stored = self._stored()
        if not stored["started"] or not self.last.is_file():
            return stored["minutes"]
        return stored["minutes"] + max(0.0, self.last.stat().st_mtime - stored["started"]) / 60

    def __enter__(self) -> Timer:
        earlier = self.minutes
        write_text(json.dumps({"minutes": earlier, "started": time.time()}), self.path)
        return self

    def __exit__(self, *_: object) -> None:
        stored = self._stored()
        minutes = stored["minutes"] + (time.time() - stored["started"]) / 60
        write_text(json.dumps({"minutes": minutes, "started": 0.0}), self.path)
