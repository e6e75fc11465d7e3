"""Measurements of one fetus as numbers: every repeat, with the value that counts marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from highdicom.sr import ContentItem, GraphicTypeValues

from fetometry.geometry import Ellipse, Points
from fetometry.growth.nouns import Interval
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.sr import codes
from fetometry.report.sr.codes import MEASUREMENTS
from fetometry.report.sr.instances import Instance, Place
from fetometry.report.sr.items import (
    INFERRED,
    MODIFIER,
    PROPERTY,
    code,
    comment,
    image,
    number,
    region,
    with_children,
)
from fetometry.report.sr.items import text as words
from fetometry.report.sr.reviewer import is_edited
from fetometry.types import Exam, Finding, Measurement, Selected

#: Points of an ellipse that the edge of the image cuts: it is drawn as a closed line.
CUT_POINTS = 72


def repeats_of(exam: Exam) -> list[Finding]:
    """Return the findings that a report tells of, in their order.

    Of the frames of one file that show one plane of one fetus it is the best one, as in
    `Exam.selected`, and any other that a value was taken from.
    """
    best: dict[tuple[str, str, str], Finding] = {}
    for finding in exam.findings:
        key = finding.fetus, finding.plane, finding.source
        if key not in best or finding.quality > best[key].quality:
            best[key] = finding
    told = {id(finding) for finding in best.values()}
    chosen = {(s.fetus, s.source, s.frame, s.name) for s in exam.selected}
    told |= {
        id(f)
        for f in exam.findings
        for m in f.measurements
        if (f.fetus, f.source, f.frame, m.name) in chosen
    }
    return [f for f in exam.findings if id(f) in told and _in_mm(f)]


def _in_mm(finding: Finding) -> bool:
    return any(m.unit == "mm" and m.name in MEASUREMENTS for m in finding.measurements)


def uncertainty(
    value: float, interval: Interval | tuple[float | None, float | None] | None, unit: str
) -> list[ContentItem]:
    """Return how far the truth may lie below and above a value, in 95 of 100 cases."""
    low, high = interval or (None, None)
    if low is None or high is None:
        return []
    return [
        number(codes.BELOW, max(0.0, value - low), unit, relation=PROPERTY),
        number(codes.ABOVE, max(0.0, high - value), unit, relation=PROPERTY),
    ]


def values_of(
    chosen: Selected,
    findings: Iterable[Finding],
    instances: Mapping[Place, Instance],
    software: str,
    more: Sequence[ContentItem] = (),
) -> list[ContentItem]:
    """Return one measurement of one fetus: each repeat, and their mean where that counts.

    `more` is what else is told of the value that counts.
    """
    found = []
    for finding in findings:
        for measured in finding.measurements:
            if measured.name == chosen.name and measured.unit == "mm":
                counts = (finding.source, finding.frame) == (chosen.source, chosen.frame)
                instance = instances[finding.source, finding.frame]
                said = _repeat(finding, measured, instance, software)
                said += [*selection(chosen), *more] if counts else []
                found.append(number(MEASUREMENTS[measured.name], measured.value, "mm", said))
    if not chosen.source and found:
        found.append(with_children(_mean(chosen), more))
    return found


def _repeat(
    finding: Finding, measured: Measurement, instance: Instance, software: str
) -> list[ContentItem]:
    """Return what says how and where one value was measured, by what, and how well."""
    told_alone = finding.ellipse is None and not finding.points_px
    derivation = codes.ESTIMATED if told_alone else codes.MEASURED
    items = [
        code(codes.DERIVATION, derivation, MODIFIER),
        *_convention(measured.convention),
        code(codes.SITE, codes.SITES[measured.name], MODIFIER),
        *_by_what(finding, measured, software),
    ]
    items += _where(finding, measured.name, instance)
    items += uncertainty(measured.value, (measured.low, measured.high), "mm")
    items += [comment(f"{flag}: {FLAG_TEXT.get(flag, flag)}", PROPERTY) for flag in measured.flags]
    return items


def _by_what(finding: Finding, measured: Measurement, software: str) -> list[ContentItem]:
    """Return the algorithm that measured a value; of one that a person placed there is none."""
    spacing = f"pixel size by {finding.spacing.source}" if finding.spacing else ""
    if is_edited(measured):
        return [comment(spacing, PROPERTY)] if spacing else []
    said = [f"model SHA-256 {finding.model.sha256}", *([spacing] if spacing else [])]
    return [
        words(codes.ALGORITHM, finding.model.name, MODIFIER),
        words(codes.ALGORITHM_VERSION, software, MODIFIER),
        *(words(codes.ALGORITHM_PARAMETERS, parameter, MODIFIER) for parameter in said),
    ]


def _convention(convention: str) -> list[ContentItem]:
    term = codes.CONVENTIONS.get(convention)
    if term is not None:
        return [code(codes.METHOD, term, MODIFIER)]
    return [comment(f"convention: {convention}", PROPERTY)] if convention else []


def _where(finding: Finding, name: str, instance: Instance) -> list[ContentItem]:
    """Return the points of a measurement; of a number told alone, the image without any."""
    if name in codes.ROUND and finding.ellipse is not None:
        return [region(codes.OUTLINE, *outline(finding.ellipse, instance), instance)]
    points = path(finding, name, instance)
    if points is None:
        return [image(instance, INFERRED)]
    return [region(codes.PATH, GraphicTypeValues.POLYLINE, points, instance)]


def path(finding: Finding, name: str, instance: Instance) -> Points | None:
    """Return the two ends (2, 2) of a measurement, if it has ends."""
    ends = [finding.points_px.get(f"{name}_{end}") for end in (1, 2)]
    return None if None in ends else _inside(np.array(ends, np.float64), instance)


def outline(ellipse: Ellipse, instance: Instance) -> tuple[GraphicTypeValues, Points]:
    """Return an ellipse by the ends of its axes; where the image cuts it, what is left of it."""
    ends = ellipse.axis_points  # the long axis first, as DICOM wants it
    around = ellipse.points(CUT_POINTS)
    if np.array_equal(_inside(around, instance), around):
        return GraphicTypeValues.ELLIPSE, ends
    return GraphicTypeValues.POLYLINE, _inside(np.vstack([around, around[:1]]), instance)


def _inside(points_px: Points, instance: Instance) -> Points:
    """Return points (N, 2) moved into the image, beyond which DICOM knows no coordinates."""
    rows, cols = instance.shape
    return np.asarray(np.clip(points_px, -0.5, (rows - 0.5, cols - 0.5)))


def selection(chosen: Selected) -> list[ContentItem]:
    """Return that this is the value that counts; of several, how it was chosen and their spread."""
    mark = code(codes.SELECTION, codes.SELECTIONS[chosen.how], PROPERTY)
    if chosen.count == 1:
        return [mark]
    said = f"{chosen.how} of {chosen.count}"
    if chosen.sd is not None:
        said += f", from {chosen.smallest:.1f} to {chosen.largest:.1f} mm, SD {chosen.sd:.2f} mm"
    return [mark, comment(f"the value that counts: {said}", PROPERTY)]


def _mean(chosen: Selected) -> ContentItem:
    items = [
        code(codes.DERIVATION, codes.MEAN, MODIFIER),
        code(codes.SITE, codes.SITES[chosen.name], MODIFIER),
        *uncertainty(chosen.value, (chosen.low, chosen.high), "mm"),
        *selection(chosen),
    ]
    return number(MEASUREMENTS[chosen.name], chosen.value, "mm", items)


def by_what(name: str, citation: str, title: str = "") -> ContentItem:
    """Return the chart or formula that a number was worked out by: its code, else its citation.

    A code is given only where DICOM has one for just this chart or formula.
    """
    if name in codes.EQUATIONS:
        return code(codes.EQUATION, codes.EQUATIONS[name], INFERRED)
    kind = codes.TABLE_CITATION if name.startswith(codes.TABLES) else codes.EQUATION_CITATION
    doi = codes.DOIS.get(citation, "")
    said = (f"{name}: {title}" if title else name, citation, doi and f"doi:{doi}")
    return words(kind, ". ".join(part for part in said if part), INFERRED)


def groups(measurements: Sequence[Selected]) -> tuple[list[Selected], list[Selected]]:
    """Part what is measured into fetal biometry and long bones."""
    known = [chosen for chosen in measurements if chosen.name in MEASUREMENTS]
    bones = [chosen for chosen in known if chosen.name in codes.LONG_BONES]
    return [chosen for chosen in known if chosen not in bones], bones
