import json
from pathlib import Path

import numpy as np
import pytest

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry import letterbox
from fetometry.predict.catalogue import SCHEMA, parse_metadata
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import Predictor
from fetometry.predict.seeing import Place, see
from fetometry.predict.size import size_px
from fetometry.types import Image
from tests.conftest import bright_info

SIZE = {"kind": "size", "planes": ["head"], "measures": "HC", "scale_px": 200.0}
IMAGE = Image(np.zeros((540, 800), np.uint8), "a.png")


def told(*numbers):
    return np.array(numbers, np.float32)


def test_a_share_of_the_scale_becomes_pixels_of_the_source():
    # 128 of 800 columns: an input pixel is 6.25 of the source
    to_input = letterbox((540, 800), (128, 128))
    assert size_px(told(0.5), SIZE, to_input) == pytest.approx(0.5 * 200 * 6.25)


@pytest.mark.parametrize("number", [0.0, -0.3, np.nan, np.inf])
def test_what_is_no_size_is_refused(number):
    with pytest.raises(MeasurementError, match="the model tells no size"):
        size_px(told(number), SIZE, letterbox((540, 800), (128, 128)))


def test_a_size_is_seen_without_an_outline():
    place = Place(letterbox((540, 800), (128, 128)), (540, 800), (128, 128))
    sight = see({"hc": SIZE}, "head", {"hc": told(0.5)}, place)
    assert sight.size_px == pytest.approx(625.0)
    assert len(sight.outline.points) == 0
    assert sight.ends is None


def predictor(number=0.5, **changes):
    def run(batch):
        return {"hc": np.full((len(batch), 1), number, np.float32)}

    said = {"size": (128, 128), "outputs": {"hc": SIZE}}
    return Predictor(bright_info(**{**said, **changes}), Engine("a number 1.0 cpu", run))


def test_a_predictor_of_a_number_tells_it_in_source_pixels():
    seen = predictor().predict(IMAGE)
    assert (seen.plane, seen.candidates) == ("head", 0)
    assert seen.size_px == pytest.approx(625.0)
    assert seen.outline_px.shape == (0, 2)


def test_a_number_is_averaged_with_the_mirrored_picture_s():
    shares = iter((0.4, 0.6))
    engine = Engine(
        "two numbers", lambda batch: {"hc": np.full((len(batch), 1), next(shares), np.float32)}
    )
    averaged = Predictor(predictor().info, engine, flip_average=True)
    assert averaged.predict(IMAGE).size_px == pytest.approx(625.0, rel=1e-5)


def test_an_outline_goes_before_a_number():
    both = {"hc": SIZE, "outline": {"kind": "mask", "planes": ["head"]}}
    rows, cols = np.mgrid[:128, :128]
    disc = (30 - np.hypot(rows - 64, cols - 64))[None].astype(np.float32)
    place = Place(letterbox((540, 800), (128, 128)), (540, 800), (128, 128))
    sight = see(both, "head", {"hc": told(0.5), "outline": disc}, place)
    assert sight.size_px is None
    assert len(sight.outline.points) > 0


def metadata(**changes):
    return json.dumps(
        {
            "schema": SCHEMA,
            "name": "a number",
            "licence": "CC0-1.0",
            "description": "tells a number",
            "input": {"size": [128, 128], "mean": 127.0, "std": 128.0},
            "outputs": {"hc": {**SIZE, **changes}},
        }
    )


def test_a_model_of_a_number_measures_the_planes_of_that_number():
    assert parse_metadata(metadata(), Path("a.onnx"), "0" * 64).planes == ("head",)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), None, "many"])
def test_a_model_of_a_number_without_a_scale_is_refused(scale):
    with pytest.raises(ModelError, match="metadata is damaged"):
        parse_metadata(metadata(scale_px=scale), Path("a.onnx"), "0" * 64)
