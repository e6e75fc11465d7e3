"""The limits of every plane: what is refused, and beyond what a quality flag is raised.

"Experts" are the landmarks of HC18 and Fetal Planes outside the test bucket; their percentiles,
and how often each flag is raised on them, are printed by `python benchmarks/flags.py --data DIR`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits that every plane has.

    Refused is only what no fetus can have, in mm. Unusual, and flagged, is what 12 to 42 weeks do
    not give: from Hadlock's mean at 12 weeks less three standard deviations to INTERGROWTH-21st's
    mean at 40 weeks plus three and Hadlock's growth of two more weeks. The deviations at 12 weeks
    are taken to be as large, relative to the mean, as INTERGROWTH-21st's at 14 (5.7 % of HC,
    5.1 % of AC, 11.6 % of FL). For AC and FL that lower limit is the one of refusal.

    References:
        Hadlock FP et al. Radiology 1984;152:497-501 (at 12 weeks HC 68, AC 46, FL 7 mm; from 40
        to 42 weeks 5, 16 and 3 mm). Papageorghiou AT et al. Lancet 2014;384:869-879 (at 40 weeks
        HC 334 SD 12.9, AC 350 SD 22.4, FL 72.1 SD 3.2 mm).
    """

    #: the measurement that is judged by size, its believable and its usual range in mm
    name: str
    believable_mm: tuple[float, float]
    usual_mm: tuple[float, float]
    #: `Prediction.softness`: a model's own doubt
    softness: float
    #: how near to the sector's edge, relative to the picture's longer side, counts as at it: the
    #: accuracy with which the edge is found
    sector_margin: float = 0.01


@dataclass(frozen=True, kw_only=True)
class EllipseLimits(Limits):
    """Limits of a head or an abdomen, whose outline is an ellipse."""

    #: share of the ellipse's outline outside the image
    cut: float = 0.0
    #: share of the ellipse's outline outside the sector. The experts' is 0 for 99 % of their
    #: ellipses and above 0.07 for the others, which are cut
    sector: float = 0.05
    #: RMS distance of the outline from its ellipse, relative to the mean radius
    residual: float
    #: share of the image's area that the ellipse covers, at least: the experts' 1st percentile
    area: float
    #: what is compared with what, and its range
    shape: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class ShaftLimits(Limits):
    """Limits of a femur.

    References:
        Salomon LJ et al. ISUOG Practice Guidelines. Ultrasound Obstet Gynecol 2019;53:715-723
        (insonation at 45 to 90 degrees). Sarris I et al. Ultrasound Obstet Gynecol
        2012;39:266-273 (limits of agreement of two sonographers for FL: 11.1 %).
    """

    #: how near an end may lie to the image edge, relative to the image's shorter side: a few
    #: pixels. The experts' nearest is 0.07
    edge: float = 0.01
    #: length relative to the image's longer side, at least: the experts' 1st percentile
    length: float
    #: degrees between the shaft and the horizontal, which is taken to be across the beam
    tilt_deg: float = 45.0
    #: how far the middle of the shaft's mask leaves the line between the ends, relative to its
    #: length: the bar that the model is taught is 9 % of its length wide, so that beyond half of
    #: that the bone is no longer covered by a straight one
    bend: float = 0.05
    #: how far an end lies from the mask's, along the shaft and relative to its length: as far as
    #: two sonographers disagree about all of the length
    gap: float = 0.111


#: With more than this share of the outline outside the image there is nothing to measure.
MOST_CUT = 0.5

#: With a smaller share of the outline on the ellipse, the ellipse does not describe it.
LEAST_INLIERS = 0.5

#: `shape` is BPD / OFD; Hadlock FP et al. AJR 1981;137:83-85 (0.78 +- 2 SD of 0.04). `softness`
#: and `residual` are the 95th percentiles of the head model on its validation images, rounded.
HEAD = EllipseLimits(
    name="HC",
    believable_mm=(40.0, 420.0),
    usual_mm=(56.0, 378.0),
    softness=0.06,
    residual=0.025,
    area=0.065,
    shape=(0.70, 0.86),
)

#: `shape` is TAD / APAD: the experts' 2.5th and 97.5th percentiles, as no range was published.
#: `softness` and `residual` are those of a head: as wide a doubt about the edge does as much harm.
ABDOMEN = EllipseLimits(
    name="AC",
    believable_mm=(40.0, 450.0),
    usual_mm=(40.0, 433.0),
    softness=0.09,
    residual=0.046,
    area=0.09,
    shape=(0.84, 1.15),
)

#: `softness` beyond 0.5 leaves half of the shaft's area in doubt.
FEMUR = ShaftLimits(
    name="FL",
    believable_mm=(5.0, 95.0),
    usual_mm=(5.0, 85.0),
    softness=0.5,
    length=0.2,
)
