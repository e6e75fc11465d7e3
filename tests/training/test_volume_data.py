"""A table of volumes, and the cache of volumes at training scale."""

import dataclasses
import shutil

import numpy as np
import pytest

from fetometry.errors import DataError, OutputError, SpacingError
from fetometry.training import data
from fetometry.training.data import VOLUMES, VolumeRow, volume_cache
from fetometry.training.data.manifest import bucket, side_in_fold
from fetometry.training.data.volumes import COLUMNS, read_volumes, write_volumes
from tests.training import toy_volumes as toy

ENDS = ((10.0, 20.5, 30.25), (12.0, 60.5, 0.25))


def row(folder, name="001", **changes):
    said = {
        "dataset": "mine",
        "image": folder / f"{name}.nii.gz",
        "mask": folder / f"{name}.mask.nii.gz",
        "group": name,
        "spacing_mm": (0.8, 0.5, 0.25),
        "ends": ENDS,
    }
    return VolumeRow(**{**said, **changes})


def test_a_table_brings_back_what_was_written(tmp_path):
    elsewhere = tmp_path.parent / "elsewhere.nrrd"
    rows = [
        row(tmp_path),
        row(
            tmp_path,
            "002",
            volume_ml=4.125,
            machine="B",
            mask=elsewhere,
            spacing_mm=(3.0, 0.1, 1.0),
        ),
    ]
    write_volumes(rows, tmp_path / VOLUMES)
    assert read_volumes(tmp_path / VOLUMES) == rows
    assert data.load("mine", tmp_path) == rows


def test_a_table_moves_with_its_volumes(tmp_path):
    (tmp_path / "a").mkdir()
    write_volumes([row(tmp_path / "a")], tmp_path / "a" / VOLUMES)
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_volumes(tmp_path / "b" / VOLUMES)[0].image == tmp_path / "b" / "001.nii.gz"


def test_the_length_is_that_of_the_ends_in_mm(tmp_path):
    # 2 slices of 0.8, 40 rows of 0.5, 30 columns of 0.25 mm
    length = np.sqrt(1.6**2 + 20**2 + 7.5**2)
    assert row(tmp_path).truth_mm == {"FL": pytest.approx(length)}


def test_a_volume_is_on_the_side_of_its_group(tmp_path):
    found = [row(tmp_path, f"{i:03d}") for i in range(40)]
    for one in found:
        assert one.bucket == bucket("mine", one.group)
        assert one.split_in_fold(2, 5) == side_in_fold(one.bucket, 2, 5)
    assert {one.split for one in found} == {"train", "validation", "test"}
    assert {one.kind for one in found} == {"mine/femur"}


def rewritten(folder, column, value):
    """The table with another value in one column."""
    write_volumes([row(folder)], folder / VOLUMES)
    header, line = (folder / VOLUMES).read_text(encoding="utf-8").splitlines()
    cells = line.split(",")
    cells[COLUMNS.index(column)] = value
    (folder / VOLUMES).write_text("\n".join([header, ",".join(cells)]) + "\n", encoding="utf-8")
    return folder / VOLUMES


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bucket", "11", r"bucket 11 is not the rule's \d"),
        ("end_1_row", "", "could not convert"),
        ("end_2_col", "far", "could not convert string to float: 'far'"),
        ("mm_per_slice", "0", "voxels must measure"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_line(column, value, reason, tmp_path):
    with pytest.raises(DataError, match=rf"volumes\.csv, line 2: {reason}"):
        read_volumes(rewritten(tmp_path, column, value))


def test_a_table_without_buckets_is_split_by_the_rule(tmp_path):
    assert read_volumes(rewritten(tmp_path, "bucket", ""))[0].bucket == row(tmp_path).bucket


def test_missing_columns_are_named(tmp_path):
    path = rewritten(tmp_path, "machine", "A")
    text = path.read_text(encoding="utf-8").replace("mask,", "").replace("end_2_row", "row")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="columns are missing: end_2_row, mask"):
        read_volumes(path)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(SpacingError, match="voxels must measure"):
        row(tmp_path, spacing_mm=(0.8, 0.0, 0.5))
    with pytest.raises(OutputError, match="cannot be written"):
        write_volumes([row(tmp_path)], tmp_path / "gone" / VOLUMES)
    write_volumes([row(tmp_path)], tmp_path / VOLUMES)
    with pytest.raises(DataError, match="no volume of data set 'other'; it has: mine"):
        data.load("other", tmp_path)


@pytest.fixture
def rows(tmp_path):
    return toy.make(tmp_path / "volumes", train=2, validation=1)


@pytest.fixture
def built(monkeypatch):
    """How often a cache was built."""
    calls, build = [], volume_cache.build

    def counting(rows, voxel_mm):
        calls.append(len(rows))
        return build(rows, voxel_mm)

    monkeypatch.setattr(volume_cache, "build", counting)
    return calls


