"""Segmentations: the area of what was measured, as a mask on the image it was measured in."""

from __future__ import annotations

import cv2
import numpy as np
import pydicom
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import (
    SegmentAlgorithmTypeValues,
    Segmentation,
    SegmentationTypeValues,
    SegmentDescription,
)
from numpy.typing import NDArray
from pydicom.uid import UltrasoundImageStorage

from fetometry.report.capture import (
    LONG_STRING,
    NUMBERS,
    add_file_meta,
    digest_of,
    evidence_of,
    referred_to,
    series_uid,
)
from fetometry.report.dicom_out import SEG, SKIPPED, Done, Task
from fetometry.report.draw import FRACTION_BITS
from fetometry.report.sr.codes import ANATOMY, ARTIFICIAL_INTELLIGENCE, STRUCTURES
from fetometry.report.sr.identity import MAKER, UTF8, identity_of, picked, uid_of
from fetometry.report.sr.instances import Instance, tracking
from fetometry.report.sr.items import concept
from fetometry.report.sr.reviewer import is_drawn
from fetometry.report.sr.write import NO_UID, without_clock
from fetometry.report.write import atomic
from fetometry.types import Finding, Problem

#: An area needs three corners.
CORNERS = 3

#: What says that a source was compressed with loss: so is all that was made of it.
LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def write_segmentations(task: Task) -> Done:
    """Write the area of each finding as a Segmentation of the image that it was measured in.

    A finding without an area is left out, with the reason.

    Raises:
        ImageError: a source cannot be read any more.
        OutputError: a file cannot be written.
    """
    areas = [f for f in task.exam.findings if _has_area(f)]
    left = [_left(f, "no outline") for f in task.exam.findings if not _has_area(f)]
    left += [_left_volume(v.source, task.exam.name) for v in task.exam.volumes]
    if not areas:
        return Done(problems=tuple(left))
    referred, written = referred_to(task, areas)
    for finding in areas:
        instance = referred[finding.source, finding.frame]
        area = mask_of(finding, instance.shape)
        if not area.any():
            left.append(_left(finding, "no outline inside the image"))
            continue
        made = segmentation(finding, area, instance, task.exam.software)
        _mark_lossy(made, task.sources.headers.get(finding.source))
        made.SOPInstanceUID = uid_of(SEG, digest_of(made))
        add_file_meta(made)
        target = task.picture_file(finding, SEG)
        with atomic(target) as file:
            made.save_as(file, enforce_file_format=True)
        written.append(target)
    return Done(tuple(written), tuple(left))


def _has_area(finding: Finding) -> bool:
    return finding.ellipse is not None or len(finding.outline_px) >= CORNERS


def _left(finding: Finding, lack: str) -> Problem:
    reason = f"a segmentation needs the area of the {finding.plane}, and there is {lack}"
    return Problem(finding.source, finding.frame, reason, SKIPPED, finding.exam)


def _left_volume(source: str, exam: str) -> Problem:
    return Problem(source, None, "a volume has no segmentation of one image", SKIPPED, exam)


def mask_of(finding: Finding, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (H, W) mask of a finding that has an area.

    Of an ellipse it is every pixel whose centre lies inside; of the outline of a shaft every
    pixel that it encloses or runs through.
    """
    if finding.ellipse is not None:
        return finding.ellipse.mask(shape)
    canvas = np.zeros(shape, np.uint8)
    corners = np.round(finding.outline_px[:, ::-1] * (1 << FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 1, cv2.LINE_8, FRACTION_BITS)
    return canvas > 0


def segmentation(
    finding: Finding, area: NDArray[np.bool_], instance: Instance, software: str
) -> pydicom.Dataset:
    """Return the mask (H, W) of a finding, without the UID that its content will give it.

    References:
        DICOM PS3.3 A.51, Segmentation IOD.
    """
    made: pydicom.Dataset = Segmentation(
        source_images=[_source(instance)],
        pixel_array=area.astype(np.uint8)[None],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(finding, instance, software)],
        series_instance_uid=series_uid(instance.evidence, SEG),
        series_number=NUMBERS[SEG],
        sop_instance_uid=NO_UID,
        instance_number=finding.frame,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions=software[:LONG_STRING],
        device_serial_number=finding.model.sha256,
        content_label=MAKER.upper(),
        content_description="what was measured, as an area; research use only",
        specific_character_set=UTF8,
    )
    made.update(identity_of(instance.evidence))
    made.SeriesDescription = f"{MAKER} {SEG}, research use only"
    made.ContentDate, made.ContentTime = instance.moment
    made.PatientOrientation = ""
    without_clock(made)
    _number_dimensions(made)
    _refer(made, instance)
    return made


def _source(instance: Instance) -> pydicom.Dataset:
    """Return one frame as highdicom wants its source: an image that has no other.

    Of a multi-frame image it wants functional groups, which those of ultrasound have not; the
    class and the number of the frame are set right afterwards.
    """
    (made,) = evidence_of([instance])
    made.SOPClassUID = UltrasoundImageStorage
    made.Rows, made.Columns = instance.shape
    return made


def _segment(finding: Finding, instance: Instance, software: str) -> SegmentDescription:
    structure = STRUCTURES[finding.plane]
    uid, name = tracking(finding, instance)
    drawn = is_drawn(finding)
    how = SegmentAlgorithmTypeValues
    return SegmentDescription(
        segment_number=1,
        segment_label=structure.meaning,
        segmented_property_category=concept(ANATOMY),
        segmented_property_type=concept(structure),
        algorithm_type=how.MANUAL if drawn else how.AUTOMATIC,
        algorithm_identification=None if drawn else _algorithm(finding, software),
        tracking_uid=uid,
        tracking_id=name,
    )


def _algorithm(finding: Finding, software: str) -> AlgorithmIdentificationSequence:
    return AlgorithmIdentificationSequence(
        name=finding.model.name[:LONG_STRING],
        family=concept(ARTIFICIAL_INTELLIGENCE),
        version=software[:LONG_STRING],
        parameters={"model SHA-256": finding.model.sha256},
    )


def _number_dimensions(made: pydicom.Dataset) -> None:
    """Give the dimensions a UID that is always the same: highdicom makes up another each time."""
    uid = uid_of("dimensions", SEG)
    made.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid
    for item in made.DimensionIndexSequence:
        item.DimensionOrganizationUID = uid


def _refer(made: pydicom.Dataset, instance: Instance) -> None:
    """Name the class of the source, and of a multi-frame one the frame that is masked."""
    (series,) = made.ReferencedSeriesSequence
    (group,) = made.PerFrameFunctionalGroupsSequence
    (derived,) = group.DerivationImageSequence
    for item in series.ReferencedInstanceSequence:  # the whole instance
        item.ReferencedSOPClassUID = instance.sop_class
    for item in (*made.SourceImageSequence, *derived.SourceImageSequence):
        item.ReferencedSOPClassUID = instance.sop_class
        if instance.frame is not None:
            item.ReferencedFrameNumber = instance.frame


def _mark_lossy(made: pydicom.Dataset, header: pydicom.Dataset | None) -> None:
    if header is not None and header.get("LossyImageCompression") == "01":
        made.update(picked(header, LOSSY))
