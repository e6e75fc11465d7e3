"""A phantom as a file: PNG or calibrated DICOM, with the truth beside it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import secrets
from pathlib import Path

import cv2
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from fetometry.errors import OutputError
from fetometry.phantom.truth import Phantom, truth


def truth_path(path: Path) -> Path:
    """Return where the truth of the picture at `path` is written: NAME.truth.json."""
    return path.with_name(f"{path.stem}.truth.json")


def write_png(phantom: Phantom, path: Path) -> None:
    """Write the picture as PNG, and NAME.truth.json beside it.

    A PNG says nothing about the size of a pixel: it stands in the truth alone.

    Raises:
        OutputError: the folder is missing or cannot be written.
    """
    encoded, content = cv2.imencode(".png", phantom.pixels)
    if not encoded:
        raise OutputError(f"{path}: OpenCV could not encode the picture as PNG")
    _write(phantom, path, content.tobytes())


def write_dicom(phantom: Phantom, path: Path, *, study: str | None = None) -> None:
    """Write the picture as a calibrated DICOM Ultrasound Image, and NAME.truth.json beside it.

    The same phantom gives the same bytes: its UIDs are derived from its pixels and truth. Each
    is a study of its own, unless a `study` is named: phantoms of one name are one exam.

    Raises:
        OutputError: the folder is missing or cannot be written.
    """
    buffer = io.BytesIO()
    dcmwrite(buffer, dicom(phantom, study=study), enforce_file_format=True)
    _write(phantom, path, buffer.getvalue())


def dicom(phantom: Phantom, *, study: str | None = None) -> Dataset:
    """Return the phantom as an Ultrasound Image, in the study of that name or in its own.

    References:
        DICOM PS3.3 A.6 (US Image IOD), C.8.5.5 (region calibration), C.8.5.6 (image type).
    """
    content = phantom.pixels.tobytes() + json.dumps(truth(phantom), sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundImageStorage
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, keyword, generate_uid(entropy_srcs=[keyword, digest]))
    shared = digest if study is None else study
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["StudyInstanceUID", shared])
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _add_patient_and_study(dataset)
    _add_image(dataset, phantom)
    dataset.SequenceOfUltrasoundRegions = Sequence([_region(phantom)])
    return dataset


def _add_patient_and_study(dataset: Dataset) -> None:
    """Add what the standard wants of every image; what a phantom has not stays empty."""
    dataset.PatientName = "Phantom"
    dataset.PatientID = "PHANTOM"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.StudyDate = ""
    dataset.StudyTime = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.Modality = "US"
    dataset.SeriesNumber = 1
    dataset.Laterality = ""
    dataset.Manufacturer = "fetometry"
    dataset.ManufacturerModelName = "phantom"


def _add_image(dataset: Dataset, phantom: Phantom) -> None:
    """Add the pixels, and what they show."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OBSTETRICAL"]
    dataset.InstanceNumber = 1
    dataset.PatientOrientation = ""
    dataset.ImageComments = "Synthetic image of a phantom; no patient"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = phantom.pixels.shape
    dataset.BitsAllocated = 8
    dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    pixels = phantom.pixels.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)  # an even number of bytes
    dataset["PixelData"].VR = "OB"


def _region(phantom: Phantom) -> Dataset:
    """Calibrate the whole picture: a 2D tissue region in cm per pixel."""
    rows, cols = phantom.pixels.shape
    row_mm, col_mm = phantom.spacing_mm
    region = Dataset()
    region.RegionSpatialFormat = 1  # 2D
    region.RegionDataType = 1  # tissue
    region.RegionFlags = 0  # high priority
    region.RegionLocationMinX0 = 0
    region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1 = cols - 1
    region.RegionLocationMaxY1 = rows - 1
    region.PhysicalUnitsXDirection = 3  # cm
    region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = col_mm / 10
    region.PhysicalDeltaY = row_mm / 10
    return region


def _write(phantom: Phantom, path: Path, content: bytes) -> None:
    """Write the picture and its truth, both or neither: under new names first, then renamed."""
    text = json.dumps(truth(phantom), indent=2) + "\n"
    mark = f".{secrets.token_hex(4)}.part"
    staged = {path: content, truth_path(path): text.encode()}
    partial = {target: target.with_name(f".{target.name}{mark}") for target in staged}
    try:
        for target, data in staged.items():
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            partial[target].write_bytes(data)
        for target in staged:
            partial[target].replace(target)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); give a file in a folder that "
            "exists and that you may write to"
        ) from error
    finally:
        for leftover in partial.values():
            _discard(leftover)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be read has nothing of ours
        path.unlink(missing_ok=True)
