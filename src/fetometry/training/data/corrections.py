"""What reviewers corrected, as a data set: image, what they placed, mm per pixel.

A correction says where a model was wrong; a data set of corrections alone is one of hard cases,
and no sample of what comes in. Train on it together with others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError, OutputError
from fetometry.review import EDITED, Edit
from fetometry.training.data.manifest import Ends, Row, write_manifest
from fetometry.types import MAIN, Exam, Finding

NAME = "corrections"

#: The file that a prepared data set is read from, and the folder of its images.
TABLE, IMAGES = "manifest.csv", "images"

#: Letters of a pseudonym that are enough to tell patients' visits apart.
DIGITS = 16

#: Reads the pixels (H, W) of a frame of a source again, without what may show a name.
Picture = Callable[[str, int], NDArray[np.uint8]]


def training_manifest(exams: Sequence[Exam], folder: Path, picture: Picture) -> Path:
    """Write the corrected images of signed exams and their table, and return the table.

    `picture` gives the pixels of a frame, black where a name may stand. Of shapes only what a
    person placed goes in: where a person named the plane, or said that there is none, and the
    model drew the rest, the plane alone is learned. The group is a pseudonym of the visit; no file
    name, date or name of a person is written. `load(NAME, folder)` reads it back, and so does
    every command that takes a data set.

    Raises:
        DataError: nothing was corrected in an exam that is signed.
        ImageError: an image cannot be read any more.
        OutputError: a file cannot be written.
    """
    rows = [
        row
        for number, exam in enumerate(exams)
        if exam.review is not None and exam.review.signed
        for row in _rows_of(exam, _group(exam, number), folder, picture)
    ]
    if not rows:
        raise DataError("no exam that is signed has a correction: there is nothing to learn from")
    write_manifest(rows, folder / TABLE)
    return folder / TABLE


def _group(exam: Exam, number: int) -> str:
    """Return a pseudonym of the visit, the same whenever it is written; never a name."""
    known = next((finding.exam for finding in exam.findings if finding.exam), "")
    sources = sorted({finding.source for finding in exam.findings}) or [str(number)]
    said = known or "\0".join([exam.name, *sources])
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]


def _rows_of(exam: Exam, group: str, folder: Path, picture: Picture) -> list[Row]:
    rows = []
    for finding in exam.findings:
        if _is_corrected(finding):
            image = _saved(picture, finding.source, finding.frame, group, folder)
            rows.append(_row(finding, image, group))
    drawn = {(f.source, f.frame) for f in exam.findings if _is_corrected(f)}
    for edit in _planes_named(exam):
        if (edit.source, edit.frame) not in drawn:
            image = _saved(picture, edit.source, edit.frame or 1, group, folder)
            rows.append(Row(NAME, image, group, edit.value["plane"], None))
    return rows


def _is_corrected(finding: Finding) -> bool:
    """Tell whether a person placed what is learned from: ellipse, shaft, or which way is across.

    A diameter that was placed beside the ellipse says nothing about the ellipse.
    """
    learned = {MAIN[finding.plane], "TAD"}
    return any(m.name in learned and EDITED in m.flags for m in finding.measurements)


def _planes_named(exam: Exam) -> list[Edit]:
    """Return the last edit of the plane of each frame of which a person named one, or none.

    Frames that a person rejected, alone or with their file, are left out.
    """
    last: dict[tuple[str, int | None], Edit] = {}
    for edit in exam.review.standing if exam.review else ():
        if edit.action in ("plane", "reset"):
            last[edit.source, edit.frame] = edit
    rejected = {(p.source, p.frame) for p in exam.problems if p.kind == "rejected"}
    return [
        edit
        for (source, frame), edit in last.items()
        if edit.action == "plane" and not {(source, frame), (source, None)} & rejected
    ]


def _row(finding: Finding, image: Path, group: str) -> Row:
    """Return what is learned from a finding; without millimetres its plane alone."""
    if finding.spacing is None:
        return Row(NAME, image, group, finding.plane, None)
    name = {"femur": "FL", "abdomen": "TAD"}.get(finding.plane, "")
    return Row(
        dataset=NAME,
        image=image,
        group=group,
        plane=finding.plane,
        spacing_mm=finding.spacing.mm,
        ellipse=finding.ellipse,
        ends=_ends(finding, name),
    )


def _ends(finding: Finding, name: str) -> Ends | None:
    first, last = (finding.points_px.get(f"{name}_{k}") for k in (1, 2))
    return None if first is None or last is None else (first, last)


def _saved(picture: Picture, source: str, frame: int, group: str, folder: Path) -> Path:
    """Save a picture under a name that its content gives."""
    pixels = picture(source, frame)
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise OutputError(f"a picture of {source} could not be encoded as PNG")
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()[:DIGITS]
    path = folder / IMAGES / f"{group}_{digest}_f{frame}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None
    return path
