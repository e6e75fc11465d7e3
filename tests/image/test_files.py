from pathlib import Path

import cv2
import pytest

from fetometry.errors import ImageError
from fetometry.image import exam_key, find, read
from tests.image.synthetic import dataset, picture, save


def names(found, root):
    return [path.relative_to(root).as_posix() for path in found]


def touch(root, *paths):
    for name in paths:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_file_gives_itself_whatever_it_is(tmp_path):
    touch(tmp_path, "notes.txt", "a_Annotation.png")
    assert find(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert find(tmp_path / "a_Annotation.png") == [tmp_path / "a_Annotation.png"]


def test_a_folder_is_searched_to_the_bottom_and_sorted(tmp_path):
    touch(tmp_path, "b.png", "a.JPG", "sub/deep/c.dcm", "sub/d.tiff", "e.webp", "f.bmp", "g.jpeg")
    expected = ["a.JPG", "b.png", "e.webp", "f.bmp", "g.jpeg", "sub/d.tiff", "sub/deep/c.dcm"]
    assert names(find(tmp_path), tmp_path) == expected


def test_annotations_hidden_files_and_other_files_are_left_out(tmp_path):
    touch(tmp_path, "a.png", "a_Annotation.png", "b_annotation.PNG", ".c.png", ".d/e.png")
    touch(tmp_path, "table.csv", "README", "DICOMDIR")
    assert names(find(tmp_path), tmp_path) == ["a.png"]


def test_volumes_are_found_by_their_suffix_and_masks_left_out(tmp_path):
    touch(tmp_path, "a.nii.gz", "a.mask.nii.gz", "a.truth.json", "b.NRRD", "sub/c.mha", "d.nii")
    touch(tmp_path, "e.mask.mha", "f.gz", "mask.nii")
    expected = ["a.nii.gz", "b.NRRD", "d.nii", "mask.nii", "sub/c.mha"]
    assert names(find(tmp_path), tmp_path) == expected
    assert find(tmp_path / "a.mask.nii.gz") == [tmp_path / "a.mask.nii.gz"]


@pytest.mark.parametrize("name", ["IM_0001", "1.2.840.113619.2", "scan.ima"])
def test_a_dicom_file_is_found_under_any_name(tmp_path, name):
    save(dataset(picture()), tmp_path / name)
    assert names(find(tmp_path), tmp_path) == [name]
    (image,) = read(tmp_path / name)
    assert image.pixels.shape == (48, 64)


def test_the_overlays_of_an_earlier_run_are_left_out(tmp_path):
    touch(tmp_path, "out/exam.json", "out/overlays/a_f1.png", "out/b.png", "overlays/c.png")
    assert names(find(tmp_path), tmp_path) == ["out/b.png", "overlays/c.png"]


def test_the_overlays_of_volumes_are_left_out_too(tmp_path):
    touch(tmp_path, "overlays/leg_volume.png", "leg_volume.png", "overlays/volume.png")
    assert names(find(tmp_path), tmp_path) == ["leg_volume.png", "overlays/volume.png"]


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "set/a.png", "elsewhere/b.png")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "up").symlink_to(tmp_path / "set")
    assert names(find(tmp_path / "set"), tmp_path) == ["set/a.png", "set/more/b.png"]


def test_a_folder_that_may_not_be_read_is_named_and_does_not_stop_the_rest(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "closed/b.png")
    iterdir = Path.iterdir

    def guarded(folder):
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", guarded)
    assert names(find(tmp_path), tmp_path) == ["a.png", "closed"]


def test_a_folder_without_an_image_is_refused(tmp_path):
    touch(tmp_path, "table.csv", "a_Annotation.png")
    with pytest.raises(ImageError, match=r"holds no image \(\.bmp \.dcm \.jpeg"):
        find(tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(ImageError, match="none: no such file or folder"):
        find(tmp_path / "none")
    with pytest.raises(ImageError, match="none: cannot be read: No such file"):
        next(read(tmp_path / "none"))


def test_a_folder_is_not_read(tmp_path):
    with pytest.raises(ImageError, match="cannot be read: Is a directory"):
        next(read(tmp_path))


@pytest.mark.parametrize("name", ["a.png", "a.dcm", "a"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ImageError, match=r"the file is empty \(0 bytes\)"):
        next(read(tmp_path / name))


def test_a_dcm_that_is_not_dicom_is_refused(tmp_path):
    touch(tmp_path, "a.dcm")
    with pytest.raises(ImageError, match=r"a\.dcm: not a DICOM file"):
        next(read(tmp_path / "a.dcm"))


def test_a_path_beyond_ascii_is_read(tmp_path):
    _, png = cv2.imencode(".png", picture())
    path = tmp_path / "Köpfe 頭.png"
    path.write_bytes(png.tobytes())
    assert next(read(path)).source == str(path)


def test_the_overlays_of_an_earlier_run_are_left_out_without_its_other_files(tmp_path):
    touch(tmp_path, "out/overlays/head_f1.png", "out/overlays/own.png", "head_f1.png")
    assert names(find(tmp_path), tmp_path) == ["head_f1.png", "out/overlays/own.png"]


def test_the_pictures_of_the_exams_of_an_earlier_run_are_left_out(tmp_path):
    touch(tmp_path, "exam.png", "exams/ward.png", "exams/own.png", "overlays/deep/a_f1.png")
    assert len(names(find(tmp_path), tmp_path)) == 4
    (tmp_path / "exams" / "ward.json").write_text('{\n"schema": "fetometry-exam/1"}')
    (tmp_path / "exams" / "own.json").write_text('{"schema": "somebody/1"}')
    (tmp_path / "exam.json").write_text('{"schema": "fetometry-exam/1"}')
    assert names(find(tmp_path), tmp_path) == ["exams/own.png"]


def test_the_overlays_of_several_exams_are_left_out(tmp_path):
    touch(tmp_path, "exams/ward.png", "overlays/deep/a_f1.png", "b.png")
    (tmp_path / "exams" / "ward.json").write_text('{"schema": "fetometry-exam/1"}')
    assert names(find(tmp_path), tmp_path) == ["b.png"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"PatientName": "Doe^Jane", "InstanceNumber": 2}, True),
        ({}, {"PatientID": "2"}, False),
        ({}, {"IssuerOfPatientID": "elsewhere"}, False),
        ({}, {"StudyInstanceUID": "1.2.3"}, False),
        ({"PatientID": "12", "IssuerOfPatientID": "3"}, {"IssuerOfPatientID": "23"}, False),
    ],
)
def test_a_dicom_files_exam_is_its_patient_issuer_and_study(one, other, same, tmp_path):
    both = {"PatientID": "1", "StudyInstanceUID": "1.2"}
    made = [dataset(picture(), **{**both, **tags}) for tags in (one, other)]
    paths = [save(d, tmp_path / f"{n}.dcm") for n, d in enumerate(made)]
    keys = [exam_key(path) for path in paths]
    assert (keys[0] == keys[1]) == same
    assert [next(read(path)).exam for path in paths] == keys
    assert {len(key) for key in keys} == {12}
    assert set("".join(keys)) <= set("0123456789abcdef")


def test_a_file_that_does_not_say_whose_it_is_has_no_exam(tmp_path):
    nobody = save(dataset(picture()), tmp_path / "a.dcm")
    assert (exam_key(nobody), next(read(nobody)).exam) == ("", "")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(nobody.read_bytes()[:200])
    empty = tmp_path / "empty.dcm"
    empty.write_bytes(b"")
    assert [exam_key(p) for p in (cut, empty, tmp_path / "gone.dcm", tmp_path)] == [""] * 4
