"""DICOM SR content items as a tree of plain, frozen nouns, whatever is wrong with them.

Nothing is refused here that can still be shown: what an item lacks is in its `faults`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset

from fetometry.structured.concepts import Concept
from fetometry.structured.nouns import ReportError

#: Deeper than any report; a tree without end is an attack or an accident.
MOST_LEVELS = 40

#: Value types whose items must say what they are (PS3.3 table C.17-5).
NAMED = ("TEXT", "NUM", "CODE", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME")

#: Value type → the attribute that holds its value.
_SIMPLE = {
    "TEXT": "TextValue",
    "DATETIME": "DateTime",
    "DATE": "Date",
    "TIME": "Time",
    "UIDREF": "UID",
    "PNAME": "PersonName",
}


@dataclass(frozen=True)
class Reference:
    """The instance that an IMAGE or COMPOSITE item points to, and the frames of it."""

    sop_class: str
    sop_instance: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Item:
    """One content item.

    `position` is that of DICOM's own references: 1.9.1 is the first child of the root's ninth.
    `points` are (row, col); `target` is the position that a by-reference item points to.
    """

    position: tuple[int, ...]
    relationship: str
    value_type: str
    name: Concept | None = None
    value: float | str | Concept | None = None
    unit: Concept | None = None
    graphic: str = ""
    points: tuple[tuple[float, float], ...] = ()
    reference: Reference | None = None
    target: tuple[int, ...] = ()
    template: str = ""
    children: tuple[Item, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The position as text: 1.9.1."""
        return ".".join(map(str, self.position))

    @property
    def title(self) -> str:
        """What the item calls itself."""
        return self.name.meaning or self.name.code if self.name else f"({self.value_type})"

    @property
    def number(self) -> float | None:
        """The value of a NUM, None where it has none."""
        return self.value if isinstance(self.value, float) else None

    def every(self) -> Iterator[Item]:
        """Yield this item and all below it, in the order of the document."""
        yield self
        for child in self.children:
            yield from child.every()


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an attribute as text; empty where it is missing."""
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def sequence_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is missing or is no sequence."""
    found = dataset.get(keyword)
    return [one for one in found if isinstance(one, Dataset)] if found else []


def content_items(dataset: Dataset) -> Item:
    """Return the content tree of a structured report.

    Raises:
        ReportError: it is nested without end.
    """
    return _item(dataset, (1,))


def _item(dataset: Dataset, position: tuple[int, ...]) -> Item:
    if len(position) > MOST_LEVELS:
        raise ReportError(f"content items are nested deeper than {MOST_LEVELS} levels")
    relationship = text_of(dataset, "RelationshipType")
    target = dataset.get("ReferencedContentItemIdentifier")
    if target is not None:
        numbers = (
            target if isinstance(target, list | tuple) or hasattr(target, "__len__") else [target]
        )
        return Item(position, relationship, "", target=tuple(int(n) for n in numbers))
    faults: list[str] = []
    kind = text_of(dataset, "ValueType")
    name = _concept(dataset, "ConceptNameCodeSequence", "the concept name", faults)
    if name is None and (kind in NAMED or len(position) == 1):
        faults.append("it has no concept name")
    template = sequence_of(dataset, "ContentTemplateSequence")
    return Item(
        position,
        relationship,
        kind,
        name=name,
        value=_value(dataset, kind, faults),
        unit=_unit(dataset, faults) if kind == "NUM" else None,
        graphic=text_of(dataset, "GraphicType"),
        points=_points(dataset, faults) if kind == "SCOORD" else (),
        reference=_reference(dataset, faults) if kind in ("IMAGE", "COMPOSITE") else None,
        template=text_of(template[0], "TemplateIdentifier") if template else "",
        children=tuple(
            _item(child, (*position, place))
            for place, child in enumerate(sequence_of(dataset, "ContentSequence"), start=1)
        ),
        faults=tuple(faults),
    )


def _concept(dataset: Dataset, keyword: str, what: str, faults: list[str]) -> Concept | None:
    found = sequence_of(dataset, keyword)
    if not found:
        return None
    if len(found) > 1:
        faults.append(f"{what} has {len(found)} codes, not one")
    one = found[0]
    longer = text_of(one, "LongCodeValue") or text_of(one, "URNCodeValue")
    code = text_of(one, "CodeValue") or longer
    scheme, meaning = text_of(one, "CodingSchemeDesignator"), text_of(one, "CodeMeaning")
    for said, missing in ((code, "code value"), (scheme, "coding scheme"), (meaning, "meaning")):
        if not said and not (missing == "coding scheme" and longer):
            faults.append(f"{what} has no {missing}")
    return Concept(code, scheme, meaning) if code or meaning else None


def _value(dataset: Dataset, kind: str, faults: list[str]) -> float | str | Concept | None:
    if kind == "NUM":
        return _number(dataset, faults)
    if kind == "CODE":
        code = _concept(dataset, "ConceptCodeSequence", "the code", faults)
        if code is None:
            faults.append("a CODE has no code")
        return code
    if kind not in _SIMPLE:
        return None
    text = text_of(dataset, _SIMPLE[kind])
    if not text:
        faults.append(f"a {kind} has no value ({_SIMPLE[kind]})")
    return text


def _number(dataset: Dataset, faults: list[str]) -> float | None:
    measured = sequence_of(dataset, "MeasuredValueSequence")
    if not measured:
        why = sequence_of(dataset, "NumericValueQualifierCodeSequence")
        faults.extend(() if why else ("a NUM has no value, and does not say why",))
        return None
    try:
        number = float(measured[0]["NumericValue"].value)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        faults.append("its value is not one number")
        return None
    if not math.isfinite(number):
        faults.append("its value is not a finite number")
        return None
    return number


def _unit(dataset: Dataset, faults: list[str]) -> Concept | None:
    measured = sequence_of(dataset, "MeasuredValueSequence")
    if not measured:
        return None
    unit = _concept(measured[0], "MeasurementUnitsCodeSequence", "the unit", faults)
    if unit is None:
        faults.append("a NUM has no unit")
    return unit


def _points(dataset: Dataset, faults: list[str]) -> tuple[tuple[float, float], ...]:
    """Return the points as (row, col) from the centre of the first pixel.

    DICOM has (column, row), counted from the corner of that pixel (PS3.3 C.18.6.1.2).
    """
    data = dataset.get("GraphicData")
    numbers = [float(n) for n in data] if hasattr(data, "__iter__") else []
    if not numbers or len(numbers) % 2:
        faults.append(f"its graphic data are {len(numbers)} numbers, not pairs of column and row")
        return ()
    from_centre = [number - 0.5 for number in numbers]
    return tuple(zip(from_centre[1::2], from_centre[::2], strict=True))


def _reference(dataset: Dataset, faults: list[str]) -> Reference | None:
    found = sequence_of(dataset, "ReferencedSOPSequence")
    if len(found) != 1:
        faults.append(f"it points to {len(found)} instances, not one")
        return None
    frames = found[0].get("ReferencedFrameNumber")
    many = frames if hasattr(frames, "__iter__") and not isinstance(frames, str) else [frames]
    return Reference(
        text_of(found[0], "ReferencedSOPClassUID"),
        text_of(found[0], "ReferencedSOPInstanceUID"),
        tuple(int(n) for n in many if n is not None),
    )
