"""Which files of a folder are images, and which reader takes each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from fetometry.errors import ImageError
from fetometry.image import dicom, raster
from fetometry.image.volume_headers import FORMATS, format_of
from fetometry.types import Image, source_stem

RASTER_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
DICOM_SUFFIX = ".dcm"

#: What report calls the pictures that it draws.
_OVERLAY = re.compile(r"_(f\d+|volume)\.png$")

#: What report puts before the suffix of the DICOM files that it writes.
_WRITTEN = re.compile(r"\.(sr|sc|seg|sr1500)\.dcm$")

#: What stands before the suffix of the truth beside a volume, as a phantom has it.
_MASK = ".mask"

#: How the document of an exam begins; the picture beside it, of the same name, is ours too.
_DOCUMENT, _DOCUMENT_START = ".json", b'"fetometry-exam/'


def _is_image(path: Path) -> bool:
    # DICOMDIR is the table of contents of a DICOM disk, in the same file format
    if path.stem.lower().endswith("_annotation") or path.name == "DICOMDIR":
        return False
    if path.parent.name == "overlays" and _OVERLAY.search(path.name):
        return False
    if _WRITTEN.search(path.name):
        return False
    if format_of(path) is not None:
        return PurePath(source_stem(str(path))).suffix != _MASK
    suffix = path.suffix.lower()
    if suffix == ".png" and _is_document(path.with_suffix(_DOCUMENT)):
        return False
    if suffix in RASTER_SUFFIXES or suffix == DICOM_SUFFIX:
        return True
    try:
        return dicom.has_magic(path)
    except OSError:
        return False


def _is_document(path: Path) -> bool:
    """Tell whether this is the exam that an earlier run wrote."""
    try:
        with path.open("rb") as file:
            return _DOCUMENT_START in file.read(4 * len(_DOCUMENT_START))
    except OSError:
        return False


def _is_ours(folder: Path) -> bool:
    """Tell whether this is the folder of pictures that an earlier run wrote."""
    if folder.name != "overlays":
        return False
    one, several = folder.parent / "exam.json", folder.parent.glob("exams/*.json")
    return one.is_file() or any(map(_is_document, several))


def _search(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:  # a link that leads back up
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder  # reading it will say why, and the rest is still found
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not _is_ours(entry):
                yield from _search(entry, above | {here})
        elif entry.is_file() and _is_image(entry):
            yield entry


def find(path: Path) -> list[Path]:
    """Return the images and volumes that a path stands for, sorted: a file gives itself.

    A folder is searched with all that is below it for files with the suffix of an image or of a
    volume, and for DICOM files whatever they are called. Left out are hidden files,
    `*_Annotation.*`, volumes that are a mask (`*.mask.nii.gz` and alike), and the overlays and
    DICOM files (`*.sr.dcm` and alike) of an earlier run.

    Raises:
        ImageError: there is nothing at the path, or no image in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ImageError(f"{path}: no such file or folder")
    found = list(_search(path, frozenset()))
    if not found:
        known = " ".join(sorted(RASTER_SUFFIXES | {DICOM_SUFFIX} | set(FORMATS)))
        raise ImageError(f"{path}: the folder holds no image ({known}, or DICOM of any name)")
    return found


def exam_key(path: Path) -> str:
    """Return the pseudonym of the patient's study that a DICOM file belongs to, as `Image.exam`.

    It is empty where the file does not say: of other formats, and of a file that is damaged.
    """
    try:
        is_dicom = dicom.has_magic(path)
    except OSError:
        return ""
    return dicom.exam_key(path) if is_dicom else ""


def read(path: Path) -> Iterator[Image]:
    """Yield the frames of a file one after another, counted from 1.

    The first bytes tell what it is, not its name. The frames of a DICOM file are decoded as they
    are asked for, so that a long cine is never in memory as a whole.

    Raises:
        ImageError: the file cannot be read, or is not an image that can be measured.
    """
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: the file is empty (0 bytes); copy or export it again")
        is_dicom = dicom.has_magic(path) or path.suffix.lower() == DICOM_SUFFIX
        yield from dicom.read(path) if is_dicom else raster.read(path)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
