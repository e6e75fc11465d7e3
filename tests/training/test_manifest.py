import csv
import dataclasses
from pathlib import Path

import pytest

from fetometry.errors import DataError, SpacingError
from fetometry.geometry import Ellipse, ellipse_circumference
from fetometry.training.data import MANIFEST, SPLITS, Row, load, read_manifest, write_manifest
from fetometry.training.data.manifest import COLUMNS, TEST_BUCKET, bucket
from fetometry.types import PLANE_CLASSES

HEAD = Ellipse((270.123456, 400.5), (200.25, 156.75), 33.333333)


def row(group="000", image=Path("000.png"), **changes):
    made = Row("hc18", image, group, "head", (0.1, 0.123456789012345), HEAD, 243.7)
    return dataclasses.replace(made, **changes)


def femur(**changes):
    # 3 rows of 0.4 mm, 4 columns of 0.3 mm, ten times
    known = {"ends": ((10.0, 50.0), (40.0, 90.0)), "spacing_mm": (0.4, 0.3)}
    return row(**{"plane": "femur", "ellipse": None, "reference_mm": None, **known, **changes})


GROUPS = [f"{i:03d}" for i in range(300)]


@pytest.mark.parametrize(
    ("dataset", "group", "expected", "split"),
    [
        # int(hashlib.sha256(b"hc18:000").hexdigest(), 16) % 10, and so on
        ("hc18", "000", 9, "train"),
        ("hc18", "001", 0, "test"),
        ("hc18", "392", 1, "validation"),
        ("hc18", "805", 5, "train"),
        ("fetal_planes", "12", 6, "train"),
    ],
)
def test_the_bucket_follows_from_the_two_names_alone(dataset, group, expected, split):
    assert bucket(dataset, group) == expected
    made = row(group, dataset=dataset)
    assert (made.bucket, made.split) == (expected, split)


def test_a_tenth_of_the_groups_is_test_a_tenth_validation_and_the_rest_train():
    sides = [row(group).split for group in GROUPS]
    assert set(sides) == set(SPLITS)
    for side, expected in (("test", 0.1), ("validation", 0.1), ("train", 0.8)):
        assert sides.count(side) / len(GROUPS) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("folds", [2, 5, 9])
def test_the_folds_part_the_groups_outside_the_test_bucket_and_never_touch_it(folds):
    rows = [row(group) for group in GROUPS]
    validated = []
    for fold in range(folds):
        sides = {r.group: r.split_in_fold(fold, folds) for r in rows}
        assert {g for g, side in sides.items() if side == "test"} == {
            r.group for r in rows if r.bucket == TEST_BUCKET
        }
        chosen = [g for g, side in sides.items() if side == "validation"]
        assert chosen
        validated += chosen
    assert sorted(validated) == sorted(r.group for r in rows if r.bucket != TEST_BUCKET)


def test_images_of_one_group_are_on_one_side_in_every_fold():
    first, second = row("117", Path("117_HC.png")), row("117", Path("117_2HC.png"))
    assert first.split == second.split
    for fold in range(5):
        assert first.split_in_fold(fold, 5) == second.split_in_fold(fold, 5)


def test_a_row_without_a_believable_spacing_is_refused():
    with pytest.raises(SpacingError, match=r"0\.01 to 1"):
        row(spacing_mm=(0.1, 0.0))


def test_a_plane_that_there_is_not_is_refused_with_the_ones_that_there_are():
    with pytest.raises(DataError, match="plane must be head, abdomen, femur, none, got 'foot'"):
        row(plane="foot")


def test_a_head_s_truth_is_that_of_its_ellipse_in_mm():
    found = row(ellipse=Ellipse((50, 60), (40, 30), 0), spacing_mm=(0.5, 0.25)).truth_mm
    # across, 40 columns of 0.25 mm; down, 30 rows of 0.5 mm: down is the longer
    assert found == pytest.approx(
        {"HC": ellipse_circumference(15, 10), "BPD": 20.0, "OFD": 30.0}, abs=1e-9
    )


def test_a_femur_s_length_is_measured_in_mm_row_and_column_apart():
    assert femur().truth_mm == {"FL": pytest.approx((12**2 + 12**2) ** 0.5)}


