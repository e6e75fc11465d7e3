"""Who looked at an exam: persons as observers beside the software, and what that makes of it.

A document stays UNVERIFIED: a signature on the page is not that of a verifying observer, who has an
organization and a role in it.

References:
    DICOM PS3.16, TID 1003 Person Observer Identifying Attributes.
"""

from __future__ import annotations

from highdicom.sr import ContentItem, PnameContentItem

from fetometry.growth.words import RESEARCH_ONLY
from fetometry.report.reviewed import signature
from fetometry.report.sr import codes
from fetometry.report.sr.items import CONTEXT, code, concept
from fetometry.review import EDITED
from fetometry.types import MAIN, Exam, Finding, Measurement

#: Longest name of a person, and the signs that part one in DICOM.
MOST_LETTERS, PARTING = 60, frozenset("\\^=")


def is_edited(measured: Measurement) -> bool:
    """Tell whether a person placed a measurement: then no algorithm did."""
    return EDITED in measured.flags


def is_drawn(finding: Finding) -> bool:
    """Tell whether a person drew the ellipse of a head or an abdomen."""
    main = MAIN[finding.plane]
    return finding.ellipse is not None and any(
        m.name == main and is_edited(m) for m in finding.measurements
    )


def persons_of(exam: Exam) -> list[str]:
    """Return who signed and who changed what stands, each once, as DICOM has a name."""
    if exam.review is None:
        return []
    names = [exam.review.reviewer, *(edit.reviewer for edit in exam.review.standing)]
    return list(dict.fromkeys(name for said in names if (name := person_name(said))))


def person_name(name: str) -> str:
    """Return a name as DICOM has it: all of it is the family name; nobody asked for its parts."""
    letters = (sign for sign in name if sign.isprintable() and sign not in PARTING)
    clean = "".join(letters).encode("utf-8", "replace").decode("utf-8").strip()
    return f"{clean[:MOST_LETTERS]}^" if clean else ""


def observers(exam: Exam) -> list[ContentItem]:
    """Return the persons who looked at an exam (TID 1003)."""
    return [
        item
        for name in persons_of(exam)
        for item in (
            code(codes.OBSERVER_TYPE, codes.PERSON, CONTEXT),
            PnameContentItem(
                name=concept(codes.PERSON_NAME), value=name, relationship_type=CONTEXT
            ),
        )
    ]


def notice(exam: Exam) -> str:
    """Return what a reader is told of the whole: by whom it is, and that it is not verified."""
    if exam.review is None:
        return f"{RESEARCH_ONLY}; measured by software, not verified by a person"
    return f"{RESEARCH_ONLY}; measured by software. {signature(exam)}. This report is not verified"
