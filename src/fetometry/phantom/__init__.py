"""Synthetic ultrasound with known truth: head, abdomen, femur, and a femur in a volume.

The physics (`probe`, `speckle`) knows nothing of what is scanned; `anatomy` lays the tissue;
`scan` puts them together; `planes` says what to show and what is then true, and `write` makes
files. `femur3d` is the same in three dimensions.
"""

from fetometry.phantom.femur3d import (
    DIFFICULTIES,
    SIZES,
    FemurVolumePhantom,
    FemurVolumeSpec,
    femur3d,
    write_volume,
)
from fetometry.phantom.planes.abdomen import AbdomenPhantom, AbdomenSpec, abdomen
from fetometry.phantom.planes.femur import FemurPhantom, FemurSpec, femur
from fetometry.phantom.planes.head import HeadPhantom, HeadSpec, head
from fetometry.phantom.write import write_dicom, write_png

__all__ = [
    "DIFFICULTIES",
    "SIZES",
    "AbdomenPhantom",
    "AbdomenSpec",
    "FemurPhantom",
    "FemurSpec",
    "FemurVolumePhantom",
    "FemurVolumeSpec",
    "HeadPhantom",
    "HeadSpec",
    "abdomen",
    "femur",
    "femur3d",
    "head",
    "write_dicom",
    "write_png",
    "write_volume",
]
