"""Is a report a sound TID 5000 report, and if not, where and by which row?

Authoritative for TID 5001, 5002, 5006, 5008 and 5009 and for the rows of TID 5000 itself; elsewhere
known codes, units and context groups are checked, and what was not looked at is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset

from fetometry.structured import concepts as c
from fetometry.structured.concepts import Key
from fetometry.structured.dictionary import group, groups, unknown
from fetometry.structured.faults import Checked, Findings
from fetometry.structured.files import class_name, read_tree
from fetometry.structured.generic import check_item, check_references
from fetometry.structured.items import Item, sequence_of, text_of
from fetometry.structured.measured import check_measured, check_placed
from fetometry.structured.rows import check_template
from fetometry.structured.templates import (
    BIOMETRY_GROUPS,
    NUMBERS_OF,
    ROOT,
    TEMPLATES,
    UNKNOWN_ROWS,
    group_in,
)

#: What is never looked at, whatever the report holds.
ALWAYS_UNCHECKED = (
    "the header (patient, study, series, equipment): dciodvfy checks it",
    "TID 1001 and 1204 (observation context, language): codes alone",
    "TID 300 (measurement): method, site, derivation, selection, normality, normal range, "
    "uncertainty, ranks and coordinates; its other rows: codes and units alone",
    "TID 5000 rows 3, 3b and 14 to 17; TID 5002 row 5; TID 5008 row 5: that its target is there",
)

_GROUP_RULE, _ONE_OF = "TID 5008 row 2", "TID 5008 rows 2 and 3"


def check(path: Path | str) -> Checked:
    """Check a structured report against TID 5000.

    Raises:
        ReportError: the file is not there, not DICOM, damaged, or no structured report.
    """
    dataset, root = read_tree(Path(path))
    found = Findings({item.position: item.title for item in root.every()})
    found.unchecked += ALWAYS_UNCHECKED
    _check_root(root, found)
    _walk(root, None, _Place(), found)
    kind = class_name(dataset)
    check_references(root, _evidence(dataset), kind == "Enhanced SR", found)
    _check_fetuses(root, found)
    return Checked(
        source=str(path),
        template=root.template,
        faults=tuple(dict.fromkeys(found.faults)),
        rules=tuple(sorted(found.rules.items())),
        unchecked=tuple(dict.fromkeys(found.unchecked)),
        remarks=tuple(dict.fromkeys(found.remarks)),
    )


def _evidence(dataset: Dataset) -> frozenset[str]:
    """Return the instances that the report names as its evidence."""
    keywords = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
    return frozenset(
        text_of(instance, "ReferencedSOPInstanceUID")
        for keyword in keywords
        for study in sequence_of(dataset, keyword)
        for series in sequence_of(study, "ReferencedSeriesSequence")
        for instance in sequence_of(series, "ReferencedSOPSequence")
    )


@dataclass(frozen=True)
class _Place:
    """The section that an item stands in, and whether the rows there are known."""

    section: Key | None = None
    certain: bool = False


def _check_root(root: Item, found: Findings) -> None:
    titled = root.name is not None and root.name.key in group(12024)
    if root.template == "5000" and root.name is not None and not titled:
        found.error(root, "TID 5000 row 1", f"the title {root.name.text} is not of CID 12024")
    elif root.template != "5000" and root.name is not None and root.name.key == c.REPORT:
        named = f"names template {root.template}" if root.template else "names no template"
        found.warn(root, "PS3.3 C.18.8", f"it is titled as TID 5000, but {named}")
    if root.template == "5000" or titled:
        check_template(root, ROOT, found)
    else:
        said = f"TID {root.template}" if root.template else "its template, which it does not name"
        found.unchecked.append(f"{said}: no row of it is known here")


def _walk(item: Item, parent: Item | None, place: _Place, found: Findings) -> None:
    """Check an item and all below it."""
    key = item.name.key if item.name else None
    if item.value_type == "CONTAINER" and parent is not None:
        place = _check_container(item, key, place, found)
    check_item(item, parent, certain=place.certain, found=found)
    if parent is not None and not item.target:
        check_placed(item, parent, found)
    for child in item.children:
        _walk(child, item, place, found)


def _check_container(item: Item, key: Key | None, place: _Place, found: Findings) -> _Place:
    """Check a container against its template, and return the place of what is in it."""
    ids = [i for i in item.children if i.name is not None and i.name.key == c.FETUS_ID]
    for surplus in ids[1:]:
        found.error(surplus, "TID 1008", "a second fetus ID: a section is of one fetus")
    if key is None:
        found.warn(item, "PS3.3 C.17.3", "a container without a name: its template is not known")
        found.unchecked.append(f"{item.path} (no name): its rows")
        return place
    if key == c.GROUP:
        _check_group(item, place.section, found)
        return _Place(place.section, certain=True)
    if key in TEMPLATES:
        check_template(item, TEMPLATES[key], found)
        return _Place(key, certain=True)
    if key != c.LIBRARY:
        said = f"TID {UNKNOWN_ROWS[key]}" if key in UNKNOWN_ROWS else "no template known here"
        also = " and what its numbers are" if key in NUMBERS_OF else ""
        found.unchecked.append(
            f"{item.title} ({said}): its rows; codes, units, equations{also} were checked"
        )
    return _Place(key, certain=False)


def _check_group(item: Item, section: Key | None, found: Findings) -> None:
    """Check a biometry group: TID 5008, with the measurements of its section."""
    numbers = [BIOMETRY_GROUPS[c.LONG_BONES]] if section == c.LONG_BONES else []
    allowed = groups(*(numbers or BIOMETRY_GROUPS.values()))
    check_template(item, group_in(allowed), found)
    others = (c.GESTATIONAL_AGE, c.CENTILE, c.Z_SCORE)
    named = [i for i in item.children if i.name is not None and i.name.key not in others]
    measured = [i for i in named if i.value_type == "NUM" and i.relationship == "CONTAINS"]
    for one in measured:
        _check_measurement(one, allowed, section, found)
    found.applied(_ONE_OF)
    if not measured and not any(i.name and i.name.key == others[0] for i in item.children):
        found.error(item, _ONE_OF, "it needs a measurement or a gestational age")
    kinds = list(dict.fromkeys(i.title for i in measured if i.name))
    if len(kinds) > 1:
        found.error(item, "TID 5008 row 1", f"one group is of one measurement, not {kinds}")
    _check_repeats(item, measured, found)


def _check_measurement(
    item: Item, allowed: Mapping[Key, str], section: Key | None, found: Findings
) -> None:
    """Check one measurement of a group: what it is, and what is said of it (TID 300)."""
    if item.name is None:
        return
    if item.name.private:
        found.applied(_GROUP_RULE)
        found.note(item, f"{item.name.text} is a measurement of its own scheme")
    elif item.name.key not in allowed and not unknown(item.name):
        where = "CID 12006" if section == c.LONG_BONES else "the biometry of TID 5005 to 5011"
        found.error(item, _GROUP_RULE, f"{item.name.text} is not of {where}")
    expected = BIOMETRY_GROUPS.get(section) if section else None
    if expected and item.name.key in allowed and item.name.key not in group(expected):
        found.warn(item, f"CID {expected}", f"{item.title} belongs into another section")
    check_measured(item, found, derivation_rule=_GROUP_RULE)


def _check_repeats(item: Item, measured: Sequence[Item], found: Findings) -> None:
    """Note repeats of which nobody can tell which one counts."""
    keys = {i.name.key for i in measured if i.name is not None}
    marked = [i for i in measured if {c.SELECTION, c.DERIVATION} & _names_below(i)]
    if len(measured) > 1 and len(keys) == 1 and not marked:
        found.warn(item, _GROUP_RULE, f"{len(measured)} repeats, and none is marked as selected")


def _names_below(item: Item) -> set[Key]:
    return {child.name.key for child in item.children if child.name is not None}


def _check_fetuses(root: Item, found: Findings) -> None:
    """Check that with several fetuses every section says which one it is of."""
    ids = {str(i.value) for i in root.every() if i.name and i.name.key == c.FETUS_ID}
    sections = [i for i in root.every() if i.name and i.name.key in c.OF_A_FETUS]
    for section in sections:
        if c.FETUS_ID in _names_below(section) or c.SUBJECT_ID in _names_below(section):
            continue
        again = [one for one in sections if one.name == section.name]
        if section.name and section.name.key == c.LONG_BONES and len(again) > 1:
            found.error(section, "TID 5006 row 2", "of several such sections each needs a fetus ID")
        elif len(ids) > 1 or len(again) > 1:
            found.warn(
                section, "TID 1008", "of several fetuses, it does not say which one it is of"
            )
