"""The content of a report: TID 5000 with its sections, one of each kind for each fetus.

References:
    DICOM PS3.16, TID 5000 OB-GYN Ultrasound Procedure Report and the templates that it includes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from highdicom.sr import ContentItem

from fetometry.growth.nouns import Growth
from fetometry.report.dicom_out import Days
from fetometry.report.sr import codes
from fetometry.report.sr.grown import (
    group_age,
    more_ranks_of,
    ranks_of,
    ratio_of,
    remarks_of,
    summary_of,
)
from fetometry.report.sr.identity import MAKER, Header, uid_of
from fetometry.report.sr.instances import Instance, Place
from fetometry.report.sr.items import (
    CONTAINS,
    CONTEXT,
    MODIFIER,
    code,
    comment,
    container,
    image,
    number,
    text,
    uid_reference,
    with_children,
)
from fetometry.report.sr.patient import characteristics, dates_of
from fetometry.report.sr.reviewer import notice, observers
from fetometry.report.sr.values import groups, repeats_of, values_of
from fetometry.types import Exam, Finding, Selected

#: Fetus ID of images that nobody gave one, beside some that have one.
NOT_NAMED = "not named"


def root_of(
    exam: Exam,
    instances: Mapping[Place, Instance],
    identity: Header,
    days: Days,
) -> ContentItem:
    """Return the whole report of an exam.

    `instances` has the instance of each finding of `repeats_of`, `identity` says whose it is, and
    `days` what the ages were counted from.
    """
    fetuses = fetuses_of(exam)
    told = {fetus: _Fetus(exam, fetus, instances, fetuses) for fetus in fetuses}
    sections = [
        *(section for fetus in told.values() for section in fetus.ratios()),
        *(section for fetus in told.values() for section in fetus.biometry()),
        *(section for fetus in told.values() for section in fetus.long_bones()),
    ]
    shown = {instance.uid: replace(instance, frame=None) for instance in instances.values()}
    library = container(codes.LIBRARY, [image(one, CONTAINS) for one in shown.values()])
    root = container(codes.ROOT, _context(exam), relation=None)
    summary = [*dates_of(days), *_summary_of(exam, fetuses)]
    summary += [fetus.summary() for fetus in told.values()]
    first = [*characteristics(identity), library, container(codes.SUMMARY, summary)]
    return with_children(root, [*first, *sections])


def fetuses_of(exam: Exam) -> list[str]:
    """Return the fetuses that something was measured of in mm; "" is a single one."""
    found = dict.fromkeys(chosen.fetus for chosen in exam.selected if _reported(chosen))
    return sorted(found)


def number_of(fetuses: Sequence[str]) -> int:
    """Return how many fetuses there are; 0 where it is not known.

    One that nobody named may be one of the others, and one alone may have a twin.
    """
    return len(fetuses) if len(fetuses) > 1 and all(fetuses) else 0


def _reported(chosen: Selected) -> bool:
    return chosen.unit == "mm" and chosen.name in codes.MEASUREMENTS


def _context(exam: Exam) -> list[ContentItem]:
    """Return the language, and who observed: this software with its models, and persons.

    References:
        DICOM PS3.16, TID 1001, 1003, 1004.
    """
    models = sorted({finding.model.sha256 for finding in exam.findings})
    return [
        code(codes.LANGUAGE, codes.ENGLISH, MODIFIER),
        code(codes.OBSERVER_TYPE, codes.DEVICE, CONTEXT),
        uid_reference(codes.DEVICE_UID, uid_of("device", exam.software, *models), CONTEXT),
        text(codes.DEVICE_NAME, exam.software, CONTEXT),
        text(codes.DEVICE_MANUFACTURER, MAKER, CONTEXT),
        text(codes.DEVICE_MODEL, MAKER, CONTEXT),
        *observers(exam),
    ]


def _summary_of(exam: Exam, fetuses: Sequence[str]) -> list[ContentItem]:
    """Return what the summary says of the whole exam, beside its dates."""
    items: list[ContentItem] = []
    if count := number_of(fetuses):
        items.append(number(codes.FETUSES, count, "1"))
    items.append(comment(notice(exam)))
    lost = [chosen for chosen in exam.selected if not _reported(chosen)]
    if lost:
        names = ", ".join(dict.fromkeys(chosen.name for chosen in lost))
        items.append(comment(f"not in this report, the size of a pixel is not known: {names}"))
    return items


class _Fetus:
    """The sections of one fetus; each says which one it is about where there are several."""

    def __init__(
        self,
        exam: Exam,
        fetus: str,
        instances: Mapping[Place, Instance],
        others: Sequence[str],
    ) -> None:
        self._exam = exam
        self._fetus = fetus
        self._others = others
        self._instances = instances
        self._growth = exam.growth.get(fetus) or Growth(None)
        self._findings: list[Finding] = [f for f in repeats_of(exam) if f.fetus == fetus]
        mine = [s for s in exam.selected if s.fetus == fetus and _reported(s)]
        self._biometry, self._bones = groups(mine)

    def _about(self) -> list[ContentItem]:
        """Return which fetus it is (TID 1008); nothing of a single one."""
        if self._others == [""]:
            return []
        items = [text(codes.FETUS_ID, self._fetus or NOT_NAMED, CONTEXT)]
        if count := number_of(self._others):
            items.append(number(codes.FETUSES, count, "1", relation=CONTEXT))
        return items

    def summary(self) -> ContentItem:
        """Return the fetus summary (TID 5003)."""
        items = [*self._about(), *summary_of(self._growth), *remarks_of(self._growth)]
        return container(codes.FETUS_SUMMARY, items)

    def ratios(self) -> list[ContentItem]:
        """Return the ratios (TID 5004), if there are any."""
        found = [item for ratio in self._growth.ratios if (item := ratio_of(ratio)) is not None]
        return self._section(codes.RATIOS_SECTION, found)

    def biometry(self) -> list[ContentItem]:
        """Return head and abdomen (TID 5005), if there are any."""
        return self._section(codes.BIOMETRY_SECTION, map(self._group, self._biometry))

    def long_bones(self) -> list[ContentItem]:
        """Return the femur (TID 5006), if there is one."""
        return self._section(codes.LONG_BONES_SECTION, map(self._group, self._bones))

    def _section(self, term: codes.Term, items: Iterable[ContentItem]) -> list[ContentItem]:
        found = list(items)
        return [container(term, [*self._about(), *found])] if found else []

    def _group(self, chosen: Selected) -> ContentItem:
        """Return a biometry group (TID 5008): repeats, age, ranks."""
        more = more_ranks_of(self._growth, chosen.name)
        values = values_of(chosen, self._findings, self._instances, self._exam.software, more)
        age = group_age(self._growth, chosen.name)
        ranked = ranks_of(self._growth, chosen.name)
        return container(codes.GROUP, [*values, *age, *ranked], relation=CONTAINS)
