"""Names, numbers and dates of a patient survive whatever the file does to them."""

import warnings

import pydicom
import pytest

from fetometry.image import read_header
from fetometry.report.sr.identity import (
    UNKNOWN_MOMENT,
    identity_of,
    moment_of,
    no_identity,
    sound,
    uid_of,
    valid_uid,
)
from tests.report.sr.made import dciodvfy_is_missing, faults, one_plane, saved_with, written

NAMES = [
    ("ISO_IR 192", "Müller^Zoë=王^小东=ミュラー"),
    ("ISO_IR 100", "Müller^Zoë"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO-IR 100", "Müller^Zoë"),
    ("ISO_IR-192", "王^小东"),
]


@pytest.mark.parametrize(("character_set", "name"), NAMES)
def test_a_name_survives_in_any_character_set(tmp_path, character_set, name):
    header = read_header(saved_with(tmp_path / "a.dcm", character_set, name))
    exam = one_plane()
    made = written(exam, tmp_path, headers={exam.findings[0].source: header})
    assert made.PatientName == name
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert dciodvfy_is_missing or faults(tmp_path / "report.sr.dcm") == []


def test_patient_and_study_are_copied_exactly_and_nothing_else():
    header = pydicom.Dataset()
    header.PatientID, header.IssuerOfPatientID = "0815", "Ward 3"
    header.AccessionNumber, header.StudyInstanceUID = "A-17", "1.2.840.1"
    header.StudyDate, header.StudyTime, header.PatientSex = "20260521", "104533.123", "F"
    header.Manufacturer, header.StationName = "somebody", "US-1"
    issuer = pydicom.Dataset()
    issuer.LocalNamespaceEntityID = "RIS"
    header.IssuerOfAccessionNumberSequence = [issuer]
    made = identity_of(header)
    for keyword in ("PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID"):
        assert made[keyword] == header[keyword]
    assert (made.StudyDate, made.StudyTime, made.PatientSex) == ("20260521", "104533.123", "F")
    assert made.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS"
    assert "Manufacturer" not in made
    assert "StationName" not in made


def test_text_inside_sequences_is_decoded_too(tmp_path):
    path = saved_with(tmp_path / "a.dcm", "ISO_IR 100", "A")
    whole = pydicom.dcmread(path)
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "Größe"
    whole.ProcedureCodeSequence = [code]
    whole.save_as(path)
    made = identity_of(read_header(path))
    assert made.ProcedureCodeSequence[0].CodeMeaning == "Größe"
    assert "SpecificCharacterSet" not in made.ProcedureCodeSequence[0]


def test_what_is_no_date_time_or_sex_is_empty():
    header = pydicom.Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header.StudyDate, header.StudyTime, header.PatientBirthDate = "2026.05.21", "25", "unknown"
        header.PatientSex = "W"
    made = sound(header)
    assert (made.StudyDate, made.StudyTime) == ("20260521", "")
    assert (made.PatientBirthDate, made.PatientSex) == ("", "")
    assert made.AccessionNumber == ""


def test_the_moment_is_that_of_the_image_before_that_of_the_study():
    header = pydicom.Dataset()
    assert moment_of(header) == UNKNOWN_MOMENT
    header.StudyDate = "20260521"
    assert moment_of(header) == ("20260521", "000000")
    header.ContentDate, header.ContentTime = "20260522", "101112.5"
    assert moment_of(header) == ("20260522", "101112.5")


def test_a_uid_comes_from_its_words_alone():
    assert uid_of("a", "b") == uid_of("a", "b") != uid_of("ab", "")
    assert valid_uid(uid_of("a"))
    assert not valid_uid("")
    assert not valid_uid("1.02.3")


def test_pictures_without_a_patient_are_a_study_of_their_own():
    made = no_identity("one")
    assert (made.PatientName, made.PatientID) == ("", "")
    assert valid_uid(made.StudyInstanceUID)
    assert made.StudyInstanceUID != no_identity("two").StudyInstanceUID
