import cv2
import numpy as np
import pytest

from fetometry.errors import OutputError
from fetometry.geometry import Ellipse
from fetometry.training import gallery as galleries
from fetometry.training.data import Row
from fetometry.training.evaluate import evaluate
from fetometry.training.gallery import Judges, gallery, misplaced, worst, write_gallery
from tests.training import toy
from tests.training.judged import Fake, head, sized, sure_of, told

TRUTH = Ellipse((80.0, 120.0), (60.0, 45.0), 20.0)
ENDS = ((60.0, 70.0), (90.0, 170.0))
MM = 0.5


@pytest.fixture
def rows(tmp_path):
    found = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        assert cv2.imwrite(str(path), toy.picture(TRUTH, seed=i, shape=(160, 240)))
        found.append(Row("toy", path, str(i), "head", (MM, MM), TRUTH))
    return found


def larger():
    a, b = TRUTH.semi_axes
    return Fake(Ellipse(TRUTH.center, (a * 1.2, b * 1.2), TRUTH.angle_deg).points(400))


def colored(picture, color):
    return np.argwhere(np.abs(picture.astype(int) - color).max(axis=2) < 40)


def test_the_worst_come_first():
    cases = [head(d, f"{i}.png") for i, d in enumerate((1.0, -5.0, 3.0))]
    assert [c.image for c in worst(cases, "HC", 2)] == ["1.png", "2.png"]
    assert worst(cases, "FL", 2) == []


def test_a_failure_is_the_worst_of_all():
    cases = sized("FL", [(50.0, 60.0), (50.0, 0.0), (50.0, 35.0)], plane="femur")
    assert [c.image for c in worst(cases, "FL", 3)] == ["1.png", "2.png", "0.png"]


def test_the_surest_of_the_wrong_planes_come_first():
    wrong = [*told("head", "none"), *told("femur", "head", probability=0.99)]
    assert [c.plane for c in misplaced([*wrong, *told("head", "head")], 9)] == ["femur", "head"]


def test_both_outlines_are_in_the_picture_where_they_should_be(rows):
    fake = larger()
    cases = list(evaluate(rows, fake))
    picture = gallery(cases, "HC", Judges(rows, fake), count=1)
    size = (galleries.TITLE + galleries.HEIGHT + galleries.STRIP, 2 * galleries.WIDTH, 3)
    assert picture.shape == size
    expert, model = (colored(picture, c) for c in (galleries.EXPERT, galleries.MODEL))
    assert len(expert) > 100
    assert len(model) > len(expert)  # whole against dashed, and larger
    for spread in (np.ptp, np.std):
        ratio = spread(model, axis=0) / spread(expert, axis=0)
        assert ratio == pytest.approx(1.2, abs=0.06)
    assert model.mean(axis=0) == pytest.approx(expert.mean(axis=0), abs=4)


def test_panels_stand_two_in_a_row(rows):
    fake = larger()
    picture = gallery(list(evaluate(rows, fake)), "HC", Judges(rows, fake))
    assert picture.shape[0] == galleries.TITLE + 2 * (galleries.HEIGHT + galleries.STRIP)
    last = picture[-galleries.HEIGHT - galleries.STRIP :]
    assert not last[:, galleries.WIDTH :].any()
    assert last[:, : galleries.WIDTH].any()


def test_a_femur_is_drawn_from_end_to_end(rows):
    row = Row("toy", rows[0].image, "0", "femur", (MM, MM), ends=ENDS)
    ends = np.array(ENDS) + np.array([12.0, 0.0])
    fake = Fake(None, ends, plane="femur")
    picture = gallery(list(evaluate([row], fake)), "FL", Judges([row], fake))
    expert, model = (colored(picture, c) for c in (galleries.EXPERT, galleries.MODEL))
    spans = [np.ptp(points, axis=0) for points in (expert, model)]
    # the rings stand out by a few pixels either side, the same on both
    assert spans[0] == pytest.approx(spans[1], abs=3)
    assert model[:, 0].mean() > expert[:, 0].mean() + 5


@pytest.mark.parametrize("name", ["BPD", "OFD"])
def test_a_diameter_is_drawn_in_its_ellipse(rows, name):
    fake = larger()
    cases = list(evaluate(rows[:1], fake))
    with_line = gallery(cases, name, Judges(rows, fake))
    without = gallery(cases, "HC", Judges(rows, fake))
    for color in (galleries.EXPERT, galleries.MODEL):
        assert len(colored(with_line, color)) > len(colored(without, color)) + 15


def test_a_failure_shows_the_truth_alone(rows):
    fake = Fake(None)
    picture = gallery(list(evaluate(rows[:1], fake)), "HC", Judges(rows, fake))
    assert len(colored(picture, galleries.EXPERT)) > 100
    assert len(colored(picture, galleries.MODEL)) == 0


def test_every_measurement_and_the_planes_have_a_file(rows, tmp_path):
    wrong = Fake(np.zeros((0, 2)), planes=sure_of("femur"))
    cases = list(evaluate(rows, wrong))
    written = write_gallery(cases, Judges(rows, wrong), tmp_path / "new", count=2)
    assert [path.name for path in written] == [
        f"worst-{name}.jpg" for name in ("HC", "BPD", "OFD", "plane")
    ]
    for path in written:
        height = galleries.TITLE + galleries.HEIGHT + galleries.STRIP
        assert cv2.imread(str(path)).shape == (height, 2 * galleries.WIDTH, 3)


def test_a_model_without_errors_of_plane_has_no_such_picture(rows):
    fake = larger()
    assert gallery(list(evaluate(rows, fake)), "plane", Judges(rows, fake)) is None


def test_a_long_name_is_cut_within_its_panel(rows, tmp_path):
    path = tmp_path / f"{'long' * 30}.png"
    path.write_bytes(rows[0].image.read_bytes())
    row = Row("toy", path, "0", "head", (MM, MM), TRUTH)
    fake = larger()
    picture = gallery(list(evaluate([row], fake)), "HC", Judges([row], fake))
    assert not picture[galleries.TITLE :, galleries.WIDTH :].any()


def test_pictures_that_cannot_be_written_are_an_output_error(rows, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    fake = larger()
    with pytest.raises(OutputError, match="cannot be written"):
        write_gallery(list(evaluate(rows, fake)), Judges(rows, fake), tmp_path / "file")
