import numpy as np
import pytest

from fetometry.errors import DataError
from fetometry.geometry import Ellipse
from fetometry.training.data import Row
from fetometry.training.evaluate import rows_for
from fetometry.training.evaluate_volumes import (
    evaluate_volumes,
    judge_volume,
    picture_rows,
    true_ml,
    volume_rows,
)
from tests.training.judged_volumes import BAR_ML, ENDS, SHAPE, SPACING, Fake3d, bar, volume_row

DIAGONAL = float(np.linalg.norm((np.array(SHAPE) - 1) * SPACING))


@pytest.fixture
def row(tmp_path):
    return volume_row(tmp_path)


def test_a_perfect_answer_has_no_error(row):
    case = judge_volume(row, Fake3d(bar(), ENDS))
    assert (case.dice, case.jaccard, case.average_boundary_mm, case.hausdorff_boundary_mm) == (
        1.0, 1.0, 0.0, 0.0,
    )  # fmt: skip
    assert case.found_ml == case.truth_ml == pytest.approx(BAR_ML)
    assert (case.end_1_mm, case.end_2_mm) == (0.0, 0.0)
    assert case.sizes["FL"].truth_mm == case.sizes["FL"].measured_mm == pytest.approx(40.0)
    assert (case.dataset, case.image, case.group) == ("phantom3d", "v1.mha", "v1")
    assert (case.plane, case.found_plane, case.routing) == ("femur", "femur", "predicted")
    assert (case.split, case.bucket, case.mm_per_px) == (row.split, row.bucket, None)
    assert (case.model, case.failure, case.flags) == (f"fake3d {'ab' * 6}", "", ())
    assert case.of_volume


def test_a_mask_that_is_shifted_has_the_overlap_and_distance_that_one_expects(row):
    case = judge_volume(row, Fake3d(np.roll(bar(), 4, axis=1), ENDS))
    # half of the 8 rows overlap
    assert case.dice == pytest.approx(0.5)
    assert case.jaccard == pytest.approx(1 / 3)
    assert case.hausdorff_boundary_mm == pytest.approx(4.0)
    assert case.found_ml == pytest.approx(BAR_ML)


def test_ends_are_matched_before_they_are_scored_and_measured_in_mm(row):
    # a slice further at the hip, 3 columns beyond the knee; and named the other way round
    found = [(9.5, 11.5, 53.0), (10.5, 11.5, 10.0)]
    case = judge_volume(row, Fake3d(bar(), found))
    assert (case.end_1_mm, case.end_2_mm) == (pytest.approx(2.0), pytest.approx(3.0))
    assert case.sizes["FL"].measured_mm == pytest.approx(np.hypot(43, 2))


def test_nothing_found_counts_with_its_full_error_and_says_why_without_the_folder(row):
    case = judge_volume(row, Fake3d())
    assert (case.dice, case.jaccard, case.found_ml) == (0.0, 0.0, 0.0)
    assert case.average_boundary_mm == case.hausdorff_boundary_mm == pytest.approx(DIAGONAL)
    assert case.end_1_mm == case.end_2_mm == pytest.approx(DIAGONAL)
    assert case.sizes["FL"].failed
    assert case.sizes["FL"].difference_mm == pytest.approx(-40.0)
    assert case.failure == "v1.mha: nothing was found"


def test_what_is_missing_of_two_is_a_failure_and_the_other_is_scored(row):
    case = judge_volume(row, Fake3d(bar()))
    assert (case.failure, case.dice, case.sizes["FL"].failed) == ("not found: ends", 1.0, True)
    case = judge_volume(row, Fake3d(None, ENDS))
    assert (case.failure, case.dice, case.sizes["FL"].failed) == ("not found: mask", 0.0, False)


def test_a_length_that_no_femur_has_is_a_failure_and_the_mask_is_scored(row):
    far = [(9.5, 11.5, 10.0), (9.5, 11.5, 300.0)]
    case = judge_volume(row, Fake3d(bar(), far))
    assert case.sizes["FL"].failed
    assert case.end_1_mm == pytest.approx(DIAGONAL)
    assert case.dice == 1.0
    assert "290" in case.failure


def test_only_what_the_model_tells_is_scored(row):
    masks = judge_volume(row, Fake3d(bar(), kinds=("solid",)))
    assert (masks.sizes, masks.end_1_mm, masks.dice, masks.failure) == ({}, None, 1.0, "")
    ends = judge_volume(row, Fake3d(None, ENDS, kinds=("solid-ends",)))
    assert (ends.dice, ends.found_ml, ends.end_2_mm, ends.failure) == (None, None, 0.0, "")
    assert ends.truth_ml == pytest.approx(BAR_ML)


def test_a_mask_that_fills_the_volume_has_no_boundary_and_so_the_full_error(row):
    case = judge_volume(row, Fake3d(np.ones(SHAPE, bool), ENDS))
    assert (case.dice, case.hausdorff_boundary_mm) == (0.0, pytest.approx(DIAGONAL))


def test_flags_are_those_of_a_measurement_without_the_notice_of_the_model(row):
    beside = [(9.5, 4.5, 10.0), (9.5, 11.5, 50.0)]
    case = judge_volume(row, Fake3d(bar(), beside, flags=("roi-not-found",)))
    assert case.flags == ("end-outside-mask", "roi-not-found")


def test_the_volume_of_the_shaft_itself_counts_where_it_is_known(row, tmp_path):
    known = volume_row(tmp_path, volume_ml=3.5)
    assert judge_volume(known, Fake3d(bar(), ENDS)).truth_ml == true_ml(known) == 3.5
    assert true_ml(row) == pytest.approx(BAR_ML)


def test_a_mask_of_another_shape_is_refused(tmp_path, row):
    other = volume_row(tmp_path, "other", mask=bar())
    wrong = type(row)(
        row.dataset, row.image, tmp_path / "flat.mha", row.group, row.spacing_mm, row.ends
    )
    itk = pytest.importorskip("SimpleITK")
    flat = itk.ReadImage(str(other.mask))[:, :, :5]
    flat[0, 0, 0] = 1
    itk.WriteImage(flat, str(wrong.mask))
    with pytest.raises(DataError, match=r"true mask is \(5, 24, 60\) voxels, its volume \(20"):
        judge_volume(wrong, Fake3d(bar(), ENDS))


def test_volumes_are_judged_one_after_the_other_on_the_side_that_is_asked_for(tmp_path):
    rows = [volume_row(tmp_path, f"v{i}") for i in range(3)]
    cases = evaluate_volumes(rows, Fake3d(bar(), ENDS))
    assert [case.image for case in cases] == ["v0.mha", "v1.mha", "v2.mha"]
    assert rows_for(rows, rows[0].split, {}) == [r for r in rows if r.split == rows[0].split]


def test_pictures_and_volumes_are_told_apart_and_not_mixed(row):
    ellipse = Ellipse((5.0, 5.0), (3.0, 2.0), 0.0)
    picture = Row("toy", row.image, "a", "head", (1.0, 1.0), ellipse)
    assert volume_rows([row]) == [row]
    assert volume_rows([picture]) == []
    assert picture_rows([picture, row]) == [picture]
    with pytest.raises(DataError, match="cannot be judged together"):
        volume_rows([row, picture])
