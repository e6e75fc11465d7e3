"""`phantom head`, `phantom abdomen`, `phantom femur` and `phantom femur3d`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetometry.cli import options
from fetometry.cli.console import plain_errors, say
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fetometry.phantom import FemurVolumeSpec
    from fetometry.phantom.truth import Phantom
    from fetometry.training.data.phantoms3d import Series

app = typer.Typer(no_args_is_help=True, help="Make synthetic images with known truth.")

DICOM = ".dcm"
SUFFIXES = (DICOM, ".png")

VolumeFile = Annotated[
    Path, typer.Option(help="a .nii.gz, .nii, .mha or .nrrd file; with --count, a folder")
]
Count = Annotated[
    int | None, typer.Option(help="so many volumes of all ages, to train on: --out is their folder")
]
Age = Annotated[str | None, typer.Option(help="its age: 27w, 27w3d, 27+3 or 192d; 23 to 31 weeks")]
Difficulty = Annotated[str, typer.Option(help="clean, clinical, or a number from 0 to 1")]
Volume = Annotated[str, typer.Option(help="small, tiny or full: voxels of 0.8, of 1 or of 0.38 mm")]

Size = Annotated[float | None, typer.Option(help="its true size; as in the demo unless given")]


def _given(**sizes: float | None) -> dict[str, Any]:
    """Return what was asked for; the specs have the defaults."""
    return {name: size for name, size in sizes.items() if size is not None}


def _write(out: Path, make: Callable[[], Phantom], name: str) -> None:
    from fetometry import phantom

    with plain_errors():
        if out.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--out must end in {' or '.join(SUFFIXES)}, got {out}")
        made = make()
        if out.suffix.lower() == DICOM:
            # of one seed they are one exam, whichever plane they show
            phantom.write_dicom(made, out, study=f"seed {made.seed}")
        else:
            phantom.write_png(made, out)
    size = made.facts[f"{name.lower()}_mm"]
    say(f"{out}: {name} {size:.1f} mm, {made.spacing_mm[0]:.4f} mm per pixel")


@app.command()
def head(out: options.PhantomFile, hc_mm: Size = None, seed: options.Seed = 0) -> None:
    """Make a head of known circumference as calibrated DICOM or PNG, with its truth beside it."""
    from fetometry import phantom

    _write(out, lambda: phantom.head(phantom.HeadSpec(**_given(hc_mm=hc_mm), seed=seed)), "HC")


@app.command()
def abdomen(out: options.PhantomFile, ac_mm: Size = None, seed: options.Seed = 0) -> None:
    """Make an abdomen of known circumference as calibrated DICOM or PNG, with its truth."""
    from fetometry import phantom

    asked = _given(ac_mm=ac_mm)
    _write(out, lambda: phantom.abdomen(phantom.AbdomenSpec(**asked, seed=seed)), "AC")


@app.command()
def femur(out: options.PhantomFile, fl_mm: Size = None, seed: options.Seed = 0) -> None:
    """Make a femur of known length as calibrated DICOM or PNG, with its truth beside it."""
    from fetometry import phantom

    _write(out, lambda: phantom.femur(phantom.FemurSpec(**_given(fl_mm=fl_mm), seed=seed)), "FL")


def _age_days(text: str | None) -> int | None:
    """Return an age in days; unlike a patient's, a phantom's may be given in weeks alone."""
    from fetometry.growth import GrowthError, parse_ga

    if text is None:
        return None
    weeks = re.fullmatch(r"\s*(\d{1,2})\s*w\s*", text, re.IGNORECASE)
    try:
        return parse_ga(f"{weeks[1]}w0d" if weeks else text)
    except GrowthError as error:
        raise UsageError(f"--ga: {error}") from None


def _difficulty(text: str) -> float:
    from fetometry.phantom import DIFFICULTIES

    try:
        return DIFFICULTIES[text] if text in DIFFICULTIES else float(text)
    except ValueError:
        names = ", ".join(DIFFICULTIES)
        raise UsageError(f"--difficulty is {names} or 0 to 1, got {text!r}") from None


def _volume(out: Path, spec: FemurVolumeSpec) -> str:
    """Make one volume, and return what to say of it."""
    from fetometry import phantom

    made = phantom.femur3d(spec)
    phantom.write_volume(made, out)
    return (
        f"{out}: FL {made.length_mm:.1f} mm, {made.volume_ml:.2f} mL, "
        f"{spec.voxel_mm:g} mm per voxel"
    )


def _series(out: Path, series: Series) -> str:
    """Make a folder of volumes, and return what to say of it."""
    from fetometry.training.data import VOLUMES, phantoms3d

    rows = phantoms3d.write(out, series)
    lengths = [row.truth_mm["FL"] for row in rows]
    return (
        f"{out}: {len(rows)} volumes, FL {min(lengths):.1f} to {max(lengths):.1f} mm, "
        f"{rows[0].spacing_mm[0]:g} mm per voxel; {VOLUMES} lists them"
    )


@app.command()
def femur3d(
    out: VolumeFile,
    ga: Age = None,
    fl_mm: Size = None,
    difficulty: Difficulty = "clinical",
    size: Volume = "small",
    seed: options.Seed = 0,
    count: Count = None,
) -> None:
    """Make a volume with a femur of known length and volume, its mask and its truth beside it.

    With --count it is a folder of such volumes, with a table of them to train on.
    """
    from fetometry import phantom
    from fetometry.phantom.femur3d.write import simpleitk, volume_suffix
    from fetometry.training.data.phantoms3d import Series

    with plain_errors():
        simpleitk()  # before the work, not after it
        if size not in phantom.SIZES:
            raise UsageError(f"--size is {' or '.join(phantom.SIZES)}, got {size!r}")
        if count is None:
            volume_suffix(out)
            shape, voxel_mm = phantom.SIZES[size]
            spec = phantom.FemurVolumeSpec(
                ga_days=_age_days(ga),
                fl_mm=fl_mm,
                difficulty=_difficulty(difficulty),
                shape=shape,
                voxel_mm=voxel_mm,
                seed=seed,
            )
            said = _volume(out, spec)
        elif ga is not None or fl_mm is not None:
            raise UsageError(
                "--ga and --fl-mm are of one volume, and --count draws all ages from 23 to 31 "
                "weeks: leave one or the other out"
            )
        else:
            said = _series(out, Series(count, seed, _difficulty(difficulty), size))
    say(said)
