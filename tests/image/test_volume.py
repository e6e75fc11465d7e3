import builtins

import numpy as np
import pytest

from fetometry.errors import ImageError, UsageError
from fetometry.image import is_volume, read_volume
from fetometry.image.volume_grey import MAX_VOXELS, check_voxels, to_grey_voxels
from tests.image.volume_files import (
    ENDINGS,
    ORIGIN,
    PLAIN_NRRD,
    SPACING_XYZ,
    edited,
    itk,
    nifti,
    voxels,
    write,
)


def turned(degrees=25):
    """A rotation about an axis that is none of the patient's."""
    axis = np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    angle = np.radians(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


# ---- where the voxels lie


@pytest.mark.parametrize("ending", ENDINGS)
def test_voxels_and_spacing_are_read_in_index_order(tmp_path, ending):
    volume = read_volume(write(tmp_path / f"a{ending}"))
    np.testing.assert_array_equal(volume.voxels, voxels())
    assert volume.spacing_mm == SPACING_XYZ[::-1]
    assert volume.source.endswith(f"a{ending}")


ORIENTATIONS = {
    "straight": np.eye(3),
    "flipped": np.diag([-1.0, 1.0, -1.0]),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "swapped": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "oblique": turned(),
    "oblique and flipped": turned(140) @ np.diag([1.0, -1.0, 1.0]),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("direction", ORIENTATIONS.values(), ids=ORIENTATIONS.keys())
def test_voxels_lie_where_itk_says(tmp_path, ending, direction):
    path = write(tmp_path / f"a{ending}", direction=direction)
    image, volume = itk.ReadImage(str(path)), read_volume(path)
    indices = [(0, 0, 0), (5, 0, 0), (0, 4, 0), (0, 0, 3), (2, 3, 1)]  # x, y, z
    expected = [image.TransformIndexToPhysicalPoint(index) for index in indices]
    points = np.array(indices, float)[:, ::-1]
    np.testing.assert_allclose(volume.to_patient_mm(points), expected, atol=1e-4)
    # and where it was asked to lie
    asked = np.array(indices) * SPACING_XYZ @ direction.T + ORIGIN
    np.testing.assert_allclose(volume.to_patient_mm(points), asked, atol=1e-4)


def test_nrrd_in_another_patient_space_is_turned_round(tmp_path):
    path = write(tmp_path / "a.nrrd")
    edited(path, b"left-posterior-superior", b"right-anterior-superior")
    np.testing.assert_allclose(read_volume(path).to_patient_mm(np.zeros((1, 3))), [[-10, 20, 30]])


# ---- grey values


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_values_that_are_not_8_bits_are_scaled_over_the_volume_s_own_range(tmp_path, dtype):
    path = write(
        tmp_path / "a.nrrd", voxels().astype(dtype) * 13 - (0 if dtype == np.uint16 else 400)
    )
    grey = read_volume(path).voxels
    low, high = int(voxels().min()), int(voxels().max())
    expected = np.rint((voxels().astype(float) - low) * 255 / (high - low))
    np.testing.assert_array_equal(grey, expected)
    assert grey.min() == 0
    assert grey.max() == 255


def test_8_bit_values_rescaled_by_the_header_are_scaled_over_their_range(tmp_path):
    grey = read_volume(nifti(tmp_path / "a", slope=(2.0, 10.0))).voxels
    assert (grey.min(), grey.max()) == (0, 255)


def test_the_grey_values_are_a_copy_of_their_own():
    given = voxels()
    grey = to_grey_voxels(given, "array")
    given[:] = 0
    assert grey.max() > 200


def test_a_value_that_is_not_finite_is_refused(tmp_path):
    array = voxels(np.float32)
    array[1, 2, 3] = np.nan
    with pytest.raises(ImageError, match="NaN"):
        read_volume(write(tmp_path / "a.mha", array))


def test_a_volume_of_one_shade_is_refused(tmp_path):
    with pytest.raises(ImageError, match="one shade"):
        read_volume(write(tmp_path / "a.mha", np.full((4, 5, 6), 7, np.uint8)))


def test_a_mask_is_no_volume_of_one_shade(tmp_path):
    mask = (voxels() > 100).astype(np.uint8)
    np.testing.assert_array_equal(read_volume(write(tmp_path / "a.nii.gz", mask)).voxels, mask)


# ---- what is no volume


@pytest.mark.parametrize("ending", [".nii", ".nrrd", ".mha"])
def test_colours_pictures_and_series_are_refused(tmp_path, ending):
    rng, path = np.random.default_rng(1), str(tmp_path / f"a{ending}")
    colours = itk.GetImageFromArray(rng.integers(0, 255, (4, 5, 6, 3), np.uint8), isVector=True)
    picture = itk.GetImageFromArray(voxels()[0])
    series = itk.JoinSeries([itk.GetImageFromArray(voxels())] * 2)
    for image, words in [(colours, "colours"), (picture, "as an image"), (series, "2 volumes")]:
        itk.WriteImage(image, path)
        with pytest.raises(ImageError, match=words):
            read_volume(tmp_path / f"a{ending}")


def test_one_slice_alone_is_a_picture(tmp_path):
    with pytest.raises(ImageError, match="as an image"):
        read_volume(write(tmp_path / "a.nii", voxels()[:1]))


def test_a_series_of_one_moment_is_a_volume(tmp_path):
    volume = read_volume(nifti(tmp_path / "a", dim=(4, 6, 5, 4, 1, 1, 1, 1)))
    np.testing.assert_array_equal(volume.voxels, voxels())


def test_complex_numbers_are_refused(tmp_path):
    with pytest.raises(ImageError, match="complex"):
        read_volume(nifti(tmp_path / "a", datatype=32))


def test_more_voxels_than_any_machine_makes_are_refused_before_they_are_read(tmp_path):
    side = round(MAX_VOXELS ** (1 / 3)) + 5
    with pytest.raises(ImageError, match="million voxels"):
        check_voxels((side, side, side), "a.nii")
    path = tmp_path / "a.nrrd"
    path.write_bytes(PLAIN_NRRD.replace(b"6 5 4", b"6000 5000 4000") + b"\n" + bytes(100))
    with pytest.raises(ImageError, match="million voxels"):
        read_volume(path)


# ---- which files are volumes


def test_the_name_tells_a_volume(tmp_path):
    assert all(is_volume(tmp_path / f"A{ending.upper()}") for ending in ENDINGS)
    assert not is_volume(tmp_path / "a.png")


def test_another_kind_of_file_is_refused_and_the_kinds_are_named(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(ImageError, match=r"\.nii\.gz .*Enhanced US Volume"):
        read_volume(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        read_volume(tmp_path / "none.nii")


def test_without_simpleitk_the_words_say_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path / "a.nii")
    real = builtins.__import__

    def without(name, *rest):
        if name == "SimpleITK":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'fetometry\[volume\]'"):
        read_volume(path)


def test_itk_is_as_loud_as_before_afterwards(tmp_path):
    before = itk.ProcessObject.GetGlobalWarningDisplay()
    read_volume(write(tmp_path / "a.nii"))
    assert itk.ProcessObject.GetGlobalWarningDisplay() == before
