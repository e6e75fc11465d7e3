"""Enhanced US Volume DICOM → Volume: parallel frames, each with its place.

References:
    DICOM PS3.3 A.59 Enhanced US Volume IOD; C.8.24.2 Ultrasound Frame of Reference; C.7.6.16.2.21
    Plane Position (Volume); C.7.6.16.2.22 Plane Orientation (Volume).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from fetometry.errors import ImageError, SpacingError
from fetometry.image import dicom, inflating, quiet
from fetometry.image.volume_grey import check_voxels, to_grey_voxels
from fetometry.volume import Volume, checked_spacing_3d

ENHANCED_US_VOLUME = UID("1.2.840.10008.5.1.4.1.1.6.2")

#: What may be measured in; the other types of data are colours of flow or stiffness.
TISSUE = "TISSUE_INTENSITY"

#: How far a frame may lie from its place in an evenly spaced stack, in distances of frames.
UNEVEN = 0.02

#: Where a frame's place is said: (sequence, position), (sequence, orientation). That of the
#: patient is there only where the machine knows it; that of the volume always.
_PLACES = (
    (("PlanePositionSequence", "ImagePositionPatient"),
     ("PlaneOrientationSequence", "ImageOrientationPatient")),
    (("PlanePositionVolumeSequence", "ImagePositionVolume"),
     ("PlaneOrientationVolumeSequence", "ImageOrientationVolume")),
)  # fmt: skip


@dataclass(frozen=True)
class _Stack:
    """Frames sorted along their normal: `order[k]` is the frame that becomes slice k."""

    order: NDArray[np.intp]
    slice_mm: float
    axes: NDArray[np.float64]
    origin_mm: tuple[float, float, float]


def is_volume(path: Path) -> bool:
    """Tell whether a DICOM file is of the class Enhanced US Volume."""
    try:
        with quiet.pydicom:
            found = inflating.read(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
            return str(found.get("SOPClassUID", "")) == ENHANCED_US_VOLUME
    except (ImageError, InvalidDicomError, *dicom.PYDICOM_RAISES):
        return False  # reading it will say why


def _values(groups: tuple[Dataset, Dataset], sequence: str, keyword: str) -> Any:
    """Return an attribute of a frame's own functional groups, else of the shared ones, or None."""
    for group in groups:
        items = group.get(sequence)
        if items and items[0].get(keyword) is not None:
            return items[0].get(keyword)
    return None


def _groups(dataset: Dataset, frames: int, source: str) -> list[tuple[Dataset, Dataset]]:
    """Return (own, shared) functional groups of each frame."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    if len(own) != frames:
        raise ImageError(
            f"{source}: {frames} frames, but Per-frame Functional Groups Sequence has {len(own)} "
            "items: it is not known where the frames lie; export it again"
        )
    return [(item, shared[0]) for item in own]


def _numbers(
    groups: list[tuple[Dataset, Dataset]], sequence: str, keyword: str
) -> NDArray[np.float64]:
    """Return an attribute of all frames as (frames, values), or an empty array."""
    found = [_values(group, sequence, keyword) for group in groups]
    if any(value is None for value in found):
        return np.empty((0, 0))
    return np.array([[float(number) for number in value] for value in found])


def _places(
    groups: list[tuple[Dataset, Dataset]], source: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the positions (frames, 3) and the orientation (6,) that all frames share."""
    for where, how in _PLACES:
        positions, orientations = _numbers(groups, *where), _numbers(groups, *how)
        if positions.shape[1] == 3 and orientations.shape[1] == 6:
            break
    else:
        raise ImageError(
            f"{source}: no Plane Position and Plane Orientation (Volume) for every frame: it is "
            "not known where the frames lie; export it again"
        )
    if not np.isfinite(positions).all() or not np.allclose(
        orientations, orientations[0], atol=1e-4
    ):
        raise ImageError(f"{source}: its frames are not parallel: no volume that can be measured")
    return positions, orientations[0]


