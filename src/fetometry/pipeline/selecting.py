"""Several images of a plane: which value counts, and how far they lie apart.

A repeat is an image, or a cine (a DICOM loop, the pages of a TIFF): of all its frames of one
plane only the one of best quality is a repeat. Repeats are compared within one plane of one
fetus; twins are never pooled. Where some repeats are in millimetres, those in pixels do not
count. Only `last` asks for the order of the images: of equals it is their own UIDs that decide.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fetometry import image as reading
from fetometry.measure import disagreeing
from fetometry.review import CHOSEN
from fetometry.types import MAIN, PLANES, Finding, Measurement, Selected

#: Frames before and after the best one of a cine that its spread is taken from.
NEIGHBOURS = 2

SIZES_DISAGREE = "sizes-disagree"

#: The source and the frame of a finding.
Place = tuple[str, int]


@dataclass(frozen=True)
class _Repeat:
    """A finding that may count; `around` holds it and, of a cine, the neighbouring frames."""

    finding: Finding
    around: tuple[Finding, ...]


@dataclass(frozen=True)
class _Series:
    """All repeats of one plane of one fetus, in order; `by_person` is the one that was chosen."""

    plane: str
    fetus: str
    repeats: tuple[_Repeat, ...]
    by_person: _Repeat | None = None


def _best(series: _Series) -> _Repeat:
    most = max(repeat.finding.quality for repeat in series.repeats)
    return _one_of([r for r in series.repeats if r.finding.quality == most])


def _median(series: _Series) -> _Repeat:
    """Return the repeat of median size, of an even number the lower of the two in the middle."""
    main = MAIN[series.plane]
    sizes = [_all([repeat.finding], main)[0].value for repeat in series.repeats]
    middle = statistics.median_low(sizes)
    pairs = zip(series.repeats, sizes, strict=True)
    return _one_of([repeat for repeat, size in pairs if size == middle])


def _one_of(equals: Sequence[_Repeat]) -> _Repeat:
    """Return one of equals: that of the lowest UID or digest, in whatever order they came."""
    if len(equals) == 1:
        return equals[0]
    return min(equals, key=lambda repeat: reading.origin_of(Path(repeat.finding.source)))


def _last(series: _Series) -> _Repeat:
    return series.repeats[-1]


#: How one repeat is chosen, with all measurements of its plane; a mean chooses none.
CHOICES: Mapping[str, Callable[[_Series], _Repeat]] = {
    "best": _best,
    "median": _median,
    "last": _last,
}

#: All ways to say which of several repeats counts.
SELECT = (*CHOICES, "mean")


def _all(findings: Iterable[Finding], name: str) -> list[Measurement]:
    """Return one measurement of all findings that have it: not every abdomen has its diameters."""
    return [m for finding in findings for m in finding.measurements if m.name == name]


def _in_mm(finding: Finding) -> bool:
    return all(measurement.unit == "mm" for measurement in finding.measurements)


def _repeats(findings: Sequence[Finding], counts: Finding | None = None) -> tuple[_Repeat, ...]:
    cines: dict[str, list[Finding]] = {}
    for finding in findings:
        cines.setdefault(finding.source, []).append(finding)
    repeats = []
    for frames in cines.values():
        best = max(frames, key=lambda frame: (frame is counts, frame.quality))
        near = [frame for frame in frames if abs(frame.frame - best.frame) <= NEIGHBOURS]
        repeats.append(_Repeat(best, tuple(near)))
    return tuple(repeats)


def _series(findings: Iterable[Finding], chosen: Sequence[Place] = ()) -> list[_Series]:
    """Return the repeats by fetus and plane, one fetus after the other."""
    parts: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        parts.setdefault((finding.fetus, finding.plane), []).append(finding)
    ordered = sorted(parts.items(), key=lambda part: (part[0][0], PLANES.index(part[0][1])))
    return [_one_series(plane, fetus, found, chosen) for (fetus, plane), found in ordered]


def _one_series(
    plane: str, fetus: str, found: Sequence[Finding], chosen: Sequence[Place]
) -> _Series:
    at = {(f.source, f.frame): f for f in found}
    person = next((at[place] for place in reversed(chosen) if place in at), None)
    in_mm = _in_mm(person) if person else any(_in_mm(f) for f in found)
    repeats = _repeats([f for f in found if _in_mm(f) == in_mm], person)
    by_person = next((repeat for repeat in repeats if repeat.finding is person), None)
    return _Series(plane, fetus, repeats, by_person)


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return statistics.fmean(known) if known and len(known) == len(numbers) else None


def _entries(series: _Series, how: str, chosen: _Repeat | None) -> Iterator[Selected]:
    """Yield what counts: the chosen repeat's measurements, or their means where there is none.

    The spread is that of the repeats; of a single cine, that of its best frame and its neighbours.
    """
    repeats = [repeat.finding for repeat in series.repeats]
    compared = repeats if len(repeats) > 1 else series.repeats[0].around
    # most names first, so that the order of the images has no part in that of the names
    counting = [chosen.finding] if chosen else sorted(repeats, key=_names)
    for name in dict.fromkeys(m.name for finding in counting for m in finding.measurements):
        spread = [measurement.value for measurement in _all(compared, name)]
        numbers = _all(counting, name)
        yield Selected(
            name=name,
            fetus=series.fetus,
            value=statistics.fmean(number.value for number in numbers),
            unit=numbers[0].unit,
            low=_mean([number.low for number in numbers]),
            high=_mean([number.high for number in numbers]),
            how=how,
            count=len(spread),
            sd=statistics.stdev(spread) if len(spread) > 1 else None,
            smallest=min(spread),
            largest=max(spread),
            source=chosen.finding.source if chosen else "",
            frame=chosen.finding.frame if chosen else None,
            flags=tuple(dict.fromkeys(flag for number in numbers for flag in number.flags)),
        )


def _names(finding: Finding) -> tuple[int, list[str]]:
    names = [measurement.name for measurement in finding.measurements]
    return -len(names), names


def _doubted(selected: Sequence[Selected]) -> set[tuple[str, str]]:
    """Return (fetus, measurement) of the sizes that do not belong to one fetus of one age."""
    doubted = set()
    for fetus in dict.fromkeys(entry.fetus for entry in selected):
        values_mm = {e.name: e.value for e in selected if e.fetus == fetus and e.unit == "mm"}
        doubted |= {(fetus, name) for name in disagreeing(values_mm)}
    return doubted


def _flagged(finding: Finding, doubted: set[tuple[str, str]]) -> Finding:
    return replace(
        finding,
        measurements=tuple(
            replace(m, flags=(*m.flags, SIZES_DISAGREE))
            if (finding.fetus, m.name) in doubted
            else m
            for m in finding.measurements
        ),
    )


def decide(
    findings: Sequence[Finding], how: str, chosen: Sequence[Place] = ()
) -> tuple[tuple[Finding, ...], tuple[Selected, ...]]:
    """Return the findings of one exam, and which value counts for each measurement and fetus.

    `how` is best (by quality; of equals the lowest UID), median (the image whose HC, AC or FL is
    the median, of an even number the lower one, so that all measurements of a plane come from one
    image), last (in the order given) or mean (of values, and of both ends of their intervals).
    Where a person chose frames, the latest of a plane that is among the findings counts instead.
    Sizes that disagree between planes are flagged, and so are the findings they came from.
    """
    selected: list[Selected] = []
    counting: set[int] = set()
    for series in _series(findings, chosen):
        one = series.by_person or (CHOICES[how](series) if how in CHOICES else None)
        selected += _entries(series, CHOSEN if series.by_person else how, one)
        counting |= {id(repeat.finding) for repeat in ((one,) if one else series.repeats)}
    doubted = _doubted(selected)
    marked = (_flagged(f, doubted) if doubted and id(f) in counting else f for f in findings)
    return tuple(marked), tuple(
        replace(entry, flags=(*entry.flags, SIZES_DISAGREE))
        if (entry.fetus, entry.name) in doubted
        else entry
        for entry in selected
    )
