"""Volume phantoms as a data set: femurs of 23 to 31 weeks with known truth.

What is learned from them says nothing about real volumes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetometry.errors import OutputError, UsageError
from fetometry.phantom import DIFFICULTIES, SIZES, FemurVolumeSpec, femur3d, write_volume
from fetometry.phantom.femur3d.spec import GA_RANGE_DAYS
from fetometry.phantom.femur3d.write import beside, volume_suffix
from fetometry.training.data.phantoms import FEWEST, groups
from fetometry.training.data.volumes import TABLE, Point, VolumeRow, write_volumes

NAME = "phantom3d"
SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class Series:
    """So many volumes of one difficulty and size, made from one seed."""

    count: int
    seed: int = 0
    difficulty: float = DIFFICULTIES["clinical"]
    size: str = "small"

    def __post_init__(self) -> None:
        if self.count < FEWEST:
            raise UsageError(f"volumes must be {FEWEST} or more, got {self.count}")
        if self.size not in SIZES:
            raise UsageError(f"--size is {' or '.join(SIZES)}, got {self.size!r}")
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, got {self.seed}")
        _ = self.spec(0)  # refuses a difficulty before anything is written

    @property
    def groups(self) -> list[str]:
        """Names that fill the buckets in turn, the test bucket first."""
        return groups(self.count, NAME)

    def spec(self, number: int) -> FemurVolumeSpec:
        """Return what the volume of a number shows: any age from 23 to 31 weeks."""
        rng = np.random.default_rng([self.seed, number])
        shape, voxel_mm = SIZES[self.size]
        low, high = GA_RANGE_DAYS
        return FemurVolumeSpec(
            ga_days=float(rng.integers(low, high + 1)),
            difficulty=self.difficulty,
            shape=shape,
            voxel_mm=voxel_mm,
            seed=int(rng.integers(2**31)),
        )


def draw(folder: Path, series: Series, numbers: Iterable[int]) -> None:
    """Write the volumes of these numbers that are not there yet.

    Raises:
        UsageError: SimpleITK is not installed.
        OutputError: the folder cannot be written to, or holds a volume of another series.
    """
    names = series.groups
    for number in numbers:
        path, spec = folder / f"{names[number]}{SUFFIX}", series.spec(number)
        # the truth is written last: a volume without it was broken off
        if not path.is_file() or not beside(path, "truth.json").is_file():
            write_volume(femur3d(spec), path)
        elif not _shows(path, spec):
            raise OutputError(
                f"{path}: is of a series of another seed, difficulty or size; choose another --out"
            )


def _shows(path: Path, spec: FemurVolumeSpec) -> bool:
    """Tell whether a volume was made of a spec."""
    truth = json.loads(beside(path, "truth.json").read_text(encoding="utf-8"))
    told = truth["seed"], truth["difficulty"], truth["spacing_mm"]
    return bool(told == (spec.seed, spec.difficulty, [spec.voxel_mm] * 3))


def write(folder: Path, series: Series) -> list[VolumeRow]:
    """Write the volumes of a series that are not there yet, and the table last.

    Raises:
        UsageError: SimpleITK is not installed.
        OutputError: the folder cannot be written to, or holds a volume of another series.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    draw(folder, series, range(series.count))
    found = [_row(folder / f"{name}{SUFFIX}", name) for name in series.groups]
    write_volumes(found, folder / TABLE)
    return found


def _row(path: Path, group: str) -> VolumeRow:
    truth = json.loads(beside(path, "truth.json").read_text(encoding="utf-8"))
    one, other = (_point(end) for end in truth["ends_voxels"])
    return VolumeRow(
        dataset=NAME,
        image=path,
        mask=beside(path, f"mask{volume_suffix(path)}"),
        group=group,
        spacing_mm=_point(truth["spacing_mm"]),
        ends=(one, other),
        volume_ml=float(truth["volume_ml"]),
    )


def _point(values: list[float]) -> Point:
    first, second, third = (float(value) for value in values)
    return first, second, third
