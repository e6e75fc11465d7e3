"""Stage 1, file → Image: grey pixels, and how large they are where the file says so."""

from fetometry.image.files import exam_key, find, read
from fetometry.image.grey import from_array
from fetometry.image.spacing import SpacingTable, parse_mm_per_px, read_spacing_table

__all__ = [
    "SpacingTable",
    "exam_key",
    "find",
    "from_array",
    "parse_mm_per_px",
    "read",
    "read_spacing_table",
]
