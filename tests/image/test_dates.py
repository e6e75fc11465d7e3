from datetime import date

import pytest

from fetometry.image import HeaderDates, read_dates
from tests.conftest import dataset, save, save_dicom

# what the standard does not allow is written on purpose
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning")


def test_the_day_of_the_study_and_the_last_menstrual_period_are_read(tmp_path):
    made = dataset(StudyDate="20260521", LastMenstrualDate="20260101", ContentDate="20260522")
    found = read_dates(save_dicom(tmp_path / "a.dcm", made))
    assert found == HeaderDates(date(2026, 5, 21), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("tags", "exam"),
    [
        ({"StudyDate": "", "AcquisitionDate": "20260522"}, date(2026, 5, 22)),
        ({"StudyDate": "2026.05.21"}, date(2026, 5, 21)),
        ({"StudyDate": ""}, None),
        ({"StudyDate": None}, None),
    ],
)
def test_the_first_day_that_is_one_counts(tmp_path, tags, exam):
    path = save_dicom(tmp_path / "a.dcm", dataset(**tags))
    assert read_dates(path) == HeaderDates(exam, None)


@pytest.mark.parametrize("text", ["20261345", "19000000", "ANON"])
def test_what_is_no_day_is_none(tmp_path, text):
    path = save_dicom(tmp_path / "a.dcm", dataset(LastMenstrualDate=text))
    assert read_dates(path).lmp is None


def test_another_format_a_damaged_and_a_missing_file_say_nothing(tmp_path):
    damaged = tmp_path / "b.dcm"
    damaged.write_bytes(bytes(128) + b"DICM" + b"\xff" * 40)
    for path in (save(tmp_path / "a.png"), damaged, tmp_path / "none.dcm"):
        assert read_dates(path) == HeaderDates()
