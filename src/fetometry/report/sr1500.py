"""The measurement report (TID 1500): each region with what was measured in it, for research tools.

References:
    DICOM PS3.16, TID 1500 Measurement Report, TID 1410 and 1501 Measurement Group, TID 300.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from highdicom.sr import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    SubjectContext,
    SubjectContextFetus,
    TrackingIdentifier,
)
from pydicom import Dataset

from fetometry.report.capture import referred_to
from fetometry.report.dicom_out import SKIPPED, SR1500, Done, Task
from fetometry.report.flags import FLAG_TEXT
from fetometry.report.sr import codes
from fetometry.report.sr.identity import MAKER, uid_of
from fetometry.report.sr.instances import Instance, Place, exam_identity, in_order, tracking
from fetometry.report.sr.items import (
    DECIMALS,
    PROPERTY,
    comment,
    concept,
    graphic_data,
    with_children,
)
from fetometry.report.sr.left import pixels_left
from fetometry.report.sr.reviewer import is_edited, persons_of
from fetometry.report.sr.tree import NOT_NAMED, fetuses_of
from fetometry.report.sr.values import outline, path, repeats_of, selection, uncertainty
from fetometry.report.sr.write import document, save_document
from fetometry.types import Exam, Finding, Problem, Selected
from fetometry.types import Measurement as Measured

#: Subject ID of a single fetus: the template wants one.
ONLY = "1"

#: A group of measurements with a region, or without one.
Group = PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations


def write_measurements(task: Task) -> Done:
    """Write the measurement report of an exam in which something was measured in mm.

    Raises:
        ImageError: a source cannot be read any more.
        OutputError: a file cannot be written.
    """
    left = [_left(volume.source, task.exam.name) for volume in task.exam.volumes]
    left += pixels_left(task.exam)
    task = in_order(task)
    exam = task.exam
    if not fetuses_of(exam):
        return Done(problems=tuple(left))
    instances, written = referred_to(task, repeats_of(exam))
    content = report_of(exam, instances)
    made = document(SR1500, content, exam, exam_identity(task), instances, days=task.days)
    target = save_document(made, task.exam_file(SR1500))
    return Done((*written, target), tuple(left))


def _left(source: str, exam: str) -> Problem:
    reason = "the measurement report has regions of images, and this is a volume"
    return Problem(source, None, reason, SKIPPED, exam)


def report_of(exam: Exam, instances: Mapping[Place, Instance]) -> Dataset:
    """Return the whole measurement report: a group for each measurement, and for each mean.

    The template allows a group only one region, and its numbers no other points.

    `instances` has the instance of each finding of `repeats_of`.
    """
    fetuses = fetuses_of(exam)
    single = fetuses == [""]
    groups: list[Group] = []
    for fetus, group in _Groups(exam, instances):
        if not single:
            with_children(group[0], _subject(fetus or NOT_NAMED))
        groups.append(group)
    made = MeasurementReport(
        observation_context=ObservationContext(
            observer_person_context=_person(exam),
            observer_device_context=_observer(exam),
            subject_context=_subject(ONLY) if single else None,
        ),
        procedure_reported=concept(codes.OBSTETRIC_SCAN),
        imaging_measurements=groups,
        title=concept(codes.MEASUREMENT_REPORT),
    )
    return made[0]


def _observer(exam: Exam) -> ObserverContext:
    models = sorted({finding.model.sha256 for finding in exam.findings})
    return ObserverContext(
        observer_type=concept(codes.DEVICE),
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=uid_of("device", exam.software, *models),
            name=exam.software,
            manufacturer_name=MAKER,
            model_name=MAKER,
        ),
    )


def _person(exam: Exam) -> ObserverContext | None:
    """Return who signed, else the first who changed something: the template has room for one."""
    names = persons_of(exam)
    if not names:
        return None
    return ObserverContext(
        observer_type=concept(codes.PERSON),
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=names[0]),
    )


def _subject(fetus: str) -> SubjectContext:
    return SubjectContext(
        subject_class=concept(codes.FETUS),
        subject_class_specific_context=SubjectContextFetus(subject_id=fetus),
    )


@dataclass(frozen=True)
class _Groups:
    """The groups of an exam, each with its fetus."""

    exam: Exam
    instances: Mapping[Place, Instance]

    def __iter__(self) -> Iterator[tuple[str, Group]]:
        for finding in repeats_of(self.exam):
            for measured in finding.measurements:
                if measured.unit == "mm" and measured.name in codes.MEASUREMENTS:
                    yield finding.fetus, self._of_repeat(finding, measured)
        for chosen in self.exam.selected:
            if not chosen.source and chosen.unit == "mm" and chosen.name in codes.MEASUREMENTS:
                yield chosen.fetus, self._of_mean(chosen)

    def _of_repeat(self, finding: Finding, measured: Measured) -> Group:
        """Return a measurement with its region; of a number told alone, with its image."""
        instance = self.instances[finding.source, finding.frame]
        area = "" if measured.name in codes.ROUND else measured.name
        uid, name = tracking(finding, instance, area)
        tracked = TrackingIdentifier(uid=uid, identifier=name)
        structure = concept(codes.STRUCTURES[finding.plane])
        algorithm = None if is_edited(measured) else self._algorithm(finding)
        measurements = [self._measurement(finding, measured)]
        found = _region(finding, measured.name, instance)
        if found is not None:
            return PlanarROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=tracked,
                referenced_region=found,
                finding_type=structure,
                algorithm_id=algorithm,
                measurements=measurements,
            )
        image = SourceImageForMeasurementGroup(instance.sop_class, instance.uid, _frames(instance))
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracked,
            finding_type=structure,
            algorithm_id=algorithm,
            measurements=measurements,
            source_images=[image],
        )

    def _of_mean(self, chosen: Selected) -> Group:
        uid = uid_of(
            "mean", *sorted(i.uid for i in self.instances.values()), chosen.fetus, chosen.name
        )
        mean = _number(chosen.name, chosen.value, codes.MEAN)
        low_high = uncertainty(chosen.value, (chosen.low, chosen.high), "mm")
        with_children(mean[0], [*low_high, *selection(chosen)])
        return MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid=uid, identifier=f"mean {chosen.name}"),
            finding_type=concept(codes.SITES[chosen.name]),
            measurements=[mean],
        )

    def _algorithm(self, finding: Finding) -> AlgorithmIdentification:
        said = [f"model SHA-256 {finding.model.sha256}"]
        if finding.spacing is not None:
            said.append(f"pixel size by {finding.spacing.source}")
        return AlgorithmIdentification(
            name=finding.model.name, version=self.exam.software, parameters=said
        )

    def _measurement(self, finding: Finding, measured: Measured) -> Measurement:
        """Return a number, how it was measured, and whether it is the one that counts."""
        alone = finding.ellipse is None and not finding.points_px
        derivation = codes.ESTIMATED if alone else codes.MEASURED
        made = _number(measured.name, measured.value, derivation, measured.convention)
        said = uncertainty(measured.value, (measured.low, measured.high), "mm")
        place = finding.fetus, measured.name, finding.source, finding.frame
        for chosen in self.exam.selected:
            if (chosen.fetus, chosen.name, chosen.source, chosen.frame) == place:
                said += selection(chosen)
        said += [comment(f"{f}: {FLAG_TEXT.get(f, f)}", PROPERTY) for f in measured.flags]
        with_children(made[0], said)
        return made


def _number(name: str, value: float, derivation: codes.Term, convention: str = "") -> Measurement:
    method = codes.CONVENTIONS.get(convention)
    made = Measurement(
        name=concept(codes.MEASUREMENTS[name]),
        value=round(value, DECIMALS["mm"]),
        unit=concept(codes.UNITS["mm"]),
        derivation=concept(derivation),
        method=None if method is None else concept(method),
        finding_sites=[FindingSite(anatomic_location=concept(codes.SITES[name]))],
    )
    if convention and method is None:
        with_children(made[0], [comment(f"convention: {convention}", PROPERTY)])
    return made


def _region(finding: Finding, name: str, instance: Instance) -> ImageRegion | None:
    """Return the ellipse of a circumference, or the line between the ends of a diameter."""
    if name in codes.ROUND:
        if finding.ellipse is None:
            return None
        kind, points = outline(finding.ellipse, instance)
    else:
        ends = path(finding, name, instance)
        if ends is None:
            return None
        kind, points = GraphicTypeValues.POLYLINE, ends
    source = SourceImageForRegion(instance.sop_class, instance.uid, _frames(instance))
    return ImageRegion(graphic_type=kind, graphic_data=graphic_data(points), source_image=source)


def _frames(instance: Instance) -> list[int] | None:
    return None if instance.frame is None else [instance.frame]
