"""The rows of TID 5000, 5001, 5002, 5006, 5008 and 5009, as data.

Rows are numbered as in the standard. A template is extensible: items of other concepts may stand
between its rows, and are neither counted nor faulted.

References:
    DICOM PS3.16 2025, OB-GYN Report Templates, for TID 5000 and 5001; 2020a for TID 5002; 2024c for
    TID 5009; 2015c for rows 1 to 4 of TID 300; as printed in J Am Med Inform Assoc 2005;12:72-83,
    tables 3 and 4, for TID 5006 and 5008. Of TID 5003 to 5005, 5007 and 5010 to 5030 the rows are
    not known here; of what stands in them the context groups of DICOM's dictionary are.
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

#: Context groups of the sites that biometry is measured at.
SITES = (12020, 12021, 12022)


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
    """A template: its number, its title and the rows below its container.

    `ordered` is whether their order is known to be significant; `one_of` are rows of which at least
    one is mandatory.
    """

    number: str
    title: str
    rows: tuple[Row, ...]
    ordered: bool = True
    one_of: tuple[str, ...] = ()


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

#: Its rows are as printed; whether their order is significant is not known here.
SUMMARY = Template(
    "5002",
    "OB-GYN Procedure Summary Section",
    (
        Row("2", CONTAINS, ("DATE",), group=12003, most=None),
        Row("3", CONTAINS, ("NUM",), group=12018, most=None),
        Row("4", CONTAINS, ("TEXT",), (c.COMMENT,), most=None),
        Row("6", CONTAINS, ("CONTAINER",), (c.FETUS_SUMMARY,), most=None),
    ),
    ordered=False,
)

#: What is scored from 0 to 2, and its sum.
SCORES = ("11631-9", "11632-7", "11635-0", "11633-5", "11630-1")
SUM_OF_SCORES = "11634-3"

PROFILE = Template(
    "5009",
    "Fetal Biophysical Profile Section",
    (
        Row("2", CONTEXT, ("TEXT",), (c.FETUS_ID,)),
        *(Row(str(k), CONTAINS, ("NUM",), (ln(code),)) for k, code in enumerate(SCORES, start=3)),
        Row("8", CONTAINS, ("NUM",), (ln(SUM_OF_SCORES),)),
    ),
    one_of=("3", "4", "5", "6", "7"),
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
TEMPLATES: Mapping[Key, Template] = {
    c.PATIENT: PATIENT,
    c.SUMMARY: SUMMARY,
    c.LONG_BONES: LONG_BONES,
    c.PROFILE: PROFILE,
}

#: Sections whose rows are not known here, with the template that they are of.
UNKNOWN_ROWS: Mapping[Key, str] = {
    c.FETUS_SUMMARY: "5003",
    c.RATIOS: "5004",
    c.BIOMETRY: "5005",
    c.CRANIUM: "5007",
    c.FINDINGS: "5010, 5012 or 5013",
    c.EARLY: "5011",
    dcm("125011"): "5015",
    dcm("131370"): "5030",
}

#: Of the measurement itself (TID 300): child → relationship, type, context groups of its value.
MEASUREMENT: Mapping[Key, tuple[str, str, tuple[int, ...]]] = {
    c.DERIVATION: (MODIFIER, "CODE", (DERIVATIONS,)),
    c.SITE: (MODIFIER, "CODE", SITES),
    c.METHOD: (MODIFIER, "CODE", ()),
    c.SELECTION: (PROPERTIES, "CODE", (SELECTIONS,)),
    c.NORMALITY: (PROPERTIES, "CODE", (222,)),
    ("371884006", "SCT"): (PROPERTIES, "NUM", ()),
    ("371885007", "SCT"): (PROPERTIES, "NUM", ()),
    ("371886008", "SCT"): (PROPERTIES, "NUM", ()),
    ("385524004", "SCT"): (PROPERTIES, "NUM", ()),
    ("371933006", "SCT"): (PROPERTIES, "NUM", ()),
    c.CENTILE_OF_VALUE: (PROPERTIES, "NUM", ()),
    c.Z_OF_VALUE: (PROPERTIES, "NUM", ()),
}

#: What stands directly in a section whose rows are not known: context groups of its numbers.
NUMBERS_OF: Mapping[Key, tuple[int, ...]] = {
    c.SUMMARY: (12018,),
    c.FETUS_SUMMARY: (12019,),
    c.RATIOS: (12004,),
}

#: Sections whose measurements stand in groups.
GROUPED = tuple(BIOMETRY_GROUPS)

#: Number → the context groups of the equation or table that it was worked out by (CID 228).
EQUATIONS_OF: Mapping[Key, tuple[int, ...]] = {
    **{ln(code): (12013,) for code in ("18185-9", "11888-5", "11884-4", "11885-1", "11886-9")},
    ln("11727-5"): (12014,),
    ln("11767-1"): (12016, 12015),
    c.CENTILE: (12015,),
    c.Z_SCORE: (12015,),
    c.CENTILE_OF_VALUE: (12015, 12016),
    c.Z_OF_VALUE: (12015, 12016),
}
EQUATION_GROUPS = (12013, 12014, 12015, 12016)

#: Concepts that are told in one way alone: context group → value type.
TOLD_AS: Mapping[int, str] = {12003: "DATE", 12004: "NUM", 12018: "NUM", 12019: "NUM"}

#: Lengths among the context groups of biometry: all but products and areas.
NO_LENGTHS = (ln("33191-8"), ln("11824-0"), ln("33068-8"))
LENGTH_GROUPS = (12005, 12006, 12007, 12009)

#: What a unit has to be, by concept: UCUM codes.
LENGTH, AGE, MASS = ("mm", "cm", "m"), ("d", "wk"), ("g", "kg")
HEIGHT, BODY_WEIGHT = (*LENGTH, "[in_i]", "[ft_i]"), (*MASS, "[lb_av]")
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
    ln("8302-2"): HEIGHT,
    ln("29463-7"): BODY_WEIGHT,
}
