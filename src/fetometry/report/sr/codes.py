"""Every coded term of the report, as plain data: for the writer, and for readers and checkers.

References:
    DICOM PS3.16 2024, TID 5000 to 5008, TID 300, TID 310, TID 320, TID 1001, TID 4019 and their
    context groups; LOINC; SNOMED CT; UCUM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Term(NamedTuple):
    """A coded term: its value, the scheme that defines it, and what it means."""

    value: str
    scheme: str
    meaning: str


#: Our own scheme, for what no public one has a term for.
OWN_SCHEME, OWN_SCHEME_NAME = "99FETOMETRY", "fetometry"

#: Document, sections and groups.
ROOT = Term("125000", "DCM", "OB-GYN Ultrasound Procedure Report")
PATIENT = Term("121118", "DCM", "Patient Characteristics")
LIBRARY = Term("111028", "DCM", "Image Library")
SUMMARY = Term("121111", "DCM", "Summary")
FETUS_SUMMARY = Term("125008", "DCM", "Fetus Summary")
RATIOS_SECTION = Term("125001", "DCM", "Fetal Biometry Ratios")
BIOMETRY_SECTION = Term("125002", "DCM", "Fetal Biometry")
LONG_BONES_SECTION = Term("125003", "DCM", "Fetal Long Bones")
GROUP = Term("125005", "DCM", "Biometry Group")

#: Template of each container that has one.
TEMPLATES: Mapping[Term, str] = {
    ROOT: "5000",
    PATIENT: "5001",
    SUMMARY: "5002",
    FETUS_SUMMARY: "5003",
    RATIOS_SECTION: "5004",
    BIOMETRY_SECTION: "5005",
    LONG_BONES_SECTION: "5006",
    GROUP: "5008",
}

#: Observation context.
LANGUAGE = Term("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Term("en", "RFC5646", "English")
OBSERVER_TYPE = Term("121005", "DCM", "Observer Type")
DEVICE = Term("121007", "DCM", "Device")
PERSON = Term("121006", "DCM", "Person")
PERSON_NAME = Term("121008", "DCM", "Person Observer Name")
DEVICE_UID = Term("121012", "DCM", "Device Observer UID")
DEVICE_NAME = Term("121013", "DCM", "Device Observer Name")
DEVICE_MANUFACTURER = Term("121014", "DCM", "Device Observer Manufacturer")
DEVICE_MODEL = Term("121015", "DCM", "Device Observer Model Name")
FETUS_ID = Term("11951-1", "LN", "Fetus ID")
FETUSES = Term("11878-6", "LN", "Number of Fetuses by US")
COMMENT = Term("121106", "DCM", "Comment")

#: Of the patient: what her file says of her, and the dates of the pregnancy that were counted with.
HEIGHT = Term("8302-2", "LN", "Patient Height")
BODY_WEIGHT = Term("29463-7", "LN", "Patient Weight")
LMP = Term("8665-2", "LN", "LMP")
DUE_DATE = Term("11778-8", "LN", "EDD")

#: Measurements by the names that they have everywhere else, in mm.
MEASUREMENTS: Mapping[str, Term] = {
    "HC": Term("11984-2", "LN", "Head Circumference"),
    "BPD": Term("11820-8", "LN", "Biparietal Diameter"),
    "OFD": Term("11851-3", "LN", "Occipital-Frontal Diameter"),
    "AC": Term("11979-2", "LN", "Abdominal Circumference"),
    "TAD": Term("11862-0", "LN", "Transverse Abdominal Diameter"),
    "APAD": Term("11818-2", "LN", "Anterior-Posterior Abdominal Diameter"),
    "FL": Term("11963-6", "LN", "Femur Length"),
}

#: Which of them are round: their points are an ellipse, those of the others two ends.
ROUND = frozenset({"HC", "AC"})

#: Which of them stand among the long bones.
LONG_BONES = frozenset({"FL"})

SKULL = Term("89546000", "SCT", "Skull")
ABDOMEN = Term("818981001", "SCT", "Abdomen")
FEMUR = Term("71341001", "SCT", "Femur")
SITES: Mapping[str, Term] = {
    **dict.fromkeys(("HC", "BPD", "OFD"), SKULL),
    **dict.fromkeys(("AC", "TAD", "APAD"), ABDOMEN),
    "FL": FEMUR,
}

#: What a segmentation or a region of interest shows, by the plane.
STRUCTURES: Mapping[str, Term] = {
    "head": Term("69536005", "SCT", "Head"),
    "abdomen": ABDOMEN,
    "femur": FEMUR,
}
ANATOMY = Term("91723000", "SCT", "Anatomical Structure")
ARTIFICIAL_INTELLIGENCE = Term("123110", "DCM", "Artificial Intelligence")

#: Measurement report (TID 1500).
MEASUREMENT_REPORT = Term("126000", "DCM", "Imaging Measurement Report")
FETUS = Term("121026", "DCM", "Fetus")
OBSTETRIC_SCAN = Term("268445003", "SCT", "Obstetric US scan")

#: Ratios by the names that growth gives them, in percent.
RATIOS: Mapping[str, Term] = {
    "cephalic_index": Term("11823-2", "LN", "Cephalic Index"),
    "fl_ac": Term("11871-1", "LN", "FL/AC"),
    "fl_bpd": Term("11872-9", "LN", "FL/BPD"),
    "fl_hc": Term("11873-7", "LN", "FL/HC"),
    "hc_ac": Term("11947-9", "LN", "HC/AC"),
}

#: Age, weight, ranks.
AGE = Term("18185-9", "LN", "Gestational Age")
AGE_BY_LMP = Term("11885-1", "LN", "Gestational Age by LMP")
COMPOSITE_AGE = Term("11888-5", "LN", "Composite Ultrasound Age")
WEIGHT = Term("11727-5", "LN", "Estimated Weight")
WEIGHT_RANK = Term("11767-1", "LN", "EFW percentile rank")
GROWTH_RANK = Term("125012", "DCM", "Growth Percentile Rank")
GROWTH_Z = Term("125013", "DCM", "Growth Z-score")
RANK_OF_MEASUREMENT = Term("121415", "DCM", "Percentile Ranking of measurement")
Z_OF_MEASUREMENT = Term("121416", "DCM", "Z-Score of measurement")

#: What says more about a number.
DERIVATION = Term("121401", "DCM", "Derivation")
MEASURED = Term("258104002", "SCT", "Measured")
CALCULATED = Term("258090004", "SCT", "Calculated")
ESTIMATED = Term("414135002", "SCT", "Estimated")
MEAN = Term("373098007", "SCT", "Mean")
SITE = Term("363698007", "SCT", "Finding Site")
METHOD = Term("370129005", "SCT", "Measurement Method")
SELECTION = Term("121404", "DCM", "Selection Status")
BELOW = Term("371885007", "SCT", "-, range of lower measurement uncertainty")
ABOVE = Term("371886008", "SCT", "+, range of upper measurement uncertainty")
NORMALITY = Term("121402", "DCM", "Normality")
NORMAL = Term("17621005", "SCT", "Normal")
ABNORMALLY_HIGH = Term("371879000", "SCT", "Abnormally High")
ABNORMALLY_LOW = Term("371880002", "SCT", "Abnormally Low")
RANGE_LOW = Term("385524004", "SCT", "Normal Range Lower Limit")
RANGE_HIGH = Term("371933006", "SCT", "Normal Range Upper Limit")
RANGE_AUTHORITY = Term("121408", "DCM", "Normal Range Authority")
ALGORITHM = Term("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION = Term("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS = Term("111002", "DCM", "Algorithm Parameters")

#: How the value that counts was chosen: by the rule of the person or the house, unless the rule
#: is one of the two that the standard names.
USER_CHOSEN = Term("121410", "DCM", "User chosen value")
SELECTIONS: Mapping[str, Term] = {
    "best": USER_CHOSEN,
    "median": USER_CHOSEN,
    "last": Term("121411", "DCM", "Most recent value chosen"),
    "mean": Term("121412", "DCM", "Mean value chosen"),
    "chosen": USER_CHOSEN,
}

#: Conventions by their words: no public scheme has terms that tell them apart.
CONVENTIONS: Mapping[str, Term] = {
    "ellipse on the outer edge": Term(
        "ELLIPSE-SKULL", OWN_SCHEME, "Ellipse on the outer edge of the skull"
    ),
    "ellipse on the outer skin line": Term(
        "ELLIPSE-SKIN", OWN_SCHEME, "Ellipse on the outer skin line"
    ),
    "outer-outer": Term("OUTER-OUTER", OWN_SCHEME, "Outer edge to outer edge"),
    "outer-inner": Term("OUTER-INNER", OWN_SCHEME, "Outer edge to inner edge"),
    "ossified shaft, end to end": Term(
        "SHAFT-ENDS", OWN_SCHEME, "Ossified shaft, end to end, straight"
    ),
}

#: Where it was measured.
SOURCE = Term("121112", "DCM", "Source of Measurement")
PATH = Term("121055", "DCM", "Path")
OUTLINE = Term("121057", "DCM", "Perimeter outline")

#: What a number was worked out by (CID 228).
EQUATION = Term("121420", "DCM", "Equation")
EQUATION_CITATION = Term("121421", "DCM", "Equation Citation")
TABLE_CITATION = Term("121422", "DCM", "Table of Values Citation")
TABLE = Term("121424", "DCM", "Table of Values")

#: Charts and formulas that DICOM has a code for, by their names here. The others are cited in
#: words: there is no code for INTERGROWTH-21st, WHO or FMF, and another one's is never borrowed.
EQUATIONS: Mapping[str, Term] = {
    "hadlock1984_ga_bpd": Term("11902-4", "LN", "BPD, Hadlock 1984"),
    "hadlock1984_ga_hc": Term("11932-1", "LN", "HC, Hadlock 1984"),
    "hadlock1984_ga_ac": Term("11892-7", "LN", "AC, Hadlock 1984"),
    "hadlock1984_ga_fl": Term("11920-6", "LN", "FL, Hadlock 1984"),
    "robinson1975_ga_crl": Term("11914-9", "LN", "CRL, Robinson 1975"),
    "hadlock1984_hc": Term("33173-6", "LN", "HC by GA, Hadlock 1984"),
    "hadlock1984_ac": Term("33146-2", "LN", "AC by GA, Hadlock 1984"),
    "hadlock1984_fl": Term("33166-0", "LN", "FL by GA, Hadlock 1984"),
    "hadlock1985_efw_ac_fl": Term("11751-5", "LN", "EFW by AC, FL, Hadlock 1985"),
    "hadlock1985_efw_bpd_ac_fl": Term("11735-8", "LN", "EFW by AC, BPD, FL, Hadlock 1985"),
    "hadlock1985_efw_hc_ac_fl": Term("11746-5", "LN", "EFW by AC, FL, HC, Hadlock 1985"),
    "hadlock1985_efw_bpd_hc_ac_fl": Term("11732-5", "LN", "EFW by AC, BPD, FL, HC, Hadlock 1985"),
    "hadlock1984_efw_bpd_ac": Term("11738-2", "LN", "EFW by AC, BPD, Hadlock 1984"),
    "hadlock1984_efw_hc_ac": Term("11754-9", "LN", "EFW by AC, HC Hadlock 1984"),
    "hadlock1984_efw_ac_fl": Term("11750-7", "LN", "EFW by AC, FL, Hadlock 1984"),
    "hadlock1984_efw_bpd_ac_fl": Term("11734-1", "LN", "EFW by AC, BPD, FL, Hadlock 1984"),
    "shepard1982_efw_bpd_ac": Term("11739-0", "LN", "EFW by AC and BPD, Shepard 1982"),
    "campbell1975_efw_ac": Term("11756-4", "LN", "EFW by AC, Campbell 1975"),
    "hadlock1991_chart": Term("128041", "DCM", "FWP by GA, Hadlock, 1991"),
    "hadlock1991_equation": Term("33162-9", "LN", "EFW by GA, Hadlock 1991"),
}

#: DOI of what is cited in words, by its citation.
DOIS: Mapping[str, str] = {
    "Papageorghiou AT et al. Lancet 2014;384:869-879": "10.1016/S0140-6736(14)61490-2",
    "Papageorghiou AT et al. Ultrasound Obstet Gynecol 2014;44:641-648": "10.1002/uog.13448",
    "Stirnemann J et al. Ultrasound Obstet Gynecol 2020;56:946-948": "10.1002/uog.22000",
    "Stirnemann J et al. Ultrasound Obstet Gynecol 2017;49:478-486": "10.1002/uog.17347",
    "Nicolaides KH et al. Ultrasound Obstet Gynecol 2018;52:44-51": "10.1002/uog.19073",
    "Kiserud T et al. PLoS Med 2017;14:e1002220": "10.1371/journal.pmed.1002220",
    "Hadlock FP et al. Radiology 1984;152:497-501": "10.1148/radiology.152.2.6739822",
    "Hadlock FP et al. Radiology 1984;150:535-540": "10.1148/radiology.150.2.6691115",
    "Papageorghiou AT et al. Ultrasound Obstet Gynecol 2016;48:719-726": "10.1002/uog.15894",
}

#: How the names of charts begin whose values are printed in a table, and not an equation's.
TABLES = ("who2017",)

#: Units by the names that measurements and growth give them.
UNITS: Mapping[str, Term] = {
    "mm": Term("mm", "UCUM", "mm"),
    "g": Term("g", "UCUM", "g"),
    "m": Term("m", "UCUM", "m"),
    "kg": Term("kg", "UCUM", "kg"),
    "days": Term("d", "UCUM", "day"),
    "%": Term("%", "UCUM", "percent"),
    "1": Term("1", "UCUM", "no units"),
}
