"""A model is known by its name, its hash and what it says of itself."""

import hashlib
import json

import pytest

from fetometry.errors import ModelError
from fetometry.predict import catalogue, default_model, default_volume_model
from fetometry.predict.catalogue import (
    DEFAULT,
    DEFAULT_VOLUME,
    locate,
    named_by,
    parse_metadata,
    sha256_of,
)
from fetometry.types import PLANE_CLASSES, PLANES, SizeInterval
from tests.predict.solids import HEATMAPS, SOLID, meta

META = {
    "schema": "fetometry-model/1",
    "name": "head-x",
    "licence": "CC-BY-4.0",
    "description": "measures heads",
    "input": {"size": [192, 288], "mean": 127.0, "std": 128.0},
    "outputs": {"outline": {"kind": "mask", "plane": "head"}},
    "recipe": {"seed": 1},
}


EXAM = {
    "outline": {"kind": "mask", "planes": ["head", "abdomen"]},
    "shaft": {"kind": "mask", "planes": ["femur"]},
    "ends": {"kind": "ends", "planes": ["femur"], "along": "shaft", "tells": "length"},
    "across": {"kind": "ends", "planes": ["abdomen"], "along": "outline", "tells": "direction"},
    "plane": {"kind": "planes", "classes": list(PLANE_CLASSES)},
}
INTERVALS = {
    "HC": {"edges_mm": [150.0, 250.0], "half_widths": [0.05, 0.03, 0.02]},
    "FL": {"edges_mm": [], "half_widths": [0.1]},
}


def parse(meta, path):
    return parse_metadata(json.dumps(meta), path, "ab" * 32)


def test_the_metadata_come_back_as_they_were_written(tmp_path):
    info = parse(META, tmp_path)
    assert (info.ref.name, info.ref.sha256, info.ref.licence) == ("head-x", "ab" * 32, "CC-BY-4.0")
    assert (info.size, info.mean, info.std) == ((192, 288), 127.0, 128.0)
    assert info.outputs == META["outputs"]
    assert info.description == "measures heads"
    assert info.details["recipe"] == {"seed": 1}


def test_outputs_are_found_by_their_kind_and_plane(tmp_path):
    info = parse({**META, "outputs": EXAM}, tmp_path)
    asked = [("mask", "head"), ("mask", "abdomen"), ("mask", "femur"), ("mask", "none")]
    assert [info.output_of(*of) for of in asked] == ["outline", "outline", "shaft", None]
    assert [info.output_of("ends", plane) for plane in PLANES] == [None, "across", "ends"]
    assert (info.output_of("planes"), info.output_of("heatmap")) == ("plane", None)


@pytest.mark.parametrize(
    ("outputs", "planes"),
    [
        (EXAM, PLANES),
        (META["outputs"], ("head",)),  # as the first version wrote it
        ({"shaft": EXAM["shaft"]}, ("femur",)),
        ({"plane": EXAM["plane"]}, ()),
    ],
)
def test_a_model_measures_the_planes_that_it_has_masks_of(outputs, planes, tmp_path):
    assert parse({**META, "outputs": outputs}, tmp_path).planes == planes


def test_the_intervals_of_a_model_are_read_by_measurement(tmp_path):
    calibration = {"temperature": 1.3, "intervals": INTERVALS, "from": {"folds": 5}}
    info = parse({**META, "calibration": calibration}, tmp_path)
    assert info.intervals == {
        "HC": SizeInterval((150.0, 250.0), (0.05, 0.03, 0.02)),
        "FL": SizeInterval((), (0.1,)),
    }
    low, high = info.intervals["HC"].around(200.0, "mm")
    assert (low, high) == pytest.approx((200 / 1.03, 200 / 0.97))
    assert parse(META, tmp_path).intervals == {}


def calibrated(**changes):
    return {"calibration": {"temperature": 1.0, "intervals": INTERVALS, **changes}}


