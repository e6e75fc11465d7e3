"""Charts and formulas from TOML and CSV files: the package's own, and a hospital's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from fetometry.growth.building import distribution
from fetometry.growth.chart import Chart
from fetometry.growth.formula import Formula
from fetometry.growth.refusals import ChartError, GrowthError
from fetometry.growth.spec import ChartSpec, FormulaSpec, RatioSpec
from fetometry.growth.strict import Source, read_toml, strict

T = TypeVar("T")
S = TypeVar("S", ChartSpec, FormulaSpec, RatioSpec)

#: The tables that a file of charts may have. What [family] says holds for every other.
SECTIONS = ("family", "chart", "formula", "ratio")


@dataclass(frozen=True)
class Catalogue:
    """Every chart, formula and ratio by its name."""

    charts: Mapping[str, Chart]
    formulas: Mapping[str, Formula]
    ratios: Mapping[str, RatioSpec]

    def chart(self, name: str) -> Chart:
        """Return a chart.

        Raises:
            GrowthError: there is none of that name.
        """
        return _found(self.charts, name, "chart")

    def formula(self, name: str) -> Formula:
        """Return a formula.

        Raises:
            GrowthError: there is none of that name.
        """
        return _found(self.formulas, name, "formula")

    def family(self, name: str) -> tuple[Chart, ...]:
        """Return the charts of a family, or the one chart of that name.

        Raises:
            GrowthError: there is neither.
        """
        members = tuple(c for c in self.charts.values() if name in (c.spec.family, c.name))
        if not members:
            families = dict.fromkeys(chart.spec.family for chart in self.charts.values())
            raise GrowthError(
                f"no chart or family {name!r}; families: {', '.join(families)}; charts: "
                f"{', '.join(self.charts)}"
            )
        return members

    def describe(self) -> list[dict[str, Any]]:
        """Return what every chart and formula says about itself, as JSON has it."""
        told = [chart.describe() for chart in self.charts.values()]
        told += [formula.describe() for formula in self.formulas.values()]
        return told + [ratio.describe() for ratio in self.ratios.values()]


#: What the tables of each kind are called in a file.
KEYS: Mapping[type, str] = {ChartSpec: "chart", FormulaSpec: "formula", RatioSpec: "ratio"}


def _found(items: Mapping[str, T], name: str, what: str) -> T:
    if name not in items:
        raise GrowthError(f"no {what} {name!r}; there are {', '.join(items)}")
    return items[name]


@cache
def _shipped() -> Catalogue:
    folder = files("fetometry.growth") / "tables"
    sources = (item for item in folder.iterdir() if item.name.endswith(".toml"))
    return _merged(_read_file(s, folder) for s in sorted(sources, key=lambda s: s.name))


def catalogue(extra: Iterable[Path] = ()) -> Catalogue:
    """Return the charts and formulas of the package, and those of further TOML files.

    Raises:
        ChartError: a file has an unknown, missing or mistyped key, a table of numbers is not as
            it should be, or a name is taken; file and key are named.
    """
    own = tuple(extra)
    if not own:
        return _shipped()
    whole = _merged((_shipped(), *(_read_file(path, path.parent) for path in own)))
    _require_named(whole)
    return whole


def charts(extra: Iterable[Path] = ()) -> list[dict[str, Any]]:
    """Return what every chart and formula says about itself, ready for JSON."""
    return catalogue(extra).describe()


def _require_named(whole: Catalogue) -> None:
    """Check that the formulas and charts that others name are there.

    Raises:
        ChartError: one is not.
    """
    for chart in whole.charts.values():
        wanted = chart.spec.weight_formula
        if wanted and wanted not in whole.formulas:
            raise ChartError(f"{chart.name}: weight_formula {wanted!r} is no formula")
    for ratio in whole.ratios.values():
        missing = [name for name in ratio.charts if name not in whole.charts]
        if missing:
            raise ChartError(f"{ratio.name}: {missing[0]!r} is no chart")


def _merged(parts: Iterable[Catalogue]) -> Catalogue:
    charts: dict[str, Chart] = {}
    formulas: dict[str, Formula] = {}
    ratios: dict[str, RatioSpec] = {}
    for part in parts:
        for name in (*part.charts, *part.formulas, *part.ratios):
            if name in charts or name in formulas or name in ratios:
                raise ChartError(f"two charts or formulas are called {name!r}; rename one of them")
        charts.update(part.charts)
        formulas.update(part.formulas)
        ratios.update(part.ratios)
    return Catalogue(charts, formulas, ratios)


def _read_file(source: Source, folder: Source) -> Catalogue:
    tree = read_toml(source)
    for key in tree:
        if key not in SECTIONS:
            raise ChartError(f"{source}: unknown table {key!r}; allowed: {', '.join(SECTIONS)}")
    charts = {spec.name: _built(spec, folder, w) for spec, w in _specs(tree, ChartSpec, source)}
    formulas = {spec.name: Formula(spec) for spec, _ in _specs(tree, FormulaSpec, source)}
    ratios = {spec.name: spec for spec, _ in _specs(tree, RatioSpec, source)}
    if not charts and not formulas and not ratios:
        raise ChartError(f"{source}: there is no [[chart]], no [[formula]] and no [[ratio]]")
    return Catalogue(charts, formulas, ratios)


def _built(spec: ChartSpec, folder: Source, where: str) -> Chart:
    try:
        return Chart(spec, distribution(spec, folder))
    except ChartError as error:
        raise ChartError(f"{where}: {error}") from None


def _specs(tree: Mapping[str, Any], cls: type[S], source: Source) -> Iterator[tuple[S, str]]:
    """Yield what each table of a section says, with where it stands."""
    section = KEYS[cls]
    shared, tables = tree.get("family", {}), tree.get(section, [])
    if not isinstance(shared, Mapping):
        raise ChartError(f"{source}: [family] must be a table of what its charts share")
    if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
        raise ChartError(f"{source}: write [[{section}]], in two brackets, above each {section}")
    names = set()
    for number, table in enumerate(tables, 1):
        where = f"{source}: [[{section}]] {table.get('name', number)}"
        spec = strict(cls, {**shared, **table}, where)
        if spec.name in names:
            raise ChartError(f"{where}: {spec.name!r} is there twice")
        names.add(spec.name)
        yield spec, where
