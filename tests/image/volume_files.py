"""NIfTI, NRRD and MetaImage files of a known geometry, written by SimpleITK for the tests."""

import gzip
import struct

import numpy as np
import pytest

itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (extra: volume)")

ENDINGS = [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"]
SPACING_XYZ = (0.25, 0.5, 2.0)
ORIGIN = (10.0, -20.0, 30.0)
PLAIN_NRRD = b"NRRD0004\ntype: unsigned char\ndimension: 3\nsizes: 6 5 4\nencoding: raw\n"


def voxels(dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (4, 5, 6)).astype(dtype)


def write(path, array=None, *, direction=None, compressed=False):
    image = itk.GetImageFromArray(voxels() if array is None else array)
    image.SetSpacing(SPACING_XYZ)
    image.SetOrigin(ORIGIN)
    if direction is not None:
        image.SetDirection(direction.ravel().tolist())
    itk.WriteImage(image, str(path), compressed)
    return path


def nifti(path, *, ending=".nii", **changes):
    """A NIfTI file with a part of its header, by (layout, offset), changed."""
    plain = write(path.with_suffix(".nii")).read_bytes()
    head = bytearray(plain)
    places = {
        "xyzt_units": ("<B", 123),
        "pixdim": ("<3f", 80),
        "dim": ("<8h", 40),
        "datatype": ("<h", 70),
        "sizeof_hdr": ("<i", 0),
        "magic": ("<4s", 344),
        "forms": ("<2h", 252),
        "srow_x": ("<4f", 280),
        "srow": ("<12f", 280),
        "vox_offset": ("<f", 108),
        "slope": ("<2f", 112),
    }
    for name, value in changes.items():
        layout, offset = places[name]
        struct.pack_into(layout, head, offset, *(value if isinstance(value, tuple) else (value,)))
    made = path.with_name(path.stem + ending)
    made.write_bytes(gzip.compress(head) if ending.endswith("gz") else head)
    return made


def edited(path, old, new=b""):
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    return path
