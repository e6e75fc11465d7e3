"""Files appear under their name only when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import cv2

from fetometry.errors import OutputError
from fetometry.report.draw import Picture


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the name `path` when the block ends without an error.

    Folders that are missing are made. An older file of that name stays until it is replaced.

    Raises:
        OutputError: the file cannot be written there.
    """
    # a short name of its own: a long `path.name` has no room for a suffix
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def save_png(picture: Picture, path: Path) -> Path:
    """Save a colour picture as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    done, data = cv2.imencode(".png", picture, _png_options())
    if not done:
        raise OutputError(f"cannot write {path}: the picture could not be encoded as PNG")
    with atomic(path) as file:
        file.write(data.tobytes())
    return path


def _png_options() -> list[int]:
    # choosing a filter for each row takes as long again as all the rest; where OpenCV is too old
    # to be told which, its defaults are as fast but make files a third larger
    if not hasattr(cv2, "IMWRITE_PNG_FILTER"):
        return []
    return [
        *(cv2.IMWRITE_PNG_COMPRESSION, 1),
        *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
    ]


def prepare_folder(folder: Path) -> Path:
    """Make the output folder if need be, and prove that a file can be written in it.

    Raises:
        OutputError: it cannot be made or written; better known before the work than after.
    """
    proof = folder / f".{uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        proof.touch(exist_ok=False)
        proof.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into the folder {folder}: {error.strerror or error}; "
            "choose another one with --out"
        ) from error
    return folder
