"""The nouns that the stages pass on: Image → Prediction → Measurement → Exam.

Index order is (row, col) everywhere. A noun is frozen and valid once it is built.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ImageError, MeasurementError, SpacingError
from fetometry.geometry import Ellipse, Points
from fetometry.geometry.solid import Box, Mask
from fetometry.review import Review
from fetometry.selected import Selected as Selected  # one of these nouns, in a file of its own

if TYPE_CHECKING:
    from fetometry.growth.nouns import Growth

#: Regions whose deltas differ by less than this are the same calibration.
SAME_SPACING = 0.02

#: Smallest and largest believable size of one pixel, in mm (0.001 to 0.1 cm).
SPACING_RANGE_MM = (0.01, 1.0)

#: The planes that are measured, and what everything else is called.
PLANES = ("head", "abdomen", "femur")
NO_PLANE = "none"

#: What a plane is judged and ordered by.
MAIN = {"head": "HC", "abdomen": "AC", "femur": "FL"}

#: What twins are called, where somebody says which one an image shows.
FETUSES = ("A", "B")
#: What a model tells apart: the planes, a view of one that is not to be measured in, no plane.
TRANS_CEREBELLAR = "head:trans-cerebellar"
PLANE_CLASSES = ("head", TRANS_CEREBELLAR, "abdomen", "femur", NO_PLANE)

FOUR_WAYS = (
    "give it with --mm-per-px X or --spacing FILE.csv, have the depth ruler in the picture read "
    "with --spacing ruler, or measure the calibrated DICOM file"
)


def checked_spacing(row_mm: float, col_mm: float) -> tuple[float, float]:
    """Return the spacing if both numbers are believable.

    Raises:
        SpacingError: a number is not finite, not positive or outside `SPACING_RANGE_MM`.
    """
    low, high = SPACING_RANGE_MM
    for value in (row_mm, col_mm):
        if not math.isfinite(value) or not low <= value <= high:
            raise SpacingError(
                f"spacing must be {low} to {high} mm per pixel, got {value:g}; "
                "is it in cm, or is it the size of the whole image?"
            )
    return float(row_mm), float(col_mm)


def source_stem(source: str) -> str:
    """Return a file's name without its folders and its suffix.

    A last part of digits only belongs to the name: DICOM files are often called by their UID.
    """
    name = PurePath(source)
    stem = name.stem.removesuffix(".nii") if name.suffix == ".gz" else name.stem
    return name.name if name.suffix[1:].isdigit() else stem


@dataclass(frozen=True)
class Spacing:
    """Millimetres per pixel as (row, col), and where they came from."""

    mm: tuple[float, float]
    source: str

    def __post_init__(self) -> None:
        checked_spacing(*self.mm)
        if not self.source:
            raise SpacingError("a spacing needs the name of its source")


@dataclass(frozen=True)
class Region:
    """One calibrated 2D region of an ultrasound image (DICOM PS3.3 C.8.5.5).

    `rows` and `cols` are the first and last pixel, both inclusive.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    spacing_mm: tuple[float, float]
    high_priority: bool
    number: int  # 1-based position in SequenceOfUltrasoundRegions

    def __post_init__(self) -> None:
        checked_spacing(*self.spacing_mm)
        if self.rows[0] > self.rows[1] or self.cols[0] > self.cols[1]:
            raise SpacingError(f"region {self.number} has its bounds the wrong way round")

    def inside(self, points_px: Points) -> NDArray[np.bool_]:
        """Tell which of the points (N, 2) lie on a pixel of the region."""
        low, high = (np.array([self.rows[k], self.cols[k]]) for k in (0, 1))
        return np.asarray(np.all((points_px >= low - 0.5) & (points_px <= high + 0.5), axis=1))

    def contains(self, points_px: Points) -> bool:
        """Tell whether there are points and every one (N, 2) lies on a pixel of the region."""
        return len(points_px) > 0 and bool(np.all(self.inside(points_px)))


