"""Stage 2: what a model sees in an image."""

from fetometry.predict.catalogue import catalogue, default_model
from fetometry.predict.engine import DEVICES
from fetometry.predict.predictor import Predictor, load

__all__ = ["DEVICES", "Predictor", "catalogue", "default_model", "load"]
