"""From a chart's table to its distribution: equations, tables, centile curves, polynomials."""

from __future__ import annotations

import numpy as np

from fetometry.growth.distributions import (
    LMS,
    SCALES,
    Curves,
    Distribution,
    MedianOnly,
    Normal,
    Scale,
)
from fetometry.growth.numbers import (
    NumberTable,
    OfAge,
    equation_of_age,
    read_numbers,
    require_columns,
)
from fetometry.growth.refusals import ChartError, Floats
from fetometry.growth.spec import ChartSpec
from fetometry.growth.strict import Source

#: What each kind of chart is made of, besides quantiles.
PARTS = {"normal": ("mean", "sd"), "lms": ("l", "m", "s"), "median": ("median",)}

#: The keys that hold a chart's numbers.
NUMBERS = ("equations", "factors", "table", "coefficients")

Levels = tuple[float, ...]


def distribution(spec: ChartSpec, folder: Source) -> Distribution:
    """Return the distribution of a chart; its CSV files lie in the folder.

    Raises:
        ChartError: the numbers that its kind needs are not there, or are not as they should be.
    """
    scale = SCALES[spec.scale]
    if spec.kind == "quantiles":
        levels, curves = _centile_curves(spec, folder, scale)
        return Curves(scale, levels, curves, spec.between == "z")
    parts = _parts(spec, folder)
    if spec.kind == "normal":
        return Normal(scale, *parts)
    if spec.kind == "lms":
        return LMS(scale, *parts)
    return MedianOnly(*parts)


def _given(spec: ChartSpec) -> set[str]:
    return {key for key in NUMBERS if getattr(spec, key)}


def _needed(spec: ChartSpec, allowed: str) -> ChartError:
    given = ", ".join(sorted(_given(spec))) or "nothing"
    return ChartError(f"a chart of kind {spec.kind} needs {allowed}, got {given}")


def _parts(spec: ChartSpec, folder: Source) -> list[OfAge]:
    names = PARTS[spec.kind]
    if _given(spec) == {"table"}:
        table = _table_of_ages(spec, folder)
        require_columns(table, names)
        return [table.of_age(name) for name in names]
    if _given(spec) != {"equations"}:
        raise _needed(spec, "either equations or a table")
    if set(spec.equations) != set(names):
        raise ChartError(f"equations must be {', '.join(names)}, got {', '.join(spec.equations)}")
    return [equation_of_age(spec.equations[name]) for name in names]


def _numbers(name: str, folder: Source) -> NumberTable:
    if "/" in name or "\\" in name:
        raise ChartError(f"{name}: a table lies beside its TOML file; give its name alone")
    return read_numbers(folder.joinpath(name))


def _table_of_ages(spec: ChartSpec, folder: Source) -> NumberTable:
    table = _numbers(spec.table, folder)
    ages = table.ages_days()
    if ages[0] > spec.ga_days[0] or ages[-1] < spec.ga_days[1]:
        raise ChartError(
            f"{spec.table}: has {ages[0]:g} to {ages[-1]:g} days, but ga_days says "
            f"{spec.ga_days[0]:g} to {spec.ga_days[1]:g}"
        )
    return table


def _centile_curves(
    spec: ChartSpec, folder: Source, scale: Scale
) -> tuple[Levels, tuple[OfAge, ...]]:
    match sorted(_given(spec)):
        case ["coefficients"]:
            return _polynomials(_numbers(spec.coefficients, folder))
        case ["table"]:
            return _printed(_table_of_ages(spec, folder), scale)
        case ["equations", "factors"] if set(spec.equations) == {"median"}:
            median = equation_of_age(spec.equations["median"])
            levels = {_level(name): factor for name, factor in spec.factors.items()}
            ordered = tuple(sorted(levels))
            return ordered, tuple(_scaled(median, levels[level], scale) for level in ordered)
    raise _needed(spec, "a table, or coefficients, or equations.median with factors")


def _level(column: str) -> float:
    """Return the centile that a name such as p2.5 stands for.

    Raises:
        ChartError: the name is not p and a number.
    """
    try:
        return float(column.removeprefix("p")) if column.startswith("p") else float(column + "?")
    except ValueError:
        raise ChartError(f"a centile is called p3, p10 or p2.5, got {column!r}") from None


def _scaled(median: OfAge, factor: float, scale: Scale) -> OfAge:
    return lambda days: scale.forward(median(days) * factor)


def _printed(table: NumberTable, scale: Scale) -> tuple[Levels, tuple[OfAge, ...]]:
    names = {_level(name): name for name in table.columns if not name.startswith("ga_")}
    require_columns(table, names.values())
    ordered = tuple(sorted(names))
    return ordered, tuple(_scaled(table.of_age(names[level]), 1.0, scale) for level in ordered)


def _polynomials(table: NumberTable) -> tuple[Levels, tuple[OfAge, ...]]:
    """Return a curve for each row: a quantile (0 to 1) and b0, b1, … of the powers of weeks."""
    powers = [f"b{power}" for power in range(len(table.columns) - 1)]
    if set(table.columns) != {"quantile", *powers}:
        raise ChartError(f"{table.name}: the columns must be quantile, b0, b1, …")
    quantiles = table.columns["quantile"]
    if not np.all((quantiles > 0) & (quantiles < 1)):
        raise ChartError(
            f"{table.name}: a quantile lies between 0 and 1; 100 times it is a centile"
        )
    rows = np.column_stack([table.columns[name] for name in powers])
    levels = tuple(float(level) for level in np.round(100 * quantiles, 9))
    return levels, tuple(_polynomial(row) for row in rows)


def _polynomial(coefficients: Floats) -> OfAge:
    def of_age(days: Floats) -> Floats:
        weeks = np.asarray(days) / 7
        total = np.full(weeks.shape, coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = total * weeks + coefficient
        return total

    return of_age
