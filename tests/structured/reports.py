"""Structured reports made by hand, item by item, with pydicom alone: ours and a vendor's."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

COMPREHENSIVE, ENHANCED = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.22"
ULTRASOUND, IMAGE_UID = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.3.4.5"

#: Meanings of the codes that the reports use; a scheme is LN unless it is said here.
MEANINGS = {
    "11984-2": "Head Circumference",
    "11820-8": "Biparietal Diameter",
    "11851-3": "Occipital-Frontal Diameter",
    "11979-2": "Abdominal Circumference",
    "11963-6": "Femur Length",
    "18185-9": "Gestational Age",
    "11727-5": "Estimated Weight",
    "11767-1": "EFW percentile rank",
    "11947-9": "HC/AC",
    "11951-1": "Fetus ID",
    "11878-6": "Number of Fetuses by US",
    "11778-8": "EDD",
}
SECTIONS = {
    "125000": "OB-GYN Ultrasound Procedure Report",
    "121118": "Patient Characteristics",
    "111028": "Image Library",
    "121111": "Summary",
    "125008": "Fetus Summary",
    "125001": "Fetal Biometry Ratios",
    "125002": "Fetal Biometry",
    "125003": "Fetal Long Bones",
    "125005": "Biometry Group",
    "125009": "Early Gestation",
}
DERIVATION, SELECTION = ("121401", "DCM", "Derivation"), ("121404", "DCM", "Selection Status")
EQUATION, CITATION = ("121420", "DCM", "Equation"), ("121421", "DCM", "Equation Citation")
MEASURED = ("258104002", "SCT", "Measured")
MEAN, MEAN_CHOSEN = ("373098007", "SCT", "Mean"), ("121412", "DCM", "Mean value chosen")
RECENT = ("121411", "DCM", "Most recent value chosen")
RANK = ("125012", "DCM", "Growth Percentile Rank")
Z = ("125013", "DCM", "Growth Z-score")


def code(concept: str | tuple[str, str, str]) -> Dataset:
    """A code as a dataset; a code alone is looked up above."""
    if isinstance(concept, str) and concept in SECTIONS:
        concept = (concept, "DCM", SECTIONS[concept])
    elif isinstance(concept, str):
        concept = (concept, "LN", MEANINGS[concept])
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = concept
    return made


def item(kind: str, concept, relationship: str, *children: Dataset) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relationship, kind
    if concept is not None:
        made.ConceptNameCodeSequence = [code(concept)]
    if children:
        made.ContentSequence = list(children)
    return made


def container(concept, *children: Dataset, relationship: str = "CONTAINS") -> Dataset:
    made = item("CONTAINER", concept, relationship, *children)
    made.ContinuityOfContent = "SEPARATE"
    return made


def num(concept, value, unit, *children: Dataset, relationship: str = "CONTAINS") -> Dataset:
    made = item("NUM", concept, relationship, *children)
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = [code((unit, "UCUM", unit))]
    made.MeasuredValueSequence = [measured]
    return made


def coded(concept, value, relationship: str) -> Dataset:
    made = item("CODE", concept, relationship)
    made.ConceptCodeSequence = [code(value)]
    return made


def text(concept, value: str, relationship: str = "CONTAINS") -> Dataset:
    made = item("TEXT", concept, relationship)
    made.TextValue = value
    return made


def date(concept, value: str) -> Dataset:
    made = item("DATE", concept, "CONTAINS")
    made.Date = value
    return made


def image(concept=None, relationship: str = "CONTAINS", frame: int | None = None) -> Dataset:
    made = item("IMAGE", concept, relationship)
    there = Dataset()
    there.ReferencedSOPClassUID, there.ReferencedSOPInstanceUID = ULTRASOUND, IMAGE_UID
    if frame is not None:
        there.ReferencedFrameNumber = frame
    made.ReferencedSOPSequence = [there]
    return made


def drawn(graphic: str, *col_row: float) -> Dataset:
    path = ("121055", "DCM", "Path")
    made = item("SCOORD", path, "INFERRED FROM", image(relationship="SELECTED FROM", frame=2))
    made.GraphicType, made.GraphicData = graphic, list(col_row)
    return made


def fetus(name: str) -> Dataset:
    return text("11951-1", name, "HAS OBS CONTEXT")


def reference(*position: int) -> Dataset:
    made = Dataset()
    made.RelationshipType = "INFERRED FROM"
    made.ReferencedContentItemIdentifier = list(position)
    return made


def by(concept) -> Dataset:
    return coded(EQUATION, concept, "INFERRED FROM")


def derived(concept) -> Dataset:
    return coded(DERIVATION, concept, "HAS CONCEPT MOD")


def selected(concept, relationship: str = "HAS PROPERTIES") -> Dataset:
    return coded(SELECTION, concept, relationship)


HC_HADLOCK = ("11932-1", "LN", "HC, Hadlock 1984")
FL_HADLOCK = ("11920-6", "LN", "FL, Hadlock 1984")
FL_BY_GA = ("33166-0", "LN", "FL by GA, Hadlock 1984")


def head_group() -> Dataset:
    """HC 290.1 mm out of three, age 216 d, z 0.42 by a cited chart."""
    ellipse = drawn("ELLIPSE", 200, 270, 600, 270, 400, 130, 400, 410)
    uncertain = ("371884006", "SCT", "+/-, range of measurement uncertainty")
    cited = text(
        CITATION, "INTERGROWTH-21st HC, doi:10.1016/S0140-6736(14)61490-2", "INFERRED FROM"
    )
    return container(
        "125005",
        num("11984-2", "289", "mm", derived(MEASURED)),
        num("11984-2", "291.2", "mm", derived(MEASURED)),
        num(
            "11984-2",
            "290.1",
            "mm",
            derived(MEAN),
            selected(MEAN_CHOSEN),
            num(uncertain, "4.2", "mm", relationship="HAS PROPERTIES"),
            ellipse,
        ),
        num("18185-9", "216", "d", by(HC_HADLOCK)),
        num(RANK, "66", "%", cited),
        num(Z, "0.42", "1", cited),
    )


def femur_group(value: str = "54.2") -> Dataset:
    return container(
        "125005",
        num("11963-6", value, "mm", derived(MEASURED), drawn("POLYLINE", 100, 200, 400, 260)),
        num("18185-9", "201", "d", by(FL_HADLOCK), reference(1, 5, 1, 1)),
        num(RANK, "48", "%", by(FL_BY_GA)),
    )


def ours(*, name: str = "Anon^One") -> Dataset:
    """A Comprehensive SR as we write it, of one fetus that has no name."""
    citation = ("121422", "DCM", "Table of Values Citation")
    rank = num("11767-1", "63", "%", text(citation, "Stirnemann 2020", "INFERRED FROM"))
    weight = num("11727-5", "1499", "g", by(("11746-5", "LN", "EFW by AC, FL, HC, Hadlock 1985")))
    summary = container("121111", date("11778-8", "20250501"), container("125008", weight, rank))
    return report(
        container("111028", image()),
        summary,
        container("125001", num("11947-9", "112", "%")),
        container("125002", head_group()),
        container("125003", femur_group()),
        name=name,
    )


def twins() -> Dataset:
    """Two fetuses, each with its own sections."""
    return report(
        *(container("125002", fetus(one), head_group()) for one in "AB"),
        *(
            container("125003", fetus(one), without_reference(femur_group(size)))
            for one, size in (("A", "54.2"), ("B", "51"))
        ),
    )


def without_reference(group: Dataset) -> Dataset:
    age = group.ContentSequence[1]
    age.ContentSequence = [i for i in age.ContentSequence if "ValueType" in i]
    return group


def vendor() -> Dataset:
    """An Enhanced SR as a machine writes it: cm, %tile, SRT, private codes, two HC groups."""
    recent = selected(RECENT, "HAS CONCEPT MOD")
    mean = [derived(("R-00317", "SRT", "Mean")), selected(MEAN_CHOSEN, "HAS CONCEPT MOD")]
    context = [fetus("1"), num("11878-6", "1", "1", relationship="HAS OBS CONTEXT")]
    age = num("18185-9", "195", "d", by(HC_HADLOCK))
    merz = num("18185-9", "197", "d", by(("03510045", "TSBus", "OFD, Merz")))
    percentile = num("11767-1", "41", "%tile", by(("03510098", "TSBus", "EFW_PERC")))
    made = report(
        container("121118", text(("121106", "DCM", "Comment"), "none")),
        container("121111", container("125008", *context, percentile)),
        container("125001", *context, num("11947-9", "1.09", "1")),
        container(
            "125002",
            *context,
            container("125005", num("11984-2", "26.55", "cm", recent), age),
            container("125005", num("11851-3", "9.1", "cm", *mean), merz),
            container(
                "125005", num("11984-2", "25.5", "cm", derived(("R-41D2D", "SRT", "Calculated")))
            ),
        ),
        container("125003", *context, container("125005", num("11963-6", "5.1", "cm", *mean))),
        container(
            "125009",
            *context,
            container("125005", num("18185-9", "196", "d", by(("0351008E", "TSBus", "GA H4")))),
        ),
        container(
            ("121070", "DCM", "Findings"),
            coded(
                ("G-C0E3", "SRT", "Finding Site"),
                ("T-F1300", "SRT", "Amniotic Sac"),
                "HAS CONCEPT MOD",
            ),
            *context,
            num(("11624-4", "LN", "First Quadrant Diameter"), "31", "mm"),
        ),
        text(("V5000003", "TSBus", "SR_MAPPING_DOCUMENT"), "private"),
        name="Test^Vendor",
    )
    made.SOPClassUID = ENHANCED
    del made.CurrentRequestedProcedureEvidenceSequence
    return made


def report(*sections: Dataset, name: str = "Anon^One") -> Dataset:
    made = container("125000", *sections)
    del made.RelationshipType
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "5000"
    made.ContentTemplateSequence = [template]
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = COMPREHENSIVE, "1.2.3.9", "SR"
    made.PatientName, made.PatientID, made.StudyInstanceUID = name, "ID-1", "1.2.3"
    made.CompletionFlag, made.VerificationFlag = "COMPLETE", "UNVERIFIED"
    made.CurrentRequestedProcedureEvidenceSequence = [_evidence()]
    return made


def _evidence() -> Dataset:
    study, series, instance = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = ULTRASOUND, IMAGE_UID
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2.3.5", [instance]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "1.2.3", [series]
    return study


def save(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def at(dataset: Dataset, *position: int) -> Dataset:
    """The item at a position below the root, counted from 1: (4, 1, 3)."""
    for place in position:
        dataset = dataset.ContentSequence[place - 1]
    return dataset
