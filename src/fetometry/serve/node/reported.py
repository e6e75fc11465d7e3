"""A structured report of anybody as an earlier exam: sizes on the house's charts, age by dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from fetometry import structured
from fetometry.errors import ImageError
from fetometry.growth import Dates, Growth, GrowthError, Profile, Size, assess
from fetometry.growth.spec import SIZES
from fetometry.image import inflating, quiet
from fetometry.image.dicom import PYDICOM_RAISES
from fetometry.structured import Fetus, Reported, StructuredReport
from fetometry.types import FETUSES, Exam

#: Codes of dates: LMP, and a due date that does not say that it came from sizes.
_LMP, _EDD = ("8665-2", "LN"), ("11778-8", "LN")

#: Ages that came from sizes: an age equal to one of them is one of them.
_FROM_SIZES = ("composite age", "average age")
_SAME_DAYS = 0.5

#: What an age that was not worked out from sizes rests on: a code, or our own words.
_BY_LMP, _SAID = "11885-1", ("LMP", "an agreed due date", "the age that was given")

#: SCT codes of derivations that are not somebody's statement: calculated, estimated, mean.
_WORKED_OUT = ("258090004", "414135002", "373098007")

#: Our words of a convention, as our own reports say it.
_BPD = {"Outer edge to outer edge": "outer-outer", "Outer edge to inner edge": "outer-inner"}


@dataclass(frozen=True)
class Patient:
    """Who a file is of, and of which study; empty where it does not say."""

    id: str
    issuer: str
    study: str
    date: str


def patient_of(path: Path) -> Patient:
    """Return who a DICOM file is of; nobody where it cannot be read."""
    tags = ["PatientID", "IssuerOfPatientID", "StudyInstanceUID", "StudyDate"]
    try:
        with quiet.pydicom:
            header = inflating.read(path, stop_before_pixels=True, specific_tags=tags)
            return Patient(*(_text(header.get(tag)) for tag in tags))
    except (ImageError, InvalidDicomError, *PYDICOM_RAISES):
        return Patient("", "", "", "")


def _text(value: object) -> str:
    # an ID with a backslash is two values for DICOM
    several = value if isinstance(value, MultiValue) else [value or ""]
    return "\\".join(str(one) for one in several).strip()


def exam_of_report(path: Path, house: Profile) -> tuple[Exam, date] | None:
    """Return the exam that a report tells of, and the first day of the pregnancy.

    The age comes from dates or is one that was stated, never from the sizes themselves; without
    one there is nothing to compare.

    Raises:
        ReportError: it cannot be read.
        GrowthError: its dates contradict each other.
    """
    told = structured.read(path)
    day = _day(told.header["study_date"]) or _day(told.header["content_date"])
    if day is None:
        return None
    grown = {}
    for key, fetus in _fetuses(told.fetuses).items():
        growth = _grown(told, fetus, day, house)
        if growth is not None:
            grown[key] = growth
    ages = [growth.age for growth in grown.values() if growth.age is not None]
    if not ages:
        return None
    exam = Exam(findings=(), software=told.header["manufacturer"] or "report", growth=grown)
    return exam, day - timedelta(days=ages[0].days)


def _fetuses(fetuses: Sequence[Fetus]) -> dict[str, Fetus]:
    """Return the fetuses by our names: "" of a single one, A and B of twins."""
    if len(fetuses) == 1:
        return {"": fetuses[0]}
    numbered = dict(zip("12", FETUSES, strict=False))
    named = {numbered.get(one.id, one.id.upper()): one for one in fetuses}
    return {key: one for key, one in named.items() if key in FETUSES}


def _grown(told: StructuredReport, fetus: Fetus, day: date, house: Profile) -> Growth | None:
    sizes = [size for name in SIZES if (size := _size(fetus, name)) is not None]
    dates = _dates(told, fetus, day)
    if not sizes or dates is None:
        return None
    growth = assess(sizes, dates, house)
    return None if growth.age is None or growth.age.estimated else growth


def _size(fetus: Fetus, name: str) -> Size | None:
    chosen = fetus.chosen(name)
    if chosen is None or chosen.value.unit != "mm":
        return None
    convention = _BPD.get(chosen.value.method, "") if name == "BPD" else ""
    try:
        return Size(name, chosen.value.value, convention=convention)
    except GrowthError:  # nothing that a size can be
        return None


def _dates(told: StructuredReport, fetus: Fetus, day: date) -> Dates | None:
    """Return what the report says of the age: a date, else an age that was stated."""
    said = {(dated.code, dated.scheme): _day(dated.date) for dated in told.dates}
    lmp, due = said.get(_LMP), said.get(_EDD)
    if lmp is not None or due is not None:
        return Dates(lmp=lmp, edd=due, exam=day)
    days = _stated(fetus)
    return None if days is None else Dates(ga_days=days, exam=day)


def _stated(fetus: Fetus) -> float | None:
    by_lmp = [v.value for v in fetus.repeats("age by LMP") if v.unit == "d"]
    if by_lmp:
        return by_lmp[0]
    from_sizes = [v.value for name in _FROM_SIZES for v in fetus.repeats(name)]
    for age in fetus.repeats("GA"):
        own = all(abs(age.value - other) > _SAME_DAYS for other in from_sizes)
        if age.unit == "d" and age.derivation_code not in _WORKED_OUT and own and _is_said(age):
            return age.value
    return None


def _is_said(age: Reported) -> bool:
    """Tell whether nothing says that an age was worked out."""
    return all(basis.code == _BY_LMP or basis.text in _SAID for basis in age.bases)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)  # 20240131 and 2024-01-31 alike
    except ValueError:
        return None
