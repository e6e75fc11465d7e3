"""Stage 2: Image → Prediction. It never asks which paper it is running."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetometry.errors import ModelError
from fetometry.geometry import letterbox
from fetometry.predict.canvas import to_canvas
from fetometry.predict.catalogue import ModelInfo, locate, parse_metadata
from fetometry.predict.decode import mask_outline, output_to_source
from fetometry.predict.engine import Engine, Maps, open_engine
from fetometry.types import Image, Prediction


def softness(logits: NDArray[np.floating[Any]]) -> float:
    """Return how much the radius of a mask of logits changes from p = 0.75 to p = 0.25.

    Relative to the radius at p = 0.5; by areas, since dA / A = 2 dr / r.
    """
    third = float(np.log(3.0))
    inner, middle, outer = (int(np.sum(logits > level)) for level in (third, 0.0, -third))
    return (outer - inner) / (2 * max(middle, 1))


@dataclass(frozen=True)
class Predictor:
    """A model, loaded: give it images, get what it saw in source pixels."""

    info: ModelInfo
    engine: Engine
    flip_average: bool = False

    def maps(self, images: Sequence[Image]) -> list[Maps]:
        """Run a batch and return, for each image, its outputs {name: (channels, h, w)}."""
        canvas = np.stack([to_canvas(image.pixels, self.info.size) for image in images])
        grey = canvas[:, None].astype(np.float32)  # (B, 1, H, W)
        batch = (grey - np.float32(self.info.mean)) / np.float32(self.info.std)
        outputs = self.engine.run(batch)
        if self.flip_average:
            mirrored = self.engine.run(np.ascontiguousarray(batch[..., ::-1]))
            half = np.float32(0.5)
            outputs = {name: half * (m + mirrored[name][..., ::-1]) for name, m in outputs.items()}
        return [{name: m[i] for name, m in outputs.items()} for i in range(len(images))]

    def predict(self, image: Image) -> Prediction:
        """Run one image and read its outputs.

        Raises:
            MeasurementError: nothing is there to be measured.
            ModelError: the model has no output that this version can read.
        """
        return self.decode(image, self.maps([image])[0])

    def decode(self, image: Image, maps: Maps) -> Prediction:
        """Read the outputs of one image by what the model says they mean.

        Raises:
            MeasurementError: nothing is there to be measured.
            ModelError: the model has no output that this version can read.
        """
        for name, meaning in self.info.outputs.items():
            if meaning.get("kind") == "mask":
                if name not in maps:
                    raise ModelError(
                        f"{self.info.ref.name}: its metadata promise an output {name!r}, which "
                        "the network does not have; export the model again"
                    )
                return self._mask(image, maps[name][0], str(meaning["plane"]))
        raise ModelError(f"{self.info.ref.name}: no output that this version can read")

    def _mask(self, image: Image, logits: NDArray[np.float32], plane: str) -> Prediction:
        stride = self.info.size[0] / logits.shape[0]
        to_source = output_to_source(letterbox(image.shape, self.info.size), stride)
        outline = mask_outline(logits, to_source, image.shape)
        return Prediction(
            plane=plane,
            plane_probability=None,
            outline_px=outline.points,
            candidates=outline.candidates,
            softness=softness(logits),
            model=self.info.ref,
        )


def load(model: str, *, device: str = "auto", flip_average: bool = False) -> Predictor:
    """Load a model by its shipped name or its .onnx file.

    Raises:
        ModelError: there is no such model, its hash is wrong, it has no metadata, or the
            device is not to be had.
    """
    path, sha256 = locate(model)
    engine, text = open_engine(path, device)
    return Predictor(parse_metadata(text, path, sha256), engine, flip_average)