@pytest.mark.parametrize(
    ("ends", "tad", "apad"),
    [
        (((50.0, 20.0), (50.0, 100.0)), 80.0, 60.0),  # along the long axis
        (((20.0, 60.0), (80.0, 60.0)), 60.0, 80.0),  # along the short one
        (((48.0, 20.2), (51.0, 100.1)), 79.956, 60.0),  # as experts' landmarks are
    ],
)
def test_of_an_abdomen_s_axes_the_transverse_one_is_that_of_the_landmarks(ends, tad, apad):
    found = row(
        plane="abdomen", ellipse=Ellipse((50, 60), (40, 30), 0), ends=ends, spacing_mm=(1.0, 1.0)
    ).truth_mm
    assert found == pytest.approx(
        {"AC": ellipse_circumference(40, 30), "TAD": tad, "APAD": apad}, abs=1e-3
    )


def test_an_abdomen_without_landmarks_has_a_circumference_alone():
    assert set(row(plane="abdomen").truth_mm) == {"AC"}


@pytest.mark.parametrize(
    "made",
    [
        row(spacing_mm=None),
        row(ellipse=None),
        row(plane="none", ellipse=None, spacing_mm=None),
        femur(ends=None),
        femur(spacing_mm=None),
    ],
    ids=["no spacing", "no ellipse", "none", "no ends", "no ends' spacing"],
)
def test_what_is_not_known_is_no_truth(made):
    assert made.truth_mm == {}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (row(), "hc18/head"),
        (row(ellipse=None), "hc18/head/plane-only"),
        (femur(dataset="fetal_planes"), "fetal_planes/femur"),
        (femur(ends=None), "hc18/femur/plane-only"),
        (row(plane="none", ellipse=None), "hc18/none"),
    ],
)
def test_the_kind_of_a_row_says_data_set_plane_and_how_much_is_known(made, kind):
    assert made.kind == kind


def test_a_brain_through_the_cerebellum_is_a_class_of_its_own():
    views = ("", "trans-thalamic", "trans-ventricular", "trans-cerebellar")
    found = [row(view=view).plane_class for view in views]
    assert found == ["head", "head", "head", "head:trans-cerebellar"]
    assert {*found, femur().plane_class, row(plane="none").plane_class} <= set(PLANE_CLASSES)


def test_a_manifest_of_every_plane_reads_back_as_it_was_written(tmp_path):
    known = {"view": "trans-thalamic", "machine": "Aloka"}
    rows = [
        row("000", tmp_path / "a.png", reference_mm=None, ellipse=Ellipse((9, 8), (7, 6), 5)),
        row("001", tmp_path / "b.png", plane="none", ellipse=None, spacing_mm=None, machine="E6"),
        row("002", tmp_path / "c.png", ellipse=None, spacing_mm=None, reference_mm=None, **known),
        femur(group="003", image=tmp_path / "d.png"),
        femur(image=tmp_path / "e.png", plane="abdomen", ellipse=Ellipse((9, 8), (7, 6), 5)),
    ]
    write_manifest(rows, tmp_path / MANIFEST)
    assert read_manifest(tmp_path / MANIFEST) == rows


def test_a_manifest_reads_back_as_it_was_written(tmp_path):
    rows = [row("000", tmp_path / "a" / "000.png"), row("001", tmp_path / "001_HC.webp")]
    write_manifest(rows, tmp_path / MANIFEST)
    found = read_manifest(tmp_path / MANIFEST)
    assert [dataclasses.replace(r, ellipse=HEAD) for r in found] == rows
    for r in found:
        assert r.ellipse.center == pytest.approx(HEAD.center, abs=1e-6)
        assert r.ellipse.semi_axes == pytest.approx(HEAD.semi_axes, abs=1e-6)
        assert r.ellipse.angle_deg == pytest.approx(HEAD.angle_deg, abs=1e-6)


def test_an_angle_that_is_rounded_up_to_180_degrees_reads_back(tmp_path):
    nearly = Ellipse((10, 10), (5, 4), 179.99999999)
    write_manifest([row(image=tmp_path / "a.png", ellipse=nearly)], tmp_path / MANIFEST)
    (found,) = read_manifest(tmp_path / MANIFEST)
    assert found.ellipse.angle_deg == 0


