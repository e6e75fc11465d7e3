"""Sizes and an age → Growth: weight, place on the charts, ratios, and how sure all of it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fetometry.growth.ages import Dates, age_of
from fetometry.growth.chart import Chart, ChartPoint
from fetometry.growth.conventions import conversion_note, convert_bpd
from fetometry.growth.formula import Formula
from fetometry.growth.nouns import (
    Age,
    CentileCurves,
    Growth,
    Placement,
    Ratio,
    Refused,
    Size,
    Weight,
)
from fetometry.growth.profile import BIOMETRY, Profile
from fetometry.growth.ratios import odd_head, ratios_of
from fetometry.growth.refusals import GrowthError
from fetometry.growth.spec import SIZES, WEIGHT
from fetometry.growth.uncertainty import (
    calibrated,
    centile_interval,
    formula_interval,
    with_interval,
    z_interval,
)

CIRCULAR = (
    "circular: the age was estimated from this very measurement, so that the centile says how the "
    "sizes go together, not whether the fetus is small"
)


@dataclass
class _Found:
    """What has been gathered so far, and what could not be given."""

    weights: list[Weight] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    curves: list[CentileCurves] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def assess(
    sizes: Iterable[Size], dates: Dates | None = None, profile: Profile | None = None
) -> Growth:
    """Return what the sizes of one fetus say about its growth.

    Without dates the age is estimated from the sizes, and every centile of theirs is marked as
    circular. What cannot be given is in `Growth.refused` with its reason.

    Raises:
        GrowthError: a size comes twice, or the dates contradict each other.
    """
    house = profile or Profile()
    found = _Found()
    named = _by_name(sizes, house, found)
    age = age_of(dates or Dates(), house.dating, house.known)
    shape, _ = ratios_of(named, None, house.known)
    usable = _without_bpd(named, shape)
    if usable is not named:
        found.notes.append(
            "BPD/OFD is outside 70 to 86 %: BPD is left out of age and weight, HC is preferred"
        )
    if age is None and BIOMETRY in house.dating.sources:
        age = _estimated(usable, house, found)
    _weigh(usable, age, house, found)
    ratios, refused = ratios_of(named, age.days if age else None, house.known)
    found.refused += refused
    if age is None:
        found.notes.append("without a gestational age there is no centile")
    else:
        _place_sizes(named, age, house, found)
        _place_weights(usable, age, house, found)
    if not house.uncertainty.calibration_percent:
        found.notes.append(
            "the pixel size is taken as exact; [uncertainty] calibration_percent states its error"
        )
    return Growth(
        age,
        tuple(found.weights),
        tuple(found.placements),
        ratios,
        tuple(found.curves),
        tuple(found.refused),
        tuple(dict.fromkeys(found.notes)),
    )


def _by_name(sizes: Iterable[Size], house: Profile, found: _Found) -> dict[str, Size]:
    named: dict[str, Size] = {}
    for size in sizes:
        if size.name in named:
            raise GrowthError(f"{size.name} comes twice; choose one value of each measurement")
        whole, said = with_interval(size)
        if size.name not in SIZES:
            continue
        if said:
            found.notes.append(said)
        if whole.name == "BPD" and not whole.convention:
            whole = replace(whole, convention=house.bpd.convention)
        named[whole.name] = whole
    return named


def _without_bpd(named: dict[str, Size], shape: tuple[Ratio, ...]) -> dict[str, Size]:
    if not odd_head(shape):
        return named
    return {name: size for name, size in named.items() if name != "BPD"}


def _as_demanded(formula: Formula, sizes: Mapping[str, Size]) -> tuple[dict[str, Size], str]:
    """Return the sizes that a formula needs, the BPD in its convention, and what is to be said.

    Raises:
        GrowthError: a size is missing, or the BPD does not say its convention.
    """
    missing = [name for name in formula.inputs if name not in sizes]
    if missing:
        raise GrowthError(f"{formula.name} needs {', '.join(formula.inputs)}; no {missing[0]}")
    needed = {name: sizes[name] for name in formula.inputs}
    wanted = formula.spec.demands_convention
    if not wanted:
        return needed, ""
    bpd = needed["BPD"]
    needed["BPD"] = _converted(bpd, wanted)
    return needed, conversion_note(given=bpd.convention, wanted=wanted)


def _converted(bpd: Size, wanted: str) -> Size:
    numbers = np.array([bpd.value_mm, *(bpd.interval_mm or ())])
    value, *ends = (float(n) for n in convert_bpd(numbers, given=bpd.convention, wanted=wanted))
    return Size(bpd.name, value, (ends[0], ends[1]) if ends else None, wanted, bpd.flags)


def _estimated(sizes: Mapping[str, Size], house: Profile, found: _Found) -> Age | None:
    """Return the age by the first dating formula of the house whose sizes are there."""
    for name in house.dating.biometry:
        formula = house.known.formula(name)
        if any(size not in sizes for size in formula.inputs):
            continue
        try:
            used, note = _as_demanded(formula, sizes)
            days = _result(formula, used, None)
        except GrowthError as error:
            found.refused.append(Refused("gestational age", name, str(error)))
            continue
        interval = formula_interval(formula, used, house.uncertainty.calibration_percent)
        spec = formula.spec
        notes = (
            f"estimated from {', '.join(formula.inputs)} by {spec.title} ({spec.citation})",
            note,
            spec.error_note and f"error of the formula: {spec.error_note}",
        )
        said = tuple(text for text in notes if text)
        return Age(days, interval, BIOMETRY, name, formula.inputs, (), said)
    return None


def _result(formula: Formula, used: Mapping[str, Size], ga_days: float | None) -> float:
    values = {name: size.value_mm for name, size in used.items()}
    convention = formula.spec.demands_convention
    return formula.evaluate(values, convention=convention, ga_days=ga_days)


def _weigh(sizes: Mapping[str, Size], age: Age | None, house: Profile, found: _Found) -> None:
    """Add the weight by the first formula of the house whose sizes are there."""
    for name in house.weight.formulas:
        formula = house.known.formula(name)
        missing = [size for size in formula.inputs if size not in sizes]
        if missing:
            continue
        try:
            found.weights.append(_weight(formula, sizes, age, house))
        except GrowthError as error:
            found.refused.append(Refused("weight", name, str(error)))
            continue
        if name != house.weight.formulas[0]:
            found.notes.append(f"weight by {name}: {house.weight.formulas[0]} needs more sizes")
        return
    found.refused.append(
        Refused("weight", house.weight.formulas[0], "no formula of the house has all of its sizes")
    )


def _weight(formula: Formula, sizes: Mapping[str, Size], age: Age | None, house: Profile) -> Weight:
    if formula.spec.ga_days and age is None:
        raise GrowthError(f"{formula.name} needs the gestational age")
    used, note = _as_demanded(formula, sizes)
    value = _result(formula, used, age.days if age else None)
    interval = formula_interval(formula, used, house.uncertainty.calibration_percent)
    spec = formula.spec
    error = f"the interval holds +-{spec.error_percent:g} % of the formula's own"
    notes = (note, f"{error}: {spec.error_note}" if spec.error_note else error)
    said = tuple(text for text in notes if text)
    return Weight(value, interval, formula.name, spec.citation, formula.inputs, said)


def _place_sizes(sizes: Mapping[str, Size], age: Age, house: Profile, found: _Found) -> None:
    for name, size in sizes.items():
        for chart_name in house.charts.of(name):
            chart = house.known.chart(chart_name)
            try:
                _place_size(chart, size, age, house, found)
            except GrowthError as error:
                found.refused.append(Refused(name, chart_name, str(error)))


def _place_size(chart: Chart, size: Size, age: Age, house: Profile, found: _Found) -> None:
    wanted, said = chart.spec.demands_convention, ""
    used = calibrated(size, house.uncertainty.calibration_percent)
    if wanted:
        used = _converted(used, wanted)
        said = conversion_note(given=size.convention, wanted=wanted)
    value = _Value(used.name, used.value_mm, used.interval_mm, "", (used.name,))
    found.placements.append(_placement(chart, value, age, (said,)))
    found.curves.append(chart.curves())


@dataclass(frozen=True)
class _Value:
    """A size or a weight on its way to a chart, in the chart's convention."""

    name: str
    value: float
    interval: tuple[float, float] | None
    formula: str
    from_sizes: tuple[str, ...]


