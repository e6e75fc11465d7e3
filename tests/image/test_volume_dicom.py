"""Enhanced US Volume DICOM, made frame by frame with a known geometry. No SimpleITK needed."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from fetometry.errors import ImageError
from fetometry.image import is_volume, read_volume
from fetometry.image.volume_dicom import ENHANCED_US_VOLUME
from tests.image.synthetic import dataset, picture, save

SLICE_MM, ROW_MM, COL_MM = 0.8, 0.4, 0.25
ORIGIN = np.array([5.0, -7.0, 11.0])
ACROSS, DOWN = np.array([0.6, 0.8, 0.0]), np.array([-0.8, 0.6, 0.0])
NORMAL = np.array([0.0, 0.0, 1.0])
SCRAMBLED = [2, 0, 3, 1]


def voxels(dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (4, 10, 12)).astype(dtype)


def item(sequence, **values):
    made, inner = Dataset(), Dataset()
    for keyword, value in values.items():
        setattr(inner, keyword, value)
    setattr(made, sequence, [inner])
    return made


def shared(*, orientation=(*ACROSS, *DOWN), spacing=(ROW_MM, COL_MM), kind="TISSUE_INTENSITY"):
    made = item("ImageDataTypeSequence", DataType=kind)
    if spacing is not None:
        made.update(item("PixelMeasuresSequence", PixelSpacing=list(spacing)))
    if orientation is not None:
        made.update(
            item("PlaneOrientationVolumeSequence", ImageOrientationVolume=list(orientation))
        )
    return made


def places(order=SCRAMBLED):
    return [ORIGIN + number * SLICE_MM * NORMAL for number in order]


def volume_file(tmp_path, *, stored=None, positions=None, groups=None, **changes):
    """A file whose frames come in scrambled order."""
    stored = voxels()[SCRAMBLED] if stored is None else stored
    positions = places() if positions is None else positions
    own = [
        item("PlanePositionVolumeSequence", ImagePositionVolume=list(place)) for place in positions
    ]
    tags = {
        "SOPClassUID": ENHANCED_US_VOLUME,
        "NumberOfFrames": len(stored),
        "SharedFunctionalGroupsSequence": [groups or shared()],
        "PerFrameFunctionalGroupsSequence": own,
    }
    return save(dataset(stored, **(tags | changes)), tmp_path / "a.dcm")


def test_frames_are_sorted_by_where_they_lie(tmp_path):
    volume = read_volume(volume_file(tmp_path))
    np.testing.assert_array_equal(volume.voxels, voxels())
    assert volume.spacing_mm == pytest.approx((SLICE_MM, ROW_MM, COL_MM))
    assert volume.origin_mm == pytest.approx(tuple(ORIGIN))


def test_frames_in_falling_order_are_turned_round(tmp_path):
    path = volume_file(tmp_path, stored=voxels()[::-1], positions=places([3, 2, 1, 0]))
    np.testing.assert_array_equal(read_volume(path).voxels, voxels())


def test_voxels_lie_where_the_functional_groups_say(tmp_path):
    volume = read_volume(volume_file(tmp_path))
    points = np.array([[0.0, 0, 0], [3, 0, 0], [0, 9, 0], [0, 0, 11], [2, 5, 7]])
    slices, rows, cols = points.T[..., None]
    expected = ORIGIN + slices * SLICE_MM * NORMAL + rows * ROW_MM * DOWN + cols * COL_MM * ACROSS
    np.testing.assert_allclose(volume.to_patient_mm(points), expected, atol=1e-9)


def test_the_patient_s_axes_are_preferred_where_the_file_has_them(tmp_path):
    groups = shared()
    groups.update(item("PlaneOrientationSequence", ImageOrientationPatient=[0, 1, 0, 0, 0, 1]))
    own = []
    for number, place in zip(SCRAMBLED, places(), strict=True):
        one = item("PlanePositionVolumeSequence", ImagePositionVolume=list(place))
        there = [100 + number * SLICE_MM, 0, 0]
        one.update(item("PlanePositionSequence", ImagePositionPatient=there))
        own.append(one)
    path = volume_file(tmp_path, groups=groups, PerFrameFunctionalGroupsSequence=own)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.axes, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert volume.origin_mm == (100, 0, 0)


def test_16_bits_are_scaled_over_the_whole_volume_not_frame_by_frame(tmp_path):
    ramp = np.arange(4, dtype=np.uint16)[:, None, None] * 1000 + voxels(np.uint16)
    grey = read_volume(volume_file(tmp_path, stored=ramp[SCRAMBLED])).voxels
    expected = np.rint((ramp - float(ramp.min())) * 255 / (float(ramp.max()) - ramp.min()))
    np.testing.assert_array_equal(grey, expected)


def test_compressed_frames_are_read(tmp_path):
    path = volume_file(tmp_path)
    made = pydicom.dcmread(path)
    made.compress(RLELossless, generate_instance_uid=False)
    made.save_as(path)
    np.testing.assert_array_equal(read_volume(path).voxels, voxels())


def test_a_distance_of_slices_of_its_own_is_no_distance(tmp_path):
    """Spacing Between Slices is the scan's; the places of the frames are the truth."""
    groups = shared()
    groups.PixelMeasuresSequence[0].SpacingBetweenSlices = 3
    groups.PixelMeasuresSequence[0].SliceThickness = 5
    assert read_volume(volume_file(tmp_path, groups=groups)).spacing_mm[0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("spacing", "words"), [(None, "no Pixel Spacing"), ((0.0, 0.4), "mm"), ((40, 40), "metres")]
)
def test_without_a_believable_pixel_spacing_there_are_no_millimetres(tmp_path, spacing, words):
    volume = read_volume(volume_file(tmp_path, groups=shared(spacing=spacing)))
    assert volume.spacing_mm is None
    assert words in volume.spacing_problem


