"""Reports of several styles → the same nouns: mm, g, days, percent, and what they rest on."""

import json

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from fetometry.errors import FetometryError
from fetometry.structured import ReportError, read
from fetometry.structured.concepts import SRT_TO_SCT
from tests.structured import reports as made


@pytest.fixture
def ours(tmp_path):
    return read(made.save(made.ours(), tmp_path / "ours.dcm"))


@pytest.fixture
def vendor(tmp_path):
    return read(made.save(made.vendor(), tmp_path / "vendor.dcm"))


def values(report, fetus=0):
    return [(v.name, v.of, v.value, v.unit) for v in report.fetuses[fetus].values]


def test_every_number_of_our_own_report_is_read(ours):
    assert values(ours) == [
        ("EFW", "", 1499, "g"),
        ("EFW centile", "", 63, "%"),
        ("HC/AC", "", 112, "%"),
        ("HC", "", 289, "mm"),
        ("HC", "", 291.2, "mm"),
        ("HC", "", 290.1, "mm"),
        ("GA", "HC", 216, "d"),
        ("centile", "HC", 66, "%"),
        ("z", "HC", 0.42, "1"),
        ("FL", "", 54.2, "mm"),
        ("GA", "FL", 201, "d"),
        ("centile", "FL", 48, "%"),
    ]
    assert ours.remarks == ()
    assert [(d.name, d.date) for d in ours.dates] == [("EDD", "2025-05-01")]


def test_centimetres_and_shares_of_a_vendor_become_mm_and_percent(vendor):
    assert values(vendor) == [
        ("EFW centile", "", 41, "%"),
        ("HC/AC", "", 109, "%"),
        ("HC", "", 265.5, "mm"),
        ("GA", "HC", 195, "d"),
        ("OFD", "", 91, "mm"),
        ("GA", "OFD", 197, "d"),
        ("HC", "", 255, "mm"),
        ("FL", "", 51, "mm"),
        ("GA", "", 196, "d"),
        ("First Quadrant Diameter", "", 31, "mm"),
    ]
    assert [f.id for f in vendor.fetuses] == ["1"]
    assert vendor.remarks == ("the unit %tile was read as %",)
    assert vendor.fetuses[0].values[2].given == "26.55 cm"


def test_the_value_that_counts_is_the_selected_one_and_not_the_last(ours, vendor):
    own, theirs = (r.fetuses[0].chosen("HC") for r in (ours, vendor))
    assert (own.value.value, own.why, own.count) == (290.1, "Mean value chosen", 3)
    assert (theirs.value.value, theirs.why, theirs.count) == (265.5, "Most recent value chosen", 2)
    assert ours.fetuses[0].chosen("AC") is None


@pytest.mark.parametrize(
    ("below", "value", "why"),
    [
        ([[], [made.derived(made.MEAN)], []], 2, "the mean"),
        (
            [[], [made.derived(("R-41D2D", "SRT", "Calculated"))]],
            1,
            "the only one that was not calculated",
        ),
        ([[], [], []], 3, "the last of 3; the report marks none"),
    ],
)
def test_of_repeats_without_a_mark_the_mean_or_the_measured_one_counts(tmp_path, below, value, why):
    repeats = [
        made.num("11979-2", str(number), "mm", *items) for number, items in enumerate(below, 1)
    ]
    report = made.report(made.container("125002", made.container("125005", *repeats)))
    chosen = read(made.save(report, tmp_path / "r.dcm")).fetuses[0].chosen("AC")
    assert (chosen.value.value, chosen.why) == (value, why)


def test_old_snomed_codes_are_read_as_their_successors(vendor):
    ofd = vendor.fetuses[0].chosen("OFD").value
    assert (ofd.derivation, ofd.derivation_code) == ("Mean", made.MEAN[0])


@pytest.mark.parametrize(("old", "new"), SRT_TO_SCT.items())
def test_the_table_of_old_codes_is_that_of_pydicom(old, new):
    assert Code(old, "SRT", "") == Code(new, "SCT", "")


def test_a_private_equation_keeps_its_name_and_its_code(vendor):
    age = next(v for v in vendor.fetuses[0].values if v.of == "OFD")
    (basis,) = age.bases
    assert (basis.text, basis.code, basis.scheme) == ("OFD, Merz", "03510045", "TSBus")
    assert ("SR_MAPPING_DOCUMENT", "private") in vendor.texts


def test_a_citation_is_read_as_text(ours):
    z = next(v for v in ours.fetuses[0].values if v.name == "z")
    assert z.bases[0].how == "Equation Citation"
    assert z.bases[0].text.startswith("INTERGROWTH-21st HC")


