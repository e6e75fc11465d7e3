"""Where the runs of a sweep are done: here one after another, or spread over a Ray cluster.

Numbers repeat exactly on as many threads: Ray gives a run `cpus` of them, this process all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from fetometry.errors import UsageError
from fetometry.training.data import AnyRow
from fetometry.training.sweep.run import Job, Outcome, failure, run_one

#: The rows of each data set, by its name.
Rows = Mapping[str, Sequence[AnyRow]]
#: engine(jobs, rows, cpus): outcomes as they come; `cpus` is what one run asks of a cluster.
Engine = Callable[[Sequence[Job], Rows, int], Iterator[Outcome]]


def serial(jobs: Sequence[Job], rows: Rows, cpus: int) -> Iterator[Outcome]:
    """Do the runs one after another in this process, which has all of the machine."""
    for job in jobs:
        yield run_one(job, rows[job.recipe.data.dataset])


def _started() -> Any:
    """Return Ray, connected to the cluster that it is told of, or to a new one on this machine.

    Raises:
        UsageError: Ray is not installed.
    """
    # read by Ray alone, and only while it starts: nothing is reported to anybody
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's own, coming, behaviour: a task without a GPU does not hide the machine's
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise UsageError(
            "--engine ray: ray is not installed; it needs: pip install 'fetometry[cluster]'"
        ) from None
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    return ray


def _with_threads(job: Job, rows: Sequence[AnyRow], cpus: int) -> Outcome:
    """Do a run on so many threads, whatever the machine would take."""
    torch.set_num_threads(cpus)
    return run_one(job, rows)


def on_ray(jobs: Sequence[Job], rows: Rows, cpus: int) -> Iterator[Outcome]:
    """Do the same runs as tasks of a Ray cluster, whose machines share the folders.

    Raises:
        UsageError: Ray is not installed.
    """
    ray = _started()
    try:
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_with_threads)
        stored = {name: ray.put(list(of)) for name, of in rows.items()}
        # at the same time no two runs may write one cache
        apart = [replace(job, shares_cache=False) for job in jobs]
        waiting = {task.remote(job, stored[job.recipe.data.dataset], cpus): job for job in apart}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(done)
            try:
                yield ray.get(done)
            except ray.exceptions.RayError as error:  # its machine was lost, or its memory full
                yield failure(job, error)
    finally:
        ray.shutdown()


ENGINES: Mapping[str, Engine] = {"serial": serial, "ray": on_ray}


def engine(name: str) -> Engine:
    """Return an engine by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine {name}: unknown; allowed: {', '.join(ENGINES)}")
    return ENGINES[name]
