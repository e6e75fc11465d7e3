"""Files of a volume phantom read back with the size, the axes and the truth that went in."""

import json
import sys

import numpy as np
import pytest

from fetometry.errors import OutputError, UsageError
from fetometry.phantom import FemurVolumePhantom, FemurVolumeSpec, write_volume
from fetometry.phantom.femur3d.write import beside, volume_suffix
from fetometry.volume import Volume

SPEC = FemurVolumeSpec(fl_mm=24.0, shape=(48, 52, 56), voxel_mm=1.0, seed=7)


@pytest.fixture(scope="module")
def phantom():
    """A phantom whose picture is noise: what is written does not depend on it."""
    voxels = np.random.default_rng(0).integers(0, 256, SPEC.shape, dtype=np.uint8)
    shaft = SPEC.shaft
    return FemurVolumePhantom(
        volume=Volume(voxels, "noise", (1.0, 1.0, 1.0)),
        mask=shaft.mask(SPEC.shape, 1.0),
        ends=shaft.ends_mm,
        length_mm=shaft.length_mm,
        volume_ml=shaft.volume_ml,
        spec=SPEC,
    )


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".nrrd"])
def test_volume_and_mask_read_back_with_their_spacing_and_axes(phantom, suffix, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    write_volume(phantom, tmp_path / f"f{suffix}")
    image = itk.ReadImage(str(tmp_path / f"f{suffix}"))
    assert np.array_equal(itk.GetArrayFromImage(image), phantom.volume.voxels)
    assert image.GetSpacing() == pytest.approx((1.0, 1.0, 1.0))
    assert image.GetDirection() == pytest.approx(np.eye(3).ravel())
    assert image.GetOrigin() == pytest.approx((0, 0, 0))
    mask = itk.GetArrayFromImage(itk.ReadImage(str(tmp_path / f"f.mask{suffix}")))
    assert np.array_equal(mask, phantom.mask)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"f{suffix}", f"f.mask{suffix}", "f.truth.json"}


def test_a_point_of_the_volume_lies_where_the_file_says(phantom, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    write_volume(phantom, tmp_path / "f.mha")
    image = itk.ReadImage(str(tmp_path / "f.mha"))
    slice_row_col = phantom.ends[0]
    there = image.TransformContinuousIndexToPhysicalPoint(slice_row_col[::-1].tolist())
    assert phantom.volume.to_patient_mm(phantom.ends)[0] == pytest.approx(there)


def test_the_truth_stands_beside_the_volume(phantom, tmp_path):
    pytest.importorskip("SimpleITK")
    write_volume(phantom, tmp_path / "f.nii.gz")
    truth = json.loads((tmp_path / "f.truth.json").read_text())
    assert truth["schema"] == "fetometry-phantom/1"
    assert (truth["plane"], truth["seed"]) == ("femur3d", 7)
    assert truth["length_mm"] == pytest.approx(24.0)
    assert truth["volume_ml"] == pytest.approx(SPEC.shaft.volume_ml)
    assert truth["spacing_mm"] == [1.0, 1.0, 1.0]
    assert truth["shape"] == [48, 52, 56]
    assert np.array(truth["ends_voxels"]) == pytest.approx(phantom.ends)
    assert np.array(truth["ends_mm"]) == pytest.approx(SPEC.shaft.ends_mm)


def test_without_simpleitk_the_error_says_what_to_install(phantom, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(UsageError, match=r"pip install 'fetometry\[volume\]'"):
        write_volume(phantom, tmp_path / "f.mha")


@pytest.mark.parametrize("name", ["f.dcm", "f.png", ".mha", "nii.gz"])
def test_an_ending_that_is_no_volumes_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.nii\.gz, \.nii, \.mha, \.nrrd, got"):
        volume_suffix(tmp_path / name)


def test_a_folder_that_is_missing_is_refused(phantom, tmp_path):
    pytest.importorskip("SimpleITK")
    with pytest.raises(OutputError, match="no folder"):
        write_volume(phantom, tmp_path / "gone" / "f.mha")


def test_what_cannot_be_written_leaves_nothing_behind(phantom, tmp_path):
    pytest.importorskip("SimpleITK")
    (tmp_path / "f.mask.mha").mkdir()
    with pytest.raises(OutputError, match=r"f\.mha: cannot be written"):
        write_volume(phantom, tmp_path / "f.mha")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_files_beside_have_the_name_of_the_volume_without_both_endings(tmp_path):
    assert beside(tmp_path / "a.b.nii.gz", "truth.json").name == "a.b.truth.json"
