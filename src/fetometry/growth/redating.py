"""When a scan changes the due date that the last menstrual period gave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from fetometry.growth.nouns import MOST_DAYS
from fetometry.growth.refusals import GrowthError

CITATION = "ACOG Committee Opinion 700, Obstet Gynecol 2017;129:e150-e154"
DOI = "10.1097/AOG.0000000000002046"

#: By LMP up to this day, the dates change where they differ by more than so many days.
LIMITS_DAYS = ((62, 5), (111, 7), (153, 10), (195, 14), (MOST_DAYS, 21))

#: From this day (28w0d) on a scan may redate a small fetus that is growth-restricted.
LATE_DAYS = 196

#: Without a scan before this day (22w0d) a pregnancy is suboptimally dated.
SUBOPTIMAL_DAYS = 154

TERM = timedelta(days=280)


@dataclass(frozen=True)
class Redating:
    """What the rule says: the due date, and whether it is the scan's.

    `difference_days` is the scan's age less that by LMP; `limit_days` is None where a due date
    was agreed on and nothing is compared.
    """

    change: bool
    edd: date
    difference_days: float
    limit_days: int | None
    suboptimal: bool
    text: str


def redate(
    *, lmp: date, scan: date, scan_ga_days: float, agreed_edd: date | None = None
) -> Redating:
    """Return the due date by the redating rule, for a first scan that gives an age.

    An agreed due date, one that an earlier scan confirmed or set, is never changed.

    Raises:
        GrowthError: the scan is not within a pregnancy that began with the LMP.

    References:
        ACOG Committee Opinion 700. Obstet Gynecol 2017;129:e150-e154.
    """
    by_lmp = (scan - lmp).days
    if not 0 < by_lmp <= MOST_DAYS:
        raise GrowthError(f"a scan on {scan} is not within a pregnancy since {lmp}")
    difference = scan_ga_days - by_lmp
    if agreed_edd is not None:
        text = f"the due date {agreed_edd} is agreed; a later scan does not change it"
        return Redating(False, agreed_edd, difference, None, False, text)
    limit = next(days for last, days in LIMITS_DAYS if by_lmp <= last)
    change = abs(difference) > limit
    edd = scan + TERM - timedelta(days=round(scan_ga_days)) if change else lmp + TERM
    suboptimal = by_lmp >= SUBOPTIMAL_DAYS
    text = (
        f"{CITATION}: scan and LMP differ by {abs(difference):.0f} days, the limit is {limit}: "
        f"{'the scan dates' if change else 'the LMP stands'}"
    )
    if suboptimal:
        text += "; suboptimally dated, as no scan before 22w0d confirmed it"
    if change and by_lmp >= LATE_DAYS:
        text += "; a small fetus may be growth-restricted rather than younger"
    return Redating(change, edd, difference, limit, suboptimal, text)
