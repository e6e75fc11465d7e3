"""`doctor` and `models`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from fetometry.cli import console, options
from fetometry.cli.console import REFUSED, plain_errors, say


def doctor(device: options.Device = "auto") -> None:
    """Check this installation: models, hashes, phantoms within tolerance, engines, versions."""
    from fetometry.doctor import examine

    sound = True
    with plain_errors():
        for check in examine(device):
            mark = "[green]ok[/]  " if check.sound else "[bold red]BAD[/] "
            text = f"{mark} {check.name}: {escape(check.seen)}"
            console.screen.print(text, soft_wrap=True)
            sound = sound and check.sound
    if not sound:
        raise typer.Exit(REFUSED)


def models(as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """List the shipped models: planes, outputs, intervals, licence and hash."""
    from fetometry import predict

    rows: list[dict[str, Any]] = []
    with plain_errors():
        for name in predict.catalogue():
            info = predict.describe(name)
            rows.append(
                {
                    "name": name,
                    "measures": "volumes" if info.of_volumes else "pictures",
                    "planes": list(info.planes),
                    "outputs": {key: str(said["kind"]) for key, said in info.outputs.items()},
                    "intervals": sorted(info.intervals),
                    "licence": info.ref.licence,
                    "sha256": info.ref.sha256,
                    "description": info.description,
                    "notice": info.notice,
                }
            )
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    for row in rows:
        outputs = ", ".join(f"{key} ({kind})" for key, kind in row["outputs"].items())
        say(f"{row['name']}: {row['description']}")
        planes = f"planes {', '.join(row['planes'])}" if row["planes"] else row["measures"]
        say(f"  {planes}; outputs {outputs}")
        if row["notice"]:
            say(f"  {row['notice']}")
        say(f"  95 % intervals: {', '.join(row['intervals']) or 'none'}")
        say(f"  licence of the weights {row['licence']}; SHA-256 {row['sha256']}")
