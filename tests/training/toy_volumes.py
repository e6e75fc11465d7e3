"""A data set of volumes that trains in seconds: bright bars of known ends in dark speckle."""

import numpy as np
import pytest

from fetometry.training.data import VOLUMES, VolumeRow, load
from fetometry.training.data.manifest import bucket
from fetometry.training.data.volumes import write_volumes
from fetometry.training.recipe import from_tree
from tests.training import toy

NAME = "toy3d"
#: Slices lie twice as far apart as rows and columns do: cubes of 2 mm are (20, 24, 24).
SHAPE, SPACING_MM = (20, 48, 48), (2.0, 1.0, 1.0)
VOXEL_MM = 2.0
RADIUS_MM = 3.0


def bar(ends_mm, shape=SHAPE, spacing_mm=SPACING_MM):
    """A mask (D, H, W) of a cylinder with flat ends; the centre of the first voxel is at 0 mm."""
    one, other = np.array(ends_mm)
    grid = np.stack(np.indices(shape), axis=-1) * spacing_mm - (one + other) / 2
    half = np.linalg.norm(other - one) / 2
    along = grid @ ((other - one) / (2 * half))
    across = np.sqrt(np.maximum((grid**2).sum(axis=-1) - along**2, 0))
    return (np.abs(along) <= half) & (across <= RADIUS_MM)


def drawn(name):
    """A volume (D, H, W), its mask, and the ends in voxels, as the name says."""
    rng = np.random.default_rng(int(name))
    direction = rng.normal(size=3)
    half = rng.uniform(12, 14) * direction / np.linalg.norm(direction)
    middle = (np.array(SHAPE) - 1) * SPACING_MM / 2 + rng.uniform(-1, 1, 3)
    ends_mm = np.stack([middle - half, middle + half])
    mask = bar(ends_mm)
    voxels = np.where(mask, 200, rng.uniform(0, 40, SHAPE)).astype(np.uint8)
    return voxels, mask, ends_mm / SPACING_MM


def write(path, voxels, spacing_mm=SPACING_MM):
    itk = pytest.importorskip("SimpleITK", reason="needs the volume extra")
    image = itk.GetImageFromArray(voxels)
    image.SetSpacing(spacing_mm[::-1])
    itk.WriteImage(image, str(path))
    return path


def groups(side, count):
    """The first so many group names that the split rule puts on a side."""
    names = (f"{i:03d}" for i in range(10_000))
    return [name for name in names if bucket(NAME, name) in toy.BUCKETS[side]][:count]


def make(folder, **counts):
    """Write so many volumes a side, and their table; return its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for side, count in counts.items():
        for name in groups(side, count):
            voxels, mask, ends = drawn(name)
            image = write(folder / f"{name}.mha", voxels)
            beside = write(folder / f"{name}.mask.mha", mask.astype(np.uint8))
            one, other = (tuple(end) for end in ends.tolist())
            rows.append(VolumeRow(NAME, image, beside, name, SPACING_MM, (one, other)))
    write_volumes(rows, folder / VOLUMES)
    return load(NAME, folder)


def recipe(**changes):
    """A small recipe; a change is a table whose keys replace the recipe's own."""
    tree = {
        "name": "toy-femur3d",
        "licence": "CC0-1.0",
        "description": "a toy",
        "data": {"dataset": NAME},
        "input": {"size": [24, 24], "depth": 16, "voxel_mm": VOXEL_MM, "mean": 40.0, "std": 60.0},
        "network": {"name": "femur3d", "width": 2, "cross": True},
        "heads": {
            "mask": {"name": "solid"},
            "ends": {"name": "solid-ends", "sigma_voxels": 1.5, "sharpness": 20.0},
        },
        "augment": {"flip": True, "rotate_deg": 20.0, "scale": [0.9, 1.1], "noise": 0.05},
        "fit": {
            "epochs": 2, "batch_size": 1, "optimiser": "adam", "learning_rate": 0.01,
            "schedule": "constant",
        },
    }  # fmt: skip
    for table, values in changes.items():
        tree[table] = {**tree.get(table, {}), **values}
    return from_tree(tree, "toy3d")
