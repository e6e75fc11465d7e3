"""What comes out of one frame or one volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetometry.types import Finding, Problem, VolumeFinding
from fetometry.volume import Volume


@dataclass(frozen=True)
class Result:
    """One frame: its finding where there is one, what was refused, and the picture to draw on.

    In `picture`, everything that could show a patient's name is black. Of a file that is a volume
    there is `in_volume` instead, and the `volume` to draw.
    """

    finding: Finding | None
    problems: tuple[Problem, ...]
    picture: NDArray[np.uint8] | None
    in_volume: VolumeFinding | None = None
    volume: Volume | None = None
