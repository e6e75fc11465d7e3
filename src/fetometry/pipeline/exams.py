"""From results to exams."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fetometry.pipeline.result import Result
from fetometry.pipeline.selecting import decide
from fetometry.pipeline.settings import Settings
from fetometry.pipeline.visits import Visit
from fetometry.types import Exam, Finding, Problem, VolumeFinding


def assemble(results: Iterable[Result], settings: Settings, *, name: str = "") -> Exam:
    """Gather the results of one patient's visit into an exam, and say which values count."""
    from fetometry import __version__

    found: list[Finding] = []
    volumes: list[VolumeFinding] = []
    problems: list[Problem] = []
    for result in results:  # one at a time: the pictures of a folder do not fit in memory
        found += [result.finding] if result.finding else []
        volumes += [result.in_volume] if result.in_volume else []
        problems += result.problems
    engines = ", ".join(settings.engines)
    findings, selected = decide(found, settings.selection)
    return Exam(
        findings=findings,
        problems=tuple(problems),
        software=f"fetometry {__version__}" + (f" ({engines})" if engines else ""),
        selected=selected,
        name=name,
        volumes=tuple(volumes),
    )


def homed(exams: Sequence[Exam], visits: Sequence[Visit], missing: Iterable[Problem]) -> list[Exam]:
    """Put each path without an image into the exam whose folder it would lie in, or the first."""
    complete = list(exams)
    homes = [{file.parent.resolve() for file in visit.files} for visit in visits]
    for problem in missing:
        home = Path(os.path.normpath(Path(problem.source).absolute())).parent
        k = next((k for k, folders in enumerate(homes) if home in folders), 0)
        complete[k] = replace(complete[k], problems=(problem, *complete[k].problems))
    return complete
