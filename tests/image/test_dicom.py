import warnings
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from fetometry.errors import ImageError
from fetometry.image import read
from tests.image.synthetic import dataset, photograph, picture, save

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


def only(path):
    (image,) = read(path)
    return image


def grey_of(made, tmp_path):
    return only(save(made, tmp_path / "a.dcm")).pixels


def rgb_picture():
    """Grey with a small mark in three colours; its grey value is known."""
    rgb = np.dstack([picture()] * 3)
    rgb[0:4], rgb[4:8], rgb[8:12] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    grey = picture()
    grey[0:4], grey[4:8], grey[8:12] = 76, 150, 29
    return rgb, grey


# ---- what the tags say about the pixels


def test_monochrome2_keeps_its_pixels(tmp_path):
    np.testing.assert_array_equal(grey_of(dataset(picture()), tmp_path), picture())


def test_monochrome1_is_inverted(tmp_path):
    made = dataset(255 - picture(), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(grey_of(made, tmp_path), picture())


def test_a_name_may_be_burned_into_a_dicom_image(tmp_path):
    assert only(save(dataset(picture()), tmp_path / "a.dcm")).may_show_name


def test_16_bits_are_scaled_from_the_image_s_own_range(tmp_path):
    made = dataset(picture().astype(np.uint16) * 13 + 400)
    np.testing.assert_array_equal(grey_of(made, tmp_path), picture())


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_becomes_grey_in_either_planar_configuration(tmp_path, planar):
    rgb, grey = rgb_picture()
    stored = rgb.transpose(2, 0, 1) if planar else rgb
    made = dataset(rgb, PlanarConfiguration=planar, PixelData=stored.tobytes())
    np.testing.assert_array_equal(grey_of(made, tmp_path), grey)


def ycbcr(rgb):
    luma, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    return np.dstack([luma, blue, red])


def test_ybr_full_becomes_its_luma(tmp_path):
    rgb, grey = rgb_picture()
    made = dataset(ycbcr(rgb), PhotometricInterpretation="YBR_FULL")
    assert np.abs(grey_of(made, tmp_path).astype(int) - grey).max() <= 1


def test_ybr_full_422_becomes_its_luma(tmp_path):
    rgb, grey = rgb_picture()
    full = ycbcr(rgb)
    pairs = np.stack([full[:, ::2, 0], full[:, 1::2, 0], full[:, ::2, 1], full[:, ::2, 2]], axis=-1)
    made = dataset(full, PhotometricInterpretation="YBR_FULL_422", PixelData=pairs.tobytes())
    assert np.abs(grey_of(made, tmp_path).astype(int) - grey).max() <= 1


def palette_tags(bits=8):
    levels = np.arange(255, -1, -1)
    data = levels.astype(np.uint8) if bits == 8 else (levels * 257).astype(np.uint16)
    tags = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        tags[f"{colour}PaletteColorLookupTableData"] = data.tobytes()
    return tags


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_color_is_looked_up(tmp_path, bits):
    made = dataset(picture(), **palette_tags(bits))
    np.testing.assert_array_equal(grey_of(made, tmp_path), 255 - picture())


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_every_uncompressed_syntax_is_read(tmp_path, syntax):
    made = dataset(picture())
    made.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(grey_of(made, tmp_path), picture())


def test_rle_is_read(tmp_path):
    made = dataset(picture())
    made.compress(RLELossless)
    np.testing.assert_array_equal(grey_of(made, tmp_path), picture())


def jpeg(pixels, syntax=JPEGBaseline8Bit, suffix=".jpg", **tags):
    """A dataset whose pixels, grey or RGB, OpenCV compressed."""
    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    frame = cv2.imencode(suffix, stored)[1].tobytes()
    colour = {} if pixels.ndim == 2 else {"PhotometricInterpretation": "YBR_FULL_422"}
    made = dataset(pixels, PixelData=encapsulate([frame]), **(colour | tags))
    made.file_meta.TransferSyntaxUID = syntax
    return made


def test_jpeg_is_read(tmp_path):
    found = grey_of(jpeg(picture()), tmp_path).astype(int)
    assert np.abs(found - picture()).max() <= 8


@pytest.mark.parametrize("planar", [0, 1])
def test_a_colour_jpeg_is_ordered_as_it_is_and_not_as_its_tag_says(tmp_path, planar):
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    made = jpeg(np.dstack([grey] * 3), PlanarConfiguration=planar)
    assert np.abs(grey_of(made, tmp_path).astype(int) - grey).max() <= 8


def test_a_dataset_not_encoded_as_its_transfer_syntax_says_is_read(tmp_path):
    made = dataset(picture())
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    content = bytearray(save(made, tmp_path / "a.dcm").read_bytes())
    implicit, explicit = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"
    content = content.replace(
        b"\x02\0\x10\0UI\x12\0" + implicit, b"\x02\0\x10\0UI\x14\0" + explicit
    )
    length = content.index(b"\x02\0\0\0UL\x04\0") + 8  # of the file meta group, now two longer
    content[length] += 2
    (tmp_path / "a.dcm").write_bytes(content)
    np.testing.assert_array_equal(only(tmp_path / "a.dcm").pixels, picture())


# ---- frames


def cine(count=3, **changes):
    frames = np.stack([picture(seed=seed) for seed in range(count)])
    return dataset(frames, **({"NumberOfFrames": count} | changes)), frames


def test_frames_are_counted_from_1(tmp_path):
    made, frames = cine()
    images = list(read(save(made, tmp_path / "a.dcm")))
    assert [image.frame for image in images] == [1, 2, 3]
    for image, frame in zip(images, frames, strict=True):
        np.testing.assert_array_equal(image.pixels, frame)


def test_frames_are_decoded_only_when_asked_for(tmp_path):
    made, frames = cine()
    made.compress(RLELossless)
    encoded = list(generate_frames(made.PixelData, number_of_frames=3))
    made.PixelData = encapsulate([encoded[0], b"\xff" * 64, encoded[2]])
    images = read(save(made, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(next(images).pixels, frames[0])
    with pytest.raises(ImageError, match=r"a\.dcm: frame 2 cannot be decoded"):
        next(images)


def test_a_black_frame_does_not_hide_those_after_it(tmp_path):
    made, frames = cine()
    frames[0] = 0
    made.PixelData = frames.tobytes()
    images = list(read(save(made, tmp_path / "a.dcm")))
    assert [image.pixels.max() for image in images] == [frame.max() for frame in frames]


def test_missing_frames_are_reported_after_those_that_are_there(tmp_path):
    made, _ = cine()
    made.compress(RLELossless)
    encoded = list(generate_frames(made.PixelData, number_of_frames=3))
    made.PixelData = encapsulate(encoded[:2])
    images = read(save(made, tmp_path / "a.dcm"))
    assert [next(images).frame, next(images).frame] == [1, 2]
    with pytest.raises(ImageError, match=r"2 of the 3 frames"):
        next(images)


# ---- what is refused


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"PixelData": None}, r"holds no pixels \(no Pixel Data\)"),
        ({"Rows": None}, r"Ultrasound Image Storage holds no image \(no Rows and Columns\)"),
        ({"Rows": 0}, "it has no pixels"),
        ({"Rows": 20_000, "Columns": 20_000}, "at most 64 megapixels"),
        ({"PhotometricInterpretation": None}, "Photometric Interpretation is absent; it must be"),
        ({"PhotometricInterpretation": "HSV"}, "Photometric Interpretation is HSV; it must be"),
        ({"PhotometricInterpretation": "RGB"}, "RGB has 3 samples per pixel, but .* is 1"),
        ({"SamplesPerPixel": 3}, "MONOCHROME2 has 1 samples per pixel, but .* is 3"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "but there is no palette"),
        (palette_tags() | {"PhotometricInterpretation": "MONOCHROME2"}, "but there is a palette"),
        ({"PixelRepresentation": 1}, "8-bit pixels never are"),
        ({"Rows": 96}, "truncated: 3072 bytes of the 6144"),
        ({"Rows": 12}, "3072 bytes of pixel data, but .* announce 768"),
        ({"NumberOfFrames": 9}, "truncated: 3072 bytes of the 27648"),
        ({"BitsAllocated": None}, "a.dcm"),
    ],
)
def test_tags_that_contradict_the_pixels_are_refused(tmp_path, changes, reason):
    path = save(dataset(picture(), **changes), tmp_path / "a.dcm")
    with pytest.raises(ImageError, match=reason) as caught:
        only(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_three_samples_in_one_are_refused(tmp_path):
    rgb, _ = rgb_picture()
    made = dataset(rgb, PhotometricInterpretation="MONOCHROME2", PlanarConfiguration=None)
    with pytest.raises(ImageError, match=r"MONOCHROME2 has 1 samples per pixel, but .* is 3"):
        grey_of(made, tmp_path)
    made.SamplesPerPixel = 1
    with pytest.raises(ImageError, match=r"9216 bytes of pixel data, but .* announce 3072"):
        grey_of(made, tmp_path)


def test_rgb_tagged_as_ybr_full_422_is_refused(tmp_path):
    made = dataset(rgb_picture()[0], PhotometricInterpretation="YBR_FULL_422")
    with pytest.raises(ImageError, match="or Photometric Interpretation, is wrong"):
        grey_of(made, tmp_path)


@pytest.mark.parametrize("tag", ["YBR_RCT", "YBR_ICT"])
def test_jpeg_2000_colours_outside_jpeg_2000_are_refused(tmp_path, tag):
    made = dataset(rgb_picture()[0], PhotometricInterpretation=tag)
    with pytest.raises(ImageError, match=f"{tag} exists in JPEG 2000 only"):
        grey_of(made, tmp_path)


def test_a_compressed_frame_of_another_size_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"announce 64 x 40 pixels .* frame has 64 x 48 of 1"):
        grey_of(jpeg(picture(), Rows=40), tmp_path)


