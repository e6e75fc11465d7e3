"""`evaluate`, `table` and `compare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli import options
from fetometry.cli.console import plain_errors, remark, say, watched
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.training.cases import Case
    from fetometry.training.data import VolumeRow

Results = Annotated[list[Path], typer.Argument(help="per-image results of `evaluate --out`")]


def _one_of(option: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{option} must be one of {', '.join(allowed)}, got {value}")


def evaluate(
    data: options.Data,
    model: Annotated[
        str | None, typer.Argument(help="a shipped model's name or a .onnx file")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="instead of a model: folder of masks, or of points.csv, ellipses.csv"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or left-out")] = "test",
    dataset: Annotated[
        str, typer.Option(help="hc18, fetal_planes, both: hc18+fetal_planes, or phantom3d")
    ] = "hc18",
    fold: Annotated[int | None, typer.Option(help="the fold that predictions are of")] = None,
    folds: Annotated[int | None, typer.Option(help="of so many, as exported")] = None,
    routing: Annotated[
        str, typer.Option(help="plane measured in: predicted by the model, or the true one")
    ] = "predicted",
    out: Annotated[Path | None, typer.Option(help="CSV for the result of every image")] = None,
    plots: Annotated[Path | None, typer.Option(help="folder for plots and failures")] = None,
    device: options.Device = "auto",
    flip_average: options.FlipAverage = False,
) -> None:
    """Judge a model, or anybody's predictions, on one side of a data set; needs no torch.

    A data set of volumes, such as phantom3d, is judged with a model of volumes.
    """
    from fetometry.training import data as datasets
    from fetometry.training import evaluate as judging

    with plain_errors():
        _one_of("--split", split, (*datasets.SPLITS, judging.LEFT_OUT))
        _one_of("--routing", routing, judging.ROUTINGS)
        asked = _Asked(dataset, data, split, routing, out, plots)
        if model is not None and predictions is None:
            if fold is not None or folds is not None:
                raise UsageError("--fold and --folds are of --predictions; a model knows its own")
            _judge_model(asked, model, device, flip_average)
        elif predictions is not None and model is None:
            if flip_average:
                raise UsageError("--flip-average is of a model; leave it out with --predictions")
            _judge_answers(asked, predictions, fold, folds)
        else:
            raise UsageError("give a MODEL or --predictions DIR, one of the two")


@dataclass(frozen=True)
class _Asked:
    """Which images are judged, which plane is measured in, and where the results go."""

    dataset: str
    data: Path
    split: str
    routing: str
    out: Path | None
    plots: Path | None


def _judge_model(asked: _Asked, model: str, device: str, flip_average: bool) -> None:
    from fetometry import predict
    from fetometry.training import data as datasets
    from fetometry.training import evaluate as judging
    from fetometry.training.evaluate_volumes import volume_rows
    from fetometry.training.gallery import Judges, write_gallery

    loaded = datasets.load(asked.dataset, asked.data)
    volumes = volume_rows(loaded)
    if volumes:
        if flip_average or asked.routing != judging.PREDICTED:
            raise UsageError("--flip-average and --routing are of pictures; leave them out")
        _judge_volumes(asked, volumes, model, device)
        return
    predictor = predict.load(model, device=device, flip_average=flip_average)
    rows = judging.rows_for(loaded, asked.split, predictor.info.details)
    cases = list(judging.evaluate(watched(rows, "judging"), predictor, asked.routing))
    _tell(asked, cases, lambda folder: write_gallery(cases, Judges(rows, predictor), folder))


def _judge_volumes(asked: _Asked, loaded: Sequence[VolumeRow], model: str, device: str) -> None:
    from fetometry import predict
    from fetometry.training.evaluate import rows_for
    from fetometry.training.evaluate_volumes import evaluate_volumes
    from fetometry.training.gallery import write_gallery
    from fetometry.training.volume_gallery import VolumeJudges

    predictor = predict.load_volumes(model, device=device)
    rows = rows_for(loaded, asked.split, predictor.info.details)
    cases = list(evaluate_volumes(watched(rows, "judging"), predictor))
    _tell(asked, cases, lambda folder: write_gallery(cases, VolumeJudges(rows, predictor), folder))


def _judge_answers(asked: _Asked, folder: Path, fold: int | None, folds: int | None) -> None:
    """Judge somebody's answers on the images of one side that have a truth."""
    from fetometry.training import data as datasets
    from fetometry.training import evaluate as judging
    from fetometry.training.evaluate_volumes import volume_rows
    from fetometry.training.exchange import predictions as exchange
    from fetometry.training.exchange.nnunet import with_truth

    details = exchange.fold_details(fold, folds)
    loaded = datasets.load(asked.dataset, asked.data)
    if volume_rows(loaded):
        raise UsageError("--predictions are of pictures; give a MODEL of volumes")
    rows = with_truth(judging.rows_for(loaded, asked.split, details))
    answers = exchange.open_answers(folder, rows, details)
    missing = sum(answers.name_of(row) is None for row in rows)
    if missing:
        remark(f"{missing} of {len(rows)} images have no prediction: each counts as a failure")
    _tell(asked, list(exchange.judged(watched(rows, "judging"), answers, asked.routing)))


def _tell(
    asked: _Asked,
    cases: Sequence[Case],
    draw_more: Callable[[Path], list[Path]] = lambda folder: [],
) -> None:
    """Write the results of every image, print the tables, and draw."""
    from fetometry.training.cases import write_cases
    from fetometry.training.plots import write_plots
    from fetometry.training.results import as_markdown

    if asked.out:
        write_cases(cases, asked.out)
    say(as_markdown(cases))
    if asked.plots:
        drawn = [*write_plots(cases, asked.plots), *draw_more(asked.plots)]
        remark(f"written to {asked.plots}: {', '.join(p.name for p in drawn) or 'nothing'}")


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
