"""A growth chart: where a size stands among the fetuses of its age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fetometry.growth.conventions import convert_bpd, require_convention
from fetometry.growth.distributions import Distribution, Signs
from fetometry.growth.normal import z_of
from fetometry.growth.nouns import CentileCurves
from fetometry.growth.refusals import (
    ChartError,
    Codes,
    Floats,
    GrowthError,
    Reason,
    code_where,
    first_reason,
)
from fetometry.growth.spec import ChartSpec

#: Of the chart's median at that age; no fetus is smaller or larger, and a wrong unit is.
LEAST_SHARE, MOST_SHARE = 0.2, 5.0

#: The centiles that a chart is drawn with.
DRAWN = (3.0, 10.0, 50.0, 90.0, 97.0)

#: The centiles that are searched for a fall with age.
SEARCHED = (3.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.0)

#: No pregnancy has fewer days in which anything is charted, and none has so many weeks.
FEWEST_DAYS = 46


@dataclass(frozen=True)
class Placed:
    """Where each row stands.

    Where `beyond` is -1 or 1, z and centile are only those of the outermost curve: the centile is
    below or above it. Where `refused` (a `Reason`) is not 0, z and centile are NaN.
    """

    z: Floats
    centile: Floats
    beyond: Signs
    refused: Codes


@dataclass(frozen=True)
class ChartPoint:
    """Where one value stands; `beyond` is "<" or ">" where the centile is only a bound."""

    z: float | None
    centile: float | None
    beyond: str
    median: float


@dataclass(frozen=True)
class Dip:
    """Days over which a published centile falls with age, and by how much; never smoothed."""

    centile: float
    from_day: int
    to_day: int
    by: float


@dataclass(frozen=True)
class Chart:
    """A chart: what it says about itself, and its distribution; valid once built.

    Sizes are in mm and weights in g, whatever unit the chart is published in.

    Raises:
        ChartError: somewhere in its range a curve is not positive, or the curves cross.
    """

    spec: ChartSpec
    distribution: Distribution = field(compare=False)

    def __post_init__(self) -> None:
        days = np.append(np.arange(*self.spec.ga_days), self.spec.ga_days[1])
        levels = np.array(self.distribution.levels or SEARCHED)
        with np.errstate(all="ignore"):
            curves = self._at(z_of(levels)[:, None], days)
        bad = ~np.all(np.isfinite(curves) & (curves > 0), axis=0)
        # printed curves may meet, as WHO's 97.5 and 99 % of boys do at 40 weeks; an SD is not 0
        least = -1e-9 if self.distribution.levels else 1e-9
        bad |= np.any(np.diff(curves, axis=0) < least, axis=0)
        if np.any(bad):
            raise ChartError(
                f"{self.spec.name}: at {days[bad][0]:g} days its curves are not positive numbers "
                "that rise from centile to centile"
            )

    @property
    def name(self) -> str:
        """The chart's name."""
        return self.spec.name

    @property
    def centiles(self) -> tuple[float, ...]:
        """The centiles that can be drawn."""
        levels = self.distribution.levels
        return tuple(c for c in DRAWN if not levels or c in levels) or levels

    def _at(self, z: Floats, days: Floats) -> Floats:
        return self.distribution.at(z, days) * self.spec.mm_or_g

    def median(self, ga_days: ArrayLike) -> Floats:
        """Return the median in mm or g; NaN outside the chart's ages."""
        days = np.asarray(ga_days, np.float64)
        inside = self._inside(days)
        with np.errstate(all="ignore"):
            return np.where(inside, self.distribution.median(days) * self.spec.mm_or_g, np.nan)

    def place_many(self, values: ArrayLike, ga_days: ArrayLike, *, convention: str = "") -> Placed:
        """Place many values (mm or g) at their ages in exact days; the two broadcast.

        Raises:
            GrowthError: the chart demands a convention and none is given.
        """
        days, wanted = np.asarray(ga_days, np.float64), self.spec.demands_convention
        sizes = np.asarray(values, np.float64)
        if wanted:
            require_convention(convention, self.name)
            sizes = convert_bpd(sizes, given=convention, wanted=wanted)
        with np.errstate(all="ignore"):
            sizes, days = np.broadcast_arrays(sizes, days)
            refused = first_reason(self._ages_refused(days), self._sizes_refused(sizes, days))
            z, centile, beyond = self.distribution.place(sizes / self.spec.mm_or_g, days)
        good = refused == Reason.NONE
        return Placed(
            np.where(good, z, np.nan), np.where(good, centile, np.nan), beyond * good, refused
        )

    def place(self, value: float, ga_days: float, *, convention: str = "") -> ChartPoint:
        """Place one value (mm or g) at an age in exact days.

        Raises:
            GrowthError: the age is outside the chart, the value impossible, or the chart demands
                a convention that is not given.
        """
        placed = self.place_many(value, ga_days, convention=convention)
        self._refuse(Reason(int(placed.refused)), value, ga_days)
        known = self.distribution.has_z
        sign = {-1: "<", 0: "", 1: ">"}[int(placed.beyond)]
        return ChartPoint(
            float(placed.z) if known else None,
            float(placed.centile) if known else None,
            sign,
            float(self.median(ga_days)),
        )

    def value_many(
        self, *, ga_days: ArrayLike, centile: ArrayLike | None = None, z: ArrayLike | None = None
    ) -> Floats:
        """Return the values (mm or g) at a centile or a z score, broadcast with the ages.

        NaN outside the chart's ages and beyond its outermost curves.

        Raises:
            GrowthError: not one of centile and z is given.
        """
        days = np.asarray(ga_days, np.float64)
        if (centile is None) == (z is None):
            raise GrowthError(f"{self.name}: give a centile or a z score, one of them")
        scores = z_of(np.asarray(centile, np.float64)) if z is None else np.asarray(z, np.float64)
        with np.errstate(all="ignore"):
            return np.where(self._inside(days), self._at(scores, days), np.nan)

    def value(self, ga_days: float, *, centile: float) -> float:
        """Return the value (mm or g) at one centile and age.

        Raises:
            GrowthError: the age is outside the chart, or the chart has no such centile.
        """
        self._refuse(Reason(int(self._ages_refused(np.array(ga_days)))), None, ga_days)
        found = float(self.value_many(ga_days=ga_days, centile=centile))
        if not np.isfinite(found):
            levels = self.distribution.levels
            known = f"{levels[0]:g} to {levels[-1]:g}" if levels else "between 0 and 100"
            raise GrowthError(f"{self.name}: no centile {centile:g}; it has {known}")
        return found

    def curves(self, centiles: Sequence[float] = (), step_days: int = 1) -> CentileCurves:
        """Return samples of its centile curves over its whole range, for drawing."""
        low, high = self.spec.ga_days
        days = np.append(np.arange(low, high, step_days), high)
        drawn = tuple(centiles) or self.centiles
        values = self.value_many(ga_days=days, centile=np.array(drawn)[:, None])
        return CentileCurves(
            self.name,
            self.spec.measurement,
            self.spec.output_unit,
            tuple(map(float, days)),
            drawn,
            tuple(tuple(map(float, row)) for row in values),
        )

    def dips(self) -> tuple[Dip, ...]:
        """Return where a centile curve falls from day to day, as some published ones do."""
        low, high = (int(day) for day in self.spec.ga_days)
        days = np.arange(low, high + 1)
        levels = self.distribution.levels or SEARCHED
        found = []
        for level in levels:
            falls = np.diff(self.value_many(ga_days=days, centile=level)) < -1e-9
            for part in _runs(falls):
                first, last = int(days[part[0]]), int(days[part[-1] + 1])
                ends = self.value_many(ga_days=[first, last], centile=level)
                found.append(Dip(level, first, last, float(ends[0] - ends[1])))
        return tuple(found)

    def describe(self) -> dict[str, Any]:
        """Return everything the chart says about itself, as JSON has it."""
        return {
            **self.spec.describe(),
            "centiles": list(self.distribution.levels) or "all",
            "has_z": self.distribution.has_z,
        }

    def _inside(self, days: Floats) -> NDArray[np.bool_]:
        return (days >= self.spec.ga_days[0]) & (days <= self.spec.ga_days[1])

    def _ages_refused(self, days: Floats) -> Codes:
        return first_reason(
            code_where(~np.isfinite(days), Reason.AGE_MISSING),
            code_where((days > 0) & (days < FEWEST_DAYS), Reason.AGE_IN_WEEKS),
            code_where(~self._inside(days), Reason.AGE_OUTSIDE),
        )

    def _sizes_refused(self, values: Floats, days: Floats) -> Codes:
        share = values / (self.distribution.median(days) * self.spec.mm_or_g)
        weighs = self.spec.output_unit == "g"

        def like(factor: float) -> NDArray[np.bool_]:
            return (share * factor > 0.4) & (share * factor < 2.5)

        impossible = (share < LEAST_SHARE) | (share > MOST_SHARE)
        return first_reason(
            code_where(np.isnan(values), Reason.MISSING),
            code_where(~np.isfinite(values) | (values <= 0), Reason.NOT_A_NUMBER),
            code_where(impossible & (not weighs) & like(10), Reason.CENTIMETRES),
            code_where(impossible & (not weighs) & like(0.1), Reason.TENFOLD),
            code_where(impossible & weighs & like(1000), Reason.KILOGRAMS),
            code_where(impossible, Reason.IMPLAUSIBLE),
        )

    def _refuse(self, reason: Reason, value: float | None, ga_days: float) -> None:
        if reason is Reason.NONE:
            return
        low, high = self.spec.ga_days
        what = "" if value is None else f"{self.spec.measurement} {value:g} "
        unit = "" if value is None else f"{self.spec.output_unit} "
        raise GrowthError(
            f"{self.name}: {what}{unit}at {ga_days:g} days: {reason.words} (this chart is for "
            f"{self.spec.measurement} in {self.spec.output_unit}, {low:g} to {high:g} days)"
        )


def _runs(mask: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Return the indices of every run of neighbouring true values."""
    indices = np.flatnonzero(mask)
    parts = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return [part for part in parts if len(part)]
