"""The items below a container against the rows of its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fetometry.structured.concepts import Concept, Key
from fetometry.structured.dictionary import group, groups, unknown
from fetometry.structured.faults import Findings
from fetometry.structured.items import Item
from fetometry.structured.templates import Row, Template


def check_template(item: Item, template: Template, found: Findings) -> None:
    """Check the items below a container: place, type, unit, value, number and order."""
    rule = f"TID {template.number}"
    rows = _check_rows(item, template.rows, rule, found)
    if template.one_of and not any(row.number in template.one_of for _, row in rows):
        said = f"{rule} rows {template.one_of[0]} to {template.one_of[-1]}"
        found.error(item, said, "it needs at least one of them")
    if template.ordered:
        _check_order(rows, template, found)


def _check_order(rows: Sequence[tuple[Item, Row]], template: Template, found: Findings) -> None:
    """Check that items stand in the order of their rows."""
    rule, latest, before = f"TID {template.number}", -1, ""
    for child, row in rows:
        place = template.rows.index(row)
        if place < latest:
            found.error(
                child,
                f"{rule} row {row.number}",
                f"it stands after row {before}; the order of {rule} is significant",
            )
        elif place > latest:
            latest, before = place, row.number


def _check_rows(
    item: Item, rows: Sequence[Row], rule: str, found: Findings
) -> list[tuple[Item, Row]]:
    """Check what stands below an item against rows, and return which item is of which row."""
    matched = []
    counts: Counter[tuple[str, Key | None]] = Counter()
    for child in item.children:
        row = _row_of(child, rows)
        if row is None:
            continue
        matched.append((child, row))
        named = f"{rule} row {row.number}"
        found.applied(named)
        _check_item(child, row, named, found)
        _check_rows(child, row.rows, rule, found)
        counted = row.number, child.name.key if child.name else None
        counts[counted] += 1
        if row.most is not None and counts[counted] > row.most:
            found.error(child, named, f"at most {row.most} of {child.title} may stand here")
    for row in rows:
        if row.mandatory and not any(one is row for _, one in matched):
            what = " or ".join(row.value_types)
            found.error(item, f"{rule} row {row.number}", f"it needs at least one {what} here")
    return matched


def _row_of(child: Item, rows: Sequence[Row]) -> Row | None:
    """Return the row that an item is of: by its name, or by its type where a row has no name."""
    if child.target:
        return None
    for row in rows:
        named = row.concepts or (tuple(group(row.group)) if row.group else ())
        if child.name is not None and child.name.key in named:
            return row
        if not named and child.value_type in row.value_types:
            return row
    return None


def _check_item(child: Item, row: Row, rule: str, found: Findings) -> None:
    if child.relationship != row.relationship:
        found.error(
            child,
            rule,
            f"the relationship is {child.relationship or 'missing'}, not {row.relationship}",
        )
    if child.value_type not in row.value_types:
        allowed = " or ".join(row.value_types)
        found.error(
            child, rule, f"the value type is {child.value_type or 'missing'}, not {allowed}"
        )
    if row.unit and child.unit is not None and child.unit.code != row.unit:
        found.error(child, rule, f"the unit is {child.unit.code}, not {row.unit} (UCUM)")
    if row.values and isinstance(child.value, Concept):
        check_value(child, (row.values,), rule, found)


def check_value(
    item: Item, numbers: Sequence[int], rule: str, found: Findings, *, certain: bool = True
) -> None:
    """Check that a code is of its context groups; a manufacturer's own code extends them.

    `certain` is whether it is known that the row has them: if not, it is a warning.
    """
    value = item.value
    if not isinstance(value, Concept) or value.key in groups(*numbers):
        return
    said = f"CID {' or '.join(map(str, numbers))}"
    if value.private:
        found.note(item, f"{value.text} is a code of its own scheme, which extends {said}")
    elif not unknown(value):
        say = found.error if certain else found.warn
        say(item, rule, f"{value.text} is not of {said}")
