"""Do the sizes of one fetus go together?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

#: Mean sizes in mm by week, outer to outer; Papageorghiou AT et al. Lancet 2014;384:869-879.
WEEKS = (14, 16, 18, 20, 22, 24, 28, 32, 36, 40)
MEANS_MM = {
    "HC": (97.9, 122.9, 147.9, 172.5, 196.3, 219.1, 260.4, 294.4, 319.4, 333.9),
    "AC": (80.6, 103.2, 125.6, 147.7, 169.6, 191.2, 233.3, 273.9, 312.8, 349.8),
    "FL": (13.1, 19.5, 25.5, 31.3, 36.7, 41.9, 51.3, 59.4, 66.4, 72.1),
}

#: HC / AC by week: the quotient of the same standard's means, +- 2 SD, those of HC and AC being
#: taken as independent (they go together, so that the true range is narrower).
HC_AC = (
    (14, 20, 24, 28, 32, 36, 40),
    (1.03, 1.01, 1.00, 0.98, 0.95, 0.89, 0.81),
    (1.40, 1.33, 1.29, 1.25, 1.20, 1.15, 1.10),
)


def outer_inner(bpd_mm: float) -> float:
    """Return the outer-to-inner BPD, in mm, of an outer-to-outer one.

    References:
        Wong HS et al. 2018, PMC8409806: outer-outer = 0.555934 + 1.027318 outer-inner (mm).
    """
    return (bpd_mm - 0.555934) / 1.027318


@dataclass(frozen=True)
class Ratio:
    """One measurement over another: from which week on it is judged, and its range by week.

    It is left alone where a better one, with the measurement `better`, is known.
    """

    over: str
    under: str
    from_week: float
    limits: Callable[[float], tuple[float, float]]
    better: str = ""

    @property
    def name(self) -> str:
        """The two names."""
        return f"{self.over}/{self.under}"


def _hc_ac(week: float) -> tuple[float, float]:
    weeks, low, high = HC_AC
    return float(np.interp(week, weeks, low)), float(np.interp(week, weeks, high))


def _fl_hc(week: float) -> tuple[float, float]:
    middle = 0.138 + 0.00216 * week
    return middle - 0.04, middle + 0.04


#: FL/HC: Hadlock FP et al. 1984, 0.138 + 0.00216 weeks, +- 2 SD of 0.02. FL/AC: Hadlock FP et al.
#: AJR 1983;141:979-984, 22 +- 2 % after 21 weeks. FL/BPD: Hohler CW, Quetel TA. Am J Obstet
#: Gynecol 1981;141:759-762, 79 +- 8 % after 23 weeks, BPD outer to inner; it depends on the shape
#: of the head, and INTERGROWTH-21st's own means lie below 71 % until 25 weeks.
RATIOS = (
    Ratio("HC", "AC", 14, _hc_ac),
    Ratio("FL", "HC", 14, _fl_hc),
    Ratio("FL", "AC", 21, lambda _: (0.20, 0.24)),
    Ratio("FL", "BPD", 23, lambda _: (0.71, 0.87), better="HC"),
)


def age_weeks(values_mm: Mapping[str, float]) -> float | None:
    """Return the age that HC, AC and FL stand for, in weeks from 14 to 40, or None of none.

    The median of the weeks in which they are the mean size: of three, one that is wrong does not
    count. Good enough to choose a ratio's range; it dates no pregnancy.
    """
    ages = [
        float(np.interp(values_mm[name], means, WEEKS))
        for name, means in MEANS_MM.items()
        if name in values_mm
    ]
    return float(np.median(ages)) if ages else None


def _is_judged(ratio: Ratio, values_mm: Mapping[str, float], week: float) -> bool:
    known = ratio.over in values_mm and ratio.under in values_mm
    return known and week >= ratio.from_week and ratio.better not in values_mm


def _conflict(ratio: Ratio, values_mm: Mapping[str, float], week: float) -> str | None:
    """Return in words how a ratio lies outside its range, or None."""
    under = values_mm[ratio.under]
    found = values_mm[ratio.over] / (outer_inner(under) if ratio.under == "BPD" else under)
    low, high = ratio.limits(week)
    if low <= found <= high:
        return None
    return f"{ratio.name} {found:.2f}, expected {low:.2f} to {high:.2f} at {week:.0f} weeks' size"


def disagreeing(values_mm: Mapping[str, float]) -> dict[str, str]:
    """Return the measurements of one fetus that do not go together, and in words why.

    `values_mm` is in mm by name (HC, AC, FL, BPD outer to outer); others are not looked at. A
    ratio outside its range names both of its measurements: which one is wrong is not known.
    """
    week = age_weeks(values_mm)
    if week is None:
        return {}
    reasons: dict[str, list[str]] = {}
    for ratio in (ratio for ratio in RATIOS if _is_judged(ratio, values_mm, week)):
        reason = _conflict(ratio, values_mm, week)
        if reason is not None:
            reasons.setdefault(ratio.over, []).append(reason)
            reasons.setdefault(ratio.under, []).append(reason)
    return {name: "; ".join(texts) for name, texts in reasons.items()}
