"""What holds for every content item of every structured report, and for codes and units.

References:
    DICOM PS3.3 C.17.3 (SR Document Content), C.18 (content item macros), tables A.35.2-2 and
    A.35.3-2 (relationships).
"""

from __future__ import annotations

from collections.abc import Mapping

from fetometry.structured.concepts import Concept, Key
from fetometry.structured.dictionary import groups, meant_instead, unknown
from fetometry.structured.faults import Findings
from fetometry.structured.items import Item
from fetometry.structured.templates import LENGTH, LENGTH_GROUPS, NO_LENGTHS, UNITS
from fetometry.structured.units import VENDOR_PERCENT

CONTENT, UNIT_RULE, CODE_RULE = "PS3.3 C.17.3", "PS3.16 and UCUM", "PS3.16 dictionary"

_PLAIN = ("TEXT", "CODE", "NUM", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME")
_COORDINATES = ("SCOORD", "SCOORD3D", "TCOORD")
_COMPOSITES = ("COMPOSITE", "IMAGE", "WAVEFORM")
VALUE_TYPES = (*_PLAIN, *_COORDINATES, *_COMPOSITES, "CONTAINER")

#: Relationship → the types that it may start from, and those that it may lead to.
RELATIONSHIPS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "CONTAINS": (("CONTAINER",), VALUE_TYPES),
    "HAS OBS CONTEXT": (("TEXT", "CODE", "NUM", "CONTAINER"), (*_PLAIN, "COMPOSITE", "CONTAINER")),
    "HAS ACQ CONTEXT": (("CONTAINER", "NUM", *_COMPOSITES), (*_PLAIN, "CONTAINER")),
    "HAS CONCEPT MOD": (VALUE_TYPES, ("TEXT", "CODE")),
    "HAS PROPERTIES": (_PLAIN, VALUE_TYPES),
    "INFERRED FROM": (("TEXT", "CODE", "NUM"), VALUE_TYPES),
    "SELECTED FROM": (_COORDINATES, ("IMAGE", "WAVEFORM", "SCOORD", "SCOORD3D")),
}

#: Graphic type → how many points it has, at least and at most.
GRAPHICS: Mapping[str, tuple[int, int | None]] = {
    "POINT": (1, 1),
    "MULTIPOINT": (1, None),
    "POLYLINE": (2, None),
    "CIRCLE": (2, 2),
    "ELLIPSE": (4, 4),
}


#: How far the axes of an ellipse may be off, in pixels and as a share of the first one: points
#: are rounded by those who write them.
AXES_SLACK_PX, AXES_SLACK = 2.0, 0.02


def check_item(item: Item, parent: Item | None, *, certain: bool, found: Findings) -> None:
    """Check one item by itself and against the one that it hangs on.

    `certain` is whether its template's rows are known here: then an unknown code is an error.
    """
    found.applied(CONTENT)
    for fault in item.faults:
        found.error(item, CONTENT, fault)
    if item.target:
        return
    if item.value_type not in VALUE_TYPES:
        found.error(item, CONTENT, f"there is no value type {item.value_type!r}")
    if parent is not None:
        _check_relationship(item, parent, found)
    _check_codes(item, certain, found)
    if item.value_type == "NUM":
        _check_unit(item, found)
    if item.value_type == "SCOORD":
        _check_graphic(item, found)


def _check_relationship(item: Item, parent: Item, found: Findings) -> None:
    if item.relationship not in RELATIONSHIPS:
        found.error(item, CONTENT, f"there is no relationship {item.relationship!r}")
        return
    sources, targets = RELATIONSHIPS[item.relationship]
    if parent.value_type not in sources or item.value_type not in targets:
        found.error(
            item,
            "PS3.3 A.35",
            f"{parent.value_type} may not be related to {item.value_type} by {item.relationship}",
        )


