"""What runs leave behind, compared to the last bit, and runs that are broken off."""

import csv

import pytest
import torch

from fetometry.training import fit


def state(run, name=fit.LAST):
    return torch.load(run / name, map_location="cpu", weights_only=True)


def assert_same(one, other, where="checkpoint"):
    """Compare nested states to the last bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}.{i}")
    else:
        assert one == other, where


LEARNED = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "opponent")


def assert_same_weights(run, other, name=fit.LAST):
    one, two = state(run, name), state(other, name)
    assert_same(
        {key: one[key] for key in LEARNED if key in one},
        {key: two[key] for key in LEARNED if key in two},
    )
    assert one["lr_schedulers"][0]["_last_lr"] == two["lr_schedulers"][0]["_last_lr"]
    assert one["global_step"] == two["global_step"]


def logged(run, name):
    """The values of one column, over all starts of a run, in their order."""
    files = sorted((run / "logs" / "csv").glob("version_*/metrics.csv"))
    texts = [file.read_text(encoding="utf-8").splitlines() for file in files]
    lines = [line for text in texts for line in csv.DictReader(text)]
    return [float(line[name]) for line in lines if line.get(name)]


class Killed(Exception):
    """Breaks a run off."""


def interrupted(recipe, rows, run, monkeypatch, *, epoch, step):
    """Start a run and break it off in the middle of an epoch."""
    whole = fit.System.training_step

    def training_step(self, index, number):
        if (self.current_epoch, number) == (epoch, step):
            raise Killed
        return whole(self, index, number)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(fit.System, "training_step", training_step)
        fit.start(recipe, rows, run, quiet=True)
