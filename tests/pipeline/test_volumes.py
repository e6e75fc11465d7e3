"""Volumes among pictures: dispatched, measured by themselves, and drawn."""

import gc
import json
import weakref

import cv2
import numpy as np
import pytest

import fetometry
from fetometry import image as reading
from fetometry import predict, report
from fetometry.errors import ModelError, UsageError
from fetometry.image import volume as volume_reading
from fetometry.pipeline import Settings, measure_files, measure_into, volumes
from fetometry.types import Spacing
from tests.conftest import files_in, painted, save, table
from tests.pipeline.volume_model import (
    LENGTH_MM,
    NOTICE,
    SPACING,
    install,
    save_volume,
    voxels,
)

MM = Spacing((0.3, 0.3), "given")
ALL = ("overlay", "picture", "json", "csv", "summary")


@pytest.fixture
def bone(monkeypatch):
    return install(monkeypatch)


@pytest.fixture
def no_pictures(monkeypatch):
    """A model of pictures that must not be opened."""

    def load(model, **more):
        raise ModelError(f"{model}: is broken")

    monkeypatch.setattr(predict, "load", load)


def test_a_volume_is_measured_and_is_not_among_the_values_that_count(bone, no_pictures, tmp_path):
    path = save_volume(tmp_path / "leg.nii.gz")
    exam = fetometry.measure(path)
    (found,) = exam.volumes
    assert found.length_mm == pytest.approx(LENGTH_MM)
    assert found.volume_ml == pytest.approx(4 * 6 * 41 * 1.0 * 0.8 * 0.6 / 1000)
    assert (found.source, found.notice, found.flags) == (str(path), NOTICE, ("phantom-trained",))
    assert found.spacing_mm == pytest.approx(SPACING)
    assert (exam.findings, exam.selected, exam.problems) == ((), (), ())
    assert exam.software == f"fetometry {fetometry.__version__} (bone 1.0 cpu)"
    assert bone[1] == [predict.default_volume_model()]


def test_pictures_and_volumes_of_one_folder_are_measured_together(bright, bone, tmp_path):
    save(tmp_path / "in" / "a.png")
    save_volume(tmp_path / "in" / "b.mha")
    save(tmp_path / "in" / "c.png")
    exam = fetometry.measure(tmp_path / "in", spacing_mm=0.3)
    assert [finding.source[-5:] for finding in exam.findings] == ["a.png", "c.png"]
    assert [found.source[-5:] for found in exam.volumes] == ["b.mha"]
    assert {entry.name for entry in exam.selected} == {"HC", "BPD", "OFD"}
    assert exam.software.endswith("(bright 1.0 cpu, bone 1.0 cpu)")


def test_a_mask_is_not_taken_for_ultrasound(bone, tmp_path):
    painted_in = np.where(voxels() > 0, np.uint8(1), np.uint8(0))
    path = save_volume(tmp_path / "leg_seg.nii.gz", painted_in)
    exam = fetometry.measure(path)
    assert exam.volumes == ()
    assert "this is a mask, not ultrasound" in exam.problems[0].reason