def moved(number, by):
    found = places()
    found[number] = found[number] + by
    return found


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"positions": moved(1, 0.1 * NORMAL)}, "apart"),
        ({"positions": moved(1, 0.1 * ACROSS)}, "shifted"),
        ({"positions": places([0, 1, 0, 1])}, "same place"),
        ({"positions": places()[:3]}, "3 items"),
        ({"positions": [[0.0, 0.0, np.nan]] * 4}, "parallel"),
        ({"groups": shared(orientation=None)}, "Plane Orientation"),
        ({"groups": shared(orientation=(1, 0, 0, 1, 0, 0))}, "same place"),
        ({"groups": shared(kind="FLOW_VELOCITY")}, "FLOW_VELOCITY"),
        ({"PerFrameFunctionalGroupsSequence": None}, "0 items"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "MONOCHROME2"),
        ({"stored": voxels()[:1], "positions": places()[:1]}, "as an image"),
        ({"NumberOfFrames": 5}, "truncated"),
    ],
)
def test_what_is_no_even_stack_of_grey_frames_is_refused_in_one_line(tmp_path, made, words):
    with pytest.raises(ImageError, match=words) as caught:
        read_volume(volume_file(tmp_path, **made))
    assert "\n" not in str(caught.value)


def test_colours_are_refused(tmp_path):
    rgb = np.zeros((4, 10, 12, 3), np.uint8)
    made = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    with pytest.raises(ImageError, match="RGB"):
        read_volume(volume_file(tmp_path, PixelData=rgb.tobytes(), **made))


def test_a_truncated_file_is_refused(tmp_path):
    path = volume_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageError, match="truncated"):
        read_volume(path)


def test_another_class_is_measured_as_an_image(tmp_path):
    path = save(dataset(picture()), tmp_path / "a.dcm")
    assert not is_volume(path)
    with pytest.raises(ImageError, match="as an image"):
        read_volume(path)


def test_the_class_tells_a_volume_whatever_its_name(tmp_path):
    assert is_volume(volume_file(tmp_path).rename(tmp_path / "IM0001"))
