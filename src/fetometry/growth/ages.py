"""The gestational age: read, counted from dates, and chosen among several sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from fetometry.growth.nouns import MOST_DAYS, Age, Interval, ga_text
from fetometry.growth.profile import CRL, EDD, GA, LMP, Dating
from fetometry.growth.reading import Catalogue
from fetometry.growth.redating import redate
from fetometry.growth.refusals import GrowthError

#: Days from the last menstrual period to the due date.
TERM_DAYS = 280

#: A CRL above it is less accurate than other sizes; ACOG Committee Opinion 700.
LONGEST_CRL_MM = 84.0

_WEEKS_AND_DAYS = re.compile(r"\s*(\d{1,2})\s*(?:w|\+)\s*(\d)\s*d?\s*", re.IGNORECASE)
_DAYS = re.compile(r"\s*(\d{2,3})\s*d\s*", re.IGNORECASE)


def parse_ga(text: str) -> int:
    """Return an age in days: 23w4d, 23+4 or 165d.

    Raises:
        GrowthError: it is not one of these; completed weeks alone leave up to six days open.
    """
    days = _DAYS.fullmatch(text)
    if days:
        return _believable(int(days[1]), text)
    both = _WEEKS_AND_DAYS.fullmatch(text)
    if both and int(both[2]) < 7:
        return _believable(7 * int(both[1]) + int(both[2]), text)
    why = "days are 0 to 6" if both else "completed weeks alone leave up to 6 days open"
    raise GrowthError(f"no gestational age: {text!r}; give 23w4d, 23+4 or 165d ({why})")


def _believable(days: int, text: str) -> int:
    if not 0 < days <= MOST_DAYS:
        raise GrowthError(f"the gestational age must be 1 to {MOST_DAYS} days, got {text!r}")
    return days


@dataclass(frozen=True, kw_only=True)
class Dates:
    """What is known about a pregnancy's age at the exam of `exam`.

    `edd` is a due date that was agreed on. `crl_mm` was measured on `crl_date`. Without `exam`
    (which a file may say later) an age can be given, but not counted from a date.

    Raises:
        GrowthError: a CRL without its date, or the reverse.
    """

    ga_days: float | None = None
    edd: date | None = None
    lmp: date | None = None
    crl_mm: float | None = None
    crl_interval_mm: Interval | None = None
    crl_date: date | None = None
    exam: date | None = None

    def __post_init__(self) -> None:
        if (self.crl_mm is None) != (self.crl_date is None):
            raise GrowthError(
                "a CRL and the date of its scan go together: --crl MM --crl-date DATE"
            )

    @property
    def given(self) -> bool:
        """Whether anything is known."""
        return self != Dates()


def age_of(dates: Dates, dating: Dating, charts: Catalogue) -> Age | None:
    """Return the age at the exam by the first source given, in the order of the house.

    None where nothing is given. An agreed due date always counts; what else was given is listed
    in `Age.others`. Where the house redates by rule, the rule chooses between CRL and LMP.

    Raises:
        GrowthError: a date lies after the exam or too long before it, or that of the exam is not
            known, the CRL is outside its formula's range, or the house does not use a source that
            is given.
    """
    if dates.exam is None and any((dates.edd, dates.lmp, dates.crl_date)):
        raise GrowthError(
            "the date of the exam is needed to count from a due date, an LMP or a CRL: "
            "--exam-date DATE, or measure DICOM files, which say it"
        )
    readers: Mapping[str, Callable[[], Age | None]] = {
        GA: lambda: _stated(dates),
        EDD: lambda: _from_edd(dates),
        LMP: lambda: _from_lmp(dates),
        CRL: lambda: _from_crl(dates, dating.crl, charts),
    }
    given = {name: age for name, read in readers.items() if (age := read())}
    unwanted = [name for name in given if name not in dating.sources]
    if unwanted:
        raise GrowthError(
            f"the age by {unwanted[0]} was given, but [dating] sources of this site has only "
            f"{', '.join(dating.sources)}"
        )
    found = [given[name] for name in dating.sources if name in given]
    if not found:
        return None
    chosen, note = _chosen(found, dates, dating)
    others = tuple((age.source, age.days) for age in found if age is not chosen)
    notes = (*chosen.notes, *((note,) if note else ()), *_differences(chosen, others))
    return Age(chosen.days, chosen.interval_days, chosen.source, chosen.formula, (), others, notes)


def _chosen(found: list[Age], dates: Dates, dating: Dating) -> tuple[Age, str]:
    by_source = {age.source: age for age in found}
    lmp, scan, exam = dates.lmp, dates.crl_date, dates.exam
    if lmp is None or scan is None or exam is None or found[0].source not in (LMP, CRL):
        return found[0], ""
    at_scan = by_source[CRL].days - (exam - scan).days
    advice = redate(lmp=lmp, scan=scan, scan_ga_days=at_scan)
    if dating.redating == "acog":
        return by_source[CRL if advice.change else LMP], advice.text
    return found[0], advice.text


def _differences(chosen: Age, others: tuple[tuple[str, float], ...]) -> list[str]:
    return [
        f"{source.upper()} alone would give {ga_text(days)} ({days - chosen.days:+.0f} days); "
        f"{chosen.source.upper()} counts"
        for source, days in others
        if abs(days - chosen.days) >= 1
    ]


def _stated(dates: Dates) -> Age | None:
    return None if dates.ga_days is None else Age(dates.ga_days, None, GA)


def _counted(days: int, source: str, what: str) -> Age:
    if not 0 < days <= MOST_DAYS:
        raise GrowthError(
            f"{what} makes the exam day {days} of the pregnancy; 1 to {MOST_DAYS} is possible: "
            "look at the dates"
        )
    return Age(float(days), None, source)


def _from_edd(dates: Dates) -> Age | None:
    if dates.edd is None or dates.exam is None:
        return None
    return _counted(TERM_DAYS - (dates.edd - dates.exam).days, EDD, f"a due date of {dates.edd}")


def _from_lmp(dates: Dates) -> Age | None:
    if dates.lmp is None or dates.exam is None:
        return None
    return _counted((dates.exam - dates.lmp).days, LMP, f"an LMP of {dates.lmp}")


def _from_crl(dates: Dates, name: str, charts: Catalogue) -> Age | None:
    if dates.crl_mm is None or dates.crl_date is None or dates.exam is None:
        return None
    since = (dates.exam - dates.crl_date).days
    if since < 0:
        raise GrowthError(f"the CRL's date {dates.crl_date} lies after the exam {dates.exam}")
    formula = charts.formula(name)
    sizes = {"CRL": dates.crl_mm}
    days = formula.evaluate(sizes)
    error = formula.error_95(sizes, days)
    notes = [f"age by CRL {dates.crl_mm:g} mm on {dates.crl_date}: {ga_text(days)} that day"]
    half = 0.0 if error is None else float(error)
    if dates.crl_mm > LONGEST_CRL_MM:
        notes.append(f"above {LONGEST_CRL_MM:g} mm a CRL dates less well (ACOG 700)")
    if error is None:
        notes.append(f"{formula.name}: the formula's own error is {formula.spec.error_note}")
    for edge in dates.crl_interval_mm or ():
        half = max(half, (half**2 + (formula.evaluate({"CRL": edge}) - days) ** 2) ** 0.5)
    interval = (days + since - half, days + since + half) if half else None
    return Age(days + since, interval, CRL, formula.name, (), (), tuple(notes))
