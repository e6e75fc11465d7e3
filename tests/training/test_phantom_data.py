import numpy as np
import pytest

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.image import read
from fetometry.training import data
from fetometry.training.data import phantoms


def test_patients_fill_every_side_and_every_fold():
    names = phantoms.groups(12)
    assert len(set(names)) == 12
    buckets = [data.manifest.bucket(phantoms.NAME, name) for name in names]
    assert buckets == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    return folder, phantoms.write(folder, 3, 5)


def test_a_patient_has_a_picture_of_every_plane_with_its_truth(drawn):
    folder, rows = drawn
    read_back = data.load("phantom", folder)
    assert [(row.image, row.group, row.plane) for row in read_back] == [
        (row.image, row.group, row.plane) for row in rows
    ]
    assert [row.plane for row in rows] == ["head", "abdomen", "femur"] * 3
    assert {row.split for row in rows} == {"train", "validation", "test"}
    head, abdomen, femur = rows[:3]
    assert 180 <= head.truth_mm["HC"] <= 320
    assert 160 <= abdomen.truth_mm["AC"] <= 320
    assert abdomen.truth_mm["TAD"] > 0
    assert 30 <= femur.truth_mm["FL"] <= 65


def test_a_skull_is_bright_where_its_truth_says(drawn):
    head = drawn[1][0]
    pixels = next(iter(read(head.image))).pixels
    assert pixels.shape == phantoms.SHAPE
    inner = head.ellipse.points(200)
    inner = head.ellipse.center + 0.97 * (inner - head.ellipse.center)
    row, col = np.rint(inner).astype(int).T
    inside = (row >= 0) & (row < pixels.shape[0]) & (col >= 0) & (col < pixels.shape[1])
    assert pixels[row[inside], col[inside]].mean() > 1.5 * pixels.mean()


def test_the_same_seed_draws_the_same_and_another_seed_others(drawn, tmp_path):
    rows = drawn[1]
    again = phantoms.write(tmp_path / "same", 3, 5, planes=("femur",))
    other = phantoms.write(tmp_path / "other", 3, 6, planes=("femur",))
    femur = next(row for row in rows if row.plane == "femur")
    assert again[0].ends == femur.ends
    assert again[0].image.read_bytes() == femur.image.read_bytes()
    assert other[0].ends != femur.ends


def test_what_cannot_be_drawn_or_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="3 patients or more, got 2"):
        phantoms.write(tmp_path, 2, 0)
    with pytest.raises(DataError, match=r"manifest\.csv is missing"):
        data.load("phantom", tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        phantoms.write(tmp_path / "file" / "inside", 3, 0)
