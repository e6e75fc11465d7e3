"""`export-data` and `evaluate --predictions` on the command line."""

import cv2
import numpy as np
import pytest

from fetometry.training.cases import read_cases
from fetometry.training.exchange.nnunet import case_name
from tests.conftest import files_in
from tests.training import toy


@pytest.fixture
def rows(tmp_path):
    return toy.make(tmp_path / "data", train=4, validation=2, test=3)


@pytest.fixture
def data(rows, tmp_path):
    return tmp_path / "data"


@pytest.fixture
def exported(data, run, tmp_path):
    code, printed = run("export-data", toy.NAME, "--data", data, "--out", tmp_path / "raw")
    assert code == 0, printed
    return tmp_path / "raw" / "Dataset501_Toy"


ASKED = ("evaluate", "--dataset", toy.NAME)


def test_a_data_set_is_exported_and_the_way_back_is_told(data, run, tmp_path):
    code, printed = run("export-data", toy.NAME, "--data", data, "--out", tmp_path / "raw")
    assert code == 0
    assert "Dataset501_Toy: 6 cases for training, 3 for testing" in printed
    assert "copy splits_final.json to nnUNet_preprocessed/Dataset501_Toy" in printed
    assert "fetometry evaluate --predictions" in printed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--format", "coco"), "--format must be nnunet, got coco"),
        (("--folds", 1), "--folds must be 2 to 9, got 1"),
        (("--number", 0), "--number must be 1 to 999, got 0"),
    ],
)
def test_an_export_that_cannot_be_is_a_usage_error(options, reason, data, run, tmp_path):
    out = tmp_path / "raw"
    code, printed = run("export-data", toy.NAME, "--data", data, "--out", out, *options)
    assert (code, printed.count("\n")) == (2, 1)
    assert reason in printed
    assert not out.exists()


def test_the_labels_of_an_export_are_perfect_predictions(exported, data, run, tmp_path):
    out = tmp_path / "results.csv"
    theirs = exported / "labelsTs"
    code, printed = run(*ASKED, "--predictions", theirs, "--data", data, "--out", out)
    assert code == 0
    assert "3 images of 3" in printed
    cases = read_cases(out)
    assert {(case.split, case.failure) for case in cases} == {("test", "")}
    assert all(abs(case.sizes["HC"].difference_percent) < 0.5 for case in cases)
    assert all(case.dice > 0.99 for case in cases)


def test_predictions_of_a_fold_are_judged_on_the_images_of_that_fold(rows, exported, data, run):
    first = next(row for row in rows if row.split == "train")
    fold = next(k for k in range(5) if first.split_in_fold(k, 5) == "validation")
    count = sum(row.split_in_fold(fold, 5) == "validation" for row in rows)
    theirs = ("--predictions", exported / "labelsTr", "--split", "validation")
    code, printed = run(*ASKED, *theirs, "--data", data, "--fold", fold)
    assert code == 0
    assert f"{count} images of {count}" in printed


def test_a_missing_prediction_is_told_and_counts_as_a_failure(rows, exported, data, run, tmp_path):
    gone = next(row for row in rows if row.split == "test")
    (exported / "labelsTs" / f"{case_name(gone)}.png").unlink()
    out = tmp_path / "results.csv"
    theirs = exported / "labelsTs"
    code, printed = run(*ASKED, "--predictions", theirs, "--data", data, "--out", out)
    assert code == 0
    assert "1 of 3 images have no prediction: each counts as a failure" in printed
    (failed,) = (case for case in read_cases(out) if case.failure)
    assert failed.image == gone.image.name
    assert failed.sizes["HC"].difference_mm == pytest.approx(-gone.truth_mm["HC"], abs=1e-3)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "give a MODEL or --predictions DIR, one of the two"),
        (("bright", "--predictions", "."), "give a MODEL or --predictions DIR, one of the two"),
        (("bright", "--fold", 1), "--fold and --folds are of --predictions"),
        (("--predictions", ".", "--flip-average"), "--flip-average is of a model"),
        (("--predictions", ".", "--folds", 3), "--folds needs --fold"),
        (("--predictions", ".", "--fold", 7), "got fold 7 of 5"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(words, reason, bright, data, run):
    code, printed = run(*ASKED, "--data", data, *words)
    assert (code, printed.count("\n")) == (2, 1)
    assert reason in printed


def test_a_mask_of_another_size_is_refused_in_one_line(rows, data, run, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for row in rows:
        assert cv2.imwrite(str(theirs / row.image.name), np.zeros((8, 8), np.uint8))
    code, printed = run(*ASKED, "--predictions", theirs, "--data", data)
    assert (code, printed.count("\n")) == (1, 1)
    assert "the mask is 8 x 8 pixels" in printed


def test_a_folder_without_an_answer_is_refused(data, run, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    code, printed = run(*ASKED, "--predictions", theirs, "--data", data)
    assert (code, printed.count("\n")) == (1, 1)
    assert "holds no answer for any of the images" in printed
    assert files_in(theirs) == set()
