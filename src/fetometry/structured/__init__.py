"""Structured reports of any manufacturer: read them, compare two, check one against TID 5000.

    report = fetometry.structured.read("report.sr.dcm")
    report.fetuses[0].chosen("HC").value.value  # mm

Only pydicom is needed; nothing here writes a report.
"""

from __future__ import annotations

from fetometry.structured.check import check
from fetometry.structured.compare import Comparison, Difference, compare
from fetometry.structured.faults import Checked, Fault
from fetometry.structured.nouns import (
    Basis,
    Chosen,
    Dated,
    Fetus,
    Property,
    Reported,
    ReportError,
    Shape,
    StructuredReport,
)
from fetometry.structured.read import read

__all__ = [
    "Basis",
    "Checked",
    "Chosen",
    "Comparison",
    "Dated",
    "Difference",
    "Fault",
    "Fetus",
    "Property",
    "ReportError",
    "Reported",
    "Shape",
    "StructuredReport",
    "check",
    "compare",
    "read",
]
