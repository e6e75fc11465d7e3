"""What growth says of one fetus: age, weight, ranks and ratios, each with what it rests on."""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import ContentItem, RelationshipTypeValues

from fetometry.growth.nouns import Age, Growth, Placement, Ratio, Weight
from fetometry.report.sr import codes
from fetometry.report.sr.items import (
    CONTAINS,
    INFERRED,
    MODIFIER,
    PROPERTY,
    code,
    comment,
    number,
    text,
    with_children,
)
from fetometry.report.sr.values import by_what, uncertainty

#: What an age rests on, in words; by an LMP there is a code.
BASES = {
    "edd": "an agreed due date",
    "ga": "the age that was given",
    "crl": "CRL",
    "lmp": "LMP",
    "biometry": "this exam's measurements",
}
LMP, BIOMETRY = "lmp", "biometry"

#: What a placement of a weight is called.
EFW = "EFW"


def summary_of(growth: Growth) -> list[ContentItem]:
    """Return the age, and each weight with its ranks; of several the first is the house's."""
    found = _ages(growth.age) if growth.age else []
    house = _chosen_of_several(growth)
    for k, weight in enumerate(growth.weights):
        placed = [p for p in growth.placements if (p.name, p.formula) == (EFW, weight.formula)]
        found.append(_weight(weight, placed, counts=k == 0 and len(growth.weights) > 1))
        found += ranks(placed, codes.WEIGHT_RANK, None, chosen=house)
    return found


def _chosen_of_several(growth: Growth) -> Placement | None:
    """Return the weight's rank that counts, that on the house's first chart, of several."""
    first, others = _placed(growth, EFW)
    return first[0] if any(not place.beyond for place in others) else None


def _ages(age: Age) -> list[ContentItem]:
    """Return the age that counts, and beside it the term that says what it rests on."""
    told = [_age(codes.AGE, age)]
    if age.source == LMP:
        told.append(_age(codes.AGE_BY_LMP, age))
    if age.source == BIOMETRY and len(age.from_sizes) > 1:
        told.append(_age(codes.COMPOSITE_AGE, age))
    others = [days for source, days in age.others if source == LMP]
    return told + [number(codes.AGE_BY_LMP, days, "days") for days in others[:1]]


def _age(term: codes.Term, age: Age) -> ContentItem:
    items = [_basis(age), *uncertainty(age.days, age.interval_days, "days")]
    items += [comment(note, PROPERTY) for note in age.notes]
    return number(term, age.days, "days", items)


def _basis(age: Age) -> ContentItem:
    if age.source == LMP:
        return code(codes.EQUATION, codes.AGE_BY_LMP, INFERRED)
    if age.formula in codes.EQUATIONS:
        return by_what(age.formula, "")
    basis = BASES.get(age.source, age.source)
    if not age.formula:
        return text(codes.EQUATION_CITATION, basis, INFERRED)
    said = age.notes[0] if age.notes else basis
    return text(codes.EQUATION_CITATION, f"{age.formula}: {said}", INFERRED)


def group_age(growth: Growth, name: str) -> list[ContentItem]:
    """Return the age for the group of a measurement, where it came from that one alone."""
    age = growth.age
    return [_age(codes.AGE, age)] if age and age.from_sizes == (name,) else []


def _weight(weight: Weight, placed: Iterable[Placement], *, counts: bool) -> ContentItem:
    items = [
        code(codes.DERIVATION, codes.CALCULATED, MODIFIER),
        by_what(weight.formula, weight.citation),
        *uncertainty(weight.value_g, weight.interval_g, "g"),
    ]
    if counts:
        items.append(code(codes.SELECTION, codes.USER_CHOSEN, PROPERTY))
    items += [
        number(codes.Z_OF_MEASUREMENT, p.z, "1", [_chart(p)], relation=PROPERTY)
        for p in placed
        if p.z is not None and not p.beyond
    ]
    items += [comment(note, PROPERTY) for note in weight.notes]
    return number(codes.WEIGHT, weight.value_g, "g", items)


