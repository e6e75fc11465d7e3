"""The command line: it owns the terminal, the exit code and the progress bar, and no logic.

Exit 0: all done; 1: something was refused, the rest is written; 2: usage.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from rich.text import Text

import fetometry
from fetometry.errors import FetometryError, RecipeError, SpacingError, UsageError
from fetometry.types import Exam, Finding, Problem, Spacing

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measures the fetus in ultrasound. Research use only; not for diagnosis.",
)
phantom_app = typer.Typer(no_args_is_help=True, help="Make synthetic images with known truth.")
app.add_typer(phantom_app, name="phantom")

# a name such as a:b:c.png is no emoji
screen, err = Console(emoji=False, highlight=False), Console(stderr=True, emoji=False)

Plane = Annotated[str, typer.Option(help="auto or head")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or openvino")]
Out = Annotated[Path, typer.Option(help="folder for the results")]
Model = Annotated[str | None, typer.Option(help="a shipped model's name or a .onnx file")]
FlipAverage = Annotated[
    bool, typer.Option("--flip-average", help="average with the mirrored image: twice the time")
]

REFUSED, USAGE = 1, 2

#: More measured images than this are summed up; the files hold every one.
MOST_ROWS = 30

#: More lines about refusals than this say no more.
MOST_REFUSALS = 20


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn the package's errors into one line and an exit code."""
    try:
        yield
    except FetometryError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        asked_wrongly = isinstance(error, UsageError | RecipeError)
        raise typer.Exit(USAGE if asked_wrongly else REFUSED) from None


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
    if mm_per_px is None:
        return read_spacing_table(table) if table else None
    try:
        return parse_mm_per_px(mm_per_px)
    except SpacingError as error:
        raise UsageError(f"--mm-per-px: {error}") from None


def _where(item: Finding | Problem) -> str:
    return f"{item.source} frame {item.frame}" if (item.frame or 1) > 1 else item.source


