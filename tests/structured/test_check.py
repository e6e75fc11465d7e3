"""The checker: sound reports pass, and each broken one is told by its path and its rule."""

import pytest

from fetometry.structured import check
from fetometry.structured.concepts import PATIENT, SRT_TO_SCT
from fetometry.structured.dictionary import group, groups
from fetometry.structured.templates import GROUP_RANKS, TEMPLATES, UNITS
from tests.structured import reports as made

#: Places of `made.ours()`: the head's group, its mean, its age; the femur, its group and its age.
HEAD, MEAN, AGE = (4, 1), (4, 1, 3), (4, 1, 4)
BONES, FEMUR_GROUP, FEMUR, FEMUR_AGE = (5,), (5, 1), (5, 1, 1), (5, 1, 2)


def judged(report, tmp_path):
    return check(made.save(report, tmp_path / "report.dcm"))


def errors(found):
    return [(f.path, f.rule) for f in found.faults if f.severity == "error"]


@pytest.mark.parametrize("style", [made.ours, made.twins, made.vendor])
def test_a_sound_report_has_no_error(tmp_path, style):
    found = judged(style(), tmp_path)
    assert errors(found) == []
    assert found.sound


def test_our_own_report_has_no_warning_either(tmp_path):
    assert judged(made.ours(), tmp_path).faults == ()


def test_what_a_vendor_does_otherwise_is_a_warning(tmp_path):
    found = judged(made.vendor(), tmp_path)
    said = " ".join(f.text for f in found.faults)
    assert {f.severity for f in found.faults} == {"warning"}
    assert "%tile is no unit of UCUM" in said
    assert "not HAS PROPERTIES" in said
    assert any("OFD, Merz" in remark for remark in found.remarks)


def test_it_says_which_rows_it_applied_and_which_it_did_not(tmp_path):
    found = judged(made.vendor(), tmp_path)
    applied = dict(found.rules)
    assert applied["TID 5006 row 3"] == 1
    assert applied["TID 5008 row 3"] == 3
    unchecked = " ".join(found.unchecked)
    for number in ("5003", "5004", "5005", "5011", "1001"):
        assert number in unchecked
    assert applied["TID 5002 row 6"] == 1
    assert "Summary (TID 5002)" not in unchecked
    assert "Fetal Long Bones" not in unchecked


def replaced(*place, by):
    def change(report):
        *above, last = place
        made.at(report, *above).ContentSequence[last - 1] = by

    return change


def without(keyword, *place):
    def change(report):
        delattr(made.at(report, *place), keyword)

    return change


def changed(keyword, value, *place):
    def change(report):
        setattr(made.at(report, *place), keyword, value)

    return change


def added(item, *place):
    def change(report):
        made.at(report, *place).ContentSequence.append(item)

    return change


def _no_unit(report):
    del made.at(report, *FEMUR).MeasuredValueSequence[0].MeasurementUnitsCodeSequence


def _unit(code, scheme, *place):
    def change(report):
        measured = made.at(report, *place).MeasuredValueSequence[0]
        measured.MeasurementUnitsCodeSequence = [made.code((code, scheme, code))]

    return change


def _named(concept, *place):
    def change(report):
        made.at(report, *place).ConceptNameCodeSequence = [made.code(concept)]

    return change


def _swapped(report):
    group = made.at(report, *FEMUR_GROUP).ContentSequence
    made.at(report, *FEMUR_AGE).ContentSequence = [made.by(made.FL_HADLOCK)]
    group[0], group[1] = group[1], group[0]


def _three_points(report):
    made.at(report, *MEAN, 4).GraphicData = [200, 270, 600, 270, 400, 130]


def _short_axis_first(report):
    report_points = made.at(report, *MEAN, 4)
    report_points.GraphicData = [400, 130, 400, 410, 200, 270, 600, 270]


def _no_long_axis(report):
    made.at(report, *MEAN, 4).GraphicData = [200, 270, 200, 270, 400, 130, 400, 410]


def _one_point(report):
    made.at(report, *FEMUR, 2).GraphicData = [100, 200]


def _odd_numbers(report):
    made.at(report, *FEMUR, 2).GraphicData = [100, 200, 400]


