import csv
import dataclasses
from pathlib import Path

import pytest

from fetometry.errors import DataError, SpacingError
from fetometry.geometry import Ellipse
from fetometry.training.data import MANIFEST, SPLITS, Row, load, read_manifest, write_manifest
from fetometry.training.data.manifest import TEST_BUCKET, bucket

HEAD = Ellipse((270.123456, 400.5), (200.25, 156.75), 33.333333)


def row(group="000", image=Path("000.png"), **changes):
    made = Row("hc18", image, group, "head", (0.1, 0.123456789012345), HEAD, 243.7)
    return dataclasses.replace(made, **changes)


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
        ({"reference_mm": ""}, "line 2: could not convert"),
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
    path.write_text(path.read_text().rsplit(",", 3)[0] + "\n")
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
    with pytest.raises(DataError, match="holds no row of data set 'third'"):
        load("third", tmp_path)


def test_an_unknown_data_set_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="unknown data set 'hc19'; known: hc18"):
        load("hc19", tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load("hc18", tmp_path / "nowhere")
