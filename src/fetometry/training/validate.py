"""Measuring during training, by the predictor's own decoding, at the cache's scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError
from fetometry.geometry import Matrix, fit_ellipse
from fetometry.predict.catalogue import measured_by, output_of
from fetometry.predict.decode import plane_probabilities, plane_totals
from fetometry.predict.seeing import Place, see
from fetometry.training.data import Row
from fetometry.types import MAIN

Maps = Mapping[str, NDArray[np.floating[Any]]]
#: What each output of a network means, by name.
Meanings = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Seen:
    """One validation image: its plane, the true and the measured value, was the plane right.

    A failure has 0 as measured value; None stands where there is no truth, or no plane output.
    `misses` are other errors by name, as shares: 0 where all is right, 1 where nothing is.
    """

    plane: str
    truth_mm: float | None
    found_mm: float | None
    plane_is_right: bool | None
    misses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """Reads a network's outputs by what its heads say they mean."""

    outputs: Meanings
    size: tuple[int, int]

    def compare(self, row: Row, maps: Maps, stored: tuple[Matrix, NDArray[np.int64]]) -> Seen:
        """Measure an image in its own plane; `stored` is the map to the input, and its shape."""
        right = self._plane_is_right(row, maps)
        truth = row.truth_mm.get(MAIN.get(row.plane, ""))
        if truth is None or measured_by(self.outputs, row.plane) is None:
            return Seen(row.plane, None, None, right)
        try:
            found = self._measured_mm(row, maps, stored)
        except MeasurementError:
            found = 0.0
        return Seen(row.plane, truth, found, right)

    def _plane_is_right(self, row: Row, maps: Maps) -> bool | None:
        name = output_of(self.outputs, "planes")
        if name is None:
            return None
        totals = plane_totals(plane_probabilities(maps[name], self.outputs[name]["classes"], 1.0))
        return max(totals, key=lambda plane: totals[plane]) == row.plane

    def _measured_mm(self, row: Row, maps: Maps, stored: tuple[Matrix, NDArray[np.int64]]) -> float:
        shape = (int(stored[1][0]), int(stored[1][1]))
        sight = see(self.outputs, row.plane, maps, Place(stored[0], shape, self.size))
        spacing = np.array(row.spacing_mm)
        if sight.size_px is not None:
            return sight.size_px * float(np.sqrt(spacing.prod()))
        if row.plane == "femur":
            if sight.ends is None:
                raise MeasurementError("the two ends were not found")
            return float(np.linalg.norm((sight.ends[0] - sight.ends[1]) * spacing))
        fitted = fit_ellipse(sight.outline.points).ellipse
        if fitted.semi_axes[0] > float(np.hypot(*shape)):
            raise MeasurementError("no ellipse fits the outline")  # as `measure` refuses it
        return fitted.scaled(*spacing).circumference


def summary(seen: Sequence[Seen]) -> dict[str, float]:
    """Return, for each plane, mean absolute difference and bias in mm, and what they amount to.

    `val_error` is the mean over the planes of the mean absolute difference in percent, and over
    what else was missed; nothing measured at all is 100.
    """
    told: dict[str, float] = {}
    shares = []
    for plane, name in MAIN.items():
        pairs = [
            (case.truth_mm, case.found_mm)
            for case in seen
            if case.plane == plane and case.truth_mm is not None and case.found_mm is not None
        ]
        if pairs:
            truth, found = np.array(pairs).T
            told[f"val_{name}_mm"] = float(np.abs(found - truth).mean())
            told[f"val_{name}_bias_mm"] = float((found - truth).mean())
            shares.append(float(np.abs(found / truth - 1).mean()))
    for name in dict.fromkeys(name for case in seen for name in case.misses):
        missed = float(np.mean([case.misses[name] for case in seen if name in case.misses]))
        told[f"val_missed_{name}"] = 100 * missed
        shares.append(missed)
    right = [case.plane_is_right for case in seen if case.plane_is_right is not None]
    if right:
        told["val_plane_accuracy"] = float(np.mean(right))
    told["val_error"] = 100 * float(np.mean(shares)) if shares else 100.0
    return told
