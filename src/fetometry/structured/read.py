"""Structured report → what it says: TID 5000 of any manufacturer, by code and not by place.

Read by code, converted by unit, SRT as SCT; repeats, private equations and sections in unusual
places are kept. What had to be tolerated is among the remarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom import Dataset

from fetometry.structured import concepts as c
from fetometry.structured.concepts import Concept, name_of
from fetometry.structured.files import class_name, guarded, read_tree
from fetometry.structured.items import Item, sequence_of, text_of
from fetometry.structured.nouns import (
    Basis,
    Dated,
    Fetus,
    Property,
    Reported,
    Shape,
    StructuredReport,
)
from fetometry.structured.units import VENDOR_PERCENT, converted

#: What of the header a report is known by: our name → the attribute.
HEADER = {
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
    "birth_date": "PatientBirthDate",
    "accession": "AccessionNumber",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "study_date": "StudyDate",
    "content_date": "ContentDate",
    "content_time": "ContentTime",
    "manufacturer": "Manufacturer",
    "device": "ManufacturerModelName",
    "software": "SoftwareVersions",
    "completion": "CompletionFlag",
    "verification": "VerificationFlag",
    "preliminary": "PreliminaryFlag",
    "character_set": "SpecificCharacterSet",
}

#: The groups of biometry hold one measurement and what was made of it.
_OF_A_GROUP = (c.GESTATIONAL_AGE, c.CENTILE, c.Z_SCORE)


@dataclass(frozen=True)
class _Place:
    """Where in the document an item stands: section, fetus, the measurement of its group."""

    section: str = ""
    fetus: str | None = None  # None: of nobody in particular; "": of a fetus without a name
    of: str = ""


@dataclass
class _Gathered:
    """What was found so far."""

    values: list[tuple[str | None, Reported]] = field(default_factory=list)
    dates: list[Dated] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read(path: Path | str) -> StructuredReport:
    """Read a structured report: its fetuses, values, what they rest on, and its header.

    Made for TID 5000; of another template the numbers are read all the same.

    Raises:
        ReportError: the file is not there, not DICOM, damaged, or no structured report.
    """
    where = Path(path)
    dataset, root = read_tree(where)
    return guarded(lambda: _report(where, dataset, root), where)


def _report(path: Path, dataset: Dataset, root: Item) -> StructuredReport:
    found = _Gathered()
    _walk(root, _Place(), found)
    header = {ours: _header_text(dataset, theirs) for ours, theirs in HEADER.items()}
    header["sop_class"] = class_name(dataset)
    if root.template != "5000":
        found.remarks.insert(0, f"the template is {root.template or 'not named'}, not 5000")
    return StructuredReport(
        source=str(path),
        title=root.title,
        template=root.template,
        header=header,
        fetuses=_fetuses(found),
        values=tuple(value for fetus, value in found.values if fetus is None),
        dates=tuple(found.dates),
        texts=tuple(found.texts),
        predecessors=_predecessors(dataset),
        remarks=tuple(dict.fromkeys(found.remarks)),
    )


def _header_text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue":
        return "\\".join(str(one) for one in value)  # as DICOM itself writes several values
    return text_of(dataset, keyword)


def _predecessors(dataset: Dataset) -> tuple[str, ...]:
    """Return the instances that this report takes the place of."""
    return tuple(
        text_of(instance, "ReferencedSOPInstanceUID")
        for study in sequence_of(dataset, "PredecessorDocumentsSequence")
        for series in sequence_of(study, "ReferencedSeriesSequence")
        for instance in sequence_of(series, "ReferencedSOPSequence")
    )


def _fetuses(found: _Gathered) -> tuple[Fetus, ...]:
    """Return the fetuses in the order of the document; a single one takes what names none."""
    ids = list(dict.fromkeys(fetus for fetus, _ in found.values if fetus is not None))
    named = [one for one in ids if one]
    if len(named) == 1:
        ids = named
    elif "" in ids and named:
        found.remarks.append("some values do not say which of several fetuses they are of")
    alone = ids[0] if len(ids) == 1 else ""
    return tuple(
        Fetus(one, tuple(v for f, v in found.values if f is not None and (f or alone) == one))
        for one in ids
    )


def _walk(item: Item, place: _Place, found: _Gathered) -> None:
    found.remarks += [f"{item.path} {item.title}: {fault}" for fault in item.faults]
    inside = _inside(item, place)
    for child in item.children:
        if child.value_type == "CONTAINER":
            _walk(child, inside, found)
        elif child.relationship == "CONTAINS" or child.value_type == "NUM":
            _take(child, inside, found)


def _inside(container: Item, place: _Place) -> _Place:
    """Return the place of what a container holds."""
    key = container.name.key if container.name else None
    if key == c.GROUP:
        measured = [i for i in container.children if _is_measurement(i)]
        place = replace(place, of=name_of(measured[0].name) if measured else "")
    elif len(container.position) > 1:
        place = replace(place, section=container.title)
    named = _fetus_id(container)
    if named:
        return replace(place, fetus=named)
    if key in c.OF_A_FETUS and place.fetus is None:
        return replace(place, fetus="")
    return place


def _fetus_id(container: Item) -> str:
    """Return the fetus that a container says it is of; empty where it names none."""
    said = {i.name.key: i for i in container.children if i.name and "CONTEXT" in i.relationship}
    subject = said.get(c.SUBJECT_CLASS)
    of_a_fetus = subject is not None and _value_key(subject) == c.FETUS
    for key in (c.FETUS_ID, c.SUBJECT_ID):
        if key in said and (key == c.FETUS_ID or of_a_fetus):
            return str(said[key].value or "")
    return ""


def _value_key(item: Item) -> c.Key | None:
    return item.value.key if isinstance(item.value, Concept) else None


def _is_measurement(item: Item) -> bool:
    return item.value_type == "NUM" and item.name is not None and item.name.key not in _OF_A_GROUP


def _take(item: Item, place: _Place, found: _Gathered) -> None:
    take = _TAKERS.get(item.value_type)
    if take is not None:
        take(item, place, found)


def _take_date(item: Item, place: _Place, found: _Gathered) -> None:
    text = str(item.value or "")[:8]
    date = f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text
    name = item.name or Concept("", "")
    found.dates.append(Dated(item.title, name.code, name.scheme, date))
    found.remarks += [f"{item.path} {item.title}: {fault}" for fault in item.faults]


def _take_text(item: Item, place: _Place, found: _Gathered) -> None:
    text = item.value.meaning if isinstance(item.value, Concept) else str(item.value or "")
    whose = f" (fetus {place.fetus})" if place.fetus else ""
    found.texts.append((item.title + whose, text))
    found.remarks += [f"{item.path} {item.title}: {fault}" for fault in item.faults]


def _take_number(item: Item, place: _Place, found: _Gathered) -> None:
    for one in item.every():
        found.remarks += [f"{one.path} {one.title}: {fault}" for fault in one.faults]
    if item.number is None:
        found.remarks.append(f"{item.path} {item.title}: left out, it has no value")
        return
    if item.unit is not None and item.unit.code in VENDOR_PERCENT:
        found.remarks.append(f"the unit {item.unit.code} was read as %")
    if item.relationship != "HAS OBS CONTEXT":
        found.values.append((place.fetus, _reported(item, place)))


_TAKERS: dict[str, Callable[[Item, _Place, _Gathered], None]] = {
    "NUM": _take_number,
    "DATE": _take_date,
    "DATETIME": _take_date,
    "TEXT": _take_text,
    "CODE": _take_text,
}


def _reported(item: Item, place: _Place) -> Reported:
    name = item.name or Concept("", "")
    value, unit = converted(item.number or 0.0, item.unit, name.key)
    derivation = _child_value(item, c.DERIVATION)
    in_group = place.of and not _is_measurement(item)
    return Reported(
        name=name_of(item.name),
        code=name.code,
        scheme=name.scheme,
        value=value,
        unit=unit,
        given=f"{item.number:g} {item.unit.code if item.unit else '(no unit)'}",
        section=place.section,
        position=item.path,
        of=place.of if in_group else "",
        derivation=derivation.meaning if derivation else "",
        derivation_code=derivation.key[0] if derivation else "",
        **_said_below(item),
    )


def _said_below(item: Item) -> dict[str, Any]:
    """Return what the items below a number say of it."""
    said = {
        word: _child_value(item, key)
        for word, key in (("selection", c.SELECTION), ("site", c.SITE), ("method", c.METHOD))
    }
    return {
        **{word: value.meaning if value else "" for word, value in said.items()},
        "bases": _bases(item),
        "properties": _properties(item),
        "shapes": tuple(_shape(i) for i in item.children if i.value_type == "SCOORD"),
        "comments": _comments(item),
    }


def _comments(item: Item) -> tuple[str, ...]:
    texts = [i for i in item.children if i.value_type == "TEXT" and i.name]
    return tuple(f"{i.title}: {i.value}" for i in texts if i.name and i.name.key not in c.BASES)


def _child_value(item: Item, key: c.Key) -> Concept | None:
    for child in item.children:
        if child.name and child.name.key == key and isinstance(child.value, Concept):
            return child.value
    return None


def _bases(item: Item) -> tuple[Basis, ...]:
    return tuple(_basis(i) for i in item.children if i.name and i.name.key in c.BASES)


def _basis(item: Item) -> Basis:
    if isinstance(item.value, Concept):
        return Basis(item.title, item.value.meaning, item.value.code, item.value.scheme)
    return Basis(item.title, str(item.value or ""))


def _properties(item: Item) -> tuple[Property, ...]:
    return tuple(_property(i) for i in item.children if i.name and i.number is not None)


def _property(item: Item) -> Property:
    value, unit = converted(item.number or 0.0, item.unit, item.name.key if item.name else None)
    return Property(
        name=name_of(item.name),
        value=value,
        unit=unit,
        bases=_bases(item),
        properties=_properties(item),
        comments=_comments(item),
        position=item.path,
    )


def _shape(item: Item) -> Shape:
    image = next((i.reference for i in item.children if i.reference is not None), None)
    if image is None:
        return Shape(item.graphic, item.points)
    frame = image.frames[0] if image.frames else None
    return Shape(item.graphic, item.points, image.sop_instance, frame)
