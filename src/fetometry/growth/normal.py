"""The normal distribution: z score to centile and back."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from fetometry.growth.refusals import Floats

#: The 2.5th and 97.5th centile lie this many standard deviations from the mean.
Z95 = NormalDist().inv_cdf(0.975)

_ROOT_HALF = math.sqrt(0.5)
_erfc = np.frompyfunc(math.erfc, 1, 1)
_inverse = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


def centile_of(z: Floats) -> Floats:
    """Return the centile, 0 to 100, of each z score; NaN stays NaN."""
    return np.asarray(50 * _erfc(-_ROOT_HALF * np.asarray(z, float)), dtype=np.float64)


def z_of(centile: Floats) -> Floats:
    """Return the z score of each centile; those that are not between 0 and 100 become NaN."""
    share = np.asarray(centile, dtype=np.float64) / 100
    inside = (share > 0) & (share < 1)
    z = np.asarray(_inverse(np.where(inside, share, 0.5)), dtype=np.float64)
    return np.where(inside, z, np.nan)
