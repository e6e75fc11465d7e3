"""What a structured report says, whoever wrote it: fetuses, values, what they rest on.

Lengths are in mm, weights in g, ages in days, ratios and centiles in percent; a value in a unit
that is none of these keeps its own. Points are (row, col) in pixels of the source image, (0, 0)
being the centre of the first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetometry.errors import FetometryError

SCHEMA = "fetometry-sr/1"


class ReportError(FetometryError):
    """The file is not a structured report that can be read."""


@dataclass(frozen=True)
class Basis:
    """What a number rests on: an equation or a table as a code, or its citation as text.

    `how` is DICOM's word for it, such as "Equation" or "Table of Values Citation".
    """

    how: str
    text: str
    code: str = ""
    scheme: str = ""


@dataclass(frozen=True)
class Property:
    """A number about a number: uncertainty, a limit of the normal range, another chart's rank.

    It may have numbers and comments of its own. `position` is that of DICOM's own references.
    """

    name: str
    value: float
    unit: str
    bases: tuple[Basis, ...] = ()
    properties: tuple[Property, ...] = ()
    comments: tuple[str, ...] = ()
    position: str = ""


@dataclass(frozen=True)
class Shape:
    """Where a value was measured: a graphic on one frame of one image, points as (row, col)."""

    graphic: str
    points: tuple[tuple[float, float], ...]
    image: str = ""
    frame: int | None = None


@dataclass(frozen=True)
class Reported:
    """One number of a report.

    `name` is HC, FL, GA and so on, or the report's own word where we have none. `of` is the
    measurement whose group an age, a centile or a z stands in. `given` is the number with its unit
    as the file has it. `derivation` and `selection` are the report's words, such as "Mean" and
    "Most recent value chosen"; `derivation_code` is the SCT code behind the first, where known.
    `method` is the convention, where one is given. `position` is that of DICOM's own references.
    """

    name: str
    code: str
    scheme: str
    value: float
    unit: str
    given: str
    section: str
    position: str
    of: str = ""
    derivation: str = ""
    derivation_code: str = ""
    selection: str = ""
    site: str = ""
    method: str = ""
    bases: tuple[Basis, ...] = ()
    properties: tuple[Property, ...] = ()
    shapes: tuple[Shape, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The value that counts among the repeats of a measurement, and why it is that one."""

    value: Reported
    why: str
    count: int


#: SCT codes of derivations that are not a measurement's own (calculated, estimated).
_WORKED_OUT = ("258090004", "414135002")
_MEAN = "373098007"


@dataclass(frozen=True)
class Fetus:
    """What a report says about one fetus; `id` is empty where it names none."""

    id: str
    values: tuple[Reported, ...]

    def repeats(self, name: str) -> tuple[Reported, ...]:
        """Return every value of a measurement, in the order of the document."""
        return tuple(v for v in self.values if v.name == name and not v.of)

    def names(self) -> tuple[str, ...]:
        """Return what was measured or told, once each, in the order of the document."""
        return tuple(dict.fromkeys(v.name for v in self.values if not v.of))

    def chosen(self, name: str) -> Chosen | None:
        """Return the value that counts, or None where there is none of this name.

        It is the one that the report marks as selected, else the mean, else the only one that
        was measured rather than calculated, else the last.

        References:
            DICOM PS3.16 TID 5008: the selected measurement or the mean, in that order.
        """
        values = self.repeats(name)
        if not values:
            return None
        marked = [v for v in values if v.selection]
        if marked:
            return Chosen(marked[-1], marked[-1].selection, len(values))
        if len(values) == 1:
            return Chosen(values[0], "the only one", 1)
        means = [v for v in values if v.derivation_code == _MEAN]
        if means:
            return Chosen(means[-1], "the mean", len(values))
        direct = [v for v in values if v.derivation_code not in _WORKED_OUT]
        if len(direct) == 1:
            return Chosen(direct[0], "the only one that was not calculated", len(values))
        last = (direct or values)[-1]
        return Chosen(last, f"the last of {len(values)}; the report marks none", len(values))


@dataclass(frozen=True)
class Dated:
    """A date that the report gives, such as the EDD, as YYYY-MM-DD."""

    name: str
    code: str
    scheme: str
    date: str


@dataclass(frozen=True)
class StructuredReport:
    """One structured report.

    `header` has who, when and by whom (keys: `HEADER` in `read`). `values` are those that belong
    to no fetus, `texts` pairs of a name and its text or code. `remarks` say what was read although
    the standard has it otherwise.
    """

    source: str
    title: str
    template: str
    header: Mapping[str, str]
    fetuses: tuple[Fetus, ...]
    values: tuple[Reported, ...] = ()
    dates: tuple[Dated, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    predecessors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"schema": SCHEMA, **dataclasses.asdict(self), "header": dict(self.header)}
