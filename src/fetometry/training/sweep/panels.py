"""Success and failure: the best, the middling and the worst images of a model, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fetometry.errors import DataError, OutputError
from fetometry.training.cases import MEASUREMENTS, Case
from fetometry.training.gallery import (
    OVERLAP,
    Picture,
    Viewer,
    by_error,
    counted_as,
    shown,
    together,
)

#: Panels in a row: from the best to the worst.
ACROSS = 3

#: Bytes that a picture may have, and the JPEG qualities that are tried, best first.
MOST_BYTES = 250_000
QUALITIES = (85, 75, 65, 55, 45)

#: Rows of a picture of one plane alone.
ROWS_OF_ONE = 2


def spread(cases: Sequence[Case], name: str, rows: int = 1) -> list[Case]:
    """Return the best, median and worst cases by the size of the error, so many rows of three.

    The second row has the next of each kind. Of few cases, each is there once.
    """
    ordered = by_error(cases, name)
    count, middle = len(ordered), (len(ordered) - 1) // 2
    places = [at for i in range(rows) for at in (i, middle + i, count - 1 - i)]
    return [ordered[at] for at in dict.fromkeys(places) if 0 <= at < count]


def _encoded(picture: Picture) -> bytes:
    """Return the picture as JPEG, as good as it may be."""
    codes = (
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        for quality in QUALITIES
    )
    found = b""
    for found in codes:
        if len(found) <= MOST_BYTES:
            return found
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", half, [cv2.IMWRITE_JPEG_QUALITY, QUALITIES[0]])[1].tobytes()


def _names(cases: Sequence[Case]) -> list[str]:
    """Return the first measurement of each plane; of volumes without one, the overlap."""
    firsts = [names[0] for names in MEASUREMENTS.values()]
    return [name for name in shown(cases) if name in (*firsts, OVERLAP)]


def panels(judges: Viewer, cases: Sequence[Case]) -> Picture:
    """Draw best, median and worst image of each plane's first measurement, a row a plane.

    A model of one plane has two rows.

    Raises:
        DataError: no case has a truth.
    """
    names = _names(cases)
    if not names:
        raise DataError("no image has a truth: there is nothing to show success and failure of")
    drawn: list[Picture] = []
    for name in names:
        chosen = spread(cases, name, ROWS_OF_ONE if len(names) == 1 else 1)
        of_name = [judges.panel(case, name) for case in chosen]
        drawn += [*of_name, *[np.zeros_like(of_name[0])] * (-len(of_name) % ACROSS)]
    noun, lines = counted_as(cases)
    title = f"{', '.join(names)} of {len(cases)} {noun}: best, median and worst; {lines}"
    return together(title, drawn, ACROSS)


def write_panels(judges: Viewer, cases: Sequence[Case], path: Path) -> None:
    """Write the best, median and worst images of a model as a JPEG of at most 250 KB.

    Raises:
        DataError: no case has a truth.
        OutputError: the file cannot be written there.
    """
    code = _encoded(panels(judges, cases))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(code)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


__all__ = ["panels", "spread", "write_panels"]
