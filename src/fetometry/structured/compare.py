"""Two reports of one exam, side by side: differences in mm and percent, and how people differ."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from fetometry.growth.nouns import BETWEEN_OBSERVERS_PERCENT
from fetometry.structured.nouns import Chosen, Fetus, Reported, ReportError, StructuredReport

SCHEMA = "fetometry-sr-comparison/1"

#: What else may be told of a measurement before its difference is read.
_BPD = "not both reports say how: outer to inner is 2 to 3 mm less than outer to outer"

_SAME = "by the chart that both have"


@dataclass(frozen=True)
class Difference:
    """One measurement in both reports: ours minus manual.

    `percent` is of the mean of the two, and given for sizes and weights alone. `limit_percent` is
    the published limit between observers, and `within` whether the difference lies inside; None
    where nothing is published.
    """

    fetus: str
    name: str
    unit: str
    manual: float
    ours: float
    difference: float
    percent: float | None
    limit_percent: float | None = None
    within: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the difference is one that two people would have, in words."""
        if self.limit_percent is None:
            return "no published limit"
        where = "within" if self.within else "outside"
        return f"{where} the limits between observers ({self.limit_percent:g} %)"


@dataclass(frozen=True)
class Comparison:
    """What two reports have in common, what one has alone, and what to know before reading it."""

    manual: str
    ours: str
    differences: tuple[Difference, ...]
    alone: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def compare(manual: StructuredReport, ours: StructuredReport) -> Comparison:
    """Compare the values that count of two reports of one exam, fetus by fetus.

    One fetus in each is the same one; several are told apart by their identifiers. Nothing is
    said about what a difference means for the patient.

    Raises:
        ReportError: they share no fetus, or no measurement of it.
    """
    differences: list[Difference] = []
    alone: list[str] = []
    for one, other in _pairs(manual, ours):
        for name in dict.fromkeys((*one.names(), *other.names())):
            first, second = _counted(one, other, name)
            if first is None or second is None:
                who = "manual" if second is None else "ours"
                alone.append(f"{_of(one, other)}{name}: in {who} alone")
            elif first.value.unit != second.value.unit:
                units = f"{first.value.given} and {second.value.given}"
                alone.append(f"{_of(one, other)}{name}: the units do not compare, {units}")
            else:
                differences.append(_difference(one.id or other.id, name, first, second))
    if not differences:
        raise ReportError(
            f"{manual.source} and {ours.source} have no measurement in common; "
            "`fetometry sr show` tells what each of them holds"
        )
    return Comparison(
        manual.source, ours.source, tuple(differences), tuple(alone), _remarks(manual, ours)
    )


def _pairs(manual: StructuredReport, ours: StructuredReport) -> list[tuple[Fetus, Fetus]]:
    if len(manual.fetuses) == len(ours.fetuses) == 1:
        return [(manual.fetuses[0], ours.fetuses[0])]
    by_id = {fetus.id: fetus for fetus in ours.fetuses}
    pairs = [(fetus, by_id[fetus.id]) for fetus in manual.fetuses if fetus.id in by_id]
    if not pairs:
        names = [" ".join(repr(f.id) for f in r.fetuses) or "none" for r in (manual, ours)]
        raise ReportError(
            f"the two reports share no fetus: {manual.source} has {names[0]}, {ours.source} "
            f"has {names[1]}; with several fetuses their identifiers must be the same"
        )
    return pairs


def _counted(one: Fetus, other: Fetus, name: str) -> tuple[Chosen | None, Chosen | None]:
    """Return the values that count; of several charts, those by the one that both have."""
    first, second = one.chosen(name), other.chosen(name)
    if first is None or second is None or first.value.bases == second.value.bases:
        return first, second
    for value in one.repeats(name):
        for match in other.repeats(name):
            if value.bases and value.bases == match.bases:
                return replace(first, value=value, why=_SAME), replace(
                    second, value=match, why=_SAME
                )
    return first, second


def _of(one: Fetus, other: Fetus) -> str:
    return f"fetus {one.id or other.id}, " if one.id or other.id else ""


def _difference(fetus: str, name: str, manual: Chosen, ours: Chosen) -> Difference:
    first, second = manual.value, ours.value
    by = second.value - first.value
    middle = (first.value + second.value) / 2
    percent = 100 * by / middle if middle > 0 and first.unit in ("mm", "g") else None
    limit = BETWEEN_OBSERVERS_PERCENT.get(name) if first.unit == "mm" else None
    within = None if limit is None or percent is None else abs(percent) <= limit
    return Difference(
        fetus=fetus,
        name=name,
        unit=first.unit,
        manual=first.value,
        ours=second.value,
        difference=by,
        percent=percent,
        limit_percent=limit,
        within=within,
        notes=tuple(_notes(name, manual, ours)),
    )


def _notes(name: str, manual: Chosen, ours: Chosen) -> list[str]:
    notes = []
    for whose, chosen in (("manual", manual), ("ours", ours)):
        if chosen.count > 1:
            notes.append(f"{whose}: {chosen.why}, of {chosen.count}")
    first, second = manual.value, ours.value
    if first.derivation and second.derivation and first.derivation_code != second.derivation_code:
        notes.append(f"derived differently: {first.derivation}, {second.derivation}")
    if name == "BPD" and not all(map(_says_how, (first, second))):
        notes.append(_BPD)
    if first.method and second.method and first.method != second.method:
        notes.append(f"measured differently: {first.method}, {second.method}")
    theirs, mine = ([b.text for b in v.bases] for v in (first, second))
    if theirs and mine and theirs != mine:
        notes.append(f"manual by {', '.join(theirs)}; ours by {', '.join(mine)}")
    return notes


def _says_how(value: Reported) -> bool:
    return bool(value.method) or any("outer" in said for said in value.comments)


def _remarks(manual: StructuredReport, ours: StructuredReport) -> tuple[str, ...]:
    said = []
    for key, what in (("patient_id", "patient ID"), ("study", "study")):
        if manual.header.get(key, "") != ours.header.get(key, ""):
            said.append(f"the {what} differs: are these reports of one exam?")
    for whose, report in (("manual", manual), ("ours", ours)):
        said += [f"{whose}: {remark}" for remark in report.remarks]
    counts = [len(report.fetuses) for report in (manual, ours)]
    if counts[0] != counts[1]:
        said.append(f"manual has {counts[0]} fetuses, ours {counts[1]}")
    return tuple(said)
