"""`node` and `node status`: a DICOM node that answers with reports."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetometry.cli import options
from fetometry.cli.console import REFUSED, plain_errors, say
from fetometry.errors import UsageError

if TYPE_CHECKING:
    from fetometry.serve.node.settings import NodeSettings

app = typer.Typer(help="Receive studies by DICOM, measure them, send the reports back.")

#: What the extra brings that the node cannot do without.
_EXTRA = ("pynetdicom",)

#: The certificate of the node, its key, and the authority of the others.
_Tls = tuple[Path | None, Path | None, Path | None]

Store = Annotated[Path | None, typer.Option(help="folder of the queue: objects, results, state")]
Forward = Annotated[str | None, typer.Option(help="who gets results, HOST:PORT:AET; else nobody")]
Port = Annotated[int | None, typer.Option(help="to listen on; else 11112")]
Host = Annotated[str | None, typer.Option(help="address to listen on; else every one")]
Aet = Annotated[str | None, typer.Option(help="its own title; else FETOMETRY")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="a calling AET, or any; repeatable; else that of --forward alone"),
]
Quiet = Annotated[float | None, typer.Option(help="seconds without an image; else 30")]
Kinds = Annotated[str | None, typer.Option(help="any of sr,sc,seg,sr1500; else sr,sc")]
Earlier = Annotated[
    bool, typer.Option("--earlier", help="fetch the patient's earlier reports for the chart")
]
KeepDays = Annotated[
    float | None, typer.Option(help="days until an answered study is forgotten; else 30")
]
MaxObjectMb = Annotated[int | None, typer.Option(help="largest object; else 512")]
MaxAssociations = Annotated[int | None, typer.Option(help="at one time; else 10")]
ReserveMb = Annotated[int | None, typer.Option(help="disk that stays free; else 500")]
MeasureLimit = Annotated[float | None, typer.Option(help="seconds that a study may take; else 600")]
Retry = Annotated[
    str | None, typer.Option(help="seconds: first and longest wait for the peer; else 5,900")
]
TlsCert = Annotated[Path | None, typer.Option(help="its certificate, PEM")]
TlsKey = Annotated[Path | None, typer.Option(help="its private key, PEM")]
TlsCa = Annotated[Path | None, typer.Option(help="the authority of the others' ones, PEM")]
ForwardTls = Annotated[bool, typer.Option("--forward-tls", help="TLS to --forward, too")]
LogFile = Annotated[Path | None, typer.Option(help="file of the log; else stderr")]
Profile = Annotated[Path | None, typer.Option(help="the house's fetometry.toml")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON")]


@app.callback(invoke_without_command=True)
def node(
    context: typer.Context,
    store: Store = None,
    forward: Forward = None,
    port: Port = None,
    host: Host = None,
    aet: Aet = None,
    allow: Allow = None,
    quiet: Quiet = None,
    kinds: Kinds = None,
    earlier: Earlier = False,
    keep_days: KeepDays = None,
    max_object_mb: MaxObjectMb = None,
    max_associations: MaxAssociations = None,
    reserve_mb: ReserveMb = None,
    measure_limit: MeasureLimit = None,
    retry: Retry = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
    forward_tls: ForwardTls = False,
    log: LogFile = None,
    profile: Profile = None,
    model: options.Model = None,
) -> None:
    """Receive studies by DICOM, measure them, send the reports back."""
    if context.invoked_subcommand is not None:
        return
    with plain_errors():
        said = (
            {"port": port, "host": host, "aet": aet, "profile": profile, "model": model}
            | {"allow": frozenset(allow) if allow else None, "kinds": _words(kinds)}
            | {"quiet_s": quiet, "measure_s": measure_limit, "retry_s": _seconds(retry)}
            | {"keep_days": keep_days, "reserve_mb": reserve_mb, "max_object_mb": max_object_mb}
            | {"max_associations": max_associations, "earlier": earlier}
            | {"forward_tls": forward_tls}
        )
        settings = _settings(_folder(store), forward, (tls_cert, tls_key, tls_ca), said)
        from fetometry.serve.node import running

        running.run(settings, log)


def _need_extra() -> None:
    if any(importlib.util.find_spec(name) is None for name in _EXTRA):
        raise UsageError("the node needs the extra serve: pip install 'fetometry[serve]'")


def _folder(store: Path | None) -> Path:
    if store is None:
        raise UsageError("--store DIR is needed: the folder of the node's queue")
    return store


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(","))


def _seconds(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, longest = (float(number) for number in text.split(","))
    except ValueError:
        raise UsageError(f"--retry: two numbers, such as 5,900; got {text!r}") from None
    return first, longest


def _settings(folder: Path, forward: str | None, tls: _Tls, said: dict[str, Any]) -> NodeSettings:
    """Return the settings; what was not said (None) is as they have it."""
    _need_extra()
    from fetometry.serve.node.settings import NodeSettings, Tls, parse_peer

    cert, key, authority = tls
    if (cert is None) != (key is None) or (cert is None and authority is not None):
        raise UsageError("--tls-cert and --tls-key go together, --tls-ca goes with both")
    given = {name: value for name, value in said.items() if value is not None}
    if cert is not None and key is not None:
        given["tls"] = Tls(cert, key, authority)
    if forward is not None:
        given["forward"] = parse_peer(forward)
    return NodeSettings(folder, **given)


@app.command()
def status(store: Store = None, as_json: AsJson = False) -> None:
    """Show what a node has received, answered and sent; it may be running or not."""
    with plain_errors():
        folder = _folder(store)
        from fetometry.serve.node import status as words
        from fetometry.serve.node.store import Store as Queue

        with Queue.look(folder) as looked:
            now = looked.status()
    if as_json:
        say(json.dumps(words.as_json(now), indent=2))
    else:
        for line in words.lines(now):
            say(line)
    if not words.is_well(now):
        raise typer.Exit(REFUSED)


@app.command()
def requeue(store: Store = None) -> None:
    """Send refused results again, and measure failed studies again; the node may be running."""
    with plain_errors():
        folder = _folder(store)
        from fetometry.serve.node.status import number
        from fetometry.serve.node.store import Store as Queue

        with Queue.join(folder) as joined:
            again = joined.requeue()
    sent, measured = number(again.results, "result"), number(again.studies, "study", "studies")
    say(f"sent again: {sent}; measured again: {measured}")
