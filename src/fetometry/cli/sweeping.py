"""`sweep`, `reproduce`, `collect` and `systems`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli.console import REFUSED, plain_errors, remark, say
from fetometry.cli.training import with_torch

if TYPE_CHECKING:
    from fetometry.training.sweep.reproduce import Places
    from fetometry.training.sweep.run import Outcome
    from fetometry.training.sweep.spec import Spec

Data = Annotated[
    Path | None, typer.Option(help="the data set's folder, or one that holds it by its name")
]
Page = Annotated[
    Path | None,
    typer.Option(help="a page with places, <!-- NAME --> to <!-- /NAME -->, that tables go into"),
]
Engine = Annotated[str, typer.Option(help="serial, or ray for a cluster")]
Cpus = Annotated[int, typer.Option(min=1, help="processors of one run, with --engine ray")]


def sweep(
    recipe: Annotated[Path, typer.Argument(help="a recipe, such as recipes/exam.toml")],
    data: Data = None,
    out: Annotated[Path, typer.Option(help="folder for the runs and the results")] = Path("sweep"),
    over: Annotated[
        list[str] | None,
        typer.Option(help="key=a,b: every value, crossed with those of other --over"),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value")] = None,
    folds: Annotated[int, typer.Option(help="0: the fixed split; n: n folds by group")] = 0,
    repeats: Annotated[int, typer.Option(help="from so many seeds")] = 1,
    engine: Engine = "serial",
    cpus: Cpus = 1,
) -> None:
    """Train a recipe with every setting, on every fold, and compare (needs the `train` extra)."""
    with plain_errors():
        reproducing = with_torch("sweep.reproduce")
        from fetometry.training.sweep.grid import grid
        from fetometry.training.sweep.spec import OWN

        spec = grid(recipe, over or (), folds=folds, repeats=repeats, set_=set_ or ())
        places = reproducing.Places(data, out / "runs", out)
        _perform(spec, OWN, places, engine, cpus)


def reproduce(
    paper: Annotated[str, typer.Argument(help="such as qazi2023, or a sweep's .toml file")],
    budget: Annotated[str, typer.Option(help="smoke (on phantoms), small or full")] = "smoke",
    data: Data = None,
    runs: Annotated[
        Path | None, typer.Option(help="folder of the runs; default: runs/PAPER-BUDGET")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for tables and figures")] = Path("results"),
    cell: Annotated[list[str] | None, typer.Option(help="only this cell; repeatable")] = None,
    engine: Engine = "serial",
    cpus: Cpus = 1,
) -> None:
    """Train and judge a published system as its paper did (needs the `train` extra)."""
    with plain_errors():
        reproducing = with_torch("sweep.reproduce")
        from fetometry.training.sweep.spec import find_spec, read_spec

        spec = read_spec(find_spec(paper))
        folder = runs or Path("runs") / f"{spec.paper}-{budget}"
        _perform(spec, budget, reproducing.Places(data, folder, out), engine, cpus, cell or ())


def _perform(
    spec: Spec, budget: str, places: Places, engine: str, cpus: int, cells: Sequence[str] = ()
) -> None:
    """Do the runs with a line for each, then table and figures; a failed run is an exit code.

    With `cells` only these run, and the table tells of all that have ever run.
    """
    import logging
    import warnings

    from fetometry.training.sweep import reproduce as reproducing

    # it announces the machine's devices, and warns of its own affairs, once a run
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    outcomes = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        for outcome in reproducing.perform(
            spec.only(cells), budget, places, engine_name=engine, cpus=cpus
        ):
            remark(_line(outcome))
            outcomes.append(outcome)
    for path in reproducing.collect(spec, budget, places, outcomes):
        say(str(path))
    failed = sum(outcome.failed for outcome in outcomes)
    if failed:
        remark(f"{failed} failed; the same command tries them again")
        raise typer.Exit(REFUSED)


def _line(outcome: Outcome) -> str:
    facts, name = outcome.facts, f"{outcome.job.run.cell.name} {outcome.job.run.name}"
    if outcome.failed:
        return f"{name}: failed: {facts['reason']}"
    error = facts["val_error"]
    told = "" if error is None else f", val_error {error:.4g} %"
    before = " (kept)" if outcome.kept else ""
    return f"{name}: done in {facts['minutes']:.1f} min{told}{before}"


def collect(
    folder: Annotated[Path, typer.Argument(help="such as results/qazi2023")],
    page: Page = None,
) -> None:
    """Make table and figures again from the committed results; trains nothing, needs no torch."""
    from fetometry.training.sweep import collect as collecting

    with plain_errors():
        for path in collecting.write(folder, page):
            say(str(path))


def systems(
    listed: Annotated[Path, typer.Argument(help="such as results/systems.toml")],
    hc18: Annotated[
        Path | None, typer.Option(help="HC18's folder: how far repeats of one exam differ")
    ] = None,
    page: Page = None,
) -> None:
    """Put systems side by side on the same HC18 test exams; trains nothing, needs no torch."""
    from fetometry.training.sweep.systems import write_systems

    with plain_errors():
        for path in write_systems(listed, hc18, page):
            say(str(path))
