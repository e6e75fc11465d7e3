"""`prepare`, `train`, `export` and `export-data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fetometry.cli import options
from fetometry.cli.console import plain_errors, say
from fetometry.errors import DataError, OutputError, UsageError


def prepare(
    dataset: Annotated[str, typer.Argument(help="hc18, fetal_planes, or both: hc18+fetal_planes")],
    data: options.Data,
    out: Annotated[Path, typer.Option(help="the .csv file to write")],
) -> None:
    """Write the manifest of a data set: image, truth, mm per pixel, group and split."""
    from collections import Counter

    from fetometry.training import data as datasets

    with plain_errors():
        rows = datasets.load(dataset, data)
        _check_ours(out)
        datasets.write_manifest(rows, out)
    counts = Counter((row.plane, row.split) for row in rows)
    said = ", ".join(f"{n} {plane} {split}" for (plane, split), n in sorted(counts.items()))
    say(f"{out}: {len(rows)} images of {len({r.group for r in rows})} groups: {said}")


def _check_ours(out: Path) -> None:
    """Refuse to replace a file that is not a manifest of ours; a data set may bring its own."""
    from fetometry.training.data import read_manifest

    if out.is_file():
        try:
            read_manifest(out)
        except (DataError, UnicodeDecodeError) as error:
            raise OutputError(
                f"{out}: is there and is not a manifest of fetometry, so it is left as it is; "
                f"choose another file ({error})"
            ) from None


def train(
    recipe: Annotated[Path, typer.Argument(help="a recipe, such as recipes/exam.toml")],
    data: options.Data,
    out: Annotated[Path, typer.Option(help="folder of the run; an interrupted one goes on")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value")] = None,
) -> None:
    """Train a recipe (needs the `train` extra)."""
    from fetometry.training import data as datasets
    from fetometry.training.recipe import read_recipe

    with plain_errors():
        checked = read_recipe(recipe, set_ or ())
        rows = datasets.load(checked.data.dataset, data)
        fit = with_torch("fit")
        best = fit.start(checked, rows, out)
    say(f"best weights: {best}; make a model of them with: fetometry export {best.parent}")


def export(
    run: Annotated[Path, typer.Argument(help="folder of a training run")],
    out: Annotated[Path, typer.Option(help="the .onnx file to write")],
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(help="out-of-fold results of `evaluate --out`, for intervals; repeatable"),
    ] = None,
    checkpoint: Annotated[
        str, typer.Option(help="best.ckpt, by the validation side, or last.ckpt")
    ] = "best.ckpt",
) -> None:
    """Make one ONNX file of a run, checked against torch (needs the `train` extra)."""
    with plain_errors():
        exporting = with_torch("export")
        difference = exporting.export(
            run, out, checkpoint=checkpoint, calibrate=tuple(calibrate or ())
        )
    say(f"{out}: agrees with torch to {difference:.1e} of the output's range")


def export_data(
    dataset: Annotated[str, typer.Argument(help="hc18, fetal_planes, or both: hc18+fetal_planes")],
    data: options.Data,
    out: Annotated[Path, typer.Option(help="folder for the data set, such as nnUNet_raw")],
    format_: Annotated[str, typer.Option("--format", help="nnunet: nnU-Net v2, raw")] = "nnunet",
    folds: Annotated[int | None, typer.Option(help="2 to 9; as recipes have them")] = None,
    number: Annotated[int | None, typer.Option(help="nnU-Net's number of the data set")] = None,
) -> None:
    """Write a data set for somebody else's training, with the same folds and test images."""
    from fetometry.training import data as datasets
    from fetometry.training.exchange import nnunet

    with plain_errors():
        if format_ != "nnunet":
            raise UsageError(f"--format must be nnunet, got {format_}")
        given = {"folds": folds, "number": number}
        asked = {name: value for name, value in given.items() if value is not None}
        done = nnunet.export(datasets.load(dataset, data), out, **asked)
    say(f"{done.folder}: {done.training} cases for training, {done.testing} for testing")
    say(
        f"after planning, copy {nnunet.SPLITS_FILE} to nnUNet_preprocessed/{done.folder.name}; "
        f"then: fetometry evaluate --predictions DIR --dataset {dataset} --data {data}"
    )


def with_torch(module: str) -> Any:
    """Import a module of `fetometry.training` that needs the `train` extra, or say so."""
    import importlib

    try:
        return importlib.import_module(f"fetometry.training.{module}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; training needs: pip install 'fetometry[train]'"
        ) from None
