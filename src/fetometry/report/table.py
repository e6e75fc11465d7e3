"""The tables: one row per measurement or per value that counts, and the HC18 challenge's file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence

from fetometry.types import Exam, Finding, Measurement, Selected, VolumeFinding, source_stem

MEASUREMENT_COLUMNS = (
    "source",
    "frame",
    "plane",
    "plane_probability",
    "name",
    "value_mm",
    "value_px",
    "low_mm",
    "high_mm",
    "mm_per_px_row",
    "mm_per_px_col",
    "spacing_source",
    "convention",
    "flags",
    "model",
    "quality",
    "fetus",
    "exam",
    "mm_per_slice",
    "volume_ml",
)

#: What stands for the source of a volume's spacing, and how its length is taken.
VOLUME_SPACING, VOLUME_CONVENTION = "volume-header", "ossified shaft, end to end"

SUMMARY_COLUMNS = (
    "exam",
    "fetus",
    "name",
    "value",
    "unit",
    "low",
    "high",
    "how",
    "count",
    "sd",
    "smallest",
    "largest",
    "source",
    "frame",
    "flags",
)

HC18_COLUMNS = (
    "filename",
    "center_x_mm",
    "center_y_mm",
    "semi_axes_a_mm",
    "semi_axes_b_mm",
    "angle_rad",
)

Row = Sequence[str | int]


def measurements_csv(*exams: Exam) -> str:
    """Return one row per measurement, and one per volume after those of its exam's pictures.

    A cell is empty where there is no such number.
    """
    return _text(MEASUREMENT_COLUMNS, (row for exam in exams for row in _measurement_rows(exam)))


def summary_csv(*exams: Exam) -> str:
    """Return one row per value that counts. A cell is empty where there is no such number."""
    rows = (_summary_row(selected, exam.name) for exam in exams for selected in exam.selected)
    return _text(SUMMARY_COLUMNS, rows)


def hc18_csv(*exams: Exam) -> str:
    """Return the ellipse of every head that has a spacing, as the HC18 challenge takes it.

    The centre of the first pixel is (0, 0) mm, x runs to the right and y down, the angle is that
    of the long axis from the x axis towards the y axis, from 0 to below pi.

    References:
        van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D
        ultrasound images. PLoS ONE 2018;13(8):e0200412; hc18.grand-challenge.org.
    """
    return _text(HC18_COLUMNS, _hc18_rows(finding for exam in exams for finding in exam.findings))


def _measurement_rows(exam: Exam) -> Iterator[Row]:
    for finding in exam.findings:
        for measurement in finding.measurements:
            yield _measurement_row(finding, measurement, exam.name or finding.exam)
    for volume in exam.volumes:
        yield _volume_row(volume, exam.name or volume.exam)


def _measurement_row(finding: Finding, measurement: Measurement, exam: str) -> Row:
    millimetres = measurement.unit == "mm"
    spacing = finding.spacing
    return (
        finding.source,
        finding.frame,
        finding.plane,
        _fixed(finding.plane_probability, 4),
        measurement.name,
        _fixed(measurement.value if millimetres else None, 2),
        _fixed(measurement.value_px, 2),
        _fixed(measurement.low if millimetres else None, 2),
        _fixed(measurement.high if millimetres else None, 2),
        f"{spacing.mm[0]:.6g}" if spacing else "",
        f"{spacing.mm[1]:.6g}" if spacing else "",
        spacing.source if spacing else "",
        measurement.convention,
        ";".join(measurement.flags),
        finding.model.name,
        _fixed(finding.quality, 4),
        finding.fetus,
        exam,
        "",
        "",
    )


def _volume_row(found: VolumeFinding, exam: str) -> Row:
    """Return the row of a femur in a volume; only what a volume has is filled in."""
    slices, rows, cols = found.spacing_mm
    cells = {
        "source": found.source,
        "plane": found.plane,
        "name": "FL",
        "value_mm": _fixed(found.length_mm, 2),
        "mm_per_px_row": f"{rows:.6g}",
        "mm_per_px_col": f"{cols:.6g}",
        "spacing_source": VOLUME_SPACING,
        "convention": VOLUME_CONVENTION,
        "flags": ";".join(found.flags),
        "model": found.model.name,
        "exam": exam,
        "mm_per_slice": f"{slices:.6g}",
        "volume_ml": _fixed(found.volume_ml, 3),
    }
    return [cells.get(column, "") for column in MEASUREMENT_COLUMNS]


def _summary_row(selected: Selected, exam: str) -> Row:
    return (
        exam,
        selected.fetus,
        selected.name,
        _fixed(selected.value, 2),
        selected.unit,
        _fixed(selected.low, 2),
        _fixed(selected.high, 2),
        selected.how,
        selected.count,
        _fixed(selected.sd, 2),
        _fixed(selected.smallest, 2),
        _fixed(selected.largest, 2),
        selected.source,
        "" if selected.frame is None else selected.frame,
        ";".join(selected.flags),
    )


def _hc18_rows(findings: Iterable[Finding]) -> Iterator[Row]:
    for finding in findings:
        if finding.plane != "head" or finding.spacing is None or finding.ellipse is None:
            continue
        ellipse = finding.ellipse.scaled(*finding.spacing.mm)
        row, col = ellipse.center
        numbers = (col, row, *ellipse.semi_axes, math.radians(ellipse.angle_deg))
        yield (f"{source_stem(finding.source)}.png", *(f"{number:.6f}" for number in numbers))


def _fixed(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return file.getvalue()
