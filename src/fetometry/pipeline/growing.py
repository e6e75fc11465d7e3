"""Stage 4 of an exam: what is known about the pregnancy's age, and what the values mean by it.

What a person says counts before what a file says. A file's dates are only counted with: neither
they nor anything else of the patient is in any output but DICOM files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from fetometry import image as reading
from fetometry.errors import UsageError
from fetometry.growth import (
    Dates,
    GrowthError,
    Profile,
    age_of,
    assess,
    parse_ga,
    read_profile,
    sizes_of,
    with_refused,
)
from fetometry.growth.nouns import MOST_DAYS
from fetometry.growth.profile import LMP
from fetometry.image import HeaderDates
from fetometry.pipeline.settings import Settings
from fetometry.pipeline.visits import Visit
from fetometry.types import Exam

Day = date | str

#: Files whose dates are remembered.
REMEMBERED = 1024


class About(TypedDict, total=False):
    """What may be said about a pregnancy and the house that it is seen in.

    `ga` is 23w4d or exact days at the exam; a day is a date or YYYY-MM-DD; `profile` is the
    house's `fetometry.toml`.
    """

    ga: str | float
    lmp: Day
    edd: Day
    crl_mm: float
    crl_date: Day
    exam_date: Day
    profile: Profile | Path | str


@dataclass(frozen=True)
class Dated:
    """The dates of one visit, with what is to be said of those that came from its files."""

    dates: Dates
    notes: tuple[str, ...] = ()


class Told(TypedDict):
    """What `Settings` has of it."""

    dates: Dates
    profile: Profile


def told(about: About) -> Told:
    """Return what was said about a pregnancy, and the house's profile.

    Raises:
        TypeError: something else was said.
        GrowthError: an age, a date or the profile is not one.
    """
    if unknown := sorted(set(about) - set(About.__annotations__)):
        allowed = ", ".join(About.__annotations__)
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; about growth: {allowed}")
    ga, house = about.get("ga"), about.get("profile")
    dates = Dates(
        ga_days=parse_ga(ga) if isinstance(ga, str) else ga,
        edd=_day(about.get("edd"), "edd"),
        lmp=_day(about.get("lmp"), "lmp"),
        crl_mm=about.get("crl_mm"),
        crl_date=_day(about.get("crl_date"), "crl_date"),
        exam=_day(about.get("exam_date"), "exam_date"),
    )
    if not isinstance(house, Profile):
        house = read_profile(None if house is None else Path(house))
    return {"dates": dates, "profile": house}


def _day(value: Day | None, name: str) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise GrowthError(f"{name}: a date is YYYY-MM-DD, got {value!r}") from None
    return value.date() if isinstance(value, datetime) else value


def dated_visits(visits: Sequence[Visit], settings: Settings) -> list[Dated]:
    """Return the dates of each visit; better known to be wrong before the work than after.

    Raises:
        UsageError: dates were given, but there are several patients' exams.
        GrowthError: an age cannot be counted from the dates.
    """
    if settings.dates.given and len(visits) > 1:
        raise UsageError(
            f"an age or a date was given, but there are {len(visits)} patients' exams: measure "
            "each by itself, or let the DICOM files say the dates"
        )
    return [dated(visit.files, settings) for visit in visits]


def dated(files: Sequence[Path], settings: Settings) -> Dated:
    """Return what was given, and what a DICOM file of a visit says besides.

    Where files differ, it is one that says both dates, and of these the earliest: in whatever
    order they came, it is the same one.

    Raises:
        GrowthError: an age cannot be counted from them.
    """
    said = min(
        (found for file in files if (found := _said(file))), key=_rank, default=HeaderDates()
    )
    dates, notes = settings.dates, []
    if said.exam is not None:
        dates, note = _with_exam(dates, said.exam)
        notes.append(note)
    if said.lmp is not None and LMP in settings.house.dating.sources:
        dates, note = _with_lmp(dates, said.lmp)
        notes.append(note)
    age = age_of(dates, settings.house.dating, settings.house.known)
    return Dated(dates, tuple(note for note in notes if note and age is not None))


def _said(file: Path) -> HeaderDates | None:
    try:
        changed = file.stat().st_mtime_ns
    except OSError:
        changed = 0
    found = _read_dates(file, changed)
    return found if found.exam or found.lmp else None


def _rank(said: HeaderDates) -> tuple[bool, date, date]:
    known = said.exam is not None and said.lmp is not None
    return not known, said.exam or date.max, said.lmp or date.max


@lru_cache(maxsize=REMEMBERED)
def _read_dates(file: Path, changed: int) -> HeaderDates:
    """Read a file's dates once, as long as it is the same file: an edit asks for them again."""
    return reading.read_dates(file)


def _with_exam(dates: Dates, said: date) -> tuple[Dates, str]:
    counted = dates.edd or dates.lmp or dates.crl_date
    if dates.exam is None:
        note = "the date of the exam was read from the DICOM file" if counted else ""
        return replace(dates, exam=said), note
    off = (dates.exam - said).days
    note = f"the date of the exam that was given is {off:+d} days off that of the DICOM file"
    return dates, note if off else ""


def _with_lmp(dates: Dates, said: date) -> tuple[Dates, str]:
    """Add the last menstrual period of a file, unless one was given or it cannot be true."""
    if dates.lmp is not None:
        off = (dates.lmp - said).days
        note = f"the LMP that was given is {off:+d} days off that of the DICOM file"
        return dates, note if off else ""
    if dates.exam is None:
        return dates, ""
    days = (dates.exam - said).days
    if not 0 < days <= MOST_DAYS:
        return dates, f"the DICOM file's LMP makes the exam day {days}: it does not count"
    if dates.crl_date is not None and dates.crl_date <= said:
        return dates, "the DICOM file's LMP is not before the CRL's scan: it does not count"
    return replace(dates, lmp=said), "the LMP was read from the DICOM file"


def with_growth(exam: Exam, known: Dated, house: Profile) -> Exam:
    """Return the exam with what its values say about the growth of each fetus.

    A fetus without a value in millimetres has no growth but its age, where that is known; the
    exam's problems say why.
    """
    found = {}
    for fetus in dict.fromkeys(chosen.fetus for chosen in exam.selected):
        sizes, refused = sizes_of(exam, fetus)
        if sizes or known.dates.given:
            grown = with_refused(assess(sizes, known.dates, house), refused)
            found[fetus] = replace(grown, notes=(*known.notes, *grown.notes))
    return replace(exam, growth=found)
