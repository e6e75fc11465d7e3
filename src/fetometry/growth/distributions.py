"""How sizes spread at one age: normal, LMS, centile curves, or a median alone.

Every one places values among the fetuses of an age (`place`) and gives the value at a z score
(`at`), on arrays that broadcast. Values are in the chart's own unit, ages in days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from fetometry.growth.normal import centile_of, z_of
from fetometry.growth.numbers import OfAge
from fetometry.growth.refusals import ChartError, Floats

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Scale:
    """The scale on which sizes are spread: forward from the value, and back."""

    forward: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


def _same(values: Floats) -> Floats:
    return values


SCALES = {
    "value": Scale(_same, _same),
    "ln": Scale(np.log, np.exp),
    "log10": Scale(np.log10, lambda y: np.power(10.0, y)),
}


class Distribution(Protocol):
    """Where a value stands among those of its age.

    `levels` are the centiles that a chart of printed curves has, rising; empty where every
    centile can be worked out.
    """

    @property
    def levels(self) -> tuple[float, ...]:
        """The centiles of a chart of curves."""
        ...

    @property
    def has_z(self) -> bool:
        """Whether the spread is known."""
        ...

    def place(self, values: Floats, days: Floats) -> tuple[Floats, Floats, Signs]:
        """Return z, centile (0 to 100), and -1 or 1 where they are only the outermost level's."""
        ...

    def at(self, z: Floats, days: Floats) -> Floats:
        """Return the value at a z score; NaN beyond the outermost level."""
        ...

    def median(self, days: Floats) -> Floats:
        """Return the value at the 50th centile."""
        ...


@dataclass(frozen=True)
class Normal:
    """Normal on a scale: z = (f(x) - mean) / sd."""

    scale: Scale
    mean: OfAge
    sd: OfAge
    levels: ClassVar[tuple[float, ...]] = ()
    has_z: ClassVar[bool] = True

    def place(self, values: Floats, days: Floats) -> tuple[Floats, Floats, Signs]:
        """Return z, centile and 0: nothing is beyond."""
        z = (self.scale.forward(values) - self.mean(days)) / self.sd(days)
        return z, centile_of(z), np.zeros(z.shape, np.int8)

    def at(self, z: Floats, days: Floats) -> Floats:
        """Return the value at a z score."""
        return self.scale.back(self.mean(days) + z * self.sd(days))

    def median(self, days: Floats) -> Floats:
        """Return the value at the 50th centile."""
        return self.scale.back(self.mean(days))


@dataclass(frozen=True)
class LMS:
    """Normal after a Box-Cox power on a scale: z = ((f(x) / m)^l - 1) / (l s).

    References:
        Cole TJ, Green PJ. Statistics in Medicine 1992;11:1305-1319.
    """

    scale: Scale
    power: OfAge
    middle: OfAge
    spread: OfAge
    levels: ClassVar[tuple[float, ...]] = ()
    has_z: ClassVar[bool] = True

    def place(self, values: Floats, days: Floats) -> tuple[Floats, Floats, Signs]:
        """Return z, centile and 0: nothing is beyond."""
        power, logarithm = self.power(days), np.log(self.scale.forward(values) / self.middle(days))
        # expm1 keeps its digits where the power is nearly 0, where z is the logarithm / s
        flat = power == 0
        bent = np.expm1(power * logarithm) / np.where(flat, 1, power)
        z = np.where(flat, logarithm, bent) / self.spread(days)
        return z, centile_of(z), np.zeros(z.shape, np.int8)

    def at(self, z: Floats, days: Floats) -> Floats:
        """Return the value at a z score; NaN where the power has no such value."""
        power, steps = self.power(days), self.spread(days) * z
        flat = power == 0
        bent = np.log1p(power * steps) / np.where(flat, 1, power)
        return self.scale.back(self.middle(days) * np.exp(np.where(flat, steps, bent)))

    def median(self, days: Floats) -> Floats:
        """Return the value at the 50th centile."""
        return self.scale.back(self.middle(days))


@dataclass(frozen=True)
class Curves:
    """Centile curves, and nothing known beyond the outermost.

    Between two curves the centile (`by_z` false) or the z score (true) is straight in the value
    on its scale.
    """

    scale: Scale
    levels: tuple[float, ...]
    curves: tuple[OfAge, ...]  # on the scale
    by_z: bool
    has_z: ClassVar[bool] = True

    def __post_init__(self) -> None:
        inside = all(0 < level < 100 for level in self.levels)
        if len(self.levels) < 2 or not inside or not np.all(np.diff(self.levels) > 0):
            raise ChartError(f"centiles must rise between 0 and 100, got {self.levels}")

    def _steps(self) -> Floats:
        levels = np.array(self.levels)
        return z_of(levels) if self.by_z else levels

    def place(self, values: Floats, days: Floats) -> tuple[Floats, Floats, Signs]:
        """Return z, centile, and -1 or 1 where the value is beyond the outermost curve."""
        steps = self._steps()
        y = self.scale.forward(values)
        low = self.curves[0](days)
        found = np.full(np.broadcast(y, low).shape, steps[0])
        beyond = np.where(y < low, -1, 0).astype(np.int8)
        for curve, below, above in zip(self.curves[1:], steps[:-1], steps[1:], strict=True):
            high = curve(days)
            share = (y - low) / np.where(high > low, high - low, np.inf)
            np.copyto(found, below + share * (above - below), where=(y >= low) & (y <= high))
            low = high
        above_all = y > low
        found = np.where(above_all, steps[-1], found)
        beyond = np.where(above_all, 1, beyond).astype(np.int8)
        found = np.where(np.isfinite(y) & np.isfinite(low), found, np.nan)
        if self.by_z:
            return found, centile_of(found), beyond
        return z_of(found), found, beyond

    def at(self, z: Floats, days: Floats) -> Floats:
        """Return the value at a z score; NaN beyond the outermost curve."""
        steps = self._steps()
        wanted = z if self.by_z else centile_of(z)
        low = self.curves[0](days)
        shape = np.broadcast(wanted, low).shape
        found = np.full(shape, np.nan)
        for curve, below, above in zip(self.curves[1:], steps[:-1], steps[1:], strict=True):
            high = curve(days)
            # a level that went through its z score and back is off by a rounding error
            slack = 1e-9 * (above - below)
            inside = (wanted >= below - slack) & (wanted <= above + slack)
            np.copyto(found, low + (wanted - below) / (above - below) * (high - low), where=inside)
            low = high
        return self.scale.back(found)

    def median(self, days: Floats) -> Floats:
        """Return the value at the 50th centile."""
        return self.at(np.zeros(()), days)


@dataclass(frozen=True)
class MedianOnly:
    """A median whose spread is not known: no z score and no centile."""

    middle: OfAge
    levels: ClassVar[tuple[float, ...]] = (50.0,)
    has_z: ClassVar[bool] = False

    def place(self, values: Floats, days: Floats) -> tuple[Floats, Floats, Signs]:
        """Return nothing but NaN: there is no place without a spread."""
        nothing = np.full(np.broadcast(values, days).shape, np.nan)
        return nothing, nothing, np.zeros(nothing.shape, np.int8)

    def at(self, z: Floats, days: Floats) -> Floats:
        """Return the median where z is 0, else NaN."""
        return np.where(z == 0, self.middle(days), np.nan)

    def median(self, days: Floats) -> Floats:
        """Return the median."""
        return self.middle(days)
