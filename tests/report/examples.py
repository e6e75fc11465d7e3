"""Hand-made findings with known numbers."""

import numpy as np

from fetometry.geometry import Ellipse
from fetometry.types import Exam, Finding, Measurement, ModelRef, Problem, Spacing

MODEL = ModelRef("head-test", "0123456789abcdef" * 4, "CC-BY-4.0")
HEAD = Ellipse((200.25, 300.75), (150.5, 120.125), 30.0)


def head(
    ellipse=HEAD,
    *,
    source="scans/010_HC.png",
    mm=(0.1, 0.1),
    spacing_source="csv",
    flags=(),
    interval=None,
    outline_px=None,
    plane="head",
):
    """A head with HC, BPD and OFD; `mm` None leaves it in pixels."""
    spacing = Spacing(mm, spacing_source) if mm else None
    real = ellipse.scaled(*mm) if mm else ellipse
    ends = real.axis_points / (mm or (1.0, 1.0))
    names = ("OFD_1", "OFD_2", "BPD_1", "BPD_2")

    def measurement(name, of, convention):
        value = of(real)
        low, high = interval or (None, None)
        unit = "mm" if mm else "px"
        return Measurement(name, value, unit, of(ellipse), convention, low, high, tuple(flags))

    return Finding(
        source=source,
        frame=1,
        plane=plane,
        plane_probability=0.98765,
        model=MODEL,
        spacing=spacing,
        outline_px=ellipse.points(200) if outline_px is None else outline_px,
        ellipse=ellipse,
        points_px={name: tuple(map(float, end)) for name, end in zip(names, ends, strict=True)},
        measurements=(
            measurement("HC", lambda e: e.circumference, "ellipse"),
            measurement("BPD", lambda e: 2 * e.semi_axes[1], "outer-outer"),
            measurement("OFD", lambda e: 2 * e.semi_axes[0], "outer-outer"),
        ),
    )


def exam(*findings, problems=()):
    return Exam(tuple(findings), tuple(problems), "fetometry 9.8.7")


def full_exam():
    """One of everything: intervals, flags, no spacing, two spacings, a file and a frame refused."""
    return exam(
        head(flags=("cut-by-edge", "unusual-shape"), interval=(80.0, 90.0)),
        head(
            source="scans/köln 中/two.dcm", mm=(0.123456789, 0.2), spacing_source="dicom-region-2"
        ),
        head(source="three.png", mm=None, outline_px=np.empty((0, 2))),
        problems=(
            Problem("broken.png", None, "not an image"),
            Problem("loop.dcm", 7, "nothing was found"),
        ),
    )
