"""Data sets that train in seconds: heads on dark speckle, and exams of all three planes."""

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


def speckle(seed):
    return np.random.default_rng(seed).uniform(0, 30, SHAPE)


def spots(points, sigma=2.0):
    """Gaussian spots (H, W) of height 1."""
    grid = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1)
    far = np.linalg.norm(grid[None] - np.array(points)[:, None, None], axis=-1)
    return np.exp(-0.5 * np.square(far / sigma)).max(axis=0)


def filled(outside_px, grey, seed):
    """A shape of one grey value on speckle, and how much of each pixel is inside (H, W)."""
    inside = np.clip(0.5 - outside_px, 0, 1)
    return speckle(seed) * (1 - inside) + grey * inside, inside


def head(ellipse, seed):
    """A head: 100 inside and 200 in its core, so that its edge is that of an abdomen."""
    soft, _ = filled(away(ellipse, SHAPE), 100, seed)
    grid = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1)
    return np.where(ellipse.level(grid) < 0.8, 200, soft).astype(np.uint8)


def abdomen(ellipse, ends, seed):
    """An abdomen: 100 inside, with half a spot of 250 where its transverse diameter ends."""
    soft, inside = filled(away(ellipse, SHAPE), 100, seed)
    return (soft + (250 - soft) * spots(ends) * inside).astype(np.uint8)


def femur(ends, seed):
    """A femur: a bar of 100, 9 px wide, with a spot of 250 at either end."""
    one, other = np.array(ends)
    grid = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1) - (one + other) / 2
    half = np.linalg.norm(other - one) / 2
    along = (other - one) / (2 * half)
    across = np.array([-along[1], along[0]])
    out = np.maximum(np.abs(grid @ along) - half, np.abs(grid @ across) - 4.5)
    soft, _ = filled(out, 100, seed)
    return (soft + (250 - soft) * spots(ends)).astype(np.uint8)


def patient(name):
    """One picture of each plane of a patient, with what is known of it."""
    rng = np.random.default_rng(int(name))
    center = np.array(SHAPE) / 2 + rng.uniform(-2, 2, 2)
    b, angle = rng.uniform(17, 20), rng.uniform(0, 180)
    ellipse = Ellipse(tuple(center), (b * rng.uniform(1.2, 1.3), b), angle)
    axis = ellipse.directions[rng.integers(2)]
    across = tuple(tuple(end) for end in ellipse.chord(axis).tolist())
    direction = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    half = rng.uniform(18, 22) * direction
    shaft = tuple(tuple((center + side * half).tolist()) for side in (-1, 1))
    seed = int(name)
    known = {"spacing_mm": SPACING_MM, "machine": "A"}
    return {
        "head": (head(ellipse, seed), {"ellipse": ellipse, "view": "trans-thalamic", **known}),
        "abdomen": (abdomen(ellipse, across, seed), {"ellipse": ellipse, "ends": across, **known}),
        "femur": (femur(shaft, seed), {"ends": shaft, **known}),
        "none": (speckle(seed).astype(np.uint8), {"spacing_mm": None, "machine": "B"}),
    }


def make_exams(folder, **counts):
    """Write one picture of each plane of so many patients a side; return the manifest's rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for side, count in counts.items():
        for name in groups(side, count):
            for plane, (pixels, known) in patient(name).items():
                path = folder / f"{name}_{plane}.png"
                assert cv2.imwrite(str(path), pixels)
                rows.append(Row(NAME, path, name, plane, **known))
    write_manifest(rows, folder / MANIFEST)
    return load(NAME, folder)


#: Heads of a recipe that tells planes apart and measures all three.
EXAM_HEADS = {
    "outline": {"name": "mask", "planes": ["head", "abdomen"]},
    "shaft": {"name": "shaft"},
    "ends": {"name": "ends", "along": "shaft"},
    "across": {"name": "ends", "planes": ["abdomen"], "along": "outline", "tells": "direction"},
    "plane": {"name": "plane"},
}


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