def test_a_colour_jpeg_tagged_as_grey_is_refused(tmp_path):
    grey = {"PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1}
    with pytest.raises(ImageError, match=r"frame has 64 x 48 of 3: .* Photometric"):
        grey_of(jpeg(rgb_picture()[0], **grey), tmp_path)


@pytest.mark.parametrize("name", ["examples_jpeg2k.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_samples_that_a_compressed_frame_has_not_are_refused(tmp_path, name):
    made = pydicom.dcmread(SHIPPED / name)
    colour = made.SamplesPerPixel == 3
    made.SamplesPerPixel = 1 if colour else 3
    made.PhotometricInterpretation = "MONOCHROME2" if colour else "RGB"
    with pytest.raises(ImageError, match="but the compressed frame has"):
        grey_of(made, tmp_path)


def test_jpeg_2000_colours_tagged_as_ybr_full_are_refused(tmp_path):
    made = pydicom.dcmread(SHIPPED / "examples_jpeg2k.dcm")
    made.PhotometricInterpretation = "YBR_FULL"
    with pytest.raises(ImageError, match="compressed frame is YBR_RCT or YBR_ICT"):
        grey_of(made, tmp_path)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000, JPEG2000Lossless, JPEGLSLossless])
def test_pixels_that_are_not_what_the_syntax_says_are_refused(tmp_path, syntax):
    scrambled = np.random.default_rng(0).bytes(2000)
    made = dataset(picture(), PixelData=encapsulate([scrambled]))
    made.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(ImageError, match="encrypted, damaged or wrongly tagged"):
        grey_of(made, tmp_path)


@pytest.mark.parametrize(
    "syntax, name", [(MPEG4HP41, "MPEG-4"), (UID("1.2.826.0.1.3680043.9.7"), "1.2.826")]
)
def test_a_syntax_that_cannot_be_decoded_is_refused(tmp_path, syntax, name):
    made = dataset(picture(), PixelData=encapsulate([b"\0" * 64]))
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(
        tmp_path / "a.dcm", enforce_file_format=True, implicit_vr=False, little_endian=True
    )
    with pytest.raises(ImageError, match=rf"its transfer syntax \({name}.*cannot be decoded"):
        only(tmp_path / "a.dcm")


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm", "rtplan.dcm", "waveform_ecg.dcm"])
def test_a_document_without_an_image_is_refused(name):
    with pytest.raises(ImageError, match=r"Storage holds no image \(no Rows and Columns\)"):
        only(SHIPPED / name)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.97])
