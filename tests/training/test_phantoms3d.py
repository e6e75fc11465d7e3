import json

import numpy as np
import pytest

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.image import read_volume
from fetometry.phantom import FemurVolumePhantom
from fetometry.phantom.femur3d.spec import GA_RANGE_DAYS
from fetometry.training import data
from fetometry.training.data import VOLUMES, phantoms3d
from fetometry.training.data.manifest import bucket
from fetometry.training.data.phantoms3d import Series
from fetometry.volume import Volume


@pytest.fixture
def drawn(monkeypatch):
    """The specs that were drawn; what they show is a few voxels, for speed."""
    pytest.importorskip("SimpleITK", reason="needs the volume extra")
    specs = []

    def quick(spec):
        specs.append(spec)
        shaft = spec.shaft
        voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        return FemurVolumePhantom(
            Volume(voxels, "small", (spec.voxel_mm,) * 3),
            voxels > 11,
            shaft.ends_mm / spec.voxel_mm,
            shaft.length_mm,
            shaft.volume_ml,
            spec,
        )

    monkeypatch.setattr(phantoms3d, "femur3d", quick)
    return specs


def test_volumes_fill_every_side_and_every_fold():
    names = Series(12).groups
    assert len(set(names)) == 12
    buckets = [bucket(phantoms3d.NAME, name) for name in names]
    assert buckets == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_a_longer_series_begins_with_the_shorter_one():
    short, long = Series(4, seed=2), Series(9, seed=2)
    assert long.groups[:4] == short.groups
    assert [long.spec(i) for i in range(4)] == [short.spec(i) for i in range(4)]


def test_the_same_seed_and_number_show_the_same_and_any_other_something_else():
    one, same, other = Series(5, seed=3), Series(5, seed=3), Series(5, seed=4)
    assert one.spec(2) == same.spec(2)
    assert len({spec.seed for spec in (one.spec(2), one.spec(3), other.spec(2))}) == 3
    assert len({one.spec(i).length_mm for i in range(5)}) == 5


def test_the_volumes_show_every_age_at_the_difficulty_and_the_size_that_was_asked_for():
    series = Series(150, difficulty=0.25, size="full")
    specs = [series.spec(i) for i in range(150)]
    ages = [spec.ga_days for spec in specs]
    low, high = GA_RANGE_DAYS
    assert low <= min(ages) < low + 5
    assert high - 5 < max(ages) <= high
    assert {(spec.difficulty, spec.shape, spec.voxel_mm) for spec in specs} == {
        (0.25, (284, 416, 416), 0.38)
    }


def test_a_series_is_written_with_its_truth_and_read_back(drawn, tmp_path):
    series = Series(3, seed=7)
    rows = phantoms3d.write(tmp_path / "new" / "volumes", series)
    folder = tmp_path / "new" / "volumes"
    assert drawn == [series.spec(i) for i in range(3)]
    assert [row.group for row in rows] == series.groups
    assert {row.split for row in rows} == {"train", "validation", "test"}
    read_back = data.load("phantom3d", folder)
    assert [row.image for row in read_back] == [row.image for row in rows]
    for row, spec in zip(read_back, drawn, strict=True):
        assert row.truth_mm["FL"] == pytest.approx(spec.length_mm, abs=1e-3)
        assert row.volume_ml == pytest.approx(spec.shaft.volume_ml, abs=1e-4)
        assert row.spacing_mm == (0.8, 0.8, 0.8)
        assert np.array(row.ends) == pytest.approx(spec.shaft.ends_mm / 0.8, abs=1e-3)
        assert read_volume(row.image).shape == read_volume(row.mask).shape == (2, 3, 4)
    names = {path.name for path in folder.iterdir()}
    endings = ("nii.gz", "mask.nii.gz", "truth.json")
    assert names == {VOLUMES, *(f"{row.group}.{end}" for row in rows for end in endings)}


def test_a_series_that_was_broken_off_goes_on_where_it_stopped(drawn, tmp_path):
    series = Series(3)
    phantoms3d.draw(tmp_path, series, [0, 2])
    assert not (tmp_path / VOLUMES).exists()
    first = tmp_path / f"{series.groups[0]}.nii.gz"
    before = first.read_bytes(), first.stat().st_mtime_ns
    phantoms3d.write(tmp_path, series)
    assert drawn == [series.spec(i) for i in (0, 2, 1)]
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before
    phantoms3d.write(tmp_path, series)
    assert len(drawn) == 3


def test_a_volume_that_was_broken_off_before_its_truth_is_drawn_again(drawn, tmp_path):
    row = phantoms3d.write(tmp_path, Series(3))[1]
    (tmp_path / f"{row.group}.truth.json").unlink()
    phantoms3d.write(tmp_path, Series(3))
    assert drawn[3:] == [Series(3).spec(1)]


@pytest.mark.parametrize("changes", [{"seed": 1}, {"difficulty": 0.5}, {"size": "full"}])
def test_volumes_of_another_series_are_not_mixed_in(changes, drawn, tmp_path):
    phantoms3d.write(tmp_path, Series(3))
    table = (tmp_path / VOLUMES).read_bytes()
    with pytest.raises(OutputError, match="of a series of another seed, difficulty or size"):
        phantoms3d.write(tmp_path, Series(4, **changes))
    assert (tmp_path / VOLUMES).read_bytes() == table
    assert len(drawn) == 3


def test_the_truth_of_the_table_is_that_of_the_file_beside_the_volume(drawn, tmp_path):
    row = phantoms3d.write(tmp_path, Series(3))[0]
    truth = json.loads((tmp_path / f"{row.group}.truth.json").read_text(encoding="utf-8"))
    assert [list(end) for end in row.ends] == truth["ends_voxels"]
    assert row.volume_ml == truth["volume_ml"]


def test_what_cannot_be_drawn_is_refused(drawn, tmp_path):
    with pytest.raises(UsageError, match="volumes must be 3 or more, got 2"):
        Series(2)
    with pytest.raises(UsageError, match=r"--size is .*small.*, got 'huge'"):
        Series(3, size="huge")
    with pytest.raises(UsageError, match="the seed must be 0 or more, got -1"):
        Series(3, seed=-1)
    with pytest.raises(UsageError, match="difficulty must be 0 to 1"):
        Series(3, difficulty=2.0)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        phantoms3d.write(tmp_path / "file" / "inside", Series(3))
    with pytest.raises(DataError, match="unknown data set 'phantom3d'"):
        data.load("phantom3d", tmp_path)
    assert not drawn
