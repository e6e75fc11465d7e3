"""What the report tells of the patient: only what was said, and nothing that cannot be true."""

from datetime import date

import pytest

from fetometry.report.dicom_out import Days
from fetometry.report.sr.write import write_report
from fetometry.structured import check, read
from tests.report.sr.made import (
    faults,
    header,
    items,
    needs_dciodvfy,
    one_plane,
    task,
    three_planes,
    value,
    written,
)

PATIENT, SUMMARY, HEIGHT, WEIGHT = "121118", "121111", "8302-2", "29463-7"
LMP, EDD = "8665-2", "11778-8"
SAID = Days(lmp=date(2025, 11, 17), due=date(2026, 8, 24), exam=date(2026, 5, 21))


def of(exam, **tags):
    """The header of each source of an exam, with what is said in it of the patient."""
    sources = dict.fromkeys(finding.source for finding in exam.findings)
    return {source: header(k, **tags) for k, source in enumerate(sources, start=1)}


def test_height_and_weight_of_the_file_are_characteristics_of_the_patient(tmp_path):
    exam = one_plane()
    made = written(exam, tmp_path, headers=of(exam, PatientSize="1.68", PatientWeight="71.5"))
    (section,) = items(made, code=PATIENT)
    assert made.ContentSequence.index(section) < made.ContentSequence.index(
        items(made, code=SUMMARY)[0]
    )
    assert section.ContentTemplateSequence[0].TemplateIdentifier == "5001"
    assert [value(items(section, code=code)[0]) for code in (HEIGHT, WEIGHT)] == [
        (1.68, "m"), (71.5, "kg"),
    ]  # fmt: skip


def test_of_a_patient_of_whom_nothing_is_said_there_is_no_section(tmp_path):
    assert items(written(one_plane(), tmp_path), code=PATIENT) == []


@pytest.mark.parametrize("height", ["168", "0", ""])
def test_a_height_that_cannot_be_true_is_left_out(tmp_path, height):
    exam = one_plane()
    made = written(exam, tmp_path, headers=of(exam, PatientSize=height, PatientWeight="71.5"))
    assert items(made, code=HEIGHT) == []
    assert value(items(made, code=WEIGHT)[0]) == (71.5, "kg")


def test_lmp_and_due_date_that_were_counted_from_stand_in_the_summary(tmp_path):
    made = written(three_planes(), tmp_path, days=SAID)
    (summary,) = items(made, code=SUMMARY)
    assert [value(item) for item in summary.ContentSequence[:2]] == ["20251117", "20260824"]
    assert [i.ConceptNameCodeSequence[0].CodeValue for i in summary.ContentSequence[:2]] == [
        LMP, EDD,
    ]  # fmt: skip
    dates = {dated.name: dated.date for dated in read(tmp_path / "report.sr.dcm").dates}
    assert dates == {"LMP": "2025-11-17", "EDD": "2026-08-24"}


def test_of_an_age_alone_there_is_no_date(tmp_path):
    made = written(three_planes(), tmp_path, days=Days(exam=date(2026, 5, 21)))
    assert items(made, type="DATE") == []


def test_pictures_are_of_the_day_that_was_given_and_else_of_no_day(tmp_path):
    exam = one_plane()
    digests = {exam.findings[0].source: "aa"}
    dated = written(exam, tmp_path / "dated", digests=digests, days=SAID)
    plain = written(exam, tmp_path / "plain", digests=digests)
    assert (dated.ContentDate, dated.ContentTime) == ("20260521", "000000")
    assert plain.ContentDate == "19000101"
    captures = [next((tmp_path / name).rglob("*.source.sc.dcm")) for name in ("dated", "plain")]
    assert captures[0].read_bytes() == captures[1].read_bytes()


def test_the_day_that_was_given_does_not_replace_that_of_the_images(tmp_path):
    exam = one_plane()
    made = written(exam, tmp_path, headers=of(exam, ContentDate="20260520"), days=SAID)
    assert made.ContentDate == "20260520"


def everything_said(folder):
    exam = three_planes()
    headers = of(exam, PatientSize="1.68", PatientWeight="71.5")
    return write_report(task(exam, folder, headers=headers, days=SAID)).paths[-1]


def test_the_same_words_give_the_same_bytes(tmp_path):
    one, two = (everything_said(tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_checker_finds_no_fault_in_what_is_said_of_the_patient(tmp_path):
    found = check(everything_said(tmp_path))
    assert found.faults == ()
    applied = dict(found.rules)
    assert (applied["TID 5001 row 3"], applied["TID 5002 row 2"]) == (1, 2)


@needs_dciodvfy
def test_dciodvfy_finds_no_error_in_what_is_said_of_the_patient(tmp_path):
    assert faults(everything_said(tmp_path)) == []
