"""Volumes judged by hand, volumes on disk, and a predictor that sees what it is told to see."""

from types import SimpleNamespace

import numpy as np
import pytest

from fetometry.errors import MeasurementError
from fetometry.geometry.solid import bounding_box
from fetometry.training.cases import Size
from fetometry.training.data import VolumeRow
from fetometry.types import ModelRef
from fetometry.volume import VolumePrediction
from tests.training.judged import case

#: (slice, row, col)
SHAPE, SPACING = (20, 24, 60), (2.0, 1.0, 1.0)
#: A bar of 6 x 8 x 40 voxels, 40 mm from end to end.
BAR = (slice(7, 13), slice(8, 16), slice(10, 50))
ENDS = ((9.5, 11.5, 10.0), (9.5, 11.5, 50.0))
BAR_ML = 6 * 8 * 40 * 2 / 1000


def bar():
    mask = np.zeros(SHAPE, bool)
    mask[BAR] = True
    return mask


def volume_row(folder, name="v1", mask=None, **changes):
    """Write the bar, bright in the dark, with its mask, and return its row."""
    itk = pytest.importorskip("SimpleITK", reason="SimpleITK is not installed (extra: volume)")
    truth = bar() if mask is None else mask
    grey = np.where(truth, 200, 40).astype(np.uint8)
    grey += np.random.default_rng(0).integers(0, 20, SHAPE, dtype=np.uint8)
    paths = folder / f"{name}.mha", folder / f"{name}.mask.mha"
    for path, values in zip(paths, (grey, truth.astype(np.uint8)), strict=True):
        image = itk.GetImageFromArray(values)
        image.SetSpacing(SPACING[::-1])
        itk.WriteImage(image, str(path))
    given = {"group": name, "spacing_mm": SPACING, "ends": ENDS, **changes}
    return VolumeRow("phantom3d", *paths, **given)


class Fake3d:
    """A predictor of volumes that sees one mask (D, H, W) and two ends, or nothing."""

    def __init__(self, mask=None, ends=None, *, kinds=("solid", "solid-ends"), flags=()):
        self.mask, self.flags = mask, flags
        self.ends = None if ends is None else np.array(ends, float)
        self.info = SimpleNamespace(
            ref=ModelRef("fake3d", "ab" * 32, "CC0-1.0"),
            details={},
            notice="not for real volumes",
            output_of=lambda kind, plane="": kind if kind in kinds else None,
        )

    def predict(self, volume):
        if self.mask is None and self.ends is None:
            raise MeasurementError(f"{volume.source}: nothing was found")
        box = bounding_box(bar() if self.mask is None else self.mask)
        mask = None if self.mask is None else self.mask[box.slices]
        return VolumePrediction(self.info.ref, box, mask, self.ends, 1, self.flags)


def solid(number=1, *, error_mm=1.0, error_ml=0.5, failed=False, truth=(50.0, 2.0), **changes):
    """A phantom whose length is so many mm too long and whose volume so many mL too large."""
    scores = {
        "sizes": {"FL": Size(truth[0], 0.0 if failed else truth[0] + error_mm)},
        "dice": 0.0 if failed else 0.9,
        "jaccard": 0.0 if failed else 0.8,
        "average_boundary_mm": 100.0 if failed else 0.5,
        "hausdorff_boundary_mm": 100.0 if failed else 4.0,
        "truth_ml": truth[1],
        "found_ml": 0.0 if failed else truth[1] + error_ml,
        "end_1_mm": 100.0 if failed else 2.0,
        "end_2_mm": 100.0 if failed else 3.0,
        "failure": "nothing was found" if failed else "",
    }
    about = {"dataset": "phantom3d", "plane": "femur", "found_plane": "femur", "split": "test"}
    return case(f"p{number}.nii.gz", **{**about, **scores, **changes})


#: What a model that draws masks alone does not tell, and one that marks ends alone.
NO_ENDS = {"sizes": {}, "end_1_mm": None, "end_2_mm": None}
NO_MASK = {
    "dice": None, "jaccard": None, "average_boundary_mm": None, "hausdorff_boundary_mm": None,
    "found_ml": None,
}  # fmt: skip
