"""Stage 2: what a model sees in an image or in a volume."""

from fetometry.predict.catalogue import catalogue, default_model, default_volume_model
from fetometry.predict.engine import DEVICES
from fetometry.predict.predictor import Predictor, describe, load
from fetometry.predict.volumes import VolumePredictor, load_volumes

__all__ = [
    "DEVICES",
    "Predictor",
    "VolumePredictor",
    "catalogue",
    "default_model",
    "default_volume_model",
    "describe",
    "load",
    "load_volumes",
]
