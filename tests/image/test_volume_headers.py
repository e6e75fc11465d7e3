import numpy as np
import pytest

from fetometry.errors import ImageError
from fetometry.image import read_volume
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


def no_spacing(path):
    volume = read_volume(path)
    assert volume.spacing_mm is None
    assert volume.origin_mm == (0.0, 0.0, 0.0)
    return volume.spacing_problem


# ---- how large a voxel is


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("unit", "pixdim"), [(1, 0.0005), (3, 500.0), (2, 0.5), (10, 0.5)])
def test_nifti_units_become_millimetres(tmp_path, ending, unit, pixdim):
    changes = {"xyzt_units": unit, "pixdim": (pixdim,) * 3, "forms": (0, 0)}
    assert read_volume(nifti(tmp_path / "a", ending=ending, **changes)).spacing_mm == (0.5,) * 3


def test_the_origin_of_nifti_in_metres_becomes_millimetres(tmp_path):
    rows = (0.0005, 0, 0, -0.01, 0, 0.0005, 0, 0.02, 0, 0, 0.0005, 0.03)
    changes = {"xyzt_units": 1, "pixdim": (0.0005,) * 3, "forms": (0, 1), "srow": rows}
    # NIfTI's x and y point the other way
    origin = read_volume(nifti(tmp_path / "a", **changes)).origin_mm
    np.testing.assert_allclose(origin, (10, -20, 30), rtol=1e-5)


@pytest.mark.parametrize("unit", [0, 4, 8])
def test_nifti_without_a_unit_has_no_spacing(tmp_path, unit):
    assert "xyzt_units" in no_spacing(nifti(tmp_path / "a", xyzt_units=unit))


@pytest.mark.parametrize("first", [0.0, -0.25, np.nan, np.inf])
def test_nifti_with_a_pixdim_that_is_no_size_has_no_spacing(tmp_path, first):
    assert "pixdim" in no_spacing(nifti(tmp_path / "a", pixdim=(first, 0.5, 2.0)))


def test_nifti_whose_two_sizes_disagree_has_no_spacing(tmp_path):
    path = nifti(tmp_path / "a", forms=(0, 1), srow_x=(-0.5, 0.0, 0.0, 0.0))
    assert "disagree" in no_spacing(path)


def test_a_size_beyond_belief_is_no_spacing(tmp_path):
    assert "cm or in metres" in no_spacing(
        nifti(tmp_path / "a", pixdim=(25.0, 50.0, 90.0), forms=(0, 0))
    )


def test_nifti_numbers_come_back_as_they_were_written(tmp_path):
    path = nifti(tmp_path / "a", pixdim=(0.38, 0.38, 0.38), forms=(0, 0))
    assert read_volume(path).spacing_mm == (0.38, 0.38, 0.38)


DIRECTIONS = b"space directions: (0.25,0,0) (0,0.5,0) (0,0,2)\n"


def test_nrrd_without_sizes_has_no_spacing(tmp_path):
    assert "neither" in no_spacing(edited(write(tmp_path / "a.nrrd"), DIRECTIONS))


@pytest.mark.parametrize(
    ("unit", "mm_per_unit"), [("mm", 1), ("um", 1e-3), ("millimeter", 1), ("cm", 10)]
)
def test_nrrd_space_units_become_millimetres(tmp_path, unit, mm_per_unit):
    x, y, z = (value / mm_per_unit for value in SPACING_XYZ)
    directions = f"space directions: ({x},0,0) (0,{y},0) (0,0,{z})\n"
    lines = directions + "space units:" + f' "{unit}"' * 3 + "\n"
    volume = read_volume(edited(write(tmp_path / "a.nrrd"), DIRECTIONS, lines.encode()))
    assert volume.spacing_mm == pytest.approx(SPACING_XYZ[::-1])
    assert volume.origin_mm == pytest.approx(np.array(ORIGIN) * mm_per_unit)


@pytest.mark.parametrize("units", [b'"furlong" "mm" "mm"', b'"" "" ""', b'"mm" "mm" "cm"'])
def test_nrrd_in_units_that_are_not_one_length_has_no_spacing(tmp_path, units):
    path = edited(
        write(tmp_path / "a.nrrd"), DIRECTIONS, DIRECTIONS + b"space units: " + units + b"\n"
    )
    assert "space units" in no_spacing(path)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"spacings: 0.25 0.5 2\n", (2.0, 0.5, 0.25)),
        (b'spacings: 0.025 0.05 0.2\nunits: "cm" "cm" "cm"\n', (2.0, 0.5, 0.25)),
        (b"spacings: nan 0.5 2\n", None),
        (b"spacings:=0.25 0.5 2\n", None),
        (b"", None),
    ],
)
def test_nrrd_spacings_are_read_where_there_are_no_directions(tmp_path, lines, expected):
    path = tmp_path / "a.nrrd"
    path.write_bytes(PLAIN_NRRD + lines + b"\n" + voxels().tobytes())
    found = read_volume(path).spacing_mm
    assert found is None if expected is None else found == pytest.approx(expected)