@pytest.mark.parametrize("text", [None, ""])
def test_a_file_without_metadata_is_refused_with_what_to_do(text, tmp_path):
    with pytest.raises(ModelError, match=r"no fetometry metadata.*`fetometry export`"):
        parse_metadata(text, tmp_path / "x.onnx", "ab")


def test_metadata_of_a_later_schema_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"fetometry-model/2.*this reads fetometry-model/1"):
        parse({**META, "schema": "fetometry-model/2"}, tmp_path)


@pytest.mark.parametrize("key", ["schema", "name", "licence", "description", "input", "outputs"])
def test_metadata_without_a_key_are_refused(key, tmp_path):
    with pytest.raises(ModelError, match=rf"x\.onnx: its metadata is damaged.*{key}"):
        parse({k: v for k, v in META.items() if k != key}, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    "changes",
    [
        {"input": {"size": [0, 288], "mean": 0, "std": 1}},
        {"input": {"size": [192], "mean": 0, "std": 1}},
        {"input": {"size": ["a", "b"], "mean": 0, "std": 1}},
        {"input": {"size": [192, 288], "mean": 0, "std": 0}},
        {"input": {"size": [192, 288], "mean": float("nan"), "std": 1}},
        {"input": {"size": [192, 288], "mean": 0, "std": float("inf")}},
        {"input": None},
        {"outputs": ["outline"]},
        {"outputs": {"outline": 3}},
        {"outputs": {"outline": {}}},
        {"outputs": {"outline": {"kind": "mask"}}},
        {"outputs": {"outline": {"kind": "mask", "planes": []}}},
        {"outputs": {"ends": {"kind": "ends", "along": "ends"}}},
        {"outputs": {"ends": {"kind": "ends", "planes": ["femur"]}}},
        {"outputs": {**EXAM, "ends": {**EXAM["ends"], "along": "bone"}}},
        {"outputs": {**EXAM, "ends": {**EXAM["ends"], "along": "plane"}}},
        {"outputs": {"plane": {"kind": "planes"}}},
        {"outputs": {"plane": {"kind": "planes", "classes": ["foot", "hand"]}}},
        {"calibration": ["temperature"]},
        calibrated(temperature=0.0),
        calibrated(temperature=float("nan")),
        calibrated(temperature="warm"),
        calibrated(trans_cerebellar_threshold=None),
        calibrated(trans_cerebellar_threshold=float("inf")),
        calibrated(intervals={"HC": {"half_widths": [0.1]}}),
        calibrated(intervals={"HC": {"edges_mm": [200.0], "half_widths": [0.1]}}),
        calibrated(intervals={"HC": {"edges_mm": [], "half_widths": [0.0]}}),
        calibrated(intervals={"HC": {"edges_mm": [], "half_widths": [float("nan")]}}),
        calibrated(intervals={"HC": 0.1}),
        calibrated(intervals=[0.1]),
    ],
    ids=str,
)
def test_metadata_that_no_image_can_be_prepared_with_are_refused(changes, tmp_path):
    with pytest.raises(ModelError, match="its metadata is damaged"):
        parse({**META, **changes}, tmp_path)


def test_what_a_model_of_volumes_says_comes_back(tmp_path):
    said = meta({**SOLID, **HEATMAPS}, size=(24, 32, 40), roi="femur3d-roi-phantom")
    info = parse(said, tmp_path)
    assert info.of_volumes
    assert (info.depth, info.size) == (24, (32, 40))
    assert (info.voxel_mm, info.margin_mm, info.roi) == (1.2, 6.0, "femur3d-roi-phantom")
    assert info.notice == "phantom-trained: not for real volumes"
    assert (info.output_of("solid", "femur"), info.output_of("solid-ends")) == ("mask", "ends")


def test_a_model_of_volumes_measures_no_picture_and_the_other_way_round(tmp_path):
    assert parse(meta(SOLID), tmp_path).planes == ()
    pictures = parse(META, tmp_path)
    assert (pictures.of_volumes, pictures.depth, pictures.notice) == (False, 0, "")
    assert {pictures.output_of(kind) for kind in ("solid", "solid-ends")} == {None}