def test_points_are_row_and_column_from_the_centre_of_the_first_pixel(ours):
    ellipse = ours.fetuses[0].chosen("HC").value.shapes[0]
    assert ellipse.graphic == "ELLIPSE"
    # DICOM has (column, row) from that pixel's corner: 200, 270 is col 199.5, row 269.5
    assert ellipse.points[0] == (269.5, 199.5)
    assert (ellipse.image, ellipse.frame) == (made.IMAGE_UID, 2)
    line = ours.fetuses[0].chosen("FL").value.shapes[0]
    assert line.points == ((199.5, 99.5), (259.5, 399.5))


def test_uncertainty_is_a_property_of_the_value(ours):
    (uncertainty,) = ours.fetuses[0].chosen("HC").value.properties
    assert (uncertainty.value, uncertainty.unit) == (4.2, "mm")


def test_twins_are_told_apart(tmp_path):
    report = read(made.save(made.twins(), tmp_path / "twins.dcm"))
    assert [f.id for f in report.fetuses] == ["A", "B"]
    assert [f.chosen("FL").value.value for f in report.fetuses] == [54.2, 51.0]


def test_a_fetus_summary_at_the_root_is_the_same_fetus(tmp_path):
    summary = made.container("125008", made.num("11727-5", "1.5", "kg"))
    biometry = made.container("125002", made.fetus("1"), made.head_group())
    report = read(made.save(made.report(summary, biometry), tmp_path / "r.dcm"))
    (fetus,) = report.fetuses
    assert fetus.id == "1"
    assert fetus.chosen("EFW").value.value == 1500


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "Müller^Zoë"),
        ("ISO_IR 100", "Müller^Zoë"),
        ("ISO-IR 100", "Müller^Zoë"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_a_name_is_read_in_any_character_set(tmp_path, character_set, name):
    report = made.ours(name=name)
    well_formed = character_set if character_set != "ISO-IR 100" else "ISO_IR 100"
    report.SpecificCharacterSet = well_formed
    path = made.save(report, tmp_path / "r.dcm")
    if character_set != well_formed:
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"ISO-IR 100"))
    assert read(path).header["patient_name"] == name


def test_predecessors_are_named(tmp_path):
    report = made.ours()
    report.PredecessorDocumentsSequence = report.CurrentRequestedProcedureEvidenceSequence
    assert read(made.save(report, tmp_path / "r.dcm")).predecessors == (made.IMAGE_UID,)


def test_a_number_without_a_value_is_left_out_and_said(tmp_path):
    report = made.ours()
    head = made.at(report, 4, 1, 3)
    head.MeasuredValueSequence = []
    found = read(made.save(report, tmp_path / "r.dcm"))
    assert len(found.fetuses[0].repeats("HC")) == 2
    assert any("left out" in remark for remark in found.remarks)


def test_json_says_the_same(ours):
    document = json.loads(json.dumps(ours.as_json()))
    assert document["schema"] == "fetometry-sr/1"
    assert document["fetuses"][0]["values"][5]["value"] == 290.1
    assert document["header"]["patient_id"] == "ID-1"


def test_another_template_is_read_and_said(tmp_path):
    report = made.ours()
    report.ContentTemplateSequence[0].TemplateIdentifier = "1500"
    assert "template is 1500" in read(made.save(report, tmp_path / "r.dcm")).remarks[0]


def picture() -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.Modality = made.ULTRASOUND, "1.2.3", "US"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def test_what_is_no_report_is_refused_with_what_it_is(tmp_path):
    with pytest.raises(ReportError, match=r"no structured report.*\(US\)"):
        read(made.save(picture(), tmp_path / "us.dcm"))
    (tmp_path / "text.dcm").write_text("not DICOM")
    with pytest.raises(ReportError, match="not a DICOM file"):
        read(tmp_path / "text.dcm")
    with pytest.raises(ReportError, match=r"nowhere\.dcm.*No such file"):
        read(tmp_path / "nowhere.dcm")


def test_a_damaged_report_is_refused_or_read_and_never_another_error(tmp_path):
    whole = made.save(made.ours(), tmp_path / "r.dcm").read_bytes()
    broken = tmp_path / "broken.dcm"
    refused = 0
    for length in range(100, len(whole), 331):
        broken.write_bytes(whole[:length])
        try:
            read(broken)
        except FetometryError:
            refused += 1
    assert refused > 3


def test_a_tree_without_end_is_refused(tmp_path):
    report = made.container("125005")
    for _ in range(60):
        report = made.container("125005", report)
    with pytest.raises(ReportError, match="deeper than"):
        read(made.save(made.report(report), tmp_path / "deep.dcm"))
