"""What a volume is judged by: in tables, in comparisons, in pictures, and in the CSV."""

import cv2
import numpy as np
import pytest
from matplotlib.collections import PathCollection

from fetometry.training import plots
from fetometry.training.cases import COLUMNS, SOLID_COLUMNS, read_cases, write_cases
from fetometry.training.compare import compare, compare_volumes, comparison_markdown
from fetometry.training.results import as_markdown, volume_summary
from fetometry.training.volume_scores import PHANTOMS_ONLY, VOLUME_SCORES
from tests.training.judged import head
from tests.training.judged_volumes import NO_ENDS, NO_MASK, solid

FOUND = [solid(1, error_mm=1.0, error_ml=0.5), solid(2, error_mm=-2.0, error_ml=-0.1)]
LOST = solid(3, failed=True, truth=(40.0, 1.5))


def values(cases):
    return {line.name: (line.estimate.value, line.unit) for line in volume_summary(cases)}


def test_cases_of_volumes_come_back_from_csv_as_they_were(tmp_path):
    cases = [*FOUND, LOST, solid(4, **NO_ENDS), solid(5, **NO_MASK)]
    write_cases(cases, tmp_path / "cases.csv")
    assert read_cases(tmp_path / "cases.csv") == cases
    header = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == [*COLUMNS, *SOLID_COLUMNS]


def test_results_of_pictures_have_no_columns_of_volumes(tmp_path):
    write_cases([head(1.0)], tmp_path / "cases.csv")
    header = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == list(COLUMNS)
    assert not read_cases(tmp_path / "cases.csv")[0].of_volume


def test_the_table_has_every_number_and_failures_count():
    found = values([*FOUND, LOST])
    assert found["FL, mean absolute difference (ADF)"] == (pytest.approx((1 + 2 + 40) / 3), "mm")
    assert found["volume, mean absolute difference (ADF)"] == (pytest.approx(2.1 / 3), "mL")
    assert found["volume, bias (DF)"] == (pytest.approx(-1.1 / 3), "mL")
    assert found["Dice (DSC)"] == (pytest.approx(60.0), "%")
    assert found["Jaccard index"] == (pytest.approx(160 / 3), "%")
    assert found["boundaries, average distance (Adb)"] == (pytest.approx(101 / 3), "mm")
    assert found["boundaries, Hausdorff distance (Hdb)"] == (pytest.approx(36.0), "mm")
    assert found["end 1, distance (p1)"] == (pytest.approx(104 / 3), "mm")
    assert found["end 2, distance (p2)"] == (pytest.approx(106 / 3), "mm")
    assert found["failed"] == (pytest.approx(100 / 3), "%")


def test_what_a_model_does_not_tell_has_no_line():
    masks, ends = values([solid(**NO_ENDS)]), values([solid(**NO_MASK)])
    assert not any("FL" in name or "end " in name for name in masks)
    assert not any("volume" in name or "DSC" in name for name in ends)


def test_the_table_of_phantoms_says_that_they_are_no_patients():
    text = as_markdown([*FOUND, LOST])
    assert PHANTOMS_ONLY in text
    assert "| 3 volumes of 3 phantoms | value |" in text
    assert "images" not in text
    others = as_markdown([solid(dataset="clinic")])
    assert PHANTOMS_ONLY not in others
    assert "1 volumes of 1 groups" in others


def test_a_score_that_a_case_does_not_have_is_none():
    assert all(of(head(1.0)) is None for of in VOLUME_SCORES.values())
    assert VOLUME_SCORES["volume ADF %"](FOUND[0]) == pytest.approx(25.0)


def test_paired_differences_of_volumes_are_the_other_minus_the_one():
    other = [solid(1, error_ml=0.3, dice=0.95, end_1_mm=1.0), solid(2, error_ml=-0.1, end_1_mm=1.0)]
    found = {d.name: d for d in compare_volumes(FOUND, other)}
    assert found["DSC, missing to 100 %"].percent.value == pytest.approx(-2.5)
    assert found["volume, absolute difference"].percent.value == pytest.approx(-5.0)
    assert found["end 1, distance (p1)"].mm.value == pytest.approx(-1.0)
    text = comparison_markdown(FOUND, other)
    assert PHANTOMS_ONLY in text
    assert "| end 1, distance (p1) | 2 | -1.00 (-1.00 to -1.00) |  | the other errs less |" in text
    assert "| end 2, distance (p2) | 2 | 0.00 (0.00 to 0.00) |  | a tie |" in text


def test_a_model_of_masks_alone_is_compared_by_its_masks_alone():
    masks = [solid(1, **NO_ENDS), solid(2, **NO_ENDS)]
    assert compare(FOUND, masks) == []
    names = [d.name for d in compare_volumes(FOUND, masks)]
    assert names[0] == "DSC, missing to 100 %"
    assert not any("end" in name for name in names)


def offsets(axes):
    drawn = [c for c in axes.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()).reshape(-1, 2) for c in drawn]).tolist()


def test_length_and_volume_stand_side_by_side_each_at_mean_and_difference():
    length, volume = plots.bland_altman_volumes(FOUND, "two phantoms").axes
    assert sorted(offsets(length)) == [[49.0, -2.0], [50.5, 1.0]]
    np.testing.assert_allclose(sorted(offsets(volume)), [[1.95, -0.1], [2.25, 0.5]])
    assert volume.get_ylabel() == "model minus truth, mL"
    # differences 0.5 and -0.1: bias 0.2, SD 0.424
    heights = sorted({round(float(line.get_ydata()[0]), 3) for line in volume.lines})
    assert heights == [-0.632, 0.0, 0.2, 1.032]


def test_a_volume_in_which_nothing_was_found_stands_at_the_rim_of_both():
    for axes, truth in zip(
        plots.bland_altman_volumes([*FOUND, LOST], "").axes, (40.0, 1.5), strict=True
    ):
        low = axes.get_ylim()[0]
        assert [truth, low] in offsets(axes)


def test_a_model_that_tells_one_of_the_two_has_one_picture_and_pictures_have_none():
    assert len(plots.bland_altman_volumes([solid(**NO_ENDS)], "").axes) == 1
    assert plots.bland_altman_volumes([head(1.0)], "") is None


def test_the_plots_of_volumes_are_written_beside_those_of_pictures(tmp_path):
    written = plots.write_plots([*FOUND, LOST], tmp_path)
    assert [p.name for p in written] == ["bland-altman-volumes.png", "error-by-size-volumes-FL.png"]
    picture = cv2.imread(str(written[0]))
    assert np.mean(picture == 255) > 0.3
    assert np.ptp(picture.astype(int), axis=2).max() > 80
