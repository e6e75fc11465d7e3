"""Stage 1, file → Image or Volume: grey values, and how large they are where the file says so."""

from fetometry.image.dates import HeaderDates, read_dates
from fetometry.image.files import exam_key, find, read
from fetometry.image.grey import from_array
from fetometry.image.header import origin_of, read_header
from fetometry.image.spacing import SpacingTable, parse_mm_per_px, read_spacing_table
from fetometry.image.volume import is_volume, read_volume

__all__ = [
    "HeaderDates",
    "SpacingTable",
    "exam_key",
    "find",
    "from_array",
    "is_volume",
    "origin_of",
    "parse_mm_per_px",
    "read",
    "read_dates",
    "read_header",
    "read_spacing_table",
    "read_volume",
]