@dataclass(frozen=True)
class Image:
    """One frame of grey pixels, with its calibration or without one.

    `pixels` is (H, W) uint8. `spacing` was given for the whole image; `regions` are the image's
    own calibration; where it has neither, `spacing_problem` says why. `frame` counts from 1.
    `may_show_name` is true where a patient's name may be burned into the pixels. `exam` tells
    one patient's visit from another's where the file says so (a pseudonym, never a name), and
    `fetus` tells twins apart where somebody said so.
    """

    pixels: NDArray[np.uint8]
    source: str
    frame: int = 1
    spacing: Spacing | None = None
    regions: tuple[Region, ...] = ()
    spacing_problem: str = ""
    may_show_name: bool = False
    exam: str = ""
    fetus: str = ""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8:
            raise ImageError(f"{self.source}: pixels must be (H, W) uint8")
        if min(self.pixels.shape) < 1:
            raise ImageError(f"{self.source}: the image has no pixels")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def region_at(self, points_px: Points) -> Region | None:
        """Return the calibrated region that contains all of the points (N, 2), or None.

        Of several such regions, one of high priority. Where a region of high priority lies over
        a part of the points, it is the one that holds there.

        Raises:
            SpacingError: two of these regions disagree on the pixel size.

        References:
            DICOM PS3.3 C.8.5.5, US Region Calibration Module.
        """
        around = [region for region in self.regions if region.contains(points_px)]
        candidates = [region for region in around if region.high_priority] or around
        above = [r for r in self.regions if r.high_priority and np.any(r.inside(points_px))]
        for other in (*candidates[1:], *(above if candidates else ())):
            if not same_spacing(other.spacing_mm, candidates[0].spacing_mm):
                raise SpacingError(
                    f"no millimetres: regions {candidates[0].number} and {other.number} overlap "
                    f"and disagree on the pixel size; {FOUR_WAYS}"
                )
        return candidates[0] if candidates else None

    def spacing_at(self, points_px: Points) -> Spacing:
        """Return the spacing that holds at all of the points (N, 2).

        Raises:
            SpacingError: no spacing is known there, or two of them disagree.
        """
        region = self.region_at(points_px)
        if self.spacing is not None:
            if region is not None and not same_spacing(region.spacing_mm, self.spacing.mm):
                raise SpacingError(
                    f"two spacings: {spacing_text(self.spacing.mm)} was given, but the image's own "
                    f"calibration says {spacing_text(region.spacing_mm)}; leave one of them out"
                )
            return self.spacing
        if region is not None:
            return Spacing(region.spacing_mm, f"dicom-region-{region.number}")
        reason = "no calibrated region contains the whole outline"
        if not self.regions:
            reason = self.spacing_problem or "the image does not say how large a pixel is"
        raise SpacingError(f"no millimetres: {reason}; {FOUR_WAYS}")


