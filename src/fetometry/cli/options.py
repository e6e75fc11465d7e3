"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or openvino")]
Out = Annotated[Path, typer.Option(help="folder for the results")]
Model = Annotated[str | None, typer.Option(help="a shipped model's name or a .onnx file")]
FlipAverage = Annotated[
    bool, typer.Option("--flip-average", help="average with the mirrored image: twice the time")
]
Previous = Annotated[
    Path | None, typer.Option(help="folder of the exam.json of earlier exams, for the report")
]
Data = Annotated[Path, typer.Option(help="the data set's folder")]
Seed = Annotated[int, typer.Option(help="another seed, another phantom")]
PhantomFile = Annotated[Path, typer.Option(help="a .dcm or .png file")]
