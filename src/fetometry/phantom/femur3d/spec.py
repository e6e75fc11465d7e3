"""What to show: how old or how long a femur, how hard to see, in how large a volume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fetometry.errors import UsageError
from fetometry.phantom.femur3d.pose import draw_shaft
from fetometry.phantom.femur3d.probe import VOXEL_MM, Shape3, SweptProbe, probe_over
from fetometry.phantom.femur3d.shaft import Shaft
from fetometry.phantom.view import check_range
from fetometry.volume import checked_spacing_3d

#: 23 to 31 completed weeks, as in Wang et al. 2019.
GA_RANGE_DAYS = (161, 223)

#: The age of a phantom of which neither age nor length is said: that of the other phantoms.
GA_DAYS = 189

FL_RANGE_MM = (8.0, 80.0)

SIDE_RANGE = (48, 512)

#: The ends of the knob.
DIFFICULTIES = {"clean": 0.0, "clinical": 1.0}

#: What each seed feeds; streams of one seed do not know of each other.
LENGTH, POSE, SCENE, MACHINE, TEXTURE, SPECKLE = range(6)


def chart_fl_mm(ga_days: float) -> tuple[float, float]:
    """Return mean and standard deviation of FL at an age, in mm.

    References:
        INTERGROWTH-21st: Papageorghiou AT et al. Lancet 2014;384:869-879, FL for 14+0 to 40+0
        weeks.
    """
    weeks = ga_days / 7
    mean = -39.9616 + 4.32298 * weeks - 0.0380156 * weeks**2
    deviation = math.exp(0.605843 - 42.0014 / weeks**2 + 0.00000917972 * weeks**3)
    return mean, deviation


@dataclass(frozen=True)
class FemurVolumeSpec:
    """A femur of this age, or of this length, in a volume of this shape.

    An age gives the length of the growth chart, with its scatter; `fl_mm` says it. `difficulty`
    goes from 0, clean, to 1, clinical. `shape` is (D, H, W) voxels, all sides of which measure
    `voxel_mm`; the probe looks along the rows. The default is the volume of Wang et al. 2019.

    Raises:
        UsageError: a value is out of range, age and length are both given, or the volume is too
            small for the shaft.
        SpacingError: the size of a voxel is not believable.
    """

    ga_days: float | None = None
    fl_mm: float | None = None
    difficulty: float = DIFFICULTIES["clinical"]
    shape: Shape3 = (284, 416, 416)
    voxel_mm: float = VOXEL_MM
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fl_mm is not None:
            if self.ga_days is not None:
                raise UsageError("a femur has an age or a length, not both: leave one out")
            check_range("FL", self.fl_mm, FL_RANGE_MM, unit=" mm", ask=". Is it in cm?")
        check_range("the gestational age", self.age_days, GA_RANGE_DAYS, unit=" days")
        check_range("difficulty", self.difficulty, (0.0, 1.0))
        for side in self.shape:
            check_range("each side of the volume", side, SIDE_RANGE, unit=" voxels")
        checked_spacing_3d((self.voxel_mm,) * 3)
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, got {self.seed}")
        _ = self.shaft  # refuses a volume without room for it

    def stream(self, number: int) -> np.random.Generator:
        """Return random numbers of this seed, for one use."""
        return np.random.default_rng((self.seed, number))

    @property
    def age_days(self) -> float:
        """The gestational age that was asked for."""
        return GA_DAYS if self.ga_days is None else self.ga_days

    @cached_property
    def length_mm(self) -> float:
        """Length of the shaft, as said or as drawn for its age."""
        if self.fl_mm is not None:
            return self.fl_mm
        mean, deviation = chart_fl_mm(self.age_days)
        return float(mean + deviation * self.stream(LENGTH).standard_normal())

    @cached_property
    def probe(self) -> SweptProbe:
        """The probe above the volume."""
        return probe_over(self.shape, self.voxel_mm)

    @cached_property
    def shaft(self) -> Shaft:
        """The bone where it lies."""
        size = np.array(self.shape) * self.voxel_mm
        return draw_shaft(self.length_mm, self.probe, size, self.stream(POSE))


#: Shapes by name: that of Wang et al. 2019, one that a CPU can train on, and one for trying out.
SIZES: dict[str, tuple[Shape3, float]] = {
    "full": (FemurVolumeSpec.shape, FemurVolumeSpec.voxel_mm),
    "small": ((96, 128, 128), 0.8),
    "tiny": ((72, 96, 96), 1.0),
}
