"""The command line: it owns the terminal, the exit code and the progress bar, and no logic.

Exit 0: all done; 1: something was refused, or nothing was measured, the rest is written; 2: usage.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import fetometry
from fetometry.cli import node, phantoms, sr
from fetometry.cli.console import screen
from fetometry.cli.growing import charts, growth
from fetometry.cli.installation import doctor, models
from fetometry.cli.judging import compare, evaluate, table
from fetometry.cli.measuring import demo, measure
from fetometry.cli.reporting import report
from fetometry.cli.serving import serve
from fetometry.cli.sweeping import collect, reproduce, sweep, systems
from fetometry.cli.training import export, export_data, prepare, train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measures the fetus in ultrasound. Research use only; not for diagnosis.",
)
COMMANDS = (
    *(measure, report, serve, growth, charts, demo, doctor, models),
    *(evaluate, table, compare, prepare, train, export, export_data),
    *(sweep, reproduce, collect, systems),
)
for _command in COMMANDS:
    app.command()(_command)
app.add_typer(phantoms.app, name="phantom")
app.add_typer(sr.app, name="sr")
app.add_typer(node.app, name="node")


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


def main() -> None:
    """Run the command line."""
    # output may be piped to where the terminal's character set is not UTF-8
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app()


__all__ = ["app", "main"]
