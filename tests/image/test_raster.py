import struct

import cv2
import numpy as np
import pytest

from fetometry.errors import ImageError
from fetometry.image import read
from tests.image.synthetic import (
    photograph,
    picture,
    png,
    png_chunk,
    png_pixels,
    tiff,
)
from tests.support import data_dir, needs_data

SUFFIXES = [".png", ".jpg", ".bmp", ".tif", ".webp"]
LOSSLESS_WEBP = [cv2.IMWRITE_WEBP_QUALITY, 101]


def written(path, pixels):
    options = LOSSLESS_WEBP if path.suffix == ".webp" else []
    assert cv2.imwrite(str(path), pixels, options)
    return path


def only(path):
    (image,) = read(path)
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_lossless_grey_file_keeps_its_pixels(tmp_path, suffix):
    grey = picture()
    np.testing.assert_array_equal(only(written(tmp_path / f"a{suffix}", grey)).pixels, grey)


def test_a_jpeg_keeps_its_pixels_within_its_compression(tmp_path):
    grey = picture()
    found = only(written(tmp_path / "a.jpg", grey)).pixels
    assert np.abs(found.astype(int) - grey).max() <= 8


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("rgb, grey", [((255, 0, 0), 76), ((0, 255, 0), 150), ((0, 0, 255), 29)])
def test_colours_become_grey_by_bt601(tmp_path, suffix, rgb, grey):
    pixels = cv2.cvtColor(picture(), cv2.COLOR_GRAY2BGR)
    pixels[10:20, 10:20] = rgb[::-1]  # a small coloured mark on grey
    found = only(written(tmp_path / f"a{suffix}", pixels)).pixels
    assert np.all(found[10:20, 10:20] == grey)
    np.testing.assert_array_equal(found[20:], picture()[20:])


def test_alpha_is_dropped(tmp_path):
    pixels = np.dstack([picture()] * 3 + [np.full((48, 64), 7, np.uint8)])
    np.testing.assert_array_equal(only(written(tmp_path / "a.png", pixels)).pixels, picture())


def test_a_palette_png_gives_the_colours_of_its_palette(tmp_path):
    palette = bytes(255 - level for level in range(256) for _ in "rgb")
    chunks = [png_chunk(b"PLTE", palette), png_pixels(picture())]
    path = tmp_path / "a.png"
    path.write_bytes(png(48, 64, colour=3, chunks=chunks))
    np.testing.assert_array_equal(only(path).pixels, 255 - picture())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_scaled_from_the_image_s_own_range(tmp_path, suffix):
    wide = picture().astype(np.uint16) * 13 + 400  # 12 bits in use, black level 400
    np.testing.assert_array_equal(only(written(tmp_path / f"a{suffix}", wide)).pixels, picture())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_a_tiff_of_either_byte_order_is_read(tmp_path, order, kind):
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff(picture().astype(kind), order=order))
    np.testing.assert_array_equal(only(path).pixels, picture())


def test_white_is_zero_is_inverted_in_8_bits_and_refused_in_16(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(255 - picture(), photometric=0))
    np.testing.assert_array_equal(only(path).pixels, picture())
    path.write_bytes(tiff(picture().astype(np.uint16), photometric=0))
    with pytest.raises(ImageError, match=r"a\.tif: white is stored as 0"):
        only(path)


def test_the_pages_of_a_tiff_are_frames_counted_from_1(tmp_path):
    pages = [picture(seed=seed) for seed in range(3)]
    cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
    images = list(read(tmp_path / "a.tif"))
    assert [image.frame for image in images] == [1, 2, 3]
    for image, page in zip(images, pages, strict=True):
        np.testing.assert_array_equal(image.pixels, page)


def test_an_empty_page_does_not_hide_those_after_it(tmp_path):
    cv2.imwritemulti(str(tmp_path / "a.tif"), [np.zeros_like(picture()), picture()])
    black, full = read(tmp_path / "a.tif")
    assert black.pixels.max() == 0
    assert full.pixels.max() == 255


def test_the_first_bytes_decide_and_not_the_name(tmp_path):
    path = written(tmp_path / "a.png", picture()).rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(only(path).pixels, picture())


def test_the_source_is_the_path_as_given(tmp_path):
    path = written(tmp_path / "a.png", picture())
    assert only(path).source == str(path)


