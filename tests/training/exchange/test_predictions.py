"""Others' masks, points and ellipses are measured and judged as a model's are."""

import math

import cv2
import numpy as np
import pytest

from fetometry import predict
from fetometry.errors import DataError, RecipeError, UsageError
from fetometry.geometry import Ellipse, apply, fit_ellipse, letterbox, trace
from fetometry.image import read
from fetometry.predict.bar import bar_ends
from fetometry.training import evaluate
from fetometry.training.data import Row, load
from fetometry.training.exchange import masks, nnunet, predictions
from tests.support import data_dir, needs_data
from tests.training import toy
from tests.training.exchange.real import some_of_hc18

SHAPE = (240, 320)
MM = 0.45
HEAD = Ellipse((118.3, 161.7), (92.4, 71.2), 23.0)
ABDOMEN = Ellipse((121.6, 155.2), (80.7, 75.9), 70.0)
ACROSS = tuple(tuple(end) for end in ABDOMEN.axis_points[:2].tolist())
SHAFT = ((90.3, 80.6), (130.8, 210.2))


@pytest.fixture
def rows(tmp_path):
    """An image of each plane, the head's of the test side."""
    folder = tmp_path / "images"
    folder.mkdir()
    known = {
        "head": {"ellipse": HEAD, "view": "trans-thalamic"},
        "abdomen": {"ellipse": ABDOMEN, "ends": ACROSS},
        "femur": {"ends": SHAFT},
    }
    found = []
    for plane, truth in known.items():
        path = folder / f"{plane}.png"
        grey = np.random.default_rng(0).integers(20, 200, SHAPE).astype(np.uint8)
        assert cv2.imwrite(str(path), grey)
        found.append(Row(toy.NAME, path, "007", plane, (MM, MM), **truth))
    return found


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "theirs"
    path.mkdir()
    return path


def judged(rows, folder, routing="predicted"):
    answers = predictions.open_answers(folder, rows)
    return {c.plane: c for c in predictions.judged(rows, answers, routing)}


def save(path, pixels):
    assert cv2.imwrite(str(path), pixels)


def truth_of(row):
    return masks.label_image(row, SHAPE)


def assert_right(case, *, within_mm=0.1):
    assert case.failure == ""
    assert case.sizes
    for size in case.sizes.values():
        assert size.difference_mm == pytest.approx(0, abs=within_mm)


def test_a_hard_mask_gives_the_circumference_without_bias():
    rng = np.random.default_rng(0)
    away = []
    for _ in range(25):
        b = rng.uniform(60, 100)
        center = (130 + rng.uniform(-1, 1), 160 + rng.uniform(-1, 1))
        ellipse = Ellipse(center, (b * rng.uniform(1.1, 1.4), b), rng.uniform(0, 180))
        level = masks.level_of(ellipse.mask((270, 330)), "head")[0]
        found = fit_ellipse(trace(level).points).ellipse
        away.append(found.circumference - ellipse.circumference)
    # 0.1 px is below 0.04 mm at HC18's coarsest pixel; a contour through pixel centres gives -3
    assert abs(np.mean(away)) < 0.1
    assert np.max(np.abs(away)) < 0.4


def test_a_hard_bar_gives_its_length_to_half_a_pixel():
    rng = np.random.default_rng(0)
    away = []
    for _ in range(25):
        half = rng.uniform(50, 120) * np.array([np.sin(t := rng.uniform(0, np.pi)), np.cos(t)])
        middle = np.array([150.0, 150.0]) + rng.uniform(-1, 1, 2)
        ends = (tuple(middle - half), tuple(middle + half))
        level = masks.level_of(masks.bar(ends, (300, 300)), "femur")[0]
        one, other = bar_ends(trace(level).points, 0.0)
        away.append(np.linalg.norm(one - other) - 2 * np.linalg.norm(half))
    assert abs(np.mean(away)) < 0.5


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_label_masks_of_the_truth_are_perfect_in_every_plane(suffix, rows, folder):
    for row in rows:
        pixels = truth_of(row)
        options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        assert cv2.imwrite(str(folder / f"{row.image.stem}{suffix}"), pixels, options)
    cases = judged(rows, folder)
    for plane, case in cases.items():
        assert_right(case, within_mm=0.3 if plane == "femur" else 0.1)
        assert case.found_plane == plane
        assert case.planes[plane] == pytest.approx(1, abs=1e-5)
    assert cases["head"].dice > 0.999
    assert cases["femur"].end_error_mm < 0.3


