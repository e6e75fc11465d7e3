"""The files of a reviewed exam, written when they are asked for."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import FetometryError
from fetometry.pipeline.frames import without_names
from fetometry.pipeline.writing_edited import write_edited
from fetometry.report.dicom_out import SR
from fetometry.serve.web.desk import Desk
from fetometry.serve.web.opened import Reviewed
from fetometry.serve.web.pictures import shown
from fetometry.serve.web.predecessor import put_predecessor
from fetometry.serve.web.problems import Refusal
from fetometry.training.data.corrections import training_manifest
from fetometry.types import Finding, Image

#: What can be asked for → the kind of output, and its media type.
OUTPUTS = {
    "report.html": ("html", "text/html; charset=utf-8"),
    "report.pdf": ("pdf", "application/pdf"),
    "measurements.csv": ("csv", "text/csv; charset=utf-8"),
    "exam.json": ("json", "application/json"),
    "report.sr.dcm": ("sr", "application/dicom"),
    "overlays.zip": ("overlay", "application/zip"),
}

#: A spreadsheet takes a cell that begins with one of these for a formula, and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def output(desk: Desk, exam: str, name: str) -> bytes:
    """Return one output of an exam as it is now.

    Raises:
        Refusal: there is no such output, or it cannot be made.
    """
    if name not in OUTPUTS:
        raise Refusal(404, f"there is no output of that name; there are {', '.join(OUTPUTS)}")
    return made(desk, desk.reviewed(exam), name)


def made(desk: Desk, reviewed: Reviewed, name: str) -> bytes:
    """Return one output of an exam with its review.

    Raises:
        Refusal: it cannot be made.
    """
    with tempfile.TemporaryDirectory(prefix="out-", dir=desk.store.folder) as given:
        folder = Path(given)
        if OUTPUTS[name][0] == SR:
            put_predecessor(desk.settings.store, reviewed.exam, folder)
        written, problems = _written(reviewed, folder, OUTPUTS[name][0])
        if name.endswith(".zip"):
            return zipped(folder, (path for path in folder.rglob("*") if path.is_file()))
        suffix = name.partition(".")[2]
        found = next((path for path in written if path.name.endswith(f".{suffix}")), None)
        if found is None:
            why = "; ".join(problems) or "nothing was measured in it"
            raise Refusal(409, f"{name} cannot be made: {why}")
        return found.read_bytes()


def _written(out: Reviewed, folder: Path, kind: str) -> tuple[list[Path], list[str]]:
    if kind == "csv":
        names = {path: _cell(name) for path, name in out.names.items()}
        out = replace(out, exam=replace(out.exam, name=_cell(out.exam.name)), names=names)
    before = {out.plain(problem.reason) for problem in out.exam.problems}
    try:
        told, written = write_edited(out.exam, folder, {kind}, out.settings, out.names, out.earlier)
    except FetometryError as error:
        raise Refusal(409, out.plain(str(error))) from None
    late = (out.plain(problem.reason) for problem in told.problems)
    return written, [reason for reason in late if reason not in before]


def _cell(text: str) -> str:
    """Return a name of others as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def zipped(folder: Path, files: Iterable[Path]) -> bytes:
    """Return files below a folder as one ZIP archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.write(path, path.relative_to(folder).as_posix())
    return held.getvalue()


def corrections(desk: Desk) -> bytes:
    """Return the corrected images of all signed exams as a data set to train on.

    Raises:
        Refusal: there is none.
    """
    exams = []
    for kept in desk.store.exams():
        if desk.store.trail(kept.id).signed is not None:
            exams.append(desk.reviewed(kept.id).exam)
    findings = {(f.source, f.frame): f for exam in exams for f in exam.findings}

    def picture(source: str, frame: int) -> NDArray[np.uint8]:
        return _nameless(desk.frames(source, frame), findings.get((source, frame)))

    with tempfile.TemporaryDirectory(prefix="out-", dir=desk.store.folder) as given:
        folder = Path(given)
        try:
            training_manifest(exams, folder, picture)
        except FetometryError as error:
            raise Refusal(409, str(error)) from None
        return zipped(folder, (path for path in folder.rglob("*") if path.is_file()))


def _nameless(image: Image, finding: Finding | None) -> NDArray[np.uint8]:
    """Return the pixels of a frame that leaves the house, black where a name may stand."""
    if finding is not None:
        return without_names(image, finding)
    if image.may_show_name and not image.regions:
        return np.zeros_like(image.pixels)
    return shown(image)
