"""Coded concepts: equal by code and scheme, the retired SRT codes as their SCT successors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Code value and coding scheme designator: what a concept is known by.
Key = tuple[str, str]

#: The schemes whose codes anybody can look up; another one is a manufacturer's own.
STANDARD = ("DCM", "LN", "SCT", "SRT", "SNM3", "UCUM", "RFC5646", "ISO639_1", "ISO639_2", "UMLS")

#: The schemes that DICOM wrote SNOMED codes in before SCT.
_OLD_SNOMED = ("SRT", "SNM3", "99SDM")

#: Old SNOMED code → SCT, for what a report of biometry says (DICOM PS3.16, annex O).
SRT_TO_SCT: Mapping[str, str] = {
    "G-C0E3": "363698007",  # finding site, measurement method
    "G-C036": "370129005",
    "R-41D41": "258104002",  # derivations: measured
    "R-41D2D": "258090004",
    "R-10260": "414135002",
    "R-00317": "373098007",
    "R-00319": "373099004",
    "R-0032E": "373100007",
    "R-002E1": "371912002",
    "R-00353": "371914001",
    "R-00355": "371913007",
    "R-41D27": "258083009",
    "R-00363": "371884006",  # uncertainty, lower, upper
    "R-00362": "371885007",
    "R-00364": "371886008",
    "R-00377": "371890005",  # centiles and sigmas of a population
    "R-00397": "371888009",
    "R-00338": "371887004",
    "R-00337": "371889001",
    "R-00347": "371919006",
    "R-00346": "371917008",
    "R-00388": "371918003",
    "R-00387": "371920000",
    "R-41F90": "385524004",  # normal range
    "R-0038B": "371933006",
    "R-42037": "263654008",  # normality
    "R-002C4": "371879000",
    "R-002C5": "371880002",
    "G-A460": "17621005",
    "R-0039B": "371934000",
    "T-12710": "71341001",  # sites: femur, skull, trunk, the other long bones
    "T-11100": "89546000",
    "T-D2000": "22943007",
    "T-12310": "51299004",
    "T-12750": "87342007",
    "T-12420": "62413002",
    "T-12740": "12611008",
    "T-12430": "23416004",
}


@dataclass(frozen=True)
class Concept:
    """A coded concept as the file has it: code value, scheme, meaning."""

    code: str
    scheme: str
    meaning: str = ""

    @property
    def key(self) -> Key:
        """Code and scheme, an old SNOMED code as its SCT successor where that is known."""
        if self.scheme in _OLD_SNOMED and self.code in SRT_TO_SCT:
            return SRT_TO_SCT[self.code], "SCT"
        return self.code, self.scheme

    @property
    def private(self) -> bool:
        """Whether the scheme is a manufacturer's own."""
        return self.scheme not in STANDARD

    @property
    def text(self) -> str:
        """The concept as it is shown: (11984-2, LN, "Head Circumference")."""
        return f'({self.code}, {self.scheme}, "{self.meaning}")'


def ln(code: str) -> Key:
    """Return the key of a LOINC code."""
    return code, "LN"


def dcm(code: str) -> Key:
    """Return the key of a code that DICOM itself defines."""
    return code, "DCM"


REPORT = dcm("125000")
RATIOS, BIOMETRY, LONG_BONES, CRANIUM = (dcm(f"12500{digit}") for digit in (1, 2, 3, 4))
GROUP, PROFILE, FETUS_SUMMARY, EARLY = (dcm(f"12500{digit}") for digit in (5, 6, 8, 9))
SUMMARY, PATIENT, LIBRARY, FINDINGS = dcm("121111"), dcm("121118"), dcm("111028"), dcm("121070")

#: The sections that speak of one fetus.
OF_A_FETUS = (RATIOS, BIOMETRY, LONG_BONES, CRANIUM, PROFILE, FETUS_SUMMARY, EARLY)

FETUS_ID, SUBJECT_ID, SUBJECT_CLASS = ln("11951-1"), dcm("121030"), dcm("121024")
FETUS = dcm("121026")
LANGUAGE, COMMENT = dcm("121049"), dcm("121106")
DERIVATION, SELECTION = dcm("121401"), dcm("121404")
SITE, METHOD = ("363698007", "SCT"), ("370129005", "SCT")
MEASURED, CALCULATED, ESTIMATED, MEAN = (
    (code, "SCT") for code in ("258104002", "258090004", "414135002", "373098007")
)
MEAN_CHOSEN = dcm("121412")
NORMALITY = dcm("121402")
GESTATIONAL_AGE, CENTILE, Z_SCORE = ln("18185-9"), dcm("125012"), dcm("125013")

#: Ranks by further charts, as properties of the measurement itself.
CENTILE_OF_VALUE, Z_OF_VALUE = dcm("121415"), dcm("121416")

#: Where a number came from: an equation or a table as a code, or its citation as text.
BASES_CODED = (dcm("121420"), dcm("121424"))
BASES_CITED = (dcm("121421"), dcm("121422"), dcm("121423"))
BASES = (*BASES_CODED, *BASES_CITED)

#: Concept → what people call it. What is not here keeps its own meaning as its name.
NAMES: Mapping[Key, str] = {
    ln("11984-2"): "HC",
    ln("11820-8"): "BPD",
    ln("11851-3"): "OFD",
    ln("11979-2"): "AC",
    ln("11818-2"): "APAD",
    ln("11862-0"): "TAD",
    ln("11963-6"): "FL",
    ln("11957-8"): "CRL",
    GESTATIONAL_AGE: "GA",
    ln("11888-5"): "composite age",
    ln("11884-4"): "average age",
    ln("11885-1"): "age by LMP",
    ln("11727-5"): "EFW",
    ln("11767-1"): "EFW centile",
    ln("11823-2"): "CI",
    ln("11871-1"): "FL/AC",
    ln("11872-9"): "FL/BPD",
    ln("11873-7"): "FL/HC",
    ln("11947-9"): "HC/AC",
    CENTILE: "centile",
    Z_SCORE: "z",
    CENTILE_OF_VALUE: "centile",
    Z_OF_VALUE: "z",
}

#: Ratios: a report has them in percent, or as a share of one.
RATIO_CODES = tuple(ln(c) for c in ("11823-2", "11871-1", "11872-9", "11873-7", "11947-9"))


def name_of(concept: Concept | None) -> str:
    """Return what people call a concept."""
    if concept is None:
        return "(no name)"
    return NAMES.get(concept.key) or concept.meaning or concept.code
