"""A femur of known place in a volume comes back in source voxels, whatever windows it took."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from fetometry.errors import MeasurementError, ModelError, SpacingError
from fetometry.geometry.solid import Box
from fetometry.predict import VolumePredictor, describe, load, load_volumes
from fetometry.predict.catalogue import parse_metadata
from fetometry.predict.engine import Engine
from fetometry.predict.resample import resample
from fetometry.volume import Volume
from tests.predict.solids import (
    BLIND,
    ENDS_MM,
    HEATMAPS,
    RADIUS_MM,
    SHAPE,
    SIZE,
    SOLID,
    SPACING,
    TISSUE,
    VOXEL_MM,
    femur,
    meta,
    save,
    tissue,
)

WHOLE = Box((0, 0, 0), SHAPE)


@pytest.fixture
def model(tmp_path):
    return save(tmp_path / "both.onnx", {**SOLID, **HEATMAPS})


def predictor(run, outputs=SOLID, **given):
    info = parse_metadata(json.dumps(meta(outputs, **given)), "x.onnx", "ab" * 32)
    return VolumePredictor(info, Engine("spy", run))


def ends_off_mm(prediction, spacing_mm):
    """How far the ends are from the true ones: which comes first is not told by this network."""
    found = prediction.ends * np.array(spacing_mm)
    found = found[np.argsort(found[:, 2])]
    return np.linalg.norm(found - ENDS_MM, axis=1).max()


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [
        (SHAPE, SPACING),  # two windows along each axis
        ((36, 50, 56), (1.0, 1.0, 1.0)),
        ((80, 82, 90), (0.45, 0.55, 0.6)),
        ((18, 70, 100), (2.1, 0.7, 0.6)),  # slices far apart
    ],
)
def test_the_ends_and_the_volume_of_a_drawn_femur_are_found(model, shape, spacing_mm):
    volume, truth = femur(shape, spacing_mm)
    found = load_volumes(model, device="cpu").predict(volume)
    assert found.box == Box((0, 0, 0), shape)
    assert found.mask.shape == shape
    assert found.mask.sum() / truth.sum() == pytest.approx(1, abs=0.05)
    assert np.count_nonzero(found.mask & truth) > 0.95 * truth.sum()
    assert ends_off_mm(found, spacing_mm) < 0.2 * max(spacing_mm)
    assert (found.candidates, found.flags, found.model.name) == (1, (), "femur3d-x")


@pytest.mark.parametrize("size", [(64, 64, 64), (16, 16, 16), (40, 16, 24)])
def test_windows_of_any_size_find_the_same_femur(tmp_path, model, size):
    volume, _ = femur()
    other = save(tmp_path / "other.onnx", {**SOLID, **HEATMAPS}, size=size)
    one, two = (load_volumes(name, device="cpu").predict(volume) for name in (model, other))
    assert np.count_nonzero(one.mask != two.mask) < 1e-3 * one.mask.sum()
    assert np.allclose(one.ends, two.ends, atol=1e-3)


def test_the_network_sees_windows_of_normalised_grey_one_at_a_time():
    seen = []

    def run(batch):
        seen.append(batch)
        return {"mask": batch}

    volume, _ = femur()
    spy = predictor(run)
    grid, levels = spy.look(volume, WHOLE)
    grey = resample(volume.voxels, SPACING, VOXEL_MM, WHOLE)
    assert grid.shape == grey.shape == (30, 38, 48)
    assert {(batch.shape, batch.dtype.name) for batch in seen} == {((1, 1, *SIZE), "float32")}
    assert len(seen) == 8
    # the identity, blended, is the grey itself: the weights add up to one
    assert np.allclose(levels["mask"][0], (grey - 70.0) / 50.0, atol=1e-5)


def test_a_box_smaller_than_a_window_lies_in_the_middle_of_black():
    seen = []

    def run(batch):
        seen.append(batch)
        return {"mask": batch}

    half = (VOXEL_MM / 2,) * 3
    volume = Volume(np.full((20, 22, 100), 120, np.uint8), "small", half)
    _, levels = predictor(run).look(volume, Box((0, 0, 0), volume.shape))
    grey = seen[0][0, 0] * 50 + 70
    assert np.allclose(grey[7:17, 10:21], 120)
    assert np.allclose(grey[:7], 0, atol=1e-4)
    assert np.allclose(grey[17:], 0, atol=1e-4)
    assert np.allclose(grey[:, :10], 0, atol=1e-4)
    assert np.allclose(grey[:, 21:], 0, atol=1e-4)
    assert len(seen) == 2
    assert levels["mask"].shape == (1, 10, 11, 50)
    assert np.allclose(levels["mask"], 1)


@pytest.mark.parametrize("outputs", [SOLID, HEATMAPS], ids=["mask", "ends"])
def test_a_model_tells_only_what_it_has(tmp_path, outputs):
    volume, _ = femur()
    found = load_volumes(save(tmp_path / "one.onnx", outputs), device="cpu").predict(volume)
    assert (found.mask is None, found.ends is None) == (outputs is HEATMAPS, outputs is SOLID)


def test_the_region_is_what_the_other_model_finds_and_its_margin(tmp_path):
    save(tmp_path / "roi.onnx", SOLID, size=(16, 16, 16), voxel_mm=2.4)
    model = save(tmp_path / "main.onnx", {**SOLID, **HEATMAPS}, roi="roi.onnx", margin_mm=2.5)
    shape, spacing_mm = (70, 100, 90), (0.9, 0.8, 0.9)
    volume, truth = femur(shape, spacing_mm)
    found = load_volumes(model, device="cpu").predict(volume)
    low = (ENDS_MM.min(axis=0) - RADIUS_MM - 2.5) / np.array(spacing_mm)
    high = (ENDS_MM.max(axis=0) + RADIUS_MM + 2.5) / np.array(spacing_mm) + 1
    assert np.all(np.abs(np.array(found.box.start) - low) <= 2.4 / np.array(spacing_mm) + 1)
    assert np.all(np.abs(np.array(found.box.stop) - high) <= 2.4 / np.array(spacing_mm) + 1)
    assert found.mask.shape == found.box.shape
    assert found.mask.sum() / truth.sum() == pytest.approx(1, abs=0.05)
    assert np.count_nonzero(truth[found.box.slices] & found.mask) > 0.95 * truth.sum()
    assert ends_off_mm(found, spacing_mm) < 0.15
    assert found.flags == ()


def test_where_no_region_is_found_the_whole_volume_is_looked_at_and_flagged(tmp_path):
    save(tmp_path / "roi.onnx", SOLID, BLIND)
    model = save(tmp_path / "main.onnx", {**SOLID, **HEATMAPS}, roi="roi.onnx")
    volume, truth = femur()
    found = load_volumes(model, device="cpu").predict(volume)
    assert (found.box, found.flags) == (WHOLE, ("roi-not-found",))
    assert found.mask.sum() / truth.sum() == pytest.approx(1, abs=0.05)


def hidden(low, high):
    """The femur, with the bone between two shares of its length dark as tissue."""
    volume, _ = femur()
    places = np.stack(np.indices(volume.shape), axis=-1) * np.array(SPACING)
    along = ENDS_MM[1] - ENDS_MM[0]
    share = (places - ENDS_MM[0]) @ along / (along @ along)
    dark = (share >= low) & (share <= high)
    voxels = np.where(dark, np.uint8(TISSUE), volume.voxels)
    return replace(volume, voxels=voxels)


def test_the_region_holds_all_parts_of_a_shaft_that_is_hidden_in_its_middle(tmp_path):
    save(tmp_path / "roi.onnx", SOLID)
    model = save(tmp_path / "main.onnx", {**SOLID, **HEATMAPS}, roi="roi.onnx", margin_mm=2.5)
    found = load_volumes(model, device="cpu").predict(hidden(0.4, 0.6))
    low, high = np.array(found.box.start) * SPACING, np.array(found.box.stop) * SPACING
    assert (low <= ENDS_MM).all()
    assert (high >= ENDS_MM).all()
    assert "roi-not-found" not in found.flags


def test_a_region_too_small_for_a_femur_is_not_believed(tmp_path):
    save(tmp_path / "roi.onnx", SOLID)
    model = save(tmp_path / "main.onnx", {**SOLID, **HEATMAPS}, roi="roi.onnx")
    found = load_volumes(model, device="cpu").predict(hidden(0.2, 1.2))
    assert (found.box, found.flags) == (WHOLE, ("roi-not-found",))


def test_the_region_ends_where_the_volume_does(tmp_path):
    save(tmp_path / "roi.onnx", SOLID)
    model = save(tmp_path / "main.onnx", SOLID, roi="roi.onnx", margin_mm=100.0)
    assert load_volumes(model, device="cpu").predict(femur()[0]).box == WHOLE


def test_of_two_structures_the_larger_is_the_mask_and_both_are_counted(model):
    volume, truth = femur()
    voxels = volume.voxels.copy()
    voxels[30:38, 4:14, 4:14] = 110
    found = load_volumes(model, device="cpu").predict(Volume(voxels, "two", SPACING))
    assert found.candidates == 2
    assert found.mask.sum() / truth.sum() == pytest.approx(1, abs=0.05)
    assert not found.mask[30:38, 4:14, 4:14].any()


def test_an_end_at_the_rim_lies_in_the_volume():
    shape, size = (21, 26, 31), (18, 22, 26)  # the last cubes stick out by 0.6, 0.4 and 0.2 voxels

    def run(batch):
        maps = np.zeros((1, 2, *size), np.float32)
        maps[0, 0, 0, 0, 0] = maps[0, 1, 17, 21, 25] = 1
        return {"ends": maps}

    volume = Volume(np.zeros(shape, np.uint8), "rim", (1.0, 1.0, 1.0))
    found = predictor(run, HEATMAPS, size=size).predict(volume)
    assert np.allclose(found.ends, [[0.1, 0.1, 0.1], [20.0, 25.0, 30.0]])


@pytest.mark.parametrize("outputs", [SOLID, HEATMAPS, {**SOLID, **HEATMAPS}], ids=str)
def test_a_volume_without_a_femur_is_a_measurement_error(tmp_path, outputs):
    model = load_volumes(save(tmp_path / "x.onnx", outputs), device="cpu")
    with pytest.raises(MeasurementError, match="nothing was found in the volume"):
        model.predict(tissue())


def test_a_volume_without_a_spacing_is_refused(model):
    volume = Volume(femur()[0].voxels, "femur.nii.gz", None, "the header says 0")
    with pytest.raises(SpacingError, match=r"femur\.nii\.gz.*the header says 0"):
        load_volumes(model, device="cpu").predict(volume)


def test_outputs_that_are_no_numbers_are_a_measurement_error():
    broken = predictor(lambda batch: {"mask": np.full_like(batch, np.nan)})
    with pytest.raises(MeasurementError, match="'mask' are no numbers"):
        broken.predict(femur()[0])


@pytest.mark.parametrize(
    ("outputs", "problem"),
    [
        (lambda batch: {"outline": batch}, "has no such output"),
        (lambda batch: {"mask": batch[..., ::2]}, r"has \(1, 1, 24, 32, 20\)"),
        (lambda batch: {"mask": np.concatenate([batch, batch], axis=1)}, r"has \(1, 2, 24"),
    ],
)
def test_outputs_that_are_not_those_promised_are_a_model_error(outputs, problem):
    with pytest.raises(ModelError, match=problem):
        predictor(outputs).predict(femur()[0])


def test_a_model_of_volumes_measures_no_pictures(model):
    with pytest.raises(ModelError, match=r"both\.onnx: measures volumes, not pictures"):
        load(model, device="cpu")


def test_a_model_of_pictures_measures_no_volumes(shipped):
    with pytest.raises(ModelError, match="measures pictures, not volumes"):
        load_volumes("hc18-head", device="cpu")


def test_a_model_says_what_it_measures_without_being_loaded_for_it(model, shipped):
    assert describe(model).of_volumes
    assert describe(model).notice == "phantom-trained: not for real volumes"
    assert not describe("hc18-head").of_volumes


@pytest.mark.parametrize(
    ("outputs", "given"),
    [(HEATMAPS, {}), (SOLID, {"roi": "main.onnx"})],
    ids=["no mask", "another region"],
)
def test_a_model_that_cannot_find_a_region_is_refused(tmp_path, outputs, given):
    save(tmp_path / "roi.onnx", outputs, **given)
    main = save(tmp_path / "main.onnx", SOLID, roi="roi.onnx")
    with pytest.raises(ModelError, match=r"roi\.onnx: cannot find the region for .*main\.onnx"):
        load_volumes(main, device="cpu")


def test_a_region_model_that_is_not_there_is_refused_with_its_name(tmp_path):
    main = save(tmp_path / "main.onnx", SOLID, roi="nobody")
    with pytest.raises(ModelError, match="nobody: no such model"):
        load_volumes(main, device="cpu")


def test_memory_is_bounded_by_the_voxels_and_never_a_float_copy_of_them():
    volume = Volume(np.full((100, 240, 240), 20, np.uint8), "large", (0.38, 0.38, 0.38))
    volume.voxels[20:60, 90:130, 40:160] = 120
    small = predictor(lambda batch: {"mask": batch})
    tracemalloc.start()
    found = small.predict(volume)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.mask.sum() == pytest.approx(40 * 40 * 120, rel=0.05)
    assert peak_bytes < 3 * volume.voxels.nbytes  # the mask of the box alone is one
