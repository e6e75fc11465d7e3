"""A model file that is not what it should be is refused before anything is written."""

import re

import pytest

from tests.conftest import nothing_new_in, save


def not_onnx(path):
    path.write_text("not a network")


def no_metadata(path):
    text = path.read_bytes()
    assert text.count(b"\x09fetometry\x12") == 1
    path.write_bytes(text.replace(b"\x09fetometry\x12", b"\x09somewhere\x12"))


def other_hash(path):
    path.with_name(f"{path.name}.sha256").write_text("0" * 64 + "  copy.onnx\n")


def empty_hash(path):
    path.with_name(f"{path.name}.sha256").write_text("\n")


BAD_MODELS = {
    "not ONNX": (not_onnx, "is not a model that can be run"),
    "cut": (lambda p: p.write_bytes(p.read_bytes()[:100_000]), "is not a model that can be run"),
    "empty": (lambda p: p.write_bytes(b""), "is not a model that can be run|no fetometry metadata"),
    "without metadata": (no_metadata, "no fetometry metadata"),
    "another hash": (other_hash, "not the file it should be .SHA-256 "),
    "hash file empty": (empty_hash, "holds no SHA-256"),
    "removed": (lambda p: p.unlink(), "no such model; give a .onnx file or one of: .*hc18-head"),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "no such model"),
}


@pytest.mark.parametrize("fault", BAD_MODELS)
def test_a_bad_model_file_is_refused_before_anything_is_written(fault, shipped_copy, run, tmp_path):
    make, reason = BAD_MODELS[fault]
    image = save(tmp_path / "head.png")
    make(shipped_copy)
    with nothing_new_in(tmp_path):
        code, printed = run(
            "measure", image, "--mm-per-px", 0.3, "--out", tmp_path / "out",
            "--model", shipped_copy, "--device", "cpu",
        )  # fmt: skip
    assert (code, printed.count("\n")) == (1, 1), printed
    assert re.search(reason, printed), printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["not ONNX", "without metadata", "removed"])
def test_evaluate_refuses_a_bad_model_too(fault, shipped_copy, run, tmp_path):
    BAD_MODELS[fault][0](shipped_copy)
    code, printed = run("evaluate", shipped_copy, "--data", tmp_path, "--device", "cpu")
    assert (code, printed.count("\n")) == (1, 1), printed
    assert printed.startswith("error: ")


def test_a_shipped_model_whose_file_was_altered_is_refused(own_weights, run, tmp_path):
    with (own_weights / "hc18-head.onnx").open("ab") as file:
        file.write(b"\0")
    image = save(tmp_path / "head.png")
    measure = ("measure", image, "--model", "hc18-head", "--out", tmp_path / "out")
    for command in (measure, ("models",)):
        code, printed = run(*command)
        assert (code, printed.count("\n")) == (1, 1)
        assert "not the file it should be" in printed
    assert not (tmp_path / "out").exists()
