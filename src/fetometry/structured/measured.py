"""Numbers in the light of DICOM's dictionary: what is said of them, by which equation, and where.

Where the rows of a template are not known, its context groups still are: a weight is not worked
out by the equation of an age, and a due date is no number.
"""

from __future__ import annotations

from fetometry.structured import concepts as c
from fetometry.structured.concepts import Concept, Key
from fetometry.structured.dictionary import group, groups
from fetometry.structured.faults import Findings
from fetometry.structured.items import Item
from fetometry.structured.rows import check_value
from fetometry.structured.templates import (
    BIOMETRY_GROUPS,
    CONTAINS,
    EQUATION_GROUPS,
    EQUATIONS_OF,
    GROUPED,
    MEASUREMENT,
    NUMBERS_OF,
    TOLD_AS,
)

#: The rows of TID 300 that are known as they are printed.
_PRINTED = (c.DERIVATION, c.METHOD)


def check_measured(item: Item, found: Findings, *, derivation_rule: str = "") -> None:
    """Check what is said of a number (TID 300): derivation, site, selection and so on.

    `derivation_rule` is the row that asks for a derivation out of its context group, if one does.
    """
    for child in item.children:
        if child.name is not None and child.name.key in MEASUREMENT:
            _check_said(child, child.name.key, derivation_rule, found)
    if _mean_without_its_word(item):
        found.error(
            item,
            "TID 300 row Derivation",
            "it is marked as the mean that was chosen, and has no derivation that says Mean",
        )


def _check_said(item: Item, key: Key, derivation_rule: str, found: Findings) -> None:
    relationship, kind, values = MEASUREMENT[key]
    rule = f"TID 300 row {item.title}"
    found.applied(rule)
    if item.relationship != relationship:
        say = found.error if key in _PRINTED else found.warn
        say(item, rule, f"the relationship is {item.relationship}, not {relationship}")
    if item.value_type != kind:
        found.error(item, rule, f"the value type is {item.value_type}, not {kind}")
    if values:
        asked = derivation_rule if key == c.DERIVATION else ""
        certain = bool(asked) or key in (c.SELECTION, c.NORMALITY)
        check_value(item, values, asked or rule, found, certain=certain)


def _mean_without_its_word(item: Item) -> bool:
    """Tell whether a value is marked as the chosen mean, but does not say that it is a mean."""
    said = {i.name.key: i.value for i in item.children if i.name and isinstance(i.value, Concept)}
    selected, derived = said.get(c.SELECTION), said.get(c.DERIVATION)
    chosen = isinstance(selected, Concept) and selected.key == c.MEAN_CHOSEN
    return chosen and not (isinstance(derived, Concept) and derived.key == c.MEAN)


def check_placed(item: Item, parent: Item, found: Findings) -> None:
    """Check an item against the context groups that its concept and its section have."""
    if item.name is None:
        return
    _check_type(item, item.name.key, parent, found)
    section = parent.name.key if parent.name is not None else None
    if item.value_type == "NUM" and section != c.GROUP:
        _check_equation(item, item.name.key, found)
        if item.relationship == CONTAINS:
            check_measured(item, found)
    if item.value_type == "NUM" and item.relationship == CONTAINS and section is not None:
        _check_section(item, item.name.key, section, found)


def _check_type(item: Item, key: Key, parent: Item, found: Findings) -> None:
    """Check that a date is told as a date, and a number as a number."""
    if item.relationship != CONTAINS or (parent.name is not None and parent.name.key == c.SUMMARY):
        return  # a number may have a date's or an age's name as its equation; TID 5002 has rows
    for number, kind in TOLD_AS.items():
        if key in group(number) and item.value_type != kind:
            found.warn(
                item, f"CID {number}", f"it is told as {item.value_type or 'nothing'}, not {kind}"
            )


def _check_equation(item: Item, key: Key, found: Findings) -> None:
    """Check that a number was worked out by an equation or a table of its own kind."""
    if key not in EQUATIONS_OF:
        return
    rule = "CID 228 and " + " or ".join(f"CID {number}" for number in EQUATIONS_OF[key])
    for child in item.children:
        value = child.value
        coded = child.name is not None and child.name.key in c.BASES_CODED
        if not coded or not isinstance(value, Concept):
            continue
        found.applied(rule)
        # the code of another kind of number is borrowed; one of no kind may extend the group
        borrowed = value.key in groups(*EQUATION_GROUPS)
        check_value(child, EQUATIONS_OF[key], rule, found, certain=borrowed)


def _check_section(item: Item, key: Key, section: Key, found: Findings) -> None:
    """Check that a number stands where its context group belongs."""
    if section in GROUPED and key in groups(*BIOMETRY_GROUPS.values()):
        found.warn(item, "TID 5008", f"{item.title} stands in no biometry group")
    if section not in NUMBERS_OF:
        return
    found.applied(_rule(NUMBERS_OF[section]))
    if key in groups(*NUMBERS_OF[section]):
        return
    elsewhere = [cids for other, cids in NUMBERS_OF.items() if key in groups(*cids)]
    elsewhere += [(cid,) for cid in BIOMETRY_GROUPS.values() if key in group(cid)]
    if elsewhere:
        text = f"{item.title} is of {_rule(elsewhere[0])}, and belongs into another section"
        found.warn(item, _rule(NUMBERS_OF[section]), text)


def _rule(numbers: tuple[int, ...]) -> str:
    return "CID " + " or ".join(map(str, numbers))
