"""What growth refuses: as an error for one value, as a code for each row of many.

FetometryError
└── GrowthError       an age, a size, a chart or a formula that do not go together
    └── ChartError    a chart file or a site profile has an unknown, missing or mistyped key
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import FetometryError

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class GrowthError(FetometryError):
    """An age, a size, a chart or a formula that do not go together."""


class ChartError(GrowthError):
    """A chart file or a site profile has an unknown, missing or mistyped key."""


class Reason(IntEnum):
    """Why a row was refused; NONE where it was not. The order is that of precedence."""

    NONE = 0
    MISSING = 1
    NOT_A_NUMBER = 2
    AGE_MISSING = 3
    AGE_IN_WEEKS = 4
    AGE_OUTSIDE = 5
    CENTIMETRES = 6
    TENFOLD = 7
    KILOGRAMS = 8
    IMPLAUSIBLE = 9
    OUTSIDE = 10
    UNITS_DIFFER = 11

    @property
    def flag(self) -> str:
        """The reason as a flag, such as `age-outside`; empty for NONE."""
        return "" if self is Reason.NONE else self.name.lower().replace("_", "-")

    @property
    def words(self) -> str:
        """The reason in words, with what to do."""
        return WORDS[self]


WORDS = {
    Reason.NONE: "",
    Reason.MISSING: "a measurement that is needed is missing",
    Reason.NOT_A_NUMBER: "not a positive number",
    Reason.AGE_MISSING: "the gestational age is missing or not a number of days",
    Reason.AGE_IN_WEEKS: "the gestational age looks like weeks; give exact days, such as 164",
    Reason.AGE_OUTSIDE: "the gestational age is outside the valid range",
    Reason.CENTIMETRES: "far too small; is it in cm? Millimetres are needed",
    Reason.TENFOLD: "about ten times too large; was it in mm already, or in tenths of one?",
    Reason.KILOGRAMS: "about a thousand times too small; is it in kg? Grams are needed",
    Reason.IMPLAUSIBLE: "no fetus has this size at this age",
    Reason.OUTSIDE: "outside the valid range of the formula",
    Reason.UNITS_DIFFER: "the sizes do not fit one fetus; is one of them in another unit?",
}


def first_reason(*codes: Codes) -> Codes:
    """Return for each row the first code (in the order given) that refuses it, else NONE."""
    found = codes[0].copy()
    for code in codes[1:]:
        np.copyto(found, code, where=found == Reason.NONE)
    return found


def code_where(mask: NDArray[np.bool_], reason: Reason) -> Codes:
    """Return the reason's code where the mask is true, NONE elsewhere."""
    return np.where(mask, np.uint8(reason), np.uint8(Reason.NONE))
