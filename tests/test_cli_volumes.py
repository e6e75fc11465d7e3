"""Volumes on the command line: what is said, and how it ends."""

import pytest

from fetometry.cli import show
from fetometry.types import Exam
from tests.conftest import save
from tests.pipeline.volume_model import NOTICE, install, save_volume, voxels
from tests.report.volume_examples import found


@pytest.fixture
def bone(monkeypatch):
    return install(monkeypatch)


def test_a_volume_is_told_with_its_numbers_its_flags_and_the_notice(bone, run, tmp_path):
    path = save_volume(tmp_path / "leg.nii.gz")
    code, text = run("measure", path, "--out", tmp_path / "out")
    assert code == 0
    assert f"femur in a volume  FL 24.0 mm, 0.47 mL  {path} ! phantom-trained\n" in text
    assert f"the model of volumes says: {NOTICE}\n" in text
    assert "written to" in text


def test_volumes_come_after_what_was_measured_in_pictures(bright, bone, run, tmp_path):
    save(tmp_path / "a.png")
    save_volume(tmp_path / "leg.nii")
    code, text = run("measure", tmp_path, "--mm-per-px", "0.3", "--out", tmp_path / "out")
    assert code == 0
    assert text.index("HC") < text.index("femur in a volume")


def test_a_volume_that_is_refused_is_named_and_ends_with_an_error(bone, run, tmp_path):
    save_volume(tmp_path / "a.nii")
    save_volume(tmp_path / "b.nii", voxels() // 2)
    code, text = run("measure", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert f"refused: {tmp_path / 'b.nii'}: no femur was found" in text.replace("\n", " ")
    assert "FL 24.0 mm" in text


def shown(capsys, *volumes):
    show.show_exams([Exam((), volumes=volumes)])
    return capsys.readouterr().out


def test_many_volumes_are_summed_up_and_the_notice_is_said_once(capsys):
    text = shown(capsys, *(found(length_mm=30.0 + k) for k in range(31)))
    assert "31 volumes measured, FL 30.0 to 60.0 mm\n" in text
    assert text.count(NOTICE) == 1
    assert shown(capsys, found(), found()).count(NOTICE) == 1


def test_what_is_not_known_of_a_volume_is_not_said(capsys):
    assert "femur in a volume  36.0" not in shown(capsys, found(mask=False, flags=()))
    text = shown(capsys, found(None, flags=(), notice=""))
    assert "FL" not in text
    assert "mL" in text
    assert "!" not in text
