"""How far a solid and its two ends are from the truth: overlap, boundaries, volume, ends, length.

numpy only. Masks are (D, H, W), ends (2, 3) of (slice, row, col) in voxels, spacings (slice, row,
col) in mm. Differences are signed, found less true; a table takes their absolute values.

**A failure counts, with its full error**: where no mask or no ends were found, `missed_mask` and
`missed_ends` say how much that is. It is never dropped from an average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import DataError, MeasurementError
from fetometry.geometry import Points
from fetometry.geometry.solid import Mask, boundary, bounding_box, distances_mm
from fetometry.training.metrics import dice
from fetometry.volume import Spacing3d as Spacing
from fetometry.volume import volume_ml


@dataclass(frozen=True)
class MaskScores:
    """How a mask agrees with the true one.

    `dice` and `jaccard` are 0 to 1; `average_boundary_mm` (Adb) and `hausdorff_boundary_mm` (Hdb)
    are distances of boundaries; `volume_error_ml` is found less true.
    """

    dice: float
    jaccard: float
    average_boundary_mm: float
    hausdorff_boundary_mm: float
    volume_error_ml: float


@dataclass(frozen=True)
class EndScores:
    """How far the matched ends are from the true ones (p1, p2), and the length's error."""

    displacements_mm: tuple[float, float]
    length_error_mm: float


def jaccard(one: Mask, other: Mask) -> float:
    """Return intersection over union of two masks of one shape; two empty masks agree wholly."""
    union = np.count_nonzero(one | other)
    return 1.0 if union == 0 else float(np.count_nonzero(one & other) / union)


def boundary_distances_mm(one: Mask, other: Mask, spacing_mm: Spacing) -> NDArray[np.float64]:
    """Return the distances (N,) of all boundary voxels of either mask to the other's boundary.

    A boundary voxel has one of its six faces to the outside, as ITK's binary contour filter has
    it; distances are between centres of voxels. The mean of these distances is the average
    distance of boundaries (each voxel counts once, whichever mask it is of), their maximum the
    Hausdorff distance.

    Raises:
        MeasurementError: a mask has no boundary: it is empty, or fills the volume.
    """
    edges = boundary(one), boundary(other)
    if not all(edge.any() for edge in edges):
        raise MeasurementError(
            "a mask without a boundary has no distance to another: it is empty or fills the volume"
        )
    # nothing outside the box of both can be the nearest
    box = bounding_box(edges[0] | edges[1]).slices
    first, second = (edge[box] for edge in edges)
    return np.concatenate(
        [distances_mm(second, spacing_mm)[first], distances_mm(first, spacing_mm)[second]]
    )


def score_mask(found: Mask, truth: Mask, spacing_mm: Spacing) -> MaskScores:
    """Return how a mask agrees with the true one, of the same shape.

    Raises:
        MeasurementError: nothing was found, or it has no boundary.
        DataError: there is nothing in the truth, or it has another shape.
    """
    _check(truth, found.shape)
    distances = boundary_distances_mm(found, truth, spacing_mm)
    return MaskScores(
        dice(found, truth),
        jaccard(found, truth),
        float(distances.mean()),
        float(distances.max()),
        volume_ml(found, spacing_mm) - volume_ml(truth, spacing_mm),
    )


def missed_mask(truth: Mask, spacing_mm: Spacing) -> MaskScores:
    """Return what a mask that was not found scores: its full error.

    No overlap, no volume, and boundaries as far off as the volume is long from corner to corner.

    Raises:
        DataError: there is nothing in the truth.
    """
    _check(truth, truth.shape)
    far = diagonal_mm(truth.shape, spacing_mm)
    return MaskScores(0.0, 0.0, far, far, -volume_ml(truth, spacing_mm))


def _check(truth: Mask, shape: tuple[int, ...]) -> None:
    if not truth.any():
        raise DataError("the true mask is empty: there is nothing to compare with")
    if truth.shape != shape:
        raise DataError(f"masks must have one shape, got {shape} for a truth of {truth.shape}")


def diagonal_mm(shape: tuple[int, ...], spacing_mm: Spacing) -> float:
    """Return how far apart the centres of two opposite corners of a volume are."""
    return float(np.linalg.norm((np.array(shape) - 1) * spacing_mm))


def length_mm(ends: Points, spacing_mm: Spacing) -> float:
    """Return the distance of two ends (2, 3)."""
    return float(np.linalg.norm((ends[1] - ends[0]) * spacing_mm))


def matched_ends(found: Points, truth: Points, spacing_mm: Spacing) -> Points:
    """Return the found ends (2, 3) in that order in which they are nearer to the true ones.

    The ends are interchangeable: the pairing with the smaller sum of distances counts.
    """
    turned = found[::-1]
    straight, crossed = (_displacements(ends, truth, spacing_mm).sum() for ends in (found, turned))
    return turned if crossed < straight else found


def _displacements(found: Points, truth: Points, spacing_mm: Spacing) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm((found - truth) * spacing_mm, axis=1))


def score_ends(found: Points, truth: Points, spacing_mm: Spacing) -> EndScores:
    """Return how far two ends (2, 3) are from the true ones, and their length's error.

    Raises:
        MeasurementError: an end was not found: its place is not a number.
    """
    if not np.isfinite(found).all():
        raise MeasurementError(f"both ends must have a place in the volume, got {found.tolist()}")
    one, other = _displacements(matched_ends(found, truth, spacing_mm), truth, spacing_mm)
    error = length_mm(found, spacing_mm) - length_mm(truth, spacing_mm)
    return EndScores((float(one), float(other)), error)


def missed_ends(truth: Points, shape: tuple[int, ...], spacing_mm: Spacing) -> EndScores:
    """Return what ends that were not found score: their full error.

    No length, and displacements as large as the volume is long from corner to corner.
    """
    far = diagonal_mm(shape, spacing_mm)
    return EndScores((far, far), -length_mm(truth, spacing_mm))
