"""A whole sweep: data, runs, table and figures. Interrupted, it goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fetometry import predict
from fetometry.errors import OutputError, UsageError
from fetometry.training.cases import Case, read_cases
from fetometry.training.data import AnyRow, phantoms, phantoms3d, volumes
from fetometry.training.evaluate_volumes import picture_rows, volume_rows
from fetometry.training.gallery import Judges
from fetometry.training.saliency import write_saliency
from fetometry.training.sweep.collect import FIGURES, gather, write
from fetometry.training.sweep.engines import engine
from fetometry.training.sweep.figures import OF_IMAGES, PANELS, SALIENCY
from fetometry.training.sweep.panels import write_panels
from fetometry.training.sweep.records import RUNS, read_runs, run_file
from fetometry.training.sweep.run import MODEL_FILE, Job, Outcome, finished, load_rows
from fetometry.training.sweep.spec import Spec, plan
from fetometry.training.volume_gallery import VolumeJudges
from fetometry.types import PLANES

#: What the phantoms of a sweep are made from.
PHANTOM_SEED = 0


@dataclass(frozen=True)
class Places:
    """Where the data are (not needed with phantoms), and where runs and results go."""

    data: Path | None
    runs: Path
    out: Path


def jobs_of(spec: Spec, budget: str, runs: Path) -> list[Job]:
    """Return the runs of a budget, ready to be done.

    Raises:
        UsageError: the budget is unknown.
        RecipeError: a setting does not fit the recipe, or a folder holds a run of another one.
    """
    jobs = [
        Job(spec.paper, budget, run, run.recipe_path or spec.recipe_path, spec.routings, runs)
        for run in plan(spec, budget)
    ]
    for job in jobs:  # before hours of training, not after
        finished(job)
    return jobs


def perform(
    spec: Spec, budget: str, places: Places, *, engine_name: str = "serial", cpus: int = 1
) -> Iterator[Outcome]:
    """Do what is not done yet, and hand out every run as it is done.

    Raises:
        UsageError: the budget or the engine is unknown, or the data are not said.
        RecipeError: a setting does not fit the recipe, or a folder holds a run of another one.
        DataError: the folder does not hold the data set.
        OutputError: the runs cannot be written there.
    """
    chosen = engine(engine_name)
    jobs = jobs_of(spec, budget, places.runs)
    folder = _data_folder(spec, budget, places, jobs)
    names = dict.fromkeys(job.recipe.data.dataset for job in jobs)
    rows = {name: load_rows(name, folder) for name in names}
    try:
        places.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{places.runs}: cannot be written ({error.strerror})") from None
    return chosen(jobs, rows, cpus)


def _data_folder(spec: Spec, budget: str, places: Places, jobs: Sequence[Job]) -> Path:
    """Return where the data are, once phantoms are drawn where the budget asks for them."""
    patients, series = spec.budget(budget).phantoms, spec.budget(budget).series
    if series is not None:
        said = spec.budget(budget)
        folder = places.runs / f"volumes-{said.volumes}-{said.difficulty}-{said.size}"
        if not (folder / volumes.TABLE).is_file():
            phantoms3d.write(folder, series)
        return folder
    if patients:
        wanted = [job.recipe.data.planes for job in jobs]
        named = {plane for planes in wanted for plane in planes} if all(wanted) else set()
        planes = tuple(plane for plane in phantoms.DRAWN if plane in named or not named)
        folder = places.runs / f"phantoms-{patients}-{'-'.join(planes)}"
        if not (folder / phantoms.TABLE).is_file():
            phantoms.write(folder, patients, PHANTOM_SEED, planes=planes)
        return folder
    if places.data is None:
        raise UsageError(f"{spec.paper} {budget}: say with --data where the images are")
    return places.data


def collect(
    spec: Spec, budget: str, places: Places, outcomes: Sequence[Outcome] = ()
) -> list[Path]:
    """Copy the results of the runs, and make table and figures of them; return what was written.

    Where the sweep asks for panels, those of the best of the `outcomes` are drawn.

    Raises:
        DataError: no run has left anything.
        OutputError: the results cannot be written there.
    """
    folder = places.out / spec.paper
    gather(spec, budget, places.runs, places.out)
    wanted = [name for name in OF_IMAGES if name in spec.figures]
    best = _best(outcomes, folder) if wanted else None
    if best is None:
        return write(folder)
    data = _data_folder(spec, budget, places, [outcome.job for outcome in outcomes])
    rows = load_rows(best.job.recipe.data.dataset, data)
    paths = {name: folder / FIGURES / OF_IMAGES[name] for name in wanted}
    for name, path in paths.items():
        _DRAWN[name](best.job, rows, path)
    return [*write(folder), *paths.values()]


def _best(outcomes: Sequence[Outcome], folder: Path) -> Outcome | None:
    """Return the trained run with most planes and, of those, the least error in validation.

    It is the error of what a user gets: in the plane that the model recognised. Only runs that
    count in the table do: a trial on phantoms replaces no picture of images.
    """
    counting = {record.sha256 for record in read_runs(folder / RUNS) if record.sha256}
    trained = [o for o in outcomes if o.facts["sha256"] in counting]

    def rank(outcome: Outcome) -> tuple[int, float]:
        planes = outcome.job.recipe.data.planes or PLANES
        cases = read_cases(outcome.job.folder / run_file("validation", outcome.job.routings[0]))
        errors = [abs(size.difference_percent) for case in cases for size in case.sizes.values()]
        # one that tells masks alone comes after all that measure
        return -len(planes), sum(errors) / len(errors) if errors else math.inf

    return min(trained, key=rank, default=None)


def _among(job: Job, rows: Sequence[AnyRow]) -> tuple[list[AnyRow], list[Case]]:
    """Return the test images of a run, and what it made of them."""
    cases = read_cases(job.folder / run_file("test", job.routings[0]))
    among = {case.key for case in cases}
    return [row for row in rows if (row.dataset, row.image.name) in among], cases


def _panels(job: Job, rows: Sequence[AnyRow], path: Path) -> None:
    """Draw success and failure of a run among its test images."""
    judged, cases = _among(job, rows)
    model = str(job.folder / MODEL_FILE)
    judges: Judges | VolumeJudges
    if job.recipe.input.of_volumes:
        judges = VolumeJudges(volume_rows(judged), predict.load_volumes(model, device="cpu"))
    else:
        judges = Judges(picture_rows(judged), predict.load(model, device="cpu"))
    write_panels(judges, cases, path)


def _saliency(job: Job, rows: Sequence[AnyRow], path: Path) -> None:
    """Draw on what the number of a run hangs, in its test images."""
    write_saliency(job.folder, picture_rows(_among(job, rows)[0]), path)


_DRAWN: Mapping[str, Callable[[Job, Sequence[AnyRow], Path], None]] = {
    PANELS: _panels,
    SALIENCY: _saliency,
}
