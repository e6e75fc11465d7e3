"""Hand-made findings with known numbers."""

from dataclasses import replace
from datetime import date

import numpy as np

from fetometry.geometry import Ellipse
from fetometry.growth import Dates, Growth, Size, assess
from fetometry.types import Exam, Finding, Measurement, ModelRef, Problem, Selected, Spacing

MODEL = ModelRef("head-test", "0123456789abcdef" * 4, "CC-BY-4.0")
HEAD = Ellipse((200.25, 300.75), (150.5, 120.125), 30.0)
ABDOMEN = Ellipse((260.0, 400.0), (190.0, 170.0), 0.0)
SHAFT = ((300.0, 200.0), (200.0, 560.0))


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
    fetus="",
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
        fetus=fetus,
    )


def abdomen(ellipse=ABDOMEN, *, source="abdomen.png", flags=(), fetus="", quality=1.0):
    """An abdomen at 0.1 mm per pixel, TAD along its short axis."""
    apad_1, apad_2, tad_1, tad_2 = (tuple(map(float, end)) for end in ellipse.axis_points)
    lengths = {
        "AC": ellipse.circumference,
        "TAD": 2 * ellipse.semi_axes[1],
        "APAD": 2 * ellipse.semi_axes[0],
    }
    return Finding(
        source=source,
        frame=1,
        plane="abdomen",
        plane_probability=0.99,
        model=MODEL,
        spacing=Spacing((0.1, 0.1), "csv"),
        outline_px=ellipse.points(200),
        ellipse=ellipse,
        points_px={"TAD_1": tad_1, "TAD_2": tad_2, "APAD_1": apad_1, "APAD_2": apad_2},
        measurements=tuple(
            Measurement(name, px * 0.1, "mm", px, "outer-outer", flags=tuple(flags))
            for name, px in lengths.items()
        ),
        quality=quality,
        fetus=fetus,
    )


def shaft(ends=SHAFT, half_width=8.0):
    """The outline (N, 2) of a straight shaft with round ends that reach the two ends."""
    first, last = np.array(ends, float)
    length = np.linalg.norm(last - first)
    along = (last - first) / length
    turns = np.radians(np.arange(-90, 91, 15))
    cap = half_width * np.stack([np.cos(turns), np.sin(turns)], axis=1) - (half_width, 0)
    side = np.linspace(0, length - 2 * half_width, 60)[1:-1]
    upper = [*cap, *((-half_width - step, half_width) for step in side)]
    lower = -np.array(upper) - (length, 0)
    from_last = np.concatenate([upper, lower])  # (N, 2): along, across
    return last + from_last @ np.array([along, along[::-1] * (1, -1)])


def femur(ends=SHAFT, *, source="femur.png", flags=(), fetus="", quality=1.0, outline_px=None):
    """A femur at 0.1 mm per pixel."""
    length = float(np.linalg.norm(np.subtract(*ends)))
    fl = Measurement("FL", length * 0.1, "mm", length, "shaft", flags=tuple(flags))
    return Finding(
        source=source,
        frame=1,
        plane="femur",
        plane_probability=0.97,
        model=MODEL,
        spacing=Spacing((0.1, 0.1), "csv"),
        outline_px=shaft(ends) if outline_px is None else outline_px,
        ellipse=None,
        points_px={"FL_1": ends[0], "FL_2": ends[1]},
        measurements=(fl,),
        quality=quality,
        fetus=fetus,
    )


def selected(*findings, count=1, how="best", **changes):
    """The values of findings as those that count; of a mean, none of them is the source."""
    several = count > 1

    def entry(finding, m):
        said = {
            "name": m.name, "fetus": finding.fetus, "unit": m.unit, "flags": m.flags,
            "value": m.value, "low": m.low, "high": m.high, "how": how, "count": count,
            "sd": 1.25 if several else None,
            "smallest": (0.98 if several else 1) * m.value,
            "largest": (1.01 if several else 1) * m.value,
        }  # fmt: skip
        if how != "mean":
            said |= {"source": finding.source, "frame": finding.frame}
        return Selected(**{**said, **changes})

    return tuple(entry(finding, m) for finding in findings for m in finding.measurements)


def exam(*findings, problems=(), selected=(), name=""):
    return Exam(tuple(findings), tuple(problems), "fetometry 9.8.7", tuple(selected), name)


def growth() -> Growth:
    """An AC and an FL at 20 weeks by LMP and CRL, with a weight, curves, ratio and a refusal."""
    dates = Dates(
        lmp=date(2026, 1, 1), crl_mm=60.0, crl_date=date(2026, 3, 25), exam=date(2026, 5, 21)
    )
    return assess([Size("AC", 150.0), Size("FL", 32.0), Size("OFD", 9.0)], dates)


def full_exam():
    """One of everything: planes, intervals, flags, no spacing, two spacings, what was refused."""
    kept = replace(abdomen(fetus="A"), quality=0.8125, exam="0f1e")
    first = head(flags=("cut-by-edge", "unusual-shape"), interval=(80.0, 90.0))
    means = selected(kept, count=3, how="mean", flags=("sizes-disagree",))
    whole = exam(
        first,
        head(
            source="scans/köln 中/two.dcm", mm=(0.123456789, 0.2), spacing_source="dicom-region-2"
        ),
        head(source="three.png", mm=None, outline_px=np.empty((0, 2))),
        kept,
        femur(),
        problems=(
            Problem("broken.png", None, "not an image"),
            Problem("loop.dcm", 7, "nothing was found"),
            Problem("thorax.png", 1, "no plane that is measured", "other-plane", "0f1e"),
        ),
        selected=(*selected(first, count=2), *means, *selected(femur())),
        name="ward 3",
    )
    return replace(whole, growth={"A": growth()})
