"""Stage 2 in 3D: Volume → VolumePrediction, by overlapping windows and in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry.solid import Box, Shape3d, windows
from fetometry.predict.catalogue import ModelInfo, named_by
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import opened
from fetometry.predict.resample import Grid, grid_over, resample
from fetometry.predict.solid import choose_ends, region_box, structure
from fetometry.volume import Spacing3d, Volume, VolumePrediction

#: How many channels an output of each kind has.
_CHANNELS = {"solid": 1, "solid-ends": 2}

Levels = dict[str, NDArray[np.float32]]

#: A region of interest that is shorter than this from corner to corner holds a part of a shaft
#: alone: all of the volume is searched instead. At 20 weeks a femur is as long.
LEAST_REGION_MM = 30.0


@dataclass(frozen=True)
class VolumePredictor:
    """A model of volumes, loaded: give it a volume, get what it saw in source voxels.

    `roi` finds the region that is looked at; without it that is the whole volume.
    """

    info: ModelInfo
    engine: Engine
    roi: VolumePredictor | None = None

    @property
    def size(self) -> Shape3d:
        """The slices, rows and columns that the network sees at once."""
        return self.info.depth, *self.info.size

    def predict(self, volume: Volume) -> VolumePrediction:
        """Find the region, run the network over it, and read its outputs.

        Raises:
            SpacingError: the volume does not say how large a voxel is, or it cannot be true.
            MeasurementError: nothing was found.
            ModelError: the network's outputs are not those that its metadata promise.
        """
        box, flags = self._region(volume)
        grid, levels = self.look(volume, box)
        logits, heatmaps = self._of_kind("solid", levels), self._of_kind("solid-ends", levels)
        found = None if logits is None else structure(logits[0], grid)
        ends = None if heatmaps is None else choose_ends(heatmaps, self.info.voxel_mm)
        if found is None and ends is None:
            raise MeasurementError("nothing was found in the volume")
        return VolumePrediction(
            model=self.info.ref,
            box=box,
            mask=None if found is None else found.within(box),
            ends=None if ends is None else _inside(grid.to_source(ends), volume.shape),
            candidates=1 if found is None else found.candidates,
            flags=flags,
        )

    def look(self, volume: Volume, box: Box) -> tuple[Grid, Levels]:
        """Run the network over a box of a volume and return its outputs {name: (C, d, h, w)}.

        They lie on the grid that is returned with them. Windows of the network's size overlap by
        half; where the box is the smaller, it lies in the middle and grey 0 around it.

        Raises:
            SpacingError: the volume does not say how large a voxel is, or it cannot be true.
            MeasurementError: the network answers with what is no number.
            ModelError: the network's outputs are not those that its metadata promise.
        """
        spacing_mm = volume.known_spacing_mm
        grid = grid_over(box, spacing_mm, self.info.voxel_mm)
        grey = resample(volume.voxels, spacing_mm, self.info.voxel_mm, box)
        room = [max(0, size - n) for size, n in zip(self.size, grey.shape, strict=True)]
        before = [n // 2 for n in room]
        padded = np.pad(grey, [(a, n - a) for a, n in zip(before, room, strict=True)])
        levels = self._blended(padded)
        a, b, c = (slice(i, i + n) for i, n in zip(before, grey.shape, strict=True))
        return grid, {name: level[:, a, b, c] for name, level in levels.items()}

    def _blended(self, grey: NDArray[np.uint8]) -> Levels:
        """Run one window after the other and return the weighted sum of their outputs."""
        channels = {
            name: _CHANNELS[meaning["kind"]]
            for name, meaning in self.info.outputs.items()
            if meaning["kind"] in _CHANNELS
        }
        shape = _shape(grey)
        levels = {name: np.zeros((n, *shape), np.float32) for name, n in channels.items()}
        mean, std = np.float32(self.info.mean), np.float32(self.info.std)
        d, h, w = (n // 2 for n in self.size)
        for window in windows(shape, self.size, (d, h, w)):
            cut = (slice(None), *window.box.slices)
            batch = (grey[window.box.slices][None, None].astype(np.float32) - mean) / std
            outputs = self.engine.run(np.ascontiguousarray(batch))
            self._check(outputs, channels)
            for name, level in levels.items():
                level[cut] += window.weights * outputs[name][0]
        return levels

    def _check(self, outputs: Levels, channels: Mapping[str, int]) -> None:
        """Refuse the outputs (1, C, d, h, w) of a window that are not as promised."""
        for name, count in channels.items():
            promised = (1, count, *self.size)
            given = outputs[name].shape if name in outputs else "no such output"
            if given != promised:
                raise ModelError(
                    f"{self.info.ref.name}: its metadata promise an output {name!r} of "
                    f"{promised}, the network has {given}; export the model again"
                )
            if not np.isfinite(outputs[name]).all():
                raise MeasurementError(f"the network's {name!r} are no numbers in this volume")

    def _of_kind(self, kind: str, levels: Levels) -> NDArray[np.float32] | None:
        name = self.info.output_of(kind)
        return None if name is None else levels[name]

    def _region(self, volume: Volume) -> tuple[Box, tuple[str, ...]]:
        """Return the box that is looked at, and what is to be remarked of it."""
        whole = Box((0, 0, 0), volume.shape)
        if self.roi is None:
            return whole, ()
        grid, levels = self.roi.look(volume, whole)
        logits = self.roi._of_kind("solid", levels)
        found = None if logits is None else region_box(logits[0], grid)
        spacing = volume.known_spacing_mm
        if found is None or np.linalg.norm(np.multiply(found.shape, spacing)) < LEAST_REGION_MM:
            return whole, ("roi-not-found",)
        return _grown(found, self.info.margin_mm, spacing, whole), ()


def _shape(grey: NDArray[np.uint8]) -> Shape3d:
    slices, rows, cols = grey.shape
    return slices, rows, cols


def _inside(points: NDArray[np.float64], shape: Shape3d) -> NDArray[np.float64]:
    """Return points of which none lies outside the volume, as the last cube of a grid may."""
    return np.asarray(np.clip(points, 0, np.array(shape) - 1))


def _grown(box: Box, margin_mm: float, spacing_mm: Spacing3d, whole: Box) -> Box:
    """Return a box with a margin in mm on every side, as far as the volume reaches."""
    margins = np.ceil(margin_mm / np.array(spacing_mm) - 1e-6).astype(int)
    (a, b, c) = np.maximum(np.array(box.start) - margins, whole.start).tolist()
    (d, e, f) = np.minimum(np.array(box.stop) + margins, whole.stop).tolist()
    return Box((a, b, c), (d, e, f))


def load_volumes(model: str, *, device: str = "auto") -> VolumePredictor:
    """Load a model of volumes by its shipped name or its .onnx file, with the one for its region.

    Raises:
        ModelError: there is no such model, its hash is wrong, it has no metadata, it measures
            pictures, or the device is not to be had; or so for the model of its region.
    """
    path, info, engine = _opened_for_volumes(model, device)
    if not info.roi:
        return VolumePredictor(info, engine)
    roi_path, roi_info, roi_engine = _opened_for_volumes(named_by(path, info.roi), device)
    if roi_info.roi or roi_info.output_of("solid") is None:
        raise ModelError(
            f"{roi_path}: cannot find the region for {path}: a model for that has a mask, and "
            "looks at the whole volume itself"
        )
    return VolumePredictor(info, engine, VolumePredictor(roi_info, roi_engine))


def _opened_for_volumes(model: str, device: str) -> tuple[Path, ModelInfo, Engine]:
    path, info, engine = opened(model, device)
    if not info.of_volumes:
        raise ModelError(f"{path}: measures pictures, not volumes; name a model of volumes")
    return path, info, engine