def _cropped(text: str, width: int) -> str:
    """Leave out the beginning of a path that is too long: its end tells images apart."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(Path(name).name for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _rows(findings: Sequence[Finding]) -> Iterator[Text]:
    """Yield the table of findings, a line each, as wide as the terminal allows."""
    sources = [finding.spacing.source if finding.spacing else "-" for finding in findings]
    names = [_where(finding) for finding in findings]
    last = min(max(map(cell_len, [*sources, "pixel size from"])), max(16, screen.width // 4))
    titles = [m.name for m in findings[0].measurements]
    room = max(12, screen.width - 9 * len(titles) - last - 6)
    first = min(max(map(cell_len, [*names, "image"])), room)
    heads = "".join(f"{title:>9}" for title in titles)
    yield Text(f"{set_cell_size('image', first)}{heads}      pixel size from", style="bold")
    for finding, name, source in zip(findings, names, sources, strict=True):
        start = set_cell_size(_cropped(name, first), first)
        values = "".join(f"{m.value:9.1f}" for m in finding.measurements)
        mark = "!" if _flags(finding) else " "
        line = f"{start}{values} {finding.measurements[0].unit} {mark} {_cropped(source, last)}"
        yield Text(line, style="yellow" if mark == "!" else "")


def _summary(findings: Sequence[Finding]) -> Iterator[Text]:
    for unit in ("mm", "px"):
        values = sorted(m.value for f in findings for m in f.measurements[:1] if m.unit == unit)
        if values:
            spread = f"{values[0]:.1f} to {values[-1]:.1f}, median {statistics.median(values):.1f}"
            yield Text(f"{len(values)} measured, HC {spread} {unit}")


def _flags(finding: Finding) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for m in finding.measurements for flag in m.flags))


def _legend(findings: Sequence[Finding]) -> Table:
    """Say of each flag what it means, and which images carry it."""
    from fetometry.report import FLAG_TEXT

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for flag in dict.fromkeys(flag for finding in findings for flag in _flags(finding)):
        names = [_where(finding) for finding in findings if flag in _flags(finding)]
        images = f"{len(names)} of {len(findings)}: {_some(names)}"
        text = FLAG_TEXT.get(flag, "")
        told = text if len(findings) == 1 else f"{text}\n[dim]{escape(images)}[/]"
        table.add_row(f"[yellow]! {flag}[/]", told)
    return table


def _refusals(problems: Sequence[Problem]) -> list[str]:
    """Return a line for each reason; what many images share is said once."""
    shared: dict[str, list[str]] = {}
    for problem in problems:
        own = problem.reason.removeprefix(f"{problem.source}: ")
        reason = own.removeprefix(f"frame {problem.frame} ")
        shared.setdefault(reason, []).append(_where(problem))
    lines: list[str] = []
    for reason, names in shared.items():
        said = names if len(names) <= 3 else [f"{len(names)} images ({_some(names)})"]
        lines += [f"{name}: {reason}" for name in said]
    return lines


def _show(exam: Exam) -> None:
    if exam.findings:
        told = _summary if len(exam.findings) > MOST_ROWS else _rows
        for row in told(exam.findings):
            screen.print(row, soft_wrap=True)
    if any(_flags(finding) for finding in exam.findings):
        screen.print(_legend(exam.findings))
    lines = _refusals(exam.problems)
    for line in lines[:MOST_REFUSALS]:
        err.print(f"[bold red]refused:[/] {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > MOST_REFUSALS:
        _print(f"and {len(lines) - MOST_REFUSALS} more reasons: all are in exam.json", err)


def _run(paths: list[Path], settings: Any, folder: Path, kinds: Iterable[str]) -> Exam:
    from fetometry import pipeline

    def watched(files: list[Path]) -> Iterable[Path]:
        alone = len(files) < 2 or not err.is_terminal
        return track(files, "measuring", console=err, disable=alone, transient=True)

    exam, written = pipeline.measure_into(folder, paths, settings, kinds=kinds, watch=watched)
    _show(exam)
    _print(f"written to {folder}: {', '.join(path.name for path in written) or 'nothing'}", err)
    return exam


@app.command()
def measure(
    # readable=False: one file that may not be read is no reason to stop at the door
    paths: Annotated[list[Path], typer.Argument(readable=False, help="files, or folders of them")],
    plane: Plane = "auto",
    mm_per_px: Annotated[str | None, typer.Option(help="0.12, or row,col: 0.12,0.15")] = None,
    spacing: Annotated[Path | None, typer.Option(help="CSV with image,mm_per_px")] = None,
    out: Out = Path("fetometry-out"),
    write: Annotated[str, typer.Option(help="any of overlay,json,csv,hc18")] = "overlay,json,csv",
    model: Model = None,
    device: Device = "auto",
    flip_average: FlipAverage = False,
) -> None:
    """Measure images and DICOM files; see where the numbers came from in OUT/overlays."""
    from fetometry.pipeline import Settings

    with _plain_errors():
        settings = Settings(plane, _spacing(mm_per_px, spacing), model, device, flip_average)
        exam = _run(paths, settings, out, write.split(","))
    if exam.problems:
        raise typer.Exit(REFUSED)


@app.command()
def demo(out: Out = Path("fetometry-demo"), device: Device = "auto") -> None:
    """Make a phantom head with known HC, measure it, and show what came out."""
    from fetometry import phantom
    from fetometry.pipeline import Settings
    from fetometry.report import overlay_path, prepare_folder

    with _plain_errors():
        made = phantom.head(phantom.HeadSpec())
        prepare_folder(out)
        source = out / "head.dcm"
        phantom.write_dicom(made, source)
        exam = _run([source], Settings(device=device), out, ("overlay", "json", "csv"))
    _print(f"truth: HC {made.hc_mm:.1f}, BPD {made.bpd_mm:.1f}, OFD {made.ofd_mm:.1f} mm")
    if exam.findings:
        _print(f"look at {overlay_path(out, Path(source.stem), 1)}")
    if exam.problems:
        raise typer.Exit(REFUSED)


def _print(text: str, to: Console = screen) -> None:
    to.print(text, highlight=False, markup=False, soft_wrap=True)


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
            screen.print(f"{mark} {check.name}: {escape(check.seen)}", soft_wrap=True)
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
        cases = list(judging.evaluate(todo, predictor))
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
