"""Which plane is measured, what is seen of it, and what the model itself remarks."""

import dataclasses

import numpy as np
import pytest

from fetometry.errors import MeasurementError, ModelError, PlaneError, UsageError
from fetometry.geometry import Ellipse, distances_to, fit_ellipse, letterbox
from fetometry.predict import Predictor
from fetometry.predict.engine import Engine
from fetometry.predict.predictor import SURE_OF_PLANE, TRANS_CEREBELLAR_SHARE
from fetometry.types import PLANE_CLASSES, PLANES, TRANS_CEREBELLAR, Image, SizeInterval
from tests.conftest import bright_info, painted

SHAPE, SIZE = (400, 640), (192, 288)
ROUND = Ellipse((190.4, 310.7), (140.0, 110.0), 25.0)
ACROSS = ((90.0, 280.0), (290.0, 340.0))
ENDS = ((120.5, 180.3), (250.8, 470.6))
OUTPUTS = {
    "outline": {"kind": "mask", "planes": ["head", "abdomen"]},
    "shaft": {"kind": "mask", "planes": ["femur"]},
    "ends": {"kind": "ends", "planes": ["femur"], "along": "shaft", "tells": "length"},
    "across": {"kind": "ends", "planes": ["abdomen"], "along": "outline", "tells": "direction"},
    "plane": {"kind": "planes", "classes": list(PLANE_CLASSES)},
}
NOTHING = np.full((1, *SIZE), -12.0, np.float32)
IMAGE = Image(np.zeros(SHAPE, np.uint8), "exam.png")


