"""What a chart or a formula says about itself: the keys of its TOML table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fetometry.growth.conventions import BPD_CONVENTIONS
from fetometry.growth.equation import Equation
from fetometry.growth.nouns import MOST_DAYS
from fetometry.growth.refusals import ChartError

#: Sizes in mm, CRL included, and the weight.
SIZES = ("HC", "BPD", "OFD", "AC", "FL", "CRL")
WEIGHT = "EFW"

#: How well the numbers are established; "local" is a hospital's own, "derived" worked out here.
#: There is no "recall".
STATUSES = ("verified", "two-sources", "verified-1-manual", "single-source", "derived", "local")

#: Millimetres or grams in one of the unit in which a chart is published.
MM_OR_G = {"mm": 1.0, "cm": 10.0, "g": 1.0}

#: Millimetres in one of the unit that a formula takes.
MM = {"mm": 1.0, "cm": 10.0}

#: Days or grams in one of the unit that a formula gives.
DAYS_OR_G = {"days": 1.0, "weeks": 7.0, "g": 1.0}

ROLES = ("dating", "weight")

KINDS = ("normal", "lms", "quantiles", "median")


def _one_of(name: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        why = " (a formula from memory is not used)" if value == "recall" else ""
        raise ChartError(f"{name} must be one of {', '.join(allowed)}, got {value!r}{why}")


def _checked_ages(ga_days: tuple[float, float]) -> None:
    if not 0 < ga_days[0] < ga_days[1] <= MOST_DAYS:
        raise ChartError(
            f"ga_days must be [first, last] exact days up to {MOST_DAYS}, got {list(ga_days)}; "
            "is it in weeks?"
        )


def _named(spec: Spec) -> None:
    plain = spec.name.replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and spec.name == spec.name.lower()):
        raise ChartError(f"name must be small letters, digits, _ and -, got {spec.name!r}")
    for key in ("family", "title", "citation", "doi", "dicom", "convention"):
        if not getattr(spec, key):
            raise ChartError(f'{key} is empty; write "none" where there is none')
    _one_of("status", spec.status, STATUSES)


@dataclass(frozen=True)
class ChartSpec:
    """A chart's table. `equations` are in w (exact weeks) or d (days), in the chart's `unit`.

    `kind` normal takes mean and sd; lms takes l, m and s; quantiles takes a `table` of columns
    p3, p10, …, or `coefficients` of polynomials in w, or a median and `factors` of it; median
    takes a median alone. `table` (a CSV beside the TOML) may stand for the equations. `scale`
    (value, ln, log10) is the one on which sizes are spread; `between` (centile or z) what is
    straight between two printed centiles. `weight_formula` names the formula that a weight chart
    demands.
    """

    name: str
    family: str
    title: str
    measurement: str
    unit: str
    ga_days: tuple[float, float]
    convention: str
    citation: str
    doi: str
    status: str
    dicom: str
    kind: str
    scale: str = "value"
    between: str = ""
    equations: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    table: str = ""
    coefficients: str = ""
    weight_formula: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        _named(self)
        _one_of("measurement", self.measurement, (*SIZES, WEIGHT))
        units = ("g",) if self.measurement == WEIGHT else ("mm", "cm")
        _one_of("unit", self.unit, units)
        _one_of("kind", self.kind, KINDS)
        _one_of("scale", self.scale, ("value", "ln", "log10"))
        if self.measurement == "BPD":
            _one_of("convention", self.convention, BPD_CONVENTIONS)
        if self.kind == "quantiles":
            _one_of("between", self.between, ("centile", "z"))
        _checked_ages(self.ga_days)

    @property
    def mm_or_g(self) -> float:
        """Millimetres or grams in one of the chart's unit."""
        return MM_OR_G[self.unit]

    @property
    def output_unit(self) -> str:
        """The unit of every value that goes in or comes out: mm, or g."""
        return "g" if self.measurement == WEIGHT else "mm"

    @property
    def demands_convention(self) -> str:
        """The convention that a BPD must have here; empty for other measurements."""
        return self.convention if self.measurement == "BPD" else ""

    def describe(self) -> dict[str, Any]:
        """Return the keys that tell people what the chart is."""
        return {"role": "chart", **_told(self)}


