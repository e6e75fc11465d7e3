"""A header as it is told on: decoded, without pixels, and quietly."""

import pydicom

from fetometry.image import read_header
from tests.conftest import dataset, save, save_dicom


def test_a_header_has_everything_but_the_pixels(tmp_path):
    path = save_dicom(tmp_path / "a.dcm", dataset(PatientID="7"))
    header = read_header(path)
    assert (header.PatientID, header.Rows) == ("7", 270)
    assert header.SequenceOfUltrasoundRegions[0].PhysicalUnitsXDirection == 3
    assert "PixelData" not in header


def test_a_misspelt_character_set_is_spelt_as_it_is_meant(tmp_path):
    made = dataset(SpecificCharacterSet="ISO_IR 192", PatientName="王^小东")
    path = save_dicom(tmp_path / "a.dcm", made)
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"ISO_IR-192"))
    header = read_header(path)
    assert (header.SpecificCharacterSet, header.PatientName) == ("ISO_IR 192", "王^小东")


def test_an_element_that_cannot_be_decoded_is_left_out_and_the_rest_is_there(tmp_path):
    made = dataset(PatientID="7", RecommendedDisplayFrameRateInFloat=1.0)
    path = save_dicom(tmp_path / "a.dcm", made)
    start = b"\x08\0\x59\x94FL"
    path.write_bytes(path.read_bytes().replace(start + b"\4\0", start + b"\6\0\0\0"))
    header = read_header(path)
    assert header.PatientID == "7"
    assert "RecommendedDisplayFrameRateInFloat" not in header


def test_what_is_no_dicom_file_or_not_there_has_none(tmp_path):
    assert read_header(save(tmp_path / "a.png")) is None
    assert read_header(tmp_path / "missing.dcm") is None


def test_the_header_is_a_dataset_that_can_be_written(tmp_path):
    header = read_header(save_dicom(tmp_path / "a.dcm"))
    header.save_as(tmp_path / "b.dcm")
    assert pydicom.dcmread(tmp_path / "b.dcm").StudyInstanceUID == header.StudyInstanceUID
