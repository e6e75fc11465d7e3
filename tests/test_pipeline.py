"""From files to an exam: what is measured, what is refused, and what a picture may show."""

import json
import subprocess
import sys
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.sequence import Sequence

import fetometry
from fetometry import image as reading
from fetometry import pipeline, predict
from fetometry.errors import (
    ImageError,
    ModelError,
    SpacingError,
    UsageError,
)
from fetometry.geometry import Ellipse
from fetometry.measure import measure_head
from fetometry.pipeline import Settings, find_all, measure, measure_files, measure_into
from fetometry.types import Image, ModelRef, Prediction, Region, Spacing
from tests.conftest import HEAD, SHAPE, dataset, files_in, painted, save, save_dicom
from tests.support import data_dir, needs_data

MM = Spacing((0.3, 0.3), "given")


def hc(exam):
    return [finding.measurements[0].value for finding in exam.findings]


# measure: a path, a folder, an array


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
    for name in ("a.png", "sub/b.png", "sub/b_Annotation.png"):
        save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"")
    exam = measure(tmp_path, spacing_mm=0.3)
    assert [f.source for f in exam.findings] == [
        str(tmp_path / "a.png"), str(tmp_path / "sub" / "b.png"),
    ]  # fmt: skip
    (problem,) = exam.problems
    assert (problem.source, problem.frame) == (str(tmp_path / "bad.png"), None)


@pytest.mark.parametrize("path", ["nowhere.png", "x" * 400])
def test_a_path_without_a_file_raises(path, bright):
    with pytest.raises(ImageError, match=path):
        measure(path)


def test_an_array_that_is_no_image_raises(bright):
    with pytest.raises(ImageError, match=r"\(H, W\)"):
        measure(np.zeros((3, 4, 5, 6), np.uint8))
    with pytest.raises(ImageError, match="black or one shade"):
        measure(np.zeros(SHAPE, np.uint8))


def test_an_unknown_plane_or_device_or_model_raises(bright, monkeypatch):
    with pytest.raises(UsageError, match="unknown plane 'feet'; allowed: auto, head"):
        measure(painted(), plane="feet")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="tpu"):
        measure(painted(), device="tpu")
    with pytest.raises(ModelError, match="no such model"):
        measure(painted(), model="nobody.onnx")


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


# which files


def test_paths_are_found_in_order_and_each_file_once(tmp_path):
    a, b = save(tmp_path / "a.png"), save(tmp_path / "in" / "b.png")
    files, problems = find_all([b, tmp_path, a])
    assert files == [b, a]
    assert problems == ()


def test_paths_without_an_image_are_problems_as_long_as_one_has_some(tmp_path):
    a, gone = save(tmp_path / "a.png"), tmp_path / "gone"
    files, problems = find_all([gone, a])
    assert files == [a]
    assert [problem.source for problem in problems] == [str(gone)]
    with pytest.raises(ImageError, match=r"gone: no such file.*lost: no such file"):
        find_all([gone, tmp_path / "lost"])


# which millimetres


def test_a_table_is_looked_up_by_the_stem(bright, tmp_path):
    paths = [save(tmp_path / name) for name in ("one.png", "two.jpg")]
    spacing = {"one": Spacing((0.3, 0.3), "table:t"), "two": Spacing((0.2, 0.2), "table:t")}
    results = list(measure_files(paths, Settings(spacing=spacing)))
    assert [result.finding.spacing.mm[0] for result in results] == [0.3, 0.2]


def test_a_table_without_the_image_leaves_a_dicom_files_own_calibration(bright, tmp_path):
    path = save_dicom(tmp_path / "head.dcm")
    (result,) = measure_files([path], Settings(spacing={"other": MM}))
    assert result.finding.spacing == Spacing((0.3, 0.3), "dicom-region-1")
    assert result.problems == ()


# batches


def test_batches_of_every_size_keep_each_result_with_its_file(bright, tmp_path):
    paths, expected = [], []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        if number == 2:
            path.write_bytes(b"")
            continue
        ellipse = Ellipse((135.0, 200.0), (80.0 + 6 * number, 70.0 + 4 * number), 10.0)
        save(path, painted(ellipse))
        expected.append(ellipse.scaled(0.3, 0.3).circumference)
    paths = sorted(tmp_path.iterdir())
    results = list(measure_files(paths, Settings(spacing=MM)))
    assert [bool(result.finding) for result in results] == [n != 2 for n in range(7)]
    found = [result.finding for result in results if result.finding]
    assert [f.source for f in found] == [str(p) for p in paths if p.name != "2.png"]
    assert [f.measurements[0].value for f in found] == pytest.approx(expected, rel=3e-3)


def test_files_are_read_as_results_are_asked_for(bright, tmp_path):
    asked = []

    def watched():
        for number in range(100):
            asked.append(number)
            yield save(tmp_path / f"{number}.png")

    next(measure_files(watched(), Settings(spacing=MM)))
    assert len(asked) <= pipeline.BATCH


def test_pictures_are_let_go_of_one_by_one(bright):
    (finding,) = measure(painted(), spacing_mm=0.3).findings
    pictures, held = [], []

    def results():
        for _ in range(9):
            picture = np.zeros((100, 100), np.uint8)
            pictures.append(weakref.ref(picture))
            held.append(sum(reference() is not None for reference in pictures))
            yield pipeline.Result(finding, (), picture)

    exam = pipeline.assemble(results(), Settings(spacing=MM))
    assert len(exam.findings) == 9
    assert max(held) <= 2


