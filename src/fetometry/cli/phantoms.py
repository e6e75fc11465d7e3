"""`phantom head`, `phantom abdomen` and `phantom femur`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetometry.cli import options
from fetometry.cli.console import plain_errors, say
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fetometry.phantom.truth import Phantom

app = typer.Typer(no_args_is_help=True, help="Make synthetic images with known truth.")

DICOM = ".dcm"
SUFFIXES = (DICOM, ".png")

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