def ranks_of(growth: Growth, name: str) -> list[ContentItem]:
    """Return the ranks of a measurement on the first chart, for its group.

    A group has room for one chart's ranks: `more_ranks_of` has those of the others.
    """
    first, others = _placed(growth, name)
    beyond = [_beyond(place) for place in others if place.beyond]
    return [*ranks(first, codes.GROWTH_RANK, codes.GROWTH_Z), *beyond]


def more_ranks_of(growth: Growth, name: str) -> list[ContentItem]:
    """Return the ranks of a measurement on charts after the first, for the value that counts."""
    terms = codes.RANK_OF_MEASUREMENT, codes.Z_OF_MEASUREMENT
    _, others = _placed(growth, name)
    return [item for p in others if not p.beyond for item in _numbers(p, *terms, relation=PROPERTY)]


def _placed(growth: Growth, name: str) -> tuple[list[Placement], list[Placement]]:
    """Return where a measurement stands on the first chart that ranks it, and on the others.

    A value beyond the first chart's curves has words and no number, but that chart stays the first.
    """
    placed = [p for p in growth.placements if p.name == name and p.centile is not None]
    return placed[:1], placed[1:]


def ranks(
    placed: Iterable[Placement],
    centile: codes.Term,
    z: codes.Term | None,
    *,
    chosen: Placement | None = None,
) -> list[ContentItem]:
    """Return centile and z on each chart; those of `chosen` are marked as the ones that count.

    Where a value lies beyond a chart's outermost curve there is no number, and words say so.
    """
    found: list[ContentItem] = []
    for place in placed:
        if place.beyond:
            found.append(_beyond(place))
            continue
        for rank in _numbers(place, centile, z):
            mark = [code(codes.SELECTION, codes.USER_CHOSEN, PROPERTY)] if place is chosen else []
            found.append(with_children(rank, mark))
    return found


def _beyond(place: Placement) -> ContentItem:
    said = f"{place.name}: centile {place.centile_text} by {place.chart} ({place.citation})"
    return comment(said)


def _numbers(
    place: Placement,
    centile: codes.Term,
    z: codes.Term | None,
    *,
    relation: RelationshipTypeValues = CONTAINS,
) -> list[ContentItem]:
    """Return centile and z on one chart, each with the chart and how sure it is."""
    told = [(centile, place.centile, place.centile_interval, "%")]
    told += [(z, place.z, place.z_interval, "1")] if z is not None else []
    found = []
    for term, value, interval, unit in told:
        if value is not None:
            items = [_chart(place), *uncertainty(value, interval, unit)]
            items += [comment(note, PROPERTY) for note in place.notes]
            found.append(number(term, value, unit, items, relation=relation))
    return found


def _chart(place: Placement) -> ContentItem:
    return by_what(place.chart, place.citation, place.title)


def ratio_of(ratio: Ratio) -> ContentItem | None:
    """Return a ratio in percent with its usual range; None of one that DICOM has no code for."""
    term = codes.RATIOS.get(ratio.name)
    if term is None:
        return None
    items = [code(codes.DERIVATION, codes.CALCULATED, MODIFIER)]
    if ratio.range_percent is not None:
        low, high = ratio.range_percent
        items += [
            number(codes.RANGE_LOW, low, "%", relation=PROPERTY),
            number(codes.RANGE_HIGH, high, "%", relation=PROPERTY),
            text(codes.RANGE_AUTHORITY, ratio.citation, PROPERTY),
        ]
    if ratio.inside is not None:
        items.append(code(codes.NORMALITY, _normality(ratio), PROPERTY))
    items += [comment(note, PROPERTY) for note in ratio.notes]
    return number(term, ratio.percent, "%", items)


def _normality(ratio: Ratio) -> codes.Term:
    if ratio.inside or ratio.range_percent is None:
        return codes.NORMAL
    below = ratio.percent < ratio.range_percent[0]
    return codes.ABNORMALLY_LOW if below else codes.ABNORMALLY_HIGH


def remarks_of(growth: Growth) -> list[ContentItem]:
    """Return what growth remarks on itself, and what could not be given."""
    said = [*growth.notes]
    said += [f"{item.what} by {item.by}: {item.reason}" for item in growth.refused]
    return [comment(note, CONTAINS) for note in said]