def test_the_names_of_an_export_and_of_annotations_are_known_too(rows, folder):
    head, abdomen, femur = rows
    save(folder / f"{nnunet.case_name(head)}.png", truth_of(head))
    save(folder / f"{abdomen.image.stem}_Annotation.png", truth_of(abdomen))
    save(folder / f"{femur.image.stem}.png", truth_of(femur))
    assert all(case.failure == "" for case in judged(rows, folder).values())


@pytest.mark.parametrize("inside", [1, 255])
def test_a_binary_mask_is_of_its_images_own_plane_and_tells_none(inside, rows, folder):
    for row in rows:
        save(folder / row.image.name, np.where(truth_of(row) > 0, inside, 0).astype(np.uint8))
    for plane, case in judged(rows, folder).items():
        assert_right(case, within_mm=0.3)
        assert (case.found_plane, case.planes) == (plane, {})


def test_what_a_mask_cannot_tell_is_no_failure(rows, folder):
    save(folder / "abdomen.png", truth_of(rows[1]))
    assert set(judged(rows[1:2], folder)["abdomen"].sizes) == {"AC"}


def test_a_soft_mask_has_its_edge_at_half(rows, folder):
    grid = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1)
    out = (HEAD.level(grid) - 1) * HEAD.semi_axes[1]
    soft = 1 / (1 + np.exp(out / 2))
    save(folder / "head.png", np.rint(255 * soft).astype(np.uint8))
    assert_right(judged(rows[:1], folder)["head"])
    (folder / "head.png").unlink()
    save(folder / "head.tif", soft.astype(np.float32))
    assert_right(judged(rows[:1], folder)["head"])


def test_a_drawn_line_is_measured_along_its_middle(rows, folder):
    outline = np.zeros(SHAPE, np.uint8)
    at = np.rint(HEAD.points(4000)).astype(int)
    outline[at[:, 0], at[:, 1]] = 255
    save(folder / "head_Annotation.png", outline)
    assert_right(judged(rows[:1], folder)["head"])


def test_a_mask_of_another_plane_is_a_failure_unless_the_true_plane_is_insisted_on(rows, folder):
    wrong = truth_of(rows[1])
    wrong[wrong > 0] = masks.LABELS["femur"]
    wrong[110:120, 100:110] = masks.LABELS["abdomen"]
    save(folder / "abdomen.png", wrong)
    case = judged(rows[1:2], folder)["abdomen"]
    assert (case.found_plane, case.failure) == ("femur", "taken for: femur")
    assert case.sizes["AC"].failed
    insisted = judged(rows[1:2], folder, "true")["abdomen"]
    assert not insisted.failure.startswith("taken for")


def test_a_missing_and_an_empty_prediction_are_failures_with_their_full_error(rows, folder):
    save(folder / "head.png", truth_of(rows[0]))
    save(folder / "femur.png", np.zeros(SHAPE, np.uint8))
    cases = judged(rows, folder)
    assert cases["head"].failure == ""
    assert "there is no prediction of it in theirs" in cases["abdomen"].failure
    for plane, name in (("abdomen", "AC"), ("femur", "FL")):
        size = cases[plane].sizes[name]
        assert size.failed
        assert size.difference_mm == -size.truth_mm
    assert cases["abdomen"].dice == 0
    assert cases["femur"].failure == "nothing was found"


def test_a_mask_of_another_size_is_refused_with_both_sizes(rows, folder):
    save(folder / "head.png", np.full((120, 160), 255, np.uint8))
    with pytest.raises(DataError, match="the mask is 160 x 120 pixels, its image 320 x 240"):
        judged(rows[:1], folder)


