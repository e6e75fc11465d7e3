"""A few real images, in the published layout, without reading all the others."""

import csv

from fetometry.training.data import hc18, load
from fetometry.training.data.manifest import TEST_BUCKET, VALIDATION_BUCKET, bucket
from tests.support import data_dir

SIDES = {TEST_BUCKET: "test", VALIDATION_BUCKET: "validation"}


def some_of_hc18(folder, **counts):
    """The first so many rows of HC18 a side, read in a folder that holds nothing else."""
    folder.mkdir()
    (folder / "training_set").symlink_to(data_dir() / "hc18" / "training_set")
    with (data_dir() / "hc18" / hc18.TABLE).open(newline="", encoding="utf-8-sig") as stream:
        head, *lines = csv.reader(stream)
    chosen, left = [], dict(counts)
    for line in lines:
        stem = line[0].partition(".")[0]
        there = any((folder / "training_set" / f"{stem}{s}").is_file() for s in hc18.SUFFIXES)
        side = SIDES.get(bucket(hc18.NAME, stem.partition("_")[0]), "train")
        if there and left.get(side, 0) > 0:
            left[side] -= 1
            chosen.append(line)
    with (folder / hc18.TABLE).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *chosen])
    return load(hc18.NAME, folder)
