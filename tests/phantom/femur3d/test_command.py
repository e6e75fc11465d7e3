"""`fetometry phantom femur3d`."""

import json
import sys

import numpy as np
import pytest

from fetometry import phantom
from fetometry.phantom import FemurVolumePhantom
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


def test_without_simpleitk_nothing_is_made(asked, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    code, printed = run("phantom", "femur3d", "--out", tmp_path / "f.mha")
    assert code == 2
    assert "pip install 'fetometry[volume]'" in printed
    assert not asked
