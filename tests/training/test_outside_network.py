"""A network from outside, by `--set network.name=package:Class` alone: train, export, measure."""

import json
import sys

import pytest

from tests import conftest
from tests.training import toy

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")
pytest.importorskip("lightning", reason="needs the train extra")

pytestmark = [
    pytest.mark.train,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.isinstance\\(treespec, LeafSpec\\). is deprecated"),
]

#: What somebody writes: the example of CONTRIBUTING.md.
NET = '''
from torch import nn

class Net(nn.Module):
    """One map of half the input's size for each output."""

    def __init__(self, options, outputs, size):
        super().__init__()
        width = options.get("width", 16)
        self.body = nn.Sequential(nn.Conv2d(1, width, 5, stride=2, padding=2), nn.ReLU())
        self.outputs = nn.ModuleDict(
            {name: nn.Conv2d(width, o.channels, 5, padding=2) for name, o in outputs.items()}
        )

    def forward(self, image):
        features = self.body(image)
        return {name: last(features) for name, last in self.outputs.items()}
'''

RECIPE = f"""
name = "toy-head"
licence = "CC0-1.0"
description = "a toy"

[data]
dataset = "{toy.NAME}"
cache_size = [64, 96]

[input]
size = [64, 96]
mean = 127.0
std = 128.0

[network]
name = "unet"

[heads.outline]
name = "mask"

[fit]
epochs = 1
batch_size = 1
learning_rate = 0.02
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package of theirs on the path, a recipe, and data."""
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "theirpackage.py").write_text(NET)
    monkeypatch.syspath_prepend(package)
    yield toy.make(tmp_path / "data", train=8, validation=2, test=1)
    sys.modules.pop("theirpackage", None)


def test_a_network_from_outside_is_trained_exported_and_measures(outside, run, tmp_path):
    recipe, folder, model = tmp_path / "toy.toml", tmp_path / "run", tmp_path / "theirs.onnx"
    recipe.write_text(RECIPE)
    named = ("--set", "network.name=theirpackage:Net", "--set", "network.width=8")
    code, printed = run("train", recipe, "--data", tmp_path / "data", "--out", folder, *named)
    assert code == 0, printed
    code, printed = run("export", folder, "--out", model)
    assert code == 0, printed

    row = next(row for row in outside if row.split == "test")
    out = tmp_path / "out"
    code, printed = run(
        "measure", row.image, "--model", model, "--mm-per-px", toy.SPACING_MM[0], "--out", out
    )
    assert code == 0, printed
    hc = next(line for line in conftest.table(out) if line["name"] == "HC")
    assert float(hc["value_mm"]) == pytest.approx(row.truth_mm["HC"], rel=0.1)

    stored = json.loads((folder / "recipe.json").read_text())
    assert stored["network"] == {"name": "theirpackage:Net", "options": {"width": 8}}


def test_a_network_that_is_not_on_the_path_is_refused_in_one_line(run, tmp_path):
    toy.make(tmp_path / "data", train=2, validation=1)
    recipe = tmp_path / "toy.toml"
    recipe.write_text(RECIPE)
    words = ("train", recipe, "--data", tmp_path / "data", "--out", tmp_path / "run")
    code, printed = run(*words, "--set", "network.name=nobodyhas:Net")
    assert code == 2
    assert "nobodyhas:Net cannot be imported" in printed
