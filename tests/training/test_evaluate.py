import dataclasses
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fetometry.geometry import Ellipse, apply, letterbox
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import Predictor
from fetometry.training import evaluate as judging
from fetometry.training.data import Row
from fetometry.types import PLANE_CLASSES, SizeInterval
from tests import conftest
from tests.training import toy
from tests.training.judged import Fake, sure_of

TRUTH = Ellipse((80.0, 120.0), (60.0, 45.0), 20.0)
ENDS = ((60.0, 70.0), (90.0, 170.0))
MM = 0.5
LENGTH_MM = MM * float(np.hypot(30, 100))


@pytest.fixture
def row(tmp_path):
    path = tmp_path / "007_HC.png"
    assert cv2.imwrite(str(path), toy.picture(TRUTH, shape=(160, 240)))
    return Row("hc18", path, "007", "head", (MM, MM), TRUTH, 166.0)


@pytest.fixture
def abdomen(row):
    across = np.array(TRUTH.axis_points[:2])
    ends = (tuple(across[0].tolist()), tuple(across[1].tolist()))
    return dataclasses.replace(row, plane="abdomen", reference_mm=None, ends=ends)


@pytest.fixture
def femur(row):
    return dataclasses.replace(row, plane="femur", ellipse=None, reference_mm=None, ends=ENDS)


@pytest.fixture
def nothing(row):
    return dataclasses.replace(row, plane="none", ellipse=None, reference_mm=None, spacing_mm=None)


def enlarged(factor):
    a, b = TRUTH.semi_axes
    return Ellipse(TRUTH.center, (a * factor, b * factor), TRUTH.angle_deg).points(400)


def shaft(ends, width=8.0):
    ends = np.asarray(ends)
    along = ends[1] - ends[0]
    side = np.array([-along[1], along[0]]) / np.linalg.norm(along) * width / 2
    t = np.linspace(0, 1, 60)[:, None]
    return np.concatenate([ends[0] + t * along + side, ends[1] - t * along - side])


def test_a_perfect_outline_has_no_error(row):
    case = judging.judge(row, Fake(enlarged(1)))
    assert case.sizes["HC"].truth_mm == pytest.approx(TRUTH.circumference * MM)
    assert (case.dataset, case.image, case.group) == ("hc18", "007_HC.png", "007")
    assert (case.plane, case.found_plane, case.mm_per_px) == ("head", "head", MM)
    assert (case.bucket, case.split, case.routing) == (row.bucket, row.split, "predicted")
    assert case.model == "fake abababababab"
    for name, truth in row.truth_mm.items():
        assert case.sizes[name].truth_mm == pytest.approx(truth)
        assert case.sizes[name].difference_mm == pytest.approx(0, abs=1e-6)
    assert case.dice == 1.0
    assert case.hausdorff_mm == pytest.approx(0, abs=1e-4)
    assert case.end_error_mm is None
    assert case.failure == ""


def test_an_outline_a_tenth_too_large_has_the_errors_of_a_tenth(row):
    case = judging.judge(row, Fake(enlarged(1.1)))
    assert case.sizes["HC"].difference_percent == pytest.approx(10)
    assert case.sizes["BPD"].difference_mm == pytest.approx(0.1 * 2 * 45 * MM)
    assert case.sizes["OFD"].difference_mm == pytest.approx(0.1 * 2 * 60 * MM)
    assert case.hausdorff_mm == pytest.approx(0.1 * 60 * MM, rel=1e-3)
    # 2 A / (A + 1.21 A)
    assert case.dice == pytest.approx(2 / 2.21, abs=2e-3)


def test_the_error_of_an_outline_too_small_is_negative(row):
    case = judging.judge(row, Fake(enlarged(0.9)))
    assert case.sizes["HC"].difference_percent == pytest.approx(-10)


def test_flags_of_the_model_and_of_the_measurement_are_kept_once(row):
    case = judging.judge(row, Fake(enlarged(1), candidates=2, flags=("trans-cerebellar",)))
    assert {"trans-cerebellar", "several-candidates"} <= set(case.flags)
    assert len(set(case.flags)) == len(case.flags)


def test_the_interval_of_the_model_is_kept(row):
    fake = Fake(enlarged(1), intervals={"HC": SizeInterval((), (0.25,))})
    sizes = judging.judge(row, fake).sizes
    assert sizes["HC"].low_mm == pytest.approx(TRUTH.circumference * MM / 1.25)
    assert sizes["HC"].high_mm == pytest.approx(TRUTH.circumference * MM / 0.75)
    assert sizes["BPD"].low_mm is None


