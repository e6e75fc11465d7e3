"""Stage 2: Image → Prediction. It never asks which paper it is running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ModelError, PlaneError, UsageError
from fetometry.geometry import letterbox
from fetometry.predict.canvas import to_canvas
from fetometry.predict.catalogue import ModelInfo, locate, parse_metadata
from fetometry.predict.decode import plane_probabilities, plane_totals
from fetometry.predict.ellipse import mirrored as mirrored_ellipse
from fetometry.predict.engine import Engine, Maps, open_engine
from fetometry.predict.seeing import Place, see
from fetometry.types import NO_PLANE, PLANES, TRANS_CEREBELLAR, Image, Prediction

#: Below this probability of the plane it is flagged; measured, not published: see the card.
SURE_OF_PLANE = 0.9

#: From this share of the head's probability on, a head is flagged as seen through the
#: cerebellum; a model that was calibrated brings its own.
TRANS_CEREBELLAR_SHARE = 0.5

Level = NDArray[np.float32]


@dataclass(frozen=True)
class Predictor:
    """A model, loaded: give it images, get what it saw in source pixels."""

    info: ModelInfo
    engine: Engine
    flip_average: bool = False

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes that it measures."""
        return self.info.planes

    def maps(self, images: Sequence[Image]) -> list[Maps]:
        """Run a batch and return, for each image, its outputs {name: (channels, h, w) or (C,)}."""
        canvas = np.stack([to_canvas(image.pixels, self.info.size) for image in images])
        grey = canvas[:, None].astype(np.float32)  # (B, 1, H, W)
        batch = (grey - np.float32(self.info.mean)) / np.float32(self.info.std)
        outputs = self.engine.run(batch)
        if self.flip_average:
            mirrored = self.engine.run(np.ascontiguousarray(batch[..., ::-1]))
            half = np.float32(0.5)
            outputs = {n: half * (m + self._back(n, mirrored[n])) for n, m in outputs.items()}
        return [{name: m[i] for name, m in outputs.items()} for i in range(len(images))]

    def _back(self, name: str, seen: Level) -> Level:
        """Return an output (B, ...) of mirrored images as that of the images themselves."""
        meaning = self.info.outputs.get(name, {})
        if meaning.get("kind") == "ellipse":
            return mirrored_ellipse(seen, meaning, self.info.size)
        # a map has a left and a right; any other vector has not
        return seen[..., ::-1] if seen.ndim == 4 else seen

    def predict(self, image: Image, plane: str = "auto") -> Prediction:
        """Run one image and read its outputs.

        Raises:
            PlaneError: it shows no plane that is measured.
            MeasurementError: nothing is there to be measured.
            ModelError: the model has no output that this version can read.
            UsageError: the model does not measure that plane.
        """
        return self.decode(image, self.maps([image])[0], plane)

    def decode(self, image: Image, maps: Maps, plane: str = "auto") -> Prediction:
        """Read the outputs of one image by what the model says they mean.

        A `plane` other than "auto" is insisted on: it is measured whatever the model thinks.

        Raises:
            PlaneError: it shows no plane that is measured.
            MeasurementError: nothing is there to be measured.
            ModelError: the model has no output that this version can read.
            UsageError: the model does not measure that plane.
        """
        self._check(maps)
        planes = self._planes(maps)
        chosen = self._chosen(plane, planes)
        place = Place(letterbox(image.shape, self.info.size), image.shape, self.info.size)
        sight = see(self.info.outputs, chosen, maps, place)
        sure = plane_totals(planes).get(chosen, 0.0) if planes else None
        return Prediction(
            plane=chosen,
            plane_probability=sure,
            outline_px=sight.outline.points,
            candidates=sight.outline.candidates,
            softness=sight.softness,
            model=self.info.ref,
            ends_px=sight.ends,
            size_px=sight.size_px,
            planes=planes,
            intervals=self.info.intervals,
            flags=self._flags(chosen, planes, sure),
        )

    def plane_probabilities(self, maps: Maps) -> dict[str, float]:
        """Return the calibrated probability of every plane; empty where it tells none apart."""
        self._check(maps)
        return self._planes(maps)

    def _check(self, maps: Maps) -> None:
        if not self.planes:
            raise ModelError(f"{self.info.ref.name}: no output that this version can read")
        for name, meaning in self.info.outputs.items():
            if name not in maps:
                raise ModelError(
                    f"{self.info.ref.name}: its metadata promise an output {name!r}, which "
                    "the network does not have; export the model again"
                )
            if meaning["kind"] == "planes" and maps[name].shape != (len(meaning["classes"]),):
                raise ModelError(
                    f"{self.info.ref.name}: its metadata name {len(meaning['classes'])} planes, "
                    f"the network's {name!r} has {maps[name].shape}; export the model again"
                )

    def _calibrated(self, key: str, default: float) -> float:
        return float(self.info.details.get("calibration", {}).get(key, default))

    def _planes(self, maps: Maps) -> dict[str, float]:
        name = self.info.output_of("planes")
        if name is None:
            return {}
        classes = self.info.outputs[name]["classes"]
        temperature = self._calibrated("temperature", 1.0)
        return plane_probabilities(maps[name], classes, temperature)

    def _chosen(self, plane: str, planes: Mapping[str, float]) -> str:
        """Return the plane to be measured."""
        if plane != "auto":
            if plane not in self.planes:
                raise UsageError(
                    f"the model {self.info.ref.name} measures {', '.join(self.planes)}, "
                    f"not {plane}; leave out --model, or name another one"
                )
            return plane
        if not planes:
            return self.planes[0]
        totals = plane_totals(planes)
        found = max((*PLANES, NO_PLANE), key=lambda name: totals.get(name, 0.0))
        if found not in self.planes:
            raise PlaneError(
                f"shows none of the planes that are measured ({totals.get(found, 0.0):.0%} sure); "
                f"--plane {'|'.join(self.planes)} measures it all the same"
            )
        return found

    def _flags(
        self, plane: str, planes: Mapping[str, float], sure: float | None
    ) -> tuple[str, ...]:
        flags = []
        if sure is not None and sure < SURE_OF_PLANE:
            flags.append("low-plane-probability")
        if plane == "head" and sure:
            limit = self._calibrated("trans_cerebellar_threshold", TRANS_CEREBELLAR_SHARE)
            if planes.get(TRANS_CEREBELLAR, 0.0) / sure >= limit:
                flags.append("trans-cerebellar")
        return tuple(flags)


def opened(model: str, device: str) -> tuple[Path, ModelInfo, Engine]:
    """Open a model by its shipped name or its .onnx file.

    Raises:
        ModelError: there is no such model, its hash is wrong, it has no metadata, or the
            device is not to be had.
    """
    path, sha256 = locate(model)
    engine, text = open_engine(path, device)
    return path, parse_metadata(text, path, sha256), engine


def describe(model: str) -> ModelInfo:
    """Return what a model says of itself, whether it measures pictures or volumes.

    Raises:
        ModelError: there is no such model, its hash is wrong, or it has no metadata.
    """
    return opened(model, "cpu")[1]


def load(model: str, *, device: str = "auto", flip_average: bool = False) -> Predictor:
    """Load a model of pictures by its shipped name or its .onnx file.

    Raises:
        ModelError: there is no such model, its hash is wrong, it has no metadata, it measures
            volumes, or the device is not to be had.
    """
    path, info, engine = opened(model, device)
    if info.of_volumes:
        raise ModelError(f"{path}: measures volumes, not pictures; name a model of pictures")
    return Predictor(info, engine, flip_average)
