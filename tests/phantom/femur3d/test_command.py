"""`fetometry phantom femur3d`."""

import json
import sys

import numpy as np
import pytest

from fetometry import phantom
from fetometry.phantom import FemurVolumePhantom
from fetometry.training import data
from fetometry.training.data import phantoms3d
from fetometry.volume import Volume


@pytest.fixture
def asked(monkeypatch):
    """The specs that the command asked for; what it gets is empty, for speed."""
    specs = []

    def quick(spec):
        specs.append(spec)
        voxels, shaft = np.zeros((4, 4, 4), np.uint8), spec.shaft
        return FemurVolumePhantom(
            Volume(voxels, "empty", (spec.voxel_mm,) * 3),
            voxels > 0,
            shaft.ends_mm / spec.voxel_mm,
            shaft.length_mm,
            shaft.volume_ml,
            spec,
        )

    monkeypatch.setattr(phantom, "femur3d", quick)
    monkeypatch.setattr(phantoms3d, "femur3d", quick)
    return specs


def test_the_command_writes_volume_mask_and_truth(asked, run, tmp_path):
    pytest.importorskip("SimpleITK")
    out = tmp_path / "f.nii.gz"
    code, printed = run("phantom", "femur3d", "--seed", 5, "--ga", "27w", "--out", out)
    assert code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"f.nii.gz", "f.mask.nii.gz", "f.truth.json"}
    truth = json.loads((tmp_path / "f.truth.json").read_text())
    assert (truth["ga_days"], truth["seed"]) == (189, 5)
    assert f"{out}: FL {truth['length_mm']:.1f} mm, {truth['volume_ml']:.2f} mL, 0.8 mm" in printed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), (189, 1.0, (96, 128, 128))),
        (("--ga", "25w3d", "--difficulty", "clean"), (178, 0.0, (96, 128, 128))),
        (("--ga", "192d", "--difficulty", "0.4"), (192, 0.4, (96, 128, 128))),
        (("--difficulty", "clinical", "--size", "full"), (189, 1.0, (284, 416, 416))),
    ],
)
def test_options_reach_the_phantom(options, expected, asked, run, tmp_path):
    pytest.importorskip("SimpleITK")
    code, _ = run("phantom", "femur3d", "--out", tmp_path / "f.mha", *options)
    assert code == 0
    (spec,) = asked
    assert (spec.age_days, spec.difficulty, spec.shape) == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--out", "f.dcm"), "must end in .nii.gz"),
        (("--out", "f.mha", "--ga", "40w"), "gestational age must be 161 to 223 days"),
        (("--out", "f.mha", "--ga", "old"), "no gestational age"),
        (("--out", "f.mha", "--fl-mm", "400"), "FL must be 8 to 80 mm"),
        (("--out", "f.mha", "--difficulty", "easy"), "--difficulty is clean, clinical or 0 to 1"),
        (("--out", "f.mha", "--size", "huge"), "--size is full or small"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options, reason, asked, run, tmp_path, monkeypatch):
    pytest.importorskip("SimpleITK")
    monkeypatch.chdir(tmp_path)
    code, printed = run("phantom", "femur3d", *options)
    assert code == 2
    assert reason in printed
    assert printed.count("\n") == 1
    assert not asked


def test_a_count_writes_a_folder_of_volumes_with_their_table(asked, run, tmp_path):
    pytest.importorskip("SimpleITK")
    out = tmp_path / "volumes"
    options = ("--count", 4, "--seed", 3, "--difficulty", "0.4", "--out", out)
    code, printed = run("phantom", "femur3d", *options)
    assert code == 0
    rows = data.load("phantom3d", out)
    lengths = sorted(row.truth_mm["FL"] for row in rows)
    assert printed == (
        f"{out}: 4 volumes, FL {lengths[0]:.1f} to {lengths[-1]:.1f} mm, 0.8 mm per voxel; "
        "volumes.csv lists them\n"
    )
    series = phantoms3d.Series(4, seed=3, difficulty=0.4)
    assert asked == [series.spec(i) for i in range(4)]
    again, same = run("phantom", "femur3d", *options)
    assert (again, same, len(asked)) == (0, printed, 4)  # what is there is not drawn again


def test_a_series_in_a_folder_of_another_is_refused(asked, run, tmp_path):
    pytest.importorskip("SimpleITK")
    assert run("phantom", "femur3d", "--count", 3, "--out", tmp_path)[0] == 0
    code, printed = run("phantom", "femur3d", "--count", 3, "--seed", 1, "--out", tmp_path)
    assert code == 1
    assert "choose another --out" in printed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--count", "2"), "volumes must be 3 or more, got 2"),
        (("--count", "3", "--ga", "27w"), "--ga and --fl-mm are of one volume"),
        (("--count", "3", "--fl-mm", "50"), "--ga and --fl-mm are of one volume"),
        (("--count", "3", "--difficulty", "2"), "difficulty must be 0 to 1"),
        (("--count", "3", "--seed", "-1"), "the seed must be 0 or more"),
        (("--count", "3", "--size", "huge"), "--size is full or small"),
    ],
)
def test_a_series_that_cannot_be_is_refused_in_one_line(options, reason, asked, run, tmp_path):
    pytest.importorskip("SimpleITK")
    code, printed = run("phantom", "femur3d", "--out", tmp_path / "volumes", *options)
    assert code == 2
    assert reason in printed
    assert printed.count("\n") == 1
    assert not asked
    assert not (tmp_path / "volumes").exists()


@pytest.mark.parametrize("options", [(), ("--count", "3")])
def test_without_simpleitk_nothing_is_made(options, asked, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    code, printed = run("phantom", "femur3d", "--out", tmp_path / "f.mha", *options)
    assert code == 2
    assert "pip install 'fetometry[volume]'" in printed
    assert not asked
