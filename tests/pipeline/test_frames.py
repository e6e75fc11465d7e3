"""Frame by frame: which millimetres, which twin, in batches, and what a picture may show."""

import weakref
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pydicom.sequence import Sequence

from fetometry import measure, predict
from fetometry.errors import ModelError, SpacingError, UsageError
from fetometry.geometry import Ellipse
from fetometry.measure import measure_head
from fetometry.pipeline import RULER, Result, Settings, assemble, frames, measure_files
from fetometry.types import Image, ModelRef, Prediction, Region, Spacing
from tests.conftest import (
    HEAD,
    SHAFT,
    SHAPE,
    cine,
    dataset,
    painted,
    save,
    save_dicom,
)

MM = Spacing((0.3, 0.3), "given")


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


# the ruler in the picture


@pytest.fixture
def ruler(monkeypatch):
    """Rulers that say what they are told, or that they cannot be read."""
    asked = []

    def install(says):
        def read_ruler(pixels, source):
            asked.append((pixels.shape, source))
            if isinstance(says, str):
                raise SpacingError(f"{source}: {says}")
            return SimpleNamespace(spacing=Spacing(says, "ruler-left: 9 ticks"))

        monkeypatch.setattr(frames, "read_ruler", read_ruler)
        return asked

    return install


def test_a_ruler_gives_millimetres_where_it_is_asked_for(bright, ruler, tmp_path):
    asked = ruler((0.25, 0.25))
    path = save(tmp_path / "a.png")
    (result,) = measure_files([path], Settings(spacing=RULER))
    assert result.finding.spacing == Spacing((0.25, 0.25), "ruler-left: 9 ticks")
    assert asked == [(SHAPE, str(path))]
    assert result.problems == ()


@pytest.mark.parametrize("spacing", [None, MM, {"other": MM}], ids=["none", "one", "table"])
def test_a_ruler_is_never_read_unasked(spacing, bright, ruler, tmp_path):
    asked = ruler((0.25, 0.25))
    list(measure_files([save(tmp_path / "a.png")], Settings(spacing=spacing)))
    assert asked == []


def test_a_ruler_that_cannot_be_read_leaves_pixels_and_the_reason(bright, ruler, tmp_path):
    ruler("the ruler cannot be read: no ticks; give the pixel size")
    path = save(tmp_path / "a.png")
    (result,) = measure_files([path], Settings(spacing=RULER))
    assert {m.unit for m in result.finding.measurements} == {"px"}
    (problem,) = result.problems
    assert (problem.source, problem.kind) == (str(path), "refused")
    assert problem.reason == (
        "no millimetres: the ruler cannot be read: no ticks; give the pixel size"
    )


@pytest.mark.parametrize("says", ["no ticks", (0.3, 0.3), (0.303, 0.303)])
def test_an_images_own_calibration_goes_before_a_ruler_that_does_not_contradict_it(
    says, bright, ruler, tmp_path
):
    ruler(says)
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm")], Settings(spacing=RULER))
    assert result.finding.spacing == Spacing((0.3, 0.3), "dicom-region-1")
    assert result.problems == ()


def test_a_ruler_that_contradicts_the_calibration_gives_no_millimetres(bright, ruler, tmp_path):
    ruler((0.31, 0.31))
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm")], Settings(spacing=RULER))
    assert result.finding.spacing is None
    (problem,) = result.problems
    assert "two spacings: the ruler in the picture says 0.31 x 0.31" in problem.reason
    assert "own calibration 0.3 x 0.3 mm per pixel" in problem.reason


def test_ticks_drawn_at_the_edge_are_read_from_the_picture_itself(bright):
    pixels = painted()
    for number, row in enumerate(range(10, 260, 20)):  # 5 mm each, every second one longer
        pixels[row : row + 2, 2 : 14 if number % 2 else 8] = 255
    (finding,) = measure(pixels, spacing_mm="ruler").findings
    assert finding.spacing.mm == pytest.approx((0.25, 0.25), rel=0.02)
    assert finding.spacing.source.startswith("ruler-left")


# which twin