META_SPACING = b"ElementSpacing = 0.25 0.5 2\n"


@pytest.mark.parametrize("ending", [".mha", ".mhd"])
def test_metaimage_without_element_spacing_has_no_spacing(tmp_path, ending):
    path = edited(write(tmp_path / f"a{ending}"), META_SPACING)
    assert itk.ReadImage(str(path)).GetSpacing() == (1.0, 1.0, 1.0)  # invented
    assert "no ElementSpacing" in no_spacing(path)


def test_metaimage_with_a_negative_spacing_has_no_spacing(tmp_path):
    path = edited(write(tmp_path / "a.mha"), META_SPACING, b"ElementSpacing = -0.25 0.5 2\n")
    assert "ElementSpacing" in no_spacing(path)


def test_metaimage_distance_units_become_millimetres(tmp_path):
    line = b"DistanceUnits = cm\nElementSpacing = 0.025 0.05 0.2\n"
    volume = read_volume(edited(write(tmp_path / "a.mha"), META_SPACING, line))
    assert volume.spacing_mm == pytest.approx((2.0, 0.5, 0.25))
    assert volume.origin_mm == pytest.approx((100, -200, 300))


def test_metaimage_in_unknown_units_has_no_spacing(tmp_path):
    line = b"DistanceUnits = ?\n" + META_SPACING
    assert "DistanceUnits" in no_spacing(edited(write(tmp_path / "a.mha"), META_SPACING, line))


# ---- damaged files: one line, and nothing on the terminal


def refused(path, capfd):
    with pytest.raises(ImageError) as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert capfd.readouterr() == ("", "")
    return str(caught.value)


@pytest.mark.parametrize(
    ("ending", "compressed"),
    [(".nii", 0), (".nii.gz", 1), (".nrrd", 0), (".nrrd", 1), (".mha", 0), (".mha", 1)],
)
@pytest.mark.parametrize("kept", [0.05, 0.95])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, capfd, ending, compressed, kept):
    path = write(tmp_path / f"a{ending}", compressed=bool(compressed))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path, capfd)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_damaged_compressed_voxels_are_refused_in_one_line(tmp_path, capfd, ending):
    path = write(tmp_path / f"a{ending}", compressed=True)
    path.write_bytes(path.read_bytes()[:-60] + b"\xff" * 60)
    assert "damaged" in refused(path, capfd)


@pytest.mark.parametrize("ending", [".nhdr", ".mhd"])
@pytest.mark.parametrize("kept", [None, 50])
def test_voxels_beside_the_header_that_are_not_there_are_refused(tmp_path, capfd, ending, kept):
    path = write(tmp_path / f"a{ending}")
    raw = path.with_suffix(".raw")
    content = raw.read_bytes()
    raw.unlink()
    if kept is not None:
        raw.write_bytes(content[:kept])
    refused(path, capfd)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", [b"", b"no volume", bytes(2000), b"NRRD0004\n", b"NDims = 3\n"])
def test_junk_is_refused_in_one_line(tmp_path, capfd, ending, content):
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    refused(path, capfd)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dim": (9, 6, 5, 4, 1, 1, 1, 1)}, "dim"),
        ({"dim": (3, 6, -5, 4, 1, 1, 1, 1)}, "dim"),
        ({"datatype": 999}, "999"),
        ({"sizeof_hdr": 540}, "NIfTI-2"),
        ({"magic": b"ni1\0"}, "two files"),
        ({"vox_offset": np.nan}, "vox_offset"),
        ({"forms": (0, 1), "srow_x": (-0.25, 0.3, 0.0, 0.0)}, "orthonormal"),
    ],
)
def test_a_nifti_header_that_makes_no_sense_is_refused(tmp_path, capfd, changes, words):
    assert words in refused(nifti(tmp_path / "a", **changes), capfd)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"DimSize = 6 5 4", b"DimSize = 6 0 4"),
        (b"DimSize = 6 5 4", b"DimSize = six"),
        (b"DimSize = 6 5 4", b"DimSize = 1e300 1e300 9"),
        (b"MET_UCHAR", b"MET_OTHER"),
        (b"BinaryData = True", b"BinaryData = False"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = LIST"),
        (b"ElementSpacing = 0.25", b"ElementSpacing = 0"),
    ],
)
def test_a_metaimage_header_that_makes_no_sense_is_refused(tmp_path, capfd, old, new):
    refused(edited(write(tmp_path / "a.mha"), old, new), capfd)
