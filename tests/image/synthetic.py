"""Small pictures, DICOM files and image headers made for the tests of the readers."""

import struct
import zlib

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid


def picture(rows=48, cols=64, *, seed=0):
    """Smooth grey (rows, cols) that uses all levels from 0 to 255."""
    noise = np.random.default_rng(seed).normal(size=(rows, cols))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def photograph(rows=120, cols=160):
    """RGB noise in all hues, as smooth as the things in a photograph."""
    noise = np.random.default_rng(1).integers(0, 256, (rows, cols, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows, cols, *, colour=0, bits=8, chunks=()):
    header = struct.pack(">IIBBBBB", cols, rows, bits, colour, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_pixels(grey):
    lines = b"".join(b"\0" + row.tobytes() for row in grey)
    return png_chunk(b"IDAT", zlib.compress(lines))


def tiff(pixels, *, photometric=1, order="<"):
    """An uncompressed one-page TIFF of (H, W) pixels."""
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    rows, cols = pixels.shape
    sample_format = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    tags = [(256, cols), (257, rows), (258, pixels.dtype.itemsize * 8), (259, 1)]
    tags += [(262, photometric), (273, 8), (277, 1), (278, rows), (279, len(data))]
    tags += [(339, sample_format)]
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags)
    return start + data + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def region(**changes):
    """One 2D region in cm that covers a 48 x 64 image, of 0.02 cm a pixel."""
    item = Dataset()
    tags = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 0,
        "RegionLocationMinY0": 0,
        "RegionLocationMaxX1": 63,
        "RegionLocationMaxY1": 47,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.02,
    }
    _set(item, tags | changes)
    return item


def _set(dataset, tags):
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)


def dataset(pixels, **changes):
    """An ultrasound dataset of (H, W), (H, W, 3) or, with NumberOfFrames, (N, H, W) pixels.

    A change to None leaves the element out.
    """
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    rows, cols = pixels.shape[:2] if colour or pixels.ndim == 2 else pixels.shape[1:3]
    bits = pixels.dtype.itemsize * 8
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    tags = {
        "SOPClassUID": UltrasoundImageStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=["fetometry"]),
        "Modality": "US",
        "Rows": rows,
        "Columns": cols,
        "SamplesPerPixel": 3 if colour else 1,
        "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "PlanarConfiguration": 0 if colour else None,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
    }
    _set(made, tags | changes)
    if "PixelData" in made:
        made["PixelData"].VR = "OW" if bits > 8 else "OB"
    return made


def save(made, path):
    made.save_as(path, enforce_file_format=True)
    return path
