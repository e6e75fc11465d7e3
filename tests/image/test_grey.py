import cv2
import numpy as np
import pytest

from fetometry.errors import ImageError
from fetometry.image import from_array
from fetometry.image.grey import refuse_photograph, to_grey
from tests.image.synthetic import photograph, picture


def test_a_grey_uint8_array_is_kept():
    image = from_array(picture())
    np.testing.assert_array_equal(image.pixels, picture())
    assert (image.source, image.frame, image.spacing) == ("array", 1, None)
    assert image.spacing_problem == "an array does not say how large a pixel is"


def test_an_array_changed_afterwards_does_not_change_the_image():
    mine = picture()
    image = from_array(mine)
    mine[:] = 0
    np.testing.assert_array_equal(image.pixels, picture())


@pytest.mark.parametrize("kind", [np.uint16, np.float16, np.float32, np.float64])
def test_other_types_are_scaled_from_their_own_range(kind):
    array = (picture().astype(float) / 255 + 3).astype(kind)
    if kind == np.uint16:
        array = picture().astype(np.uint16) * 200 + 9
    found = from_array(array).pixels
    tolerance = 1 if kind == np.float16 else 0
    assert np.abs(found.astype(int) - picture()).max() <= tolerance


@pytest.mark.parametrize("kind, top", [(np.uint8, 255), (np.uint16, 65535), (np.float64, 1.0)])
def test_channels_that_are_equal_give_themselves(kind, top):
    ramp = np.linspace(0, top, 65536 if kind == np.uint16 else 256).astype(kind).reshape(-1, 16)
    np.testing.assert_array_equal(to_grey(np.dstack([ramp] * 3)), to_grey(ramp))


def test_the_first_channel_is_red_and_the_fourth_is_dropped():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, :, 0], rgba[1, :, 1], rgba[2, :, 2], rgba[..., 3] = 255, 255, 255, 99
    np.testing.assert_array_equal(to_grey(rgba)[:, 0], [76, 150, 29, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(bad):
    array = picture().astype(np.float32)
    array[3, 4] = bad
    with pytest.raises(ImageError, match="array: pixels hold NaN or infinity"):
        from_array(array)


@pytest.mark.parametrize("shape", [(48,), (48, 64, 1), (48, 64, 2), (2, 48, 64, 3), ()])
def test_another_shape_is_refused(shape):
    with pytest.raises(ImageError, match=r"pixels must be \(H, W\)"):
        from_array(np.ones(shape, np.uint8))


@pytest.mark.parametrize("kind", [bool, np.int64, np.int8, np.complex64, object])
def test_another_type_is_refused(kind):
    with pytest.raises(ImageError, match="must be uint8, uint16 or float"):
        from_array(picture().astype(kind))


def test_an_array_without_pixels_is_refused():
    with pytest.raises(ImageError, match="it has no pixels"):
        from_array(np.zeros((0, 0), np.uint8))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("level", [0, 1, 200])
def test_an_array_of_one_shade_is_refused(kind, level):
    with pytest.raises(ImageError, match=r"my frame: .* nothing to measure"):
        from_array(np.full((48, 64), level, kind), source="my frame")


@pytest.mark.parametrize("kind, top", [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)])
def test_a_photograph_is_refused_in_every_type(kind, top):
    with pytest.raises(ImageError, match="looks like a colour photograph"):
        from_array((photograph() / 255 * top).astype(kind))


def coloured_box(share):
    """Ultrasound with a colour-Doppler box, full of flow both ways, over a share of it."""
    rgb = np.dstack([picture(120, 160)] * 3)
    rows, cols = int(120 * share**0.5), int(160 * share**0.5)
    flow = cv2.GaussianBlur(np.random.default_rng(2).normal(size=(rows, cols)), (0, 0), 8)
    rgb[:rows, :cols] = 0
    rgb[:rows, :cols, 0] = np.where(flow > 0, 200, 0)
    rgb[:rows, :cols, 2] = np.where(flow > 0, 0, 200)
    return rgb


def annotated():
    """Callipers, an ellipse and text, in yellow, green and cyan."""
    rgb = np.dstack([picture(540, 800)] * 3)
    cv2.ellipse(rgb, (400, 270), (250, 180), 20, 0, 360, (0, 255, 0), 3)
    for point in ((150, 270), (650, 270), (400, 90), (400, 450)):
        cv2.drawMarker(rgb, point, (255, 255, 0), cv2.MARKER_CROSS, 40, 3)
    cv2.putText(rgb, "HC 253.1 mm  BPD 70.2 mm", (20, 520), 0, 1, (0, 255, 255), 2)
    return rgb


def tinted(red, green, blue):
    return (picture()[..., None] * np.array([red, green, blue])).astype(np.uint8)


ULTRASOUND = {
    "Doppler box over a tenth": coloured_box(0.1),
    "Doppler box over three tenths": coloured_box(0.3),
    "callipers, ellipse and text": annotated(),
    "sepia": tinted(1.0, 0.8, 0.55),
    "blue": tinted(0.6, 0.8, 1.0),
    "hot map": cv2.applyColorMap(picture(), cv2.COLORMAP_HOT)[..., ::-1],
    "pink map": cv2.applyColorMap(picture(), cv2.COLORMAP_PINK)[..., ::-1],
}


@pytest.mark.parametrize("name", ULTRASOUND)
def test_coloured_ultrasound_is_not_a_photograph(name):
    refuse_photograph(ULTRASOUND[name], "x")
    assert from_array(ULTRASOUND[name]).pixels.max() > 100