def test_a_model_that_does_not_fit_its_metadata_stops_everything(bright, tmp_path, monkeypatch):
    good = predict.load("bright")

    def empty(model, *, device, flip_average):
        return predict.Predictor(good.info, type(good.engine)("no output", lambda batch: {}))

    monkeypatch.setattr(predict, "load", empty)
    with pytest.raises(ModelError, match=r"bright: .* an output 'outline'"):
        list(measure_files([save(tmp_path / "a.png")], Settings(spacing=MM)))


# what a picture may show: names are burned in outside the region


def named(**region):
    """A DICOM dataset with a bright name in its corner, and its region as told."""
    pixels = painted()
    cv2.putText(pixels, "DOE JANE", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255)
    made = dataset(pixels)
    for tag, value in region.items():
        setattr(made.SequenceOfUltrasoundRegions[0], tag, value)
    return made, pixels


def test_outside_the_region_measured_in_the_picture_is_black(bright, tmp_path):
    made, pixels = named(RegionLocationMinX0=60, RegionLocationMinY0=20)
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings())
    assert result.finding.spacing.source == "dicom-region-1"
    assert not result.picture[:20].any()
    assert not result.picture[:, :60].any()
    assert np.array_equal(result.picture[20:, 60:], pixels[20:, 60:])


def test_without_a_region_the_picture_shows_the_head_and_little_more(bright, tmp_path):
    made, pixels = named()
    del made.SequenceOfUltrasoundRegions
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings(spacing=MM))
    low, high = HEAD.points().min(axis=0), HEAD.points().max(axis=0)
    margin = 0.15 * (high - low)
    rows, cols = np.nonzero(result.picture)
    assert rows.min() >= low[0] - margin[0] - 1
    assert cols.min() >= low[1] - margin[1] - 1
    assert rows.max() <= high[0] + margin[0] + 1
    assert cols.max() <= high[1] + margin[1] + 1
    inside = HEAD.mask(SHAPE)
    assert np.array_equal(result.picture[inside], pixels[inside])
    assert not result.picture[:16, :80].any()


def test_where_regions_disagree_the_picture_is_black(bright, tmp_path):
    made, _ = named()
    other = dataset(mm=(0.4, 0.4)).SequenceOfUltrasoundRegions[0]
    made.SequenceOfUltrasoundRegions = Sequence([made.SequenceOfUltrasoundRegions[0], other])
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings())
    assert "disagree on the pixel size" in result.problems[0].reason
    assert result.finding.spacing is None
    assert not result.picture.any()


def test_the_overlay_on_disk_does_not_show_the_name(bright, tmp_path):
    made, pixels = named(RegionLocationMinX0=60, RegionLocationMinY0=20)
    path = save_dicom(tmp_path / "a.dcm", made)
    out = tmp_path / "out"
    measure_into(out, [path], Settings(), kinds=["overlay"])
    overlay = cv2.imread(str(out / "overlays" / "a_f1.png"), cv2.IMREAD_GRAYSCALE)
    scale = overlay.shape[1] / pixels.shape[1]
    corner = overlay[: int(18 * scale), : int(58 * scale)]
    assert pixels[:18, :58].max() == 255
    assert corner.max() == 0


def test_a_picture_that_cannot_show_a_name_is_left_as_it_is(bright, tmp_path):
    (result,) = measure_files([save(tmp_path / "a.png")], Settings(spacing=MM))
    assert np.array_equal(result.picture, painted())


def test_a_region_that_holds_the_head_is_chosen_over_one_that_does_not():
    image = Image(
        painted(),
        "x",
        regions=(
            Region((0, 269), (0, 50), (0.1, 0.1), True, 1),
            Region((0, 269), (60, 399), (0.3, 0.3), True, 2),
        ),
        may_show_name=True,
    )
    prediction = Prediction("head", None, HEAD.points(), 1, 0.0, ModelRef("m", "0" * 64, "x"))
    finding = measure_head(image, prediction, image.spacing_at(prediction.outline_px))
    shown = pipeline._without_names(image, finding)
    assert not shown[:, :60].any()
    assert shown[135, 210] == 220


# into a folder


def test_measuring_into_a_folder_returns_what_was_written(bright, tmp_path):
    path, out = save(tmp_path / "a.png"), tmp_path / "out"
    exam, written = measure_into(out, [path], Settings(spacing=MM), kinds=["overlay", "csv"])
    assert written == [out / "overlays", out / "measurements.csv"]
    assert files_in(out) == {"overlays/a_f1.png", "measurements.csv"}
    assert len(exam.findings) == 1


def test_the_files_pass_through_the_watcher(bright, tmp_path):
    paths = [save(tmp_path / f"{n}.png") for n in range(3)]
    seen = []

    def watch(files):
        for file in files:
            seen.append(file)
            yield file

    measure_into(tmp_path / "out", paths, Settings(spacing=MM), kinds=["json"], watch=watch)
    assert seen == paths


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
    exam = measure(data_dir() / "dicom" / name, device="cpu")
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
