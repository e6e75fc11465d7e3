"""A table of sizes in, the same table with z scores, centiles and weights out.

Rows are read, worked out and written in blocks, so that a table may be larger than the memory.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.growth.chart import FEWEST_DAYS, Chart
from fetometry.growth.conventions import require_convention
from fetometry.growth.distributions import Signs
from fetometry.growth.formula import Formula
from fetometry.growth.profile import Profile
from fetometry.growth.refusals import Codes, Floats, Reason, code_where, first_reason
from fetometry.growth.spec import MM, WEIGHT

#: What the columns are called where nobody says otherwise.
COLUMNS = {
    "HC": "hc_mm",
    "AC": "ac_mm",
    "FL": "fl_mm",
    "BPD": "bpd_mm",
    "OFD": "ofd_mm",
    "GA": "ga_days",
}
AGE = "GA"
FLAGS = "flags"

#: What stands for a value that is not there.
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none"})

#: Rows that are worked out together.
BLOCK = 20_000

#: Bad rows that are named; the flags column has every one.
MOST_PROBLEMS = 1000

#: Reasons that are not worth a flag: nothing was given, or the age's own flag says it.
QUIET = (Reason.NONE, Reason.MISSING, Reason.AGE_MISSING, Reason.AGE_IN_WEEKS)


@dataclass(frozen=True)
class BadRow:
    """A row with something refused: the line it begins on in the file, from 1, and its flags."""

    line: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class TableReport:
    """What became of a table: its rows, the charts and the formula used, and what was refused.

    `bad_rows` names the first thousand; `bad_count` and `counts` (by flag) hold them all.
    """

    rows: int
    charts: Mapping[str, str]
    weight_formula: str
    bad_count: int
    bad_rows: tuple[BadRow, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Plan:
    """Which columns are read, and what is worked out from them."""

    heading: tuple[str, ...]
    places: Mapping[str, int]
    per_unit: float
    charts: Mapping[str, Chart]
    formula: Formula | None
    convention: str
    notes: tuple[str, ...]

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that the output has besides the input's."""
        sized = [name.lower() for name in self.charts if name != WEIGHT]
        pairs = [f"{name}_{what}" for name in sized for what in ("z", "centile")]
        weight = ["efw_g"] if self.formula else []
        weight += ["efw_centile"] if WEIGHT in self.charts else []
        return (*pairs, *weight, FLAGS)


@dataclass
class _Tally:
    rows: int = 0
    bad_count: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, line: int, flags: Sequence[str]) -> None:
        self.rows += 1
        if flags:
            self.bad_count += 1
            self.counts.update(flags)
            if len(self.bad_rows) < MOST_PROBLEMS:
                self.bad_rows.append(BadRow(line, tuple(flags)))


def grow_table(
    source: Path,
    target: Path,
    *,
    columns: Mapping[str, str] | None = None,
    units: str = "mm",
    profile: Profile | None = None,
) -> TableReport:
    """Write a CSV table again with z scores, centiles and weights beside its sizes.

    `columns` says what the columns of HC, AC, FL, BPD, OFD and GA (exact days) are called, where
    not as in `COLUMNS`; an empty name leaves one out. `units` (mm or cm) is that of all sizes.
    The first chart of the profile counts, and the weight formula that its weight chart demands.
    Every row is kept; what could not be worked out is empty and has a flag.

    Raises:
        DataError: the file is not a table in UTF-8, or lacks a column.
        GrowthError: a BPD column is there, and the profile does not say its convention.
        OutputError: the output cannot be written.
        UsageError: the output is the input, or units or columns are not known.
    """
    house = profile or Profile()
    if units not in MM:
        raise UsageError(f"units must be {' or '.join(MM)}, got {units!r}")
    if source.resolve() == target.resolve():
        raise UsageError(f"{target}: the output would replace the input; give another name")
    tally = _Tally()
    with _reading(source) as rows:
        _, heading = next(rows, (0, []))
        plan = _plan(heading, {**COLUMNS, **_named(columns or {})}, MM[units], house, source)
        with _writing(target) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow((*heading, *plan.added))
            while block := list(islice(rows, BLOCK)):
                writer.writerows(_worked_out(block, plan, tally))
    names = {name: chart.name for name, chart in plan.charts.items()}
    formula = plan.formula.name if plan.formula else ""
    bad = tuple(tally.bad_rows)
    return TableReport(
        tally.rows, names, formula, tally.bad_count, bad, dict(tally.counts), plan.notes
    )