def test_print_resolution_is_not_a_spacing(tmp_path):
    per_metre = struct.pack(">IIB", 5000, 5000, 1)
    path = tmp_path / "a.png"
    path.write_bytes(png(48, 64, chunks=[png_chunk(b"pHYs", per_metre), png_pixels(picture())]))
    image = only(path)
    assert image.spacing is None
    assert image.regions == ()
    assert image.spacing_problem == "a PNG file does not say how large a pixel is in the body"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(tmp_path, suffix, share, capfd):
    path = written(tmp_path / f"a{suffix}", picture())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=rf"a\{suffix}: the file is truncated"):
        only(path)
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_without_its_end_is_truncated_though_its_thumbnail_has_one(tmp_path):
    _, thumbnail = cv2.imencode(".jpg", picture(8, 8))
    _, whole = cv2.imencode(".jpg", picture())
    body = thumbnail.tobytes()
    app1 = b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body
    content = b"\xff\xd8" + app1 + whole.tobytes()[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert only(path).pixels.shape == (48, 64)
    path.write_bytes(content[:-2])
    with pytest.raises(ImageError, match="truncated"):
        only(path)


def test_a_damaged_png_is_refused(tmp_path):
    content = bytearray(written(tmp_path / "a.png", picture()).read_bytes())
    content[content.index(b"IDAT") + 40] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: the file is damaged \(bad checksum of 'IDAT'\)"):
        only(tmp_path / "a.png")


def test_a_damaged_note_in_a_png_changes_nothing_and_prints_nothing(tmp_path, capfd):
    note = bytearray(png_chunk(b"iCCP", b"colour profile"))
    note[-1] ^= 0xFF
    path = tmp_path / "a.png"
    path.write_bytes(png(48, 64, chunks=[bytes(note), png_pixels(picture())]))
    np.testing.assert_array_equal(only(path).pixels, picture())
    assert capfd.readouterr() == ("", "")


JPEG_20000 = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB9B", 17, 8, 20_000, 20_000, 3, *range(9))
BMP_20000 = b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 54, 40, 20_000, 20_000, 1, 8, *[0] * 6)
SIDE = (20_000 - 1).to_bytes(3, "little")
HUGE = {
    "a.png": png(20_000, 20_000, chunks=[png_chunk(b"IDAT", b"")]),
    "a.jpg": JPEG_20000,
    "a.bmp": BMP_20000,
    "a.webp": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + bytes(8) + SIDE + SIDE,
    "a.tif": tiff(np.zeros((1, 1), np.uint8))[:8]
    + tiff(np.zeros((1, 1), np.uint8))[8:].replace(
        struct.pack("<HHII", 256, 4, 1, 1) + struct.pack("<HHII", 257, 4, 1, 1),
        struct.pack("<HHII", 256, 4, 1, 20_000) + struct.pack("<HHII", 257, 4, 1, 20_000),
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_400_megapixels_are_refused_before_they_are_decoded(tmp_path, name, monkeypatch):
    path = tmp_path / name
    path.write_bytes(HUGE[name])
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(ImageError, match=r"20000 rows x 20000 columns; at most 64 megapixels"):
        only(path)


@pytest.mark.parametrize("name, content", [("a.png", png(0, 0)), ("b.png", png(0, 64))])
def test_an_image_without_pixels_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match="it has no pixels"):
        only(tmp_path / name)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_shade_all_over_is_refused(tmp_path, level):
    path = written(tmp_path / "a.png", np.full((48, 64), level, np.uint8))
    with pytest.raises(ImageError, match=r"a\.png: .* nothing to measure"):
        only(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_colour_photograph_is_refused(tmp_path, suffix):
    path = written(tmp_path / f"a{suffix}", photograph())
    with pytest.raises(ImageError, match="looks like a colour photograph"):
        only(path)


def test_an_animation_is_refused(tmp_path):
    path = tmp_path / "a.png"
    control = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    path.write_bytes(png(48, 64, chunks=[control, png_pixels(picture())]))
    with pytest.raises(ImageError, match="save its frames as separate images"):
        only(path)


@pytest.mark.parametrize("content", [b"not an image", b"GIF89a", b"\x89PNG", b"%PDF-1.7" * 100])
def test_what_is_not_an_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png: not an image; give PNG, JPEG, BMP, WebP, TIFF"):
        only(tmp_path / "a.png")


def test_a_picture_that_only_pretends_to_be_whole_is_refused(tmp_path):
    half = png(48, 64, chunks=[png_pixels(picture()[:24])])
    (tmp_path / "a.png").write_bytes(half)
    with pytest.raises(ImageError, match="damaged, or of a kind that cannot be decoded"):
        only(tmp_path / "a.png")


def test_every_refusal_is_one_line(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"x", *HUGE.values(), png(48, 64), png(0, 0)):
        path.write_bytes(content)
        with pytest.raises(ImageError) as caught:
            only(path)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")


@needs_data
def test_an_hc18_image_is_its_decoded_grey():
    path = data_dir() / "hc18" / "training_set" / "000_HC.webp"
    expected = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    image = only(path)
    assert image.pixels.shape == (540, 800)
    np.testing.assert_array_equal(image.pixels, expected)


@needs_data
def test_real_ultrasound_is_not_taken_for_a_photograph():
    files = sorted((data_dir() / "fetal_planes" / "images").iterdir())[::60]
    assert len(files) > 20
    for path in files:
        assert only(path).pixels.max() > 100
