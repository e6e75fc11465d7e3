"""Success and failure panels: which images, and how large the picture is."""

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError, OutputError
from fetometry.geometry import Ellipse
from fetometry.training import gallery as galleries
from fetometry.training.data import Row
from fetometry.training.evaluate import evaluate
from fetometry.training.gallery import Judges
from fetometry.training.sweep.panels import MOST_BYTES, panels, spread, write_panels
from tests.training import toy
from tests.training.judged import Fake, head, told

TRUTH = Ellipse((80.0, 120.0), (60.0, 45.0), 20.0)
HEIGHT = galleries.HEIGHT + galleries.STRIP


def larger(by):
    a, b = TRUTH.semi_axes
    return Ellipse(TRUTH.center, (a * by, b * by), TRUTH.angle_deg)


@pytest.fixture
def rows(tmp_path):
    """Seven heads, of which the model always sees the same: the last is the worst."""
    found = []
    for i in range(7):
        path = tmp_path / f"{i}.png"
        assert cv2.imwrite(str(path), toy.picture(TRUTH, seed=i, shape=(160, 240)))
        found.append(Row("toy", path, str(i), "head", (0.5, 0.5), larger(1 - 0.03 * i)))
    return found


SEEING = Fake(TRUTH.points(400))


def names(cases):
    return [case.image for case in cases]


def test_best_median_and_worst_are_chosen_by_the_size_of_the_error():
    cases = [head(d, f"{d}.png") for d in (-9, 0.5, 2, -3, 7)]
    assert names(spread(cases, "HC")) == ["0.5.png", "-3.png", "-9.png"]
    assert names(spread(cases, "HC", 2)) == [f"{d}.png" for d in (0.5, -3, -9, 2, 7)]


def test_few_cases_are_there_once_each():
    cases = [head(d, f"{d}.png") for d in (5, 1)]
    assert names(spread(cases, "HC", 2)) == ["1.png", "5.png"]


def test_one_plane_has_two_rows_of_three(rows):
    picture = panels(Judges(rows, SEEING), list(evaluate(rows, SEEING)))
    size = (galleries.TITLE + 2 * HEIGHT, 3 * galleries.WIDTH, 3)
    assert picture.shape == size
    # the model sees too much in the worst image: its whole line lies outside the dashed one
    worst = picture[galleries.TITLE :][:HEIGHT, 2 * galleries.WIDTH :]
    spans = []
    for color in (galleries.EXPERT, galleries.MODEL):
        at = np.argwhere(np.abs(worst.astype(int) - color).max(axis=2) < 40)
        assert len(at) > 100
        spans.append(np.ptp(at, axis=0))
    assert spans[1] / spans[0] == pytest.approx(1 / 0.82, abs=0.04)


def test_each_of_several_planes_has_a_row(rows):
    femur = Row("toy", rows[0].image, "9", "femur", (0.5, 0.5), ends=((60.0, 70.0), (90.0, 170.0)))
    seeing = Fake(None, np.array(femur.ends), plane="femur")
    both = [*evaluate(rows[1:], SEEING), *evaluate([femur], seeing)]
    picture = panels(Judges([*rows[1:], femur], SEEING), both)
    assert picture.shape[0] == galleries.TITLE + 2 * HEIGHT
    # one femur: the other two places of its row are empty
    assert not picture[galleries.TITLE + HEIGHT :, galleries.WIDTH :].any()


def test_the_file_is_small_even_where_the_images_are_noise(rows, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (540, 800), dtype=np.uint8)
    for row in rows:
        assert cv2.imwrite(str(row.image), noise)
    path = tmp_path / "new" / "panels.jpg"
    write_panels(Judges(rows, SEEING), list(evaluate(rows, SEEING)), path)
    assert path.stat().st_size <= MOST_BYTES
    assert cv2.imread(str(path)) is not None


def test_nothing_measured_is_told(rows):
    with pytest.raises(DataError, match="no image has a truth"):
        panels(Judges(rows, SEEING), told("head", "head"))


def test_a_picture_that_cannot_be_written_is_an_output_error(rows, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_panels(
            Judges(rows, SEEING), list(evaluate(rows, SEEING)), tmp_path / "file" / "panels.jpg"
        )
