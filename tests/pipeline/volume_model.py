"""Volumes on disk whose bone is known, and a model that takes what is bright for it."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from fetometry import predict
from fetometry.errors import MeasurementError
from fetometry.geometry.solid import bounding_box
from fetometry.types import ModelRef
from fetometry.volume import VolumePrediction

SHAPE, SPACING = (24, 30, 60), (1.0, 0.8, 0.6)
NOTICE = "phantom-trained: not for real volumes"
#: From the first to the last column of the bone: 40 x 0.6 mm.
LENGTH_MM = 24.0


def voxels(seed=0):
    grey = np.random.default_rng(seed).integers(0, 40, SHAPE).astype(np.uint8)
    grey[10:14, 12:18, 10:51] = 220
    return grey


def save_volume(path, array=None, spacing=SPACING):
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (extra: volume)")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = itk.GetImageFromArray(voxels() if array is None else array)
    image.SetSpacing(spacing[::-1])
    itk.WriteImage(image, str(path))
    return path


@dataclass
class BrightBone:
    """Takes what is bright for the shaft, and remembers what it was shown."""

    seen: list = field(default_factory=list)
    info: object = field(default_factory=lambda: SimpleNamespace(notice=NOTICE))
    engine: object = field(default_factory=lambda: SimpleNamespace(name="bone 1.0 cpu"))

    def predict(self, volume):
        self.seen.append(volume.source)
        mask = volume.voxels > 127
        if not mask.any():
            raise MeasurementError(f"{volume.source}: no femur was found")
        box = bounding_box(mask)
        middle = (np.array(box.start) + box.stop - 1) / 2
        ends = np.stack([middle, middle])
        ends[:, 2] = box.start[2], box.stop[2] - 1
        return VolumePrediction(ModelRef("bone", "ef" * 32, "CC0-1.0"), box, mask[box.slices], ends)


def install(monkeypatch):
    """Put the model in the place of every model of volumes; return it and what was loaded."""
    model, asked = BrightBone(), []

    def load_volumes(name, *, device="auto"):
        asked.append(name)
        return model

    monkeypatch.setattr(predict, "load_volumes", load_volumes)
    return model, asked
