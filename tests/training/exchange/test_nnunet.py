"""The raw layout of nnU-Net v2: names, labels, folds and the way back."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.geometry import Ellipse
from fetometry.training.data import Row
from fetometry.training.exchange import masks, nnunet
from tests.conftest import files_in
from tests.support import needs_data
from tests.training import toy
from tests.training.exchange.real import some_of_hc18


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return toy.make_exams(tmp_path_factory.mktemp("exams"), train=12, validation=2, test=2)


@pytest.fixture(scope="module")
def exported(rows, tmp_path_factory):
    return nnunet.export(rows, tmp_path_factory.mktemp("raw"), folds=3, number=517)


def read_json(exported, name):
    return json.loads((exported.folder / name).read_text())


def pictures(exported, part):
    return {path.name for path in (exported.folder / part).iterdir()}


def cases(rows, *sides):
    return {nnunet.case_name(row) for row in rows if row.split in sides and row.plane != "none"}


def test_images_and_labels_lie_where_nnunet_looks_for_them(rows, exported):
    assert exported.folder.name == "Dataset517_Toy"
    ours, tests = cases(rows, "train", "validation"), cases(rows, "test")
    assert (len(ours), len(tests)) == (3 * 14, 3 * 2)
    assert (exported.training, exported.testing) == (len(ours), len(tests))
    assert pictures(exported, "imagesTr") == {f"{name}_0000.png" for name in ours}
    assert pictures(exported, "labelsTr") == {f"{name}.png" for name in ours}
    assert pictures(exported, "imagesTs") == {f"{name}_0000.png" for name in tests}
    assert pictures(exported, "labelsTs") == {f"{name}.png" for name in tests}


def test_an_image_of_which_only_the_plane_is_known_is_left_out(rows, exported):
    assert any(row.plane == "none" for row in rows)
    assert not any("none" in name for name in files_in(exported.folder))


def test_dataset_json_says_what_version_2_asks_for(exported):
    said = read_json(exported, "dataset.json")
    assert said["channel_names"] == {"0": "ultrasound"}
    assert said["labels"] == {"background": 0, "head": 1, "abdomen": 2, "femur": 3}
    assert said["numTraining"] == exported.training
    assert said["file_ending"] == ".png"
    assert said["overwrite_image_reader_writer"] == "NaturalImage2DIO"


@pytest.mark.parametrize(
    ("planes", "last"), [(("head",), "head"), (("head", "abdomen"), "abdomen"), (("femur",), None)]
)
def test_labels_are_consecutive_and_keep_their_numbers(rows, planes, last):
    labels = nnunet.dataset_facts([r for r in rows if r.plane in planes], "x")["labels"]
    assert list(labels.values()) == list(range(len(labels)))
    assert list(labels)[-1] == (last or "femur")
    assert all(labels[plane] == masks.LABELS[plane] for plane in planes)


def test_the_folds_are_ours_and_no_test_case_is_in_them(rows, exported):
    splits = read_json(exported, "splits_final.json")
    of = {nnunet.case_name(row): row for row in rows}
    assert len(splits) == 3
    for fold, sides in enumerate(splits):
        assert {of[n].split_in_fold(fold, 3) for n in sides["train"]} == {"train"}
        assert {of[n].split_in_fold(fold, 3) for n in sides["val"]} == {"validation"}
        assert set(sides["train"]) | set(sides["val"]) == cases(rows, "train", "validation")
        groups = [{of[name].group for name in sides[side]} for side in ("train", "val")]
        assert not groups[0] & groups[1]
    validated = [name for sides in splits for name in sides["val"]]
    assert sorted(validated) == sorted(cases(rows, "train", "validation"))


def test_a_case_leads_back_to_its_image_and_its_millimetres(rows, exported):
    told = read_json(exported, "cases.json")
    assert "no spacing" in told["note"]
    assert set(told["cases"]) == cases(rows, "train", "validation", "test")
    row = next(row for row in rows if row.plane == "femur")
    case = told["cases"][nnunet.case_name(row)]
    assert (case["dataset"], case["image"], case["group"]) == (toy.NAME, row.image.name, row.group)
    assert tuple(case["mm_per_px"]) == toy.SPACING_MM
    assert case["truth_mm"]["FL"] == pytest.approx(row.truth_mm["FL"])


def test_pixels_are_those_of_the_image_and_labels_those_of_its_plane(rows, exported):
    for plane, number in (("head", 1), ("abdomen", 2), ("femur", 3)):
        row = next(r for r in rows if r.plane == plane and r.split == "train")
        name = nnunet.case_name(row)
        image = cv2.imread(str(exported.folder / "imagesTr" / f"{name}_0000.png"), -1)
        label = cv2.imread(str(exported.folder / "labelsTr" / f"{name}.png"), -1)
        np.testing.assert_array_equal(image, cv2.imread(str(row.image), cv2.IMREAD_GRAYSCALE))
        assert set(np.unique(label)) == {0, number}
        if row.ellipse is not None:
            np.testing.assert_array_equal(label > 0, row.ellipse.mask(toy.SHAPE))


def test_a_femur_is_a_bar_of_its_length_and_a_share_of_it_wide():
    ends = ((100.0, 50.0), (100.0, 250.0))
    inside = masks.bar(ends, (200, 300))
    cols = np.nonzero(inside)[1]
    assert (cols.min(), cols.max()) == (50, 250)
    assert np.count_nonzero(inside[:, 150]) == pytest.approx(masks.BAR_WIDTH * 200, abs=1)
    short = masks.bar(((20.0, 20.0), (20.0, 40.0)), (40, 60))
    assert np.count_nonzero(short[:, 30]) == masks.BAR_LEAST_PX


@pytest.mark.train
def test_the_bar_is_as_wide_as_the_one_that_our_own_networks_are_taught():
    heads = pytest.importorskip("fetometry.training.heads", reason="needs the train extra")
    taught = heads.HEADS["shaft"]()
    assert (taught.width, taught.least_px) == (masks.BAR_WIDTH, masks.BAR_LEAST_PX)


def test_two_images_of_one_name_are_refused(rows, tmp_path):
    row = next(row for row in rows if row.plane == "head")
    twin = dataclasses.replace(row, image=row.image.with_suffix(".bmp"))
    with pytest.raises(DataError, match="would be one case"):
        nnunet.export([row, twin], tmp_path)
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize(("option", "value"), [("folds", 1), ("folds", 10), ("number", 1000)])
def test_folds_and_numbers_out_of_range_are_refused(option, value, rows, tmp_path):
    with pytest.raises(UsageError, match=f"--{option} must be"):
        nnunet.export(rows, tmp_path, **{option: value})


def test_a_data_set_that_is_there_is_never_mixed_with_another(rows, exported):
    with pytest.raises(OutputError, match="is there already"):
        nnunet.export(rows, exported.folder.parent, number=517)


def test_nothing_but_test_images_is_nothing_to_train_on(rows, tmp_path):
    with pytest.raises(DataError, match="outside the test side"):
        nnunet.export([row for row in rows if row.split == "test"], tmp_path)


def test_names_of_two_data_sets_stay_apart(tmp_path):
    ellipse = Ellipse((30.0, 40.0), (20.0, 15.0), 0.0)
    one, other = (
        Row(name, tmp_path / "1.png", "g", "head", (0.3, 0.3), ellipse) for name in ("one", "two")
    )
    assert nnunet.case_name(one) == "one__1"
    assert nnunet.case_name(other) == "two__1"


@needs_data
def test_the_labels_of_real_exams_are_filled_ellipses_of_the_images_size(tmp_path):
    rows = some_of_hc18(tmp_path / "hc18", train=1, test=2)
    done = nnunet.export(rows, tmp_path)
    assert (done.training, done.testing) == (1, 2)
    for path in (done.folder / "labelsTs").iterdir():
        image = cv2.imread(str(done.folder / "imagesTs" / f"{path.stem}_0000.png"), -1)
        label = cv2.imread(str(path), -1)
        assert label.shape == image.shape
        row = next(row for row in rows if nnunet.case_name(row) == path.stem)
        assert np.count_nonzero(label) == pytest.approx(row.ellipse.area, rel=0.005)
