"""`serve`."""

from __future__ import annotations

import os
import secrets
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetometry.cli import dates, options
from fetometry.cli.console import plain_errors, remark, say
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.serve.web.settings import WebSettings

#: Holds the token that is asked for; without it one is made up where others can reach the page.
TOKEN_VARIABLE = "FETOMETRY_TOKEN"

INSTALL = "the page needs what `pip install 'fetometry[serve]'` brings"


def serve(
    host: Annotated[
        str, typer.Option(help="address to listen on; others than this machine's need a token")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8765,
    data: Annotated[
        Path, typer.Option(help="folder for uploads, edits and signatures; nobody else reads it")
    ] = Path("fetometry-serve"),
    folder: Annotated[
        Path | None, typer.Option(help="folder whose exams are on the worklist")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="store of a node, whose studies are on the worklist")
    ] = None,
    forward: Annotated[
        str, typer.Option(help="PACS that signed reports are sent to: HOST:PORT:AET")
    ] = "",
    public_url: Annotated[
        str, typer.Option(help="https://HOST of a proxy with TLS that shows the page to others")
    ] = "",
    profile: dates.ProfileFile = None,
    model: options.Model = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="open a browser")] = True,
) -> None:
    """Open a page to look at measurements, correct them and sign them off."""
    with plain_errors():
        try:
            from fetometry.serve.web.running import run
            from fetometry.serve.web.settings import WebSettings
        except ModuleNotFoundError as error:
            raise UsageError(f"{INSTALL} ({error.name} is missing)") from None
        token, made = _token(host, public_url)
        settings = WebSettings(
            data=data,
            host=host,
            port=port,
            folder=folder,
            store=store,
            forward=forward,
            profile=dates.house(profile),
            model=model,
            token=token,
            public_url=public_url,
        )
        run(settings, lambda: _tell(settings, token if made else "", opened=open_))


def _token(host: str, public_url: str) -> tuple[str, bool]:
    """Return the token that is needed, and whether it was made up now."""
    from fetometry.serve.web.settings import LOCAL

    named = os.environ.get(TOKEN_VARIABLE, "")
    if named or (host in LOCAL and not public_url):
        return named, False
    return secrets.token_urlsafe(32), True


def _tell(settings: WebSettings, made: str, *, opened: bool) -> None:
    say(f"the page is at {settings.address} (Ctrl+C ends it)")
    remark("research use only; not for diagnosis")
    if made:
        remark(f"token, shown this once: {made}")
    if opened:
        # a browser may take its time, and the page has to answer it
        threading.Thread(target=webbrowser.open, args=[settings.address], daemon=True).start()
