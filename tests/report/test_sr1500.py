"""The measurement report (TID 1500): numbers, regions and fetuses, as highdicom reads them."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from highdicom.sr import srread

from fetometry.geometry import Ellipse
from fetometry.report.seg import write_segmentations
from fetometry.report.sr import codes
from fetometry.report.sr1500 import write_measurements
from tests.report import examples
from tests.report.sr.made import (
    dump,
    faults,
    header,
    items,
    needs_dciodvfy,
    needs_dsrdump,
    one_plane,
    task,
    three_planes,
    value,
)

FILE = "report.sr1500.dcm"
NAMES = {term.value: name for name, term in codes.MEASUREMENTS.items()}


def written(exam, folder, **said):
    """The measurement report of an exam, read back."""
    done = write_measurements(task(exam, folder, **said))
    assert done.paths[-1] == folder / FILE
    return pydicom.dcmread(folder / FILE)


def numbers(container):
    """The measurements of a report by their names."""
    told = items(container, type="NUM", relation="CONTAINS")
    return [(NAMES[item.ConceptNameCodeSequence[0].CodeValue], value(item)) for item in told]


def region(container):
    """The kind and the points (row, col) of a group's region, as exam.json counts them."""
    (found,) = items(container, code="111030")
    points = np.reshape(found.GraphicData, (-1, 2))[:, ::-1] - 0.5
    return found.GraphicType, points


def groups(made):
    """The groups by the name of their measurement."""
    return {numbers(group)[0][0]: group for group in items(made, code="125007")}


def test_every_measurement_is_there_with_its_unit(tmp_path):
    exam = three_planes()
    made = written(exam, tmp_path)
    truth = [(m.name, m.value) for f in exam.findings for m in f.measurements]
    told = numbers(made)
    assert [name for name, _ in told] == [name for name, _ in truth]
    assert [number for _, (number, _) in told] == pytest.approx([v for _, v in truth], abs=5e-4)
    assert {unit for _, (_, unit) in told} == {"mm"}


def test_highdicom_reads_it_and_finds_the_regions(tmp_path):
    written(three_planes(), tmp_path)
    read = srread(tmp_path / FILE)
    found = read.content.get_planar_roi_measurement_groups()
    assert len(found) == 7
    assert [group.finding_type.meaning for group in found] == [
        *["Head"] * 3, *["Abdomen"] * 3, "Femur",
    ]  # fmt: skip
    kinds = [group.roi.graphic_type.value for group in found]
    assert kinds.count("ELLIPSE") == 2
    assert kinds.count("POLYLINE") == 5


def test_the_ellipse_of_a_head_is_read_back_from_the_ends_of_its_axes(tmp_path):
    exam = three_planes()
    kind, points = region(groups(written(exam, tmp_path))["HC"])
    assert kind == "ELLIPSE"
    assert points == pytest.approx(exam.findings[0].ellipse.axis_points, abs=0.001)


def test_a_diameter_and_a_femur_are_the_line_between_their_ends(tmp_path):
    exam = three_planes()
    made = groups(written(exam, tmp_path))
    for name, finding in (("BPD", exam.findings[0]), ("FL", exam.findings[2])):
        kind, points = region(made[name])
        assert kind == "POLYLINE"
        ends = [finding.points_px[f"{name}_{end}"] for end in (1, 2)]
        assert points == pytest.approx(np.array(ends), abs=0.001)


def test_an_ellipse_that_the_image_cuts_is_a_closed_line_inside_it(tmp_path):
    head = examples.head(Ellipse((60.0, 400.0), (150.0, 120.0), 30.0), mm=(0.3, 0.3))
    made = written(examples.exam(head, selected=examples.selected(head)), tmp_path)
    kind, points = region(groups(made)["HC"])
    assert kind == "POLYLINE"
    assert points.min() >= -0.5
    assert points[0] == pytest.approx(points[-1])


def test_a_region_names_its_image_and_its_frame(tmp_path):
    exam = one_plane(frame=4)
    told = header(NumberOfFrames=9, SOPClassUID="1.2.840.10008.5.1.4.1.1.3.1")
    made = written(exam, tmp_path, headers={exam.findings[0].source: told})
    (image,) = items(made, type="IMAGE")
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == told.SOPInstanceUID
    assert image.ReferencedSOPSequence[0].ReferencedFrameNumber == 4


def test_a_single_fetus_is_the_subject_of_the_whole_report(tmp_path):
    made = written(three_planes(), tmp_path)
    told = [i for i in made.ContentSequence if i.RelationshipType == "HAS OBS CONTEXT"]
    assert ("121026", "DCM") in [value(item) for item in told if item.ValueType == "CODE"]
    assert [value(item) for item in items(made, code="121030")] == ["1"]