def test_an_abdomen_has_both_of_its_diameters(abdomen):
    case = judging.judge(abdomen, Fake(enlarged(1.1), np.array(abdomen.ends), plane="abdomen"))
    assert set(case.sizes) == {"AC", "TAD", "APAD"}
    assert case.sizes["TAD"].truth_mm == pytest.approx(2 * 60 * MM)
    assert case.sizes["TAD"].difference_mm == pytest.approx(0.1 * 2 * 60 * MM)
    assert case.sizes["APAD"].difference_mm == pytest.approx(0.1 * 2 * 45 * MM)
    assert case.dice == pytest.approx(2 / 2.21, abs=2e-3)


def test_a_diameter_that_was_not_measured_counts_in_full_beside_one_that_was(abdomen):
    case = judging.judge(abdomen, Fake(enlarged(1), plane="abdomen"))
    assert case.sizes["AC"].difference_mm == pytest.approx(0, abs=1e-6)
    assert case.sizes["TAD"].failed
    assert case.sizes["TAD"].difference_mm == pytest.approx(-2 * 60 * MM)


def test_the_ends_of_a_femur_have_no_order(femur):
    case = judging.judge(femur, Fake(shaft(ENDS), np.array(ENDS)[::-1], plane="femur"))
    assert case.sizes["FL"].truth_mm == pytest.approx(LENGTH_MM)
    assert case.sizes["FL"].difference_mm == pytest.approx(0, abs=1e-9)
    assert case.end_error_mm == pytest.approx(0, abs=1e-9)
    assert (case.dice, case.hausdorff_mm) == (None, None)


def test_a_femur_moved_sideways_has_the_right_length_at_the_wrong_place(femur):
    moved = np.array(ENDS) + np.array([6.0, 8.0])
    case = judging.judge(femur, Fake(shaft(moved), moved, plane="femur"))
    assert case.sizes["FL"].difference_mm == pytest.approx(0, abs=1e-9)
    assert case.end_error_mm == pytest.approx(10 * MM)


@pytest.mark.parametrize("plane", ["head", "abdomen", "femur"])
def test_a_failure_counts_with_its_full_error(plane, request, row):
    shown = row if plane == "head" else request.getfixturevalue(plane)
    case = judging.judge(shown, Fake(None, plane=plane))
    assert case.failure == "nothing was found"
    assert set(case.sizes) == set(shown.truth_mm)
    for name, truth in shown.truth_mm.items():
        assert case.sizes[name].failed
        assert case.sizes[name].difference_mm == pytest.approx(-truth)
        assert case.sizes[name].difference_percent == pytest.approx(-100)
    if plane == "femur":
        assert case.end_error_mm == pytest.approx(LENGTH_MM)
    else:
        assert case.dice == 0
        assert case.hausdorff_mm == pytest.approx(2 * 60 * MM)


def test_a_size_that_no_fetus_has_is_a_failure_too(row):
    case = judging.judge(row, Fake(enlarged(0.2)))
    assert case.failure.startswith("HC must be 40 to 420 mm")
    assert str(row.image.parent) not in case.failure  # results are shared, folders are not
    assert case.sizes["HC"].failed


def test_another_plane_is_a_failure_even_where_it_could_be_measured(row):
    fake = Fake(enlarged(1), planes=sure_of("abdomen"), flags=("low-plane-probability",))
    case = judging.judge(row, fake)
    assert (case.found_plane, case.failure) == ("abdomen", "taken for: abdomen")
    assert case.sizes["HC"].difference_mm == pytest.approx(-TRUTH.circumference * MM)
    assert case.flags == ("low-plane-probability",)


def test_routed_by_the_true_plane_a_wrong_one_is_measured_and_still_told(row):
    fake = Fake(enlarged(1), planes=sure_of("abdomen"))
    case = judging.judge(row, fake, judging.TRUE)
    assert (case.routing, case.found_plane, case.failure) == ("true", "abdomen", "")
    assert case.sizes["HC"].difference_mm == pytest.approx(0, abs=1e-6)


def test_a_plane_that_was_refused_is_a_failure(row):
    case = judging.judge(row, Fake(enlarged(1), planes=sure_of("none")))
    assert case.found_plane == "none"
    assert case.failure == "shows none of the planes that are measured"
    assert case.sizes["HC"].failed


