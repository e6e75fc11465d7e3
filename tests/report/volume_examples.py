"""A bone in a volume with known ends, and findings about it."""

import numpy as np

from fetometry.geometry.solid import Box, bounding_box
from fetometry.types import VolumeFinding
from fetometry.volume import Volume
from tests.report.examples import MODEL

SHAPE, SPACING = (40, 60, 80), (1.0, 0.5, 0.75)
NOTICE = "phantom-trained: not for real volumes"

#: In voxels: the bone runs along the columns, in slice 20 and row 30.
ENDS = np.array([[20.0, 30.0, 16.0], [20.0, 30.0, 64.0]])


def volume(source="scans/leg.nii.gz"):
    """Tissue of grey 60 with a bar of grey 200, 4 mm thick, between the ends."""
    voxels = np.full(SHAPE, 60, np.uint8)
    voxels[bone()] = 200
    return Volume(voxels, source, SPACING)


def bone():
    z, row, _ = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    round_it = np.hypot((z - 20) * SPACING[0], (row - 30) * SPACING[1]) <= 2
    along = (np.arange(SHAPE[2]) >= 16) & (np.arange(SHAPE[2]) <= 64)
    return round_it & along


def found(ends=ENDS, *, mask=None, flags=("phantom-trained",), **more):
    """A finding with the bone as its mask; `mask` False leaves it out."""
    shaft = bone() if mask is None else mask
    box = bounding_box(shaft) if mask is not False else Box((0, 0, 0), SHAPE)
    length = None if ends is None else float(np.linalg.norm((ends[1] - ends[0]) * SPACING))
    said = {
        "source": "scans/leg.nii.gz",
        "model": MODEL,
        "spacing_mm": SPACING,
        "box": box,
        "mask": None if mask is False else shaft[box.slices],
        "ends_voxels": ends,
        "ends_mm": None if ends is None else ends * SPACING + 0.5,
        "length_mm": length,
        "volume_ml": None if mask is False else float(shaft.sum() * np.prod(SPACING) / 1000),
        "flags": flags,
        "notice": NOTICE,
    }
    return VolumeFinding(**{**said, **more})
