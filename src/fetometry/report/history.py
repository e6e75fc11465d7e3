"""Earlier exams of the same pregnancy, as a report shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fetometry.growth.nouns import Growth


class Change(Protocol):
    """How one measurement changed between two exams, on one chart; see `growth.Velocity`."""

    @property
    def name(self) -> str:
        """The measurement."""

    @property
    def chart(self) -> str:
        """The chart's name."""

    @property
    def unit(self) -> str:
        """Of the measurement: mm or g."""

    @property
    def from_days(self) -> float:
        """The age at the first exam."""

    @property
    def to_days(self) -> float:
        """The age at the second exam."""

    @property
    def per_week(self) -> float:
        """The change in `unit` a week."""

    @property
    def z_change(self) -> float | None:
        """The change of the z score; None where a score is not known, or only a bound."""


@dataclass(frozen=True)
class History:
    """The earlier exams of one fetus that can be compared, oldest first.

    `sources` are the documents that `growths` were read from, `whens` their dates, empty where not
    known; `left_out` are those that were not taken, with the reason.
    """

    growths: tuple[Growth, ...] = ()
    sources: tuple[str, ...] = ()
    changes: Sequence[Change] = field(default_factory=tuple)
    left_out: tuple[tuple[str, str], ...] = ()
    whens: tuple[str, ...] = ()
