"""The picture of a volume: its numbers, its warnings, and marks where the bone is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fetometry.errors import OutputError
from fetometry.report import FLAG_TEXT, draw_volume_overlay, write_volume_overlay
from fetometry.report.styles import NOTICE as RESEARCH
from fetometry.report.styles import style_of
from fetometry.report.volume_overlay import CROSS_LEGEND, MOST_PX_PER_MM, SHEET_PX
from tests.report.looking import coloured
from tests.report.volume_examples import ENDS, NOTICE, found, volume

BLUE = style_of("FL").colour


def said(written):
    return [text for text, _, _ in written]


def test_it_says_the_numbers_the_notice_and_that_it_is_for_research(written):
    draw_volume_overlay(found(), volume())
    assert {"36.0 mm", "leg.nii.gz", NOTICE, RESEARCH, FLAG_TEXT["phantom-trained"]} <= set(
        said(written)
    )
    assert f"{found().volume_ml:.2f} mL" in said(written)
    assert any("1 x 0.5 x 0.75 mm per voxel" in line for line in said(written))


def test_every_cut_has_a_title_and_a_bar_of_ten_millimetres(written):
    draw_volume_overlay(found(), volume())
    assert said(written).count("10 mm") >= 4
    titles = [text for text in said(written) if " of " in text and "down" in text]
    assert len(titles) == 3
    assert "along the bone, through both ends" in said(written)


def test_nothing_is_written_beyond_the_picture(written):
    many = replace(found(flags=tuple(FLAG_TEXT)), source="scans/" + "long" * 60 + ".nii.gz")
    draw_volume_overlay(many, volume())
    assert all(end <= width for _, end, width in written)
    assert said(written).count(FLAG_TEXT["touches-border"]) == 1


@pytest.mark.parametrize("notice", ["", NOTICE])
def test_without_a_notice_none_is_written(notice, written):
    draw_volume_overlay(found(notice=notice, flags=()), volume())
    assert (NOTICE in said(written)) == bool(notice)


def test_the_contour_and_the_crosses_lie_on_the_bone():
    picture = draw_volume_overlay(found(), volume())
    assert picture.shape[1] == SHEET_PX
    # the cut along the bone comes first, 14 px to the mm: 36 mm between the ends, and beyond
    # these the arms of the crosses and the numbers
    rows, cols = np.nonzero(coloured(picture, BLUE)[:650])
    assert cols.max() - cols.min() == pytest.approx(36 * MOST_PX_PER_MM + 60, abs=30)
    assert (cols.max() + cols.min()) / 2 == pytest.approx(SHEET_PX / 2, abs=15)
    # thin and white: the two long sides of a bone of 4 mm
    white = np.flatnonzero(np.all(picture[:650, SHEET_PX // 2 - 100] > 215, axis=-1))
    assert white.max() - white.min() == pytest.approx(4 * MOST_PX_PER_MM, abs=15)
    assert abs((white.max() + white.min()) / 2 - np.median(rows)) < 15


def crosses(written):
    return [text for text in said(written) if text in ("1", "2")]


def test_both_ends_are_numbered_on_every_cut_with_dark_rims(written):
    draw_volume_overlay(found(), volume())
    # nine strokes for a letter with its rim, on four cuts
    assert crosses(written).count("1") == crosses(written).count("2") == 4 * 10


def test_an_end_off_a_slice_is_drawn_hollow():
    on = draw_volume_overlay(found(), volume())
    off = draw_volume_overlay(found(np.add(ENDS, (6, 0, 0))), volume())
    # below the cut along the bone, on the left: the slice in which the bone lies
    left = (slice(700, None), slice(0, 500))
    assert not np.array_equal(coloured(on, BLUE)[left], coloured(off, BLUE)[left])


def test_a_mask_alone_has_no_crosses_and_ends_alone_no_contour(written):
    draw_volume_overlay(found(None, length_mm=None), volume())
    assert crosses(written) == []
    assert not any(CROSS_LEGEND in line for line in said(written))
    written.clear()
    draw_volume_overlay(found(mask=False), volume())
    assert any(CROSS_LEGEND in line for line in said(written))
    assert not any("thin white line" in line for line in said(written))
    assert not any(line.endswith("mL") for line in said(written))


def test_it_is_saved_as_a_png_or_says_why_not(tmp_path):
    path = write_volume_overlay(found(), volume(), tmp_path / "overlays" / "leg_volume.png")
    assert cv2.imread(str(path)).shape[1] == SHEET_PX
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_volume_overlay(found(), volume(), tmp_path / "file" / "leg.png")
