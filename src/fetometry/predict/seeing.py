"""What a model saw of one plane, read from its outputs by what they mean.

The predictor and the validation of a training read by the same table: one entry for each kind of
output that a plane can be measured by. The first kind that a model has for the plane is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry import Matrix, Outline, Points, apply
from fetometry.predict.bar import bar_ends
from fetometry.predict.catalogue import measured_by, output_of
from fetometry.predict.decode import find_ends, mask_outline, output_to_source
from fetometry.predict.ellipse import ellipse_outline, read_ellipse
from fetometry.predict.size import size_px

Maps = Mapping[str, NDArray[np.floating[Any]]]
Meanings = Mapping[str, Mapping[str, Any]]

_NO_OUTLINE = Outline(np.zeros((0, 2)), 0)


@dataclass(frozen=True)
class Place:
    """Where the input lies in the source image.

    `to_input` is the 2x3 map from source pixels to the input of `size`; `shape` is the source's.
    """

    to_input: Matrix
    shape: tuple[int, int]
    size: tuple[int, int]

    @property
    def source_px(self) -> float:
        """How many source pixels one pixel of the input is long."""
        return 1 / float(np.linalg.norm(self.to_input[:, 0]))

    def to_source(self, level: NDArray[np.floating[Any]]) -> Matrix:
        """Return the map from the pixels of an output (h, w) to source pixels."""
        return output_to_source(self.to_input, self.size[0] / level.shape[0])


@dataclass(frozen=True)
class Sight:
    """What was seen, in source pixels; `size_px` is a size that was told without a place."""

    outline: Outline = field(default_factory=lambda: _NO_OUTLINE)
    ends: Points | None = None
    softness: float = 0.0
    size_px: float | None = None


def softness(logits: NDArray[np.floating[Any]]) -> float:
    """Return how much the radius of a mask of logits changes from p = 0.75 to p = 0.25.

    Relative to the radius at p = 0.5; by areas, since dA / A = 2 dr / r.
    """
    third = float(np.log(3.0))
    inner, middle, outer = (int(np.sum(logits > level)) for level in (third, 0.0, -third))
    return (outer - inner) / (2 * max(middle, 1))


def _from_mask(outputs: Meanings, plane: str, maps: Maps, place: Place) -> Sight:
    """Read an outline from a map, and two ends where the model has them."""
    mask_name = str(output_of(outputs, "mask", plane))
    logits = maps[mask_name][0]
    to_source = place.to_source(logits)
    name = output_of(outputs, "ends", plane)
    if name is None:
        outline = mask_outline(logits, to_source, place.shape)
        cap_px = float(outputs[mask_name].get("cap_px", 0.0)) * place.source_px
        ends = bar_ends(outline.points, cap_px) if plane == "femur" else None
        return Sight(outline, ends, softness(logits))
    meaning = outputs[name]
    along = maps[str(meaning["along"])][0]
    if meaning.get("tells") == "length":
        ends = apply(to_source, find_ends(maps[name][0], along))
        return Sight(_shaft(logits, to_source, place.shape), ends, softness(logits))
    outline = mask_outline(logits, to_source, place.shape)
    try:
        across = apply(to_source, find_ends(maps[name][0], along))
    except MeasurementError:  # the circumference stands without knowing which way is across
        across = None
    return Sight(outline, across, softness(logits))


def _shaft(logits: NDArray[np.floating[Any]], to_source: Matrix, shape: tuple[int, int]) -> Outline:
    """Return the outline of a shaft; none where the ends alone were seen."""
    try:
        return mask_outline(logits, to_source, shape)
    except MeasurementError:
        return _NO_OUTLINE


def _from_size(outputs: Meanings, plane: str, maps: Maps, place: Place) -> Sight:
    """Read a size that was told as a number."""
    name = str(output_of(outputs, "size", plane))
    return Sight(size_px=size_px(maps[name], outputs[name], place.to_input))


def _from_ellipse(outputs: Meanings, plane: str, maps: Maps, place: Place) -> Sight:
    """Read an outline from the parameters of an ellipse."""
    name = str(output_of(outputs, "ellipse", plane))
    ellipse = read_ellipse(maps[name], outputs[name], place.size)
    return Sight(ellipse_outline(ellipse, place.to_input, place.shape))


_READERS: Mapping[str, Callable[[Meanings, str, Maps, Place], Sight]] = {
    "mask": _from_mask,
    "ellipse": _from_ellipse,
    "size": _from_size,
}


def see(outputs: Meanings, plane: str, maps: Maps, place: Place) -> Sight:
    """Read what the outputs of one image, {name: (channels, h, w) or (C,)}, say of a plane.

    Raises:
        MeasurementError: nothing is there to be measured.
        ModelError: no output is of that plane.
    """
    kind = measured_by(outputs, plane)
    if kind is None:
        raise ModelError(f"no output of the model measures the plane {plane}")
    return _READERS[kind](outputs, plane, maps, place)
