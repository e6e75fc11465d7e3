"""`report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fetometry.cli import options
from fetometry.cli.console import REFUSED, plain_errors, remark, say
from fetometry.cli.show import show_exams

#: What is written unless something else is asked for.
DEFAULT_WRITE = "html,pdf"


def report(
    exam: Annotated[Path, typer.Argument(help="the exam.json that `measure` wrote")],
    previous: options.Previous = None,
    out: options.Out = Path("fetometry-out"),
    write: Annotated[str, typer.Option(help="any of html,pdf,chart")] = DEFAULT_WRITE,
) -> None:
    """Write the report of an exam again from its JSON document, without measuring."""
    from fetometry import pipeline

    with plain_errors():
        shown, written = pipeline.report_again(exam, out, kinds=write.split(","), previous=previous)
    for path in written:
        say(str(path))
    if not written:
        show_exams([shown])
        remark("nothing was written")
        raise typer.Exit(REFUSED)
