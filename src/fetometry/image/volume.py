"""NIfTI, NRRD, MetaImage and enhanced ultrasound DICOM → Volume.

ITK gives (x, y, z); index order (slice, row, col) is (z, y, x). It is turned round here.
"""

from __future__ import annotations

import math
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError, SpacingError, UsageError
from fetometry.image import dicom, volume_dicom
from fetometry.image.files import DICOM_SUFFIX
from fetometry.image.volume_grey import check_voxels, to_grey_voxels
from fetometry.image.volume_headers import FORMATS, Format, Stated, format_of
from fetometry.volume import Volume, checked_spacing_3d

#: ITK's spacing and the header's are the same when they differ by less than this, relatively.
_SAME_NUMBER = 1e-3

#: ITK's switch for its warnings belongs to the whole process.
_READING = threading.Lock()


def _simpleitk() -> Any:
    try:
        import SimpleITK
    except ImportError:
        raise UsageError(
            "NIfTI, NRRD and MetaImage volumes need SimpleITK: pip install 'fetometry[volume]'"
        ) from None
    return SimpleITK


def _check_information(reader: Any, source: str) -> None:
    """Refuse what is no volume of grey voxels, before its voxels are read."""
    sizes = tuple(int(size) for size in reader.GetSize())
    if reader.GetNumberOfComponents() != 1:
        raise ImageError(
            f"{source}: its voxels are colours or vectors; save one grey value for each voxel"
        )
    if len(sizes) > 3:
        raise ImageError(
            f"{source}: a series of {math.prod(sizes[3:])} volumes, not one: save one moment alone"
        )
    cols, rows, slices = (*sizes, 1)[:3]
    check_voxels((slices, rows, cols), source)


def _load(path: Path, found: Format) -> Any:
    """Return the image as ITK reads it, without its warnings."""
    itk, source = _simpleitk(), str(path)
    reader = itk.ImageFileReader()
    reader.SetImageIO(found.image_io)
    reader.SetFileName(source)
    with _READING:
        loud = itk.ProcessObject.GetGlobalWarningDisplay()
        itk.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            reader.ReadImageInformation()
            _check_information(reader, source)
            return reader.Execute()
        except (RuntimeError, MemoryError) as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [""]
            raise ImageError(
                f"{source}: the {found.name} file is damaged, or of a kind that cannot be read: "
                + textwrap.shorten(lines[-1], 160)
            ) from error
        finally:
            itk.ProcessObject.SetGlobalWarningDisplay(loud)


def _spacing(image: Any, stated: Stated) -> tuple[tuple[float, float, float] | None, str]:
    """Return the spacing (slice, row, col) that the header states, or None and why."""
    if stated.spacing_mm is None:
        return None, stated.problem
    read_mm = np.array(image.GetSpacing()) * stated.mm_per_unit
    if not np.allclose(read_mm, stated.spacing_mm, rtol=_SAME_NUMBER, atol=0):
        return None, "its header has two sizes of a voxel that disagree"
    x, y, z = stated.spacing_mm
    try:
        return checked_spacing_3d((z, y, x)), ""
    except SpacingError as error:
        return None, str(error)


def _read_itk(path: Path, found: Format) -> Volume:
    source = str(path)
    stated = found.stated(path)
    image = _load(path, found)
    spacing, problem = _spacing(image, stated)
    # lengths of no known unit are not millimetres
    origin_mm = np.zeros(3)
    if spacing is not None:
        origin_mm = np.array(image.GetOrigin()) * stated.mm_per_unit
    # the columns of ITK's matrix are the directions of x, y, z
    columns = np.array(image.GetDirection()).reshape(3, 3)
    voxels: NDArray[Any] = _simpleitk().GetArrayViewFromImage(image)  # (z, y, x)
    x, y, z = (float(value) for value in origin_mm)
    return Volume(
        to_grey_voxels(voxels, source),
        source,
        spacing,
        problem,
        np.ascontiguousarray(columns.T[::-1]),
        (x, y, z),
    )


def is_volume(path: Path) -> bool:
    """Tell whether `read_volume` is the reader of a file: by its name, or its DICOM class."""
    if format_of(path) is not None:
        return True
    try:
        return dicom.has_magic(path) and volume_dicom.is_volume(path)
    except OSError:
        return False


def read_volume(path: Path) -> Volume:
    """Read one volume of grey voxels.

    8-bit values are kept. Any other type is scaled linearly so that the volume's own lowest value
    becomes 0 and its highest 255. The size of a voxel is what the file states, in millimetres;
    where it states none, or no unit, `spacing_mm` is None and `spacing_problem` says why.

    Raises:
        ImageError: the file cannot be read, is damaged, truncated, in colour, a time series, a
            single picture, or one shade all over.
        UsageError: SimpleITK is needed and not installed.
    """
    source, found = str(path), format_of(path)
    try:
        if path.stat().st_size == 0:
            raise ImageError(f"{source}: the file is empty (0 bytes); copy or export it again")
        if found is not None:
            return _read_itk(path, found)
        if dicom.has_magic(path) or path.suffix.lower() == DICOM_SUFFIX:
            return volume_dicom.read(path)
    except OSError as error:
        raise ImageError(f"{source}: cannot be read: {error.strerror or error}") from error
    raise ImageError(
        f"{source}: not a volume: it must be {' '.join(FORMATS)}, or DICOM of the class "
        "Enhanced US Volume"
    )
