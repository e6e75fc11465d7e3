"""Measures the fetus in ultrasound: the head, in millimetres, with the outline it came from.

    exam = fetometry.measure("head.png", spacing_mm=0.12)

`exam.findings` holds what was measured, `exam.problems` what was refused and why.
"""

from typing import TYPE_CHECKING, Any

from fetometry.errors import FetometryError
from fetometry.types import Exam, Finding, Image, Measurement, Problem, Spacing

if TYPE_CHECKING:
    from fetometry.pipeline import measure

__version__ = "0.1.0"

__all__ = [
    "Exam",
    "FetometryError",
    "Finding",
    "Image",
    "Measurement",
    "Problem",
    "Spacing",
    "measure",
]


def __getattr__(name: str) -> Any:
    # `measure` brings the readers and the runtime with it; `import fetometry` stays quick
    if name == "measure":
        from fetometry.pipeline import measure

        return measure
    raise AttributeError(f"module 'fetometry' has no attribute {name!r}")