@pytest.mark.parametrize("routing", judging.ROUTINGS)
def test_an_image_of_no_plane_is_rightly_refused(nothing, routing):
    case = judging.judge(nothing, Fake(enlarged(1), planes=sure_of("none")), routing)
    assert (case.plane, case.found_plane, case.failure) == ("none", "none", "")
    assert (case.sizes, case.dice, case.mm_per_px) == ({}, None, None)


def test_an_image_of_no_plane_taken_for_one_is_told(nothing):
    case = judging.judge(nothing, Fake(enlarged(1), planes=sure_of("head")))
    assert (case.found_plane, case.failure) == ("head", "taken for: head")
    assert case.sizes == {}


def test_an_image_of_which_only_the_plane_is_known_is_not_measured(row):
    bare = dataclasses.replace(row, spacing_mm=None, ellipse=None, view="trans-cerebellar")
    fake = Fake(enlarged(1), planes=sure_of("head"), flags=("trans-cerebellar",))
    case = judging.judge(bare, fake)
    assert (case.found_plane, case.view, case.failure) == ("head", "trans-cerebellar", "")
    assert (case.sizes, case.dice, case.flags) == ({}, None, ("trans-cerebellar",))


def test_both_views_of_a_head_are_a_head(row):
    # 0.3 + 0.25 against 0.4
    odds = dict(zip(PLANE_CLASSES, (0.3, 0.25, 0.4, 0.03, 0.02), strict=True))
    case = judging.judge(row, Fake(enlarged(1), planes=odds))
    assert case.found_plane == "head"
    assert case.planes == odds


@pytest.mark.parametrize("plane", ["head", "abdomen", "femur", "none"])
def test_the_plane_found_is_the_one_that_the_predictor_measures(plane, tmp_path):
    predictor = Predictor(conftest.three_planes_info(), conftest.three_planes_engine())
    path = conftest.save_exam(tmp_path)[plane]
    ellipse = conftest.HEAD if plane == "head" else None
    spacing = conftest.SPACING if ellipse else None
    case = judging.judge(Row("toy", path, "1", plane, spacing, ellipse), predictor)
    assert case.found_plane == plane
    assert case.failure == ""
    assert sum(case.planes.values()) == pytest.approx(1)
    if ellipse:
        assert abs(case.sizes["HC"].difference_percent) < 1
        assert case.sizes["HC"].is_covered


def test_every_image_is_judged_in_its_order(row):
    rows = [dataclasses.replace(row, group=name) for name in ("b", "a", "c")]
    cases = judging.evaluate(rows, Fake(enlarged(1)))
    assert [case.group for case in cases] == ["b", "a", "c"]


def test_a_model_of_one_plane_is_given_no_other(row, femur, nothing):
    cases = list(judging.evaluate([row, femur, nothing], Fake(enlarged(1))))
    assert [case.plane for case in cases] == ["head"]


def test_a_model_that_tells_planes_apart_is_given_all(row, femur, nothing):
    fake = Fake(enlarged(1), planes=sure_of("head"))
    cases = list(judging.evaluate([row, femur, nothing], fake))
    assert [case.plane for case in cases] == ["head", "femur", "none"]
    assert [bool(case.failure) for case in cases] == [False, True, True]


#: Of the picture's shape, so that the input is the picture; then half of it, in a square.
SAME, HALF = (160, 240), (120, 120)
#: The pixels inside the truth, as they are drawn.
AREA = np.count_nonzero(TRUTH.mask((160, 240)))


def masking(ellipse, size=SAME, stride=1, outputs=None):
    """A predictor whose mask has the logits of an ellipse of the picture, in pixels from its edge.

    Without an ellipse it sees nothing.
    """
    h, w = size[0] // stride, size[1] // stride
    grid = np.stack(np.mgrid[:h, :w], axis=-1) * stride + (stride - 1) / 2
    matrix = letterbox((160, 240), size)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    at = apply(back, grid.reshape(-1, 2)).reshape(h, w, 2)
    level = np.full((h, w), -9.0) if ellipse is None else -toy_level(ellipse, at)
    maps = {"outline": level[None, None].astype(np.float32)}
    meaning = outputs or {"outline": {"kind": "mask", "planes": ["head"]}}
    info = conftest.bright_info(size=size, outputs=meaning)
    return Predictor(info, Engine("drawn", lambda batch: maps))


def toy_level(ellipse, at):
    """How far points are outside an ellipse, in pixels; negative inside."""
    return (ellipse.level(at) - 1) * ellipse.semi_axes[1]