def same(one, other):
    names = [field.name for field in dataclasses.fields(one)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_cached_volumes_are_cubes_of_the_wanted_size(rows, tmp_path):
    cache = volume_cache.load(rows, toy.VOXEL_MM, tmp_path / "cache")
    assert cache.shapes.tolist() == [[20, 24, 24]] * 3
    for i, one in enumerate(rows):
        grey, mask = cache.volume(i)
        voxels, truth, _ = toy.drawn(one.group)
        # a cube of 2 mm is two rows by two columns of its slice
        blocks = voxels.reshape(20, 24, 2, 24, 2).mean(axis=(2, 4))
        assert np.abs(grey - blocks).max() <= 0.5
        filled = truth.reshape(20, 24, 2, 24, 2).mean(axis=(2, 4))
        assert mask[filled > 0.5].all()
        assert not mask[filled < 0.5].any()


def test_the_ends_lie_on_the_ends_of_the_mask(rows, tmp_path):
    cache = volume_cache.load(rows, toy.VOXEL_MM, tmp_path / "cache")
    for i in range(len(rows)):
        one, other = cache.ends[i]
        along = (other - one) / np.linalg.norm(other - one)
        reach = np.argwhere(cache.volume(i)[1]) @ along
        # the outer faces of the last voxels, which are half a voxel beyond their centres
        assert reach.min() - 0.5 == pytest.approx(one @ along, abs=0.75)
        assert reach.max() + 0.5 == pytest.approx(other @ along, abs=0.75)
        assert np.linalg.norm(other - one) * toy.VOXEL_MM == pytest.approx(rows[i].truth_mm["FL"])


def test_a_cache_is_built_once_and_again_for_other_voxels_or_rows(rows, tmp_path, built):
    folder = tmp_path / "cache"
    first = volume_cache.load(rows, 2.0, folder)
    assert same(volume_cache.load(rows, 2.0, folder), first)
    assert built == [3]
    volume_cache.load(rows, 2.5, folder)
    volume_cache.load(rows[:2], 2.0, folder)
    assert built == [3, 3, 2]
    assert not list(folder.glob("*.part*"))


def test_volumes_of_different_shapes_lie_in_one_cache(rows, tmp_path):
    one = rows[1]
    small = np.arange(960, dtype=np.uint16).reshape(8, 10, 12) % 251
    toy.write(one.image, small.astype(np.uint8), (1.0, 1.0, 1.0))
    toy.write(one.mask, (small > 99).astype(np.uint8), (1.0, 1.0, 1.0))
    rows[1] = dataclasses.replace(one, spacing_mm=(1.0, 1.0, 1.0))
    cache = volume_cache.load(rows, 1.0, tmp_path / "cache")
    assert [cache.volume(i)[0].shape for i in range(3)] == [(40, 48, 48), (8, 10, 12), (40, 48, 48)]
    assert np.array_equal(cache.volume(1)[0], small)
    assert np.array_equal(cache.volume(1)[1], small > 99)
    alone = volume_cache.load(rows[2:], 1.0, tmp_path / "cache")
    assert np.array_equal(cache.volume(2)[0], alone.volume(0)[0])


def test_a_cache_is_built_anew_when_a_volume_changes(rows, tmp_path, built):
    folder = tmp_path / "cache"
    volume_cache.load(rows, 2.0, folder)
    taller = np.tile(np.arange(48, dtype=np.uint8), (21, 48, 1))
    toy.write(rows[0].image, taller)
    toy.write(rows[0].mask, (taller > 21).astype(np.uint8))
    grey, mask = volume_cache.load(rows, 2.0, folder).volume(0)
    assert grey.shape == (21, 24, 24)
    assert np.array_equal(np.argwhere(mask.all(axis=(0, 1)))[:, 0], np.arange(11, 24))
    assert built == [3, 3]


def test_a_packed_cache_needs_no_volumes(rows, tmp_path, built):
    folder = tmp_path / "cache"
    before = volume_cache.load(rows, 2.0, folder)
    shutil.rmtree(rows[0].image.parent)
    assert same(volume_cache.load(rows, 2.0, folder), before)
    assert built == [3]


def test_ends_that_were_put_right_in_the_table_are_believed_at_once(rows, tmp_path, built):
    folder = tmp_path / "cache"
    volume_cache.load(rows, 2.0, folder)
    rows[0] = dataclasses.replace(rows[0], ends=((4.0, 9.5, 9.5), (15.0, 29.5, 9.5)))
    ends = volume_cache.load(rows, 2.0, folder).ends
    assert ends[0].tolist() == [[4.0, 4.5, 4.5], [15.0, 14.5, 4.5]]
    assert built == [3]


def one_voxel(shape):
    mask = np.zeros(shape, np.uint8)
    mask[4, 5, 6] = 1
    return mask


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (one_voxel((20, 48, 47)), r"its shape \(20, 48, 47\) is not the volume's"),
        (one_voxel(toy.SHAPE), "the mask is empty in voxels of 2 mm"),
    ],
    ids=["another shape", "too thin"],
)
def test_a_mask_that_does_not_fit_is_refused(mask, reason, rows, tmp_path):
    toy.write(rows[1].mask, mask)
    with pytest.raises(DataError, match=rf"\.mask\.mha: {reason}"):
        volume_cache.load(rows, 2.0, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npz"))