def test_images_beside_the_manifest_are_named_relative_to_it_and_others_wholly(tmp_path):
    folder, elsewhere = tmp_path / "set", tmp_path / "elsewhere" / "b.png"
    folder.mkdir()
    write_manifest([row(image=folder / "a.png"), row(image=elsewhere)], folder / MANIFEST)
    with (folder / MANIFEST).open(newline="") as stream:
        assert [r["image"] for r in csv.DictReader(stream)] == ["a.png", elsewhere.as_posix()]
    moved = tmp_path / "moved"
    folder.rename(moved)
    assert [r.image for r in read_manifest(moved / MANIFEST)] == [moved / "a.png", elsewhere]


def spoiled(tmp_path, **changes):
    """Write a manifest of one row, and change its text."""
    path = tmp_path / MANIFEST
    write_manifest([row(image=tmp_path / "a.png")], path)
    header, values = (line.split(",") for line in path.read_text().splitlines())
    record = {**dict(zip(header, values, strict=True)), **changes}
    kept = {name: value for name, value in record.items() if value is not None}
    path.write_text(",".join(kept) + "\n" + ",".join(kept.values()) + "\n")
    return path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bucket": "3"}, "line 2: bucket 3 is not the rule's 9"),
        ({"semi_a": "wide"}, "line 2: could not convert"),
        ({"reference_mm": "about 200"}, "line 2: could not convert"),
        ({"semi_a": ""}, "line 2: could not convert"),
        ({"end_1_row": "5"}, "line 2: could not convert"),
        ({"mm_per_px_col": ""}, "line 2: could not convert"),
        ({"plane": "foot"}, "line 2: plane must be head, abdomen"),
        ({"mm_per_px_row": "nan"}, "line 2: spacing must be"),
        ({"mm_per_px_col": "-0.1"}, "line 2: spacing must be"),
        ({"semi_b": "999"}, "line 2: not an ellipse"),
        ({"bucket": None, "group": None}, "columns are missing: bucket, group"),
    ],
)
def test_a_spoiled_manifest_is_refused_with_its_line(tmp_path, changes, reason):
    path = spoiled(tmp_path, **changes)
    with pytest.raises(DataError, match=reason) as refused:
        read_manifest(path)
    assert str(refused.value).startswith(str(path))


def test_a_row_that_ends_early_is_refused(tmp_path):
    path = spoiled(tmp_path)
    after_spacing = len(COLUMNS) - COLUMNS.index("semi_a")
    path.write_text(path.read_text().rsplit(",", after_spacing)[0] + "\n")
    with pytest.raises(DataError, match="line 2: could not convert"):
        read_manifest(path)


def test_a_manifest_that_a_spreadsheet_saved_with_a_byte_order_mark_is_read(tmp_path):
    path = spoiled(tmp_path)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert len(read_manifest(path)) == 1


def test_any_folder_with_a_manifest_is_a_data_set(tmp_path):
    own, other = (row(image=tmp_path / "a.png", dataset=name) for name in ("own", "other"))
    write_manifest([own, other], tmp_path / MANIFEST)
    (found,) = load("own", tmp_path)
    assert found.dataset == "own"
    for name in ("third", "own+third"):
        with pytest.raises(DataError, match="holds no row of data set 'third'"):
            load(name, tmp_path)


def test_data_sets_joined_with_a_plus_come_from_one_manifest_or_from_their_folders(tmp_path):
    own, other = (row(image=tmp_path / f"{n}.png", dataset=n) for n in ("own", "other"))
    write_manifest([own, other, own], tmp_path / MANIFEST)
    assert [r.dataset for r in load("own+other", tmp_path)] == ["own", "other", "own"]
    (tmp_path / MANIFEST).unlink()
    write_manifest([own, other], tmp_path / "own" / MANIFEST)
    write_manifest([other], tmp_path / "other" / MANIFEST)
    assert [r.dataset for r in load("other+own", tmp_path)] == ["other", "own"]
    with pytest.raises(DataError, match=r"third: there is no such folder"):
        load("own+third", tmp_path)


def test_a_manifest_of_a_data_set_s_own_is_not_taken_for_a_prepared_one(tmp_path):
    (tmp_path / MANIFEST).write_text("image,plane,patient\n")
    with pytest.raises(DataError, match="unknown data set 'own'"):
        load("own", tmp_path)


def test_an_unknown_data_set_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="unknown data set 'hc19'; known: hc18"):
        load("hc19", tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load("hc18", tmp_path / "nowhere")
