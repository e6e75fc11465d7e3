"""The model's proposal of an exam: measured, kept beside the files, read again.

On disk it names the files alone, so that the folder can be moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fetometry import image as reading
from fetometry import report
from fetometry.errors import FetometryError, ImageError, UsageError
from fetometry.pipeline import (
    Result,
    Settings,
    assemble,
    dated,
    with_growth,
)
from fetometry.pipeline.frames import measure_images
from fetometry.pipeline.previous import Earlier, read_previous
from fetometry.pipeline.writing_edited import renamed
from fetometry.report.exam_json import exam_json
from fetometry.serve.web.pictures import Frames
from fetometry.serve.web.store import PROPOSAL
from fetometry.serve.web.uploads import PREVIOUS
from fetometry.types import Exam, Image, Problem

VOLUME = "a volume: the page takes pictures alone"


@dataclass(frozen=True)
class Seen:
    """What the page has to know of a file before it is measured.

    `frames` is 0 of one that cannot be shown, and `reason` says why. `may_calibrate`: it does not
    say how large a pixel is, so that a person may.
    """

    frames: int
    width: int = 0
    height: int = 0
    may_calibrate: bool = False
    reason: str = ""


def look(path: Path, frames: Frames) -> Seen:
    """Return how many frames a file has, and how large they are."""
    try:
        if reading.is_volume(path):
            return Seen(0, reason=VOLUME)
        first = frames(str(path), 1)
        header = reading.read_header(path)
        if header is None:
            count = sum(1 for _ in reading.read(path))
        else:
            count = int(header.get("NumberOfFrames") or 1)
    except ImageError as error:
        return Seen(0, reason=str(error))
    except OSError as error:
        return Seen(0, reason=f"cannot be read: {error.strerror}")
    height, width = first.shape
    return Seen(count, width, height, may_calibrate=not first.regions)


def measured(
    files: Sequence[Path], settings: Settings, limit_s: float, done: Callable[[int], None]
) -> Exam:
    """Measure the pictures among files for as long as there is time; tell how many are `done`.

    Raises:
        FetometryError: the model cannot be used, or an age cannot be counted.
    """
    end = time.monotonic() + limit_s
    why = f"the measuring took longer than {limit_s:g} s"

    def watched() -> Iterator[Image | Problem]:
        for count, file in enumerate(files):
            done(count)
            if not reading.is_volume(file):
                yield from _in_time(file, settings, end, why)

    results: list[Result] = [replace(r, picture=None) for r in measure_images(watched(), settings)]
    passed = [Problem(str(file), None, VOLUME, "skipped") for file in files if _volume(file)]
    results.append(Result(None, tuple(passed), None))
    exam = assemble(results, settings)
    return with_growth(exam, dated(files, settings), settings.house)


def _in_time(file: Path, settings: Settings, end: float, why: str) -> Iterator[Image | Problem]:
    """Yield the frames of a file until the time is over: one long cine is not waited for."""
    good = 0
    try:
        if time.monotonic() > end:
            raise ImageError(f"not measured: {why}")
        for image in reading.read(file):
            if good and time.monotonic() > end:
                raise ImageError(f"not measured from this frame on: {why}")
            yield settings.told_of(image)
            good = image.frame
    except ImageError as error:
        yield Problem(str(file), good + 1 if good else None, str(error))


def _volume(file: Path) -> bool:
    return bool(reading.is_volume(file))


def write_proposal(exam: Exam, folder: Path, names: Sequence[str]) -> None:
    """Keep the proposal in the exam's folder.

    Raises:
        OutputError: it cannot be written.
    """
    plain = renamed(exam, {str(folder / name): name for name in names})
    with report.atomic(folder / PROPOSAL) as file:
        file.write(exam_json(plain).encode("utf-8", "backslashreplace"))


def read_proposal(folder: Path, names: Sequence[str]) -> Exam:
    """Read the proposal of an exam's folder.

    Raises:
        DataError: it is not there, or damaged.
    """
    exam = report.read_exam(folder / PROPOSAL)
    return renamed(exam, {name: str(folder / name) for name in names})


def earlier(folder: Path) -> tuple[tuple[Earlier, ...], tuple[Problem, ...]]:
    """Return the earlier exams whose documents were uploaded, or why there are none."""
    previous = folder / PREVIOUS
    try:
        return (read_previous(previous) if previous.is_dir() else ()), ()
    except UsageError:
        reason = "no document among them is one of an exam"
    except (FetometryError, RecursionError):
        reason = "a document is damaged, or a later version of fetometry wrote it"
    return (), (Problem("earlier exams", None, reason, "skipped"),)
