"""Studies of many patients, from three small phantoms: quick to write, to send and to measure."""

import copy
import functools
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pydicom

from fetometry import phantom
from fetometry.phantom.write import dicom
from tests.serve.node.nodes import Node

#: In every name and ID of a patient, and in every UID: none of them may stand in a log.
NAME, ID, ROOT = "Geheimnis", "SECRET", "1.2.826.0.1.3680043.8.498.77"


@dataclass
class Study:
    """One study: its images, the late ones apart, and the UIDs of those that show something."""

    uid: str
    patient: str
    images: list[Path] = field(default_factory=list)
    late: list[Path] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)


def templates(factor: int = 4) -> list[pydicom.Dataset]:
    """A head, an abdomen and a femur of one fetus, smaller by a factor, calibrated all the same."""
    return copy.deepcopy(_templates(factor))


@functools.cache
def _templates(factor: int) -> list[pydicom.Dataset]:
    planes = (
        phantom.head(phantom.HeadSpec()),
        phantom.abdomen(phantom.AbdomenSpec()),
        phantom.femur(phantom.FemurSpec()),
    )
    return [_smaller(dicom(plane), factor) for plane in planes]


def _smaller(made: pydicom.Dataset, factor: int) -> pydicom.Dataset:
    rows, cols = made.Rows // factor, made.Columns // factor
    made.PixelData = cv2.resize(
        made.pixel_array, (cols, rows), interpolation=cv2.INTER_AREA
    ).tobytes()
    made.Rows, made.Columns = rows, cols
    (region,) = made.SequenceOfUltrasoundRegions
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = cols - 1, rows - 1
    region.PhysicalDeltaX *= factor
    region.PhysicalDeltaY *= factor
    made.Manufacturer = "Scanner"  # the node passes over what is its own
    return made


def save_study(
    folder: Path, number: int, images: int, late: int = 0, *, made: list[pydicom.Dataset]
) -> Study:
    """Save a study of so many images and so many late ones, of a patient of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(f"{ROOT}.{number}", f"{ID}{number:04}")
    for k in range(images + late):
        one = made[k % len(made)]
        one.StudyInstanceUID = study.uid
        one.SeriesInstanceUID = f"{study.uid}.1"
        one.SOPInstanceUID = f"{study.uid}.1.{k + 1}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.InstanceNumber = k + 1
        one.PatientID = study.patient
        one.PatientName = f"{NAME}^{number}"
        one.StudyDate, one.StudyTime = "20260521", "101500"
        path = folder / f"{number}_{k + 1}.dcm"
        one.save_as(path, enforce_file_format=True)
        (study.images if k < images else study.late).append(path)
        if any(one.PixelData):
            study.shown.add(one.SOPInstanceUID)
    return study


def blank(made: pydicom.Dataset, shape: tuple[int, int] | None = None) -> pydicom.Dataset:
    """The image with nothing in it, of this shape or its own."""
    made.Rows, made.Columns = shape or (made.Rows, made.Columns)
    made.PixelData = np.zeros(made.Rows * made.Columns, np.uint8).tobytes()
    return made


def tells_nobody(node: Node) -> None:
    """No name, ID or UID of a patient or study is in the log, the database or a file's name."""
    texts = {path.name: path.read_bytes() for path in node.store.glob("node.sqlite*")}
    texts |= {path.name: path.read_bytes() for path in node.store.rglob("*.log")}
    assert texts, "where is the database?"
    for secret in (NAME, ID):
        assert [name for name, text in texts.items() if secret.encode() in text] == []
        assert secret not in node.log
        assert [path for path in node.store.rglob("*") if secret in path.name] == []
    assert ROOT not in node.log
    assert "2.25." not in node.log  # the UIDs of results
