"""An exam of known values with its growth, at a known age or without one."""

from dataclasses import replace

import numpy as np

from fetometry.growth import Dates, Size, assess
from tests.report.examples import abdomen, exam, femur, head, selected

GREY = np.full((540, 800), 90, np.uint8)
SIZES = (
    Size("HC", 175.0, (170.0, 180.0)),
    Size("AC", 150.0, (140.0, 160.0)),
    Size("FL", 32.0, (30.0, 34.0)),
)


def grown(ga_days=140, scale=1.0, names=("HC", "AC", "FL")):
    """Growth at an age; without one (None) the age is estimated from the sizes."""
    sizes = [
        Size(s.name, scale * s.value_mm, tuple(scale * edge for edge in s.interval_mm))
        for s in SIZES
        if s.name in names
    ]
    return assess(sizes, Dates(ga_days=ga_days))


def grown_exam(growth=None, **changes):
    findings = (head(), abdomen(), femur())
    shown = exam(*findings, selected=selected(*findings), name="ward 3")
    return replace(shown, growth={"": growth or grown()}, **changes)


def all_grey(shown):
    return {(finding.source, finding.frame): GREY for finding in shown.findings}
