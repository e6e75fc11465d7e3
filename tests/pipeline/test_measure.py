"""The two functions of the package: one patient's exam, and everybody's."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

import fetometry
from fetometry import image as reading
from fetometry import measure, measure_exams
from fetometry.errors import ImageError, ModelError, SpacingError, UsageError
from fetometry.types import Spacing
from tests.conftest import (
    ABDOMEN,
    HEAD,
    SHAFT,
    SHAPE,
    cine,
    dataset,
    painted,
    save,
    save_dicom,
    save_exam,
)
from tests.support import data_dir, needs_data

MM = Spacing((0.3, 0.3), "given")


def hc(exam):
    return [finding.measurements[0].value for finding in exam.findings]


def chosen(exam):
    return {entry.name: entry.value for entry in exam.selected}


# a path, a folder, an array


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_measured(kind, bright, tmp_path):
    exam = measure(kind(save(tmp_path / "head.png")), spacing_mm=0.3)
    assert hc(exam) == pytest.approx([HEAD.scaled(0.3, 0.3).circumference], rel=2e-3)
    assert exam.problems == ()
    assert exam.findings[0].spacing == MM


@pytest.mark.parametrize(
    "spacing_mm", [(0.2, 0.4), [0.2, 0.4], np.array([0.2, 0.4]), np.float32([0.2, 0.4])]
)
def test_row_and_column_spacing_may_be_any_pair(spacing_mm, bright):
    exam = measure(painted(), spacing_mm=spacing_mm)
    assert hc(exam) == pytest.approx([HEAD.scaled(0.2, 0.4).circumference], rel=2e-3)


@pytest.mark.parametrize("spacing_mm", [(), (0.1, 0.1, 0.1), np.zeros((2, 2))])
def test_a_spacing_of_another_number_of_values_is_refused(spacing_mm, bright):
    with pytest.raises(SpacingError, match=r"one number or \(row, col\)"):
        measure(painted(), spacing_mm=spacing_mm)


def test_colour_pixels_are_measured_as_grey_ones(bright):
    colour = np.dstack([painted()] * 3)
    assert hc(measure(colour, spacing_mm=0.3)) == hc(measure(painted(), spacing_mm=0.3))


def test_without_a_spacing_there_are_pixels_and_one_problem_with_the_ways(bright):
    exam = measure(painted())
    assert hc(exam) == pytest.approx([HEAD.circumference], rel=2e-3)
    assert {m.unit for m in exam.findings[0].measurements} == {"px"}
    (problem,) = exam.problems
    assert "no millimetres" in problem.reason
    assert "--mm-per-px" in problem.reason


def test_a_folder_is_measured_file_by_file_and_what_is_bad_is_listed(bright, tmp_path):
    for name in ("a.png", "b.png", "b_Annotation.png"):
        save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"")
    exam = measure(tmp_path, spacing_mm=0.3)
    assert [f.source for f in exam.findings] == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    (problem,) = exam.problems
    assert (problem.source, problem.frame) == (str(tmp_path / "bad.png"), None)


@pytest.mark.parametrize("path", ["nowhere.png", "x" * 400])
def test_a_path_without_a_file_raises(path, bright):
    for function in (measure, measure_exams):
        with pytest.raises(ImageError, match=path):
            function(path)


def test_an_array_that_is_no_image_raises(bright):
    with pytest.raises(ImageError, match=r"\(H, W\)"):
        measure(np.zeros((3, 4, 5, 6), np.uint8))
    with pytest.raises(ImageError, match="black or one shade"):
        measure(np.zeros(SHAPE, np.uint8))


def test_an_unknown_plane_or_device_or_model_or_choice_raises(bright, monkeypatch):
    with pytest.raises(UsageError, match="'feet'; allowed: auto, head, abdomen, femur"):
        measure(painted(), plane="feet")
    with pytest.raises(UsageError, match="worst: unknown; allowed: best, median, last, mean"):
        measure(painted(), select="worst")
    with pytest.raises(UsageError, match="a spacing is a number, a table or 'ruler', got 'inches'"):
        measure(painted(), spacing_mm="inches")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="tpu"):
        measure(painted(), model="hc18-head", device="tpu")
    with pytest.raises(ModelError, match="no such model"):
        measure(painted(), model="nobody.onnx")


def test_a_plane_that_the_model_does_not_know_is_refused(bright):
    with pytest.raises(UsageError, match="--plane femur: the model bright measures head only"):
        measure(painted(), plane="femur")


def test_a_head_that_cannot_be_measured_is_one_problem_and_not_two(bright):
    dim = painted() // 4
    exam = measure(dim)
    assert exam.findings == ()
    assert [problem.reason for problem in exam.problems] == ["nothing was found"]


def test_the_exam_says_which_software_and_engine(bright):
    exam = measure(painted(), spacing_mm=0.3)
    assert exam.software == f"fetometry {fetometry.__version__} (bright 1.0 cpu)"
    assert exam.findings[0].model.name == "bright"


def test_importing_fetometry_leaves_the_runtime_and_the_readers_alone():
    code = (
        "import sys, json, fetometry; fetometry.Spacing((0.1, 0.1), 'x');"
        "print(json.dumps([m for m in sys.modules if '.' not in m]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "fetometry" in loaded
    assert not loaded & {"onnxruntime", "pydicom", "typer", "rich", "torch", "highdicom"}


def test_measure_can_be_called_again(bright):
    for _ in range(2):
        assert len(fetometry.measure(painted(), spacing_mm=0.3).findings) == 1


# three planes


SIZES = {
    "HC": HEAD.scaled(0.3, 0.3).circumference,
    "AC": ABDOMEN.scaled(0.3, 0.3).circumference,
    "FL": 0.3 * 2 * SHAFT.semi_axes[0],
}


def test_the_model_says_which_plane_each_image_shows(three_planes, tmp_path):
    save_exam(tmp_path)
    exam = measure(tmp_path, spacing_mm=0.3)
    planes = {Path(finding.source).stem: finding.plane for finding in exam.findings}
    assert planes == {"abdomen": "abdomen", "femur": "femur", "head": "head"}
    found = chosen(exam)
    assert {name: found[name] for name in SIZES} == pytest.approx(SIZES, rel=0.02)
    assert list(found) == ["HC", "BPD", "OFD", "AC", "TAD", "APAD", "FL"]
    assert all(entry.low < entry.value < entry.high for entry in exam.selected)


def test_an_image_of_no_plane_is_a_problem_of_its_own_kind_and_not_measured(three_planes, tmp_path):
    save_exam(tmp_path)
    exam = measure(tmp_path, spacing_mm=0.3)
    (problem,) = exam.problems
    assert (Path(problem.source).stem, problem.kind) == ("none", "other-plane")
    assert "none of the planes" in problem.reason
    assert "none" not in {Path(finding.source).stem for finding in exam.findings}


@pytest.mark.parametrize("plane", ["head", "abdomen"])
def test_a_plane_that_is_insisted_on_is_measured_whatever_it_looks_like(plane, three_planes):
    exam = measure(painted(plane="none"), spacing_mm=0.3, plane=plane)
    assert [finding.plane for finding in exam.findings] == [plane]
    assert exam.problems == ()


def test_the_size_of_a_femur_holds_where_its_ends_are(three_planes, tmp_path):
    tight = dataset(painted(SHAFT, plane="femur"))
    # a region over the shaft, without its right end
    tight.SequenceOfUltrasoundRegions[0].RegionLocationMaxX1 = 230
    exam = measure(save_dicom(tmp_path / "a.dcm", tight))
    assert [f.spacing for f in exam.findings] == [None]
    assert "no calibrated region" in exam.problems[0].reason


# which value counts


@pytest.mark.parametrize(("select", "value"), [("median", 1.0), ("last", 0.9), ("mean", 3.0 / 3)])
def test_of_several_images_the_chosen_one_counts(select, value, bright, tmp_path):
    for name, scale in (("a", 1.1), ("b", 1.0), ("c", 0.9)):
        a, b = HEAD.semi_axes
        head = type(HEAD)(HEAD.center, (scale * a, scale * b), HEAD.angle_deg)
        save(tmp_path / f"{name}.png", painted(head))
    exam = measure(tmp_path, spacing_mm=0.3, select=select)
    assert chosen(exam)["HC"] == pytest.approx(value * SIZES["HC"], rel=3e-3)
    assert {entry.count for entry in exam.selected} == {3}


# patients


def test_one_folder_gives_one_exam_that_is_called_like_it(bright, tmp_path):
    save(tmp_path / "ward 7" / "a.png")
    assert measure(tmp_path, spacing_mm=0.3).name == "ward 7"
    assert measure(tmp_path / "ward 7" / "a.png", spacing_mm=0.3).name == "ward 7"
    assert measure(painted(), spacing_mm=0.3).name == "array"


def test_several_patients_are_refused_with_the_function_that_takes_them(bright, tmp_path):
    for name in ("one", "two", "three", "four", "five"):
        save(tmp_path / name / "a.png")
    with pytest.raises(UsageError) as caught:
        measure(tmp_path)
    assert "5 patients' exams (five, four, one and 2 more)" in str(caught.value)
    assert "fetometry.measure_exams(path)" in str(caught.value)


def test_several_patients_give_an_exam_each_and_never_a_mixture(bright, tmp_path):
    for name, scale in (("one", 1.0), ("two", 0.8)):
        a, b = HEAD.semi_axes
        head = type(HEAD)(HEAD.center, (scale * a, scale * b), HEAD.angle_deg)
        for number in range(2):
            save(tmp_path / name / f"{number}.png", painted(head))
    exams = measure_exams(tmp_path, spacing_mm=0.3, select="mean")
    assert [exam.name for exam in exams] == ["one", "two"]
    assert [len(exam.findings) for exam in exams] == [2, 2]
    values = [chosen(exam)["HC"] for exam in exams]
    assert values == pytest.approx([SIZES["HC"], 0.8 * SIZES["HC"]], rel=3e-3)


def test_a_list_of_one_patients_images_is_one_exam(bright, tmp_path):
    paths = [str(save(tmp_path / "b.png")), save(tmp_path / "a.png"), tmp_path / "gone.png"]
    exam = measure(paths, spacing_mm=0.3)
    assert [Path(finding.source).name for finding in exam.findings] == ["b.png", "a.png"]
    assert [Path(problem.source).name for problem in exam.problems] == ["gone.png"]
    (again,) = measure_exams(paths, spacing_mm=0.3)
    assert again.selected == exam.selected


def test_a_list_of_several_patients_images_is_an_exam_each(bright, tmp_path):
    paths = [save(tmp_path / "one" / "a.png"), save(tmp_path / "two" / "a.png")]
    assert [exam.name for exam in measure_exams(paths, spacing_mm=0.3)] == ["one", "two"]
    with pytest.raises(UsageError, match="the list: holds 2 patients' exams"):
        measure(paths)


def test_findings_and_problems_of_dicom_files_carry_the_pseudonym_of_their_exam(bright, tmp_path):
    save_dicom(tmp_path / "a.dcm", cine([painted(), painted() // 4]))
    save_dicom(tmp_path / "b.dcm", dataset(PatientID="2"))
    one, two = measure_exams(tmp_path)
    assert one.findings[0].exam == one.problems[0].exam != two.findings[0].exam
    assert one.name == f"study-{one.findings[0].exam[:8]}"


# real files


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "frames", "refused"),
    [
        ("OBXXXX1A_rle_2frame.dcm", {1, 2}, None),
        ("US1_J2KR.dcm", {1}, "no millimetres"),
    ],
)
def test_real_dicom_files_give_a_result_or_a_reason_for_every_frame(name, frames, refused, shipped):
    exam = measure(data_dir() / "dicom" / name, model="hc18-head", device="cpu")
    told = {f.frame for f in exam.findings} | {p.frame for p in exam.problems}
    assert told == frames
    for finding in exam.findings:
        if refused:
            assert finding.spacing is None
        else:
            assert finding.spacing.source == "dicom-region-1"
            assert finding.spacing.mm[0] == pytest.approx(0.262288, rel=1e-4)


def test_a_stale_calibration_gives_no_millimetres(tmp_path):
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    if path is None:
        pytest.skip("pydicom does not have examples_ybr_color.dcm here")
    first = next(reading.read(Path(path)))
    with pytest.raises(SpacingError, match="no millimetres"):
        first.spacing_at(np.array([[120.0, 160.0]]))
