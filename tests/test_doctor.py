"""The doctor says what is sound and what is not, and the exit code agrees."""

import importlib.metadata
import json
from dataclasses import replace

import numpy as np
import pytest

from fetometry import doctor, phantom, predict
from fetometry.errors import ModelError, UsageError
from fetometry.geometry import Ellipse
from fetometry.phantom import HeadPhantom
from tests.conftest import HEAD, bright_engine, bright_info, painted


def checks(device="cpu"):
    return {check.name: check for check in doctor.examine(device)}


@pytest.fixture
def painted_phantom(monkeypatch):
    """Paint the phantom; the model `bright` measures it as it is."""
    made = HeadPhantom(painted(), HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr(phantom, "head", lambda spec: made)


@pytest.mark.slow
def test_this_installation_is_sound(shipped, run):
    code, printed = run("doctor", "--device", "cpu")
    assert code == 0, printed
    lines = " ".join(printed.split())
    for part in (
        "ok versions: Python 3.",
        "ok engines: ",
        "ok models: ",
        "ok model hc18-head: head; SHA-256 ",
        "ok phantom head by hc18-head: HC ",
    ):
        assert part in lines
    assert "BAD" not in printed


@pytest.mark.slow
def test_another_hash_in_the_catalogue_is_bad_and_exit_1(own_weights, run):
    listed = json.loads((own_weights / "catalogue.json").read_text())
    listed["hc18-head"]["sha256"] = "0" * 64
    (own_weights / "catalogue.json").write_text(json.dumps(listed))
    code, printed = run("doctor", "--device", "cpu")
    assert code == 1
    lines = " ".join(printed.split())
    assert "BAD model hc18-head: " in lines
    assert "not the file it should be" in lines
    assert "ok versions" in lines


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"hc18-head": {}}', '{"hc18-head": "x.onnx"}', "{}"]
)
def test_a_damaged_list_of_models_is_bad_and_exit_1(content, own_weights, run):
    listed = own_weights / "catalogue.json"
    listed.unlink()
    if content is not None:
        listed.write_text(content)
    code, printed = run("doctor", "--device", "cpu")
    assert code == 1
    (line,) = [line for line in printed.splitlines() if line.startswith("BAD ")]
    assert line.startswith("BAD  models: ")
    assert line.endswith("; install the package again")


def test_a_model_without_its_file_is_bad(own_weights, run):
    (own_weights / "hc18-head.onnx").unlink()
    code, printed = run("doctor", "--device", "cpu")
    assert code == 1
    assert "BAD model hc18-head: hc18-head: no such model" in " ".join(printed.split())


def test_the_phantom_is_measured_to_within_the_tolerance(bright, painted_phantom):
    found = checks()["phantom head by hc18-head"]
    assert found.sound
    hc = HEAD.scaled(0.3, 0.3).circumference
    assert f"truth {hc:.1f} mm" in found.seen


@pytest.mark.parametrize("scale", [0.96, 1.04])
def test_a_phantom_off_by_more_than_three_percent_is_bad(scale, bright, monkeypatch):
    drawn = Ellipse(HEAD.center, (scale * HEAD.semi_axes[0], scale * HEAD.semi_axes[1]), 20.0)
    made = HeadPhantom(painted(drawn), HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr(phantom, "head", lambda spec: made)
    found = checks()["phantom head by hc18-head"]
    assert not found.sound
    assert "off by more than 3%" in found.seen


def test_a_phantom_in_which_nothing_is_found_is_bad(bright, monkeypatch):
    made = HeadPhantom(np.full_like(painted(), 30), HEAD, (0.3, 0.3), 0)
    monkeypatch.setattr(phantom, "head", lambda spec: made)
    found = checks()["phantom head by hc18-head"]
    assert (found.sound, found.seen) == (False, "nothing was found")


def test_a_model_that_cannot_be_loaded_is_bad_and_the_other_checks_go_on(monkeypatch):
    def refused(model, *, device):
        raise ModelError("no weights")

    monkeypatch.setattr(predict, "load", refused)
    monkeypatch.setattr(predict, "describe", lambda model: refused(model, device="cpu"))
    found = checks()
    assert {name: check.sound for name, check in found.items()} == {
        "versions": True,
        "engines": True,
        "models": True,
        **{f"model {name}": False for name in predict.catalogue()},
    }


def test_the_model_check_says_hash_licence_and_engine(bright, painted_phantom):
    seen = checks()["model hc18-head"].seen
    assert seen == "head; SHA-256 abababababababab..., licence CC0-1.0, on bright 1.0 cpu"


def test_versions_are_those_of_whatever_brought_the_library(bright, painted_phantom, monkeypatch):
    brought_by = {**importlib.metadata.packages_distributions(), "onnxruntime": ["numpy"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: brought_by)
    found = checks()["versions"]
    assert found.sound
    assert found.seen.count(f"numpy {importlib.metadata.version('numpy')}") == 2


def test_a_library_that_is_not_installed_is_bad(bright, painted_phantom, monkeypatch):
    brought_by = importlib.metadata.packages_distributions()
    monkeypatch.delitem(brought_by, "gdcm")
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: brought_by)
    found = checks()["versions"]
    assert (found.sound, found.seen) == (False, "gdcm is not installed; install fetometry again")


def test_an_unknown_device_is_a_usage_error():
    with pytest.raises(UsageError, match="allowed: auto, cpu, cuda, openvino"):
        checks("tpu")


def test_a_doctor_with_a_bad_check_shows_the_good_ones_too(monkeypatch, run):
    found = [doctor.Check("one", True, "[well]"), doctor.Check("two", False, "ill")]
    monkeypatch.setattr(doctor, "examine", lambda device: iter(found))
    assert run("doctor") == (1, "ok   one: [well]\nBAD  two: ill\n")
    monkeypatch.setattr(doctor, "examine", lambda device: iter(found[:1]))
    assert run("doctor")[0] == 0


def test_the_bright_model_is_what_it_is_said_to_be():
    # the checks above rest on it: 8 times the input, positive above grey 127
    batch = np.float32([[[[-1, 0, 1]]]])
    assert np.array_equal(bright_engine().run(batch)["outline"], 8 * batch)
    assert replace(bright_info(), details={}).mean == 127.0