def test_a_mask_in_colour_is_refused(rows, folder):
    colour = np.zeros((*SHAPE, 3), np.uint8)
    colour[100:150, 100:150, 0] = 200
    save(folder / "head.png", colour)
    with pytest.raises(DataError, match="the mask is in colour"):
        judged(rows[:1], folder)


def points_csv(folder, lines):
    (folder / "points.csv").write_text("image,plane,point,x,y\n" + "\n".join(lines) + "\n")


def told(image, plane, name, ends):
    return [f"{image},{plane},{name}_{k + 1},{c},{r}" for k, (r, c) in enumerate(ends)]


def test_points_of_the_truth_are_perfect_in_every_plane(rows, folder):
    long, short = HEAD.axis_points[:2].tolist(), HEAD.axis_points[2:].tolist()
    front = ABDOMEN.axis_points[2:].tolist()
    points_csv(
        folder,
        [
            *told("head.png", "head", "OFD", long),
            *told("head.png", "head", "BPD", short),
            *told("abdomen", "", "tad", ACROSS),
            *told("abdomen", "", "apad", front),
            *told("femur.png", "femur", "FL", SHAFT),
        ],
    )
    cases = judged(rows, folder)
    for case in cases.values():
        assert_right(case, within_mm=1e-3)
    assert set(cases["abdomen"].sizes) == {"AC", "TAD", "APAD"}
    assert cases["femur"].end_error_mm == pytest.approx(0, abs=1e-6)


def test_half_of_the_points_is_a_failure_that_says_which_are_needed(rows, folder):
    points_csv(folder, told("head.png", "head", "OFD", HEAD.axis_points[:2].tolist()))
    case = judged(rows[:1], folder)["head"]
    assert "a head has OFD and BPD" in case.failure
    assert case.sizes["HC"].failed


def test_points_of_another_plane_are_taken_for_it(rows, folder):
    points_csv(folder, told("head.png", "femur", "FL", SHAFT))
    case = judged(rows[:1], folder)["head"]
    assert (case.found_plane, case.failure) == ("femur", "taken for: femur")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["head.png,head,HC_1,3,4"], "HC_1 of head is unknown"),
        (["head.png,head,FL_1,3,4", "head.png,head,FL_1,3,4"], "line 3: .* is twice"),
        (["head.png,head,FL_1,3,high"], "line 2: could not convert"),
        (["head.png,foot,FL_1,3,4"], "unknown plane 'foot'"),
    ],
)
def test_a_table_of_points_with_a_fault_is_refused_with_its_line(lines, reason, rows, folder):
    points_csv(folder, lines)
    with pytest.raises(DataError, match=reason):
        judged(rows, folder)


@pytest.mark.parametrize("turned", [False, True])
def test_ellipses_in_pixels_and_in_millimetres_are_the_same(turned, rows, folder):
    (row, col), (a, b), angle = HEAD.center, HEAD.semi_axes, HEAD.angle_deg
    if turned:
        a, b, angle = b, a, angle + 90
    pixels, mm = folder / "ellipses.csv", folder / "hc18.csv"
    pixels.write_text(
        f"image,center_x,center_y,semi_a,semi_b,angle_deg\nhead.png,{col},{row},{a},{b},{angle}\n"
    )
    assert_right(judged(rows[:1], folder)["head"], within_mm=1e-3)
    pixels.unlink()
    mm.write_text(
        "filename,center_x_mm,center_y_mm,semi_axes_a_mm,semi_axes_b_mm,angle_rad\n"
        f"head.png,{col * MM},{row * MM},{a * MM},{b * MM},{math.radians(angle)}\n"
    )
    case = judged(rows[:1], folder)["head"]
    assert_right(case, within_mm=1e-3)
    assert case.dice > 0.999