def _stack(groups: list[tuple[Dataset, Dataset]], source: str) -> _Stack:
    """Sort the frames along their normal.

    Raises:
        ImageError: two frames lie at one place, or the frames are not evenly stacked.
    """
    positions, orientation = _places(groups, source)
    # the first three say where the column index grows, the others where the row index does
    across, down = orientation[:3], orientation[3:]
    normal = np.cross(across, down)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    slice_mm = float(along[order[-1]] - along[order[0]]) / (len(order) - 1)
    gaps = np.diff(along[order])
    if not slice_mm > 0 or gaps.min() < UNEVEN * slice_mm:
        raise ImageError(
            f"{source}: several frames at the same place: volumes of several moments or types of "
            "data; save one of them alone"
        )
    first = positions[order[0]]
    places = first + slice_mm * np.arange(len(order))[:, None] * normal  # (frames, 3)
    if np.abs(places - positions[order]).max() > UNEVEN * slice_mm:
        raise ImageError(
            f"{source}: its frames are {gaps.min():.3g} to {gaps.max():.3g} mm apart, or shifted "
            "against each other: resample it to an even stack"
        )
    x, y, z = (float(value) for value in first)
    return _Stack(order, slice_mm, np.array([normal, down, across]), (x, y, z))


def _spacing(
    groups: list[tuple[Dataset, Dataset]], slice_mm: float
) -> tuple[tuple[float, float, float] | None, str]:
    pixels = _numbers(groups, "PixelMeasuresSequence", "PixelSpacing")  # (frames, 2): row, col
    if pixels.shape[1] != 2:
        return None, "its Pixel Measures Sequence has no Pixel Spacing for every frame"
    if not np.allclose(pixels, pixels[0], rtol=1e-4, atol=0):
        return None, "its frames disagree on the Pixel Spacing"
    try:
        return checked_spacing_3d((slice_mm, float(pixels[0, 0]), float(pixels[0, 1]))), ""
    except SpacingError as error:
        return None, str(error)


def _check(header: dicom.Header, groups: list[tuple[Dataset, Dataset]], source: str) -> None:
    """Refuse colours, other data than tissue, and one picture alone."""
    if header.photometric != "MONOCHROME2":
        raise ImageError(
            f"{source}: its Photometric Interpretation is {header.photometric}; grey volumes "
            "(MONOCHROME2) are measured"
        )
    kinds = {_values(group, "ImageDataTypeSequence", "DataType") for group in groups}
    if others := sorted(str(kind) for kind in kinds - {None, TISSUE}):
        raise ImageError(
            f"{source}: its Data Type is {', '.join(others)}; {TISSUE} alone is measured: save "
            "that alone"
        )
    check_voxels((header.frames, *header.shape), source)


def _voxels(path: Path, header: dicom.Header, in_place: bool, stack: _Stack) -> NDArray[Any]:
    slices = np.argsort(stack.order)  # the slice that each frame becomes
    voxels: NDArray[Any] | None = None
    for number, pixels in enumerate(dicom.frames_of(path, header, in_place)):
        if voxels is None:
            voxels = np.empty((header.frames, *header.shape), pixels.dtype)
        if number < header.frames:
            voxels[slices[number]] = pixels
    if voxels is None:
        raise ImageError(f"{path}: no frame could be decoded; export it again")
    return voxels


def read(path: Path) -> Volume:
    """Read one Enhanced US Volume, its frames sorted by where they lie.

    The axes are those of the patient where the file has them, else those of the volume's own
    frame of reference.

    Raises:
        ImageError: another class, damaged, in colour, several moments or types of data, or frames
            that are not parallel and evenly spaced.
    """
    source = str(path)
    header, in_place = dicom.open_checked(path, source)
    name = UID(str(header.dataset.get("SOPClassUID", "")))
    if name != ENHANCED_US_VOLUME:
        raise ImageError(
            f"{source}: {name.name or 'its class'} is not Enhanced US Volume: measure it as an "
            "image"
        )
    with dicom.explained(source, "where its frames lie cannot be read"):
        groups = _groups(header.dataset, header.frames, source)
        _check(header, groups, source)
        stack = _stack(groups, source)
        spacing, problem = _spacing(groups, stack.slice_mm)
    grey = to_grey_voxels(_voxels(path, header, in_place, stack), source)
    return Volume(grey, source, spacing, problem, stack.axes, stack.origin_mm)
