"""The noun of what counts; `types` has it among the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Selected:
    """The value that counts for one measurement of one fetus, out of `count` repeats.

    `how` is best, median, mean or last, or chosen where a person said so. `sd` is the standard
    deviation of the repeats (of a cine alone, of its best frame and up to two neighbours on either
    side; None of one value), `smallest` and `largest` their range; `source` and `frame` are those
    of the repeat chosen, empty for a mean.
    """

    name: str
    fetus: str
    value: float
    unit: str
    low: float | None
    high: float | None
    how: str
    count: int
    sd: float | None
    smallest: float
    largest: float
    source: str = ""
    frame: int | None = None
    flags: tuple[str, ...] = ()
