"""A data set that trains in seconds: bright heads with a brighter skull on dark speckle."""

import cv2
import numpy as np

from fetometry.geometry import Ellipse
from fetometry.training.data import MANIFEST, Row, load, write_manifest
from fetometry.training.data.manifest import bucket
from fetometry.training.recipe import from_tree

NAME = "toy"
SHAPE = (64, 96)
SPACING_MM = (0.9, 0.9)
BUCKETS = {"train": range(2, 10), "validation": (1,), "test": (0,)}


def away(ellipse, shape):
    """How far each pixel (H, W) is outside an ellipse, in pixels; negative inside."""
    grid = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1)
    return (ellipse.level(grid) - 1) * ellipse.semi_axes[1]


def disc(ellipse, shape=SHAPE):
    """A flat ellipse (H, W): 180 inside, 0 outside, so that its edge is at 90."""
    return (180 * np.clip(0.5 - away(ellipse, shape), 0, 1)).astype(np.uint8)


def picture(ellipse, seed=0, shape=SHAPE):
    """A head (H, W): 160 inside, 250 on the skull, speckle of 0 to 30 outside."""
    out = away(ellipse, shape)
    inside = np.clip(0.5 - out, 0, 1)
    skull = np.exp(-np.square((out + 1.5) / 1.2))
    speckle = np.random.default_rng(seed).uniform(0, 30, shape)
    return np.clip(speckle * (1 - inside) + 160 * inside + 90 * skull, 0, 255).astype(np.uint8)


def groups(side, count):
    """The first so many group names that the split rule puts on a side."""
    names = (f"{i:03d}" for i in range(10_000))
    return [name for name in names if bucket(NAME, name) in BUCKETS[side]][:count]


def make(folder, **counts):
    """Write so many pictures a side, and the manifest; return its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for side, count in counts.items():
        for name in groups(side, count):
            rng = np.random.default_rng(int(name))
            center = np.array(SHAPE) / 2 + rng.uniform(-3, 3, 2)
            b = rng.uniform(16, 22)
            ellipse = Ellipse(tuple(center), (b * rng.uniform(1.2, 1.4), b), rng.uniform(0, 180))
            path = folder / f"{name}.png"
            assert cv2.imwrite(str(path), picture(ellipse, int(name)))
            hc = ellipse.scaled(*SPACING_MM).circumference
            rows.append(Row(NAME, path, name, "head", SPACING_MM, ellipse, hc))
    write_manifest(rows, folder / MANIFEST)
    return load(NAME, folder)


def recipe(**changes):
    """A small recipe; a change is a table whose keys replace the recipe's own."""
    tree = {
        "name": "toy-head",
        "licence": "CC0-1.0",
        "description": "a toy",
        "data": {"dataset": NAME, "cache_size": list(SHAPE)},
        "input": {"size": list(SHAPE), "mean": 127.0, "std": 128.0},
        "network": {"name": "tests.training.toy_nets:tiny"},
        "heads": {"outline": {"name": "mask"}},
        "augment": {"flip": True, "rotate_deg": 20.0, "scale": [0.9, 1.1], "noise": 0.05},
        "fit": {"epochs": 2, "batch_size": 2, "learning_rate": 0.02},
    }
    for table, values in changes.items():
        tree[table] = {**tree.get(table, {}), **values}
    return from_tree(tree, "toy")