def test_several_answers_are_refused(rows, folder):
    save(folder / "head.png", truth_of(rows[0]))
    save(folder / "head_Annotation.png", truth_of(rows[0]))
    with pytest.raises(DataError, match=r"head\.png has two answers"):
        judged(rows, folder)
    points_csv(folder, told("femur", "femur", "FL", SHAFT))
    (folder / "hc18.csv").write_text("")
    with pytest.raises(DataError, match=r"points\.csv and hc18\.csv; leave one"):
        judged(rows, folder)


def test_a_folder_of_other_images_is_refused_with_what_is_looked_for(rows, folder):
    save(folder / "somebody.png", truth_of(rows[0]))
    with pytest.raises(DataError, match="holds no answer for any of the images"):
        judged(rows, folder)
    with pytest.raises(DataError, match="there is no such folder"):
        judged(rows, folder / "gone")


def test_who_answered_is_known_by_the_content_of_the_files(rows, folder):
    save(folder / "head.png", truth_of(rows[0]))
    one = judged(rows[:1], folder)["head"].model
    save(folder / "head.png", np.roll(truth_of(rows[0]), 1, axis=0))
    other = judged(rows[:1], folder)["head"].model
    assert one.startswith("theirs ")
    assert one != other


def test_answers_of_a_fold_are_on_the_sides_of_that_fold(rows):
    details = predictions.fold_details(1, 3)
    assert evaluate.side(rows[0], details) == rows[0].split_in_fold(1, 3)
    assert predictions.fold_details(None) == {}
    with pytest.raises(UsageError, match="--folds needs --fold"):
        predictions.fold_details(None, 3)
    with pytest.raises(RecipeError, match="fold 5 of 5"):
        predictions.fold_details(5)


@needs_data
def test_on_real_truth_all_planes_are_perfect(tmp_path):
    rows = [row for row in load("fetal_planes", data_dir() / "fetal_planes") if row.truth_mm]
    planes = ("head", "abdomen", "femur")
    chosen = [row for plane in planes for row in [r for r in rows if r.plane == plane][:3]]
    for row in chosen:
        shape = next(iter(read(row.image))).shape
        save(tmp_path / f"{row.image.stem}.png", masks.label_image(row, shape))
    answers = predictions.open_answers(tmp_path, chosen)
    for case in predictions.judged(chosen, answers):
        assert_right(case, within_mm=0.2)


@needs_data
@pytest.mark.slow
def test_the_masks_of_a_shipped_model_are_judged_as_the_model_is(shipped, tmp_path):
    rows = some_of_hc18(tmp_path / "hc18", validation=3)
    predictor = predict.load(str(shipped), device="cpu")
    (name,) = predictor.info.outputs
    for row in rows:
        image = next(iter(read(row.image)))
        logits = predictor.maps([image])[0][name][0]
        save(tmp_path / f"{row.image.stem}.png", at_source(logits, image.shape, predictor))
    answers = predictions.open_answers(tmp_path, rows)
    for row, case in zip(rows, predictions.judged(rows, answers), strict=True):
        own = evaluate.judge(row, predictor)
        for size in own.sizes:
            theirs = case.sizes[size].measured_mm
            assert theirs == pytest.approx(own.sizes[size].measured_mm, abs=0.15)
        assert case.dice == pytest.approx(own.dice, abs=0.002)


def at_source(logits, shape, predictor):
    """The hard mask (H, W) of a map of logits at the size of its image."""
    to_input = letterbox(shape, predictor.info.size)
    stride = predictor.info.size[0] / logits.shape[0]
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij"), -1)
    at = (apply(to_input, index.reshape(-1, 2)) - (stride - 1) / 2) / stride
    rows, cols = at.T.reshape(2, *shape).astype(np.float32)
    warped = cv2.remap(logits, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.where(warped > 0, 255, 0).astype(np.uint8)


def test_a_case_says_what_it_is_of(rows, folder):
    save(folder / "head.png", truth_of(rows[0]))
    case = judged(rows[:1], folder)["head"]
    assert case.key == (toy.NAME, "head.png")
    assert (case.group, case.routing, case.split) == ("007", "predicted", rows[0].split)
