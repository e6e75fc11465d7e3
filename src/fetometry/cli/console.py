"""The two streams of the terminal, the exit codes, and errors in one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from fetometry.errors import FetometryError, RecipeError, UsageError

# a name such as a:b:c.png is no emoji
screen, err = Console(emoji=False, highlight=False), Console(stderr=True, emoji=False)

REFUSED, USAGE = 1, 2

T = TypeVar("T")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the package's errors into one line and an exit code."""
    try:
        yield
    except FetometryError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        asked_wrongly = isinstance(error, UsageError | RecipeError)
        raise typer.Exit(USAGE if asked_wrongly else REFUSED) from None


def say(text: str) -> None:
    """Print a line of a result as it is."""
    screen.print(text, highlight=False, markup=False, soft_wrap=True)


def remark(text: str) -> None:
    """Print a line that is not a result to where the errors go."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def watched(items: Sequence[T], doing: str) -> Iterable[T]:
    """Pass items on, with a bar on a terminal that shows how far it is."""
    alone = len(items) < 2 or not err.is_terminal
    return track(items, doing, console=err, disable=alone, transient=True)