@dataclass(frozen=True)
class FormulaSpec:
    """A formula's table: from sizes to an age or to a weight.

    `equation` is in the names of `inputs`, in `input_unit`. `ga_days` bounds the age (of a dating
    formula, its result), `input_mm` an input; empty where no bound is published. The error at
    95 % is `error_percent` of the value, or points (age, days) of `error_days`, or 1.96 of the
    standard deviation `error_sd_days`, an equation in the inputs. None given: not known.
    """

    name: str
    family: str
    title: str
    role: str
    inputs: tuple[str, ...]
    input_unit: str
    output_unit: str
    equation: str
    convention: str
    citation: str
    doi: str
    status: str
    dicom: str
    ga_days: tuple[float, ...] = ()
    input_mm: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    error_percent: float = 0.0
    error_days: tuple[tuple[float, float], ...] = ()
    error_sd_days: str = ""
    error_note: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        _named(self)
        _one_of("role", self.role, ROLES)
        _one_of("input_unit", self.input_unit, MM)
        _one_of("output_unit", self.output_unit, ("g",) if self.role == "weight" else DAYS_OR_G)
        for name in (*self.inputs, *self.input_mm):
            _one_of("inputs", name, SIZES)
        if "BPD" in self.inputs:
            _one_of("convention", self.convention, BPD_CONVENTIONS)
        if self.ga_days:
            if len(self.ga_days) != 2:
                raise ChartError(f"ga_days must be [first, last], got {list(self.ga_days)}")
            _checked_ages(self.ga_days)
        Equation(self.equation, self.inputs)
        if self.error_sd_days:
            Equation(self.error_sd_days, self.inputs)
        if self.error_percent < 0 or any(days < 0 for _, days in self.error_days):
            raise ChartError("an error must not be negative")

    @property
    def demands_convention(self) -> str:
        """The convention that a BPD must have here; empty where there is no BPD."""
        return self.convention if "BPD" in self.inputs else ""

    def describe(self) -> dict[str, Any]:
        """Return the keys that tell people what the formula is."""
        return _told(self)


@dataclass(frozen=True)
class RatioSpec:
    """A ratio's table: one size over another, in percent, and the range that is usual.

    The range is `range_percent` at any age, or `equations` middle and half (half its width) in w
    or d, or the quotient of two `charts` medians +- 2 SD. It is judged from `from_days` on.
    """

    name: str
    title: str
    over: str
    under: str
    convention: str
    citation: str
    doi: str
    status: str
    dicom: str
    range_percent: tuple[float, ...] = ()
    equations: Mapping[str, str] = field(default_factory=dict)
    charts: tuple[str, ...] = ()
    from_days: float = 0.0
    notes: str = ""
    family: str = "ratio"

    def __post_init__(self) -> None:
        _named(self)
        for size in (self.over, self.under):
            _one_of("over and under", size, SIZES)
        if "BPD" in (self.over, self.under):
            _one_of("convention", self.convention, BPD_CONVENTIONS)
        if sum(map(bool, (self.range_percent, self.equations, self.charts))) != 1:
            raise ChartError("a ratio needs one of range_percent, equations, charts")
        if (len(self.range_percent) or 2, len(self.charts) or 2) != (2, 2):
            raise ChartError("range_percent is [low, high], charts are the two of over and under")
        if self.equations and set(self.equations) != {"middle", "half"}:
            raise ChartError("equations must be middle and half")
        for text in self.equations.values():
            Equation(text, ("w", "d"))

    def describe(self) -> dict[str, Any]:
        """Return the keys that tell people what the ratio is."""
        return {"role": "ratio", **_told(self)}


Spec = ChartSpec | FormulaSpec | RatioSpec


def _told(spec: Spec) -> dict[str, Any]:
    told = {}
    for key, value in dataclasses.asdict(spec).items():
        plain = dict(value) if isinstance(value, Mapping) else value
        told[key] = _listed(plain)
    return {key: value for key, value in told.items() if value not in ("", [], {}, 0.0)}


def _listed(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_listed(item) for item in value]
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return value
