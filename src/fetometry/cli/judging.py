"""`evaluate`, `table` and `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli import options
from fetometry.cli.console import plain_errors, remark, say, watched
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.training.cases import Case

Results = Annotated[list[Path], typer.Argument(help="per-image results of `evaluate --out`")]


def _one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{option} must be one of {', '.join(allowed)}, got {value}")


def evaluate(
    model: Annotated[str, typer.Argument(help="a shipped model's name or a .onnx file")],
    data: options.Data,
    split: Annotated[str, typer.Option(help="train, validation, test or left-out")] = "test",
    dataset: Annotated[
        str, typer.Option(help="hc18, fetal_planes, or both: hc18+fetal_planes")
    ] = "hc18",
    routing: Annotated[
        str, typer.Option(help="plane measured in: predicted by the model, or the true one")
    ] = "predicted",
    out: Annotated[Path | None, typer.Option(help="CSV for the result of every image")] = None,
    plots: Annotated[Path | None, typer.Option(help="folder for plots and failures")] = None,
    device: options.Device = "auto",
    flip_average: options.FlipAverage = False,
) -> None:
    """Judge a model on one side of a data set, with intervals; needs no torch."""
    from fetometry import predict
    from fetometry.training import data as datasets
    from fetometry.training import evaluate as judging
    from fetometry.training.cases import write_cases
    from fetometry.training.gallery import Judges, write_gallery
    from fetometry.training.plots import write_plots
    from fetometry.training.results import as_markdown

    with plain_errors():
        _one_of("--split", split, (*datasets.SPLITS, judging.LEFT_OUT))
        _one_of("--routing", routing, judging.ROUTINGS)
        predictor = predict.load(model, device=device, flip_average=flip_average)
        rows = judging.rows_for(datasets.load(dataset, data), split, predictor.info.details)
        cases = list(judging.evaluate(watched(rows, "judging"), predictor, routing))
        if out:
            write_cases(cases, out)
        say(as_markdown(cases))
        if plots:
            drawn = [
                *write_plots(cases, plots),
                *write_gallery(cases, Judges(rows, predictor), plots),
            ]
            remark(f"written to {plots}: {', '.join(path.name for path in drawn) or 'nothing'}")


def _read(results: Sequence[Path]) -> list[list[Case]]:
    from fetometry.training.cases import read_cases

    return [read_cases(path) for path in results]


def table(
    results: Results,
    pool: Annotated[bool, typer.Option("--pool", help="as one result, such as folds")] = False,
    plots: Annotated[Path | None, typer.Option(help="folder for plots")] = None,
) -> None:
    """Print the tables of per-image results, each by itself or pooled."""
    from fetometry.training.cases import pool as pooled
    from fetometry.training.plots import write_plots
    from fetometry.training.results import as_markdown

    with plain_errors():
        read = _read(results)
        if plots and len(read) > 1 and not pool:
            raise UsageError("--plots of several results: pool them with --pool, or give one")
        if pool:
            read = [pooled(read)]
            say(as_markdown(read[0]))
        else:
            for path, cases in zip(results, read, strict=True):
                say(f"{path}\n\n{as_markdown(cases)}\n")
        if plots:
            drawn = write_plots(read[0], plots)
            remark(f"written to {plots}: {', '.join(path.name for path in drawn) or 'nothing'}")


def compare(
    one: Annotated[Path, typer.Argument(help="per-image results of `evaluate --out`")],
    other: Annotated[Path, typer.Argument(help="results on the same images")],
) -> None:
    """Print the paired differences of two results on the same images: OTHER minus ONE."""
    from fetometry.training.compare import comparison_markdown

    with plain_errors():
        first, second = _read([one, other])
        say(f"{other} minus {one}\n\n{comparison_markdown(first, second)}")