def _check_codes(item: Item, certain: bool, found: Findings) -> None:
    found.applied(CODE_RULE)
    for concept in (item.name, item.value):
        if not isinstance(concept, Concept):
            continue
        if unknown(concept):
            say = found.error if certain else found.warn
            say(item, CODE_RULE, f"{concept.text}: {concept.scheme} has no such code in DICOM")
        elif meant := meant_instead(concept):
            found.error(item, CODE_RULE, f"{concept.text}: that is the meaning of {meant}")


def units_of(key: Key) -> tuple[str, ...]:
    """Return the units that a concept may have; none where nothing is known about it."""
    if key in UNITS:
        return UNITS[key]
    return LENGTH if key in groups(*LENGTH_GROUPS) and key not in NO_LENGTHS else ()


def _check_unit(item: Item, found: Findings) -> None:
    if item.unit is None:
        return
    unit, allowed = item.unit, units_of(item.name.key) if item.name else ()
    found.applied(UNIT_RULE)
    if unit.code in VENDOR_PERCENT and "%" in allowed:
        found.warn(item, UNIT_RULE, f"{unit.code} is no unit of UCUM; % is")
    elif unit.scheme != "UCUM":
        found.error(item, UNIT_RULE, f"the unit {unit.text} is not of UCUM")
    elif allowed and unit.code not in allowed:
        found.error(item, UNIT_RULE, f"the unit is {unit.code}, not {' or '.join(allowed)}")


def _check_graphic(item: Item, found: Findings) -> None:
    if item.graphic not in GRAPHICS:
        found.error(item, "PS3.3 C.18.6", f"there is no graphic type {item.graphic!r}")
    elif item.points:
        least, most = GRAPHICS[item.graphic]
        if len(item.points) < least or (most is not None and len(item.points) > most):
            wanted = str(least) if least == most else f"at least {least}"
            found.error(
                item,
                "PS3.3 C.18.6",
                f"{item.graphic} has {len(item.points)} points, not {wanted}",
            )
        elif item.graphic == "ELLIPSE":
            _check_axes(item, found)
    if not any(i.relationship == "SELECTED FROM" for i in item.children):
        found.error(item, "PS3.3 C.18.6", "it does not say which image it was drawn on")


def _check_axes(item: Item, found: Findings) -> None:
    """Check that four points are the ends of the axes of an ellipse, the long one first."""
    ends = [complex(col, row) for row, col in item.points]
    first, second = ends[1] - ends[0], ends[3] - ends[2]
    apart = abs(ends[0] + ends[1] - ends[2] - ends[3]) / 2
    slack = AXES_SLACK_PX + AXES_SLACK * abs(first)
    if not first or not second:
        found.error(item, "PS3.3 C.18.6", "an axis of the ellipse has no length")
    elif abs(first) < abs(second) - slack:
        found.error(item, "PS3.3 C.18.6", "the short axis of the ellipse stands first")
    elif apart > slack or abs((first * second.conjugate()).real) > slack * abs(second):
        found.warn(
            item,
            "PS3.3 C.18.6",
            "the lines between the points of the ellipse do not halve each other at right angles",
        )


def check_references(root: Item, evidence: frozenset[str], by_value: bool, found: Findings) -> None:
    """Check that references within the tree lead somewhere and images are among the evidence.

    `by_value` is whether the class of the report forbids references within the tree.
    """
    positions = {item.position for item in root.every() if not item.target}
    for item in root.every():
        if item.target and by_value:
            found.error(item, "PS3.3 A.35.2", "an Enhanced SR may not refer to its own items")
        if item.target and item.target not in positions:
            said = ".".join(map(str, item.target))
            found.error(item, CONTENT, f"it refers to item {said}, which is not there")
        if item.target == item.position[: len(item.target)] != ():
            found.error(item, CONTENT, "it refers to an item that it is itself a part of")
        if item.reference is not None and item.reference.sop_instance not in evidence:
            found.error(
                item,
                "PS3.3 C.17.2",
                f"the instance {item.reference.sop_instance or '(no UID)'} is not in the evidence",
            )