def _place_weights(sizes: Mapping[str, Size], age: Age, house: Profile, found: _Found) -> None:
    """Place the weight by the formula that each chart demands, else by that of the house."""
    for chart_name in house.charts.of(WEIGHT):
        chart = house.known.chart(chart_name)
        try:
            weight = _demanded(chart, sizes, age, house, found)
            if weight is None:
                continue
            value = _Value(
                WEIGHT, weight.value_g, weight.interval_g, weight.formula, weight.from_sizes
            )
            found.placements.append(_placement(chart, value, age, ()))
            found.curves.append(chart.curves())
        except GrowthError as error:
            found.refused.append(Refused(WEIGHT, chart_name, str(error)))


def _demanded(
    chart: Chart, sizes: Mapping[str, Size], age: Age, house: Profile, found: _Found
) -> Weight | None:
    demanded = chart.spec.weight_formula
    known = {weight.formula: weight for weight in found.weights}
    if not demanded:
        return found.weights[0] if found.weights else None
    if demanded not in known:
        weight = _weight(house.known.formula(demanded), sizes, age, house)
        found.weights.append(weight)
        return weight
    return known[demanded]


def _placement(chart: Chart, value: _Value, age: Age, said: Sequence[str]) -> Placement:
    spec = chart.spec
    point: ChartPoint = chart.place(value.value, age.days, convention=spec.demands_convention)
    z = None
    if point.z is not None:
        z = z_interval(
            chart,
            value.value,
            age.days,
            value_interval=value.interval,
            age_interval=age.interval_days,
        )
    levels = chart.distribution.levels
    circular = bool(set(value.from_sizes) & set(age.from_sizes))
    notes = (*said, CIRCULAR if circular else "", "" if point.z is not None else spec.notes)
    return Placement(
        name=value.name,
        value=value.value,
        unit=spec.output_unit,
        interval=value.interval,
        convention=spec.convention,
        chart=chart.name,
        title=spec.title,
        citation=spec.citation,
        ga_days=age.days,
        median=point.median,
        z=point.z,
        z_interval=z,
        centile=point.centile,
        centile_interval=centile_interval(z),
        beyond=point.beyond,
        outermost=(levels[0], levels[-1]) if levels else None,
        formula=value.formula,
        circular=circular,
        notes=tuple(note for note in notes if note),
    )