def test_a_twin_is_named_for_all_images_or_for_each_by_its_stem(bright, tmp_path):
    paths = [save(tmp_path / f"{name}.png") for name in "abc"]
    results = measure_files(paths, Settings(spacing=MM, fetus="B"))
    assert [result.finding.fetus for result in results] == ["B", "B", "B"]
    results = measure_files(paths, Settings(spacing=MM, fetus={"a": "A", "c": "B"}))
    assert [result.finding.fetus for result in results] == ["A", "", "B"]


def test_a_fetus_of_another_name_is_refused():
    with pytest.raises(UsageError, match="--fetus Z: unknown; allowed: A, B"):
        Settings(fetus="Z")


# batches


def test_batches_of_every_size_keep_each_result_with_its_file(bright, tmp_path):
    expected = []
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
    assert len(asked) <= frames.BATCH


def test_pictures_are_let_go_of_one_by_one(bright):
    (finding,) = measure(painted(), spacing_mm=0.3).findings
    pictures, held = [], []

    def results():
        for _ in range(9):
            picture = np.zeros((100, 100), np.uint8)
            pictures.append(weakref.ref(picture))
            held.append(sum(reference() is not None for reference in pictures))
            yield Result(finding, (), picture)

    exam = assemble(results(), Settings(spacing=MM))
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


def named(pixels=None, **region):
    """A DICOM dataset with a bright name in its corner, and its region as told."""
    pixels = painted() if pixels is None else pixels
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


def shown_box(picture):
    rows, cols = np.nonzero(picture)
    return np.array([rows.min(), cols.min()]), np.array([rows.max(), cols.max()])


def test_without_a_region_the_picture_shows_the_head_and_little_more(bright, tmp_path):
    made, pixels = named()
    del made.SequenceOfUltrasoundRegions
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings(spacing=MM))
    low, high = HEAD.points().min(axis=0), HEAD.points().max(axis=0)
    margin = 0.15 * (high - low).max()
    first, last = shown_box(result.picture)
    assert np.all(first >= low - margin - 1)
    assert np.all(last <= high + margin + 1)
    inside = HEAD.mask(SHAPE)
    assert np.array_equal(result.picture[inside], pixels[inside])
    assert not result.picture[:8, :80].any()


def test_without_a_region_the_picture_of_a_femur_shows_what_lies_round_it(three_planes, tmp_path):
    pixels = painted(SHAFT, plane="femur")
    pixels[:8, :60] = 120  # a name, too dark to be taken for a bone
    made = dataset(pixels)
    del made.SequenceOfUltrasoundRegions
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings(spacing=MM))
    first, last = shown_box(result.picture)
    length = 2 * SHAFT.semi_axes[0]
    assert np.all(first <= np.array(SHAFT.points()).min(axis=0) - 0.1 * length)
    assert np.all(last >= np.array(SHAFT.points()).max(axis=0) + 0.1 * length)
    assert not result.picture[:8, :60].any()


def test_where_regions_disagree_the_picture_is_black(bright, tmp_path):
    made, _ = named()
    other = dataset(mm=(0.4, 0.4)).SequenceOfUltrasoundRegions[0]
    made.SequenceOfUltrasoundRegions = Sequence([made.SequenceOfUltrasoundRegions[0], other])
    (result,) = measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings())
    assert "disagree on the pixel size" in result.problems[0].reason
    assert result.finding.spacing is None
    assert not result.picture.any()


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
    shown = frames.without_names(image, finding)
    assert not shown[:, :60].any()
    assert shown[135, 210] == 220


def test_a_picture_is_read_again_as_it_was(bright, tmp_path):
    made, _ = named()
    smaller = Ellipse(HEAD.center, (90.0, 70.0), 20.0)
    made = cine([made.pixel_array, painted(smaller)])
    results = list(measure_files([save_dicom(tmp_path / "a.dcm", made)], Settings()))
    second = results[1]
    ((finding, picture),) = frames.pictures_of([second.finding])
    assert finding is second.finding
    assert np.array_equal(picture, second.picture)
    assert not np.array_equal(picture, results[0].picture)
