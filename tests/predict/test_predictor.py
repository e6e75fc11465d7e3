"""A predictor's answers are in source pixels, whatever the size of the image and the canvas."""

import numpy as np
import pytest

from fetometry.errors import MeasurementError, ModelError
from fetometry.geometry import Ellipse, distances_to, fit_ellipse, letterbox
from fetometry.predict import Predictor, load
from fetometry.predict.engine import Engine
from fetometry.predict.seeing import softness
from fetometry.types import Image
from tests.conftest import HEAD, SHAPE, bright_engine, bright_info, painted

SIZE = (192, 288)


def drawn_engine(ellipse, source, *, stride=1, size=SIZE):
    """An engine that answers with the logits of an ellipse in source pixels, on its own grid."""
    on_canvas = ellipse.transformed(letterbox(source, size))
    rows, cols = np.mgrid[: size[0] // stride, : size[1] // stride]
    points = np.stack([rows, cols], axis=-1) * stride + (stride - 1) / 2
    logits = (1 - on_canvas.level(points)) * on_canvas.semi_axes[1]

    def run(batch):
        return {"outline": np.tile(logits.astype(np.float32), (len(batch), 1, 1, 1))}

    return Engine("drawn", run)


def blank(shape):
    return Image(np.zeros(shape, np.uint8), "blank.png")


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("shape", [(192, 288), (540, 800), (1001, 601), (77, 90), (768, 1024)])
def test_an_ellipse_on_the_canvas_comes_back_in_source_pixels(shape, stride):
    a = 0.4 * min(shape)
    truth = Ellipse((0.5 * shape[0] + 1.3, 0.48 * shape[1]), (a, 0.8 * a), 35.0)
    predictor = Predictor(bright_info(), drawn_engine(truth, shape, stride=stride))
    image = blank(shape)
    prediction = predictor.predict(image)
    fit = fit_ellipse(prediction.outline_px)
    pixel = max(shape[0] / SIZE[0], shape[1] / SIZE[1])  # of the canvas, in source pixels
    assert fit.ellipse.circumference == pytest.approx(truth.circumference, rel=2e-3)
    assert fit.ellipse.center == pytest.approx(truth.center, abs=0.05 * stride * pixel)
    assert np.abs(distances_to(truth, prediction.outline_px)).max() < 0.1 * stride * pixel
    assert prediction.plane == "head"
    assert prediction.candidates == 1
    assert prediction.model == bright_info().ref


def test_pixels_are_prepared_as_the_metadata_say():
    seen = []

    def run(batch):
        seen.append(batch)
        return {"outline": batch}

    info = bright_info(mean=100.0, std=50.0, size=(20, 30))
    pixels = np.full((20, 30), 150, np.uint8)
    Predictor(info, Engine("spy", run)).maps([Image(pixels, "a"), Image(pixels, "b")])
    (batch,) = seen
    assert (batch.shape, batch.dtype) == ((2, 1, 20, 30), np.float32)
    assert np.allclose(batch, 1.0)


def test_a_batch_of_four_is_the_same_as_one_by_one():
    shapes = [(270, 400), (192, 288), (600, 300), (100, 101)]
    images = [Image(painted(Ellipse((s[0] / 2, s[1] / 2), (45, 40), 0), s), "x") for s in shapes]
    predictor = Predictor(bright_info(), bright_engine())
    together = predictor.maps(images)
    assert len(together) == 4
    for image, maps in zip(images, together, strict=True):
        (alone,) = predictor.maps([image])
        assert np.array_equal(maps["outline"], alone["outline"])


@pytest.mark.slow
def test_the_shipped_model_gives_the_same_in_a_batch_as_one_by_one(shipped, phantom_head):
    pixels = phantom_head.pixels
    views = (pixels, pixels[:, ::-1], pixels[::-1], np.ascontiguousarray(pixels[60:, 100:]))
    images = [Image(np.ascontiguousarray(view), "x") for view in views]
    predictor = load("hc18-head", device="cpu")
    for image, maps in zip(images, predictor.maps(images), strict=True):
        (alone,) = predictor.maps([image])
        for name, logits in alone.items():
            assert np.allclose(maps[name], logits, atol=1e-3)


def tilted(batch):
    """A network that a mirror image confuses: it adds 1 from left to right."""
    ramp = np.linspace(0, 1, batch.shape[-1], dtype=np.float32)
    return {"outline": 8 * batch + ramp}


def test_flip_averaging_is_the_mean_of_both_runs():
    image = Image(painted(), "x")
    plain = Predictor(bright_info(), Engine("tilted", tilted))
    (straight,) = plain.maps([image])
    mirrored = Image(np.ascontiguousarray(image.pixels[:, ::-1]), "x")
    (flipped,) = plain.maps([mirrored])
    (averaged,) = Predictor(plain.info, plain.engine, flip_average=True).maps([image])
    mean = (straight["outline"] + flipped["outline"][..., ::-1]) / 2
    assert np.allclose(averaged["outline"], mean, atol=1e-5)
    assert not np.allclose(averaged["outline"], straight["outline"], atol=1e-2)


@pytest.mark.parametrize(("wanted", "runs"), [({}, 1), ({"flip_average": True}, 2)])
def test_flip_averaging_is_off_unless_asked_for(wanted, runs):
    count = []

    def run(batch):
        count.append(batch)
        return tilted(batch)

    Predictor(bright_info(), Engine("counted", run), **wanted).maps([Image(painted(), "x")])
    assert len(count) == runs


def test_the_option_reaches_the_predictor(shipped):
    assert not load("hc18-head", device="cpu").flip_average
    assert load("hc18-head", device="cpu", flip_average=True).flip_average


@pytest.mark.parametrize("value", [-5.0, np.nan])
def test_a_map_without_a_structure_is_a_measurement_error(value):
    engine = Engine("empty", lambda batch: {"outline": np.full_like(batch, value)})
    predictor = Predictor(bright_info(), engine)
    image = blank(SHAPE)
    with pytest.raises(MeasurementError, match="nothing was found"):
        predictor.decode(image, predictor.maps([image])[0])


def test_the_edge_of_the_image_is_no_outline():
    cut = Ellipse((135.0, 30.0), (110.0, 86.0), 90.0)  # its left part is outside
    image = blank(SHAPE)
    predictor = Predictor(bright_info(), drawn_engine(cut, SHAPE))
    outline = predictor.decode(image, predictor.maps([image])[0]).outline_px
    assert np.abs(distances_to(cut, outline)).max() < 0.2
    assert outline[:, 1].min() > 0


def test_several_structures_are_counted():
    two = np.maximum(
        painted(Ellipse((100.0, 100.0), (60.0, 50.0), 0.0)),
        painted(Ellipse((150.0, 300.0), (60.0, 55.0), 0.0)),
    )
    predictor = Predictor(bright_info(), bright_engine())
    image = Image(two, "x")
    prediction = predictor.predict(image)
    assert prediction.candidates == 2
    assert fit_ellipse(prediction.outline_px).ellipse.center == pytest.approx((150, 300), abs=0.5)


def test_a_model_without_an_output_that_can_be_read_is_refused():
    info = bright_info(outputs={"outline": {"kind": "heatmap"}})
    with pytest.raises(ModelError, match="bright: no output that this version can read"):
        Predictor(info, bright_engine()).decode(blank(SHAPE), {})


def test_an_output_that_is_promised_but_not_there_is_refused():
    with pytest.raises(ModelError, match="promise an output 'outline'"):
        Predictor(bright_info(), bright_engine()).decode(blank(SHAPE), {"other": np.zeros(1)})


@pytest.mark.parametrize("width", [1.0, 4.0])
def test_softness_is_the_relative_change_of_the_radius(width):
    # logits fall by 1 in `width` pixels: p = 0.75 and 0.25 are 2 ln 3 widths apart
    rows, cols = np.mgrid[:400, :400]
    radius = 120.0
    logits = (radius - np.hypot(rows - 199.5, cols - 199.5)) / width
    assert softness(logits) == pytest.approx(2 * np.log(3) * width / radius, rel=0.02)


def test_softness_of_an_empty_map_is_a_number():
    assert softness(np.full((9, 9), -9.0)) == 0.0


def test_the_bright_model_finds_what_was_painted():
    predictor = Predictor(bright_info(), bright_engine())
    image = Image(painted(), "x")
    prediction = predictor.predict(image)
    found = fit_ellipse(prediction.outline_px).ellipse
    assert found.circumference == pytest.approx(HEAD.circumference, rel=1e-3)
    assert found.angle_deg == pytest.approx(HEAD.angle_deg, abs=0.3)
