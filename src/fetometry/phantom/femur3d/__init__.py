"""A fetal femur in a volume, with known ends, length, mask and volume.

`spec` says what to show, `pose` where it lies, `shaft` what is true of it; `scene` and `tissue`
lay what is scanned, `probe` and `speckle` are the physics, `scan` puts them together and `write`
makes files.
"""

from fetometry.phantom.femur3d.scan import FemurVolumePhantom, femur3d
from fetometry.phantom.femur3d.spec import DIFFICULTIES, SIZES, FemurVolumeSpec
from fetometry.phantom.femur3d.write import write_volume

__all__ = [
    "DIFFICULTIES",
    "SIZES",
    "FemurVolumePhantom",
    "FemurVolumeSpec",
    "femur3d",
    "write_volume",
]
