"""Femurs in volumes: the length between the two ends of the shaft, and its volume."""

from __future__ import annotations

import numpy as np

from fetometry.errors import MeasurementError
from fetometry.geometry import Points
from fetometry.geometry.solid import Box, Mask, bounding_box
from fetometry.measure.checks import Check, size_checks
from fetometry.measure.limits import FEMUR
from fetometry.types import VolumeFinding
from fetometry.volume import LEAST_APART_MM, Spacing3d, Volume, VolumePrediction, volume_ml

#: What lies within so many voxels, or within so many mm, is at a place: the larger of the two.
NEAR_VOXELS, NEAR_MM = 2.0, 2.0


def measure_volume(volume: Volume, prediction: VolumePrediction, notice: str = "") -> VolumeFinding:
    """Measure FL between the ends of a femur, and the volume of its mask.

    `notice` is what the model says of its own limits; where there is one, it is flagged.

    Raises:
        MeasurementError: the model saw neither ends nor a mask, or no femur has such a length.
        SpacingError: the size of a voxel is not known.
    """
    spacing = volume.known_spacing_mm
    box, mask = _cropped(prediction)
    ends = prediction.ends
    if ends is None and mask is None:
        raise MeasurementError(f"{volume.source}: neither the ends nor the shaft of a femur seen")
    length = None if ends is None else _length_mm(ends, spacing, volume.source)
    checks = (
        *_end_checks(ends, mask, box, spacing),
        Check("touches-border", _room(volume, ends, mask, box), low=0.0),
        Check("several-candidates", prediction.candidates, high=1),
        *size_checks(length, FEMUR, volume.source),
    )
    raised = [check.flag for check in checks if check.is_raised]
    trained = ["phantom-trained"] if notice else []
    return VolumeFinding(
        source=volume.source,
        model=prediction.model,
        spacing_mm=spacing,
        box=box,
        mask=mask,
        ends_voxels=ends,
        ends_mm=None if ends is None else volume.to_patient_mm(ends),
        length_mm=length,
        volume_ml=None if mask is None else volume_ml(mask, spacing),
        flags=tuple(dict.fromkeys((*raised, *prediction.flags, *trained))),
        notice=notice,
    )


def _cropped(prediction: VolumePrediction) -> tuple[Box, Mask | None]:
    """Return the mask without the empty space round it; a box of a whole volume is large."""
    mask, start = prediction.mask, prediction.box.start
    if mask is None or not mask.any():
        return prediction.box, None
    inner = bounding_box(mask)
    low, high = np.add(start, inner.start), np.add(start, inner.stop)
    box = Box((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))
    return box, mask[inner.slices].copy()


def _length_mm(ends: Points, spacing: Spacing3d, source: str) -> float:
    length = float(np.linalg.norm((ends[1] - ends[0]) * spacing))
    if not np.isfinite(length) or length == 0:
        raise MeasurementError(f"{source}: the two ends of the femur's shaft were not found")
    return length


def _end_checks(
    ends: Points | None, mask: Mask | None, box: Box, spacing: Spacing3d
) -> tuple[Check, ...]:
    if ends is None:
        return ()
    apart = float(np.linalg.norm((ends[1] - ends[0]) * spacing))
    far = 0.0 if mask is None else max(_gap(end - box.start, mask, spacing) for end in ends)
    return (
        Check("end-outside-mask", far, high=1.0),
        Check("ends-too-close", apart, low=LEAST_APART_MM),
    )


def _gap(end: Points, mask: Mask, spacing: Spacing3d) -> float:
    """Return how far an end (3,) is from a mask, relative to what is near; infinite if far.

    Only the voxels that may be near are looked at.
    """
    reach = np.maximum(NEAR_VOXELS, NEAR_MM / np.array(spacing))
    low = np.clip(np.ceil(end - reach), 0, mask.shape).astype(int)
    high = np.clip(np.floor(end + reach) + 1, low, mask.shape).astype(int)
    part = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    away = np.argwhere(part) + low - end  # (N, 3)
    if not len(away):
        return np.inf
    voxels = np.linalg.norm(away, axis=1) / NEAR_VOXELS
    return float(np.minimum(voxels, np.linalg.norm(away * spacing, axis=1) / NEAR_MM).min())


def _room(volume: Volume, ends: Points | None, mask: Mask | None, box: Box) -> float:
    """Return the least room between what was seen and the volume's rim; negative at the rim."""
    last = np.array(volume.shape) - 1
    rooms = [1.0]
    if mask is not None:
        # voxels on the rim itself; the box is the smallest that holds the mask
        rooms.append(float(np.min([box.start, volume.shape - np.array(box.stop)])) - 0.5)
    if ends is not None:
        near = np.maximum(NEAR_VOXELS, NEAR_MM / np.array(volume.known_spacing_mm))
        rooms.append(float(np.min([ends - near, last - ends - near])))
    return min(rooms)