def parse_columns(text: str) -> dict[str, str]:
    """Return the columns of a text such as "hc=Head,ga=Days".

    Raises:
        UsageError: a part has no equals sign, or names no size.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    for name, equals, _ in pairs:
        if not equals:
            raise UsageError(f"columns are given as hc=NAME,ga=NAME, got {name!r}")
    return _named({name.strip(): column.strip() for name, _, column in pairs})


def _named(columns: Mapping[str, str]) -> dict[str, str]:
    found = {name.upper(): column for name, column in columns.items()}
    for name in found:
        if name not in COLUMNS:
            raise UsageError(f"no column can be given for {name!r}; allowed: {', '.join(COLUMNS)}")
    return found


@contextmanager
def _reading(source: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """Open a table: an iterator of the line that a row begins on, and its cells."""

    def rows(stream: TextIO) -> Iterator[tuple[int, list[str]]]:
        reader, line = csv.reader(stream, strict=True), 1
        try:
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{source}:{line}: not a CSV table in UTF-8 ({error})") from None

    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            yield rows(stream)
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror})") from None


@contextmanager
def _writing(target: Path) -> Iterator[TextIO]:
    """Open a file under another name, which it loses when it is whole."""
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        part.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


def _places(heading: list[str], columns: Mapping[str, str], source: Path) -> dict[str, int]:
    """Return where the columns stand; those of the usual names need not be there."""
    if not heading:
        raise DataError(f"{source}: the table is empty; it needs a heading such as ga_days,hc_mm")
    places = {}
    for name, column in columns.items():
        if column and heading.count(column) > 1:
            raise DataError(f"{source}: two columns are called {column!r}")
        if column in heading:
            places[name] = heading.index(column)
        elif column and column != COLUMNS[name]:
            raise DataError(f"{source}: no column {column!r}; there are {', '.join(heading)}")
    if AGE not in places or len(places) == 1:
        raise DataError(
            f"{source}: a column of exact days ({columns[AGE]}) and one of sizes are needed, such "
            f"as {COLUMNS['HC']}; there are {', '.join(heading)}. Cells are parted by commas"
        )
    return places


def _plan(
    heading: list[str], columns: Mapping[str, str], per_unit: float, house: Profile, source: Path
) -> _Plan:
    places = _places(heading, columns, source)
    sizes = [name for name in places if name != AGE]
    if "BPD" in places:
        require_convention(house.bpd.convention, f"{source}: {columns['BPD']}")
    formula, notes = _formula(sizes, house)
    charted = sizes + ([WEIGHT] if formula else [])
    first = {name: house.charts.of(name)[0] for name in charted if house.charts.of(name)}
    charts = {name: house.known.chart(chart) for name, chart in first.items()}
    plan = _Plan(
        tuple(heading), places, per_unit, charts, formula, house.bpd.convention, tuple(notes)
    )
    taken = [column for column in plan.added if column in heading]
    if taken:
        raise DataError(f"{source}: has columns {', '.join(taken)} already; rename them")
    return plan


def _formula(sizes: Sequence[str], house: Profile) -> tuple[Formula | None, list[str]]:
    """Return the weight formula that the chart demands, else the first of the house that fits."""
    charts = house.charts.of(WEIGHT)
    demanded = house.known.chart(charts[0]).spec.weight_formula if charts else ""
    names = (demanded,) if demanded else house.weight.formulas
    for name in names:
        formula = house.known.formula(name)
        if all(size in sizes for size in formula.inputs):
            return formula, []
    needed = " or ".join(", ".join(house.known.formula(name).inputs) for name in names)
    return None, [f"no weights: {names[0]} needs {needed}"]


def _worked_out(
    block: list[tuple[int, list[str]]], plan: _Plan, tally: _Tally
) -> Iterator[list[str]]:
    rows = [_fitted(cells, len(plan.heading)) for _, cells in block]
    numbers = {name: _numbers([row[place] for row in rows]) for name, place in plan.places.items()}
    days = numbers.pop(AGE)
    sizes = {name: values * plan.per_unit for name, values in numbers.items()}
    shown: list[list[str]] = []
    codes: dict[str, Codes] = {"": _age_codes(days)}
    for name, values in sizes.items():
        codes[name] = code_where(np.isinf(values), Reason.NOT_A_NUMBER)
        if name in plan.charts:
            placed = plan.charts[name].place_many(values, days, convention=plan.convention)
            codes[name] = first_reason(codes[name], placed.refused)
            # beyond the outermost curve a z score is not known, only on which side it is
            known = np.where(placed.beyond == 0, placed.z, np.nan)
            shown += [_texts(known, 3), _centiles(placed.centile, placed.beyond)]
    if plan.formula is not None:
        weights, codes[WEIGHT] = _weights(plan.formula, plan, sizes, days)
        shown += weights
    for number, ((line, cells), row) in enumerate(zip(block, rows, strict=True)):
        flags = [] if len(cells) == len(row) else ["cells"]
        flags += [_flag(name, Reason(int(found[number]))) for name, found in codes.items()]
        said = [flag for flag in flags if flag]
        tally.add(line, said)
        yield [*row, *(texts[number] for texts in shown), ";".join(said)]


def _weights(
    formula: Formula, plan: _Plan, sizes: Mapping[str, Floats], days: Floats
) -> tuple[list[list[str]], Codes]:
    """Return the texts of the weights and of their centiles, and why rows were refused."""
    weighed = formula.evaluate_many(sizes, convention=plan.convention, ga_days=days)
    shown = [_texts(weighed.value, 0)]
    if WEIGHT not in plan.charts:
        return shown, weighed.refused
    placed = plan.charts[WEIGHT].place_many(weighed.value, days)
    shown.append(_centiles(placed.centile, placed.beyond))
    return shown, first_reason(weighed.refused, placed.refused)


def _fitted(cells: list[str], width: int) -> list[str]:
    """Return a row as wide as the heading; what is too much stays, joined, in the last cell."""
    if len(cells) > width:
        return [*cells[: width - 1], ",".join(cells[width - 1 :])]
    return cells + [""] * (width - len(cells))


def _numbers(cells: list[str]) -> Floats:
    """Return the numbers of a column: NaN where there is none, infinite where there is other."""
    try:
        return np.array(cells, dtype=np.float64)
    except ValueError:
        return np.array([_number(cell) for cell in cells])


def _number(cell: str) -> float:
    if cell.strip().lower() in EMPTY:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return np.inf


def _age_codes(days: Floats) -> Codes:
    return first_reason(
        code_where(~(np.isfinite(days) & (days > 0)), Reason.AGE_MISSING),
        code_where(days < FEWEST_DAYS, Reason.AGE_IN_WEEKS),
    )


def _flag(name: str, reason: Reason) -> str:
    if not name:
        return reason.flag
    return "" if reason in QUIET else f"{name.lower()}-{reason.flag}"


def _texts(values: Floats, decimals: int) -> list[str]:
    return ["" if value != value else f"{value:.{decimals}f}" for value in values.tolist()]


def _centiles(centiles: Floats, beyond: Signs) -> list[str]:
    signs = {-1: "<", 1: ">"}
    return [
        ("" if centile != centile else _two_decimals(centile))
        if sign == 0
        else f"{signs[sign]}{centile:g}"
        for centile, sign in zip(centiles.tolist(), beyond.tolist(), strict=True)
    ]


def _two_decimals(centile: float) -> str:
    """Return a centile; one that would round to 0 or 100 keeps its side."""
    if centile < 0.005:
        return "<0.01"
    return ">99.99" if centile > 99.995 else f"{centile:.2f}"
