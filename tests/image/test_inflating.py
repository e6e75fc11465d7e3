"""A small file that becomes large when it is read is refused before it is."""

import tracemalloc

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from fetometry.errors import ImageError
from fetometry.image import exam_key, inflating, is_volume, origin_of, read, read_dates, read_header
from fetometry.pipeline import Settings, measure
from fetometry.serve.node.reported import patient_of
from tests.conftest import dataset, save, save_dicom

MOST = 16 * 2**20


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(inflating, "MOST_BYTES", MOST)


def deflated(path, megabytes):
    """A DICOM file of some kB whose elements take so many MB."""
    made = dataset(PatientID="J1")
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.add_new(0x00090010, "LO", "much")
    made.add_new(0x00091001, "OB", bytes(megabytes * 2**20))
    return save_dicom(path, made)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory):
    path = deflated(tmp_path_factory.mktemp("bomb") / "bomb.dcm", 64)
    assert path.stat().st_size < 200_000
    return path


def refused(bomb):
    with pytest.raises(ImageError, match=r"bomb\.dcm: .*deflated.*more than 16 MB.*uncompressed"):
        list(read(bomb))


@pytest.mark.parametrize(
    "look", [exam_key, is_volume, origin_of, read_dates, read_header, patient_of, refused]
)
def test_whoever_looks_into_it_has_not_inflated_it(bomb, look):
    tracemalloc.start()
    try:
        look(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST


def test_it_is_a_problem_of_its_exam_and_the_others_are_measured(three_planes, bomb, tmp_path):
    good = save_dicom(tmp_path / "good.dcm")
    exams = [measure(path, Settings()) for path in (bomb, good)]
    assert "uncompressed" in exams[0].problems[0].reason
    assert exams[1].findings


def test_a_deflated_file_of_usual_size_is_read(tmp_path):
    path = deflated(tmp_path / "a.dcm", 8)
    assert not inflating.is_bomb(path)
    (image,) = read(path)
    assert np.array_equal(image.pixels, dataset().pixel_array)


@pytest.mark.parametrize("content", [b"", b"DICM", bytes(128) + b"DICM", bytes(128) + b"DICM\2\0"])
def test_what_is_no_dicom_is_no_bomb(tmp_path, content):
    path = tmp_path / "x.dcm"
    path.write_bytes(content)
    assert not inflating.is_bomb(path)
    assert not inflating.is_bomb(save(tmp_path / "x.png"))
