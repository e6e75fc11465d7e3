import csv
from functools import cache

import cv2
import numpy as np
import pytest

from fetometry import phantom
from fetometry.errors import SpacingError
from fetometry.image import read
from fetometry.image.ruler import MIN_CONFIDENCE, read_ruler
from fetometry.image.ticks import find_combs
from fetometry.phantom import HeadSpec
from fetometry.training.data.manifest import TEST_BUCKET, bucket
from tests.support import data_dir, needs_data

SHAPE = (600, 800)
PITCH = 25.3
#: Lengths in px by the number of a tick.
EVERY_2ND = (8, 4)
EVERY_5TH = (9, 3, 3, 3, 3)
TWO_AND_TEN = (10, 2, 5, 2, 5, 2, 5, 2, 5, 2)
ALIKE = (5,)


@cache
def tissue(seed=0, level=60):
    """Speckle like that of an image: Rayleigh noise, smooth along the rows."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(size=(*SHAPE, 2)), (0, 0), 2.5, sigmaY=1.5)
    envelope = np.hypot(field[..., 0], field[..., 1])
    return np.clip(envelope * level / envelope.mean(), 10, 200).astype(np.uint8)


def places(pitch=PITCH, first=11.3, last=590):
    return np.arange(first, last, pitch)


def ruled(lengths, *, at=None, behind=None, grey=250, start=15):
    """Draw ticks of two rows at the left edge of a picture."""
    pixels = np.zeros(SHAPE, np.uint8) if behind is None else behind.copy()
    for number, row in enumerate(places() if at is None else at):
        length = lengths[number % len(lengths)]
        pixels[round(row) : round(row) + 2, start : start + length] = grey
    return pixels


def ruled_below(lengths, grey, behind):
    """Draw ticks of one column at the bottom edge, touching it."""
    pixels = behind.copy()
    for number, col in enumerate(places(last=790)):
        pixels[-lengths[number % len(lengths)] :, round(col)] = grey
    return pixels


def refused(pixels):
    with pytest.raises(SpacingError) as caught:
        read_ruler(pixels, "scan.png")
    said = str(caught.value)
    assert said.startswith("scan.png: the ruler cannot be read: ")
    assert said.endswith("give the pixel size with --mm-per-px X or --spacing FILE.csv")
    return said


@pytest.mark.parametrize("mm, seed", [(0.2, 3), (0.33, 2)])
def test_the_phantoms_ruler_gives_the_pixel_size_it_was_drawn_with(mm, seed):
    made = phantom.head(HeadSpec(mm_per_px=(mm, mm), seed=seed))
    reading = read_ruler(made.pixels, "phantom")
    assert reading.spacing.mm == pytest.approx((mm, mm), rel=0.001)
    assert (reading.step_mm, reading.edge) == (10.0, "left")


@pytest.mark.parametrize(
    "lengths, step_mm", [(EVERY_2ND, 5.0), (TWO_AND_TEN, 5.0), (EVERY_5TH, 10.0)]
)
@pytest.mark.parametrize("behind", [None, tissue()], ids=["black", "tissue"])
def test_the_order_of_longer_ticks_tells_how_many_mm_apart_they_are(lengths, step_mm, behind):
    reading = read_ruler(ruled(lengths, behind=behind), "scan")
    assert reading.step_mm == step_mm
    assert reading.pitch_px == pytest.approx(PITCH, rel=0.003)
    assert reading.spacing.mm == pytest.approx((step_mm / PITCH,) * 2, rel=0.003)


def test_the_reading_names_edge_ticks_pitch_step_and_confidence():
    reading = read_ruler(ruled(EVERY_2ND), "scan")
    assert reading.spacing.source == (
        f"ruler-left: 23 ticks, {reading.pitch_px:.2f} px apart, 5 mm each, "
        f"confidence {reading.confidence:.2f}"
    )
    assert MIN_CONFIDENCE <= reading.confidence <= 1
    assert "every 2nd tick longer" in reading.evidence
    assert "23 of 23 places hold a tick" in reading.evidence


def test_ticks_are_where_they_were_drawn():
    at = places()
    reading = read_ruler(ruled(EVERY_2ND), "scan")
    # two rows, the first of them rounded
    np.testing.assert_allclose(reading.ticks_px[:, 0], np.rint(at) + 0.5, atol=0.1)
    np.testing.assert_allclose(reading.ticks_px[:, 1], 15, atol=1)


@pytest.mark.parametrize(
    "turned, edge",
    [(np.fliplr, "right"), (np.flipud, "left"), (np.rot90, "bottom")],
)
def test_a_turned_picture_gives_the_same_at_another_edge(turned, edge):
    reading = read_ruler(np.ascontiguousarray(turned(ruled(TWO_AND_TEN))), "scan")
    assert reading.edge == edge
    assert reading.spacing.mm[0] == pytest.approx(5 / PITCH, rel=0.003)
    rows, cols = reading.ticks_px.T
    across = {"right": 799 - cols, "left": cols, "bottom": 799 - rows}[edge]
    np.testing.assert_allclose(across, 15, atol=1)


def test_dark_ticks_in_tissue_are_read_at_the_bottom():
    reading = read_ruler(ruled_below((6, 3), 0, tissue(level=90)), "scan")
    assert (reading.edge, reading.step_mm) == ("bottom", 5.0)
    assert reading.pitch_px == pytest.approx(PITCH, rel=0.003)


def test_dark_ticks_with_every_fifth_longer_may_be_5_or_10_mm_apart_and_are_refused():
    assert "may be 5 or 10 mm apart" in refused(ruled_below((6, 3, 3, 3, 3), 0, tissue(level=90)))


@pytest.mark.parametrize("scale", [0.8, 1.25, 2.0])
def test_a_resized_picture_gives_the_resized_answer(scale):
    pixels = ruled(TWO_AND_TEN, behind=tissue(4, level=40))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=how)
    plain, other = read_ruler(pixels, "scan"), read_ruler(resized, "scan")
    assert other.spacing.mm[0] == pytest.approx(plain.spacing.mm[0] / scale, rel=0.005)


def test_a_few_hidden_ticks_lower_the_confidence_but_not_the_answer():
    at = places()
    whole = ruled(EVERY_2ND)
    hidden = whole.copy()
    for number in (5, 12):
        hidden[round(at[number]) : round(at[number]) + 2] = 0
    one, other = read_ruler(whole, "scan"), read_ruler(hidden, "scan")
    assert other.confidence < one.confidence - 0.05
    assert other.spacing.mm[0] == pytest.approx(one.spacing.mm[0], rel=0.001)


def test_a_ruler_with_a_third_of_its_ticks_hidden_is_refused():
    hidden = ruled(EVERY_2ND)
    for number in range(2, 23, 3):
        row = round(places()[number])
        hidden[row : row + 2] = 0
    refused(hidden)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["white noise", "tissue"])
def test_noise_is_no_ruler(seed, kind):
    noise = np.random.default_rng(seed).integers(0, 256, SHAPE).astype(np.uint8)
    refused(noise if kind == "white noise" else tissue(seed))


def test_a_picture_without_a_ruler_is_refused(phantom_head):
    cut = phantom_head.pixels[:, 20:]
    assert "no regular ticks at the left, right or bottom edge" in refused(cut)
    assert "no regular ticks" in refused(np.zeros(SHAPE, np.uint8))


@pytest.mark.parametrize("seed", range(3))
def test_ticks_at_unequal_distances_are_refused(seed):
    rng = np.random.default_rng(seed)
    refused(ruled(EVERY_2ND, at=places() + rng.uniform(-9, 9, len(places()))))


def test_ticks_that_are_all_alike_are_refused():
    assert "no order of longer ones that would tell their unit" in refused(ruled(ALIKE))


def test_ticks_of_random_lengths_are_refused():
    refused(ruled(tuple(np.random.default_rng(0).integers(3, 12, 25))))


def test_a_longer_tick_at_every_tenth_alone_is_refused():
    assert "may be 1 or 5 mm apart" in refused(ruled((9, *[3] * 9)))


def test_lines_of_text_are_no_ruler():
    pixels = np.zeros(SHAPE, np.uint8)
    for line, text in enumerate(["Har-mid", "97", "Gn -4", "C6 / M7", "FF3 / E3", "SRI II 3"] * 3):
        at = (4, 30 + 30 * line)
        cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 230, 1, cv2.LINE_AA)
    refused(pixels)


def test_a_ruler_whose_every_second_tick_is_faint_is_never_read_as_one_of_double_steps():
    pixels = ruled(EVERY_5TH)
    for row in places()[1::2]:
        shown = pixels[round(row) : round(row) + 2]
        shown[shown > 0] = 60
    refused(pixels)


def test_a_ruler_that_would_make_the_picture_too_large_is_refused():
    tall = np.vstack([ruled(EVERY_5TH), np.zeros((40, 800), np.uint8)])
    # 640 px at 10 mm per 25.3 px are 253 mm
    assert "shorter side 253 mm, and 25 to 250 mm are believable" in refused(tall)


def test_rulers_of_two_edges_that_disagree_are_refused():
    pixels = ruled(EVERY_2ND)
    for number, col in enumerate(np.arange(60, 790, 1.1 * PITCH)):
        pixels[-(8, 4)[number % 2] :, round(col) : round(col) + 2] = 250
    assert "not square?" in refused(pixels)


def test_a_small_picture_is_refused_not_broken():
    for shape in [(1, 1), (3, 500), (500, 3), (30, 40)]:
        refused(np.full(shape, 90, np.uint8))


def test_the_shadow_below_bright_ticks_is_not_taken_for_a_ruler_of_its_own():
    pixels = ruled(EVERY_5TH, behind=tissue(2, level=80))
    for number, row in enumerate(places()):
        start = round(row) + 2
        pixels[start : start + 2, 16 : 16 + EVERY_5TH[number % 5]] = 0
    assert any(comb.dark for comb in find_combs(pixels))
    assert read_ruler(pixels, "scan").step_mm == 10.0


def planes(machine, width, count):
    """Return rows of Fetal Planes with a published pixel size, none of the test patients."""
    folder = data_dir() / "fetal_planes"
    if not folder.is_dir():
        pytest.skip("needs Fetal Planes beside the other data")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            row
            for row in csv.DictReader(stream)
            if row["mm_per_px"]
            and row["suspect"] != "1"
            and (row["us_machine"], row["width"]) == (machine, width)
            and bucket("fetal_planes", row["patient"]) != TEST_BUCKET
        ]
    step = len(rows) // count
    return [(folder / row["image"], float(row["mm_per_px"])) for row in rows[: count * step : step]]


@needs_data
def test_rulers_of_a_voluson_agree_with_the_published_pixel_size():
    for path, mm in planes("Voluson E6", "959", 16):
        reading = read_ruler(next(iter(read(path))).pixels, path.name)
        assert reading.spacing.mm[0] == pytest.approx(mm, rel=0.015), path.name


@needs_data
def test_dark_rulers_of_an_aloka_agree_with_the_published_pixel_size_or_are_refused():
    answers = 0
    for path, mm in planes("Aloka", "640", 20):
        try:
            reading = read_ruler(next(iter(read(path))).pixels, path.name)
        except SpacingError:
            continue
        answers += 1
        # it was published from whole pixels: 5 mm as 33 px are known to 1.5 % only
        assert reading.spacing.mm[0] == pytest.approx(mm, rel=0.03), path.name
    assert answers >= 2


@needs_data
def test_images_whose_ruler_was_cut_off_are_refused():
    for path in sorted((data_dir() / "hc18" / "training_set").glob("*0_HC.*"))[::6]:
        with pytest.raises(SpacingError, match="the ruler cannot be read"):
            read_ruler(next(iter(read(path))).pixels, path.name)
