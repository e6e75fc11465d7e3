"""Phantoms as a data set: pictures with known truth for trying a training out in seconds.

They are small pictures of heads, abdomens and femurs, one of each plane a patient. What is
learned from them says nothing about real images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fetometry.errors import DataError, OutputError, UsageError
from fetometry.phantom import (
    AbdomenSpec,
    FemurSpec,
    HeadSpec,
    abdomen,
    femur,
    head,
    write_png,
)
from fetometry.training.data.manifest import (
    BUCKETS,
    Ends,
    Row,
    bucket,
    read_manifest,
    write_manifest,
)

NAME = "phantom"
TABLE = "manifest.csv"
SHAPE = (300, 400)
#: Fewer patients would leave a side of the split empty.
FEWEST = 3


def _pair(points: Any) -> Ends:
    (row_1, col_1), (row_2, col_2) = np.asarray(points).tolist()
    return (row_1, col_1), (row_2, col_2)


def _head(rng: np.random.Generator, seed: int) -> tuple[Any, dict[str, Any]]:
    spec = HeadSpec(
        hc_mm=rng.uniform(180, 320),
        cephalic_index=rng.uniform(0.74, 0.86),
        angle_deg=rng.uniform(-25, 25),
        shape=SHAPE,
        seed=seed,
    )
    made = head(spec)
    return made, {"ellipse": made.truth, "view": "trans-thalamic"}


def _abdomen(rng: np.random.Generator, seed: int) -> tuple[Any, dict[str, Any]]:
    spec = AbdomenSpec(
        ac_mm=rng.uniform(160, 320),
        aspect=rng.uniform(0.88, 1.08),
        spine_deg=rng.uniform(0, 360),
        shape=SHAPE,
        seed=seed,
    )
    made = abdomen(spec)
    return made, {"ellipse": made.truth, "ends": _pair(made.tad_px)}


def _femur(rng: np.random.Generator, seed: int) -> tuple[Any, dict[str, Any]]:
    spec = FemurSpec(
        fl_mm=rng.uniform(30, 65), angle_deg=rng.uniform(-25, 25), shape=SHAPE, seed=seed
    )
    made = femur(spec)
    return made, {"ends": _pair(made.ends_px)}


#: What is drawn of a patient, by plane: the phantom, and what its row says of it.
DRAWN: Mapping[str, Callable[[np.random.Generator, int], tuple[Any, dict[str, Any]]]] = {
    "head": _head,
    "abdomen": _abdomen,
    "femur": _femur,
}


def groups(count: int, dataset: str = NAME) -> list[str]:
    """Return names of so many patients that fill the buckets in turn, the test bucket first."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        name = f"p{number:05d}"
        if bucket(dataset, name) == len(found) % BUCKETS:
            found.append(name)
        number += 1
    return found


def write(
    folder: Path, patients: int, seed: int, *, planes: Sequence[str] = tuple(DRAWN)
) -> list[Row]:
    """Draw one picture of each plane of so many patients, and write the manifest last.

    Raises:
        UsageError: so few patients would leave a side of the split empty.
        OutputError: the folder cannot be written to.
    """
    if patients < FEWEST:
        raise UsageError(f"phantoms must be {FEWEST} patients or more, got {patients}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    found = []
    for number, group in enumerate(groups(patients)):
        for plane in planes:
            position = tuple(DRAWN).index(plane)
            rng = np.random.default_rng([seed, number, position])
            made, known = DRAWN[plane](rng, int(rng.integers(2**31)))
            path = folder / f"{group}_{plane}.png"
            write_png(made, path)
            found.append(Row(NAME, path, group, plane, made.spacing_mm, **known))
    write_manifest(found, folder / TABLE)
    return found


def rows(folder: Path) -> list[Row]:
    """Read what `write` wrote.

    Raises:
        DataError: the folder holds no phantoms.
    """
    table = folder / TABLE
    if not table.is_file():
        raise DataError(
            f"{folder}: {TABLE} is missing; `fetometry reproduce PAPER --budget smoke` draws "
            "phantoms in its folder of runs"
        )
    return [row for row in read_manifest(table) if row.dataset == NAME]