@pytest.mark.parametrize(
    "name",
    [
        "examples_rgb_color.dcm",
        "examples_ybr_color.dcm",
        "examples_jpeg2k.dcm",
        "MR_small_RLE.dcm",
        "image_dfl.dcm",
    ],
)
def test_a_truncated_file_is_refused(tmp_path, name, share):
    content = (SHIPPED / name).read_bytes()
    path = tmp_path / "a.dcm"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match=r"a\.dcm: "):
        list(read(path))


def test_an_empty_image_is_refused(tmp_path):
    with pytest.raises(ImageError, match="nothing to measure"):
        grey_of(dataset(np.zeros((48, 64), np.uint8)), tmp_path)


def test_a_photograph_is_refused_unless_it_is_ultrasound(tmp_path):
    capture = {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "OT"}
    with pytest.raises(ImageError, match="looks like a colour photograph"):
        grey_of(dataset(photograph(), **capture), tmp_path)
    assert grey_of(dataset(photograph()), tmp_path).shape == (120, 160)


def test_a_secondary_capture_is_read(tmp_path):
    capture = {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "US"}
    np.testing.assert_array_equal(grey_of(dataset(picture(), **capture), tmp_path), picture())


# ---- what breaks the standard without harm


def test_a_malformed_character_set_neither_raises_nor_warns(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns when it writes such a file
        made = dataset(picture(), SpecificCharacterSet="ISO-IR 100", PatientName="Müller")
        made["PatientName"].value = "M?ller"
        path = save(made, tmp_path / "a.dcm")
    np.testing.assert_array_equal(only(path).pixels, picture())


def test_padding_after_the_pixels_is_left_out(tmp_path):
    made = dataset(picture(), PixelData=picture().tobytes() + bytes(512))
    np.testing.assert_array_equal(grey_of(made, tmp_path), picture())
