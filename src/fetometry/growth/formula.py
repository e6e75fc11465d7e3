"""A formula: from sizes to a gestational age or to a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fetometry.growth.conventions import convert_bpd, require_convention
from fetometry.growth.equation import Equation
from fetometry.growth.normal import Z95
from fetometry.growth.refusals import (
    Codes,
    Floats,
    GrowthError,
    Reason,
    code_where,
    first_reason,
)
from fetometry.growth.spec import DAYS_OR_G, MM, FormulaSpec

#: Sizes in mm that a fetus of 10 to 42 weeks can have. CRL is bounded by each formula.
BELIEVABLE_MM = {
    "HC": (40.0, 420.0),
    "BPD": (13.0, 120.0),
    "OFD": (16.0, 160.0),
    "AC": (40.0, 450.0),
    "FL": (5.0, 95.0),
    "CRL": (5.0, 100.0),
}

#: About how long each size is when HC is 1, at 14 to 40 weeks: HC, AC, FL, BPD and OFD of
#: Papageorghiou AT et al. Lancet 2014;384:869-879 stay within a factor of 1.5 of it.
SHARE_OF_HC = {"HC": 1.0, "AC": 0.92, "FL": 0.18, "BPD": 0.29, "OFD": 0.36}

#: Sizes whose shares differ by more than this are not all in one unit.
MOST_APART = 4.0


@dataclass(frozen=True)
class Evaluated:
    """The result of a formula for each row, in days or g; NaN where `refused` is not 0."""

    value: Floats
    refused: Codes


@dataclass(frozen=True)
class Formula:
    """A formula and what it says about itself; sizes in mm, results in days or g."""

    spec: FormulaSpec
    _equation: Equation = field(init=False, repr=False, compare=False)
    _error: Equation | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inputs, error = self.spec.inputs, self.spec.error_sd_days
        object.__setattr__(self, "_equation", Equation(self.spec.equation, inputs))
        object.__setattr__(self, "_error", Equation(error, inputs) if error else None)

    @property
    def name(self) -> str:
        """The formula's name."""
        return self.spec.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sizes that it needs."""
        return self.spec.inputs

    @property
    def output_unit(self) -> str:
        """Days of a dating formula, g of a weight formula."""
        return "days" if self.spec.role == "dating" else "g"

    def evaluate_many(
        self,
        sizes_mm: Mapping[str, ArrayLike],
        *,
        convention: str = "",
        ga_days: ArrayLike | None = None,
    ) -> Evaluated:
        """Work the formula out for many rows; the sizes broadcast.

        `convention` is the BPD's. A weight formula with bounds of age needs `ga_days`.

        Raises:
            GrowthError: a size or the age is not given, or the BPD has no convention.
        """
        missing = [name for name in self.inputs if name not in sizes_mm]
        if missing:
            raise GrowthError(
                f"{self.name} needs {', '.join(self.inputs)}; {', '.join(missing)} is missing"
            )
        given = [np.asarray(sizes_mm[name], np.float64) for name in self.inputs]
        sizes = dict(zip(self.inputs, np.broadcast_arrays(*given), strict=True))
        if self.spec.demands_convention:
            require_convention(convention, self.name)
            sizes["BPD"] = convert_bpd(
                sizes["BPD"], given=convention, wanted=self.spec.demands_convention
            )
        with np.errstate(all="ignore"):
            value = self.unbounded(sizes)
            refused = first_reason(
                *(self._size_refused(name, sizes[name]) for name in self.inputs),
                _units_differ(sizes),
                self._age_refused(value, ga_days),
            )
        return Evaluated(np.where(refused == Reason.NONE, value, np.nan), refused)

    def evaluate(
        self, sizes_mm: Mapping[str, float], *, convention: str = "", ga_days: float | None = None
    ) -> float:
        """Return the age in days, or the weight in g, of one fetus.

        Raises:
            GrowthError: a size is missing, impossible or in another unit, the result or the age
                is outside the formula's range, or the BPD has no convention.
        """
        found = self.evaluate_many(sizes_mm, convention=convention, ga_days=ga_days)
        reason = Reason(int(found.refused))
        if reason is not Reason.NONE:
            named = ", ".join(f"{name} {sizes_mm[name]:g} mm" for name in self.inputs)
            raise GrowthError(f"{self.name}: {named}: {reason.words}{self._bounds(reason)}")
        return float(found.value)

    def error_95(self, sizes_mm: Mapping[str, ArrayLike], value: ArrayLike) -> Floats | None:
        """Return the 95 % half-width of the formula's own error, in days or g; None: not known."""
        if self.spec.error_percent:
            return np.asarray(value, np.float64) * self.spec.error_percent / 100
        if self._error is not None:
            in_units = self._in_units({n: np.asarray(sizes_mm[n], float) for n in self.inputs})
            return Z95 * self._error(in_units)
        if self.spec.error_days:
            ages, days = zip(*self.spec.error_days, strict=True)
            return np.asarray(np.interp(np.asarray(value, np.float64), ages, days))
        return None

    def describe(self) -> dict[str, Any]:
        """Return everything the formula says about itself, as JSON has it."""
        return self.spec.describe()

    def _in_units(self, sizes_mm: Mapping[str, Floats]) -> dict[str, Floats]:
        per_unit = MM[self.spec.input_unit]
        return {name: size / per_unit for name, size in sizes_mm.items()}

    def unbounded(self, sizes_mm: Mapping[str, Floats]) -> Floats:
        """Return the result in days or g, whatever the ranges; a BPD must be as demanded."""
        return self._equation(self._in_units(sizes_mm)) * DAYS_OR_G[self.spec.output_unit]

    def _size_refused(self, name: str, sizes: Floats) -> Codes:
        own = self.spec.input_mm.get(name)
        low, high = own or BELIEVABLE_MM[name]
        outside = (sizes < low) | (sizes > high)
        return first_reason(
            code_where(np.isnan(sizes), Reason.MISSING),
            code_where(~np.isfinite(sizes) | (sizes <= 0), Reason.NOT_A_NUMBER),
            code_where(
                (sizes < low) & (10 * sizes >= low) & (10 * sizes <= high), Reason.CENTIMETRES
            ),
            code_where((sizes > high) & (sizes >= 10 * low) & (sizes <= 10 * high), Reason.TENFOLD),
            code_where(outside, Reason.OUTSIDE if own else Reason.IMPLAUSIBLE),
        )

    def _age_refused(self, value: Floats, ga_days: ArrayLike | None) -> Codes:
        if not self.spec.ga_days:
            return code_where(~np.isfinite(value), Reason.OUTSIDE)
        low, high = self.spec.ga_days
        if self.spec.role == "dating":
            # a nan compares false, so that what has no value is outside
            return code_where(~((value >= low) & (value <= high)), Reason.OUTSIDE)
        if ga_days is None:
            raise GrowthError(
                f"{self.name} holds from {low:g} to {high:g} days; give the gestational age"
            )
        days = np.broadcast_to(np.asarray(ga_days, np.float64), value.shape)
        return first_reason(
            code_where(~np.isfinite(days), Reason.AGE_MISSING),
            code_where(~((days >= low) & (days <= high)), Reason.AGE_OUTSIDE),
        )

    def _bounds(self, reason: Reason) -> str:
        if reason not in (Reason.OUTSIDE, Reason.AGE_OUTSIDE, Reason.CENTIMETRES):
            return ""
        parts = [
            f"{name} {low:g} to {high:g} mm" for name, (low, high) in self.spec.input_mm.items()
        ]
        if self.spec.ga_days:
            parts.append(f"{self.spec.ga_days[0]:g} to {self.spec.ga_days[1]:g} days")
        return f" ({', '.join(parts)})" if parts else ""


def _units_differ(sizes_mm: Mapping[str, Floats]) -> Codes:
    shares = [sizes_mm[name] / SHARE_OF_HC[name] for name in sizes_mm if name in SHARE_OF_HC]
    if not shares:
        return np.zeros(next(iter(sizes_mm.values())).shape, np.uint8)
    together = np.stack(shares)
    apart = together.max(axis=0) / together.min(axis=0)
    return code_where(apart > MOST_APART, Reason.UNITS_DIFFER)
