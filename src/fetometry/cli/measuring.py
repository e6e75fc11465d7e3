"""`measure` and `demo`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli import dates, options, remote
from fetometry.cli.console import REFUSED, plain_errors, remark, say, watched
from fetometry.cli.show import show_exams
from fetometry.errors import SpacingError, UsageError
from fetometry.types import Exam

if TYPE_CHECKING:
    from fetometry.phantom.truth import Phantom
    from fetometry.pipeline import Settings
    from fetometry.types import Spacing

Plane = Annotated[str, typer.Option(help="auto, head, abdomen or femur")]
MmPerPx = Annotated[str | None, typer.Option(help="0.12, or row,col: 0.12,0.15")]
SpacingOption = Annotated[
    Path | None,
    typer.Option(help="CSV with image,mm_per_px (and fetus: A or B), or the word ruler"),
]
Write = Annotated[
    str,
    typer.Option(
        help="any of overlay,picture,json,csv,summary,hc18,html,pdf,chart,sr,sc,seg,sr1500"
    ),
]
Select = Annotated[
    str | None,
    typer.Option(
        help="which of several images counts: best, median, mean or last; else as the profile says"
    ),
]
Stow = Annotated[
    bool,
    typer.Option("--stow", help="store the DICOM files of --write on the server of the study"),
]
Fetus = Annotated[str, typer.Option(help="of twins, the one that is shown: A or B")]

#: What the phantoms know, in the order in which the demo shows it.
NAMES = ("HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL")

#: Everything but the file for the HC18 challenge.
DEFAULT_WRITE = "overlay,picture,json,csv,summary"


def _said(
    mm_per_px: str | None, spacing: Path | None, fetus: str
) -> tuple[Spacing | Mapping[str, Spacing] | str | None, str | Mapping[str, str]]:
    """Return the spacing, and which twin: for all images, or for each by its stem."""
    from fetometry.image import parse_mm_per_px, read_spacing_table
    from fetometry.pipeline import RULER

    if mm_per_px is not None:
        try:
            given = parse_mm_per_px(mm_per_px)
        except SpacingError as error:
            raise UsageError(f"--mm-per-px: {error}") from None
    else:
        given = None
    if spacing is None:
        return given, fetus
    both = UsageError("two spacings: give --mm-per-px or --spacing, not both")
    if str(spacing) == RULER:
        if given:
            raise both
        return RULER, fetus
    table = read_spacing_table(spacing)
    if given and table.spacing:
        raise both
    if fetus and table.fetus:
        raise UsageError(f"two answers: give --fetus or the column fetus of {spacing}, not both")
    return given or table.spacing or None, fetus or table.fetus


def _run(
    paths: Sequence[Path],
    settings: Settings,
    folder: Path,
    kinds: Iterable[str],
    previous: Path | None = None,
) -> tuple[list[Exam], list[Path]]:
    from fetometry import pipeline

    exams, written = pipeline.measure_into(
        folder,
        paths,
        settings,
        kinds=kinds,
        watch=lambda files: watched(files, "measuring"),
        previous=previous,
    )
    show_exams(exams)
    names = [path.relative_to(folder).as_posix() for path in written]
    remark(f"written to {folder}: {', '.join(_gathered(names)) or 'nothing'}")
    return exams, written


def _gathered(names: Sequence[str]) -> list[str]:
    """Leave out the files of one folder, and name the folder instead."""
    return list(dict.fromkeys(name.partition("/")[0] for name in names))


def _exit(exams: Sequence[Exam]) -> None:
    """Leave with `REFUSED` where something was refused, or nothing was measured."""
    refused = any(problem.kind == "refused" for exam in exams for problem in exam.problems)
    if refused or not any(exam.findings or exam.volumes for exam in exams):
        raise typer.Exit(REFUSED)


def measure(
    # not Path: it would make one slash of the two of a URL
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS...",
            help="files, or folders of them; or dicomweb+https://HOST/PATH/studies/UID",
        ),
    ],
    plane: Plane = "auto",
    mm_per_px: MmPerPx = None,
    spacing: SpacingOption = None,
    select: Select = None,
    fetus: Fetus = "",
    ga: dates.Ga = None,
    lmp: dates.Lmp = None,
    edd: dates.Edd = None,
    crl: dates.Crl = None,
    crl_date: dates.CrlDate = None,
    exam_date: dates.ExamDate = None,
    chart: dates.Charts = None,
    profile: dates.ProfileFile = None,
    previous: options.Previous = None,
    out: options.Out = Path("fetometry-out"),
    write: Write = DEFAULT_WRITE,
    model: options.Model = None,
    device: options.Device = "auto",
    flip_average: options.FlipAverage = False,
    stow: Stow = False,
) -> None:
    """Measure images, volumes and DICOM files; see where the numbers came from in OUT/overlays."""
    from fetometry.pipeline import Settings

    kinds = write.split(",")
    with plain_errors():
        server = remote.server_of(paths, kinds, stow=stow)
        said, twin = _said(mm_per_px, spacing, fetus)
        known = dates.read_dates(ga, lmp, edd, crl, crl_date, exam_date)
        house = dates.house(profile, chart)
        settings = Settings(plane, said, model, device, flip_average, select, twin, known, house)
        files = remote.received(server, out) if server else [Path(path) for path in paths]
        exams, written = _run(files, settings, out, kinds, previous)
        if server and stow:
            remote.send_back(server, written)
    _exit(exams)


def _phantoms() -> dict[str, Phantom]:
    from fetometry import phantom

    return {
        "head": phantom.head(phantom.HeadSpec()),
        "abdomen": phantom.abdomen(phantom.AbdomenSpec()),
        "femur": phantom.femur(phantom.FemurSpec()),
    }


def _truths(made: Iterable[Phantom], names: Iterable[str]) -> dict[str, float]:
    """Return the true sizes in mm of those measurements that a phantom knows."""
    facts = {key: fact for phantom in made for key, fact in phantom.facts.items()}
    known = {name: facts.get(f"{name.lower()}_mm") for name in names}
    return {name: mm for name, mm in known.items() if isinstance(mm, float)}


def demo(out: options.Out = Path("fetometry-demo"), device: options.Device = "auto") -> None:
    """Make phantoms of three planes with known sizes, measure them, and show what came out."""
    from fetometry import phantom
    from fetometry.pipeline import Settings
    from fetometry.report import exam_paths, prepare_folder

    with plain_errors():
        made = _phantoms()
        prepare_folder(out)
        sources = [out / f"{plane}.dcm" for plane in made]
        for source, shown in zip(sources, made.values(), strict=True):
            phantom.write_dicom(shown, source, study="demo")
        exams, _ = _run(sources, Settings(device=device), out, DEFAULT_WRITE.split(","))
    found = {entry.name: entry.value for exam in exams for entry in exam.selected}
    for name, mm in _truths(made.values(), NAMES).items():
        got = f"measured {found[name]:6.1f} mm" if name in found else "not measured"
        say(f"{name:5}truth {mm:6.1f} mm, {got}")
    pictures = [path for path in exam_paths(exams, out, ".png") if path.is_file()]
    if found and pictures:
        say(f"look at {pictures[0]}")
    _exit(exams)