def grid(stride=1):
    """Where the pixels (h, w, 2) of an output stand in the source image."""
    on_input = np.stack(np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride], axis=-1) * stride
    matrix = letterbox(SHAPE, SIZE)
    return (on_input + (stride - 1) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def outline(stride=1):
    return ((1 - ROUND.level(grid(stride))) * ROUND.semi_axes[1])[None].astype(np.float32)


def spots(ends, stride=1):
    far = [np.linalg.norm(grid(stride) - np.array(end), axis=-1) for end in ends]
    p = np.clip(np.exp(-0.5 * np.square(np.min(far, axis=0) / 9.0)), 1e-5, 1 - 1e-5)
    return np.log(p / (1 - p))[None].astype(np.float32)


def shaft(stride=1, ends=ENDS):
    one, other = np.array(ends)
    half = (other - one) / 2
    length, off = np.linalg.norm(half), grid(stride) - (one + other) / 2
    along, across = np.abs(off @ half) / length, np.abs(off @ [-half[1], half[0]]) / length
    return -np.maximum(along - length, across - 12)[None].astype(np.float32)


def logits_of(**probabilities):
    """Logits of classes by name, with _ for the rest of a name; what is left goes to none."""
    given = {"head": 0.0, "abdomen": 0.0, "femur": 0.0, TRANS_CEREBELLAR: 0.0}
    given |= {name.replace("tc", TRANS_CEREBELLAR): p for name, p in probabilities.items()}
    given["none"] = 1 - sum(given.values())
    return np.log([max(given[name], 1e-9) for name in PLANE_CLASSES]).astype(np.float32)


def maps(stride=1, **changes):
    drawn = {
        "outline": outline(stride),
        "shaft": shaft(stride),
        "ends": spots(ENDS, stride),
        "across": spots(ACROSS, stride),
        "plane": logits_of(head=0.97),
    }
    return {**drawn, **changes}


def exam(**changes):
    """A predictor of all planes; changes are of what its file says."""
    return Predictor(bright_info(**{"outputs": OUTPUTS, **changes}), Engine("none", dict))


def test_the_likeliest_plane_is_measured():
    for plane in PLANES:
        found = exam().decode(IMAGE, maps(plane=logits_of(**{plane: 0.95})))
        assert found.plane == plane
        assert found.plane_probability == pytest.approx(0.95, abs=1e-6)
        assert set(found.planes) == set(PLANE_CLASSES)
        assert sum(found.planes.values()) == pytest.approx(1)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("plane", ["head", "abdomen"])
def test_the_outline_of_a_head_or_an_abdomen_is_in_source_pixels(plane, stride):
    found = exam().decode(IMAGE, maps(stride, plane=logits_of(**{plane: 0.95})))
    fit = fit_ellipse(found.outline_px).ellipse
    assert fit.circumference == pytest.approx(ROUND.circumference, rel=2e-3)
    assert np.abs(distances_to(ROUND, found.outline_px)).max() < 0.5
    assert (found.ends_px is None) == (plane == "head")


def assert_ends(found, truth, within):
    far = np.linalg.norm(found[:, None] - np.array(truth)[None], axis=-1)
    assert min(max(far[0, 0], far[1, 1]), max(far[0, 1], far[1, 0])) < within


@pytest.mark.parametrize("stride", [1, 2])
def test_the_ends_of_a_femur_are_in_source_pixels_and_its_outline_is_the_shaft_s(stride):
    found = exam().decode(IMAGE, maps(stride, plane=logits_of(femur=0.95)))
    assert_ends(found.ends_px, ENDS, 0.3)
    assert found.candidates == 1
    along = (np.array(ENDS[1]) - ENDS[0]) / np.linalg.norm(np.array(ENDS[1]) - ENDS[0])
    assert np.ptp(found.outline_px @ along) == pytest.approx(318.2, abs=3)
    assert np.ptp(found.outline_px @ [-along[1], along[0]]) == pytest.approx(24, abs=1)


def test_of_an_abdomen_the_transverse_diameter_s_ends_are_told():
    found = exam().decode(IMAGE, maps(plane=logits_of(abdomen=0.95)))
    assert_ends(found.ends_px, ACROSS, 0.3)


def test_an_abdomen_whose_transverse_diameter_is_not_seen_is_measured_without():
    found = exam().decode(IMAGE, maps(plane=logits_of(abdomen=0.95), across=NOTHING))
    assert found.ends_px is None
    assert len(found.outline_px) > 100


def test_a_femur_whose_shaft_is_not_seen_is_measured_by_its_ends():
    found = exam().decode(IMAGE, maps(plane=logits_of(femur=0.95), shaft=NOTHING))
    assert_ends(found.ends_px, ENDS, 0.3)
    assert (found.outline_px.shape, found.candidates) == ((0, 2), 0)


def test_a_femur_without_ends_is_not_measured_whatever_its_shaft():
    with pytest.raises(MeasurementError, match="the two ends were not found"):
        exam().decode(IMAGE, maps(plane=logits_of(femur=0.95), ends=NOTHING))


def test_two_shafts_are_counted():
    both = np.maximum(shaft(), shaft(ends=((40.0, 150.0), (60.0, 450.0))))
    assert exam().decode(IMAGE, maps(plane=logits_of(femur=0.95), shaft=both)).candidates == 2


def test_an_image_of_no_plane_is_refused_with_how_to_measure_it_all_the_same():
    seen = maps(plane=logits_of(head=0.1))
    with pytest.raises(PlaneError, match=r"90% sure.*--plane head\|abdomen\|femur measures it"):
        exam().decode(IMAGE, seen)


@pytest.mark.parametrize("plane", PLANES)
def test_a_plane_that_is_insisted_on_is_measured_whatever_the_model_thinks(plane):
    found = exam().decode(IMAGE, maps(plane=logits_of(head=0.1)), plane)
    assert found.plane == plane
    assert found.plane_probability == pytest.approx(0.1 if plane == "head" else 0.0, abs=1e-6)
    assert "low-plane-probability" in found.flags


def test_a_plane_that_the_model_does_not_measure_is_a_usage_error():
    with pytest.raises(UsageError, match="measures head, abdomen, femur, not heart"):
        exam().decode(IMAGE, maps(), "heart")
    with pytest.raises(UsageError, match="bright measures head, not femur"):
        Predictor(bright_info(), Engine("none", dict)).decode(
            IMAGE, {"outline": outline()}, "femur"
        )


def test_a_plane_that_the_model_tells_but_does_not_measure_is_refused():
    head = {name: OUTPUTS[name] for name in ("outline", "plane")}
    with pytest.raises(PlaneError, match=r"--plane head\|abdomen measures"):
        exam(outputs=head).decode(IMAGE, maps(plane=logits_of(femur=0.95)))


def test_a_model_that_tells_no_planes_apart_measures_its_own():
    only = exam(outputs={name: OUTPUTS[name] for name in ("shaft", "ends")})
    found = only.decode(IMAGE, maps())
    assert only.planes == ("femur",)
    assert (found.plane, found.plane_probability, found.planes) == ("femur", None, {})
    assert found.flags == ()
    assert only.plane_probabilities(maps()) == {}


def test_both_views_of_a_head_count_for_the_head():
    seen = maps(plane=logits_of(head=0.3, tc=0.25, abdomen=0.45))
    found = exam().decode(IMAGE, seen)
    assert found.plane == "head"
    assert found.plane_probability == pytest.approx(0.55, abs=1e-6)


@pytest.mark.parametrize(("sure", "flagged"), [(0.0002, False), (-0.0002, True)])
def test_a_plane_that_is_not_sure_is_flagged(sure, flagged):
    found = exam().decode(IMAGE, maps(plane=logits_of(abdomen=SURE_OF_PLANE + sure)))
    assert ("low-plane-probability" in found.flags) is flagged


@pytest.mark.parametrize(
    ("calibration", "limit"),
    [({}, TRANS_CEREBELLAR_SHARE), ({"trans_cerebellar_threshold": 0.3}, 0.3)],
)
def test_a_head_through_the_cerebellum_is_flagged_from_the_calibrated_share_on(calibration, limit):
    predictor = exam(details={"calibration": calibration})
    for share, flagged in ((limit - 0.01, False), (limit + 0.01, True)):
        seen = maps(plane=logits_of(head=0.96 * (1 - share), tc=0.96 * share))
        flags = predictor.decode(IMAGE, seen).flags
        assert flags == (("trans-cerebellar",) if flagged else ())


def test_other_planes_are_not_flagged_as_seen_through_the_cerebellum():
    seen = maps(plane=logits_of(abdomen=0.5, tc=0.4))
    assert exam().decode(IMAGE, seen).flags == ("low-plane-probability",)


def test_the_calibrated_temperature_softens_the_probabilities():
    seen = maps(plane=logits_of(head=0.9))  # beside none 0.1: odds of 9, at temperature 2 of 3
    plain = exam().plane_probabilities(seen)
    warm = exam(details={"calibration": {"temperature": 2.0}})
    assert plain["head"] / plain["none"] == pytest.approx(9, rel=1e-4)
    softened = warm.plane_probabilities(seen)
    assert softened["head"] / softened["none"] == pytest.approx(3, rel=1e-4)
    assert warm.decode(IMAGE, seen).planes == softened


def test_the_intervals_of_the_model_travel_with_what_it_saw():
    intervals = {"HC": SizeInterval((), (0.02,))}
    assert exam(intervals=intervals).decode(IMAGE, maps()).intervals == intervals
    assert exam().decode(IMAGE, maps()).intervals == {}


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_the_network_lacks_is_refused_whatever_the_plane(name):
    seen = {key: value for key, value in maps().items() if key != name}
    with pytest.raises(ModelError, match=f"promise an output '{name}'"):
        exam().decode(IMAGE, seen, "head")


@pytest.mark.parametrize("shape", [(4,), (6,), (5, 2, 2)])
def test_planes_that_are_not_as_many_as_their_names_are_refused(shape):
    with pytest.raises(ModelError, match="its metadata name 5 planes"):
        exam().decode(IMAGE, maps(plane=np.zeros(shape, np.float32)))


def sees_left_and_right(batch):
    """Maps that get brighter to the right, and one number a class that does so too."""
    ramp = np.linspace(0, 1, batch.shape[-1], dtype=np.float32)
    place = (batch * ramp).mean(axis=(1, 2, 3))
    return {
        "outline": 8 * batch + ramp,
        "plane": np.stack([place, -place, 2 * place, 0 * place, place], axis=1),
    }


def test_flip_averaging_turns_maps_back_and_leaves_vectors_as_they_are():
    outputs = {name: OUTPUTS[name] for name in ("outline", "plane")}
    plain = Predictor(bright_info(outputs=outputs), Engine("ramp", sees_left_and_right))
    image = Image(painted(Ellipse((135.0, 120.0), (90.0, 70.0), 20.0)), "x")
    mirrored = dataclasses.replace(image, pixels=np.ascontiguousarray(image.pixels[:, ::-1]))
    (straight,), (flipped,) = plain.maps([image]), plain.maps([mirrored])
    (averaged,) = dataclasses.replace(plain, flip_average=True).maps([image])
    vector = (straight["plane"] + flipped["plane"]) / 2
    assert averaged["plane"] == pytest.approx(vector, abs=1e-6)
    assert not np.allclose(straight["plane"], flipped["plane"], atol=1e-3)
    whole = (straight["outline"] + flipped["outline"][..., ::-1]) / 2
    assert np.allclose(averaged["outline"], whole, atol=1e-5)


def test_a_batch_gives_every_image_its_own_vector():
    outputs = {name: OUTPUTS[name] for name in ("outline", "plane")}
    predictor = Predictor(bright_info(outputs=outputs), Engine("ramp", sees_left_and_right))
    images = [Image(painted(Ellipse((135.0, c), (60.0, 50.0), 0.0)), "x") for c in (90.0, 300.0)]
    both = predictor.maps(images)
    for image, seen in zip(images, both, strict=True):
        (alone,) = predictor.maps([image])
        assert seen["plane"].shape == (5,)
        assert np.array_equal(seen["plane"], alone["plane"])
    assert not np.allclose(both[0]["plane"], both[1]["plane"], atol=1e-3)