def same_spacing(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether two sizes of a pixel, in mm as (row, col), are the same calibration."""
    return bool(np.allclose(one, other, rtol=SAME_SPACING, atol=0))


def spacing_text(spacing_mm: tuple[float, float]) -> str:
    """Return a spacing, (row, col) in mm per pixel, in words."""
    return f"{spacing_mm[0]:.4g} x {spacing_mm[1]:.4g} mm per pixel"


@dataclass(frozen=True)
class ModelRef:
    """Which model said so: its name, the SHA-256 of its file, the licence of its weights."""

    name: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class SizeInterval:
    """How far the truth lies from a measurement in 95 of 100 cases, by size.

    `half_widths` are shares of the measured value; `edges_mm` (one fewer) part the sizes that
    they hold for.

    References:
        Vovk V, Gammerman A, Shafer G. Algorithmic Learning in a Random World. Springer 2005.
    """

    edges_mm: tuple[float, ...]
    half_widths: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.half_widths) != len(self.edges_mm) + 1:
            raise MeasurementError("an interval needs one half-width more than it has edges")
        if not all(math.isfinite(w) and w > 0 for w in self.half_widths):
            raise MeasurementError(f"half-widths must be positive, got {self.half_widths}")

    def around(self, value: float, unit: str) -> tuple[float, float]:
        """Return the interval of a value; in pixels, where the size is not known, the widest."""
        share = max(self.half_widths)
        if unit == "mm":
            share = self.half_widths[int(np.searchsorted(self.edges_mm, value))]
        # the truth t is within share * t of the value: t is in [v / (1 + s), v / (1 - s)]
        return value / (1 + share), value / max(1 - share, 0.05)


@dataclass(frozen=True)
class Prediction:
    """What a model saw in one image, in source pixels.

    `outline_px` (N, 2) is the visible, sub-pixel outline in order round the structure; where the
    image edge cuts it there are no points. Of a femur it is the outline of the ossified shaft.
    `ends_px` (2, 2) are, in no particular order, the two ends of that shaft, or of the
    transverse diameter of an abdomen. `size_px` is the plane's main measurement where a model tells
    the number alone: then there is no outline. `candidates` counts the separate structures seen.
    `softness` is how much the radius (of a femur, the area) changes, relative to itself, when
    the outline is drawn at probability 0.25 instead of 0.75: the model's own doubt about the
    edge. `planes` has the calibrated probability of every plane the model tells apart, `intervals`
    those of its measurements by name, `flags` what the model itself remarks.
    """

    plane: str
    plane_probability: float | None
    outline_px: Points
    candidates: int
    softness: float
    model: ModelRef
    ends_px: Points | None = None
    size_px: float | None = None
    planes: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, SizeInterval] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurement:
    """One number with its unit, convention, interval and quality flags.

    `value` is in `unit` ("mm", or "px" where no spacing is known); `value_px` is always in
    source pixels. `low` and `high` are the 95 % interval where the model carries one.
    """

    name: str
    value: float
    unit: str
    value_px: float
    convention: str
    low: float | None = None
    high: float | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers = [n for n in (self.value, self.value_px, self.low, self.high) if n is not None]
        if not all(math.isfinite(number) and number > 0 for number in numbers):
            raise MeasurementError(f"{self.name} must be a positive number, got {numbers}")
        if self.unit not in ("mm", "px"):
            raise MeasurementError(f"{self.name}: the unit must be mm or px, got {self.unit!r}")


@dataclass(frozen=True)
class Finding:
    """One structure measured in one frame, with the points that its numbers came from.

    A femur has no ellipse. `quality` (0 to 1) ranks the images of one plane; `fetus` tells twins
    apart, `exam` one patient's visit from another's.
    """

    source: str
    frame: int
    plane: str
    plane_probability: float | None
    model: ModelRef
    spacing: Spacing | None
    outline_px: Points
    ellipse: Ellipse | None
    points_px: Mapping[str, tuple[float, float]]
    measurements: tuple[Measurement, ...]
    quality: float = 1.0
    fetus: str = ""
    exam: str = ""


@dataclass(frozen=True)
class Problem:
    """Something that was not measured, and why.

    `kind` is "refused", or "other-plane" where the image is good but shows nothing that is
    measured, or "skipped" where it was measured and only an output cannot be made of it, or
    "rejected" where a person says that it does not count.
    """

    source: str
    frame: int | None
    reason: str
    kind: str = "refused"
    exam: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (kinds := ("refused", "other-plane", "skipped", "rejected")):
            raise MeasurementError(f"a problem is one of {kinds}, got {self.kind!r}")


@dataclass(frozen=True)
class VolumeFinding:
    """A femur measured in one volume; it stands by itself, never among `Exam.selected`.

    `mask` (d, h, w) is the shaft within `box`, the smallest that holds it (of a model without a
    mask, where it looked). `ends_voxels` (2, 3) are (slice, row, col) in the source, `ends_mm`
    (2, 3) patient coordinates (x, y, z). `length_mm` is the straight distance between them,
    `volume_ml` that of the mask. `notice` is what the model says of its own limits.
    """

    source: str
    model: ModelRef
    spacing_mm: tuple[float, float, float]
    box: Box
    mask: Mask | None
    ends_voxels: Points | None
    ends_mm: Points | None
    length_mm: float | None
    volume_ml: float | None
    flags: tuple[str, ...] = ()
    notice: str = ""
    plane: str = "femur"
    exam: str = ""


@dataclass(frozen=True)
class Exam:
    """One patient's visit: what was found, which value counts, what was refused, by whom.

    `growth` says what the values that count mean, by fetus; "" is that of a single one. `review`
    is None of an exam that nobody has looked at.
    """

    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...] = ()
    software: str = field(default="fetometry")
    selected: tuple[Selected, ...] = ()
    name: str = ""
    volumes: tuple[VolumeFinding, ...] = ()
    growth: Mapping[str, Growth] = field(default_factory=dict)
    review: Review | None = None
