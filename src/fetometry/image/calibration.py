"""Sequence of Ultrasound Regions → the parts of a DICOM image whose pixel size is known.

References:
    DICOM PS3.3 C.8.5.5, US Region Calibration Module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom import Dataset

from fetometry.errors import SpacingError
from fetometry.types import SPACING_RANGE_MM, Region, checked_spacing

Shape = tuple[int, int]

#: Region Spatial Format 1 is 2D (tissue or flow); Physical Units 3 is cm.
_FORMAT_2D, _UNIT_CM = 1, 3

#: Bit 0 of Region Flags is clear where a region has priority over those that it overlaps.
_LOW_PRIORITY = 1

_MM_PER_CM = 10

_BOUNDS = (
    "RegionLocationMinY0",
    "RegionLocationMaxY1",
    "RegionLocationMinX0",
    "RegionLocationMaxX1",
)
_DELTAS = ("PhysicalDeltaY", "PhysicalDeltaX")


@dataclass(frozen=True)
class Calibration:
    """The usable regions of an image, and why there are none where there are none."""

    regions: tuple[Region, ...]
    problem: str = ""


class _StaleError(SpacingError):
    """A region lies outside the image: it was resized or cropped after the calibration."""


def _is_spatial(item: Dataset) -> bool:
    keywords = ("RegionSpatialFormat", "PhysicalUnitsXDirection", "PhysicalUnitsYDirection")
    return tuple(item.get(keyword) for keyword in keywords) == (_FORMAT_2D, _UNIT_CM, _UNIT_CM)


def _numbers(item: Dataset, keywords: tuple[str, ...]) -> list[float]:
    values: list[Any] = [item.get(keyword) for keyword in keywords]
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        lacking = ", ".join(k for k, value in zip(keywords, values, strict=True) if value is None)
        raise SpacingError(f"has no number in {lacking or ', '.join(keywords)}") from None


def _bounds(item: Dataset, shape: Shape) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and last row and column, clipped by the one pixel that vendors add."""
    top, bottom, left, right = (int(value) for value in _numbers(item, _BOUNDS))
    rows, cols = shape
    if min(top, left) < 0 or max(top, bottom) > rows or max(left, right) > cols:
        raise _StaleError(
            f"reaches to ({max(left, right)}, {max(top, bottom)}) in a {cols} x {rows} image"
        )
    return (top, min(bottom, rows - 1)), (left, min(right, cols - 1))


def _spacing(item: Dataset) -> tuple[float, float]:
    """Return mm per pixel (row, col); a negative delta only tells the direction of an axis."""
    row_mm, col_mm = (abs(value) * _MM_PER_CM for value in _numbers(item, _DELTAS))
    try:
        return checked_spacing(row_mm, col_mm)
    except SpacingError:
        low, high = SPACING_RANGE_MM
        raise SpacingError(
            f"has pixels of {row_mm:.3g} x {col_mm:.3g} mm, outside {low:g} to {high:g} mm"
        ) from None


def _region(item: Dataset, number: int, shape: Shape) -> Region:
    rows, cols = _bounds(item, shape)
    if rows[0] > rows[1] or cols[0] > cols[1]:
        raise SpacingError("has its bounds the wrong way round")
    priority = not int(item.get("RegionFlags") or 0) & _LOW_PRIORITY
    return Region(rows, cols, _spacing(item), priority, number)


def _pixel_spacing(dataset: Dataset) -> str:
    """Return a hint at Pixel Spacing, which is only ever a person's choice in ultrasound."""
    try:
        row_mm, col_mm = checked_spacing(*map(float, dataset.get("PixelSpacing") or ()))
    except (TypeError, ValueError, SpacingError):
        return ""
    text = f"{row_mm:g}" if row_mm == col_mm else f"{row_mm:g},{col_mm:g}"
    return (
        f"; it has a Pixel Spacing of {text} mm, which in ultrasound is often stale: "
        f"pass --mm-per-px {text} if you trust it"
    )


def calibrate(dataset: Dataset, shape: Shape) -> Calibration:
    """Return the 2D regions in cm of an image of (rows, cols).

    Bounds that end at Columns or Rows instead of one before are clipped. A region that reaches
    further shows that the image was resized after its calibration: none is trusted then.
    """
    items = dataset.get("SequenceOfUltrasoundRegions") or ()
    regions: list[Region] = []
    refused: list[str] = []
    for number, item in enumerate(items, start=1):
        if not _is_spatial(item):
            refused.append(f"region {number} is not a 2D region in cm")
            continue
        try:
            regions.append(_region(item, number, shape))
        except _StaleError as stale:
            problem = f"the calibration is stale: region {number} {stale}"
            return Calibration((), problem + _pixel_spacing(dataset))
        except SpacingError as reason:
            refused.append(f"region {number} {reason}")
    if regions:
        return Calibration(tuple(regions))
    problem = "no ultrasound region is calibrated: " + ", ".join(refused)
    if not refused:
        problem = "the DICOM file has no ultrasound region calibration"
    return Calibration((), problem + _pixel_spacing(dataset))
