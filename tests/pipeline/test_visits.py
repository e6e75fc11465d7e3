"""Whose images are whose."""

from pathlib import Path

import pytest

from fetometry.errors import ImageError
from fetometry.pipeline import find_all, visits_of
from tests.conftest import dataset, save, save_dicom


def parted(files):
    return {visit.name: [file.name for file in visit.files] for visit in visits_of(files)}


def dicom(path, **tags):
    return save_dicom(path, dataset(**tags))


def test_paths_are_found_in_order_and_each_file_once(tmp_path):
    a, b = save(tmp_path / "a.png"), save(tmp_path / "in" / "b.png")
    files, problems = find_all([b, tmp_path, a])
    assert files == [b, a]
    assert problems == ()


def test_paths_without_an_image_are_problems_as_long_as_one_has_some(tmp_path):
    a, gone = save(tmp_path / "a.png"), tmp_path / "gone"
    files, problems = find_all([gone, a])
    assert files == [a]
    assert [problem.source for problem in problems] == [str(gone)]
    with pytest.raises(ImageError, match=r"gone: no such file.*lost: no such file"):
        find_all([gone, tmp_path / "lost"])


def test_one_folder_is_one_patient(tmp_path):
    names = ("a.png", "b.jpg", "ward/a.png", "ward/deeper/a.png")
    assert parted([save(tmp_path / name) for name in names]) == {
        tmp_path.name: ["a.png", "b.jpg"], "ward": ["a.png"], "deeper": ["a.png"],
    }  # fmt: skip


def test_one_folder_is_the_same_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "b.png")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    paths = [Path("in/a.png"), Path("./in/../in/b.png"), tmp_path / "link" / "a.png"]
    assert parted(paths) == {"in": ["a.png", "b.png", "a.png"]}


def test_a_folder_named_by_a_dot_has_its_own_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png")
    assert list(parted([Path("a.png")])) == [tmp_path.name]


def test_folders_of_one_name_get_names_of_their_own(tmp_path):
    names = ("one/us/a.png", "two/US/a.png", "three/us/a.png", "us-2/a.png")
    assert list(parted([save(tmp_path / name) for name in names])) == ["us", "US-3", "us-4", "us-2"]


def test_dicom_files_of_one_study_are_one_exam_in_whatever_folders_they_lie(tmp_path):
    files = [dicom(tmp_path / name) for name in ("s1/a.dcm", "s2/b.dcm")]
    ((name, found),) = parted(files).items()
    assert found == ["a.dcm", "b.dcm"]
    assert name.startswith("study-")
    assert len(name) == len("study-") + 8


@pytest.mark.parametrize(
    "other",
    [{"PatientID": "2"}, {"IssuerOfPatientID": "elsewhere"}, {"StudyInstanceUID": "1.2.3"}],
    ids=lambda tags: next(iter(tags)),
)
def test_another_patient_issuer_or_study_in_one_folder_is_another_exam(other, tmp_path):
    files = [dicom(tmp_path / "a.dcm"), dicom(tmp_path / "b.dcm", **other)]
    assert list(parted(files).values()) == [["a.dcm"], ["b.dcm"]]


def test_an_exams_name_does_not_show_who_the_patient_is(tmp_path):
    (name,) = parted([dicom(tmp_path / "a.dcm", PatientID="DOE-1970", PatientName="Doe^Jane")])
    assert "doe" not in name.casefold()


def test_files_without_a_study_are_parted_by_patient_and_by_folder(tmp_path):
    files = [
        dicom(tmp_path / name, StudyInstanceUID=None, PatientID=patient)
        for name, patient in zip(("x/a.dcm", "x/b.dcm", "x/c.dcm", "y/d.dcm"), "1121", strict=True)
    ]  # fmt: skip
    assert list(parted(files).values()) == [["a.dcm", "b.dcm"], ["c.dcm"], ["d.dcm"]]


def test_files_that_say_nothing_are_parted_by_folder(tmp_path):
    nothing = {"StudyInstanceUID": None, "PatientID": ""}
    files = [dicom(tmp_path / name, **nothing) for name in ("x/a.dcm", "x/b.dcm", "y/c.dcm")]
    assert parted(files) == {"x": ["a.dcm", "b.dcm"], "y": ["c.dcm"]}


def test_a_picture_beside_one_patients_dicom_files_is_that_patients(tmp_path):
    files = [save(tmp_path / "a.png"), dicom(tmp_path / "b.dcm"), dicom(tmp_path / "c.dcm")]
    assert list(parted(files).values()) == [["a.png", "b.dcm", "c.dcm"]]


def test_a_picture_beside_two_patients_dicom_files_is_neithers(tmp_path):
    files = [save(tmp_path / "a.png"), dicom(tmp_path / "b.dcm")]
    files.append(dicom(tmp_path / "c.dcm", PatientID="2"))
    assert list(parted(files).values()) == [["a.png"], ["b.dcm"], ["c.dcm"]]


def test_a_damaged_file_stays_with_its_folder(tmp_path):
    good, bad = dicom(tmp_path / "a.dcm"), tmp_path / "b.dcm"
    bad.write_bytes(good.read_bytes()[:200])
    assert list(parted([good, bad]).values()) == [["a.dcm", "b.dcm"]]
    bad.write_bytes(b"")
    assert list(parted([bad])) == [tmp_path.name]
