"""The rows of TID 5000, 5001, 5006 and 5008, as data.

Rows are numbered as in the standard. A template is extensible: items of other concepts may stand
between its rows, and are neither counted nor faulted.

References:
    DICOM PS3.16 2025, OB-GYN Report Templates, for TID 5000 and 5001; as printed in J Am Med Inform
    Assoc 2005;12:72-83, tables 3 and 4, for TID 5006 and 5008. Of TID 5002 to 5005, 5007 and 5009
    to 5030 the rows are not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fetometry.structured import concepts as c
from fetometry.structured.concepts import Key, dcm, ln

CONTAINS, CONTEXT, MODIFIER = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD"
PROPERTIES, INFERRED = "HAS PROPERTIES", "INFERRED FROM"

#: Context groups: biometry by the section that its groups stand in.
BIOMETRY_GROUPS: Mapping[Key, int] = {
    c.BIOMETRY: 12005,
    c.LONG_BONES: 12006,
    c.CRANIUM: 12007,
    c.EARLY: 12009,
}
DERIVATIONS, SELECTIONS = 3627, 224


@dataclass(frozen=True)
class Row:
    """One row: what an item is called, where it hangs, of what type it is, how often it may be.

    `concepts` are keys, `group` a context group that the name is of. `most` counts each concept
    apart; None is any number. `values` is the context group of a CODE's value.
    """

    number: str
    relationship: str
    value_types: tuple[str, ...]
    concepts: tuple[Key, ...] = ()
    group: int = 0
    most: int | None = 1
    mandatory: bool = False
    unit: str = ""
    values: int = 0
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Template:
    """A template: its number, its title and the rows below its container, in order."""

    number: str
    title: str
    rows: tuple[Row, ...]


def _section(number: str, key: Key, most: int | None = None) -> Row:
    return Row(number, CONTAINS, ("CONTAINER",), (key,), most=most)


def _patient(number: str, code: str) -> Row:
    return Row(number, CONTAINS, ("NUM",), (ln(code),))


def _basis(number: str, values: int) -> Row:
    # the rows have a CODE; the citations of TID 315 are TEXT, and extend them
    return Row(number, INFERRED, ("CODE", "TEXT"), c.BASES, most=None, values=values)


ROOT = Template(
    "5000",
    "OB-GYN Ultrasound Procedure Report",
    (
        Row("2", MODIFIER, ("CODE",), (c.LANGUAGE,)),
        Row("2b", "HAS ACQ CONTEXT", ("CODE",), (dcm("125203"),), most=None, values=12025),
        _section("4", c.PATIENT, 1),
        Row(
            "5",
            CONTAINS,
            ("CONTAINER",),
            (c.LIBRARY,),
            rows=(Row("6", CONTAINS, ("IMAGE",), most=None, mandatory=True),),
        ),
        _section("7", c.SUMMARY, 1),
        _section("8", c.RATIOS),
        _section("9", c.BIOMETRY),
        _section("10", c.LONG_BONES),
        _section("11", c.CRANIUM),
        _section("12", c.PROFILE),
        _section("12a", dcm("131370")),
        _section("13", c.EARLY),
    ),
)

PATIENT = Template(
    "5001",
    "OB-GYN Patient Characteristics",
    (
        Row("2", CONTAINS, ("TEXT",), (c.COMMENT,)),
        _patient("3", "8302-2"),
        _patient("4", "29463-7"),
        _patient("5", "11996-6"),
        _patient("6", "11977-6"),
        _patient("7", "11612-9"),
        _patient("8", "33065-4"),
    ),
)

LONG_BONES = Template(
    "5006",
    "Fetal Long Bones Section",
    (
        Row("2", CONTEXT, ("TEXT",), (c.FETUS_ID,)),
        Row("3", CONTAINS, ("CONTAINER",), (c.GROUP,), most=None, mandatory=True),
    ),
)

#: The ranks of row 7: each may stand once.
GROUP_RANKS = (c.CENTILE, c.Z_SCORE)

#: Row 2 depends on the section: `group_in` adds it.
_GROUP = Template(
    "5008",
    "Fetal Biometry Group",
    (
        Row(
            "3",
            CONTAINS,
            ("NUM",),
            (c.GESTATIONAL_AGE,),
            unit="d",
            rows=(
                _basis("4", 12013),
                Row("6", PROPERTIES, ("NUM",), group=226, most=None),
            ),
        ),
        Row(
            "7",
            CONTAINS,
            ("NUM",),
            GROUP_RANKS,
            group=12017,
            rows=(_basis("8", 12015),),
        ),
    ),
)


def group_in(biometry: Iterable[Key]) -> Template:
    """Return TID 5008 for a section whose measurements are these."""
    row = Row("2", CONTAINS, ("NUM",), tuple(biometry), most=None)
    return replace(_GROUP, rows=(row, *_GROUP.rows))


#: By their containers; a group depends on its section, and has `group_in`.
TEMPLATES: Mapping[Key, Template] = {c.PATIENT: PATIENT, c.LONG_BONES: LONG_BONES}

#: Sections whose rows are not known here, with the template that they are of.
UNKNOWN_ROWS: Mapping[Key, str] = {
    c.SUMMARY: "5002",
    c.FETUS_SUMMARY: "5003",
    c.RATIOS: "5004",
    c.BIOMETRY: "5005",
    c.CRANIUM: "5007",
    c.PROFILE: "5009",
    c.FINDINGS: "5010, 5012 or 5013",
    c.EARLY: "5011",
    dcm("125011"): "5015",
    dcm("131370"): "5030",
}

#: Of the measurement itself (TID 300): child → relationship, type, context group of its value.
MEASUREMENT: Mapping[Key, tuple[str, str, int]] = {
    c.DERIVATION: (MODIFIER, "CODE", DERIVATIONS),
    c.SITE: (MODIFIER, "CODE", 0),
    c.METHOD: (MODIFIER, "CODE", 0),
    c.SELECTION: (PROPERTIES, "CODE", SELECTIONS),
    dcm("121402"): (PROPERTIES, "CODE", 222),
    ("371884006", "SCT"): (PROPERTIES, "NUM", 0),
    ("371885007", "SCT"): (PROPERTIES, "NUM", 0),
    ("371886008", "SCT"): (PROPERTIES, "NUM", 0),
    c.CENTILE_OF_VALUE: (PROPERTIES, "NUM", 0),
    c.Z_OF_VALUE: (PROPERTIES, "NUM", 0),
}

#: Lengths among the context groups of biometry: all but products and areas.
NO_LENGTHS = (ln("33191-8"), ln("11824-0"), ln("33068-8"))
LENGTH_GROUPS = (12005, 12006, 12007, 12009)

#: What a unit has to be, by concept: UCUM codes.
LENGTH, AGE, MASS = ("mm", "cm", "m"), ("d", "wk"), ("g", "kg")
PERCENT, ONE, SHARE = ("%",), ("1",), ("%", "1")
UNITS: Mapping[Key, tuple[str, ...]] = {
    **{ln(code): LENGTH for code in ("11627-7", "11624-4", "11626-9", "11625-1", "11623-6")},
    **{ln(code): AGE for code in ("18185-9", "11888-5", "11884-4", "11885-1", "11886-9")},
    **dict.fromkeys(c.RATIO_CODES, SHARE),
    ln("11727-5"): MASS,
    ln("11767-1"): PERCENT,
    **dict.fromkeys((c.CENTILE, c.CENTILE_OF_VALUE), PERCENT),
    **dict.fromkeys((c.Z_SCORE, c.Z_OF_VALUE), ONE),
    ln("11878-6"): ONE,
}
