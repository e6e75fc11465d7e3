"""An image looked at once more, for a plane that a person named, or with nothing seen in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from fetometry import predict
from fetometry.errors import MeasurementError, SpacingError, UsageError
from fetometry.geometry import Ellipse
from fetometry.measure import ABDOMEN, FEMUR, HEAD, Placed, measure_placed
from fetometry.measure import measure as measure_plane
from fetometry.pipeline.frames import spacing_of
from fetometry.pipeline.settings import Settings
from fetometry.review import PLANE_CHOSEN
from fetometry.types import Finding, Image, Prediction, Spacing

#: Images that are remembered with what a model saw in them for a plane that was insisted on.
REMEMBERED = 64

#: Half the long axis of an ellipse, and half of a line, that stand in the middle of an image
#: until a person places them: the share of its shorter side; how round the ellipse is.
SHARE, ROUND = 0.3, 0.8

#: What stands for the quality of what no model saw: as of a number without an outline.
QUALITY = 0.25

#: The largest part of the usual range of sizes that a thing in the middle may begin with.
LOW, HIGH = 1.2, 0.8


@dataclass(frozen=True)
class _Look:
    """What a look depends on, and what is needed for it."""

    digest: bytes
    shape: tuple[int, int]
    plane: str
    model: str
    flipped: bool
    image: Image = field(compare=False, repr=False)
    predictor: predict.Predictor = field(compare=False, repr=False)


@lru_cache(maxsize=REMEMBERED)
def _seen(look: _Look) -> Prediction | None:
    try:
        return look.predictor.predict(look.image, look.plane)
    except (MeasurementError, UsageError):  # nothing there, or the model has no such plane
        return None


def looked_again(
    image: Image, plane: str, spacing: Spacing | None, settings: Settings
) -> tuple[Finding, bool]:
    """Return what the model sees of a plane that is insisted on, and whether it saw it.

    A look at the same picture is remembered. Where nothing was seen, an ellipse or a line stands
    in the middle, to be placed. `spacing` is that of a reviewer, where there is one.

    Raises:
        ModelError: the model cannot be used.
    """
    predictor = settings.predictor
    told = settings.told_of(image)
    digest = hashlib.blake2b(image.pixels.tobytes(), digest_size=16).digest()
    model = predictor.info.ref
    look = _Look(digest, image.shape, plane, model.sha256, predictor.flip_average, told, predictor)
    prediction = _seen(look)
    if prediction is not None:
        kept = tuple(flag for flag in prediction.flags if flag != "low-plane-probability")
        # the person knows the plane; an interval of the model holds where it knew it itself
        flags = (*kept, PLANE_CHOSEN)
        sure = replace(prediction, plane_probability=None, intervals={}, flags=flags)
        there = spacing or spacing_of(told, prediction, settings)[0]
        try:
            return measure_plane(told, sure, there), True
        except MeasurementError:
            pass
    return _in_the_middle(told, plane, spacing, settings), False


def _in_the_middle(
    image: Image, plane: str, spacing: Spacing | None, settings: Settings
) -> Finding:
    there = spacing or _spacing_in_the_middle(image)
    center = (np.array(image.shape) - 1) / 2
    long = _length(image, plane, there)
    bare = Finding(
        source=image.source,
        frame=image.frame,
        plane=plane,
        plane_probability=None,
        model=settings.predictor.info.ref,
        spacing=there,
        outline_px=np.zeros((0, 2)),
        ellipse=None,
        points_px={},
        measurements=(),
        quality=QUALITY,
        fetus=image.fetus,
        exam=image.exam,
    )
    half = np.array([0.0, long])
    if plane == "femur":
        placed = Placed(ends_px={"FL": np.array([center - half, center + half])})
    else:
        placed = Placed(Ellipse((center[0], center[1]), (long, ROUND * long), 0.0))
    found = measure_placed(image, bare, placed, there)
    # nobody placed it yet
    return replace(found, measurements=tuple(replace(m, flags=()) for m in found.measurements))


def _spacing_in_the_middle(image: Image) -> Spacing | None:
    try:
        return image.spacing_at(((np.array(image.shape) - 1) / 2)[None])
    except SpacingError:
        return None


def _length(image: Image, plane: str, spacing: Spacing | None) -> float:
    """Return half the length, in pixels, of a thing in the middle that a fetus may have."""
    half = SHARE * min(image.shape)
    if spacing is None:
        return half
    limits = {"head": HEAD, "abdomen": ABDOMEN, "femur": FEMUR}[plane]
    low, high = LOW * limits.usual_mm[0], HIGH * limits.usual_mm[1]
    size = float(2 * spacing.mm[1])
    if plane != "femur":
        size = Ellipse((0.0, 0.0), (1.0, ROUND), 0.0).scaled(*spacing.mm).circumference
    return float(np.clip(half, low / size, high / size))
