"""What a report tells of the patient: height, weight, and the dates of her pregnancy.

Nothing is asked for: what nobody said stays away, such as gravidity and parity.

References:
    DICOM PS3.16, TID 5001 OB-GYN Patient Characteristics; TID 5002 row 2, CID 12003.
"""

from __future__ import annotations

import math

from highdicom.sr import ContentItem

from fetometry.report.dicom_out import Days
from fetometry.report.sr import codes
from fetometry.report.sr.identity import Header
from fetometry.report.sr.items import container, day, number

#: Term → the element of the Patient Study Module, its unit, and what of it can be true. Files that
#: have centimetres, or a zero for not known, are common.
_SAID = (
    (codes.HEIGHT, "PatientSize", "m", (0.5, 2.5)),
    (codes.BODY_WEIGHT, "PatientWeight", "kg", (20.0, 400.0)),
)


def characteristics(identity: Header) -> list[ContentItem]:
    """Return the patient's characteristics (TID 5001), if her file says any that can be true."""
    found = []
    for term, keyword, unit, (least, most) in _SAID:
        value = _number(identity, keyword)
        if value is not None and least <= value <= most:
            found.append(number(term, value, unit))
    return [container(codes.PATIENT, found)] if found else []


def _number(header: Header, keyword: str) -> float | None:
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def dates_of(days: Days) -> list[ContentItem]:
    """Return the LMP and the agreed due date that ages were counted from (TID 5002 row 2)."""
    told = ((codes.LMP, days.lmp), (codes.DUE_DATE, days.due))
    return [day(term, value) for term, value in told if value is not None]