def _no_evidence(report):
    del report.CurrentRequestedProcedureEvidenceSequence


def _enhanced(report):
    report.SOPClassUID = made.ENHANCED


def _two_long_bones(report):
    report.ContentSequence.append(made.container("125003", made.fetus("B"), made.femur_group()))


EFW_EQUATION = ("11746-5", "LN", "EFW by AC, FL, HC, Hadlock 1985")
SITE = ("363698007", "SCT", "Finding Site")
GRAVIDA = made.container("121118", made.text(("11996-6", "LN", "Gravida"), "2"))
CENTILE = ("121415", "DCM", "Percentile Ranking of measurement")
PROFILE = ("125006", "DCM", "Biophysical Profile")
WEIGHT, WEIGHT_RANK = (2, 2, 1), (2, 2, 2)
MEANT = ("11984-2", "LN", "Femur Length")

#: What is broken → the change, and the path and the rule that must be named.
BROKEN = {
    "wrong value type": (
        replaced(*AGE, by=made.text("18185-9", "30w6d")), "1.4.1.4", "TID 5008 row 3"),
    "missing unit": (_no_unit, "1.5.1.1", "PS3.3 C.17.3"),
    "a length in grams": (_unit("g", "UCUM", *FEMUR), "1.5.1.1", "PS3.16 and UCUM"),
    "a further centile that is not in percent": (
        added(made.num(CENTILE, "40", "1", relationship="HAS PROPERTIES"), *FEMUR),
        "1.5.1.1.3", "PS3.16 and UCUM"),
    "a further centile that is a text": (
        added(made.text(CENTILE, "40"), *FEMUR),
        "1.5.1.1.3", "TID 300 row Percentile Ranking of measurement"),
    "an age in weeks": (_unit("wk", "UCUM", *AGE), "1.4.1.4", "TID 5008 row 3"),
    "a unit of no known scheme": (_unit("mm", "99X", *FEMUR), "1.5.1.1", "PS3.16 and UCUM"),
    "wrong relationship of an equation": (
        changed("RelationshipType", "HAS PROPERTIES", *AGE, 1), "1.4.1.4.1", "TID 5008 row 4"),
    "wrong relationship of a derivation": (
        changed("RelationshipType", "HAS PROPERTIES", *FEMUR, 1),
        "1.5.1.1.1", "TID 300 row Derivation"),
    "a relationship that its types may not have": (
        changed("RelationshipType", "HAS PROPERTIES", *FEMUR_GROUP), "1.5.1", "PS3.3 A.35"),
    "missing relationship": (
        without("RelationshipType", *FEMUR), "1.5.1.1", "PS3.3 C.17.3"),
    "missing concept name": (
        without("ConceptNameCodeSequence", *FEMUR), "1.5.1.1", "PS3.3 C.17.3"),
    "a code that does not exist": (
        _named(("99999-9", "LN", "Femur"), *FEMUR), "1.5.1.1", "PS3.16 dictionary"),
    "a meaning of another code": (_named(MEANT, *FEMUR), "1.5.1.1", "PS3.16 dictionary"),
    "a head among the long bones": (
        _named("11984-2", *FEMUR), "1.5.1.1", "TID 5008 row 2"),
    "an equation of another kind": (
        replaced(*AGE, 1, by=made.by(EFW_EQUATION)), "1.4.1.4.1", "TID 5008 row 4"),
    "a derivation that is none": (
        replaced(*FEMUR, 1, by=made.derived(("17621005", "SCT", "Normal"))),
        "1.5.1.1.1", "TID 5008 row 2"),
    "no derivation where it is the chosen mean": (
        replaced(*MEAN, 1, by=made.selected(made.MEAN_CHOSEN)),
        "1.4.1.3", "TID 300 row Derivation"),
    "two ages in one group": (
        added(made.num("18185-9", "201", "d"), *FEMUR_GROUP), "1.5.1.4", "TID 5008 row 3"),
    "two centiles in one group": (
        added(made.num(made.RANK, "50", "%"), *FEMUR_GROUP), "1.5.1.4", "TID 5008 row 7"),
    "an age before its measurement": (_swapped, "1.5.1.2", "TID 5008 row 2"),
    "two measurements in one group": (
        replaced(*HEAD, 1, by=made.num("11979-2", "250", "mm")), "1.4.1", "TID 5008 row 1"),
    "an empty group": (
        replaced(*FEMUR_GROUP, by=made.container("125005")), "1.5.1", "TID 5008 rows 2 and 3"),
    "no group among the long bones": (
        replaced(*BONES, by=made.container("125003")), "1.5", "TID 5006 row 3"),
    "two fetus IDs in one section": (
        replaced(*BONES, by=made.container(
            "125003", made.fetus("A"), made.fetus("B"), made.without_reference(made.femur_group())
        )), "1.5.2", "TID 1008"),
    "two long bone sections, one without a fetus ID": (
        _two_long_bones, "1.5", "TID 5006 row 2"),
    "a number of pregnancies as text": (
        replaced(1, by=GRAVIDA), "1.1.1", "TID 5001 row 5"),
    "an image library without an image": (
        replaced(1, by=made.container("111028")), "1.1", "TID 5000 row 6"),
    "two summaries": (added(made.container("121111")), "1.6", "TID 5000 row 7"),
    "another title": (_named("11727-5"), "1", "TID 5000 row 1"),
    "a weight by the equation of an age": (
        replaced(*WEIGHT, 1, by=made.by(made.HC_HADLOCK)), "1.2.2.1.1", "CID 228 and CID 12014"),
    "a centile of the weight by the equation of a weight": (
        replaced(*WEIGHT_RANK, 1, by=made.by(EFW_EQUATION)),
        "1.2.2.2.1", "CID 228 and CID 12016 or CID 12015"),
    "a due date as text": (
        replaced(2, 1, by=made.text("11778-8", "20250501")), "1.2.1", "TID 5002 row 2"),
    "a number of fetuses that hangs wrong": (
        added(made.num("11878-6", "2", "1", relationship="HAS PROPERTIES"), 2),
        "1.2.3", "TID 5002 row 3"),
    "a profile without a score": (
        added(made.container(PROFILE)), "1.6", "TID 5009 rows 3 to 7"),
    "a selection that is none": (
        added(made.selected(("17621005", "SCT", "Normal")), *FEMUR),
        "1.5.1.1.3", "TID 300 row Selection Status"),
    "a derivation of a ratio that hangs wrong": (
        replaced(3, 1, by=made.num("11947-9", "112", "%", made.coded(
            made.DERIVATION, made.MEASURED, "HAS PROPERTIES"))),
        "1.3.1.1", "TID 300 row Derivation"),
    "an ellipse with its short axis first": (_short_axis_first, "1.4.1.3.4", "PS3.3 C.18.6"),
    "an ellipse without a long axis": (_no_long_axis, "1.4.1.3.4", "PS3.3 C.18.6"),
    "a line of one point": (_one_point, "1.5.1.1.2", "PS3.3 C.18.6"),
    "a line of three numbers": (_odd_numbers, "1.5.1.1.2", "PS3.3 C.17.3"),
    "an ellipse of three points": (_three_points, "1.4.1.3.4", "PS3.3 C.18.6"),
    "points on no image": (
        without("ContentSequence", *MEAN, 4), "1.4.1.3.4", "PS3.3 C.18.6"),
    "an image that is not in the evidence": (_no_evidence, "1.1.1", "PS3.3 C.17.2"),
    "a reference to nothing": (
        changed("ReferencedContentItemIdentifier", [1, 9, 9], *FEMUR_AGE, 2),
        "1.5.1.2.2", "PS3.3 C.17.3"),
    "a reference within an Enhanced SR": (_enhanced, "1.5.1.2.2", "PS3.3 A.35.2"),
    "a value type that does not exist": (
        changed("ValueType", "NUMBER", *FEMUR), "1.5.1.1", "PS3.3 C.17.3"),
    "a value that is missing": (
        without("MeasuredValueSequence", *FEMUR), "1.5.1.1", "PS3.3 C.17.3"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "path", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_broken_report_is_told_by_its_path_and_its_rule(tmp_path, change, path, rule):
    report = made.ours()
    change(report)
    found = judged(report, tmp_path)
    assert (path, rule) in errors(found)
    assert not found.sound


def test_a_fault_says_where_in_words(tmp_path):
    report = made.ours()
    _no_unit(report)
    (fault,) = judged(report, tmp_path).faults
    assert fault.where == "Fetal Long Bones > Biometry Group > Femur Length"
    assert fault.text == "a NUM has no unit"


def test_a_template_that_is_not_named_is_a_warning(tmp_path):
    report = made.ours()
    del report.ContentTemplateSequence
    found = judged(report, tmp_path)
    assert found.sound
    assert "names no template" in found.faults[0].text


def test_of_another_template_only_codes_and_units_are_checked(tmp_path):
    report = made.ours()
    report.ContentTemplateSequence[0].TemplateIdentifier = "1500"
    _named(("126000", "DCM", "Imaging Measurement Report"))(report)
    found = judged(report, tmp_path)
    assert found.sound
    assert any("TID 1500" in said for said in found.unchecked)


def test_repeats_of_which_none_counts_are_a_warning(tmp_path):
    repeats = [made.num("11979-2", value, "mm") for value in ("250", "252")]
    report = made.report(made.container("125002", made.container("125005", *repeats)))
    found = judged(report, tmp_path)
    assert [(f.severity, f.text) for f in found.faults] == [
        ("warning", "2 repeats, and none is marked as selected")
    ]


SUSPECT = {
    "a head among the ratios": (
        added(made.num("11984-2", "290", "mm"), 3), "1.3.2", "CID 12004"),
    "a ratio in the summary of the fetus": (
        added(made.num("11947-9", "112", "%"), 2, 2), "1.2.2.3", "CID 12019"),
    "a femur in no group": (
        added(made.num("11963-6", "54", "mm"), *BONES), "1.5.2", "TID 5008"),
    "a weight as text": (
        replaced(*WEIGHT, by=made.text("11727-5", "1499")), "1.2.2.1", "CID 12019"),
    "a due date in the summary of the fetus, as text": (
        added(made.text("11778-8", "20250501"), 2, 2), "1.2.2.3", "CID 12003"),
    "a site that is none of a fetus's": (
        added(made.coded(SITE, ("39607008", "SCT", "Lung"), "HAS CONCEPT MOD"), *FEMUR),
        "1.5.1.1.3", "TID 300 row Finding Site"),
    "points of an ellipse that are not those of its axes": (
        changed("GraphicData", [200, 270, 600, 270, 300, 130, 500, 410], *MEAN, 4),
        "1.4.1.3.4", "PS3.3 C.18.6"),
    "a weight by an equation of no group": (
        replaced(*WEIGHT, 1, by=made.by(("11984-2", "LN", "Head Circumference"))),
        "1.2.2.1.1", "CID 228 and CID 12014"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "path", "rule"), SUSPECT.values(), ids=SUSPECT)
def test_what_the_dictionary_alone_speaks_against_is_a_warning(tmp_path, change, path, rule):
    report = made.ours()
    change(report)
    found = judged(report, tmp_path)
    assert ("warning", path, rule) in [(f.severity, f.path, f.rule) for f in found.faults]
    assert found.sound


def test_a_profile_with_its_scores_has_no_fault(tmp_path):
    score = made.num(("11632-7", "LN", "Fetal Breathing"), "2", "{0:2}")
    total = made.num(("11634-3", "LN", "Biophysical Profile Sum Score"), "2", "{0:10}")
    found = judged(made.report(made.container(PROFILE, score, total)), tmp_path)
    assert found.faults == ()
    assert dict(found.rules)["TID 5009 row 4"] == 1


def test_the_codes_of_the_tables_are_those_of_the_dictionary():
    known = groups(227, 12004, 12005, 12006, 12007, 12008, 12009, 12013, 12017, 12018, 12019)
    told = [key for row in TEMPLATES[PATIENT].rows for key in row.concepts]
    assert [key for key in UNITS if key not in known and key not in told] == []
    rows = [row for template in TEMPLATES.values() for row in template.rows]
    assert len(rows) == 20
    assert set(GROUP_RANKS) == set(group(12017))
    derivations = {code for code, _ in group(3627)}
    assert derivations <= set(SRT_TO_SCT.values())
