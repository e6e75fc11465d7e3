"""Synthetic ultrasound with known truth: head, abdomen, femur.

The physics (`probe`, `speckle`) knows nothing of what is scanned; `anatomy` lays the tissue;
`scan` puts them together; `planes` says what to show and what is then true, and `write` makes
files.
"""

from fetometry.phantom.planes.abdomen import AbdomenPhantom, AbdomenSpec, abdomen
from fetometry.phantom.planes.femur import FemurPhantom, FemurSpec, femur
from fetometry.phantom.planes.head import HeadPhantom, HeadSpec, head
from fetometry.phantom.write import write_dicom, write_png

__all__ = [
    "AbdomenPhantom",
    "AbdomenSpec",
    "FemurPhantom",
    "FemurSpec",
    "HeadPhantom",
    "HeadSpec",
    "abdomen",
    "femur",
    "head",
    "write_dicom",
    "write_png",
]
