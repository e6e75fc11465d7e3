"""Synthetic ultrasound with known truth.

The physics (`probe`, `speckle`) knows nothing of what is scanned; `anatomy` lays the tissue;
`scan` puts them together, and `write` makes files.
"""

from fetometry.phantom.scan import HeadPhantom, HeadSpec, head
from fetometry.phantom.write import write_dicom, write_png

__all__ = ["HeadPhantom", "HeadSpec", "head", "write_dicom", "write_png"]
