"""The command line: it owns the terminal, the exit code and the progress bar, and no logic.

Exit 0: all done; 1: something was refused, the rest is written; 2: usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

import fetometry
from fetometry.errors import FetometryError, RecipeError, UsageError
from fetometry.types import Exam, Spacing

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measures the fetus in ultrasound. Research use only; not for diagnosis.",
)
phantom_app = typer.Typer(no_args_is_help=True, help="Make synthetic images with known truth.")
app.add_typer(phantom_app, name="phantom")

screen, err = Console(), Console(stderr=True)

Plane = Annotated[str, typer.Option(help="auto or head")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or openvino")]
Out = Annotated[Path, typer.Option(help="folder for the results")]
Model = Annotated[str | None, typer.Option(help="a shipped model's name or a .onnx file")]
FlipAverage = Annotated[
    bool, typer.Option("--flip-average", help="average with the mirrored image: twice the time")
]

REFUSED, USAGE = 1, 2


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn the package's errors into one line and an exit code."""
    try:
        yield
    except (UsageError, RecipeError) as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(USAGE) from None
    except FetometryError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(REFUSED) from None


def _version(wanted: bool) -> None:
    if wanted:
        screen.print(f"fetometry {fetometry.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    """Measures the fetus in ultrasound. Research use only; not for diagnosis."""


def _spacing(mm_per_px: str | None, table: Path | None) -> Spacing | Mapping[str, Spacing] | None:
    from fetometry.image import parse_mm_per_px, read_spacing_table

    if mm_per_px is not None and table is not None:
        raise UsageError("two spacings: give --mm-per-px or --spacing, not both")
    if mm_per_px is not None:
        return parse_mm_per_px(mm_per_px)
    return read_spacing_table(table) if table else None


def _show(exam: Exam) -> None:
    table = Table("image", "HC", "BPD", "OFD", "unit", "spacing", "flags", box=None)
    for finding in exam.findings:
        values = [f"{m.value:.1f}" for m in finding.measurements]
        name = finding.source if finding.frame == 1 else f"{finding.source} #{finding.frame}"
        first = finding.measurements[0]
        came_from = finding.spacing.source if finding.spacing else "unknown"
        cells = [escape(name), *values, first.unit, escape(came_from), ", ".join(first.flags)]
        table.add_row(*cells)
    if exam.findings:
        screen.print(table)
    for problem in exam.problems:
        frame = f" (frame {problem.frame})" if problem.frame and problem.frame > 1 else ""
        # some reasons name their file, others cannot know it
        where = "" if problem.source in problem.reason else f"{problem.source}{frame}: "
        err.print(f"[bold red]refused:[/] {escape(where + problem.reason)}", soft_wrap=True)


def _run(paths: list[Path], settings: Any, folder: Path, kinds: Iterable[str]) -> Exam:
    """Measure, draw as it goes, write the rest at the end, and show it."""
    from fetometry import pipeline, report
    from fetometry.image import find

    wanted = report.checked_kinds(kinds)
    sources = [(source, path) for path in paths for source in find(path)]
    _ = settings.predictor  # a model that cannot be used is known before any folder is made
    report.prepare_folder(folder)
    names: dict[str, Path] = {}
    for path in paths:
        root = path if path.is_dir() else path.parent
        names |= report.overlay_names([str(s) for s, of in sources if of == path], root)
    alone = len(sources) < 2 or not err.is_terminal
    files = [source for source, _ in sources]
    shown = track(files, "measuring", console=err, disable=alone, transient=True)
    results = []
    for result in pipeline.measure_files(shown, settings):
        if result.finding and result.picture is not None and report.OVERLAY in wanted:
            name = names[result.finding.source]
            target = report.overlay_path(folder, name, result.finding.frame)
            report.write_overlay(result.finding, result.picture, target)
        results.append(pipeline.Result(result.finding, result.problems, None))
    exam = pipeline.assemble(results, settings)
    report.write(exam, folder, wanted)
    _show(exam)
    return exam


@app.command()
def measure(
    paths: Annotated[list[Path], typer.Argument(help="images, DICOM files, or folders of them")],
    plane: Plane = "auto",
    mm_per_px: Annotated[str | None, typer.Option(help="0.12, or row,col: 0.12,0.15")] = None,
    spacing: Annotated[Path | None, typer.Option(help="CSV with image,mm_per_px")] = None,
    out: Out = Path("fetometry-out"),
    write: Annotated[str, typer.Option(help="any of overlay,json,csv,hc18")] = "overlay,json,csv",
    model: Model = None,
    device: Device = "auto",
    flip_average: FlipAverage = False,
) -> None:
    """Measure images; see where the numbers came from in OUT/overlays."""
    from fetometry.pipeline import Settings

    with _plain_errors():
        given = _spacing(mm_per_px, spacing)
        settings = Settings(plane, given, model, device, flip_average)
        exam = _run(paths, settings, out, write.split(","))
    err.print(f"written to {escape(str(out))}", highlight=False)
    if exam.problems:
        raise typer.Exit(REFUSED)


@app.command()
def demo(out: Out = Path("fetometry-demo"), device: Device = "auto") -> None:
    """Make a phantom head with known HC, measure it, and show what came out."""
    from fetometry import phantom
    from fetometry.pipeline import Settings
    from fetometry.report import prepare_folder

    with _plain_errors():
        made = phantom.head(phantom.HeadSpec())
        prepare_folder(out)
        source = out / "head.dcm"
        phantom.write_dicom(made, source)
        exam = _run([source], Settings(device=device), out, ("overlay", "json", "csv"))
    _print(f"truth: HC {made.hc_mm:.1f}, BPD {made.bpd_mm:.1f}, OFD {made.ofd_mm:.1f} mm")
    _print(f"look at {out / 'overlays' / 'head_f1.png'}")
    if exam.problems:
        raise typer.Exit(REFUSED)


def _print(text: str) -> None:
    screen.print(text, highlight=False, markup=False, soft_wrap=True)


@phantom_app.command("head")
def phantom_head(
    out: Annotated[Path, typer.Option(help="a .dcm or .png file")],
    hc_mm: Annotated[float, typer.Option(help="true head circumference")] = 250.0,
    seed: Annotated[int, typer.Option(help="another seed, another head")] = 0,
) -> None:
    """Make a head of known circumference as calibrated DICOM or PNG, with its truth beside it."""
    from fetometry import phantom

    writers = {".dcm": phantom.write_dicom, ".png": phantom.write_png}
    with _plain_errors():
        if out.suffix.lower() not in writers:
            raise UsageError(f"--out must end in {' or '.join(writers)}, got {out}")
        made = phantom.head(phantom.HeadSpec(hc_mm=hc_mm, seed=seed))
        writers[out.suffix.lower()](made, out)
    _print(f"{out}: HC {made.hc_mm:.1f} mm, {made.spacing_mm[0]:.4f} mm per pixel")


@app.command()
def doctor(device: Device = "auto") -> None:
    """Check this installation: models, hashes, a phantom within tolerance, engines, versions."""
    from fetometry.doctor import examine

    sound = True
    with _plain_errors():
        for check in examine(device):
            mark = "[green]ok[/]  " if check.sound else "[bold red]BAD[/] "
            screen.print(f"{mark} {check.name}: {escape(check.seen)}", highlight=False)
            sound = sound and check.sound
    if not sound:
        raise typer.Exit(REFUSED)


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """List the shipped models: what they measure, their licence and their hash."""
    from fetometry import predict

    rows = []
    with _plain_errors():
        for name in predict.catalogue():
            info = predict.load(name, device="cpu").info
            planes = sorted({str(o["plane"]) for o in info.outputs.values() if "plane" in o})
            rows.append(
                {
                    "name": name,
                    "planes": planes,
                    "licence": info.ref.licence,
                    "sha256": info.ref.sha256,
                    "description": info.description,
                }
            )
    if as_json:
        _print(json.dumps(rows, indent=2))
        return
    for row in rows:
        _print(f"{row['name']}: {row['description']}")
        _print(f"  planes {', '.join(row['planes'])}; {row['licence']}; SHA-256 {row['sha256']}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="a shipped model's name or a .onnx file")],
    data: Annotated[Path, typer.Option(help="the data set's folder")],
    split: Annotated[str, typer.Option(help="train, validation or test")] = "test",
    dataset: Annotated[str, typer.Option(help="which data set it is")] = "hc18",
    out: Annotated[Path | None, typer.Option(help="CSV for the result of every image")] = None,
    device: Device = "auto",
    flip_average: FlipAverage = False,
) -> None:
    """Judge a model on one side of a data set, with intervals; needs no torch."""
    from fetometry import predict
    from fetometry.training import data as datasets
    from fetometry.training import evaluate as judging

    with _plain_errors():
        if split not in datasets.SPLITS:
            raise UsageError(f"--split must be one of {', '.join(datasets.SPLITS)}, got {split}")
        predictor = predict.load(model, device=device, flip_average=flip_average)
        rows = [row for row in datasets.load(dataset, data) if row.split == split]
        todo = track(rows, "judging", console=err, disable=not err.is_terminal, transient=True)
        cases = [judging.judge(row, predictor) for row in todo]
        if out:
            judging.write_cases(cases, out)
        _print(judging.as_markdown(cases))


@app.command()
def table(
    results: Annotated[list[Path], typer.Argument(help="per-image results of `evaluate --out`")],
) -> None:
    """Print the table of per-image results; of two, also their paired difference."""
    from fetometry.training import evaluate as judging

    with _plain_errors():
        read = [judging.read_cases(path) for path in results]
        for path, cases in zip(results, read, strict=True):
            _print(f"{path}\n\n{judging.as_markdown(cases)}\n")
        for path, cases in zip(results[1:], read[1:], strict=True):
            e = judging.compare(read[0], cases)
            _print(
                f"ADF of {path.name} minus {results[0].name}, paired: "
                f"{e.value:+.2f} mm ({e.low:+.2f} to {e.high:+.2f})"
            )


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="a recipe, such as recipes/hc18_head.toml")],
    data: Annotated[Path, typer.Option(help="the data set's folder")],
    out: Annotated[Path, typer.Option(help="folder of the run; an interrupted one goes on")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value")] = None,
) -> None:
    """Train a recipe (needs the `train` extra)."""
    from fetometry.training import data as datasets
    from fetometry.training.recipe import read_recipe

    with _plain_errors():
        checked = read_recipe(recipe, set_ or ())
        rows = datasets.load(checked.data.dataset, data)
        fit = _with_torch("fit")
        best = fit.start(checked, rows, out)
    _print(f"best weights: {best}; make a model of them with: fetometry export {best.parent}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="folder of a training run")],
    out: Annotated[Path, typer.Option(help="the .onnx file to write")],
) -> None:
    """Make one ONNX file of a run, checked against torch (needs the `train` extra)."""
    with _plain_errors():
        difference = _with_torch("export").export(run, out)
    _print(f"{out}: agrees with torch to {difference:.1e} of the output's range")


def _with_torch(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"fetometry.training.{module}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; training needs: pip install 'fetometry[train]'"
        ) from None


def main() -> None:
    """Run the command line."""
    # output may be piped to where the terminal's character set is not UTF-8
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()
