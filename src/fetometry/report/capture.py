"""Secondary Captures: a picture that is no DICOM file as one, and overlays for viewers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from fetometry.report.dicom_out import SC, SEG, SR, SR1500, Done, Task
from fetometry.report.growth_chart import as_rgb, figures_with
from fetometry.report.overlay import draw_overlay
from fetometry.report.sr.identity import MAKER, UNKNOWN_MOMENT, Header, picked, sound, uid_of
from fetometry.report.sr.instances import (
    UIDS,
    Instance,
    Place,
    can_be_referred_to,
    exam_identity,
    instance_of,
    latest,
)
from fetometry.report.write import atomic
from fetometry.types import Finding

#: Growth charts are numbered from here on: after the frames of any cine.
CHART_NUMBERS = 100_000

#: A captured source, beside the kinds of output.
SOURCE = "source"

#: The numbers of our series; a viewer shows them after the images.
NUMBERS = {SR: 9001, SC: 9002, SOURCE: 9003, SEG: 9004, SR1500: 9005}

#: Implementation Class UID of what this package writes: made of its name.
IMPLEMENTATION = uid_of("implementation", MAKER)

#: Longest value of LO.
LONG_STRING = 64

_PURPOSE = ("121322", "DCM", "Source image for image processing operation")


def write_captures(task: Task) -> Done:
    """Write the overlay of each picture as a Secondary Capture, and sources that are not DICOM.

    Raises:
        ImageError: a source cannot be read any more.
        OutputError: a file cannot be written.
    """
    findings = task.exam.findings
    if not findings:
        return Done()
    referred, written = referred_to(task, findings)
    identity = exam_identity(task)
    for finding, pixels in task.sources.pictures(findings):
        instance = referred[finding.source, finding.frame]
        made = _overlay(finding, pixels, instance, identity)
        made.SoftwareVersions = task.exam.software[:LONG_STRING]
        _add_series(made, SC, finding.frame)
        _save(made, task.picture_file(finding, SC))
        written.append(task.picture_file(finding, SC))
    written += _write_charts(task, identity, latest(referred.values()))
    return Done(tuple(written))


def _write_charts(task: Task, identity: Header, moment: tuple[str, str]) -> list[Path]:
    """Write the growth charts of each fetus that has earlier exams to be seen beside."""
    drawn = {
        f"{fetus}_{name}" if fetus else name: (figure, len(history.growths))
        for fetus, history in task.history.items()
        if history.growths
        for name, figure in figures_with(task.exam.growth[fetus], history.growths).items()
    }
    written = []
    for number, (name, (figure, count)) in enumerate(drawn.items(), start=1):
        made = _capture(identity, as_rgb(figure))
        made.ImageType = ["DERIVED", "SECONDARY"]
        made.ConversionType = "WSD"  # workstation
        made.DerivationDescription = (
            f"growth chart {name} with {count} earlier exams; research use only"
        )
        if moment != UNKNOWN_MOMENT:
            made.ContentDate, made.ContentTime = moment
        made.SoftwareVersions = task.exam.software[:LONG_STRING]
        _add_series(made, SC, CHART_NUMBERS + number)
        written.append(task.chart_file(number, SC))
        _save(made, written[-1])
    return written


def referred_to(
    task: Task, findings: Sequence[Finding]
) -> tuple[dict[Place, Instance], list[Path]]:
    """Return the instance that each finding was measured in, and the files written for it.

    What is not DICOM, or does not say its own UIDs, is written as a Secondary Capture first.

    Raises:
        ImageError: a source cannot be read any more.
        OutputError: a file cannot be written.
    """
    headers = task.sources.headers
    known = {
        (f.source, f.frame): instance_of(headers[f.source], f.frame)
        for f in findings
        if can_be_referred_to(headers.get(f.source))
    }
    others = [f for f in findings if (f.source, f.frame) not in known]
    identity, written = exam_identity(task), []
    for finding, pixels in task.sources.pictures(others):
        made = _source(pixels, identity)
        _add_series(made, SOURCE, finding.frame)
        known[finding.source, finding.frame] = instance_of(made, 1)
        target = task.picture_file(finding, f"{SOURCE}.{SC}")
        _save(made, target)
        written.append(target)
    return known, written


def _source(pixels: NDArray[np.uint8], identity: Header) -> pydicom.Dataset:
    """Return the picture (H, W) itself: whatever measures it, it is the same instance."""
    made = _capture(identity, pixels)
    made.ImageType = ["ORIGINAL", "SECONDARY"]
    made.ConversionType = "WSD"  # workstation
    return made


def _overlay(
    finding: Finding, pixels: NDArray[np.uint8], instance: Instance, identity: Header
) -> pydicom.Dataset:
    """Return the overlay of a finding on its picture (H, W)."""
    drawn = np.ascontiguousarray(draw_overlay(finding, pixels)[..., ::-1])  # RGB
    made = _capture(identity, drawn)
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.ConversionType = "WSD"  # workstation
    made.DerivationDescription = "what was measured, drawn on the picture; research use only"
    made.SourceImageSequence = pydicom.Sequence([_reference(instance)])
    if instance.moment != UNKNOWN_MOMENT:
        made.ContentDate, made.ContentTime = instance.moment
    return made


def _reference(instance: Instance) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.ReferencedSOPClassUID = instance.sop_class
    item.ReferencedSOPInstanceUID = instance.uid
    if instance.frame is not None:
        item.ReferencedFrameNumber = instance.frame
    purpose = pydicom.Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = _PURPOSE
    item.PurposeOfReferenceCodeSequence = pydicom.Sequence([purpose])
    return item


def _capture(identity: Header, pixels: NDArray[np.uint8]) -> pydicom.Dataset:
    """Return an image of grey (H, W) or RGB (H, W, 3) pixels, of that patient and study.

    References:
        DICOM PS3.3 A.8.1, Secondary Capture Image IOD; C.8.6.
    """
    made = pydicom.Dataset()
    made.update(identity)
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.Modality = "US"
    made.Laterality = made.PatientOrientation = ""
    colour = pixels.ndim == 3
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.Rows, made.Columns = pixels.shape[:2]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    data = pixels.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)  # an even number of bytes
    made["PixelData"].VR = "OB"
    return made


def _add_series(made: pydicom.Dataset, kind: str, number: int) -> None:
    """Add the series of a kind, and what makes the instance: its UID comes from all of the rest.

    A picture is numbered by its frame: the place among others changes with what else is measured.
    """
    made.SeriesInstanceUID = series_uid(made, kind)
    made.SeriesNumber = NUMBERS[kind]
    made.SeriesDescription = f"{MAKER} {kind}, research use only"
    made.InstanceNumber = number
    made.Manufacturer = made.ManufacturerModelName = MAKER
    made.SOPInstanceUID = uid_of(kind, digest_of(made))


def digest_of(made: pydicom.Dataset) -> str:
    """Return the SHA-256 of a dataset as it is written, in hexadecimal digits."""
    content = io.BytesIO()
    pydicom.dcmwrite(
        content, made, implicit_vr=False, little_endian=True, enforce_file_format=False
    )
    return hashlib.sha256(content.getvalue()).hexdigest()


def series_uid(identity: Header, kind: str) -> str:
    """Return the series of a study that holds our files of one kind."""
    return uid_of("series", str(identity.StudyInstanceUID), kind)


def add_file_meta(made: pydicom.Dataset) -> None:
    """Put before a dataset what says how it is encoded: as little endian, explicit."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.ImplementationClassUID = UID(IMPLEMENTATION)
    made.file_meta.ImplementationVersionName = MAKER.upper()


def _save(made: pydicom.Dataset, path: Path) -> None:
    add_file_meta(made)
    with atomic(path) as file:
        made.save_as(file, enforce_file_format=True)


def evidence_of(instances: Iterable[Instance]) -> list[Header]:
    """Return what a document refers to, each instance once, by its UIDs alone.

    highdicom judges a patient's name and warns of a plain one: identity is added afterwards.
    """
    told = {instance.uid: sound(picked(instance.evidence, UIDS)) for instance in instances}
    return list(told.values())
