import cv2
import numpy as np
import pytest

from fetometry.geometry.sampling import sampled
from fetometry.training import gallery as galleries
from fetometry.training.evaluate_volumes import evaluate_volumes
from fetometry.training.gallery import gallery, worst, write_gallery
from fetometry.training.sweep.panels import panels, spread
from fetometry.training.volume_gallery import VolumeJudges, said, slices_along
from tests.training.judged_volumes import ENDS, NO_ENDS, NO_MASK, Fake3d, bar, solid, volume_row


def colored(picture, color):
    return np.argwhere(np.abs(picture.astype(int) - color).max(axis=2) < 40)


@pytest.fixture
def judges(tmp_path):
    """Three volumes, in which the model sees the bar three columns too far."""
    rows = [volume_row(tmp_path, f"v{i}") for i in range(3)]
    return VolumeJudges(rows, Fake3d(np.roll(bar(), 3, axis=2), np.add(ENDS, (0, 0, 3))))


def judged(judges):
    return list(evaluate_volumes(judges.rows, judges.predictor))


def test_values_are_interpolated_between_voxels_and_0_outside():
    rows, cols, slices = np.meshgrid(np.arange(4), np.arange(5), np.arange(3), indexing="ij")
    values = 100 + 10 * rows + 3 * cols + slices
    places = np.array([[1.5, 2.25, 0.5], [0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [3.0, 4.0, 2.0]])
    np.testing.assert_allclose(sampled(values, places), [122.25, 100.0, 0.0, 144.0])


def test_both_slices_hold_both_ends_and_stand_at_right_angles():
    ends = np.array([[3.0, 5.0, 7.0], [20.0, 30.0, 40.0]])
    one, other = slices_along(ends, 400)
    assert one.across @ other.across == pytest.approx(0.0)
    for cut in (one, other):
        assert cut.along @ cut.across == pytest.approx(0.0)
        (first, off), (second, far) = (cut.seen(end, (101, 400)) for end in ends)
        assert max(off, far) < 1e-9
        assert (first[0], second[0]) == (pytest.approx(50.0), pytest.approx(50.0))
        length = np.linalg.norm(ends[1] - ends[0])
        assert (second[1] - first[1]) * cut.mm_per_px == pytest.approx(length)
        assert second[1] - first[1] < 400 - 2
    places = one.places_mm((101, 400))
    np.testing.assert_allclose(places[50].mean(axis=0), ends.mean(axis=0))


def test_a_bone_along_the_beam_has_two_slices_too():
    one, other = slices_along(np.array([[5.0, 0.0, 5.0], [5.0, 40.0, 5.0]]), 100)
    assert abs(one.across @ other.across) < 1e-9
    assert one.across[0] == pytest.approx(1.0)


def test_the_outlines_of_truth_and_model_are_where_they_should_be(judges):
    case = judged(judges)[0]
    panel = judges.panel(case, "FL")
    assert panel.shape == (galleries.HEIGHT + galleries.STRIP, galleries.WIDTH, 3)
    expert, model = (colored(panel, c) for c in (galleries.EXPERT, galleries.MODEL))
    assert len(model) > len(expert) > 100  # whole against dashed
    px_per_mm = galleries.WIDTH / 60  # 40 mm, and 10 on either side
    moved = model[:, 1].max() - expert[:, 1].max()
    assert moved == pytest.approx(3 * px_per_mm, abs=3)
    wide = np.ptp(expert[:, 1])
    assert wide == pytest.approx(40 * px_per_mm, abs=2 * galleries.RING + 3)


def test_the_words_say_what_was_told_and_no_more():
    assert said(solid(1)) == (
        "p1: true 50.0 mm, model 51.0 mm; 2.00 mL, model 2.50 mL",
        "DSC 90.0 %; ends off 2.0 and 3.0 mm; no flag",
    )
    assert said(solid(1, **NO_ENDS))[0] == "p1: true 2.00 mL, model 2.50 mL"
    assert said(solid(1, **NO_MASK))[1] == "ends off 2.0 and 3.0 mm; no flag"
    lost = said(solid(1, failed=True))
    assert lost[0] == "p1: true 50.0 mm, model none; 2.00 mL, model none"
    assert lost[1] == "DSC 0.0 %; nothing was found"


def test_without_a_length_the_least_overlap_is_the_worst():
    cases = [solid(i, dice=d, **NO_ENDS) for i, d in enumerate((0.9, 0.2, 0.8))]
    assert [c.image for c in worst(cases, galleries.OVERLAP, 2)] == ["p1.nii.gz", "p2.nii.gz"]
    best, middle, last = spread(cases, galleries.OVERLAP)
    assert (best.dice, middle.dice, last.dice) == (0.9, 0.8, 0.2)


def test_the_gallery_and_the_panels_show_volumes_too(judges, tmp_path):
    cases = judged(judges)
    (path,) = write_gallery(cases, judges, tmp_path / "out", count=2)
    assert path.name == "worst-FL.jpg"
    assert cv2.imread(str(path)).shape[1] == 2 * galleries.WIDTH
    assert panels(judges, cases).shape[1] == 3 * galleries.WIDTH
    masks = VolumeJudges(judges.rows, Fake3d(bar(), kinds=("solid",)))
    (path,) = write_gallery(judged(masks), masks, tmp_path / "masks")
    assert path.name == "worst-DSC.jpg"


def test_a_volume_in_which_nothing_was_found_is_shown_with_its_truth(tmp_path):
    judges = VolumeJudges([volume_row(tmp_path)], Fake3d())
    picture = gallery(judged(judges), "FL", judges)
    assert len(colored(picture, galleries.EXPERT)) > 100
    assert len(colored(picture, galleries.MODEL)) == 0