def test_one_bad_volume_stops_neither_the_others_nor_the_pictures(bright, bone, tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.nii").write_bytes(b"not a volume")
    save_volume(tmp_path / "c.mha", voxels() // 2)  # nothing bright
    save_volume(tmp_path / "d.nii.gz")
    exam = fetometry.measure(tmp_path, spacing_mm=0.3)
    assert (len(exam.findings), len(exam.volumes)) == (1, 1)
    assert [(p.source[-5:], p.kind, p.frame) for p in exam.problems] == [
        ("b.nii", "refused", None),
        ("c.mha", "refused", None),
    ]
    assert "no femur was found" in exam.problems[1].reason


def test_a_volume_without_millimetres_is_refused_before_a_model_sees_it(bone, bright, tmp_path):
    path = save_volume(tmp_path / "leg.nii")
    content = bytearray(path.read_bytes())
    content[123] = 0  # the unit of length: not known
    path.write_bytes(content)
    for settings in (Settings(), Settings(spacing=MM)):
        (result,) = measure_files([path], settings)
        (problem,) = result.problems
        assert "no millimetres" in problem.reason
        assert "--mm-per-px and --spacing are for pictures" in problem.reason
    assert bone == (bone[0], [])
    assert bone[0].seen == []


def test_without_simpleitk_there_is_one_problem_and_the_rest_is_measured(
    bright, bone, tmp_path, monkeypatch
):
    save_volume(tmp_path / "a.nii")
    save(tmp_path / "b.png")

    def missing():
        raise UsageError("volumes need SimpleITK: pip install 'fetometry[volume]'")

    monkeypatch.setattr(volume_reading, "_simpleitk", missing)
    exam = fetometry.measure(tmp_path, spacing_mm=0.3)
    (problem,) = exam.problems
    assert "pip install 'fetometry[volume]'" in problem.reason
    assert len(exam.findings) == 1


def test_a_plane_that_no_volume_shows_is_refused(bone, bright, tmp_path):
    path = save_volume(tmp_path / "leg.nii")
    (result,) = measure_files([path], Settings(plane="head"))
    assert "--plane head: in a volume the femur alone is measured" in result.problems[0].reason
    (result,) = measure_files([path], Settings(plane="femur"))
    assert result.in_volume is not None


# which model


def test_a_named_model_of_volumes_leaves_pictures_their_default(
    bone, bright, tmp_path, monkeypatch
):
    pictures = predict.load

    def load(model, **more):
        if model == "my-bones":
            raise ModelError("my-bones: measures volumes, not pictures")
        return pictures(model, **more)

    monkeypatch.setattr(predict, "load", load)
    save(tmp_path / "a.png")
    save_volume(tmp_path / "b.nii")
    exam = fetometry.measure(tmp_path, spacing_mm=0.3, model="my-bones")
    assert (len(exam.findings), len(exam.volumes)) == (1, 1)
    assert bone[1] == ["my-bones"]


def test_a_named_model_of_pictures_leaves_volumes_their_default(bone, bright, tmp_path):
    save_volume(tmp_path / "b.nii")
    exam = fetometry.measure(tmp_path, model="my-heads")
    assert len(exam.volumes) == 1
    assert bone[1] == [predict.default_volume_model()]


def test_a_named_model_that_is_none_is_refused_before_anything_is_written(tmp_path):
    path = save_volume(tmp_path / "b.nii")
    (tmp_path / "my.onnx").write_bytes(b"no model")
    settings = Settings(model=str(tmp_path / "my.onnx"))
    with pytest.raises(ModelError, match=r"my\.onnx"):
        measure_into(tmp_path / "out", [path], settings, kinds=ALL)
    assert not (tmp_path / "out").exists()


def test_a_broken_model_of_volumes_does_not_stop_pictures(bright, tmp_path, monkeypatch):
    def load_volumes(model, **more):
        raise ModelError(f"{model}: is broken")

    monkeypatch.setattr(predict, "load_volumes", load_volumes)
    save(tmp_path / "a.png")
    volume = save_volume(tmp_path / "b.nii")
    exam = fetometry.measure(tmp_path, spacing_mm=0.3)
    assert len(exam.findings) == 1
    assert "is broken" in exam.problems[0].reason
    with pytest.raises(ModelError, match="is broken"):
        fetometry.measure(volume)


def test_the_model_of_volumes_is_not_opened_without_a_volume(bright, bone, tmp_path):
    fetometry.measure(save(tmp_path / "a.png"))
    assert bone[1] == []


def test_the_model_of_volumes_is_opened_once(bone, no_pictures, tmp_path):
    for name in ("a.nii", "b.mha", "c.nrrd"):
        save_volume(tmp_path / name)
    assert len(fetometry.measure(tmp_path).volumes) == 3
    assert len(bone[1]) == 1


# memory


def test_the_voxels_of_a_folder_are_never_in_memory_together(bone, tmp_path, monkeypatch):
    paths = [save_volume(tmp_path / f"{k}.mha", voxels(k)) for k in range(3)]
    alive, most, drawn = [], [], []

    def read_volume(path):
        gc.collect()
        most.append(sum(reference() is not None for reference in alive))
        volume = read(path)
        alive.append(weakref.ref(volume))
        return volume

    read = reading.read_volume
    monkeypatch.setattr(volumes.reading, "read_volume", read_volume)
    monkeypatch.setattr(report, "write_volume_overlay", lambda *given: drawn.append(given[2]))
    exams, _ = measure_into(tmp_path / "out", paths, Settings(), kinds=ALL)
    assert (len(exams[0].volumes), len(drawn), len(most)) == (3, 3, 3)
    assert max(most) <= 1  # the one before is let go of when the next one is there


# written into a folder


def test_a_volume_has_a_picture_a_row_and_a_place_in_the_document(bone, no_pictures, tmp_path):
    save_volume(tmp_path / "in" / "deep" / "leg.nii.gz")
    out = tmp_path / "out"
    exams, written = measure_into(out, [tmp_path / "in"], Settings(), kinds=ALL)
    assert files_in(out) == {
        "overlays/deep/leg_volume.png", "exam.json", "measurements.csv", "summary.csv",
    }  # fmt: skip
    assert out / "overlays" in written
    assert cv2.imread(str(out / "overlays" / "deep" / "leg_volume.png")) is not None
    (row,) = table(out)
    assert (row["name"], row["value_mm"], row["volume_ml"]) == ("FL", "24.00", "0.472")
    document = json.loads((out / "exam.json").read_text(encoding="utf-8"))
    assert document["volumes"][0]["length_mm"] == pytest.approx(LENGTH_MM)
    assert document["selected"] == []
    assert exams[0].name == "deep"


def test_a_picture_of_a_volume_that_cannot_be_written_leaves_the_numbers(
    bone, no_pictures, tmp_path
):
    path, out = save_volume(tmp_path / "leg.nii"), tmp_path / "out"
    out.mkdir()
    (out / "overlays").write_text("in the way")
    exams, _ = measure_into(out, [path], Settings(), kinds=["overlay", "csv"])
    assert len(exams[0].volumes) == 1
    assert [problem.source for problem in exams[0].problems] == [str(path)]
    assert len(table(out)) == 1


def test_measuring_again_into_the_same_folder_finds_the_same_volumes(bright, bone, tmp_path):
    save_volume(tmp_path / "leg.nii.gz")
    save(tmp_path / "head.png", painted())
    for _ in range(2):
        (exam,), _ = measure_into(tmp_path, [tmp_path], Settings(spacing=MM), kinds=ALL)
        assert (len(exam.findings), len(exam.volumes)) == (1, 1)