def test_twins_are_told_apart_in_each_group(tmp_path):
    found = [examples.femur(fetus=f, source=f"{f}.dcm") for f in "AB"]
    made = written(examples.exam(*found, selected=examples.selected(*found)), tmp_path)
    told = [value(items(group, code="121030")[0]) for group in items(made, code="125007")]
    assert told == ["A", "B"]
    assert not [
        i for i in made.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121030"
    ]
    assert len(srread(tmp_path / FILE).content.get_planar_roi_measurement_groups()) == 2


def test_a_number_says_how_it_was_measured_and_whether_it_counts(tmp_path):
    exam = three_planes()
    group = groups(written(exam, tmp_path))["HC"]
    assert value(items(group, code="121401")[0]) == ("258104002", "SCT")
    assert value(items(group, code="363698007")[0]) == ("89546000", "SCT")
    assert value(items(group, code="121404")[0]) == ("121410", "DCM")
    assert value(items(group, code="111001")[0]) == examples.MODEL.name
    said = [value(item) for item in items(group, code="111002")]
    assert said[0] == f"model SHA-256 {examples.MODEL.sha256}"


def test_a_mean_is_a_group_of_its_own(tmp_path):
    found = [examples.femur(source=f"{k}.dcm") for k in "ab"]
    (mean,) = examples.selected(found[0], count=2, how="mean")
    made = written(examples.exam(*found, selected=(mean,)), tmp_path)
    told = items(made, code="125007")
    assert [value(items(group, code="121401")[0])[0] for group in told] == [
        "258104002", "258104002", "373098007",
    ]  # fmt: skip
    assert value(items(told[2], code="121404")[0]) == ("121412", "DCM")
    assert items(told[2], type="SCOORD") == []


def test_a_number_told_alone_has_its_image_and_no_region(tmp_path):
    bare = {"ellipse": None, "outline_px": np.empty((0, 2)), "points_px": {}}
    head = examples.head(mm=(0.3, 0.3))
    head = replace(head, measurements=head.measurements[:1], **bare)
    made = written(examples.exam(head, selected=examples.selected(head)), tmp_path)
    assert items(made, type="SCOORD") == []
    assert len(items(made, type="IMAGE")) == 1
    assert value(items(made, code="121401")[0]) == ("414135002", "SCT")
    assert len(srread(tmp_path / FILE).content.get_image_measurement_groups()) == 1


def test_an_area_has_the_same_tracking_uid_as_its_segmentation(tmp_path):
    exam = three_planes()
    made = groups(written(exam, tmp_path))
    mask = pydicom.dcmread(write_segmentations(task(exam, tmp_path)).paths[0])
    (uid,) = items(made["HC"], code="112040")
    assert mask.SegmentSequence[0].TrackingUID == uid.UID
    uids = [items(group, code="112040")[0].UID for group in made.values()]
    assert len(set(uids)) == 7


def test_the_same_exam_gives_the_same_bytes_again_too(tmp_path):
    for name in ("one", "two", "two"):
        written(three_planes(), tmp_path / name)
    one, two = ((tmp_path / name / FILE).read_bytes() for name in ("one", "two"))
    assert one == two


def test_other_content_is_a_new_instance_that_names_the_old_one(tmp_path):
    first = written(one_plane(), tmp_path)
    second = written(one_plane(model=replace(examples.MODEL, sha256="f" * 64)), tmp_path)
    series = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    named = series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == first.SOPInstanceUID != second.SOPInstanceUID


def test_a_picture_is_captured_first_and_referred_to(tmp_path):
    exam = one_plane()
    done = write_measurements(task(exam, tmp_path, digests={exam.findings[0].source: "ab"}))
    assert [path.name for path in done.paths] == ["femur_f1.source.sc.dcm", FILE]
    source, made = (pydicom.dcmread(path) for path in done.paths)
    (image,) = items(made, type="IMAGE")
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID


def test_without_millimetres_there_is_no_report(tmp_path):
    found = examples.head(mm=None)
    exam = examples.exam(found, selected=examples.selected(found))
    assert write_measurements(task(exam, tmp_path)).paths == ()


@needs_dciodvfy
def test_dciodvfy_finds_no_error(tmp_path):
    written(three_planes(), tmp_path)
    written(three_planes(fetus="A"), tmp_path / "b")
    written(one_plane(), tmp_path / "c", digests={"femur.png": "a"})
    assert [faults(tmp_path / name / FILE) for name in (".", "b", "c")] == [[]] * 3


@needs_dsrdump
def test_dsrdump_reads_it(tmp_path):
    written(three_planes(), tmp_path)
    assert '(11984-2,LN,"Head Circumference")' in dump(tmp_path / FILE)