@pytest.mark.parametrize(
    "damaged",
    [
        meta(SOLID, size=(0, 32, 40)),
        meta(SOLID, size=(24, 0, 40)),
        meta(SOLID, size=(2, 24, 32, 40)),
        meta(SOLID, voxel_mm=0.0),
        meta(SOLID, voxel_mm=10.1),
        meta(SOLID, voxel_mm=float("nan")),
        meta(SOLID, margin_mm=-1.0),
        meta(SOLID, margin_mm=float("inf")),
        meta(META["outputs"]),
        meta({}),
        meta({"mask": {"kind": "solid"}}),
        {**META, "input": {"size": [24, 32, 40], "mean": 0, "std": 1}, "outputs": SOLID},
        {**META, "input": {"size": [float("inf"), 288], "mean": 0, "std": 1}},
    ],
    ids=lambda said: f"{said['input']} {said['outputs']}",
)
def test_metadata_that_no_volume_can_be_prepared_with_are_refused(damaged, tmp_path):
    with pytest.raises(ModelError, match="its metadata is damaged"):
        parse(damaged, tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "3", '"x"', "null"])
def test_metadata_that_are_no_object_are_refused(text, tmp_path):
    with pytest.raises(ModelError, match="its metadata is damaged"):
        parse_metadata(text, tmp_path, "ab")


def test_the_hash_is_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "x") == wanted


def test_a_file_that_cannot_be_read_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        sha256_of(tmp_path)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"weights")
    return path


def test_a_file_of_ones_own_is_known_by_its_hash(file):
    assert locate(str(file)) == (file, hashlib.sha256(b"weights").hexdigest())


@pytest.mark.parametrize("change", [str, str.upper])
def test_the_hash_beside_a_file_is_checked(change, file):
    beside = file.with_name("x.onnx.sha256")
    beside.write_text(change(hashlib.sha256(b"weights").hexdigest()) + "  x.onnx\n")
    assert locate(str(file))[0] == file
    file.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="not the file it should be"):
        locate(str(file))


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00"])
def test_a_hash_file_without_a_hash_is_refused(content, file):
    file.with_name("x.onnx.sha256").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.onnx\.sha256: holds no SHA-256"):
        locate(str(file))


@pytest.mark.parametrize("name", ["nobody", "nobody.onnx", "x" * 300, "."])
def test_an_unknown_model_is_refused_with_the_known_ones(name):
    with pytest.raises(ModelError, match=r"no such model.*hc18-head"):
        locate(name)


def test_the_shipped_head_model_is_listed_and_is_what_its_hash_says(shipped):
    entry = catalogue()["hc18-head"]
    assert entry.path == shipped
    assert locate("hc18-head") == (shipped, entry.sha256)
    assert shipped.stat().st_size <= 11_000_000


@pytest.mark.parametrize("plane", ["auto", *PLANES])
def test_every_plane_is_measured_by_the_exam_model(plane):
    assert default_model(plane) == DEFAULT == "exam"


def test_a_plane_without_a_model_is_refused_with_the_known_ones():
    known = "allowed: auto, head, abdomen, femur"
    for plane in ("feet", "none"):
        with pytest.raises(ModelError, match=f"no model for the plane '{plane}'; {known}"):
            default_model(plane)


def test_the_model_that_measures_unless_another_is_named_is_shipped():
    assert default_model("auto") in catalogue()


def test_a_volume_is_measured_by_the_model_of_femurs_in_volumes():
    assert default_volume_model() == DEFAULT_VOLUME == "femur3d-phantom"


def test_a_model_that_another_one_names_is_shipped_or_a_file_beside_it(file):
    other = file.with_name("main.onnx")
    assert named_by(other, "x.onnx") == str(file)
    assert named_by(other, str(file)) == str(file)
    assert named_by(other, "nobody") == "nobody"
    file.with_name("exam").write_bytes(b"not the shipped one")
    assert named_by(other, "exam") == "exam"
