import numpy as np
import pytest

from fetometry.errors import ImageError, SpacingError
from fetometry.volume import Volume, checked_spacing_3d

VOXELS = np.zeros((2, 3, 4), np.uint8)


def test_a_volume_without_axes_lies_along_the_patient_s():
    volume = Volume(VOXELS, "a.nii", (3.0, 0.5, 0.25), origin_mm=(10.0, 20.0, 30.0))
    points = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 4.0]])
    expected = [[10.0, 20.0, 30.0], [11.0, 21.0, 33.0]]
    np.testing.assert_allclose(volume.to_patient_mm(points), expected)


def test_each_index_grows_along_its_own_axis():
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
    volume = Volume(VOXELS, "a.nii", (2.0, 0.5, 0.25), axes=axes)
    expected = [[0, -2, 0], [0, 0, 0.5], [-0.25, 0, 0]]
    np.testing.assert_allclose(volume.to_patient_mm(np.eye(3)), expected)


def test_its_shape_is_in_index_order():
    assert Volume(VOXELS, "a.nii").shape == (2, 3, 4)


@pytest.mark.parametrize("spacing", [(0.0, 0.4, 0.4), (0.4, np.nan, 0.4), (0.4, 0.4, -0.4)])
def test_a_voxel_has_a_size(spacing):
    with pytest.raises(SpacingError, match="voxels must measure"):
        Volume(VOXELS, "a.nii", spacing)


@pytest.mark.parametrize("spacing", [(0.4, 1.1, 0.4), (0.4, 0.4, 0.009), (10.1, 0.4, 0.4)])
def test_a_size_beyond_belief_is_refused(spacing):
    with pytest.raises(SpacingError, match="cm"):
        checked_spacing_3d(spacing)


def test_slices_may_lie_farther_apart_than_pixels():
    assert checked_spacing_3d((10.0, 1.0, 0.01)) == (10.0, 1.0, 0.01)


def test_without_a_spacing_nothing_is_in_millimetres_and_the_reason_is_said():
    volume = Volume(VOXELS, "a.nii", spacing_problem="pixdim is 0")
    with pytest.raises(SpacingError, match=r"a\.nii: no millimetres: pixdim is 0"):
        volume.to_patient_mm(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "axes",
    [np.eye(3) * 1.1, np.array([[1.0, 0, 0], [1, 0, 0], [0, 0, 1]]), np.eye(3)[:2], np.eye(4)],
)
def test_axes_that_are_not_three_directions_at_right_angles_are_refused(axes):
    with pytest.raises(ImageError, match="right angles"):
        Volume(VOXELS, "a.nii", axes=axes)


def test_an_origin_that_is_not_finite_is_refused():
    with pytest.raises(ImageError, match="finite"):
        Volume(VOXELS, "a.nii", origin_mm=(0.0, np.inf, 0.0))


@pytest.mark.parametrize("voxels", [VOXELS[0], VOXELS.astype(np.uint16), VOXELS[:0]])
def test_voxels_of_another_shape_or_type_are_refused(voxels):
    with pytest.raises(ImageError, match="voxels"):
        Volume(voxels, "a.nii")