@pytest.mark.parametrize(("size", "stride", "wrong"), [(SAME, 1, 0), (SAME, 2, 12), (HALF, 1, 12)])
def test_a_right_mask_is_right_in_the_picture_s_own_pixels(row, size, stride, wrong):
    case = judging.judge(row, masking(TRUTH, size, stride))
    assert case.failure == ""
    # of 160 x 240 pixels; a coarse grid errs in a few at the edge
    assert case.pixel_accuracy >= 1 - wrong / (160 * 240)
    assert case.mask_dice >= 1 - wrong / (2 * AREA - wrong)
    assert (case.mean_iou == 1) == (wrong == 0)


def test_a_mask_a_tenth_too_large_has_the_numbers_of_its_areas(row):
    a, b = TRUTH.semi_axes
    case = judging.judge(row, masking(Ellipse(TRUTH.center, (1.1 * a, 1.1 * b), TRUTH.angle_deg)))
    ours = 1.21 * AREA
    assert case.mask_dice == pytest.approx(2 / 2.21, abs=2e-3)
    assert case.pixel_accuracy == pytest.approx(1 - 0.21 * AREA / (160 * 240), abs=1e-3)
    outside = (160 * 240 - ours) / (160 * 240 - AREA)
    assert case.mean_iou == pytest.approx((1 / 1.21 + outside) / 2, abs=2e-3)
    # the ellipse that is fitted to it has the same overlap
    assert case.dice == pytest.approx(case.mask_dice, abs=2e-3)


@pytest.mark.parametrize("found", [None, Ellipse(TRUTH.center, (9.0, 8.0), 0.0)])
def test_a_failure_has_the_pixels_of_an_empty_mask(row, found):
    # the second one is a mask, but of a head that no fetus has
    case = judging.judge(row, masking(found))
    assert case.failure != ""
    share = AREA / (160 * 240)
    assert case.pixel_accuracy == pytest.approx(1 - share)
    assert case.mask_dice == 0
    assert case.mean_iou == pytest.approx((1 - share) / 2)


def test_a_model_without_a_mask_and_an_image_without_an_ellipse_have_no_pixels(row, femur):
    outline = judging.judge(row, Fake(enlarged(1)))
    shaft_only = judging.judge(femur, Fake(shaft(ENDS), np.array(ENDS), plane="femur"))
    for case in (outline, shaft_only):
        assert case.failure == ""
        assert (case.pixel_accuracy, case.mask_dice, case.mean_iou) == (None, None, None)


def in_bucket(row, wanted):
    rows = (dataclasses.replace(row, group=f"{i:03d}") for i in range(1000))
    return next(r for r in rows if r.bucket == wanted)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, {0: "test", 1: "validation", 2: "train", 3: "train"}),
        ({"fold": -1, "folds": 5}, {0: "test", 1: "validation", 2: "train", 3: "train"}),
        # bucket 3 is (3 - 1) mod 5 = fold 2
        ({"fold": 2, "folds": 5}, {0: "test", 1: "train", 2: "train", 3: "validation"}),
    ],
)
def test_an_image_is_on_the_side_that_the_recipe_says(row, data, expected):
    details = {"recipe": {"data": data}} if data else {}
    rows = [in_bucket(row, bucket) for bucket in expected]
    assert [judging.side(r, details) for r in rows] == list(expected.values())
    wanted = [r for r in rows if expected[r.bucket] == "validation"]
    assert judging.rows_for(rows, "validation", details) == wanted


def test_the_machine_that_was_left_out_is_a_side_of_its_own(row):
    details = {"recipe": {"data": {"fold": -1, "folds": 5, "without_machine": "Aloka"}}}
    rows = [dataclasses.replace(in_bucket(row, b), machine="Aloka") for b in (0, 1, 2)]
    others = [in_bucket(row, bucket) for bucket in (0, 1)]
    assert judging.rows_for([*rows, *others], judging.LEFT_OUT, details) == rows
    assert judging.rows_for([*rows, *others], "test", details) == others[:1]


def test_judging_a_model_needs_no_torch_and_no_matplotlib():
    code = (
        "import sys, fetometry.training.evaluate, fetometry.training.results, "
        "fetometry.training.plots, fetometry.training.gallery, fetometry.training.calibrate; "
        "heavy = {'torch', 'lightning', 'onnx', 'timm', 'matplotlib'}; "
        "sys.exit(str(sorted(heavy & set(sys.modules))))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stderr.strip() == "[]"
