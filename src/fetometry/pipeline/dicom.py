"""DICOM files of exams: headers and pictures read again, for what is written about them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry import image as reading
from fetometry import report
from fetometry.pipeline.frames import NO_FILES, without_names
from fetometry.pipeline.previous import Earlier, histories
from fetometry.report.reports import CHART
from fetometry.report.sr.identity import Header
from fetometry.report.sr.instances import can_be_referred_to
from fetometry.types import Exam, Finding


def write_dicom(
    exams: Sequence[Exam],
    folder: Path,
    kinds: Collection[str],
    places: Mapping[str, Path],
    earlier: Sequence[Earlier] = (),
    days: Mapping[str, report.Days] | None = None,
) -> tuple[list[Exam], list[Path]]:
    """Write the DICOM files that are asked for; return the exams, and the files.

    `places` are those of `report.overlay_names`. Where charts are asked for, too, those with
    `earlier` exams are captured. `days` has, by the name of an exam, what its ages were counted
    from.
    """
    if not set(kinds) & set(report.DICOM):
        return list(exams), []
    named = dict.fromkeys(finding.source for exam in exams for finding in exam.findings)
    headers, digests = headers_of({source: Path(source) for source in named})
    sources = report.Sources(headers, digests, places, pictures_in_order, days or {})
    past = [histories(exam, earlier) for exam in exams] if CHART in kinds else []
    return report.write_dicom(exams, sources, folder, kinds, past)


def headers_of(files: Mapping[str, Path]) -> tuple[dict[str, Header], dict[str, str]]:
    """Return, by source, the headers and the digests that `report.Sources` has."""
    headers, digests = {}, {}
    for source, path in files.items():
        header = reading.read_header(path)
        if header is not None:
            headers[source] = header
        if not can_be_referred_to(header):
            digests[source] = _digest(path)
    return headers, digests


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # reading its picture will say why
        return ""


def pictures_in_order(
    findings: Sequence[Finding], files: Mapping[str, Path] = NO_FILES
) -> Iterator[tuple[Finding, NDArray[np.uint8]]]:
    """Read the pictures of findings again, one at a time, each file once.

    Findings of one file come in the order of its frames. `files` is that of `pictures_of`.

    Raises:
        ImageError: a file cannot be read any more.
    """
    wanted: dict[str, dict[int, Finding]] = {}
    for finding in findings:
        wanted.setdefault(finding.source, {})[finding.frame] = finding
    for source, frames in wanted.items():
        last = max(frames)
        for image in reading.read(files.get(source, Path(source))):
            if image.frame in frames:
                yield frames[image.frame], without_names(image, frames[image.frame])
            if image.frame == last:
                break
