"""A model is known by its name, its hash and what it says of itself."""

import hashlib
import json

import pytest

from fetometry.errors import ModelError
from fetometry.predict import catalogue, default_model
from fetometry.predict.catalogue import locate, parse_metadata, sha256_of

META = {
    "schema": "fetometry-model/1",
    "name": "head-x",
    "licence": "CC-BY-4.0",
    "description": "measures heads",
    "input": {"size": [192, 288], "mean": 127.0, "std": 128.0},
    "outputs": {"outline": {"kind": "mask", "plane": "head"}},
    "recipe": {"seed": 1},
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
    ],
    ids=str,
)
def test_metadata_that_no_image_can_be_prepared_with_are_refused(changes, tmp_path):
    with pytest.raises(ModelError, match="its metadata is damaged"):
        parse({**META, **changes}, tmp_path)


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


def test_both_planes_are_measured_by_a_shipped_model():
    assert {default_model(plane) for plane in ("auto", "head")} <= set(catalogue())


def test_a_plane_without_a_model_is_refused_with_the_known_ones():
    with pytest.raises(ModelError, match="no model for the plane 'feet'; allowed: auto, head"):
        default_model("feet")
